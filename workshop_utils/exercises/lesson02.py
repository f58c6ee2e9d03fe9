"""The exercises of lesson 02, tokens and data: references, inputs, and the mistakes that people really make."""

from __future__ import annotations

import random
import string
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from workshop_utils.checks import Exercise
from workshop_utils.sameness import same

Arguments = tuple[Any, ...]
Parts = tuple[bytes, ...]


# --- 02.1 count pairs


def count_pairs(words: Mapping[Parts, int]) -> dict[tuple[bytes, bytes], int]:
    """How often each pair of neighbours occurs in a text, whose words are counted already."""
    counts: Counter[tuple[bytes, bytes]] = Counter()
    for parts, times in words.items():
        for pair in pairwise(parts):
            counts[pair] += times
    return dict(counts)


def _words(rng: random.Random) -> Iterator[Arguments]:
    yield ({(b"p", b"e", b"c", b"k"): 4, (b" ", b"p", b"e", b"ck"): 3, (b"a",): 9},)
    for _ in range(3):
        letters = rng.sample("aeinrst", 4)
        yield (
            {
                tuple(rng.choice(letters).encode() for _ in range(rng.randint(1, 6))): rng.randint(2, 9)
                for _ in range(rng.randint(3, 8))
            },
        )


def _count_hint(args: Arguments, got: Any, expected: dict[tuple[bytes, bytes], int]) -> str | None:
    (words,) = args
    if got and all(isinstance(key, bytes | str) for key in got):
        return "your keys are single texts. A key is the pair itself, a tuple of two parts, such as (b'p', b'e')."
    if got == dict(Counter(pair for parts in words for pair in pairwise(parts))):
        return (
            "you counted each word once, but the number beside a word says how often it occurs: add that number "
            "for each of its pairs."
        )
    if got == _without_last(words):
        return "the last pair of each word is missing. A word of 4 parts has 3 pairs."
    if got == {pair: times for parts, times in words.items() for pair in pairwise(parts)}:
        return "the count of a pair is overwritten by the next word that has it. Add to it, with += instead of =."
    return None


def _without_last(words: Mapping[Parts, int]) -> dict[tuple[bytes, bytes], int]:
    counts: Counter[tuple[bytes, bytes]] = Counter()
    for parts, times in words.items():
        for i in range(len(parts) - 2):
            counts[parts[i], parts[i + 1]] += times
    return dict(counts)


# --- 02.2 merge a pair


def merge(parts: Parts, pair: tuple[bytes, bytes]) -> Parts:
    """Join a pair wherever it stands in a word, from left to right."""
    joined: list[bytes] = []
    i = 0
    while i < len(parts):
        width = 2 if parts[i : i + 2] == pair else 1
        joined.append(b"".join(parts[i : i + width]))
        i += width
    return tuple(joined)


def _merges(rng: random.Random) -> Iterator[Arguments]:
    yield (b"p", b"e", b"p", b"p", b"e", b"r"), (b"p", b"e")
    yield (b"a", b"a", b"a"), (b"a", b"a")
    yield (b" ", b"pe", b"ck"), (b"pe", b"ck")
    for _ in range(4):
        parts = tuple(rng.choice([b"a", b"n", b"an"]) for _ in range(rng.randint(1, 9)))
        yield parts, (rng.choice([b"a", b"n"]), rng.choice([b"a", b"n", b"an"]))


def _compare_merge(got: Any, expected: Parts) -> str | None:
    if isinstance(got, list):
        return (
            "your result is a list. Return a tuple: the words are the keys of a dictionary, and a list cannot be one."
        )
    return same(got, expected)


def _merge_hint(args: Arguments, got: Any, expected: Parts) -> str | None:
    parts, pair = args
    if not isinstance(got, tuple) or not all(isinstance(part, bytes) for part in got):
        return None
    if len(b"".join(got)) > len(b"".join(parts)):
        return (
            f"from {parts} you got {got}, which has more letters than before. After a merge skip both parts, or the "
            "second one is used twice."
        )
    if len(b"".join(got)) < len(b"".join(parts)):
        return f"from {parts} you got {got}: a part is lost. Does your loop reach the last one, and keep what it skips?"
    if b"".join(got) != b"".join(parts):
        return f"from {parts} you got {got}: merging glues neighbours together, it never changes the letters."
    if len(got) > len(expected):
        return f"from {parts} you got {got}, where the pair {pair} still stands. Merge it wherever it occurs."
    return f"from {parts} you got {got}: only the two parts {pair} are joined, and from left to right."


# --- 02.3 who sits the exam


def split_by_hash(text: str, val_percent: int, test_percent: int) -> str:
    """The split of a document, decided by its content alone."""
    return _side(_bucket(text), val_percent, val_percent + test_percent)


def _bucket(text: str) -> int:
    return zlib.crc32(text.encode()) % 100


def _side(bucket: int, end_of_val: int, end_of_test: int) -> str:
    return "val" if bucket < end_of_val else "test" if bucket < end_of_test else "train"


