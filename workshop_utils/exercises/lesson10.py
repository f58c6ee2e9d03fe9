"""The exercises of lesson 10, ship it: references, inputs, and the mistakes that people really make."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from workshop_utils.exercises.checks import Arguments, Exercise, Mistakes

# --- 10.1: merge


def merge(W: Tensor, A: Tensor, B: Tensor, alpha: float) -> Tensor:
    """The weights (out, in) with an adapter added: A (r, in), B (out, r)."""
    return W + alpha / A.shape[0] * (B @ A)


def _adapters(rng: random.Random) -> Iterator[Arguments]:
    generator = torch.Generator().manual_seed(rng.randrange(2**31))
    # The second matrix is square, so that a wrong order of A and B need not fail by its shape.
    for out, width, rank, alpha in ((5, 7, 2, 8.0), (6, 6, 3, 4.0), (6, 6, 6, 9.0), (4, 9, 1, 3.0)):
        shapes = ((out, width), (rank, width), (out, rank))
        yield (*(torch.randn(shape, generator=generator) for shape in shapes), alpha)


MERGES: Mistakes = {
    "alpha alone": (
        lambda W, A, B, alpha: W + alpha * (B @ A),
        "the correction is scaled by alpha / r, and r is the number of rows of A; here it is scaled by alpha alone.",
    ),
    "no scale": (
        lambda W, A, B, alpha: W + B @ A,
        "the scale is missing: the correction is multiplied by alpha / r before it is added.",
    ),
    "divided by the width": (
        lambda W, A, B, alpha: W + alpha / A.shape[1] * (B @ A),
        "A has the shape (r, in): its rank is A.shape[0], and A.shape[1] is the width of the input.",
    ),
    "subtracted": (
        lambda W, A, B, alpha: W - alpha / A.shape[0] * (B @ A),
        "that takes the adapter away from weights in which it is merged already: here it has to be added.",
    ),
    "the correction alone": (
        lambda W, A, B, alpha: alpha / A.shape[0] * (B @ A),
        "this is the correction alone: the merged matrix is W plus the correction.",
    ),
    "A first": (
        lambda W, A, B, alpha: W + alpha / A.shape[0] * (A.T @ B.T),
        "A.T @ B.T has the shape (in, out), that of W turned over: the correction is B @ A, (out, r) times (r, in).",
    ),
}


# --- 10.2: the wrong files

Ids = dict[str, list[int]]


def wrong_files(right: Ids, files: dict[str, Ids]) -> list[str]:
    """The names of the files with other tokens of some text than the tokenizer's."""
    return [name for name, ids in files.items() if any(ids.get(text) != right[text] for text in right)]


def _files(rng: random.Random) -> Iterator[Arguments]:
    texts = rng.sample(["a  b", "1234", "\n\n", "I'm", "naïve", "  x", "12 3"], 4)
    right = {text: [rng.randrange(20, 999) for _ in range(rng.randrange(3, 6))] for text in texts}

    def but(i: int, ids: list[int] | None) -> Ids:
        made = {text: list(known) for text, known in right.items()}
        if ids is None:
            del made[texts[i]]
        else:
            made[texts[i]] = ids
        return made

    first, last = right[texts[0]], right[texts[-1]]
    files = {
        "same": but(0, list(first)),
        "first text": but(0, [first[0] + 1, *first[1:]]),
        "last text": but(3, [*last[:-1], last[-1] - 1]),  # as many tokens, and only the last one differs
        "longer": but(1, [*right[texts[1]], 7]),
        "other order": but(2, right[texts[2]][::-1]),
        "shorter": but(3, last[:-1]),
        "missing": but(1, None),
        "all wrong": {text: [1] for text in right},
        "also right": dict(reversed(but(0, list(first)).items())),
        "more texts": but(0, list(first)) | {"another": [5]},  # nothing to compare it with
    }
    names = rng.sample(list(files), len(files))
    yield right, {name: files[name] for name in names}
    yield right, {"same": files["same"]}
    yield right, {}
    yield right, {"last text": files["last text"], "missing": files["missing"]}


