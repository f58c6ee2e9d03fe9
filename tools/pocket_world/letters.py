"""Letters to family and friends: news about one thing of everyday life, or thanks for one. Text for the base model."""

from __future__ import annotations

import random

from pocket_world.posts import MIDDLES, long_enough
from pocket_world.reading import wordings
from pocket_world.topics import NOUNS, TOPICS, Speaker, draw
from workshop_utils.pocket import words
from workshop_utils.pocket.grammar import Dice, Wording

# Nouns of these topics can be wrapped and given away.
GIFTS = tuple(
    noun
    for name in (
        *(
            "kitchen machines",
            "pots and pans",
            "cups and plates",
            "coats",
            "hats and gloves",
            "bags",
            "clocks",
            "books",
        ),
        *("umbrellas", "bedding", "lamps", "instruments", "sports things", "toys", "garden plants", "small pets"),
    )
    for noun in TOPICS[name].nouns
)
WHO = ("Granny", "Grandpa", "Mum", "Dad", "Aunt {she}", "Uncle {he}", "{friend}", "{friend}", "{friend}")
Said = dict[str, tuple[Wording, ...]]  # the wordings of every part of a letter
SAID: Said = wordings("letters")


def letter(rng: random.Random, said: Said = SAID) -> str:
    """Write one letter: "Dear Granny," on a line, the news or the thanks, and a name at the end.

    Args:
        rng: the source of randomness; the same state gives the same letter.
        said: the wordings to write it with.
    """
    dice = Dice(rng)
    while True:
        name, friend = (dice.pick_weighted(words.POPULARITY) for _ in range(2))
        who = dice.pick(WHO).format(
            she=dice.pick(words.SHE_NAMES[:40]), he=dice.pick(words.HE_NAMES[:40]), friend=friend
        )
        thankful = dice.pick((True, False, False))
        noun = dice.pick(GIFTS)
        speaker = Speaker(TOPICS[NOUNS[noun]], noun, dice) if thankful else draw(dice)
        body = speaker.say(*(_thanks(speaker, said) if thankful else _news(speaker, said)))
        bye = speaker.say(dice.pick(said["byes"]))
        text = f"Dear {who},\n{body}\n{bye},\n{name}"
        if name not in who and long_enough(text, speaker):
            return text


def _thanks(speaker: Speaker, said: Said) -> list[Wording]:
    dice = speaker.dice
    return [
        dice.pick(said["thanks"]),
        *speaker.some(said["praise"], dice.pick((2, 3))),
        dice.pick(said["praise ends"]),
        *speaker.some(said["hellos"][1:2] + said["hellos"][5:8], dice.pick((0, 1))),
    ]


def _news(speaker: Speaker, said: Said) -> list[Wording]:
    dice, topic = speaker.dice, speaker.topic
    middles = speaker.some(MIDDLES["any"] + MIDDLES[topic.sort], dice.pick((0, 1)))
    return [
        *speaker.some(said["hellos"], dice.pick((0, 1, 1))),
        dice.pick(said["news"]),
        dice.pick(said["troubles"][:2] + said["troubles"]),
        *middles,
        dice.pick(topic.wishes),
        dice.pick(said["ends"]),
    ]
