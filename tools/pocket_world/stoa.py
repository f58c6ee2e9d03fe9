"""What Stoics wrote: letters, a diary, tales and sayings about the things of everyday life, for the base model only.

None of it has the shape of an answer in a chat. Every topic has sayings of its own, and general sayings that it prefers
to others, so that a reader learns which thought goes with which thing. Nouns that the Stoic set holds out never occur.
"""

from __future__ import annotations

import random
import re
from functools import cache

from pocket_world import stoic
from pocket_world.posts import MUSINGS, MUSINGS_LAST
from pocket_world.reading import wordings
from pocket_world.topics import NOUNS, TOPICS, Speaker, Topic
from workshop_utils.lessons import stoic_set
from workshop_utils.pocket import words
from workshop_utils.pocket.grammar import Dice, Wording, capitalise, every_text, expand, with_articles

_SAID = wordings("stoa")
ANY = _SAID["any"]
GENRES = {"letter": 0.4, "diary": 0.25, "told": 0.25, "sayings": 0.1}
OWNERS = {"letter": "your", "told": "your", "diary": "my", "sayings": "the"}
PREFERRED = 6  # general sayings of each sort that a topic prefers
MIN_WORDS, MAX_WORDS = 22, 85
_TO_READER = re.compile(r"\b(?:you|yours?|yourself)\b", re.IGNORECASE)
_OF_SELF = re.compile(r"\b(?:I|me|my|mine|we|us|our)\b")


def held_out_nouns() -> frozenset[str]:
    """The nouns that no Stoic text is about: every fifth, and all topics that the Stoic set holds out."""
    return frozenset(sorted(NOUNS)[::5]) | frozenset(stoic_set.HELD_OUT_TOPICS)


@cache
def _nouns() -> tuple[str, ...]:
    return tuple(noun for noun in NOUNS if noun not in held_out_nouns())


@cache
def preferred(topic: str) -> dict[str, tuple[Wording, ...]]:
    """The sayings that go with a topic: its own, and some of those that fit its sort, or any noun."""
    rng = random.Random(f"stoa {topic}")

    def some(wordings: tuple[Wording, ...], n: int) -> tuple[Wording, ...]:
        return tuple(rng.sample(wordings, min(n, len(wordings))))

    return {
        "own": _SAID.get(topic, ()),
        "sort": some(_SAID[TOPICS[topic].sort], 3),
        "any": some(_SAID["any"], PREFERRED) + some(stoic.SECOND, PREFERRED) + some(stoic.LAST, PREFERRED),
    }


def draw(dice: Dice, **extra: str) -> Speaker:
    """A noun that is not held out, and somebody who talks about it."""
    noun = dice.pick(_nouns())
    return Speaker(TOPICS[NOUNS[noun]], noun, dice, extra)


def sayings(speaker: Speaker, n: int, owner: str) -> list[str]:
    """So many different Stoic thoughts about a noun, the first one mostly the topic's own."""
    dice, known = speaker.dice, preferred(speaker.topic.name)
    general = stoic.SECOND + stoic.LAST + _SAID["any"] + _SAID[speaker.topic.sort]
    found: list[str] = []
    pools = [known["own"] or known["sort"]] if dice.rng.random() < 0.75 else []
    while len(found) < n:
        pool = pools.pop() if pools else dice.pick((known["own"], known["sort"], known["any"], known["any"], general))
        if not pool:
            continue
        wording = dice.pick(pool)
        if owner == "my" and _TO_READER.search("".join(_every(wording))):
            continue
        text = said(speaker, wording, owner)
        if text not in found:
            found.append(text)
    if dice.pick((True, False)):
        dice.rng.shuffle(found)
    return found


def said(speaker: Speaker, wording: Wording, owner: str) -> str:
    """A wording about the speaker's noun, whose owner is "my", "your" or "the"; troubles are told to fit."""
    whose = owner if speaker.topic.owner == "my" else "the"

    def fill(slot: str) -> str:
        if slot == "the":
            return "the"
        if slot in ("my", "your"):
            return whose
        if slot == "noun":
            return speaker.noun
        if slot == "trouble":
            return trouble(speaker, owner)
        return speaker(slot)

    return capitalise(with_articles(expand(wording, speaker.dice, fill)))


