"""Small talk for the chats: greetings, thanks, questions about the model itself, and what it cannot know."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from pocket_world.dressing import dress, write
from pocket_world.facts import ASKED_ABOUT, FAMILIES, RELATIONS, ROOM_OF, THINGS
from pocket_world.reading import read, sections
from workshop_utils.pocket import words
from workshop_utils.pocket.chat_types import Chat
from workshop_utils.pocket.grammar import Dice
from workshop_utils.pocket.plots import manuscripts

OFFERS = (
    "[What shall we talk about?|Shall I tell you a story about a {trait} {kind}?|What would you like to hear?|"
    "Ask me something small, such as {clause}.|Would you like a story about a {kind}?|I am ready for a question.|"
    "I could tell you {clause}.|Shall I list three {family}?]"
)
PARTS = ("morning", "afternoon", "evening")
REFUSALS = (
    "I am a very small model, and I do not know {about}.",
    "I am a very small model. I do not know {about}.",
    "I do not know {about}. I am a very small model.",
    "[I am sorry|Sorry], but I do not know {about}. I am a very small model.",
    "I am a very small model, and sadly I do not know {about}.",
    "I am a very small model, and nobody [told me|taught me] {about}.",
    "I wish that I knew {about}, but I am a very small model.",
    "I am a very small model. I have never learned {about}.",
)
# Other nouns than the one in question stand in the offers, so that these are no template to learn by heart either.
INSTEAD = (
    "",
    "",
    "I can tell you a story about a {trait} {kind}.",
    "[Somebody else|A grown-up|A good book|Your teacher] may know.",
    "I know only simple things, such as {clause}.",
    "Ask me {clause}, and I will try.",
    "Ask me something smaller, such as {clause}.",
    "Instead, I could tell you {clause}.",
    "Shall I tell you a story about a {trait} {kind} instead?",
    "Shall I list three {family} instead?",
)
TIMES = ("plus", "times", "minus", "divided by")
TRAITS = ("brave", "small", "shy", "hungry", "clever", "lazy", "kind", "sleepy", "curious", "happy", "young", "proud")


@dataclass(frozen=True)
class Talk:
    """One sort of small talk.

    Attributes:
        prompts: what is said, for training.
        held_out: what is said, never in training.
        replies: what fits all of it; may hold {name} or {part} like the prompts, and what is offered.
    """

    prompts: tuple[str, ...]
    held_out: tuple[str, ...]
    replies: tuple[str, ...]


@dataclass(frozen=True)
class Unknown:
    """Something that the model cannot know.

    Attributes:
        subjects: what {it} may be; empty for a sum, which the dice make up.
        prompts: how it is asked for, in training.
        held_out: how it is asked for, never in training.
        about: what the model says that it does not know.
    """

    subjects: tuple[str, ...]
    prompts: tuple[str, ...]
    held_out: tuple[str, ...]
    about: str


TALKS: dict[str, Talk] = {
    name: Talk(said["prompts"], said["held out"], tuple(one.replace("{offers}", OFFERS) for one in said["replies"]))
    for name, said in ((name, sections(body)) for name, _, body in manuscripts(read("smalltalk")))
}
_CAPITAL = RELATIONS["capital"].facts
_CITIES = tuple(dict.fromkeys((*_CAPITAL.values(), *FAMILIES["cities"])))
_OWNED = tuple(thing for room in ("hall", "wardrobe", "toy box", "office", "school") for thing in THINGS[room])
# What {it} may be, where it is not written down with the prompts. A noun may be any thing of the wide list, so that the
# model learns to name what it does not know even where it met the noun nowhere else.
_SUBJECTS: dict[str, tuple[str, ...]] = {
    "price": tuple(ROOM_OF),
    "language": tuple(f"{thing} in {one}" for thing in ROOM_OF for one in ("French", "German", "Spanish", "Italian")),
    **dict.fromkeys(("lost", "colour of mine"), _OWNED),
    **dict.fromkeys(("inventor", "works"), ASKED_ABOUT["machines"]),
    **dict.fromkeys(("weather", "news", "timetable"), _CITIES),
    "sum": (),
    "king": tuple(_CAPITAL),
    "telephone": ASKED_ABOUT["shops"],
    "person": tuple(f"{one} {other}" for one in ASKED_ABOUT["first names"] for other in ASKED_ABOUT["last names"]),
}


def _unknowns() -> dict[str, Unknown]:
    found = {}
    for name, head, body in manuscripts(read("refusals")):
        said = sections(body)
        subjects = _SUBJECTS[name] if name in _SUBJECTS else tuple(head["it"].split(", "))
        found[name] = Unknown(subjects, said["prompts"], said["held out"], head["about"])
    return found


UNKNOWNS = _unknowns()


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
        reply += " " + write(OFFERS, dice, slots)
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
    said = write(dice.pick(REFUSALS), dice, {"about": about})
    return Chat(
        "refusal",
        prompt,
        f"{said} {write(dice.pick(INSTEAD), dice, _offered(dice))}".strip(),
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
