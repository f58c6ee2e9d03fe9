"""The exercises of lesson 05, the failure lab: references, inputs, and the mistakes that people really make."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

from workshop_utils.exercises.checks import Arguments, Exercise, Mistakes, randn

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


# --- 05.2: is it asked as it was trained?


def same_start(asked: list[int], trained: list[int]) -> int:
    """How many tokens two rows have in common from the beginning on."""
    n = 0
    while n < min(len(asked), len(trained)) and asked[n] == trained[n]:
        n += 1
    return n


def _rows(rng: random.Random) -> Iterator[Arguments]:
    for _ in range(2):
        row = [rng.randrange(5, 900) for _ in range(12)]
        yield row[:7], row  # as it should be
        yield [row[1], row[0], *row[2:6], 2000], row  # the first two have changed places: nothing in common
        asked = row[:7]
        asked[3] += 1000  # one token is another one, and what follows is the same again
        yield asked, row
        yield [2, *row[:6]], [3, *row]  # moved by one place: nothing in common
        yield row, row[:5]  # asked with more than was trained


START: Mistakes = {
    "tokens in common": (
        lambda a, b: sum(x == y for x, y in zip(a, b, strict=False)),
        "you counted all equal places. After the first difference nothing counts any more: the model has left the path "
        "that it knows.",
    ),
    "a set": (
        lambda a, b: len(set(a) & set(b)),
        "the order is lost in a set: compare place by place, from the beginning.",
    ),
    "yes or no": (
        lambda a, b: b[: len(a)] == a,
        "that is whether it fits. Where it does not, somebody has to find the place: return how many tokens agree.",
    ),
    "one too many": (
        lambda a, b: same_start(a, b) + 1,
        "that is one too many: three equal tokens, then a different one, is 3.",
    ),
    "the shorter length": (
        lambda a, b: min(len(a), len(b)),
        "that is the length of the shorter row: compare the tokens one by one, and stop at the first difference.",
    ),
    "place of the difference or -1": (
        lambda a, b: next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), -1),
        "where nothing differs, all of the shorter row agrees: return its length.",
    ),
}


# --- 05.3: Young's interval


def save_every(save_seconds: float, hours_between_failures: float, step_seconds: float) -> int:
    """Steps between two checkpoints by Young's formula, at least 1."""
    seconds = math.sqrt(2 * save_seconds * hours_between_failures * 3600)
    return max(1, round(seconds / step_seconds))


def _runs(rng: random.Random) -> Iterator[Arguments]:
    for save, hours, steps in ((20.0, 12.0, rng.randrange(800, 2600)), (0.05, 1.5, rng.randrange(150, 400))):
        seconds = math.sqrt(2 * save * hours * 3600)
        for share in (0.3, 0.7):  # rounded down, and up: a large model, and the pocket profile
            yield save, hours, round(seconds / (steps + share), 7)
    yield 0.01, 0.001, 30.0  # a step takes longer than the whole interval


