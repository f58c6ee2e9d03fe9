"""Small sums, labels and price lists for the base model, so that it has met the signs that people calculate with.

Without them the rows of ( ) * < = > and _ in the table of tokens would never be trained.
"""

from __future__ import annotations

import random

from pocket_world.facts import DAYS, FAMILIES, ROOM_OF, THINGS
from workshop_utils.pocket import words
from workshop_utils.pocket.grammar import Dice

SORTS = ("sums", "compared", "labels", "stock", "notes")
COLOURS = ("red", "blue", "green", "white", "black", "yellow")


def notation(rng: random.Random) -> str:
    """Three to six lines of one sort.

    Args:
        rng: the source of randomness.
    """
    dice = Dice(rng)
    return "\n".join(_WRITERS[dice.pick(SORTS)](dice, rng.randint(3, 6)))


def _sums(dice: Dice, n: int) -> list[str]:
    lines = []
    for _ in range(n):
        a, b, c = (dice.rng.randint(1, 9) for _ in range(3))
        lines.append(
            dice.pick(
                (f"{a} + {b} = {a + b}", f"{a} * {b} = {a * b}", f"({a} + {b}) * {c} = {(a + b) * c}",
                 f"{a + b} - {b} = {a}", f"{a * b} / {b} = {a}", f"{a} * ({b} + {c}) = {a * (b + c)}")
            )
        )  # fmt: skip
    return lines


def _compared(dice: Dice, n: int) -> list[str]:
    """The same two things with both signs."""
    lines = []
    for _ in range(n):
        a, b = sorted(dice.rng.sample(range(1, 60), 2))
        one, other = dice.rng.sample(THINGS[dice.pick(tuple(THINGS))], 2)
        lines.append(dice.pick((f"{a} < {b}", f"{b} > {a}", f"{one} ({a}) < {other} ({b})", f"{b} >= {a}, {a} <= {b}")))
    return lines


def _labels(dice: Dice, n: int) -> list[str]:
    room = dice.pick(tuple(THINGS))
    things = dice.rng.sample(THINGS[room], min(n, len(THINGS[room])))
    return [f"{thing}_{dice.rng.randint(1, 40)} = '{dice.pick(COLOURS)}'" for thing in things]


def _stock(dice: Dice, n: int) -> list[str]:
    thing = dice.pick(tuple(ROOM_OF))
    head = (
        f"{thing} ({', '.join(dice.rng.sample(('id', 'name', 'price', 'colour', 'size', 'day', 'owner', 'age'), 3))})"
    )
    rows = [f"{number}, '{dice.pick_weighted(words.POPULARITY)}', {dice.rng.randint(1, 99)}" for number in range(1, n)]
    return [head, *rows]


def _notes(dice: Dice, n: int) -> list[str]:
    family = FAMILIES[dice.pick(tuple(FAMILIES))]
    return [
        f"* {item} ({dice.pick(DAYS).lower()}: {dice.rng.randint(1, 20)} * {dice.rng.randint(2, 9)})"
        for item in dice.rng.sample(family, min(n, len(family)))
    ]


_WRITERS = {"sums": _sums, "compared": _compared, "labels": _labels, "stock": _stock, "notes": _notes}
