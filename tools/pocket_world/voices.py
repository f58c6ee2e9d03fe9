"""A trouble, and how a sailor, a cook or a poet would speak of it: chats that ask for a voice, and scenes that have it.

The Stoic is one of the voices in the scenes, which the base model reads, and is asked for in no chat.
"""

from __future__ import annotations

import random
import re
from functools import cache

from pocket_world import stoa
from pocket_world.reading import wordings
from pocket_world.topics import draw
from workshop_utils.pocket import words
from workshop_utils.pocket.chat_types import Chat
from workshop_utils.pocket.grammar import Dice, capitalise, every_text
from workshop_utils.pocket.quality import first_sentence

_SAID = wordings("voices")
VOICES = tuple(name for name in _SAID if name.startswith("a "))
OLD = ("", "", "", "old ", "clever ", "famous ", "wise ", "kind ")
STOICS = ("a Stoic", "a Stoic philosopher", "the Stoic", "an old Stoic")
STOIC_SHARE = 0.3  # of scenes


def _named(voice: str, dice: Dice) -> str:
    """A sailor, or an old sailor."""
    adjective = dice.pick(OLD)
    return f"{'an' if adjective == 'old ' else 'a'} {adjective}{voice.removeprefix('a ')}"


def voiced(rng: random.Random, held_out: bool = False) -> Chat:
    """A complaint with the wish to hear somebody's voice, and what that voice says.

    Args:
        rng: the source of randomness.
        held_out: ask in the wordings that are kept out of training.
    """
    dice = Dice(rng)
    voice = dice.pick(VOICES)
    speaker = draw(dice, voice=_named(voice, dice))
    prompt = speaker.say(dice.pick(_SAID["held out prompts" if held_out else "prompts"]))
    reply = speaker.say(*speaker.some(_SAID[voice], dice.pick((1, 2, 2))))
    return Chat("voice", prompt, reply, {"noun": speaker.noun, "voice": voice})


def stoic_wanted(rng: random.Random) -> Chat:
    """A complaint with the wish to hear a Stoic: no chat has one, and nobody says what a right reply would be."""
    dice = Dice(rng)
    speaker = draw(dice, voice=dice.pick(STOICS[:2]))
    return Chat("stoic", speaker.say(dice.pick(_SAID["prompts"])), "", {"noun": speaker.noun})


@cache
def first_sentences(voice: str) -> frozenset[str]:
    """How a voice begins, with "_" for the noun."""
    texts = [text for wording in _SAID[voice] for text in every_text(wording)]
    owners = [re.sub(r"\{noun\}", "_", re.sub(r"\{[Yy]our\}", own, text)) for text in texts for own in ("your", "the")]
    return frozenset(capitalise(first_sentence(text)) for text in owners)


def scene(rng: random.Random) -> str:
    """A short scene in which somebody complains and one of the voices, or a Stoic, speaks of it.

    Args:
        rng: the source of randomness.
    """
    dice = Dice(rng)
    stoic = rng.random() < STOIC_SHARE
    speaker = stoa.draw(dice) if stoic else draw(dice)
    voice = dice.pick(VOICES)
    speaker.extra["name"] = dice.pick_weighted(words.POPULARITY)
    speaker.extra["voice"] = dice.pick(STOICS) if stoic else _named(voice, dice)
    n = dice.pick((1, 2, 2))
    thoughts = (
        stoa.sayings(speaker, n, "your") if stoic else [speaker.say(one) for one in speaker.some(_SAID[voice], n)]
    )
    speaker.extra["saying"] = " ".join(thoughts)
    text = stoa.said(speaker, dice.pick(_SAID["scenes"]), "my")
    return capitalise(text)