def _documents(rng: random.Random) -> Iterator[Arguments]:
    val, test = rng.randint(12, 20), rng.randint(15, 25)
    borders = {0, val - 1, val, val + test - 1, val + test, 99}  # where an off-by-one shows
    while borders:
        text = "".join(rng.choices(string.ascii_lowercase + " ü", k=20))
        bucket = _bucket(text)
        if bucket in borders:
            borders.remove(bucket)
            yield text, val, test
    for _ in range(60):
        yield "".join(rng.choices(string.ascii_lowercase + " ", k=30)), val, test


def _split_hint(args: Arguments, got: Any, expected: str) -> str | None:
    text, val, test = args
    bucket = _bucket(text)
    if got not in ("train", "val", "test"):
        return f'you returned {got!r}. There are three answers: "train", "val" and "test".'
    where = f"With {val}% for val and {test}% for test, bucket {bucket} of 0 to 99 belongs to {expected}, not {got}."
    if bucket == val and got == "val":
        return f"{where} Buckets 0 to {val - 1} are already {val} of them: < and not <=."
    if bucket == val + test and got == "test":
        return f"{where} < and not <=, or test gets one percent too much."
    if expected == "test" and got == "train" and bucket >= test:
        return f"{where} The test buckets begin where those of val end: compare with val_percent + test_percent."
    return f"{where} (The bucket is zlib.crc32(text.encode()) % 100; hash() gives another one in every process.)"


# --- 02.4 how many bytes


def corpus_bytes(n_tokens: int, vocab_size: int) -> int:
    """What a token file takes: 2 bytes an id while every id fits into them, else 4."""
    return n_tokens * (2 if vocab_size <= 65_536 else 4)


def _corpora(rng: random.Random) -> Iterator[Arguments]:
    for vocab_size in (1024, 50_257, 65_536, 65_537, 128_256, rng.randint(300, 60_000)):
        yield rng.randint(1, 9_000) * 1_000_000, vocab_size


def _bytes_hint(args: Arguments, got: Any, expected: int) -> str | None:
    n_tokens, vocab_size = args
    each = got / n_tokens
    if vocab_size == 65_536 and each == 4:
        return "65,536 tokens have the ids 0 to 65,535, and 65,535 is just what 2 bytes can hold: <= and not <."
    if vocab_size > 65_536 and each == 2:
        return f"a vocabulary of {vocab_size:,} has ids above 65,535, which 2 bytes cannot hold: it takes 4."
    if each in (16, 32):
        return f"you got {each:.0f} for each token. Those are bits, and 8 bits are a byte."
    return f"you got {each:g} bytes a token, with a vocabulary of {vocab_size:,} it takes {expected // n_tokens}."


# --- 02.5 x and y


def window(tokens: np.ndarray, start: int, block_size: int) -> tuple[np.ndarray, np.ndarray]:
    """What the model reads, and what it should answer at each place."""
    return tokens[start : start + block_size], tokens[start + 1 : start + block_size + 1]


def _windows(rng: random.Random) -> Iterator[Arguments]:
    for block_size in (4, 8, rng.randint(5, 12)):
        length = rng.randint(40, 60)
        tokens = np.array(rng.sample(range(1000), length), dtype=np.uint16)
        yield tokens, rng.randint(1, length - block_size - 2), block_size


def _window_hint(args: Arguments, got: Any, expected: tuple[np.ndarray, np.ndarray]) -> str | None:
    tokens, start, block_size = args
    if not isinstance(got, tuple | list) or len(got) != 2:
        return "return two things, x and y."
    x, y = ([int(i) for i in part] for part in got)
    if x == y:
        return "x and y are the same: the model would only have to copy what it reads. y is one token further on."
    if len(x) != block_size or len(y) != block_size:
        return (
            f"x has {len(x)} tokens and y has {len(y)}, both should have block_size = {block_size}. The last token of "
            "x needs an answer too, and it stands one place behind the window."
        )
    ids = tokens.tolist()
    if x == ids[start : start + block_size] and y == ids[start - 1 : start + block_size - 1]:
        return "y is moved in the wrong direction: these are the tokens before those of x, which the model has read."
    if x == ids[start + 1 : start + block_size + 1] and y == ids[start : start + block_size]:
        return "x and y are exchanged: the model reads x and should answer y, which comes one token later."
    return f"x should begin with token number {start}, {ids[start]}, and y with the one behind it, {ids[start + 1]}."


# --- 02.6 a document a row


def padded_row(document: list[int], width: int, eot: int) -> tuple[list[int], list[int]]:
    """One document as a row: x starts with the end-of-text token, y ends with it, and the rest is padding."""
    x, y = [eot, *document], [*document, eot]
    idle = width - len(x)
    return x + [eot] * idle, y + [-1] * idle


def _rows(rng: random.Random) -> Iterator[Arguments]:
    eot = rng.randint(300, 1023)
    for length, spare in ((3, 4), (5, 0), (rng.randint(4, 8), rng.randint(1, 6))):
        yield [rng.randrange(256) for _ in range(length)], length + 1 + spare, eot


