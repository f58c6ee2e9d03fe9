"""The exercises of lesson 02, tokens and data: references, inputs, and the mistakes that people really make."""

from __future__ import annotations

import random
import re
import string
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise

import numpy as np

from workshop_utils.exercises.checks import Arguments, Exercise, Mistakes
from workshop_utils.text.tokenizer import SPLIT_PATTERN

Parts = tuple[bytes, ...]
Pair = tuple[bytes, bytes]


# --- 02.1 count pairs


def count_pairs(words: Mapping[Parts, int]) -> dict[tuple[bytes, bytes], int]:
    """How often each pair of neighbours occurs in a text, whose words are counted already."""
    counts: Counter[tuple[bytes, bytes]] = Counter()
    for parts, times in words.items():
        for pair in pairwise(parts):
            counts[pair] += times
    return dict(counts)


def _words(rng: random.Random) -> Iterator[Arguments]:
    yield ({(b"p", b"e", b"c", b"k"): 4, (b" ", b"p", b"e", b"ck"): 3, (b"a",): 9, (b"n", b"a", b"n", b"a"): 5},)
    for _ in range(3):
        letters = rng.sample("aeinrst", 4)
        yield (
            {
                tuple(rng.choice(letters).encode() for _ in range(rng.randint(1, 6))): rng.randint(2, 9)
                for _ in range(rng.randint(3, 8))
            },
        )


def _without_last(words: Mapping[Parts, int]) -> dict[tuple[bytes, bytes], int]:
    counts: Counter[tuple[bytes, bytes]] = Counter()
    for parts, times in words.items():
        for i in range(len(parts) - 2):
            counts[parts[i], parts[i + 1]] += times
    return dict(counts)


COUNTS: Mistakes = {
    "each word counted once": (
        lambda words: dict(Counter(pair for parts in words for pair in pairwise(parts))),
        "you counted each word once, but the number beside a word says how often it occurs: add that number for each "
        "of its pairs.",
    ),
    "the last pair forgotten": (
        lambda words: _without_last(words),
        "the last pair of each word is missing. A word of 4 parts has 3 pairs.",
    ),
    "pairs joined to one text": (
        lambda words: {a + b: n for (a, b), n in count_pairs(words).items()},
        "your keys are single texts. A key is the pair itself, a tuple of two parts, such as (b'p', b'e').",
    ),
    "overwritten": (
        lambda words: {pair: n for parts, n in words.items() for pair in pairwise(parts)},
        "the count of a pair is overwritten by the next word that has it. Add to it, with += instead of =.",
    ),
    "once a word": (
        lambda words: dict(sum((Counter(dict.fromkeys(pairwise(w), n)) for w, n in words.items()), Counter())),
        "a pair that stands twice in a word counts twice for each time that the word occurs.",
    ),
}


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
    yield (b"an", b"n", b"n"), (b"n", b"n")  # "an" ends with the letters of the pair, and is no part of it
    yield (b"n", b"na", b"n"), (b"n", b"n")  # and "na" begins with them
    yield (b"a", b"nb", b"an", b"b"), (b"an", b"b")  # the same letters, cut elsewhere, are another pair
    yield (b"e", b"p", b"p"), (b"p", b"e")  # and so are the same parts the other way round
    for _ in range(4):
        parts = tuple(rng.choice([b"a", b"n", b"an"]) for _ in range(rng.randint(1, 9)))
        yield parts, (rng.choice([b"a", b"n"]), rng.choice([b"a", b"n", b"an"]))


def _replaced(between: bytes) -> Callable[[Parts, tuple[bytes, bytes]], Parts]:
    return lambda parts, pair: tuple(
        between.join(parts).replace(between.join(pair), b"".join(pair)).split(between) if parts else ()
    )


