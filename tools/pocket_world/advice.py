"""Advice: somebody complains, and the reply is kind, keeps to the subject and gives a tip or two."""

from __future__ import annotations

import random

from pocket_world.posts_lines import lines
from pocket_world.topics import Speaker, draw
from workshop_utils.pocket.chat_types import Chat
from workshop_utils.pocket.grammar import Dice, Wording, expand

# The wordings of prompts: what is trained on and what is kept for the test. {wish} is a sentence of the topic.
PROMPTS = lines(
    """
    {Trouble}.
    {Trouble}. What can I do?
    {Trouble}! [Please help me|Help me, please]!
    {Trouble}, and I am [cross|sad|tired].
    {Trouble}. {wish}
    {Trouble}. {wish} What can I do?
    I am [sad|cross|tired|annoyed] because {trouble}.
    Oh no, {trouble}!
    It is {my} {noun} again. {Trouble}.
    I have a problem with {my} {noun}. {Trouble}.
    I do not know what to do. {Trouble}.
    What can I do? {Trouble}.
    {Trouble}. Please tell me what helps.
    My day was bad because {trouble}.
    What should I do about {my} {noun}? {Trouble}.
    {wish} {Trouble}.
    """
)
HELD_OUT_PROMPTS = lines(
    """
    The trouble is that {trouble}. Any ideas?
    Today I am unhappy, for {trouble}.
    {Trouble}. How can I make it better?
    Can somebody help? {Trouble}.
    {Trouble}. It makes me so angry!
    I feel awful. {Trouble}.
    Everything goes wrong for me, {trouble}.
    I need your advice about {my} {noun}. {Trouble}.
    """
)
MAX_SENTENCES, MIN_WORDS, MAX_WORDS = 4, 20, 45  # of a reply; a shorter one gets a kind close
HELLOS, HELD_OUT_HELLOS = ("Hi", "Hello"), ("Hey", "Good morning")

SYMPATHY = lines(
    """
    I am [so|very] sorry about {your} {noun}.
    I am sorry that you have such trouble with {your} {noun}.
    Oh dear, {your} {noun} [sounds like hard work|is giving you trouble]!
    Oh no, not {your} {noun}!
    Oh no, trouble with {your} {noun} is never nice.
    It is [hard|no fun] when {your} {noun} makes you [sad|cross|worry].
    Poor you, and all because of {your} {noun}!
    I understand that {your} {noun} makes you [cross|sad|tired].
    {Your} {noun} has really given you a bad day.
    What a day you had with {your} {noun}!
    I can see why {your} {noun} is on your mind.
    Anybody would sigh about {your} {noun}.
    """
)
COMFORTS = lines(
    """
    Such things happen to everybody.
    You did nothing wrong.
    Take a deep breath first.
    That must be hard for you.
    It is good that you tell me.
    Do not be too hard on yourself.
    """
)
FIRST_TIPS = lines(
    """
    {tip}
    {tip}
    {tip}
    You could {bare}
    Perhaps you could {bare}
    It may help to {bare}
    My tip is to {bare}
    """
)
SECOND_TIPS = lines(
    """
    {tip}
    You could also {bare}
    It may also help to {bare}
    If that does not help, {bare}
    And if you can, {bare}
    """
)
CLOSES = lines(
    """
    Good luck with {your} {noun}!
    I hope that things with {your} {noun} get better soon.
    Soon you will laugh about {your} {noun}.
    You and {your} {noun} will be fine.
    I am sure it will work out with {your} {noun}.
    I wish you a better day tomorrow.
    It will be all right.
    Be kind to yourself today.
    Then have a [cup of tea|nice evening|good rest].
    You can do it!
    """
)


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
