"""Advice: somebody complains, and the reply is kind, keeps to the subject and gives a tip or two."""

from __future__ import annotations

import random

from pocket_world.reading import wordings
from pocket_world.topics import Speaker, draw
from workshop_utils.pocket.chat_types import Chat
from workshop_utils.pocket.grammar import Dice, Wording, expand

_SAID = wordings("advice")
PROMPTS = _SAID["prompts"]
HELD_OUT_PROMPTS = _SAID["held out prompts"]
MAX_SENTENCES, MIN_WORDS, MAX_WORDS = 4, 20, 45  # of a reply; a shorter one gets a kind close
HELLOS, HELD_OUT_HELLOS = ("Hi", "Hello"), ("Hey", "Good morning")

SYMPATHY = _SAID["sympathy"]
COMFORTS = _SAID["comforts"]
FIRST_TIPS = _SAID["first tips"]
SECOND_TIPS = _SAID["second tips"]
CLOSES = _SAID["closes"]


def advice(rng: random.Random, held_out: bool = False) -> Chat:
    """Make up one complaint and the advice on it.

    Args:
        rng: the source of randomness.
        held_out: use the wordings of prompts that are never trained on.

    Returns:
        a chat of kind "advice" whose truth has the "noun" and the "topic".
    """
    dice = Dice(rng)
    speaker = draw(dice)
    _say_into(speaker, "wish", dice.pick(speaker.topic.wishes))
    prompt = dressed(speaker.say(dice.pick(HELD_OUT_PROMPTS if held_out else PROMPTS)), dice, held_out)
    while True:
        reply = _reply(speaker)
        if len(reply.split()) <= MAX_WORDS:
            return Chat("advice", prompt, reply, {"noun": speaker.noun, "topic": speaker.topic.name})


def _reply(speaker: Speaker) -> str:
    """Sympathy, perhaps a comfort, a tip or two, and a kind close where there is room."""
    dice = speaker.dice
    kind = [dice.pick(SYMPATHY), *speaker.some(COMFORTS, dice.pick((0, 0, 1)))]
    tips = speaker.some(speaker.topic.tips, dice.pick((1, 2)))
    said = [speaker.say(*kind)]
    for frames, tip in zip((FIRST_TIPS, SECOND_TIPS), tips, strict=False):
        _say_into(speaker, "tip", tip)
        speaker.extra["bare"] = speaker.extra["tip"][0].lower() + speaker.extra["tip"][1:]
        said.append(speaker.say(dice.pick(frames)))
    room = len(kind) + len(tips) < MAX_SENTENCES
    if room and (len(" ".join(said).split()) < MIN_WORDS or dice.pick((True, True, False))):
        said.append(speaker.say(dice.pick(CLOSES)))
    return " ".join(said)


def dressed(prompt: str, dice: Dice, held_out: bool) -> str:
    """The prompt as people type: mostly as it is, sometimes after a hello, sometimes without its capital.

    Args:
        prompt: begins with a capital.
        dice: makes the choice.
        held_out: say hello in words that are never trained on.
    """
    small = prompt if prompt.startswith("I ") else prompt[0].lower() + prompt[1:]
    hello = dice.pick(HELD_OUT_HELLOS if held_out else HELLOS)
    return dice.pick((*[prompt] * 8, small, f"{hello}, {small}"))


def _say_into(speaker: Speaker, slot: str, wording: Wording) -> None:
    speaker.extra[slot] = expand(wording, speaker.dice, speaker)
