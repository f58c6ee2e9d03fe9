"""Exercises 09.4 to 09.6 of lesson 09, from eight bits to the choice of a model, and how mistakes are recognised."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from typing import Any

from workshop_utils.exercises.checks import Arguments, Exercise, Mistakes, randn
from workshop_utils.exercises.sameness import same

# --- 09.4: eight bits, a scale a row


def quantise_rows(W: Any) -> tuple[Any, Any]:
    """A matrix (out, in) to whole numbers from -127 to 127, int8, and a scale for each row, (out,)."""
    scales = W.abs().amax(dim=1) / 127
    return (W / scales[:, None]).round().char(), scales  # char() is to(torch.int8)


def _matrices(rng: random.Random) -> Iterator[Arguments]:
    for size in (0.05, 2.0, 0.3):
        W = size * randn(rng, 6, 8) * (1 + 4 * randn(rng, 6, 1).abs())
        W[rng.randrange(6), rng.randrange(8)] = -20 * size  # an outlier, and negative
        yield (W,)


def _same_codes(got: Any, expected: Any) -> str | None:
    if not isinstance(got, tuple | list) or len(got) != 2:
        return "return two things, codes and scales: without the scales nobody can go back."
    dtype = str(getattr(got[0], "dtype", type(got[0]).__name__)).removeprefix("torch.")
    if dtype != "int8":
        return f"your codes are of type {dtype}: one byte each is the point, so round() and then to(torch.int8)."
    return same(got, expected)


ROWS: Mistakes = {
    "one scale": (
        lambda W: ((W / (W.abs().max() / 127)).round().char(), W.abs().max() / 127),
        "there is one scale for the whole matrix, so the outlier's row decides for all: a maximum for each row.",
    ),
    "by columns": (
        lambda W: ((W / (W.abs().amax(0) / 127)).round().char(), W.abs().amax(0) / 127),
        "your scales belong to columns. W is (out, in), and a channel is a row: amax(dim=1).",
    ),
    "no absolute value": (
        lambda W: ((W / (W.amax(1, True) / 127)).round().char(), W.amax(1) / 127),
        "the largest magnitude can be that of a negative weight: abs() before amax(), or its code does not fit.",
    ),
    "128": (
        lambda W: ((W / (W.abs().amax(1, True) / 128)).round().char(), W.abs().amax(1) / 128),
        "int8 ends at 127: with 128 steps the largest weight becomes -128, its sign turned round. Divide by 127.",
    ),
    "not rounded": (
        lambda W: ((W / (W.abs().amax(1, True) / 127)).char(), W.abs().amax(1) / 127),
        "to(torch.int8) cuts off towards 0, an error of up to a whole step: with round() first it is half a step.",
    ),
    "the maximum as scale": (
        lambda W: (quantise_rows(W)[0], W.abs().amax(1)),
        "your scales are the largest magnitudes. Code times scale should be the weight again: divide them by 127.",
    ),
    "127.5": (
        lambda W: (
            (W / (W.abs().amax(1, True) / 127.5)).round().clamp(-128, 127).char(),
            W.abs().amax(1) / 127.5,
        ),
        "you divided by 127.5, as torchao does, so that the codes fill -128 to 127. Here they go from -127 to 127: "
        "divide by 127.",
    ),
    "codes alone": (
        lambda W: quantise_rows(W)[0],
        "these are the codes. Return the scales with them: without them nobody can go back.",
    ),
}


# --- 09.5: the size of a block


def choose_block(errors: dict[int, float], limit: float) -> tuple[int, float]:
    """The largest block whose error is at most the limit, and the bits a weight then takes: 4, and its share of 16."""
    block = max(size for size, error in errors.items() if error <= limit)
    return block, 4 + 16 / block


def _block_errors(rng: random.Random) -> Iterator[Arguments]:
    def drawn() -> list[float]:
        return [round(0.05 + 0.01 * place + rng.uniform(0, 0.008), 4) for place in range(6)]

    blocks = (16, 32, 64, 128, 256, 512)
    for at in (2, 1):
        errors = drawn()
        yield dict(zip(blocks, errors, strict=True)), errors[at]  # the limit is met exactly
    errors = drawn()
    errors[2], errors[3] = errors[3], errors[2]  # a larger block may happen to have the smaller error
    yield dict(zip(blocks, errors, strict=True)), errors[2]
    yield dict(zip(blocks, errors, strict=True)), errors[2] - 0.0001  # allowed, not allowed, allowed
    yield dict(zip(blocks[::-1], drawn()[::-1], strict=True)), 0.0695  # the largest block first
    yield dict(zip(blocks, drawn(), strict=True)), 0.0595  # the smallest block alone


BLOCKS: Mistakes = {
    "smallest error": (
        lambda errors, limit: (min(errors, key=errors.__getitem__), 4 + 16 / min(errors, key=errors.__getitem__)),
        "that block has the smallest error, but also the most scales. The largest one within the limit was asked for.",
    ),
    "largest of all": (
        lambda errors, limit: (max(errors), 4 + 16 / max(errors)),
        "that is the largest block of all, and its error is above the limit.",
    ),
    "below the limit only": (
        lambda errors, limit: choose_block({b: e for b, e in errors.items() if e < limit}, limit),
        "a block whose error is exactly the limit is still allowed: <= and not <.",
    ),
    "nearest to the limit": (
        lambda errors, limit: (
            max((e, b) for b, e in errors.items() if e <= limit)[1],
            4 + 16 / max((e, b) for b, e in errors.items() if e <= limit)[1],
        ),
        "you chose the block whose error is nearest to the limit. The largest block within the limit was asked for.",
    ),
    "without the scale": (
        lambda errors, limit: (choose_block(errors, limit)[0], 4.0),
        "4 bits are the code alone: the scale of the block is stored as well, 16 bits for all its weights.",
    ),
    "share cut off": (
        lambda errors, limit: (choose_block(errors, limit)[0], 4 + 16 // choose_block(errors, limit)[0]),
        "16 // block cuts the share of the scale off to a whole number, mostly to 0: divide with /.",
    ),
    "the last one allowed": (
        lambda errors, limit: (
            [block for block, error in errors.items() if error <= limit][-1],
            4 + 16 / [block for block, error in errors.items() if error <= limit][-1],
        ),
        "you took the last allowed row of the table, whose order is not fixed: take the largest block, max().",
    ),
    "a scale a weight": (
        lambda errors, limit: (choose_block(errors, limit)[0], 20.0),
        "the 16 bits of a scale are shared by the whole block: divide them by its size.",
    ),
    "the scale alone": (
        lambda errors, limit: (choose_block(errors, limit)[0], 16 / choose_block(errors, limit)[0]),
        "that is a weight's share of the scale. Its own code takes 4 bits as well.",
    ),
    "the bits of a block": (
        lambda errors, limit: (choose_block(errors, limit)[0], 4 * choose_block(errors, limit)[0] + 16),
        "those are the bits of a whole block. How many are they for one weight?",
    ),
    "the block alone": (
        lambda errors, limit: choose_block(errors, limit)[0],
        "return two things: the size of the block, and the bits that a weight takes with it.",
    ),
}


# --- 09.6: which one would you ship?


def ship(rows: list[dict[str, Any]], megabytes: float) -> str:
    """The fastest that fits and whose interval still reaches into that of the best score of the whole table."""
    best = max(rows, key=lambda row: row["score"])
    able = [row for row in rows if row["megabytes"] <= megabytes and row["high"] >= best["low"]]
    return str(max(able, key=lambda row: row["tokens_per_second"])["name"])


# Megabytes and tokens a second as shares of two numbers that are drawn; how far the score is below the best, and the
# half of its interval.
TABLE = {
    "float32": (3.9, 1.0, 0.0, 6.0),
    "bfloat16": (1.9, 1.3, 0.3, 6.0),
    "int8": (1.0, 2.0, 1.0, 6.0),  # just fits
    "int8 static": (0.9, 2.5, 4.0, 6.0),
    "int8 dynamic": (1.2, 4.0, 2.0, 6.0),
    "NF4": (0.55, 0.7, 1.4, 6.0),
    "GGUF Q4_0": (0.6, 3.0, 9.0, 5.0),  # its score lies below the best one's interval, but its own reaches into it
    "int4": (0.5, 3.5, 6.9, 0.4),  # a better score than Q4_0, and surely worse than the best: in the interval of int8
    "2 bits": (0.3, 5.0, 40.0, 5.0),
}

# Each of them tells one wrong rule apart.
CHANGES: list[dict[str, tuple[float, float, float, float]]] = [
    {"NF4": (0.55, 0.7, 1.4, 9.0)},  # its high is above that of the best score
    {"int8 dynamic": (1.2, 4.0, 2.0, 1.0)},  # its low is above that of the best score
    {"GGUF Q4_0": (0.6, 3.0, 9.0, 3.0)},  # its high is the low of the best score
    {"GGUF Q4_0": (0.97, 3.0, 9.0, 5.0), "int8 static": (0.7, 2.5, 4.0, 6.0)},  # not the fastest for its size
    {},
]


def _tables(rng: random.Random) -> Iterator[Arguments]:
    for change in CHANGES:
        best, limit, speed = round(rng.uniform(60, 80), 1), rng.randrange(200, 400), rng.randrange(20, 60)
        rows = []
        table = TABLE | change
        for name, (size, rate, below, half) in rng.sample(list(table.items()), len(table)):
            row = {"name": name, "megabytes": round(size * limit), "tokens_per_second": round(rate * speed)}
            score = round(best - below, 1)
            rows.append(row | {"score": score, "low": round(score - half, 1), "high": round(score + half, 1)})
        yield rows, limit
    yield rows, next(row["megabytes"] for row in rows if row["name"] == "GGUF Q4_0")  # it fits exactly


def _fastest(able: Callable[[dict[str, Any], dict[str, Any]], bool]) -> Callable[[list[dict[str, Any]], float], str]:
    """The fastest that fits, of the rows that hold out against the best of the table."""

    def wrong(rows: list[dict[str, Any]], megabytes: float) -> str:
        best = max(rows, key=lambda row: row["score"])
        fitting = [row for row in rows if row["megabytes"] <= megabytes and able(row, best)]
        return str(max(fitting, key=lambda row: row["tokens_per_second"])["name"])

    return wrong


_LOST = "that row fits and is fast, but its quality is surely lost: its high lies far below the low of the best score."
_NARROW = (
    "that row is only a few points below the best of the table, and yet surely worse: its high lies below the low of "
    "the best score. The best one counts even if it does not fit itself."
)
SHIPPED: Mistakes = {
    "below the megabytes only": (
        lambda rows, limit: ship(rows, math.nextafter(limit, 0)),
        "a row that takes exactly the megabytes that there are still fits: <= and not <.",
    ),
    "touching is not enough": (
        _fastest(lambda row, best: row["high"] > best["low"]),
        "a row whose high is exactly the low of the best score does not lie below it: >= and not >.",
    ),
    "the best score": (
        lambda rows, limit: max(rows, key=lambda row: row["score"])["name"],
        "that row has the best score of all, but it does not fit: it would not even start.",
    ),
    "the fastest": (lambda rows, limit: max(rows, key=lambda row: row["tokens_per_second"])["name"], _LOST),
    "the smallest": (lambda rows, limit: min(rows, key=lambda row: row["megabytes"])["name"], _LOST),
    "any size": (
        lambda rows, limit: ship(rows, math.inf),
        "that row is fast and good enough, but it does not fit into the megabytes that there are.",
    ),
    "the best that fits": (
        lambda rows, limit: max(rows, key=lambda row: (row["megabytes"] <= limit, row["score"]))["name"],
        "that row has the best score of those that fit, but it is not the fastest that is good enough.",
    ),
    "compared with the best that fits": (
        lambda rows, limit: ship([row for row in rows if row["megabytes"] <= limit], limit),
        _NARROW,
    ),
    "a few points": (_fastest(lambda row, best: row["score"] >= best["score"] - 10), _NARROW),
    "the score inside": (
        _fastest(lambda row, best: row["score"] >= best["low"]),
        "you compared scores with the low of the best. A row is only surely worse if its whole interval, up to its "
        "high, lies below that.",
    ),
}


def _best_by(column: str) -> Callable[[list[dict[str, Any]], float], str]:
    return lambda rows, limit: ship([row | {"score": row[column]} for row in rows], limit)


OTHER_SHIPPED = {
    "the best by its high": _best_by("high"),
    "the best by its low": _best_by("low"),
    "the fastest for its size": lambda rows, limit: ship(
        [row | {"tokens_per_second": row["tokens_per_second"] / row["megabytes"]} for row in rows], limit
    ),
}


PIECES = [
    Exercise(
        "09.4",
        "scales",
        quantise_rows,
        cases=_matrices,
        compare=_same_codes,
        wrong={"floats": lambda W: (quantise_rows(W)[0].float(), quantise_rows(W)[1])},
        praise="one byte a weight, and an outlier spoils no row but its own.",
        mistakes=ROWS,
    ),
    Exercise(
        "09.5",
        "choice of a block",
        choose_block,
        mistakes=BLOCKS,
        cases=_block_errors,
        praise="large blocks save scales, small ones keep an outlier's damage small. GGUF's Q4_0 takes 32: 4.5 bits.",
    ),
    Exercise(
        "09.6",
        "choice",
        ship,
        mistakes=SHIPPED,
        wrong=OTHER_SHIPPED,
        cases=_tables,
        praise="it must fit, it must not be surely worse, and then speed decides.",
    ),
]