_AS_TEXT = (
    "you replaced letters in a joined text, so that a part which only begins or ends with those of the pair is merged, "
    "too: compare whole parts."
)
MERGES: Mistakes = {
    "part used twice": (
        lambda p, pair: (*(a + b if (a, b) == pair else a for a, b in pairwise(p)), *p[-1:]),
        "the second part of a pair is used twice, so the word gets longer. After a merge skip both parts.",
    ),
    "last part lost": (
        lambda parts, pair: merge(parts[:-1], pair),
        "the last part is lost. Does your loop reach it?",
    ),
    "the first one only": (
        lambda parts, pair: next(
            ((*parts[:i], b"".join(pair), *parts[i + 2 :]) for i in range(len(parts)) if parts[i : i + 2] == pair),
            parts,
        ),
        "only the first pair of a word is merged. Merge it wherever it stands.",
    ),
    "from the right": (
        lambda parts, pair: tuple(
            part[::-1] for part in merge(tuple(p[::-1] for p in parts[::-1]), (pair[1][::-1], pair[0][::-1]))[::-1]
        ),
        "you went from right to left: in a word such as aaa, with the pair (a, a), the first two are merged.",
    ),
    "replaced in a text": (_replaced(b"|"), _AS_TEXT),
    "replaced between spaces": (_replaced(b" "), _AS_TEXT),
}


# --- 02.3 encode


def _bytes_of(word: str) -> Parts:
    return tuple(bytes([byte]) for byte in word.encode())


def _vocabulary(pairs: list[Pair]) -> list[bytes]:
    return [bytes([byte]) for byte in range(256)] + [left + right for left, right in pairs]


def encode(text: str, pairs: list[Pair]) -> list[int]:
    """The ids of a text: the merges are applied to each of its words, in the order in which they were learnt."""
    return _encoded(text, pairs)


def _encoded(
    text: str,
    pairs: list[Pair],
    pieces: Callable[[str], list[str]] = lambda text: re.findall(SPLIT_PATTERN, text),
    start: Callable[[str], Parts] = _bytes_of,
    merged: Callable[[Parts, list[Pair]], Parts] | None = None,
) -> list[int]:
    """Encode, perhaps with another first cut, other parts to start from, or another order of the merges."""
    ids = {token: i for i, token in enumerate(_vocabulary(pairs))}
    return [ids[part] for piece in pieces(text) for part in (merged or _in_order)(start(piece), pairs)]


def _in_order(parts: Parts, pairs: list[Pair]) -> Parts:
    for pair in pairs:
        parts = merge(parts, pair)
    return parts


def _leftmost(parts: Parts, pairs: list[Pair]) -> Parts:
    while (i := next((i for i, pair in enumerate(pairwise(parts)) if pair in pairs), None)) is not None:
        parts = (*parts[:i], parts[i] + parts[i + 1], *parts[i + 2 :])
    return parts


def _longest(parts: Parts, pairs: list[Pair]) -> Parts:
    known, rest, found = {*_vocabulary(pairs)}, b"".join(parts), []
    while rest:
        size = next(size for size in range(len(rest), 0, -1) if rest[:size] in known)
        found.append(rest[:size])
        rest = rest[size:]
    return tuple(found)


def _texts(rng: random.Random) -> Iterator[Arguments]:
    yield "ape 🦊", [(b"p", b"e"), (b"a", b"p")]  # the earlier merge wins, wherever it is in the word
    ï = "ï".encode()  # a character that is one token here, and two elsewhere
    yield "naïve abc", [(b"a", b"b"), (b"b", b"c"), (b"a", b"bc"), (ï[:1], ï[1:])]  # and not the longest token
    yield "one, 2 ones", [(b"e", b","), (b" ", b"o"), (b"n", b"e"), (b"e", b" ")]  # no token crosses a border
    yield "\t ape3 a_b ", [(b"e", b"3"), (b"a", b"p"), (b"\t", b" ")]  # of SPLIT_PATTERN and no other, to both ends
    for _ in range(3):
        letters = rng.sample("aeinrst", 4)
        words = ["".join(rng.choices(letters, k=rng.randint(2, 6))) for _ in range(12)]
        yield " ".join([*words[:6], "Ü", rng.choice("🦊🙂"), *words[4:8]]), _learnt(" ".join(words), 8)


