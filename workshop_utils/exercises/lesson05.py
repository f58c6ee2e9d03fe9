"""The exercises of lesson 05, the failure lab: references, inputs, and the mistakes that people really make."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
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
    return min(rows, (limit - fixed) // per_row)


FITS: Mistakes = {
    "no divisor, rounded up": (
        lambda rows, fixed, per_row, limit: (
            _greedy(rows, fixed, per_row, limit),
            math.ceil(rows / _greedy(rows, fixed, per_row, limit)),
        ),
        "that many rows fit, but they do not divide the update: the last part would be smaller, or the update would "
        "see too many rows. Look for a divisor of `rows`.",
    ),
    "no divisor, rounded down": (
        lambda rows, fixed, per_row, limit: (
            _greedy(rows, fixed, per_row, limit),
            rows // _greedy(rows, fixed, per_row, limit),
        ),
        "that many rows fit, but they do not divide the update: some of its rows would be left out. Look for a "
        "divisor of `rows`.",
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


# --- 05.2: where a range test falls fastest


def steepest(rates: list[float], losses: list[float]) -> float:
    """The rate of the step before the largest fall of the loss from a step to the next."""
    falls = [before - after for before, after in pairwise(losses)]
    return rates[falls.index(max(falls))]


def _tests(rng: random.Random) -> Iterator[Arguments]:
    for _ in range(3):
        at, lowest = rng.randrange(6, 9), rng.randrange(11, 14)  # the steepest step, and the lowest loss
        rates = [1e-4 * 2.0**step for step in range(20)]
        loss, losses = 6.9, []
        for step in range(20):
            losses.append(round(loss, 4))
            fall = 0.5 if step == at else 0.1 + 0.01 * rng.random() if step < lowest else -0.2
            loss -= -0.9 if step == 15 else fall  # where it explodes, the loss changes most of all
        yield rates, losses
    # The largest fall comes early, from 6.9 to 6.3; a later one is smaller, from 1.0 to 0.7, and a larger share.
    losses = [7.05, 7.0, 6.95, 6.9, 6.3, 5.9, 5.5, 5.1, 4.7, 4.3, 3.9, 3.5, 3.1, 2.6, 2.1, 1.6, 1.25, 1.0, 0.7, 0.8]
    yield [1e-4 * 2.0**step for step in range(len(losses))], losses


STEEPEST: Mistakes = {
    "lowest": (
        lambda rates, losses: rates[losses.index(min(losses))],
        "that is the rate at the lowest loss. A whole run at this rate does worse: find the largest fall.",
    ),
    "a third of the lowest": (
        lambda rates, losses: rates[losses.index(min(losses))] / 3,
        "that is a third of the rate at the lowest loss. The steepest point does not follow from the lowest one.",
    ),
    "a tenth of the lowest": (
        lambda rates, losses: rates[losses.index(min(losses))] / 10,
        "that is a tenth of the rate at the lowest loss. The steepest point does not follow from the lowest one.",
    ),
    "per rate": (
        lambda rates, losses: max(
            zip(pairwise(rates), pairwise(losses), strict=True),
            key=lambda step: (step[1][0] - step[1][1]) / (step[0][1] - step[0][0]),
        )[0][0],
        "you divided each fall by the change of the rate, which grows all the time, so that the first steps win. The "
        "picture has a logarithmic axis: compare the falls per step.",
    ),
    "largest ratio": (
        lambda rates, losses: rates[max(range(len(losses) - 1), key=lambda i: losses[i] / losses[i + 1])],
        "you took the largest ratio: subtract, do not divide.",
    ),
    "a step late": (
        lambda rates, losses: rates[rates.index(steepest(rates, losses)) + 1],
        "that is the rate after the largest fall. Return the rate of the step before it.",
    ),
    "largest change": (
        lambda rates, losses: max(
            zip(rates, pairwise(losses), strict=False), key=lambda step: abs(step[1][1] - step[1][0])
        )[0],
        "the loss changes most there, but it rises: a fall is the loss before minus the loss after. Find the largest.",
    ),
    "its number": (
        lambda rates, losses: rates.index(steepest(rates, losses)),
        "that is the number of the step. Which rate did it have?",
    ),
}


# --- 05.3: what the test has in common with the training


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


# --- 05.4: loss scaling


def unscale(gradient: Any, scale: float) -> tuple[Any, float]:
    """The true gradient and the scale, or None and half the scale where a number is not finite."""
    if not bool(gradient.isfinite().all()):
        return None, scale / 2
    return gradient / scale, scale


def _scaled(rng: random.Random) -> Iterator[Arguments]:
    for bad in (None, float("inf"), float("nan"), float("-inf"), 100_000.0, None):  # 100,000 is finite
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
        "-inf must be caught, too: isfinite() finds inf, -inf and nan.",
    ),
    "nothing skipped": (
        lambda gradient, scale: (gradient / scale, scale),
        "one of these numbers is not finite, and a step along it makes weights nan: skip it, (None, scale / 2).",
    ),
    "above 65,504": (
        lambda gradient, scale: (gradient / scale, scale) if gradient.abs().max() < 65504 else (None, scale / 2),
        "you ask whether the numbers are below the limit of float16. This gradient is in float32, where 100,000 is as "
        "good as any other number: isfinite() asks for the right thing.",
    ),
    "None alone": (
        lambda gradient, scale: (gradient / scale, scale) if bool(gradient.isfinite().all()) else None,
        "return two things here, too: None and half the scale.",
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


# --- 05.5: a diagnosis

Run = dict[str, Any]


def _climbs(run: Run) -> bool:
    return run["lr"].index(max(run["lr"])) >= len(run["lr"]) // 2


def _jumps(run: Run) -> bool:
    second_half = run["grad_norm"][len(run["grad_norm"]) // 2 :]
    return max(second_half) > 10 * run["grad_norm"][0]


def _stays(run: Run) -> bool:
    return run["loss"][-1] > run["unigram_loss"] - 0.8


def _rate(run: Run) -> bool:
    return _jumps(run) or _stays(run)


def _leaks(run: Run) -> bool:
    return run["val_loss"][-1] < run["fresh_loss"][-1] / 2


def _turns(run: Run) -> bool:
    return run["val_loss"][-1] > min(run["val_loss"]) + 0.2


RULES = {"schedule": _climbs, "rate": _rate, "leak": _leaks, "overfitting": _turns}


def diagnose(run: Run) -> str:
    """What a run suffers from, by its numbers: "schedule", "rate", "leak", "overfitting" or "healthy"."""
    return next((name for name, rule in RULES.items() if rule(run)), "healthy")


def _line(rng: random.Random, start: float, end: float, n: int = 12) -> list[float]:
    return [round(start + (end - start) * i / (n - 1) + rng.uniform(-0.02, 0.02), 3) for i in range(n)]


def _run(rng: random.Random, lr: list[float], grad: list[float], loss: float, val: float, fresh: float) -> Run:
    ends = {"loss": loss, "val_loss": val, "fresh_loss": fresh}
    lines = {name: _line(rng, 7.0, end) for name, end in ends.items()}
    return {"lr": [*lr], "grad_norm": [*grad], "unigram_loss": round(rng.uniform(5.6, 5.8), 2)} | lines


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
        _run(rng, falling, calm, 6.3, 6.3, 6.3),  # a calm gradient, and worse than the frequencies
        _run(rng, falling, calm, 5.4, 5.4, 5.4),  # a calm gradient, and hardly better than the frequencies
        _run(rng, falling, calm, 5.0, 5.0, 5.0),  # better by more than half a nat, and still not enough
        _run(rng, falling, calm, 4.3, 4.3, 4.3),  # slow, and sound
        _run(rng, falling, calm, 0.4, 0.5, 3.0),
        _run(rng, climbing, leaping, 8.5, 8.4, 8.3),  # climbs, and so the gradient leaps as well
        _run(rng, climbing, calm, 2.0, 2.2, 2.3),  # climbs, and has not hurt yet
        _run(rng, late, calm, 2.0, 2.2, 2.3),
        _run(rng, falling, uneasy, 2.0, 2.1, 2.2),
        _run(rng, falling, calm, 1.0, 1.9, 3.0),  # better on its validation text, by less than a half
        _run(rng, falling, calm, 0.4, 3.0, 3.1),  # learnt by heart, and the validation loss still falls
        _run(rng, falling, calm, 0.4, 3.0, 3.1) | {"val_loss": [*dip]},
        _run(rng, falling, calm, 2.0, 3.0, 3.1) | {"val_loss": [*dip[:-4], *[1.15] * 4]},  # rises, by less than 0.2
        _run(rng, later, calm, 2.0, 2.2, 2.3),
        _run(rng, middle, calm, 2.0, 2.2, 2.3),
        _run(rng, falling, once, 2.0, 2.1, 2.2),
        _run(rng, falling, leaping, 0.4, 0.5, 3.0),  # leaps and leaks
        _run(rng, climbing, calm, 0.4, 0.5, 3.0),  # climbs and leaks
        _run(rng, falling, calm, 0.4, 0.5, 3.0) | {"val_loss": [*_line(rng, 3.0, 0.5, 11), 1.2]},  # leaks, and rises
    ]
    patients[15]["fresh_loss"][-1] = 1.2  # not better there than on its validation text
    rng.shuffle(patients)
    yield from ((patient,) for patient in patients)


def _asked(*order: str, **other: Callable[[Run], bool]) -> Callable[[Run], str]:
    """A diagnosis by these rules, in this order (all of them unless told), some of them replaced by others."""
    rules = {name: (RULES | other)[name] for name in order or RULES}
    return lambda run: next((name for name, rule in rules.items() if rule(run)), "healthy")


DIAGNOSES: Mistakes = {
    "rate before schedule": (
        _asked("rate", "schedule", "leak", "overfitting"),
        "the gradient leaps because the schedule climbs: lowering the rate here would cure only the symptom. Ask for "
        "the schedule first.",
    ),
    "leak first": (
        _asked("leak", "schedule", "rate", "overfitting"),
        "one of these runs has a leak, but its schedule or its rate is wrong as well. A leak is named only if the run "
        "is sound so far.",
    ),
    "overfitting before leak": (
        _asked("schedule", "rate", "overfitting", "leak"),
        "the validation loss of one of these runs has risen, but it is below half of the fresh loss: it measures "
        "memory, so ask for the leak first.",
    ),
    "no schedule": (
        _asked("rate", "leak", "overfitting"),
        "one of these runs reaches its highest rate in its second half: no schedule is meant to do that.",
    ),
    "highest at the end": (
        _asked(schedule=lambda run: run["lr"][-1] == max(run["lr"])),
        "you look whether the last rate is the highest. A schedule can also climb into the second half and fall again.",
    ),
    "higher at the end": (
        _asked(schedule=lambda run: run["lr"][-1] > run["lr"][0]),
        "you compare the last rate with the first one. Where is the highest: in the second half?",
    ),
    "no leak": (
        _asked("schedule", "rate", "overfitting"),
        "this run is wonderful on its validation text and poor on texts that nobody has seen: that is a leak.",
    ),
    "no overfitting": (
        _asked("schedule", "rate", "leak"),
        "the validation loss of one of these runs falls, and then rises by more than 0.2: that is overfitting.",
    ),
    "no rate": (
        _asked("schedule", "leak", "overfitting"),
        "in the second half of one of these runs the gradient is more than ten times as long as at its beginning, and "
        "another one has hardly learnt more than the frequencies. Their schedules are sound: the rate is too high.",
    ),
    "the gradient alone": (
        _asked(rate=_jumps),
        "one of these runs has a calm gradient, and its loss is hardly below that of the token frequencies: compare "
        "the last loss with `unigram_loss`, too.",
    ),
    "the loss alone": (
        _asked(rate=_stays),
        "one of these runs ends with a low loss, and its gradient has leapt in the second half: look at both.",
    ),
    "above the frequencies": (
        _asked(rate=lambda run: _jumps(run) or run["loss"][-1] > run["unigram_loss"]),
        "you ask whether the last loss is above that of the token frequencies. A little below it is no good run "
        "either: it takes 0.8 nats.",
    ),
    "the whole run": (
        _asked(rate=lambda run: max(run["grad_norm"]) > 10 * run["grad_norm"][0] or _stays(run)),
        "this gradient leapt in the first steps and then calmed down, which is nothing to worry about: look at the "
        "second half only.",
    ),
    "the gap": (
        _asked(overfitting=lambda run: run["val_loss"][-1] > run["loss"][-1] + 0.2),
        "a validation loss above the training loss is no overfitting yet, as long as it falls: compare its last value "
        "with its own lowest one.",
    ),
    "all healthy": (
        lambda run: "healthy",
        "not all of them are healthy. Look at the rate first: where is it highest?",
    ),
}

OTHER_DIAGNOSES = {
    "half a nat": _asked(rate=lambda run: _jumps(run) or run["loss"][-1] > run["unigram_loss"] - 0.5),
    "twenty times": _asked(rate=lambda run: max(run["grad_norm"][6:]) > 20 * run["grad_norm"][0] or _stays(run)),
    "mean of the second half": _asked(
        rate=lambda run: sum(run["grad_norm"][6:]) / 6 > 10 * run["grad_norm"][0] or _stays(run)
    ),
    "longest of the first half": _asked(
        rate=lambda run: max(run["grad_norm"][6:]) > 10 * max(run["grad_norm"][:6]) or _stays(run)
    ),
    "after a quarter": _asked(schedule=lambda run: run["lr"].index(max(run["lr"])) > len(run["lr"]) / 4),
    "after three quarters": _asked(schedule=lambda run: run["lr"].index(max(run["lr"])) > 0.75 * len(run["lr"])),
    "lowest losses": _asked(leak=lambda run: min(run["val_loss"]) < min(run["fresh_loss"]) / 2),
    "any rise": _asked(overfitting=lambda run: run["val_loss"][-1] > min(run["val_loss"]) + 0.1),
    "leaks by the training loss": _asked(leak=lambda run: run["loss"][-1] < run["fresh_loss"][-1] / 2),
}


# --- 05.6: is it asked as it was trained?


def same_start(asked: list[int], trained: list[int]) -> int:
    """How many tokens two rows have in common from the beginning on."""
    n = 0
    while n < min(len(asked), len(trained)) and asked[n] == trained[n]:
        n += 1
    return n


def _rows(rng: random.Random) -> Iterator[Arguments]:
    for _ in range(2):
        row = [rng.randrange(5, 900) for _ in range(12)]
        yield row[:7], [*row]  # as it should be
        yield [row[1], row[0], *row[2:6], 2000], [*row]  # the first two have changed places: nothing in common
        asked = row[:7]
        asked[3] += 1000  # one token is another one, and what follows is the same again
        yield asked, [*row]
        yield [2, *row[:6]], [3, *row]  # moved by one place: nothing in common
        yield [*row], row[:5]  # asked with more than was trained


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


# --- 05.7: Young's interval


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
        "the result may not be 0: return at least 1.",
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


EXERCISES = [
    Exercise(
        "05.1",
        "choice of the batch",
        what_fits,
        cases=_limits,
        praise="the largest divisor that fits. The update stays the same.",
        mistakes=FITS,
    ),
    Exercise(
        "05.2",
        "steepest point",
        steepest,
        cases=_tests,
        praise="start there, and try half and twice as much in short runs of their own.",
        mistakes=STEEPEST,
    ),
    Exercise(
        "05.3",
        "search for leaks",
        seen_before,
        cases=_splits,
        praise="compared by their words. It does not find texts that were rewritten or translated.",
        mistakes=LEAKS,
    ),
    Exercise(
        "05.4",
        "loss scaling",
        unscale,
        cases=_scaled,
        praise="divide, or skip and halve. torch's GradScaler also doubles the scale after 2,000 good steps.",
        mistakes=UNSCALE,
    ),
    Exercise(
        "05.5",
        "diagnosis",
        diagnose,
        cases=_patients,
        praise="the cause that explains the others comes first.",
        mistakes=DIAGNOSES,
        wrong=OTHER_DIAGNOSES,
    ),
    Exercise(
        "05.6",
        "comparison of the rows",
        same_start,
        cases=_rows,
        praise="if it is the whole of `asked`, the model is asked as it was trained. Put this comparison into a test.",
        mistakes=START,
    ),
    Exercise(
        "05.7",
        "Young's interval",
        save_every,
        cases=_runs,
        praise="a square root: four times the cost of saving, twice the interval.",
        mistakes=YOUNG,
    ),
]
