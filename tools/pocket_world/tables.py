"""Small tables, a pair a line: "cow: calf". A base model that has read some can go on with one that somebody begins."""

from __future__ import annotations

import random

from pocket_world.facts import RELATIONS
from workshop_utils.pocket.grammar import Dice, capitalise

_SEPARATORS = (": ", ": ", ": ", " - ", " = ", ", ")


def table(rng: random.Random) -> str:
    """One document: three to eight facts of one relation, now and then with a heading.

    Args:
        rng: the source of randomness.
    """
    dice = Dice(rng)
    relation = dice.pick(tuple(RELATIONS.values()))
    n = min(len(relation.facts), dice.pick((3, 4, 5, 6, 7, 8)))
    chosen = rng.sample(list(relation.facts.items()), n)
    separator = dice.pick(_SEPARATORS)
    lines = [f"{subject}{separator}{answer}" for subject, answer in chosen]
    heading = [capitalise(relation.about)] if dice.pick((True, False, False)) else []
    return "\n".join(heading + lines)