def _learnt(text: str, n: int) -> list[Pair]:
    """The first n merges of a text, without those that make a token again."""
    words: Mapping[Parts, int] = Counter(map(_bytes_of, re.findall(SPLIT_PATTERN, text)))
    pairs: list[Pair] = []
    while len(pairs) < n:
        counts = {pair: times for pair, times in count_pairs(words).items() if b"".join(pair) not in _vocabulary(pairs)}
        if not counts:
            break
        pairs.append(max(counts, key=lambda pair: (counts[pair], pair)))
        words = {merge(parts, pairs[-1]): times for parts, times in words.items()}
    return pairs


ENCODINGS: Mistakes = {
    "from the left": (
        lambda text, pairs: _encoded(text, pairs, merged=_leftmost),
        "you merge from left to right, any pair that is in the list. The pair that was learnt first is merged first, "
        "in the whole word, then the second one, and so on.",
    ),
    "the longest token": (
        lambda text, pairs: _encoded(text, pairs, merged=_longest),
        "you take the longest token that fits, as WordPiece does. BPE applies the merges, in the order of the list.",
    ),
    "from the last to the first": (
        lambda text, pairs: _encoded(text, pairs, merged=lambda parts, pairs: _in_order(parts, pairs[::-1])),
        "you apply the merges from the last to the first, but the later ones need what the earlier ones have made.",
    ),
    "not split into words": (
        lambda text, pairs: _encoded(text, pairs, pieces=lambda text: [text]),
        "your tokens cross the borders between words: split the text by SPLIT_PATTERN first, then merge in each piece.",
    ),
    "split at blanks": (
        lambda text, pairs: _encoded(text, pairs, pieces=str.split),
        "the spaces are lost: split() throws them away. re.findall(SPLIT_PATTERN, text) keeps every character.",
    ),
    "stripped": (
        lambda text, pairs: encode(text.strip(), pairs),
        "the blanks at the beginning and at the end of a text are lost: encode them too, without strip().",
    ),
    "ids from 0": (
        lambda text, pairs: [i if i < 256 else i - 256 for i in encode(text, pairs)],
        "the ids of your merged tokens begin with 0, where the bytes are. The token of pairs[i] has the id 256 + i.",
    ),
    "tokens and no ids": (
        lambda text, pairs: [_vocabulary(pairs)[i] for i in encode(text, pairs)],
        "these are the tokens. Return their ids: the byte itself for a single byte, 256 + i for the token of pairs[i].",
    ),
    "characters": (
        lambda text, pairs: _encoded(text, pairs, start=lambda word: tuple(letter.encode() for letter in word)),
        "your parts are characters, but 🦊 is four bytes and ï is two: split word.encode() into single bytes.",
    ),
}


# --- 02.4 decode


def decode(ids: list[int], pairs: list[Pair]) -> str:
    """The text of ids: their bytes, joined, as UTF-8; bytes that are no character become �."""
    return b"".join(_vocabulary(pairs)[i] for i in ids).decode("utf-8", errors="replace")


def _ids(rng: random.Random) -> Iterator[Arguments]:
    for text, pairs in _texts(rng):
        ids = encode(text, pairs)
        yield [*ids], [*pairs]  # copies, since an answer may empty its list
        yield [*ids, *"🦊".encode()[: rng.randint(1, 3)]], [*pairs]  # ends within a character
        yield [rng.randrange(0x80, 0xC0), *ids, 256], [*pairs]  # begins within one