YOUNG: Mistakes = {
    "seconds": (
        lambda save, hours, step: max(1, round(math.sqrt(2 * save * hours * 3600))),
        "that is the interval in seconds: divided by the seconds of a step it becomes steps.",
    ),
    "hours": (
        lambda save, hours, step: max(1, round(math.sqrt(2 * save * hours) / step)),
        "the time between failures is in hours and the rest in seconds: times 3600.",
    ),
    "minutes": (
        lambda save, hours, step: max(1, round(math.sqrt(2 * save * hours * 60) / step)),
        "an hour has 3600 seconds: you made minutes of it.",
    ),
    "no 2": (
        lambda save, hours, step: max(1, round(math.sqrt(save * hours * 3600) / step)),
        "the 2 under the root is missing. A failure falls in the middle of an interval, on average.",
    ),
    "no root": (
        lambda save, hours, step: max(1, round(2 * save * hours * 3600 / step)),
        "the root is missing: saving costs with 1 / interval and failures cost with the interval, and they meet at a "
        "square root.",
    ),
    "nothing between": (
        lambda save, hours, step: round(math.sqrt(2 * save * hours * 3600) / step),
        "0 steps between two checkpoints is no run: at least 1.",
    ),
    "rounded down": (
        lambda save, hours, step: max(1, int(math.sqrt(2 * save * hours * 3600) / step)),
        "you always round down, as int() and // do. round() takes the nearest whole number.",
    ),
    "rounded up": (
        lambda save, hours, step: max(1, math.ceil(math.sqrt(2 * save * hours * 3600) / step)),
        "you always round up. round() takes the nearest whole number.",
    ),
    "not whole": (
        lambda save, hours, step: max(1.0, math.sqrt(2 * save * hours * 3600) / step),
        "a checkpoint comes after a whole step: round() gives an int.",
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


# --- 05.6: a schedule that climbs


def first_rise(rates: list[float], warmup: int) -> int:
    """The first step after the warm-up whose rate is above that of the step before it, or -1."""
    return next((step for step in range(warmup + 1, len(rates)) if rates[step] > rates[step - 1]), -1)


def _schedules(rng: random.Random) -> Iterator[Arguments]:
    for _ in range(2):
        warmup, n = rng.randrange(3, 6), rng.randrange(20, 26)
        climb = [i / warmup for i in range(warmup)]
        turn = rng.randrange(3, 6)
        yield [*climb, *[1 - i / n for i in range(n)]], warmup  # sound
        yield (
            [*climb, *[1 - i / n for i in range(turn)], *[1 - turn / n + i / n for i in range(n)]],
            warmup,
        )  # falls, then climbs
        yield [*climb, *[1 + i / n for i in range(n)]], warmup  # climbs at once
        yield [*climb, *[1.0] * n], warmup  # constant is no rise
        yield [*climb, *[1.0, 0.8, 0.6, 0.7, 0.8, 0.9, 0.5, 0.2]], warmup  # climbs in between, and ends low
        yield [*climb, *[1.0, 0.8, 1.2, 0.6, 0.9, 0.2]], warmup  # the highest comes late, and is not the last
        yield [*climb, *[1.0, 0.8, 0.6, 0.601]], warmup  # by a little, and in the last step


RISES: Mistakes = {
    "the warm-up counts": (
        lambda rates, warmup: next((i for i in range(1, len(rates)) if rates[i] > rates[i - 1]), -1),
        "the rate may rise during the warm-up, that is what it is for: begin to look after it.",
    ),
    "yes or no": (
        lambda rates, warmup: first_rise(rates, warmup) >= 0,
        "that is whether it rises. At which step? -1 where it never does.",
    ),
    "equal counts": (
        lambda rates, warmup: next((i for i in range(warmup + 1, len(rates)) if rates[i] >= rates[i - 1]), -1),
        "a rate that stays is no rise: > and not >=.",
    ),
    "the step before": (
        lambda rates, warmup: first_rise(rates, warmup) - 1 if first_rise(rates, warmup) >= 0 else -1,
        "that is the last step before the rise: return the step whose own rate is higher.",
    ),
    "the end alone": (
        lambda rates, warmup: len(rates) - 1 if rates[-1] > rates[warmup] else -1,
        "you looked at the last rate only. A schedule can fall first and climb later: compare each step with the one "
        "before.",
    ),
    "the last one": (
        lambda rates, warmup: max((i for i in range(warmup + 1, len(rates)) if rates[i] > rates[i - 1]), default=-1),
        "that is the last rise. The first one is where the trouble begins.",
    ),
    "counted from the warm-up": (
        lambda rates, warmup: first_rise(rates, warmup) - warmup if first_rise(rates, warmup) >= 0 else -1,
        "you counted from the end of the warm-up: steps are counted from the beginning of the run.",
    ),
}


# --- 05.7: a diagnosis

Run = dict[str, list[float]]


def _climbs(run: Run) -> bool:
    return run["lr"].index(max(run["lr"])) > len(run["lr"]) / 2


def _jumps(run: Run) -> bool:
    second_half = run["grad_norm"][len(run["grad_norm"]) // 2 :]
    return max(second_half) > 10 * run["grad_norm"][0]


def _leaks(run: Run) -> bool:
    return run["val_loss"][-1] < run["fresh_loss"][-1] / 2


def diagnose(run: Run) -> str:
    """What a run suffers from, by its numbers: "schedule", "rate", "leak" or "healthy"."""
    if _climbs(run):
        return "schedule"
    if _jumps(run):
        return "rate"
    return "leak" if _leaks(run) else "healthy"


def _line(rng: random.Random, start: float, end: float, n: int = 12) -> list[float]:
    return [round(start + (end - start) * i / (n - 1) + rng.uniform(-0.02, 0.02), 3) for i in range(n)]


def _run(rng: random.Random, lr: list[float], grad: list[float], loss: float, val: float, fresh: float) -> Run:
    ends = {"loss": loss, "val_loss": val, "fresh_loss": fresh}
    return {"lr": lr, "grad_norm": grad} | {name: _line(rng, 7.0, end) for name, end in ends.items()}


def _patients(rng: random.Random) -> Iterator[Arguments]:
    falling = [0.05, 0.5, 1.0, *[1 - i / 10 for i in range(1, 10)]]
    climbing = [0.1, 0.2, 0.3, *[0.3 + i / 10 for i in range(1, 10)]]
    late = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.6, 0.3, 0.1]  # highest in the second half, not at the end
    later = [*late[:9], 0.9, 1.0, 0.1]
    middle = [0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 0.9, 0.7, 0.5, 0.3, 0.2, 0.1]  # highest just before the second half
    calm, leaping = _line(rng, 1.5, 0.8), [1.5, 3.0, 9.0, 14.0, 60.0, 40.0, 90.0, 800.0, 70.0, 300.0, 500.0, 6.0]
    uneasy = [1.5, 1.4, 1.3, 1.2, 1.1, 1.0, 1.0, 9.0, 12.0, 5.0, 1.0, 0.9]  # leaps, to less than ten times the first
    once = [1.5, 1.0, 4.0, 1.0, 1.0, 1.0, 1.0, 22.0, 1.0, 1.0, 1.0, 0.9]  # a single leap, to 15 times the first
    dip = [7.0, 5.0, 3.5, 2.5, 1.6, 1.2, 1.0, 1.4, 1.9, 2.4, 2.8, 3.0]  # below half of the fresh loss, and up again
    early = [1.5, 40.0, 20.0, *_line(rng, 1.0, 0.8, 9)]  # a leap at the beginning that passes
    patients = [
        _run(rng, falling, early, 2.0, 2.1, 2.2),
        _run(rng, falling, leaping, 6.5, 6.6, 6.5),  # the loss ends below its start, and yet
        _run(rng, falling, leaping, 8.2, 8.3, 8.3),
        _run(rng, falling, calm, 0.4, 0.5, 3.0),
        _run(rng, climbing, leaping, 8.5, 8.4, 8.3),  # climbs, and so the gradient leaps as well
        _run(rng, climbing, calm, 2.0, 2.2, 2.3),  # climbs, and has not hurt yet
        _run(rng, late, calm, 2.0, 2.2, 2.3),
        _run(rng, falling, uneasy, 2.0, 2.1, 2.2),
        _run(rng, falling, calm, 1.0, 1.9, 3.0),  # better on its validation text, by less than a half
        _run(rng, falling, calm, 0.4, 3.0, 3.1),  # learnt by heart, and honestly measured
        _run(rng, falling, calm, 0.4, 3.0, 3.1) | {"val_loss": dip},
        _run(rng, later, calm, 2.0, 2.2, 2.3),
        _run(rng, middle, calm, 2.0, 2.2, 2.3),
        _run(rng, falling, once, 2.0, 2.1, 2.2),
        _run(rng, falling, leaping, 0.4, 0.5, 3.0),  # leaps and leaks
        _run(rng, climbing, calm, 0.4, 0.5, 3.0),  # climbs and leaks
    ]
    rng.shuffle(patients)
    yield from ((patient,) for patient in patients)


def _asked(*rules: tuple[str, Callable[[Run], bool]]) -> Callable[[Run], str]:
    """A diagnosis by these questions, in this order."""
    return lambda run: next((name for name, rule in rules if rule(run)), "healthy")


DIAGNOSES: Mistakes = {
    "rate before schedule": (
        _asked(("rate", _jumps), ("schedule", _climbs), ("leak", _leaks)),
        "the gradient leaps because the schedule climbs: whoever lowers the rate here has cured the symptom. Ask for "
        "the schedule first.",
    ),
    "leak first": (
        _asked(("leak", _leaks), ("schedule", _climbs), ("rate", _jumps)),
        "one of these runs has a leak, but its schedule or its rate is wrong as well. A leak is named last, if the run "
        "is sound so far.",
    ),
    "no schedule": (
        _asked(("rate", _jumps), ("leak", _leaks)),
        "one of these runs reaches its highest rate in its second half: no schedule is meant to do that.",
    ),
    "highest at the end": (
        _asked(("schedule", lambda run: run["lr"][-1] == max(run["lr"])), ("rate", _jumps), ("leak", _leaks)),
        "you look whether the last rate is the highest. A schedule can also climb into the second half and fall again.",
    ),
    "higher at the end": (
        _asked(("schedule", lambda run: run["lr"][-1] > run["lr"][0]), ("rate", _jumps), ("leak", _leaks)),
        "you compare the last rate with the first one. Where is the highest: in the second half?",
    ),
    "no leak": (
        _asked(("schedule", _climbs), ("rate", _jumps)),
        "this run is wonderful on its validation text and poor on texts that nobody has seen: that is a leak.",
    ),
    "no rate": (
        _asked(("schedule", _climbs), ("leak", _leaks)),
        "in the second half of this run the gradient is more than ten times as long as at its beginning, and its "
        "schedule is sound: the rate is too high.",
    ),
    "rate by the loss": (
        _asked(("schedule", _climbs), ("rate", lambda run: run["loss"][-1] > run["loss"][0]), ("leak", _leaks)),
        "this loss ends a little below its beginning, and still the run is broken: look at the gradient, as the "
        "exercise says.",
    ),
    "the whole run": (
        _asked(
            ("schedule", _climbs),
            ("rate", lambda run: max(run["grad_norm"]) > 10 * run["grad_norm"][0]),
            ("leak", _leaks),
        ),
        "this gradient leapt in the first steps and then calmed down, which is nothing to worry about: look at the "
        "second half only.",
    ),
    "overfitting is a leak": (
        _asked(
            ("schedule", _climbs), ("rate", _jumps), ("leak", lambda run: run["loss"][-1] < run["fresh_loss"][-1] / 2)
        ),
        "a training loss far below the validation loss is learning by heart, and the validation text says so. A leak "
        "shows between validation and fresh texts.",
    ),
    "all healthy": (
        lambda run: "healthy",
        "not all of them are healthy. Look at the rate first: where is it highest?",
    ),
}

OTHER_DIAGNOSES = {
    "twenty times": _asked(
        ("schedule", _climbs),
        ("rate", lambda run: max(run["grad_norm"][6:]) > 20 * run["grad_norm"][0]),
        ("leak", _leaks),
    ),
    "mean of the second half": _asked(
        ("schedule", _climbs),
        ("rate", lambda run: sum(run["grad_norm"][6:]) / 6 > 10 * run["grad_norm"][0]),
        ("leak", _leaks),
    ),
    "longest of the first half": _asked(
        ("schedule", _climbs),
        ("rate", lambda run: max(run["grad_norm"][6:]) > 10 * max(run["grad_norm"][:6])),
        ("leak", _leaks),
    ),
    "after a quarter": _asked(
        ("schedule", lambda run: run["lr"].index(max(run["lr"])) > len(run["lr"]) / 4),
        ("rate", _jumps),
        ("leak", _leaks),
    ),
    "after three quarters": _asked(
        ("schedule", lambda run: run["lr"].index(max(run["lr"])) > 0.75 * len(run["lr"])),
        ("rate", _jumps),
        ("leak", _leaks),
    ),
    "lowest losses": _asked(
        ("schedule", _climbs), ("rate", _jumps), ("leak", lambda run: min(run["val_loss"]) < min(run["fresh_loss"]) / 2)
    ),
}


EXERCISES = [
    Exercise(
        "05.1",
        "choice of the batch",
        what_fits,
        cases=_limits,
        praise="the largest divisor that fits. Nothing is as cheap as an exact cure.",
        mistakes=FITS,
    ),
    Exercise(
        "05.2",
        "comparison of the rows",
        same_start,
        cases=_rows,
        praise="if it is the whole of `asked`, the model is asked as it was trained. One line in a test, for ever.",
        mistakes=START,
    ),
    Exercise(
        "05.3",
        "Young's interval",
        save_every,
        cases=_runs,
        praise="a square root: four times the cost of saving, twice the interval.",
        mistakes=YOUNG,
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
    Exercise(
        "05.6",
        "look at the schedule",
        first_rise,
        cases=_schedules,
        praise="the whole schedule is known before the first step, so this check costs nothing.",
        mistakes=RISES,
    ),
    Exercise(
        "05.7",
        "diagnosis",
        diagnose,
        cases=_patients,
        praise="the cause that explains the others comes first. That is most of debugging.",
        mistakes=DIAGNOSES,
        wrong=OTHER_DIAGNOSES,
    ),
]