def _row_hint(args: Arguments, got: Any, expected: tuple[list[int], list[int]]) -> str | None:
    document, width, eot = args
    if not isinstance(got, tuple | list) or len(got) != 2:
        return "return two lists, x and y."
    x, y = ([int(i) for i in part] for part in got)
    n = len(document)
    if len(x) != width or len(y) != width:
        return f"x has {len(x)} places and y has {len(y)}, both should have width = {width}: fill the rest up."
    if x[0] != eot:
        return f"x should start with the end-of-text token, {eot}, or nothing teaches the model how a document begins."
    if -1 in x:
        return f"x holds -1, for which there is no embedding. Fill x up with {eot}; only y says what is ignored."
    if y[:n] != list(document):
        return f"y should be the document itself, {list(document)}, and then its end: x moved on by one."
    if y[n] != eot:
        return f"behind the document y should be {eot} once: that is how the model learns to stop. You have {y[n]}."
    if y[n + 1 :] != expected[1][n + 1 :]:
        return (
            f"the rest of y should be -1, which the loss ignores. With {y[-1]} there, most of what the model learns "
            "is that after the end comes the end."
        )
    return "x should be the end-of-text token, the document, and then end-of-text tokens up to width."


def _filled(ids: list[int], width: int, filler: int) -> list[int]:
    return (ids + [filler] * width)[:width]


EXERCISES = [
    Exercise(
        id="02.1",
        what="pair counter",
        reference=count_pairs,
        cases=_words,
        hint=_count_hint,
        praise="that is half of BPE. The other half is merging the winner.",
        wrong={
            "each word counted once": lambda words: dict(Counter(p for parts in words for p in pairwise(parts))),
            "the last pair forgotten": lambda words: _without_last(words),
            "pairs joined to one text": lambda words: {a + b: n for (a, b), n in count_pairs(words).items()},
            "overwritten": lambda words: {pair: n for parts, n in words.items() for pair in pairwise(parts)},
        },
    ),
    Exercise(
        id="02.2",
        what="merge",
        reference=merge,
        cases=_merges,
        compare=_compare_merge,
        hint=_merge_hint,
        praise="also for aaa, where the pair (a, a) overlaps itself: left to right, like everybody else.",
        wrong={
            "part used twice": lambda p, pair: (*(a + b if (a, b) == pair else a for a, b in pairwise(p)), *p[-1:]),
            "last part lost": lambda parts, pair: merge(parts[:-1], pair),
        },
    ),
    Exercise(
        id="02.3",
        what="split",
        reference=split_by_hash,
        cases=_documents,
        hint=_split_hint,
        praise="the same answer on every machine, in every order, today and next year.",
        wrong={
            "<= instead of <": lambda text, val, test: _side(_bucket(text), val + 1, val + test + 1),
            "test starts at 0 too": lambda text, val, test: _side(_bucket(text), val, test),
            "hash() instead of crc32": lambda text, val, test: _side(hash(text) % 100, val, val + test),
        },
    ),
    Exercise(
        id="02.4",
        what="arithmetic",
        reference=corpus_bytes,
        cases=_corpora,
        hint=_bytes_hint,
        praise="this number decides whether a corpus fits on your disk.",
        wrong={
            "always 8, as torch's int64": lambda n_tokens, vocab_size: 8 * n_tokens,
            "bits instead of bytes": lambda n_tokens, vocab_size: 8 * corpus_bytes(n_tokens, vocab_size),
            "< instead of <=": lambda n_tokens, vocab_size: n_tokens * (2 if vocab_size < 65_536 else 4),
            "always 2": lambda n_tokens, vocab_size: 2 * n_tokens,
        },
    ),
    Exercise(
        id="02.5",
        what="window",
        reference=window,
        cases=_windows,
        hint=_window_hint,
        praise="block_size questions from one stretch of text, each with its answer, and nobody had to label anything.",
        wrong={
            "y is x": lambda tokens, start, n: (tokens[start : start + n], tokens[start : start + n]),
            "y one too short": lambda tokens, start, n: (tokens[start : start + n], tokens[start + 1 : start + n]),
            "y moved back": lambda tokens, start, n: (tokens[start : start + n], tokens[start - 1 : start + n - 1]),
        },
    ),
    Exercise(
        id="02.6",
        what="rows",
        reference=padded_row,
        cases=_rows,
        hint=_row_hint,
        praise="it begins, it ends, and the padding teaches nothing.",
        wrong={
            "y padded with eot": lambda d, n, eot: (_filled([eot, *d], n, eot), _filled([*d, eot], n, eot)),
            "no end to learn": lambda d, n, eot: (_filled([eot, *d], n, eot), _filled(d, n, -1)),
            "x padded with -1": lambda d, n, eot: (_filled([eot, *d], n, -1), _filled([*d, eot], n, -1)),
            "starts without end-of-text": lambda d, n, eot: (_filled(d, n, eot), _filled([*d[1:], eot], n, -1)),
        },
    ),
]
