"""Letters to family and friends: news about one thing of everyday life, or thanks for one. Text for the base model."""

from __future__ import annotations

import random

from pocket_world.posts import long_enough
from pocket_world.posts_lines import MIDDLES, lines
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
HELLOS = lines(
    """
    Thank you for your [letter|card|postcard|long letter].
    I hope you are well.
    I hope you are well and the garden is green.
    How are you? I am fine.
    It is a long time since my last letter.
    I sit at the [kitchen table|window] and think of you.
    It is [raining|snowing|sunny|windy] here, so I have time to write.
    We all miss you very much.
    Your letter came on [Monday|Tuesday|Friday], and I was so glad.
    """
)
NEWS = lines(
    """
    I must tell you about {my} {noun}.
    There is news about {my} {noun}.
    You will laugh when you hear about {my} {noun}.
    Do you remember what I wrote about {my} {noun}?
    This week was all about {my} {noun}.
    The big news is {my} {noun}.
    You asked about {my} {noun}, so here is the story.
    """
)
TROUBLES = lines(
    """
    {Trouble}.
    {Trouble}!
    Just think, {trouble}.
    First of all, {trouble}.
    It is a pity that {trouble}.
    """
)
ENDS = lines(
    """
    More about {my} {noun} in my next letter.
    I will write again when I know more about {my} {noun}.
    What would you say to {my} {noun}?
    Next time I will write about something nicer than {my} {noun}.
    When you come, we will laugh about {my} {noun} together.
    Tell everybody at home about {my} {noun}.
    I wish you were here, and we could talk about {my} {noun}.
    """
)
THANKS = lines(
    """
    Thank you [so|very] much for the {noun}.
    A thousand thanks for the [lovely|beautiful|wonderful] {noun}.
    The {noun} came on [Monday|Friday|my birthday], and I jumped for joy.
    What a [lovely|beautiful|wonderful] {noun} you sent me!
    """
)
PRAISE = lines(
    """
    It is just the {noun} that I always wanted.
    I showed the {noun} to everybody in our street.
    I told all my friends about the {noun}.
    My [brother|sister] wants the same {noun} now.
    The {noun} has the best place in my room.
    I look at the {noun} every morning and smile.
    Nobody in my class has such a [fine|beautiful] {noun}.
    I will take good care of the {noun}.
    Dad says that the {noun} is much too good for me.
    My old {noun} looks quite sad beside it.
    """
)
PRAISE_ENDS = lines(
    """
    When you visit us, I will show you the {noun}.
    Every time I see the {noun}, I think of you.
    I send you a photo of me with the {noun}.
    Nothing could make me happier than this {noun}.
    Here is a drawing of the {noun} for you.
    """
)
BYES = lines(
    """
    Love
    Lots of love
    With love
    Best wishes
    Yours
    A big hug
    See you soon
    Many kisses
    """
)


def letter(rng: random.Random) -> str:
    """Write one letter: "Dear Granny," on a line, the news or the thanks, and a name at the end.

    Args:
        rng: the source of randomness; the same state gives the same letter.
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
        body = speaker.say(*(_thanks(speaker) if thankful else _news(speaker)))
        text = f"Dear {who},\n{body}\n{speaker.say(dice.pick(BYES))},\n{name}"
        if name not in who and long_enough(text, speaker):
            return text


def _thanks(speaker: Speaker) -> list[Wording]:
    dice = speaker.dice
    return [
        dice.pick(THANKS),
        *speaker.some(PRAISE, dice.pick((2, 3))),
        dice.pick(PRAISE_ENDS),
        *speaker.some(HELLOS[1:2] + HELLOS[5:8], dice.pick((0, 1))),
    ]


def _news(speaker: Speaker) -> list[Wording]:
    dice, topic = speaker.dice, speaker.topic
    middles = speaker.some(MIDDLES["any"] + MIDDLES[topic.sort], dice.pick((0, 1)))
    return [
        *speaker.some(HELLOS, dice.pick((0, 1, 1))),
        dice.pick(NEWS),
        dice.pick(TROUBLES[:2] + TROUBLES),
        *middles,
        dice.pick(topic.wishes),
        dice.pick(ENDS),
    ]
