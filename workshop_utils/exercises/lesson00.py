"""The exercise of lesson 00: a warm-up, to see how exercises work."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

from workshop_utils.exercises.checks import Arguments, Exercise, Mistakes


def probabilities(counts: dict[str, int]) -> dict[str, float]:
    """From how often each word came next to how probable it is."""
    total = sum(counts.values())
    return {word: count / total for word, count in counts.items()}


def _counts(rng: random.Random) -> Iterator[Arguments]:
    yield ({"time": 3, "a": 1},)
    for _ in range(3):
        words = rng.sample(["fox", "kite", "hill", "rain", "boat", "mole", "cake"], rng.randint(3, 6))
        yield ({word: rng.randint(1, 40) for word in words},)


MISTAKES: Mistakes = {
    "divided by the number of words": (
        lambda counts: {word: n / len(counts) for word, n in counts.items()},
        "you divided by the number of different words. Divide by the sum of the counts.",
    ),
    "the counts themselves": (
        lambda counts: dict(counts),
        "these are still the counts. Divide each by how many there are together.",
    ),
    "percent": (
        lambda counts: {word: 100 * n / sum(counts.values()) for word, n in counts.items()},
        "these are percentages. Probabilities add up to 1, not to 100.",
    ),
    "all the same": (
        lambda counts: dict.fromkeys(counts, 1 / len(counts)),
        "you made all words equally probable. A word that came more often should be more probable.",
    ),
    "softmax": (
        lambda counts: {word: math.exp(n) / sum(map(math.exp, counts.values())) for word, n in counts.items()},
        "that is the softmax, which makes probabilities of scores. Counts need no exponential: divide by their sum.",
    ),
    "one more of each": (
        lambda counts: {word: (n + 1) / (sum(counts.values()) + len(counts)) for word, n in counts.items()},
        "you added 1 to each count, which elsewhere gives unseen words a chance. Here, take the counts as they are.",
    ),
}


EXERCISES = [
    Exercise(
        id="00.1",
        what="probabilities",
        reference=probabilities,
        cases=_counts,
        mistakes=MISTAKES,
        praise="they add up to 1, and that is all that a language model ever hands over: a probability for each token.",
    ),
]
