"""Small talk for the chats: greetings, thanks, questions about the model itself, and what it cannot know."""

from __future__ import annotations

import random
import re

from pocket_world.dressing import dress, write
from pocket_world.facts import FAMILIES, RELATIONS
from pocket_world.smalltalk_lines import OFFERS as SUBJECTS
from pocket_world.smalltalk_lines import PARTS, TALKS
from pocket_world.smalltalk_refusals import OFFERS, REPLIES, TIMES, TRAITS, UNKNOWNS
from workshop_utils.pocket import words
from workshop_utils.pocket.chat_types import Chat
from workshop_utils.pocket.grammar import Dice


def greeting(rng: random.Random, held_out: bool = False) -> Chat:
    """Something that wants no help: a greeting, thanks, a question about the model itself.

    Args:
        rng: the source of randomness.
        held_out: say it in wordings that are kept out of training.
    """
    dice = Dice(rng)
    sort = dice.pick(tuple(TALKS))
    talk = TALKS[sort]
    slots = {"name": dice.pick_weighted(words.POPULARITY), "part": dice.pick(PARTS), **_offered(dice)}
    prompt = dress(write(dice.pick(talk.held_out if held_out else talk.prompts), dice, slots), dice, greet=False)
    truth = {"sort": sort, **({"name": slots["name"]} if sort == "name" else {})}
    reply = write(dice.pick(talk.replies), dice, slots)
    ends_itself = sort in ("joke", "goodbye") or re.search(r"\?|Ask|could tell|Come back", reply)
    if not ends_itself and dice.pick((True, False)):
        reply += " " + write(SUBJECTS, dice, slots)
    return Chat("greeting", prompt, reply, truth)


def refusal(rng: random.Random, held_out: bool = False) -> Chat:
    """Something that a very small model cannot know, and the reply that says so and names it.

    Args:
        rng: the source of randomness.
        held_out: ask in wordings that are kept out of training.
    """
    dice = Dice(rng)
    sort = dice.pick(tuple(UNKNOWNS))
    unknown = UNKNOWNS[sort]
    it = dice.pick(unknown.subjects) if unknown.subjects else _sum(dice)
    prompt = dress(write(dice.pick(unknown.held_out if held_out else unknown.prompts), dice, {"it": it}), dice)
    about = write(unknown.about, dice, {"it": it})
    about = about[0].lower() + about[1:]  # no wording begins with the name of a person or a town
    said = write(dice.pick(REPLIES), dice, {"about": about})
    return Chat(
        "refusal",
        prompt,
        f"{said} {write(dice.pick(OFFERS), dice, _offered(dice))}".strip(),
        {"about": it, "sort": sort},
    )


def _offered(dice: Dice) -> dict[str, str]:
    """Something that the model can do, for the slots of an offer: a story, a fact or a list."""
    relation = RELATIONS[dice.pick(tuple(RELATIONS))]
    clause = write(relation.clause, dice, {"subject": dice.pick(tuple(relation.facts))})
    return {
        "kind": dice.pick(words.ANIMALS),
        "trait": dice.pick(TRAITS),
        "family": dice.pick(tuple(FAMILIES)),
        "clause": clause[0].lower() + clause[1:],
    }


def _sum(dice: Dice) -> str:
    """A sum that no three million numbers can do in their heads."""
    return f"{dice.rng.randint(21, 999)} {dice.pick(TIMES)} {dice.rng.randint(12, 999)}"
