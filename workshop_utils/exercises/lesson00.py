"""The exercise of lesson 00: a warm-up, to see how exercises work."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from workshop_utils.checks import Exercise

Arguments = tuple[Any, ...]


def probabilities(counts: dict[str, int]) -> dict[str, float]:
    """From how often each word came next to how probable it is."""
    total = sum(counts.values())
    return {word: count / total for word, count in counts.items()}


def _counts(rng: random.Random) -> Iterator[Arguments]:
    yield ({"time": 3, "a": 1},)
    for _ in range(3):
        words = rng.sample(["fox", "kite", "hill", "rain", "boat", "mole", "cake"], rng.randint(3, 6))
        yield ({word: rng.randint(1, 40) for word in words},)


def _hint(args: Arguments, got: Any, expected: dict[str, float]) -> str | None:
    (counts,) = args
    total, n = sum(counts.values()), len(counts)
    if not isinstance(got, dict) or set(got) != set(counts):
        return "the result should have the same words as keys, and a probability for each of them."
    if got == counts:
        return f"these are still the counts. Divide each by how many there are together, {total}."
    if all(abs(got[word] - counts[word] / n) < 1e-9 for word in counts):
        return f"you divided by {n}, the number of different words. Divide by the sum of the counts, {total}."
    if abs(sum(got.values()) - 100) < 1e-6:
        return "these are percentages. Probabilities add up to 1, not to 100."
    if all(abs(value - 1 / n) < 1e-9 for value in got.values()):
        return "you made all words equally probable. A word that came more often should be more probable."
    return f"your probabilities add up to {sum(got.values()):.3g}, they should add up to 1."


EXERCISES = [
    Exercise(
        id="00.1",
        what="probabilities",
        reference=probabilities,
        cases=_counts,
        hint=_hint,
        praise="they add up to 1, and that is all that a language model ever hands over: a probability for each token.",
        wrong={
            "divided by the number of words": lambda counts: {w: n / len(counts) for w, n in counts.items()},
            "the counts themselves": lambda counts: dict(counts),
            "percent": lambda counts: {w: 100 * n / sum(counts.values()) for w, n in counts.items()},
            "all the same": lambda counts: {w: 1 / len(counts) for w in counts},
        },
    ),
]
