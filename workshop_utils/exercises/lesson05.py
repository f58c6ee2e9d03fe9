"""The exercises of lesson 05, the failure lab, and how the mistakes in them are recognised."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterator
from typing import Any

from workshop_utils.exercises.checks import Arguments, Exercise, Mistakes, randn
from workshop_utils.exercises.pieces05 import PIECES

# --- 05.1: what fits


def what_fits(rows: int, fixed: int, per_row: int, limit: int) -> tuple[int, int]:
    """The largest batch that fits below the limit and divides the rows of an update, and how often it is taken."""
    batch = max(b for b in range(1, rows + 1) if rows % b == 0 and fixed + b * per_row <= limit)
    return batch, rows // batch


def _limits(rng: random.Random) -> Iterator[Arguments]:
    for rows, room in ((64, 40), (48, 20), (36, 10)):  # the largest that fits would be no divisor
        fixed, per_row = rng.randrange(200, 400), rng.randrange(20, 60)
        yield rows, fixed, per_row, fixed + room * per_row + rng.randrange(1, per_row)
    yield 24, 100, 10, 100 + 8 * 10  # a divisor that meets the limit exactly
    yield 16, 100, 10, 1000  # all rows fit at once


def _greedy(rows: int, fixed: int, per_row: int, limit: int) -> int:
    return (limit - fixed) // per_row


FITS: Mistakes = {
    "no divisor": (
        lambda rows, fixed, per_row, limit: (
            _greedy(rows, fixed, per_row, limit),
            math.ceil(rows / _greedy(rows, fixed, per_row, limit)),
        ),
        "that many rows fit, but they do not divide the update: the last part would be smaller, and the update would "
        "see another number of rows. Look for a divisor of `rows`.",
    ),
    "below the limit only": (
        lambda rows, fixed, per_row, limit: what_fits(rows, fixed, per_row, limit - 1),
        "a batch that needs exactly `limit` bytes still fits: <= and not <.",
    ),
    "fixed part forgotten": (
        lambda rows, fixed, per_row, limit: what_fits(rows, 0, per_row, limit),
        "weights, gradients and Adam take `fixed` bytes whatever the batch: add them before you compare.",
    ),
    "fixed part for each row": (
        lambda rows, fixed, per_row, limit: what_fits(rows, 0, fixed + per_row, limit),
        "`fixed` is there once, not once a row: fixed + batch * per_row.",
    ),
    "one row at a time": (
        lambda rows, fixed, per_row, limit: (1, rows),
        "one row at a time always fits, and is the slowest way: take the largest batch that does.",
    ),
    "the wrong way round": (
        lambda rows, fixed, per_row, limit: what_fits(rows, fixed, per_row, limit)[::-1],
        "first the size of the batch, then how many of them make an update.",
    ),
    "batch alone": (
        lambda rows, fixed, per_row, limit: what_fits(rows, fixed, per_row, limit)[0],
        "return two numbers: the batch, and how many of them make an update of `rows` rows.",
    ),
    "does not fit": (
        lambda rows, fixed, per_row, limit: (rows, 1),
        "that is the batch that ran out of memory: fixed + rows * per_row is above the limit.",
    ),
}


# --- 05.4: what the test has in common with the training


def seen_before(train: list[str], test: list[str]) -> list[int]:
    """Which texts of the test stand in the training text, whatever their case, spaces and punctuation."""
    learnt = {_plain(text) for text in train}
    return [i for i, text in enumerate(test) if _plain(text) in learnt]


def _plain(text: str) -> str:
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))


_LINES = (
    "Mia found a red kite.",
    "The owl slept all day!",
    "Tom has 3 boats",
    "Who hid the drum?",
    "It rained, and rained",
    "Zoe sang to the moon.",
    "A fox ate the last pear",
    "Nobody heard the bell.",
)


def _splits(rng: random.Random) -> Iterator[Arguments]:
    for _ in range(3):
        lines = rng.sample(_LINES, len(_LINES))
        train, fresh = [*lines[:5], "Room 3 is full."], [*lines[5:], "Room 4 is full."]  # digits count
        dressed = [
            train[0].upper(),
            train[1].replace(" ", "  ") + "\n",
            re.sub(r"[^\w ]", "", train[2]) + " ...",
            train[3],
            train[3],  # twice in the test
        ]
        words = _plain(train[4]).split()
        # No copies: one word of a text, its beginning with another end, its words in another order, a longer text.
        near = [words[0], " ".join([*words[:3], "instead"]), " ".join(words[::-1]), f"{train[0]} Then it was late."]
        test = [*fresh, *dressed, *near]
        rng.shuffle(test)
        yield train, test


def _by(clean: Any) -> Any:
    return lambda train, test: [i for i, text in enumerate(test) if clean(text) in [clean(one) for one in train]]


LEAKS: Mistakes = {
    "exact copies": (
        _by(lambda text: text),
        "you found the exact copies. Those that somebody typed in capitals or with other punctuation are as well known "
        "to the model: compare the words only.",
    ),
    "case forgotten": (
        _by(lambda text: " ".join(re.findall(r"[A-Za-z0-9]+", text))),
        "a text in capitals is the same text: lower() before you compare.",
    ),
    "spaces alone": (
        _by(lambda text: " ".join(text.lower().split())),
        "punctuation still tells the copies apart: keep letters and digits only, re.findall(r'[a-z0-9]+', ...).",
    ),
    "first words": (
        _by(lambda text: _plain(text).split()[:3]),
        "you compared the first three words. Many texts begin alike and are no copies: compare all of their words.",
    ),
    "a bag of words": (
        _by(lambda text: sorted(_plain(text).split())),
        "the same words in another order make another text: keep their order.",
    ),
    "a set of words": (
        _by(lambda text: {*_plain(text).split()}),
        "the same words in another order make another text: keep their order.",
    ),
    "the texts": (
        lambda train, test: [test[i] for i in seen_before(train, test)],
        "return the numbers of the texts, counted from 0, so that somebody can take them out.",
    ),
    "a part is enough": (
        lambda train, test: [i for i, text in enumerate(test) if any(_plain(text) in _plain(one) for one in train)],
        "`in` between two texts also finds a single word within a longer text. Put whole texts into a set, and ask "
        "whether the whole text is in it.",
    ),
    "the count": (
        lambda train, test: len(seen_before(train, test)),
        "that is how many there are. Which ones?",
    ),
    "the clean ones": (
        lambda train, test: [i for i in range(len(test)) if i not in seen_before(train, test)],
        "these are the clean ones: the leaked ones were asked for.",
    ),
}


# --- 05.5: loss scaling


def unscale(gradient: Any, scale: float) -> tuple[Any, float]:
    """The true gradient and the scale, or None and half the scale where a number is not finite."""
    if not bool(gradient.isfinite().all()):
        return None, scale / 2
    return gradient / scale, scale


def _scaled(rng: random.Random) -> Iterator[Arguments]:
    for bad in (None, float("inf"), float("nan"), float("-inf"), None):
        scale = float(2 ** rng.randrange(8, 16))
        gradient = randn(rng, 6) * scale
        if bad is not None:
            gradient[rng.randrange(6)] = bad
        yield gradient, scale


UNSCALE: Mistakes = {
    "not divided": (
        lambda gradient, scale: (gradient, scale) if bool(gradient.isfinite().all()) else (None, scale / 2),
        "this gradient is still `scale` times too long, and the step would be, too: divide it.",
    ),
    "nan passes": (
        lambda gradient, scale: (None, scale / 2) if bool(gradient.isinf().any()) else (gradient / scale, scale),
        "you looked for inf, and inf - inf is nan: isfinite() finds both.",
    ),
    "minus infinity passes": (
        lambda gradient, scale: (
            (None, scale / 2)
            if bool((gradient == float("inf")).any() | gradient.isnan().any())
            else (gradient / scale, scale)
        ),
        "-inf is no number to step along either: isfinite() finds inf, -inf and nan.",
    ),
    "nothing skipped": (
        lambda gradient, scale: (gradient / scale, scale),
        "one of these numbers is not finite, and a step along it makes every weight nan: skip it, (None, scale / 2).",
    ),
    "same scale": (
        lambda gradient, scale: (gradient / scale, scale) if bool(gradient.isfinite().all()) else (None, scale),
        "the step is skipped, but with the same scale the next one overflows again: halve it.",
    ),
    "doubled": (
        lambda gradient, scale: (gradient / scale, scale) if bool(gradient.isfinite().all()) else (None, scale * 2),
        "it overflowed because the scale was too large. Doubling it makes it worse: halve it.",
    ),
    "always halved": (
        lambda gradient, scale: (gradient / scale, scale / 2) if bool(gradient.isfinite().all()) else (None, scale / 2),
        "the scale stays as it is while all goes well. Halved at every step, it would soon protect nothing.",
    ),
    "set to 0": (
        lambda gradient, scale: (
            (gradient / scale, scale)
            if bool(gradient.isfinite().all())
            else (gradient.nan_to_num(0.0, 0.0, 0.0) / scale, scale / 2)
        ),
        "you replaced the broken numbers and stepped along the rest, in a direction that nobody computed: skip the "
        "whole step, None.",
    ),
}

EXERCISES = [
    *PIECES,
    Exercise(
        "05.1",
        "choice of the batch",
        what_fits,
        cases=_limits,
        praise="the largest divisor that fits. Nothing is as cheap as an exact cure.",
        mistakes=FITS,
    ),
    Exercise(
        "05.4",
        "search for leaks",
        seen_before,
        cases=_splits,
        praise="compared by their words. What was rewritten or translated, it does not find: nothing easy does.",
        mistakes=LEAKS,
    ),
    Exercise(
        "05.5",
        "loss scaling",
        unscale,
        cases=_scaled,
        praise="divide, or skip and halve. torch's GradScaler also doubles the scale after 2,000 good steps.",
        mistakes=UNSCALE,
    ),
]
