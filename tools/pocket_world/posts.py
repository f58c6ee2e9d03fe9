"""Posts: somebody complains about one thing of everyday life, in a few sentences, and nobody answers.

Text for the base model. There is no "you" in it and no advice, so that answering is left for the chats to teach.
"""

from __future__ import annotations

import random
import re

from pocket_world.reading import wordings
from pocket_world.topics import Speaker, draw
from workshop_utils.pocket.grammar import Dice, Wording

_SAID = wordings("posts")
OPENINGS = _SAID["openings"]
TROUBLES = _SAID["troubles"]
ASKED_TROUBLES = _SAID["asked troubles"]
QUESTIONS = _SAID["questions"]
MIDDLES = {
    "any": _SAID["middles any"],
    "thing": _SAID["middles thing"],
    "public": _SAID["middles public"],
    "person": _SAID["middles person"],
    "animal": _SAID["middles animal"],
    "event": _SAID["middles event"],
    "ache": _SAID["middles ache"],
}
CLOSES = _SAID["closes"]
MUSINGS_FIRST = _SAID["musings first"]
MUSINGS = _SAID["musings"]
MUSINGS_LAST = _SAID["musings last"]
MUSING_SHARE = 0.0
# The order of the sentences. Only one of them tells a trouble, since two might contradict each other.
SHAPES = (
    "opening trouble middle wish",
    "opening trouble wish question close",
    "opening wish trouble middle close",
    "opening asked wish middle close",
    "trouble middle wish question",
    "trouble wish middle close",
    "trouble question wish middle close",
    "trouble sort wish question middle",
    "asked wish middle close",
    "asked middle question wish",
    "question trouble wish close",
    "opening sort trouble middle wish close",
)
MIN_WORDS, MAX_WORDS, MIN_NAMED = 28, 90, 3


def post(rng: random.Random) -> str:
    """Write one post, or now and then a musing.

    Args:
        rng: the source of randomness; the same state gives the same post.
    """
    if rng.random() < MUSING_SHARE:
        return musing(rng)
    dice = Dice(rng)
    while True:
        speaker = draw(dice)
        middles = (*MIDDLES["any"], *MIDDLES[speaker.topic.sort] * 2)
        parts: dict[str, tuple[Wording, ...]] = {
            "opening": OPENINGS,
            "trouble": TROUBLES[:2] * 3 + TROUBLES,  # mostly told without further ado
            "asked": ASKED_TROUBLES,
            "question": QUESTIONS,
            "wish": speaker.topic.wishes,
            "middle": middles,
            "sort": MIDDLES[speaker.topic.sort],
            "close": CLOSES,
        }
        wordings = [dice.pick(parts[part]) for part in dice.pick(SHAPES).split()]
        text = speaker.say(*wordings)
        clumsy = re.search(r", [^.!?]*\?", text)  # a question with a clause behind a comma reads badly
        if len(set(wordings)) == len(wordings) and not clumsy and long_enough(text, speaker):
            return text


def musing(rng: random.Random) -> str:
    """Write a short piece from a diary in the voice of a Stoic, without the word.

    Args:
        rng: the source of randomness.
    """
    dice = Dice(rng)
    while True:
        speaker = draw(dice)
        first, last = dice.pick(MUSINGS_FIRST), dice.pick(MUSINGS_LAST)
        text = speaker.say(first, *speaker.some(MUSINGS, dice.pick((2, 3))), last)
        if long_enough(text, speaker):
            return text


def long_enough(text: str, speaker: Speaker) -> bool:
    """Whether a text has the length of a document and names its noun often enough to teach a model to carry it."""
    named = len(re.findall(rf"\b{speaker.noun}\b", text, flags=re.IGNORECASE))
    return MIN_WORDS <= len(text.split()) <= MAX_WORDS and named >= MIN_NAMED