DECODINGS: Mistakes = {
    "each token on its own": (
        lambda ids, pairs: "".join(_vocabulary(pairs)[i].decode("utf-8", errors="replace") for i in ids),
        "you decode each token on its own, but the bytes of one character can be in several tokens: join the bytes "
        "first, then decode them.",
    ),
    "ignored": (
        lambda ids, pairs: b"".join(_vocabulary(pairs)[i] for i in ids).decode("utf-8", errors="ignore"),
        "bytes that are no character disappear. errors='replace' puts � there, so that a reader sees that something "
        "is missing.",
    ),
    "an error": (
        lambda ids, pairs: b"".join(_vocabulary(pairs)[i] for i in ids).decode(),
        "bytes that are no valid UTF-8 raise an error, and a model can generate such bytes: decode with "
        "errors='replace'.",
    ),
    "an error in a token": (
        lambda ids, pairs: "".join(_vocabulary(pairs)[i].decode() for i in ids),
        "a token can be part of a character, and is no valid UTF-8 then: join the bytes of all tokens, and decode them "
        "with errors='replace'.",
    ),
    "as ASCII": (
        lambda ids, pairs: b"".join(_vocabulary(pairs)[i] for i in ids).decode("ascii", errors="replace"),
        "ASCII has only the bytes below 128, so each byte of ï and of 🦊 becomes a �: decode as UTF-8.",
    ),
    "stripped": (
        lambda ids, pairs: decode(ids, pairs).strip(),
        "the blanks at the beginning and at the end of a text are lost: return it as it is, without strip().",
    ),
    "a byte is a character": (
        lambda ids, pairs: b"".join(_vocabulary(pairs)[i] for i in ids).decode("latin-1"),
        "you make a character of each byte, but in UTF-8 🦊 is four bytes and ï is two: join the bytes and decode them "
        "as UTF-8.",
    ),
    "joined with spaces": (
        lambda ids, pairs: b" ".join(_vocabulary(pairs)[i] for i in ids).decode("utf-8", errors="replace"),
        "you put spaces between the tokens. A token has its space in it: join them with nothing in between.",
    ),
    "bytes": (
        lambda ids, pairs: b"".join(_vocabulary(pairs)[i] for i in ids),
        "these are the bytes of the text. One step is missing: .decode('utf-8', errors='replace').",
    ),
}


# --- 02.5 a split by content


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


SPLITS: Mistakes = {
    "<= instead of <": (
        lambda text, val, test: _side(_bucket(text), val + 1, val + test + 1),
        "both borders are one bucket too far: buckets 0 to val_percent - 1 are val_percent of them, < and not <=.",
    ),
    "<= for val": (
        lambda text, val, test: _side(_bucket(text), val + 1, val + test),
        "val gets one percent too much: buckets 0 to val_percent - 1 are already val_percent of them, < and not <=.",
    ),
    "<= for test": (
        lambda text, val, test: _side(_bucket(text), val, val + test + 1),
        "test gets one percent too much: < and not <= at its upper border.",
    ),
    "test starts at 0 too": (
        lambda text, val, test: _side(_bucket(text), val, test),
        "the test buckets begin where those of val end: compare with val_percent + test_percent.",
    ),
    "hash() instead of crc32": (
        lambda text, val, test: _side(hash(text) % 100, val, val + test),
        "that is Python's own hash(), which is salted anew in every process: tomorrow the same text is elsewhere. Use "
        "zlib.crc32(text.encode()) % 100.",
    ),
}


# --- 02.6 x and y


def window(tokens: np.ndarray, start: int, block_size: int) -> tuple[np.ndarray, np.ndarray]:
    """What the model reads, and what it should answer at each position."""
    return tokens[start : start + block_size], tokens[start + 1 : start + block_size + 1]


def _windows(rng: random.Random) -> Iterator[Arguments]:
    for block_size in (4, 8, rng.randint(5, 12)):
        length = rng.randint(40, 60)
        tokens = np.array(rng.sample(range(1000), length), dtype=np.uint16)
        yield tokens, rng.randint(1, length - block_size - 2), block_size


