"""Every topic of everyday life that posts, letters, advice and the Stoic talk about, and where each noun belongs."""

from __future__ import annotations

from dataclasses import dataclass, field

from pocket_world import (
    topics_body,
    topics_clothes,
    topics_home,
    topics_kitchen,
    topics_outdoors,
    topics_people,
    topics_play,
    topics_school,
    topics_tech,
    topics_travel,
)
from pocket_world.topics_form import Topic
from workshop_utils.pocket.grammar import Dice, Wording, capitalise, expand, with_articles

__all__ = ["MASS", "NOUNS", "SORT_ADJECTIVES", "TOPICS", "Speaker", "Topic", "draw"]

TOPICS: dict[str, Topic] = {
    topic.name: topic
    for module in (
        topics_kitchen,
        topics_clothes,
        topics_home,
        topics_tech,
        topics_travel,
        topics_people,
        topics_school,
        topics_body,
        topics_play,
        topics_outdoors,
    )
    for topic in module.TOPICS
}
# noun -> the name of its topic
NOUNS: dict[str, str] = {noun: topic.name for topic in TOPICS.values() for noun in topic.nouns}
# These take no "a": one says "my homework" and "the rain", never "a rain".
MASS = frozenset(
    (
        *("tea", "coffee", "cocoa", "juice", "lemonade", "porridge", "homework", "hair", "sleep", "rent", "training"),
        *("rain", "fog", "frost", "snow", "drizzle", "thunder", "hail", "wind", "mist"),
        *("buzzing", "hammering", "shouting", "drilling", "laughter"),
    )
)
# Words that stand well between "my" and every noun of a sort: "my old kettle", "the long meeting".
SORT_ADJECTIVES: dict[str, tuple[str, ...]] = {
    "thing": ("old", "poor", "annoying", "terrible", "silly"),
    "public": ("terrible", "awful", "dreadful", "annoying"),
    "person": ("difficult", "dear", "noisy", "strange"),
    "animal": ("naughty", "cheeky", "noisy", "stubborn"),
    "event": ("terrible", "awful", "dreadful", "horrible"),
    "ache": ("terrible", "awful", "dreadful", "poor"),
}


@dataclass
class Speaker:
    """Somebody who talks about one noun: fills the slots of wordings and writes them out.

    Attributes:
        topic: what is talked about.
        noun: the one of its nouns.
        dice: makes the choices.
        extra: more slots, such as {"name": "Mia"}.
    """

    topic: Topic
    noun: str
    dice: Dice
    extra: dict[str, str] = field(default_factory=dict)

    def __call__(self, slot: str) -> str:
        """The text of a slot: {noun}, {my}, {your}, {adjective}, {trouble} or one of the extra ones.

        Raises:
            KeyError: nobody knows the slot.
        """
        if slot == "noun":
            return self.noun
        if slot == "my":
            return self.topic.owner
        if slot == "your":
            return "your" if self.topic.owner == "my" else "the"
        if slot == "adjective":
            return self.dice.pick(SORT_ADJECTIVES[self.topic.sort])
        if slot == "trouble":
            return expand(self.dice.pick(self.topic.troubles), self.dice, self)
        return self.extra[slot]

    def say(self, *wordings: Wording) -> str:
        """The wordings one after another as one text, each with a capital at its start."""
        return with_articles(" ".join(capitalise(expand(wording, self.dice, self)) for wording in wordings))

    def some(self, wordings: tuple[Wording, ...], n: int) -> list[Wording]:
        """Up to n different ones of the wordings, in a random order."""
        return self.dice.rng.sample(wordings, min(n, len(wordings)))


def draw(dice: Dice, **extra: str) -> Speaker:
    """Choose a noun, every noun with the same probability, and somebody who talks about it.

    Args:
        dice: makes the choices.
        **extra: more slots that the wordings may use.
    """
    noun = dice.pick(tuple(NOUNS))
    return Speaker(TOPICS[NOUNS[noun]], noun, dice, extra)