def trouble(speaker: Speaker, owner: str) -> str:
    """One trouble of the topic; told to "you" only where nothing in it is said by an "I"."""
    dice = speaker.dice
    while True:
        text = expand(dice.pick(speaker.topic.troubles), dice, lambda slot: _UNSET.get(slot, slot))
        if owner == "my" or not _OF_SELF.search(text):
            whose = owner if speaker.topic.owner == "my" else "the"
            return text.replace(_UNSET["my"], whose).replace(_UNSET["noun"], speaker.noun)
        if not any(not _OF_SELF.search(one) for one in _plain(speaker.topic)):
            return f"{owner if speaker.topic.owner == 'my' else 'the'} {speaker.noun} is a trouble again"


_UNSET = {"my": "\x01", "noun": "\x02"}


@cache
def _plain_of(name: str) -> tuple[str, ...]:
    return tuple(re.sub(r"\{\w+\}", "_", text) for one in TOPICS[name].troubles for text in every_text(one))


def _plain(topic: Topic) -> tuple[str, ...]:
    return _plain_of(topic.name)


@cache
def _every(wording: Wording) -> tuple[str, ...]:
    return tuple(re.sub(r"\{\w+\}", "_", text) + " " for text in every_text(wording))


def stoa(rng: random.Random) -> str:
    """One text by or about a Stoic.

    Args:
        rng: the source of randomness.
    """
    dice = Dice(rng)
    while True:
        genre = dice.pick_weighted(GENRES)
        speaker = draw(dice)
        text = _WRITERS[genre](speaker, OWNERS[genre])
        if MIN_WORDS <= len(text.split()) <= MAX_WORDS and len(stoic.stems_in(text)) > 1:
            return text


def _letter(speaker: Speaker, owner: str) -> str:
    dice = speaker.dice
    friend = dice.pick(("Lucilius", "my friend", *("{name}",) * 3)).format(name=dice.pick_weighted(words.POPULARITY))
    body = [said(speaker, dice.pick(_SAID["opening letter"]), owner), *sayings(speaker, dice.pick((2, 2, 3)), owner)]
    if dice.pick((True, False)):
        body.append(said(speaker, dice.pick(_SAID["closing"]), owner))
    sender = dice.pick(("Seneca", "Seneca", "Your Stoic", "Marcus", ""))
    head, foot = (
        dice.pick((f"Dear {friend},\n", f"{sender or 'Seneca'} to {friend}:\n")),
        f"\n{sender}" if sender else "",
    )
    return f"{head}{' '.join(body)}{foot}"


def _diary(speaker: Speaker, owner: str) -> str:
    dice = speaker.dice
    body = [said(speaker, dice.pick(_SAID["opening diary"]), owner), *sayings(speaker, dice.pick((2, 3)), owner)]
    last = dice.pick((*MUSINGS, *MUSINGS_LAST, None))
    return " ".join(body + ([said(speaker, last, owner)] if last else []))


def _told(speaker: Speaker, owner: str) -> str:
    dice = speaker.dice
    lines = [said(speaker, dice.pick(_SAID["opening told"]), "my")]
    thoughts = sayings(speaker, dice.pick((2, 2, 3)), owner)
    speaker.extra["saying"] = " ".join(thoughts)
    if dice.pick((True, False)):
        lines.append(said(speaker, dice.pick(_SAID["told"][:2]), owner))
    closing = expand(_SAID["told"][2], dice, speaker)
    return " ".join([*lines, closing])


def _sayings(speaker: Speaker, owner: str) -> str:
    dice = speaker.dice
    mark = dice.pick(("- ", "* ", ""))
    head = dice.pick(("Sayings of the Stoics", "What Epictetus said", "From the book of Marcus", "Words of wisdom"))
    return "\n".join([f"{head}:", *(mark + one for one in sayings(speaker, dice.pick((3, 4)), owner))])


_WRITERS = {"letter": _letter, "diary": _diary, "told": _told, "sayings": _sayings}