FILES: Mistakes = {
    "the number of tokens": (
        lambda right, files: [
            name for name, ids in files.items() if any(len(ids.get(t, ())) != len(right[t]) for t in right)
        ],
        "you compare how many tokens there are: other tokens of the same number would pass. Compare the lists.",
    ),
    "the right ones": (
        lambda right, files: [name for name, ids in files.items() if all(ids.get(t) == right[t] for t in right)],
        "these are the files without a difference: the others were asked for.",
    ),
    "wrong everywhere": (
        lambda right, files: [name for name, ids in files.items() if all(ids.get(t) != right[t] for t in right)],
        "you find a file only if every text differs. One text with a difference is enough: any, and not all.",
    ),
    "the first text": (
        lambda right, files: [name for name, ids in files.items() if any(ids.get(t) != right[t] for t in [*right][:1])],
        "you look at the first text only, and a wrong pattern shows in some texts and not in others: try all of them.",
    ),
    "missing is fine": (
        lambda right, files: [
            name for name, ids in files.items() if any(t in ids and ids[t] != right[t] for t in right)
        ],
        "a text that is missing in a file is a difference, too: ids.get(text) is None there.",
    ),
    "sorted": (
        lambda right, files: [
            name for name, ids in files.items() if any(sorted(ids.get(t, ())) != sorted(right[t]) for t in right)
        ],
        "your comparison ignores the order of the tokens: compare the lists themselves.",
    ),
}


# --- 10.3: where a reply ends


def reply_of(written: list[int], ends: set[int]) -> tuple[list[int], bool]:
    """The tokens before the first that ends a reply, and whether there is one."""
    for i, token in enumerate(written):
        if token in ends:
            return written[:i], True
    return written, False


def _written(rng: random.Random) -> Iterator[Arguments]:
    ends = set(rng.sample(range(900, 950), 2))
    one, other = sorted(ends)
    words = [rng.randrange(1, 800) for _ in range(12)]
    yield [*words[:5], one, *words[5:]], ends
    yield [*words[:3], other, *words[3:8], one, *words[8:]], ends  # both, the larger one first
    yield [*words[:4], one, *words[4:6], other, one], ends
    yield words, ends  # none at all
    yield [*words, one], ends  # at the very end
    yield [one, *words], ends  # an empty reply
    yield [], ends
    yield [*words[:2], words[0], one], ends


def _up_to(written: list[int], ends: set[int], last: bool) -> tuple[list[int], bool]:
    found = [i for i, token in enumerate(written) if token in ends]
    return (written[: found[-1 if last else 0]], True) if found else (written, False)


STOPS: Mistakes = {
    "with the end": (
        lambda written, ends: (
            (written[: len(_up_to(written, ends, False)[0]) + 1], True) if ends & {*written} else (written, False)
        ),
        "the token that ends the reply is not part of it: leave it out, or it is shown to the user.",
    ),
    "the last end": (
        lambda written, ends: _up_to(written, ends, True),
        "you cut at the last token that ends a reply: what stands between the first and the last belongs to no reply.",
    ),
    "taken out": (
        lambda written, ends: ([token for token in written if token not in ends], bool(ends & {*written})),
        "you take the tokens of `ends` out and keep what follows them: the reply is over at the first of them.",
    ),
    "one kind of end": (
        lambda written, ends: _up_to(written, {min(ends)}, False),
        "any token in `ends` ends the reply, and you look for one of them only.",
    ),
    "always ended": (
        lambda written, ends: (_up_to(written, ends, False)[0], True),
        "where no token of `ends` was written, the reply did not end by itself: it was cut off by the limit.",
    ),
    "the last token decides": (
        lambda written, ends: (written[:-1], True) if written and written[-1] in ends else (written, False),
        "the token that ends a reply need not be the last one: a model that is not stopped writes on behind it.",
    ),
    "nothing without an end": (
        lambda written, ends: _up_to(written, ends, False) if ends & {*written} else ([], False),
        "where no token ends the reply, all that was written is the reply, and not nothing.",
    ),
}


# --- 10.4: hashes


def not_as_sent(listed: dict[str, str], files: dict[str, bytes]) -> list[str]:
    """Names of files that are missing, changed or not listed."""
    found = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    return sorted(name for name in {*listed, *found} if listed.get(name) != found.get(name))


def _parcels(rng: random.Random) -> Iterator[Arguments]:
    files = {name: rng.randbytes(40) for name in rng.sample(["model.gguf", "Modelfile", "a.json", "z.txt"], 4)}
    listed = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    one, other, third, _ = files
    flipped = bytes([files[one][0] ^ 1]) + files[one][1:]
    swapped = files | {one: files[other], other: files[one]}
    yield listed, files
    yield listed, files | {one: flipped}  # of the same length
    yield listed, {name: content for name, content in files.items() if name != other}
    yield listed, files | {"setup.py": b"import os", "b.py": b""}
    yield listed, files | {third: b""}
    yield listed, swapped  # the right contents under the wrong names
    yield {name: listed[name] for name in (one, other)}, {other: files[other], third: files[third]}
    almost = listed[third][:-1] + ("0" if listed[third][-1] != "0" else "1")
    yield listed | {third: almost, "empty": hashlib.sha256(b"").hexdigest()}, files | {"empty": b""}
    yield {}, {}


