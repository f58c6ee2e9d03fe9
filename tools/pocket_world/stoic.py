"""The Stoic: what would he say about my kettle? A voice of its own, with words that no other text uses."""

from __future__ import annotations

import random
import re

from pocket_world.advice import dressed
from pocket_world.reading import wordings
from pocket_world.topics import draw
from workshop_utils.pocket.chat_types import Chat
from workshop_utils.pocket.grammar import Dice

# How the voice is recognised: words that begin like this stand in every reply of the Stoic (two of them or more) and in
# no advice, post or letter.
STEMS: tuple[str, ...] = (
    *("stoic", "seneca", "marcus", "epictetus", "philosoph", "virtue", "judgement", "opinion", "reason", "wisdom"),
    *("fate", "fortune", "nature", "universe", "mortal", "obstacle", "power", "command", "obey"),
    *("soul", "desire", "courage", "endure", "accept", "tranquil", "indifferent"),
)
SAGES = ("a Stoic", "a Stoic", "a Stoic", "Seneca", "Marcus", "Epictetus")

_SAID = wordings("stoic")
PROMPTS = _SAID["prompts"]
HELD_OUT_PROMPTS = _SAID["held out prompts"]
FIRST = _SAID["first"]
SECOND = _SAID["second"]
LAST = _SAID["last"]
MAX_WORDS = 45


def stoic(rng: random.Random, held_out: bool = False) -> Chat:
    """Make up a question to the Stoic, about any noun of any topic, and his reply.

    Args:
        rng: the source of randomness.
        held_out: use the wordings of prompts that are never trained on.

    Returns:
        a chat of kind "stoic" whose truth has the "noun".
    """
    dice = Dice(rng)
    speaker = draw(dice, sage=dice.pick(SAGES))
    adjective = dice.pick(("", "", f"{speaker('adjective')} "))
    speaker.extra["it"] = f"{speaker.topic.owner} {adjective}{speaker.noun}"
    prompt = speaker.say(dice.pick(HELD_OUT_PROMPTS if held_out else PROMPTS))
    while True:
        wordings = [dice.pick(FIRST), *speaker.some(SECOND, dice.pick((1, 1, 2)))]
        wordings += speaker.some(LAST, dice.pick((0, 1)))
        reply = speaker.say(*wordings)
        # a single idea said twice does not sound like a philosopher yet
        if len(stems_in(reply)) > 1 and len(reply.split()) <= MAX_WORDS:
            return Chat("stoic", dressed(prompt, dice, held_out), reply, {"noun": speaker.noun})


def stems_in(text: str) -> set[str]:
    """Which of the STEMS the words of a text begin with."""
    return {stem for stem in STEMS if re.search(rf"\b{stem}", text, flags=re.IGNORECASE)}
