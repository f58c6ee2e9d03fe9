"""All that the pocket models know about the world: families of facts that a child of eight knows, and how to say them.

The base model reads them as prose, the instruct model learns to answer with them, and a reply is scored against them.
"""

from __future__ import annotations

from pocket_world import facts_animals, facts_coats, facts_home, facts_numbers, facts_words, facts_world
from pocket_world.facts_relation import Relation

__all__ = ["ABOUT", "RELATIONS", "Relation"]

RELATIONS: dict[str, Relation] = {
    relation.name: relation
    for relation in (
        *facts_animals.RELATIONS,
        *facts_coats.RELATIONS,
        *facts_home.RELATIONS,
        *facts_world.RELATIONS,
        *facts_words.RELATIONS,
        *facts_numbers.RELATIONS,
    )
}


def _about() -> dict[str, tuple[str, ...]]:
    """For every subject or thing the relations that know something about it, so that prose can tell all of it."""
    about: dict[str, tuple[str, ...]] = {}
    for relation in RELATIONS.values():
        for subject in relation.facts:
            about[subject] = (*about.get(subject, ()), relation.name)
    return about


ABOUT = _about()
