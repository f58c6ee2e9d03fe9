"""Every topic of everyday life that posts, letters, advice and the Stoic talk about, and where each noun belongs.

They are texts/topics_*.txt.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pocket_world.reading import read, sections
from workshop_utils.pocket.grammar import Dice, Wording, capitalise, expand, parse, with_articles
from workshop_utils.pocket.plots import manuscripts

SORTS = ("thing", "public", "person", "animal", "event", "ache")
PARTS = ("kitchen", "clothes", "home", "tech", "travel", "people", "school", "body", "play", "outdoors")


@dataclass(frozen=True)
class Topic:
    """Some nouns that fit the same sentences, and the sentences.

    Attributes:
        name: a short name, "shoes".
        sort: one of SORTS; says which general sentences fit: a thing one owns, a thing that is everybody's,
            a person, an animal, something that takes place, something of one's own body.
        owner: "my" or "the", what the speaker says in front of the noun.
        nouns: single words in the singular, all of them good in every sentence of the topic.
        troubles: clauses without a capital or a full stop whose subject is the noun, with {my} and {noun}.
        wishes: whole sentences about what follows or what one would like, with {my} and perhaps {noun}.
        tips: whole sentences of advice, with {your} and {noun}.
    """

    name: str
    sort: str
    owner: str
    nouns: tuple[str, ...]
    troubles: tuple[Wording, ...]
    wishes: tuple[Wording, ...]
    tips: tuple[Wording, ...]


def topics(text: str) -> list[Topic]:
    """Read topics from their manuscripts.

    Args:
        text: each with its sort, its owner, its nouns, and one wording a line: the troubles first, "= wishes" and
            "= tips" begin the other two.

    Raises:
        ValueError: the sort or the owner is none of the known ones.
    """
    found = []
    for name, head, body in manuscripts(text):
        sort, owner = head["sort"], head["owner"]
        if sort not in SORTS or owner not in ("my", "the"):
            raise ValueError(
                f"topic {name!r} has sort {sort!r} and owner {owner!r}: choose from {SORTS}, and my or the"
            )
        troubles, wishes, tips = (tuple(map(parse, sections(body)[part])) for part in ("", "wishes", "tips"))
        found.append(Topic(name, sort, owner, tuple(head["nouns"].split(", ")), troubles, wishes, tips))
    return found


TOPICS: dict[str, Topic] = {topic.name: topic for part in PARTS for topic in topics(read(f"topics_{part}"))}
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
