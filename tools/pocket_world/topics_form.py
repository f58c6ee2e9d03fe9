"""How a topic of everyday life is written down: its nouns, what goes wrong with them, what one wishes, what helps.

The data stands in topics_kitchen.py and its neighbours, topics.py collects it, and posts, letters and chats draw on it.
"""

from __future__ import annotations

from dataclasses import dataclass

from workshop_utils.pocket.grammar import Wording, parse

SORTS = ("thing", "public", "person", "animal", "event", "ache")


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


def topic(name: str, sort: str, owner: str, nouns: str, manuscript: str) -> Topic:
    """Read a topic from its manuscript.

    Args:
        name: a short name.
        sort: one of SORTS.
        owner: "my" or "the".
        nouns: separated by commas.
        manuscript: one wording a line after "- ": the troubles first, "= wishes" and "= tips" begin the other two.

    Raises:
        ValueError: the sort or the owner is none of the known ones.
    """
    if sort not in SORTS or owner not in ("my", "the"):
        raise ValueError(f"topic {name!r} has sort {sort!r} and owner {owner!r}: choose from {SORTS}, and my or the")
    troubles, rest = manuscript.split("= wishes")
    wishes, tips = rest.split("= tips")
    words = tuple(noun.strip() for noun in nouns.split(","))
    return Topic(name, sort, owner, words, _wordings(troubles), _wordings(wishes), _wordings(tips))


def _wordings(lines: str) -> tuple[Wording, ...]:
    return tuple(parse(line.strip().removeprefix("- ")) for line in lines.strip().split("\n"))