def _digests(files: dict[str, bytes], kind: str = "sha256") -> dict[str, str]:
    return {name: hashlib.new(kind, content).hexdigest() for name, content in files.items()}


HASHES: Mistakes = {
    "what is listed only": (
        lambda listed, files: sorted(name for name in listed if listed[name] != _digests(files).get(name)),
        "you look at listed files only: a file that nobody has listed came along, and may be a program.",
    ),
    "what arrived only": (
        lambda listed, files: sorted(name for name in files if _digests(files)[name] != listed.get(name)),
        "you look at the files that arrived: one that is listed and missing is not as sent, either.",
    ),
    "names only": (
        lambda listed, files: sorted(listed.keys() ^ files.keys()),
        "you compare names: a file with the right name can have another content. Compare the hashes.",
    ),
    "contents under any name": (
        lambda listed, files: sorted(
            {name for name, digest in _digests(files).items() if digest not in listed.values()}
            | {name for name, digest in listed.items() if digest not in _digests(files).values()}
        ),
        "you look for each hash under any name: two files that were swapped would pass. Compare name by name.",
    ),
    "bytes": (
        lambda listed, files: sorted(
            name for name in {*listed, *files} if name not in files or listed.get(name) != bytes(32)
        ),
        "every file differs from your hash of it: the list has the hexadecimal text of SHA-256, 64 characters. "
        "`.digest()` gives bytes, and MD5 is another hash.",
    ),
    "the beginning of the hash": (
        lambda listed, files: sorted(
            name for name in {*listed, *files} if listed.get(name, "")[:8] != _digests(files).get(name, "")[:8]
        ),
        "you compare the beginning of the hashes: all 64 characters count.",
    ),
    "an empty file": (
        lambda listed, files: sorted(
            name for name in {*listed, *files} if not files.get(name) or listed.get(name) != _digests(files)[name]
        ),
        "a file that is empty and listed as such is as sent: an empty content is not a missing one.",
    ),
    "those that are as sent": (
        lambda listed, files: sorted(name for name in listed if listed[name] == _digests(files).get(name)),
        "these are the files that arrived as they were sent: the others were asked for.",
    ),
}


# --- 10.5: what fits


def finest_that_fits(parameters: float, cache: float, memory: float, kinds: dict[str, float]) -> str:
    """The kind with the most bits whose weights fit into the memory together with the cache, "" if none."""
    fitting = [name for name, bits in kinds.items() if parameters * bits / 8 + cache <= memory]
    return max(fitting, key=lambda name: kinds[name], default="")


def _machines(rng: random.Random) -> Iterator[Arguments]:
    kinds = {"F16": 16, "Q8_0": 8.5, "Q4_0": 4.5}
    mixed = {name: kinds[name] for name in ("Q8_0", "Q4_0", "F16")}
    n = rng.uniform(1.5e9, 9e9)
    yield n, 0.5e9, 2 * n + 0.6e9, kinds  # all fit
    yield n, 0.5e9, 2 * n + 0.6e9, mixed
    yield n, 1e9, 2 * n + 0.5e9, kinds  # F16 would, without the cache
    yield n, 0.3e9, 1.5 * n + 0.3e9, mixed
    yield n, 0.3e9, 0.8 * n + 0.3e9, kinds
    yield n, 1e9, 4.5 / 8 * n + 0.5e9, kinds  # none, with the cache
    yield n, 0.1e9, 0.3 * n, mixed  # none at all
    yield n, 0.0, 1.2 * n, {"Q4_0": 4.5, "Q8_0": 8.5}
    yield n, 0.2e9, 0.9 * n + 0.2e9, {"Q4_K": 4.5, "Q6_K": 6.5625, "F16": 16}
    yield n, 4e9, 2 * n + 0.3e9, kinds  # a large cache
    yield 8e9, 1e9, 9.5e9, {"Q4_0": 4.5, "Q8_0": 8.5}  # to the byte


def _chosen(parameters: float, cache: float, memory: float, kinds: dict[str, float], pick: Any = max) -> str:
    fitting = [name for name, bits in kinds.items() if parameters * bits / 8 + cache <= memory]
    return str(pick(fitting, key=lambda name: kinds[name], default=""))


