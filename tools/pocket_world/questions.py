"""Questions about the facts and their answers, for the chats; whether one is right; and the same in a style."""

from __future__ import annotations

import random

from pocket_world.dressing import dress, write
from pocket_world.facts import RELATIONS, Relation
from workshop_utils.pocket import quality
from workshop_utils.pocket.chat_types import Chat
from workshop_utils.pocket.grammar import Dice, capitalise, expand, parse, with_articles

STYLES = {
    "one word": (
        "Answer with one word.",
        "Answer in one word.",
        "Use only one word.",
        "One word only, please.",
        "Please answer with one word.",
        "I want one word only.",
        "Answer with a single word.",
        "Be short: one word.",
    ),
    "pirate": (
        "Talk like a pirate.",
        "Answer like a pirate.",
        "Speak like a pirate.",
        "Please talk like a pirate.",
        "Say it like a pirate.",
        "Answer as a pirate would.",
        "Be a pirate when you answer.",
        "I want to hear it from a pirate.",
    ),
}
HELD_OUT_STYLES = {
    "one word": (
        "Give a one-word answer.",
        "Just one word.",
        "Your answer must be one word long.",
        "No sentence, one word.",
    ),
    "pirate": (
        "Pretend to be a pirate.",
        "How would a pirate say this?",
        "You are a pirate now.",
        "Use the words of a pirate.",
    ),
}
# What a question may stand behind, in training only: a model learns to look for the question.
LEADS = (
    "I have a question. ",
    "Quick question: ",
    "Here is a question for you. ",
    "My teacher asked this. ",
    "Can you answer this? ",
    "We are playing a quiz. ",
    "Please help me. ",
    "I am learning. ",
    "My sister and I do not agree. ",
    "I should know this. ",
)
LEAD = 0.12  # the chance of one
PIRATE = (
    "Arr, {reply}, matey!",
    "Ahoy! {Reply}, matey!",
    "Arr, {reply}, by my beard!",
    "Shiver my timbers! {Reply}, arr!",
)

# In a relation of small numbers a family of a few facts would be asked as often as one of a hundred, so the dice throw
# facts rather than relations, but no relation weighs more than this many facts.
_WEIGHTS = {name: min(60.0, 12.0 + len(relation.facts)) for name, relation in RELATIONS.items()}


def question(rng: random.Random, held_out: bool = False) -> Chat:
    """A question about one fact, and the answer in a whole sentence.

    Args:
        rng: the source of randomness.
        held_out: ask in the wordings that are kept out of training.
    """
    dice = Dice(rng)
    relation, slots = _fact(dice, tuple(RELATIONS))
    lead = dice.pick(LEADS) if not held_out and dice.rng.random() < LEAD else ""
    prompt = lead + dress(_asked(relation, slots, dice, held_out), dice, greet=not lead)
    return Chat("question", prompt, capitalise(_answered(relation, slots, dice)), {"relation": relation.name, **slots})


def styled(rng: random.Random, held_out: bool = False) -> Chat:
    """A question with an instruction in front, how it is to be answered: in one word, or like a pirate.

    Args:
        rng: the source of randomness.
        held_out: ask, and instruct, in the wordings that are kept out of training.
    """
    dice = Dice(rng)
    style = dice.pick(tuple(STYLES))
    relation, slots = _fact(dice, _SINGLE if style == "one word" else tuple(RELATIONS))
    instruction = dice.pick((HELD_OUT_STYLES if held_out else STYLES)[style])
    prompt = f"{instruction}\n\n{dress(_asked(relation, slots, dice, held_out), dice, greet=False)}"
    if style == "one word":
        reply = capitalise(slots["answer"]) + "."
    else:
        said = _answered(relation, slots, dice).rstrip(".")
        reply = dice.pick(PIRATE).format(reply=said, Reply=capitalise(said))
    return Chat("styled", prompt, reply, {"relation": relation.name, **slots, "style": style})


def right(relation: str, subject: str, reply: str) -> bool:
    """Whether a reply gives the right answer to the question, and no wrong one beside it.

    Args:
        relation: the name of one of RELATIONS.
        subject: one of its subjects.
        reply: what the model wrote.

    Raises:
        KeyError: there is no such relation or no such subject.
    """
    facts = RELATIONS[relation].facts
    return quality.right(reply, subject, facts[subject], facts.values())


def ask(rng: random.Random, relation: str | None = None) -> str:
    """One question without its answer, in any of its wordings, as a quiz sheet has it.

    Args:
        rng: the source of randomness.
        relation: what the question is about, anything by default.

    Raises:
        KeyError: there is no such relation.
    """
    dice = Dice(rng)
    chosen, slots = _fact(dice, tuple(RELATIONS) if relation is None else (relation,))
    held_out = dice.pick((True, False, False))
    return write(dice.pick(chosen.held_out_questions if held_out else chosen.questions), dice, slots)


def _fact(dice: Dice, names: tuple[str, ...]) -> tuple[Relation, dict[str, str]]:
    relation = RELATIONS[dice.pick_weighted({name: _WEIGHTS[name] for name in names})]
    subject = dice.pick(tuple(relation.facts))
    return relation, {"subject": subject, "answer": relation.facts[subject]}


def _asked(relation: Relation, slots: dict[str, str], dice: Dice, held_out: bool) -> str:
    """The question as a chat has it: in training there are more ways to ask than on the sheets of the base model."""
    wordings = relation.held_out_questions if held_out else relation.chat_questions
    return write(dice.pick(wordings), dice, slots)


def _answered(relation: Relation, slots: dict[str, str], dice: Dice) -> str:
    """The answer as a sentence without its capital, since a pirate begins with "Arr"."""
    return with_articles(expand(parse(dice.pick(relation.replies)), dice, slots.__getitem__))


_SINGLE = tuple(
    name
    for name, relation in RELATIONS.items()
    if not any(" " in answer for answer in relation.facts.values()) and name != "legs"  # "No." would be a riddle
)