WINDOWS: Mistakes = {
    "y is x": (
        lambda tokens, start, n: (tokens[start : start + n], tokens[start : start + n]),
        "x and y are the same: the model would only have to copy what it reads. y is one token further on.",
    ),
    "y one too short": (
        lambda tokens, start, n: (tokens[start : start + n], tokens[start + 1 : start + n]),
        "y is one token shorter than x. The last token of x needs an answer too, the one right behind the window.",
    ),
    "y moved back": (
        lambda tokens, start, n: (tokens[start : start + n], tokens[start - 1 : start + n - 1]),
        "y is moved in the wrong direction: these are the tokens before those of x, which the model has read.",
    ),
    "exchanged": (
        lambda tokens, start, n: window(tokens, start, n)[::-1],
        "x and y are exchanged: the model reads x and should answer y, which comes one token later.",
    ),
}


# --- 02.7 one document per row


def padded_row(document: list[int], width: int, eot: int) -> tuple[list[int], list[int]]:
    """One document as a row: x starts with the end-of-text token, y ends with it, and the rest is padding."""
    x, y = [eot, *document], [*document, eot]
    idle = width - len(x)
    return x + [eot] * idle, y + [-1] * idle


def _rows(rng: random.Random) -> Iterator[Arguments]:
    eot = rng.randint(300, 1023)
    for length, spare in ((3, 4), (5, 0), (rng.randint(4, 8), rng.randint(1, 6))):
        yield [rng.randrange(256) for _ in range(length)], length + 1 + spare, eot


def _filled(ids: list[int], width: int, filler: int) -> list[int]:
    return (ids + [filler] * width)[:width]


ROWS: Mistakes = {
    "y padded with eot": (
        lambda d, n, eot: (_filled([eot, *d], n, eot), _filled([*d, eot], n, eot)),
        "y is filled up with the end-of-text token, so that most of what the model learns is that after the end comes "
        "the end. Fill it up with -1, which the loss ignores.",
    ),
    "no end to learn": (
        lambda d, n, eot: (_filled([eot, *d], n, eot), _filled(d, n, -1)),
        "behind the document y should be the end-of-text token once: that is how the model learns to stop.",
    ),
    "x padded with -1": (
        lambda d, n, eot: (_filled([eot, *d], n, -1), _filled([*d, eot], n, -1)),
        "x holds -1, for which there is no embedding. Fill x up with the end-of-text token; y says what is ignored.",
    ),
    "starts without end-of-text": (
        lambda d, n, eot: (_filled(d, n, eot), _filled([*d[1:], eot], n, -1)),
        "x should start with the end-of-text token, or nothing teaches the model how a document begins.",
    ),
    "not padded": (
        lambda d, n, eot: ([eot, *d], [*d, eot]),
        "document and end are right, but the rows should be `width` tokens wide: fill up the rest.",
    ),
}


EXERCISES = [
    Exercise(
        "02.1",
        "pair counter",
        count_pairs,
        COUNTS,
        _words,
        praise="that is half of BPE. The other half is merging the winner.",
    ),
    Exercise(
        "02.2",
        "merge",
        merge,
        MERGES,
        _merges,
        praise="also for aaa, where the pair (a, a) overlaps itself: left to right, like everybody else.",
    ),
    Exercise(
        "02.3",
        "encoder",
        encode,
        ENCODINGS,
        _texts,
        praise="the same text gives the same ids each time, and no text is unknown.",
    ),
    Exercise(
        "02.4",
        "decoder",
        decode,
        DECODINGS,
        _ids,
        praise="bytes first, characters last: a model may stop within a character.",
    ),
    Exercise(
        "02.5",
        "split",
        split_by_hash,
        SPLITS,
        _documents,
        praise="the same answer on every machine, in every order, today and next year.",
    ),
    Exercise(
        "02.6",
        "window",
        window,
        WINDOWS,
        _windows,
        praise="block_size questions from one stretch of text, each with its answer, and nobody had to label anything.",
    ),
    Exercise(
        "02.7",
        "rows",
        padded_row,
        ROWS,
        _rows,
        praise="it begins, it ends, and the padding teaches nothing.",
    ),
]
