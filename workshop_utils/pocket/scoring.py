"""Does a story keep its word? The checks that a generated text must pass against what it said itself.

The lists of the grammar make this possible: every name, animal, thing and place is known, and no word is two of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cache

from workshop_utils.pocket import words
from workshop_utils.pocket.grammar import every_text, literals, with_articles
from workshop_utils.pocket.library import OPENINGS, PLOTS, TRAITS

WORD = re.compile(r"[A-Za-z]+(?:['-][A-Za-z]+)*")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[.!?]\")\s+(?=[A-Z\"])")
_FRIEND = re.compile(rf"\b(?:{'|'.join(words.FRIENDSHIPS)}) ([A-Z][a-z]+)\b")
_NAMED = ("{name}", "{friend}", "{grown}")  # slots that a name fills
_HE, _SHE = frozenset(words.FORMS["he"].values()), frozenset(words.FORMS["she"].values())


@dataclass(frozen=True)
class Coherence:
    """What was found in one text: True is right, False is wrong, None could not be judged and never counts as right.

    Attributes:
        name: the hero is named at the beginning and again in the last three sentences, and nobody else has a name but
            one friend who was introduced as such.
        pronoun: every he, him, his, himself (or she, her, herself) is the hero's; None where there is none.
        kind: the hero is one animal or child throughout, a girl is a she and a boy a he; None where it is not said.
        object: one thing, and the same one all through: in at least three sentences, one of them among the last
            three; None where no thing is named.
        place: one place and no other; None where no place is named.
        words: every word is one that these stories know, so that a garbled one is noticed.
        finished: the last sentence is one that these stories end with, quotation marks come in pairs, no sentence is
            told twice, and there are as many as in the shortest story.
    """

    name: bool | None
    pronoun: bool | None
    kind: bool | None
    object: bool | None
    place: bool | None
    words: bool | None
    finished: bool | None

    @property
    def all(self) -> bool:
        """Everything together: every single check is True."""
        return all(getattr(self, field.name) is True for field in fields(self))


def score(text: str) -> Coherence:
    """Check one text against itself.

    Args:
        text: a story from its first word to its last, without the end-of-text token.
    """
    sentences = sentences_of(text)
    found = [[word.removesuffix("'s") for word in WORD.findall(sentence)] for sentence in sentences]
    hero = next((word for sentence in found[:2] for word in sentence if word in words.PRONOUNS), None)
    pronoun = words.PRONOUNS[hero] if hero else None
    return Coherence(
        name=_name(hero, text, found),
        pronoun=_pronoun(pronoun, found),
        kind=_kind(pronoun, found),
        object=_object(sentences),
        place=_one_of(frozenset(words.PLACES), found),
        words=all(word.lower() in known_words() for sentence in found for word in sentence) if any(found) else None,
        finished=_finished(text, sentences),
    )


def score_many(texts: Iterable[str]) -> dict[str, float]:
    """Shares of texts that pass each check, "all" for everything together, and "n", how many there were.

    What could not be judged (None) counts as wrong.

    Raises:
        ValueError: there are no texts.
    """
    scores = [score(text) for text in texts]
    if not scores:
        raise ValueError("there are 0 texts, and a share of nothing means nothing: sample at least one")
    names = [field.name for field in fields(Coherence)] + ["all"]
    return {name: sum(getattr(one, name) is True for one in scores) / len(scores) for name in names} | {
        "n": float(len(scores))
    }


def sentences_of(text: str) -> list[str]:
    """The sentences of a text; "Oh!" said Tom. is one, since a small letter goes on."""
    return [part for part in _SENTENCE_END.split(text.strip()) if part]


@cache
def known_words() -> frozenset[str]:
    """Every word that a story can hold, in small letters."""
    wordings = [*OPENINGS, *TRAITS]
    wordings += [wording for plot in PLOTS.values() for path in plot.paths().values() for b in path for wording in b]
    lists: list[str] = [*words.PRONOUNS, *words.ANIMALS, *words.PLACES, *words.PLACES.values(), *words.CHILD.values()]
    lists += [*words.BIRDS, *words.FAMILY, *words.FOLK, *words.FRIENDSHIPS, *_HE, *_SHE, *things(), "a", "an", "the"]
    return frozenset(
        word.removesuffix("'s").lower()
        for text in [*lists, *(part for wording in wordings for part in literals(wording))]
        for word in WORD.findall(text)
    )


@cache
def things() -> frozenset[str]:
    """Every object of every plot."""
    return frozenset(thing for plot in PLOTS.values() for thing in plot.objects)


@cache
def _thing_pattern() -> re.Pattern[str]:
    longest_first = sorted(things(), key=len, reverse=True)
    return re.compile(rf"(?<![\w'-])(?:{'|'.join(map(re.escape, longest_first))})(?![\w-])")


def _name(hero: str | None, text: str, found: list[list[str]]) -> bool | None:
    if hero is None:
        return None
    friends = set(_FRIEND.findall(text))
    named = {word for sentence in found for word in sentence if word in words.PRONOUNS}
    if hero in friends or len(friends) > 1 or not named <= {hero} | friends:
        return False
    return any(hero in sentence for sentence in found[-3:])


def _pronoun(pronoun: str | None, found: list[list[str]]) -> bool | None:
    used = [word.lower() for sentence in found for word in sentence if word.lower() in _HE | _SHE]
    if pronoun is None or not used:
        return None
    return all(word in words.FORMS[pronoun].values() for word in used)


def _kind(pronoun: str | None, found: list[list[str]]) -> bool | None:
    children = frozenset(words.CHILD.values())
    kinds = {word for sentence in found for word in sentence if word in words.ANIMALS or word in children}
    if pronoun is None or not kinds:
        return None
    return len(kinds) == 1 and not (kinds & children and kinds != {words.CHILD[pronoun]})


def _object(sentences: list[str]) -> bool | None:
    in_sentence = [set(_thing_pattern().findall(sentence)) for sentence in sentences]
    named = set().union(*in_sentence)
    if not named:
        return None
    return len(named) == 1 and sum(map(bool, in_sentence)) >= 3 and any(in_sentence[-3:])


def _one_of(family: frozenset[str], found: list[list[str]]) -> bool | None:
    named = {word for sentence in found for word in sentence if word in family}
    return len(named) == 1 if named else None


def _finished(text: str, sentences: list[str]) -> bool:
    long_ones = [sentence for sentence in sentences if len(sentence.split()) > 3]
    told_once = len(set(long_ones)) == len(long_ones)
    return len(sentences) >= 6 and text.count('"') % 2 == 0 and told_once and bool(_closing().fullmatch(sentences[-1]))


@cache
def _closing() -> re.Pattern[str]:
    """The sentences that a story can end with, with a gap for every slot."""
    wordings = [wording for plot in PLOTS.values() for ending in plot.endings.values() for wording in ending[-1]]
    texts = {with_articles(_marked(text)) for wording in wordings for text in every_text(wording)}
    last = sorted(re.escape(sentences_of(text)[-1]) for text in texts)
    return re.compile(
        "|".join(re.sub(r"[Ss]lot", r"[A-Za-z' -]+?", re.sub(r"\ba\\ slot", r"an?\\ slot", one)) for one in last)
    )


def _marked(text: str) -> str:
    """The text with a word in every slot, large or small as its filling: that decides where sentences end."""
    return re.sub(r"\{(\w)\w*\}", lambda slot: "Slot" if slot[1].isupper() or slot[0] in _NAMED else "slot", text)
