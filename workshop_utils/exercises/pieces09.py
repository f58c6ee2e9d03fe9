"""Exercises 09.4 to 09.6 of lesson 09, from eight bits to the choice of a model, and how mistakes are recognised."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from typing import Any

from workshop_utils.checks import Exercise, randn
from workshop_utils.exercises.mistakes import Arguments, Mistakes, known
from workshop_utils.sameness import same

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
    if str(got[0].dtype) != "torch.int8":
        return f"your codes are of type {got[0].dtype}: one byte each is the point, so round() and then to(torch.int8)."
    return same(tuple(got), expected)


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
    "floats": (
        lambda W: (quantise_rows(W)[0].float(), quantise_rows(W)[1]),
        "your codes are whole numbers, but still floats of four bytes: to(torch.int8) makes one byte of each.",
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
    for at in (2, 3, 1):
        errors = [round(0.05 + 0.01 * place + rng.uniform(0, 0.008), 4) for place in range(6)]
        table = list(zip((16, 32, 64, 128, 256, 512), errors, strict=True))
        rng.shuffle(table)
        yield dict(table), errors[at]  # the limit is met exactly


def _block_hint(args: Arguments, got: Any, expected: tuple[int, float]) -> str | None:
    errors, limit = args
    if not isinstance(got, tuple | list) or len(got) != 2:
        return "return two things: the size of the block, and the bits that a weight takes with it."
    block, bits = got
    if block not in errors:
        return f"{block} is not a size in the table, whose keys are the sizes: {', '.join(map(str, sorted(errors)))}."
    if errors[block] > limit:
        return f"blocks of {block} have an error of {errors[block]:g}, above the limit of {limit:g}: take smaller ones."
    if block != expected[0]:
        return f"blocks of {expected[0]} need fewer scales than those of {block}, and their error is at most {limit:g}."
    if bits == 4:
        return "4 bits are the code alone: the scale of the block is stored as well, 16 bits for all its weights."
    if bits == 20:
        return "the 16 bits of a scale are shared by the whole block: divide them by its size."
    return f"a block of {block} has {block} codes of 4 bits and one scale of 16. How many bits is that for one weight?"


BLOCKS: dict[str, Callable[..., Any]] = {
    "smallest error": lambda errors, limit: (min(errors, key=errors.__getitem__), 4 + 16 / min(errors)),
    "largest of all": lambda errors, limit: (max(errors), 4 + 16 / max(errors)),
    "below the limit only": lambda errors, limit: choose_block({b: e for b, e in errors.items() if e < limit}, limit),
    "without the scale": lambda errors, limit: (choose_block(errors, limit)[0], 4.0),
    "a scale a weight": lambda errors, limit: (choose_block(errors, limit)[0], 20.0),
    "the scale alone": lambda errors, limit: (choose_block(errors, limit)[0], 16 / choose_block(errors, limit)[0]),
    "the block alone": lambda errors, limit: choose_block(errors, limit)[0],
}


# --- 09.6: which one would you ship?


def ship(rows: list[dict[str, Any]], megabytes: float) -> str:
    """The fastest that fits and whose interval still reaches into that of the best score of the whole table."""
    best = max(rows, key=lambda row: row["score"])
    able = [row for row in rows if row["megabytes"] <= megabytes and row["high"] >= best["low"]]
    return str(max(able, key=lambda row: row["tokens_per_second"])["name"])


# Megabytes, tokens a second and score as shares of three numbers that are drawn, and the half of the interval.
TABLE = {
    "float32": (3.9, 1.0, 1.0, 6),
    "bfloat16": (1.9, 1.3, 0.995, 6),
    "int8": (1.0, 2.0, 0.985, 6),  # just fits
    "int8 dynamic": (1.2, 4.0, 0.97, 6),
    "NF4": (0.55, 0.7, 0.98, 6),
    "GGUF Q4_0": (0.6, 3.0, 0.88, 5),  # its score lies below the best one's interval, but its own reaches into it
    "2 bits": (0.3, 5.0, 0.4, 5),
}


def _tables(rng: random.Random) -> Iterator[Arguments]:
    for _ in range(3):
        best, limit, speed = rng.uniform(60, 80), rng.randrange(200, 400), rng.randrange(20, 60)
        rows = []
        for name, (size, rate, share, half) in rng.sample(list(TABLE.items()), len(TABLE)):
            row = {"name": name, "megabytes": round(size * limit), "tokens_per_second": round(rate * speed)}
            score = round(share * best, 1)
            rows.append(row | {"score": score, "low": round(score - half, 1), "high": round(score + half, 1)})
        yield rows, limit


def _ship_hint(args: Arguments, got: Any, expected: str) -> str | None:
    rows, limit = args
    row = next((row for row in rows if row["name"] == got), None)
    if row is None:
        return f"return the name of one row: {', '.join(row['name'] for row in rows)}."
    best = max(rows, key=lambda row: row["score"])
    if row["megabytes"] > limit:
        return f"{got} takes {row['megabytes']} MB and there are {limit}: it does not even start."
    if row["high"] < best["low"]:
        return f"{got} has {row['high']} at best, {best['name']} {best['low']} at worst: this quality is surely lost."
    return (
        f"{got} fits and is good enough, but not the fastest such: look for an interval whose high is at least "
        f"{best['low']}, the low of {best['name']}, even if its score is below that."
    )


SHIPPED: dict[str, Callable[..., Any]] = {
    "the best score": lambda rows, limit: max(rows, key=lambda row: row["score"])["name"],
    "the fastest": lambda rows, limit: max(rows, key=lambda row: row["tokens_per_second"])["name"],
    "the smallest": lambda rows, limit: min(rows, key=lambda row: row["megabytes"])["name"],
    "any size": lambda rows, limit: ship(rows, math.inf),
    "the best that fits": lambda rows, limit: max(rows, key=lambda row: (row["megabytes"] <= limit, row["score"]))[
        "name"
    ],
    "the score inside": lambda rows, limit: ship([row | {"high": row["score"]} for row in rows], limit),
}


PIECES = [
    Exercise(
        "09.4",
        "scales",
        quantise_rows,
        cases=_matrices,
        compare=_same_codes,
        praise="one byte a weight, and an outlier spoils no row but its own.",
        **known(ROWS),
    ),
    Exercise(
        "09.5",
        "choice of a block",
        choose_block,
        wrong=BLOCKS,
        cases=_block_errors,
        hint=_block_hint,
        praise="large blocks save scales, small ones keep an outlier's damage small. GGUF's Q4_0 takes 32: 4.5 bits.",
    ),
    Exercise(
        "09.6",
        "choice",
        ship,
        wrong=SHIPPED,
        cases=_tables,
        hint=_ship_hint,
        praise="it must fit, it must not be surely worse, and then speed decides.",
    ),
]
