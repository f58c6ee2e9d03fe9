"""Exercises 06.1 and 06.2 of lesson 06, on the way of the text: which split a document belongs to, and packing."""

from __future__ import annotations

import itertools
import random
import zlib
from collections.abc import Callable, Iterator

from workshop_utils.exercises.checks import Arguments, Exercise, Mistakes

# --- 06.1: the split


def split_of(text: str, val_percent: int) -> str:
    """The same answer for the same text on every machine, in every order: a bucket of its checksum decides."""
    return "val" if zlib.crc32(text.encode()) % 100 < val_percent else "train"


def _bucket(text: str) -> int:
    return zlib.crc32(text.encode()) % 100


def _texts(rng: random.Random) -> Iterator[Arguments]:
    names = ["Mia", "Tom", "Ada", "Ben", "Zoë", "Łukasz"]
    for percent in (10, 2, 30):
        borders = {percent - 1, percent}  # where an off-by-one shows
        for number in itertools.count():
            begin = rng.choice(("", "Once upon a time "))
            text = f"{begin}{rng.choice(names)} had {rng.randrange(10**6)} {rng.choice(('cats', 'ideas'))}."
            if number < 60 or _bucket(text) in borders:
                borders.discard(_bucket(text))
                yield text, percent
            if number >= 60 and not borders:
                break


def _by(bucket: Callable[[str], int]) -> Callable[[str, int], str]:
    """A split by another bucket from 0 to 99."""
    return lambda text, percent: "val" if bucket(text) < percent else "train"


_SALTED = (
    "that is Python's own hash(), which is salted anew in every process: two processes would disagree. "
    "zlib.crc32(text.encode()) never changes."
)
_NOISE = (
    "you draw a random number, so the same text falls elsewhere the next time. Let the text itself decide: "
    "zlib.crc32(text.encode())."
)
SPLITS: Mistakes = {
    "hash": (_by(lambda text: hash(text) % 100), _SALTED),
    "hash of the bytes": (_by(lambda text: hash(text.encode()) % 100), _SALTED),
    "random()": (lambda text, percent: "val" if random.random() < percent / 100 else "train", _NOISE),
    "randrange()": (_by(lambda text: random.randrange(100)), _NOISE),
    "choices()": (lambda text, percent: random.choices(["val", "train"], [percent, 100 - percent])[0], _NOISE),
    "length": (
        _by(lambda text: len(text) % 100),
        "texts of equal length all fall into the same split: take a checksum of the whole text.",
    ),
    "the beginning": (
        _by(lambda text: _bucket(text[:20])),
        "you look at the beginning only, and many texts begin alike: all of them fall together.",
    ),
    "one too many": (
        lambda text, percent: "val" if _bucket(text) <= percent else "train",
        "buckets are 0 to 99, so val_percent of them are those below val_percent: < and not <=.",
    ),
    "swapped": (
        lambda text, percent: "train" if _bucket(text) < percent else "val",
        'the labels are swapped: the few held-out ones are "val".',
    ),
    "every so many": (
        lambda text, percent: "val" if zlib.crc32(text.encode()) % percent == 0 else "train",
        "% val_percent == 0 holds out one text in val_percent, and not val_percent of a hundred.",
    ),
    "buckets of ten": (
        _by(lambda text: zlib.crc32(text.encode()) % 10),
        "% 10 leaves only ten buckets: with 100, a bucket is a percent.",
    ),
    "all of it": (lambda text, percent: "train", "everything is in one split: what would you measure on?"),
}


# --- 06.2: packing

Rows = list[tuple[list[int], list[int]]]


def pack(documents: list[list[int]], block_size: int, end: int) -> Rows:
    """Documents one behind the other, an end-of-text token after each, cut into rows that leave no target out."""
    joined = [token for document in documents for token in [*document, end]]
    starts = range(0, len(joined) - block_size, block_size)
    return [(joined[i : i + block_size], joined[i + 1 : i + block_size + 1]) for i in starts]


def _documents(rng: random.Random) -> Iterator[Arguments]:
    for block_size, left_over in ((4, 0), (6, 2), (5, 4)):  # from one token to a whole block behind the last row
        lengths = [1, 2 * block_size + 3, *(rng.randrange(2, 12) for _ in range(4))]
        rng.shuffle(lengths)
        lengths[-1] += (left_over - sum(lengths) - len(lengths) + 1) % block_size  # tokens behind the last whole row
        yield [[rng.randrange(10, 1000) for _ in range(n)] for n in lengths], block_size, 0


def _cut(joined: list[int], size: int, step: int, last: int = 0) -> Rows:
    starts = range(0, len(joined) - size + last, step)
    return [(joined[i : i + size], joined[i + 1 : i + size + 1]) for i in starts]


def _joined(documents: list[list[int]], end: int) -> list[int]:
    return [token for document in documents for token in [*document, end]]


PACKED: Mistakes = {
    "no end": (
        lambda docs, size, end: _cut([token for doc in docs for token in doc], size, size),
        "nothing tells the model where one document stops and the next begins: the end-of-text token after each.",
    ),
    "the end in front": (
        lambda docs, size, end: _cut([token for doc in docs for token in [end, *doc]], size, size),
        "the end-of-text token stands before each document. After it, the model learns when to stop.",
    ),
    "ends between only": (
        lambda docs, size, end: _cut(_joined(docs, end)[:-1], size, size),
        "where the last row would end with the end-of-text token of the last document, it is missing. Either that "
        "token is, or your range stops one too early.",
    ),
    "a target lost": (
        lambda docs, size, end: _cut(_joined(docs, end), size, size + 1),
        "you moved on by block_size + 1, so one token between two rows is never a target. y reaches one place into "
        "the next row: move on by block_size.",
    ),
    "overlapping": (
        lambda docs, size, end: _cut(_joined(docs, end), size, 1),
        "your rows overlap: every token is learnt many times over. Move on by block_size.",
    ),
    "not shifted": (
        lambda docs, size, end: [(x, x) for x, _ in pack(docs, size, end)],
        "y equals x: the answer stands in the question. y is the same, moved on by one place.",
    ),
    "y too short": (
        lambda docs, size, end: [(x, x[1:]) for x, _ in pack(docs, size, end)],
        "y is shorter than x: its last token is the first one of the next row.",
    ),
    "document by document": (
        lambda docs, size, end: [row for doc in docs for row in _cut([*doc, end], size, size)],
        "you cut each document alone and lose all that does not fill a row. Join them first, then cut.",
    ),
    "one row too many": (
        lambda docs, size, end: _cut(_joined(docs, end), size, size, last=1),
        "where all tokens fill the last x exactly, none is left for the end of its y: leave that row out.",
    ),
    "a short row": (
        lambda docs, size, end: _cut(_joined(docs, end), size, size, last=size - 1),
        "the last row is not full. Leave it for the texts that are still to come: only whole rows.",
    ),
}


PIECES = [
    Exercise(
        "06.1",
        "split",
        split_of,
        mistakes=SPLITS,
        cases=_texts,
        praise="no list of rows, no order, no machine decides, only the text itself. And a copy falls where it fell.",
    ),
    Exercise(
        "06.2",
        "packing",
        pack,
        cases=_documents,
        praise="no padding, and every token but the very first is a target once.",
        mistakes=PACKED,
    ),
]