FITS: Mistakes = {
    "no cache": (
        lambda parameters, cache, memory, kinds: _chosen(parameters, 0.0, memory, kinds),
        "the cache is missing: it lies in the same memory as the weights.",
    ),
    "the cache in bits": (
        lambda parameters, cache, memory, kinds: _chosen(parameters, cache / 8, memory, kinds),
        "the cache is given in bytes already: only the weights are counted in bits.",
    ),
    "not to the byte": (
        lambda parameters, cache, memory, kinds: _chosen(parameters, cache, memory - 1, kinds),
        "what needs all of the memory to the last byte still fits: <=, not <.",
    ),
    "the smallest": (
        lambda parameters, cache, memory, kinds: _chosen(parameters, cache, memory, kinds, min),
        "you take the fewest bits that fit: the kind with the most bits among those that fit was asked for.",
    ),
    "bits as bytes": (
        lambda parameters, cache, memory, kinds: _chosen(8 * parameters, cache, memory, kinds),
        "a byte has eight bits: the weights take parameters * bits / 8 bytes.",
    ),
    "the first that fits": (
        lambda parameters, cache, memory, kinds: next(
            (name for name, bits in kinds.items() if parameters * bits / 8 + cache <= memory), ""
        ),
        "you take the first kind that fits, and the dictionary need not begin with the most bits: compare the bits.",
    ),
    "the finest, always": (
        lambda parameters, cache, memory, kinds: max(kinds, key=lambda name: kinds[name]),
        "this is the kind with the most bits of all: leave out first what does not fit.",
    ),
}


# --- 10.6: how fast


def tokens_per_second(parameters: float, bits: float, cache: float, bandwidth: float) -> float:
    """The most tokens per second for one user: bandwidth over the bytes that a token needs."""
    return bandwidth / (parameters * bits / 8 + cache)


def _bandwidths(rng: random.Random) -> Iterator[Arguments]:
    for bits in (16, 8.5, 4.5):
        yield rng.uniform(1e9, 9e9), bits, rng.uniform(0.2e9, 2e9), rng.choice((50e9, 80e9, 320e9, 3350e9))


SPEEDS: Mistakes = {
    "no cache": (
        lambda parameters, bits, cache, bandwidth: bandwidth / (parameters * bits / 8),
        "for each token the cache is read as well: add its bytes to those of the weights.",
    ),
    "bits as bytes": (
        lambda parameters, bits, cache, bandwidth: bandwidth / (parameters * bits + cache),
        "a byte has eight bits: the weights are parameters * bits / 8 bytes.",
    ),
    "seconds per token": (
        lambda parameters, bits, cache, bandwidth: (parameters * bits / 8 + cache) / bandwidth,
        "this is seconds per token: turn it over for tokens per second.",
    ),
    "cache taken off": (
        lambda parameters, bits, cache, bandwidth: bandwidth / (parameters * bits / 8 - cache),
        "the cache is read in addition to the weights: add it, and do not subtract it.",
    ),
    "cache from bits": (
        lambda parameters, bits, cache, bandwidth: bandwidth / ((parameters * bits + cache) / 8),
        "the cache is given in bytes already: only the weights are counted in bits.",
    ),
}


EXERCISES = [
    Exercise(
        "10.1",
        "merge",
        merge,
        MERGES,
        cases=_adapters,
        praise="One matrix, the same answers: whoever gets this model needs neither peft nor your base.",
    ),
    Exercise(
        "10.2",
        "comparison of the files",
        wrong_files,
        FILES,
        cases=_files,
        praise="A check of a second, which finds what good replies hide.",
    ),
    Exercise(
        "10.3",
        "rule of stopping",
        reply_of,
        STOPS,
        cases=_written,
        praise="This is all that 'the model stops' means: the program around it stops asking for more.",
    ),
    Exercise(
        "10.4",
        "comparison of the hashes",
        not_as_sent,
        HASHES,
        cases=_parcels,
        praise="Missing, changed and uninvited files are all found, and a single flipped bit is enough.",
    ),
    Exercise(
        "10.5",
        "choice of the precision",
        finest_that_fits,
        FITS,
        cases=_machines,
        praise="Weights and cache share the memory; a longer conversation may cost you bits per weight.",
    ),
    Exercise(
        "10.6",
        "bound of the speed",
        tokens_per_second,
        SPEEDS,
        cases=_bandwidths,
        praise="For one user, fewer bytes per token mean more tokens per second.",
    ),
]
