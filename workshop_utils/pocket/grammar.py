"""A very small grammar for writing stories by chance: wordings with [this|that] choices and {slots}.

Every choice is counted in bits, so that a story knows its own entropy, and a learner knows how far the loss of a
language model can fall.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """A random generator that adds up the information of its choices.

    Attributes:
        bits: the sum of -log2(probability) over all choices made so far.
    """

    def __init__(self, rng: random.Random) -> None:
        """Start with no bits spent.

        Args:
            rng: where the randomness comes from; the caller seeds it.
        """
        self.rng = rng
        self.bits = 0.0

    def pick(self, options: Sequence[T]) -> T:
        """Choose one of the options, each with the same probability."""
        self.bits += math.log2(len(options))
        return options[self.rng.randrange(len(options))]

    def pick_weighted(self, weights: dict[T, float]) -> T:
        """Choose one of the keys, each with a probability in proportion to its weight."""
        chosen = self.rng.choices(list(weights), list(weights.values()))[0]
        self.bits -= math.log2(weights[chosen] / sum(weights.values()))
        return chosen


@dataclass(frozen=True)
class Slot:
    """A gap that the story fills: {name}, {his}, {object}; {His} is the same with a capital."""

    name: str


@dataclass(frozen=True)
class Choice:
    """One of several wordings, each a sequence of pieces."""

    options: tuple[Wording, ...]


Wording = tuple["str | Slot | Choice", ...]


@cache
def parse(template: str) -> Wording:
    """Read a wording such as "{He} [ran|walked [slowly|home]]." into its pieces.

    Args:
        template: text with {slots} and [choices|separated by bars], which may be nested.

    Raises:
        ValueError: a bracket is not closed, or closed twice.
    """
    tokens = re.findall(r"\{\w+\}|[\[\]|]|[^\[\]|{}]+|.", template, flags=re.DOTALL)
    stack: list[list[list[str | Slot | Choice]]] = [[[]]]  # for every open bracket its options so far
    for token in tokens:
        if token == "[":
            stack.append([[]])
        elif token == "]" and len(stack) > 1:
            options = stack.pop()
            stack[-1][-1].append(Choice(tuple(tuple(option) for option in options)))
        elif token == "|" and len(stack) > 1:
            stack[-1].append([])
        elif token[0] == "{" and token[-1] == "}":
            stack[-1][-1].append(Slot(token[1:-1]))
        elif token in "[]|{}":
            raise ValueError(f"a stray {token!r} in {template!r}: check that every bracket has its partner")
        else:
            stack[-1][-1].append(token)
    if len(stack) > 1:
        raise ValueError(f"a bracket stays open in {template!r}: close it with ]")
    return tuple(stack[0][0])


def expand(wording: Wording, dice: Dice, fill: Callable[[str], str]) -> str:
    """Write one text of the many that a wording allows.

    Args:
        wording: what parse() returned.
        dice: makes the choices and counts their bits.
        fill: gives the text of a slot, by its lower-case name.
    """
    text = []
    for piece in wording:
        if isinstance(piece, str):
            text.append(piece)
        elif isinstance(piece, Choice):
            text.append(expand(dice.pick(piece.options), dice, fill))
        else:
            value = fill(piece.name[0].lower() + piece.name[1:])
            text.append(capitalise(value) if piece.name[0].isupper() else value)
    return "".join(text)


def every_text(wording: Wording) -> Iterator[str]:
    """All texts that a wording allows, with its slots left as they are, in a fixed order."""
    if not wording:
        yield ""
        return
    first, rest = wording[0], wording[1:]
    if isinstance(first, Choice):
        heads: Iterator[str] = (text for option in first.options for text in every_text(option))
    else:
        heads = iter(["{" + first.name + "}" if isinstance(first, Slot) else first])
    for head in heads:
        for tail in every_text(rest):
            yield head + tail


def literals(wording: Wording) -> Iterator[str]:
    """Every piece of fixed text in a wording, whatever would be chosen."""
    for piece in wording:
        if isinstance(piece, str):
            yield piece
        elif isinstance(piece, Choice):
            for option in piece.options:
                yield from literals(option)


def capitalise(text: str) -> str:
    """The text with its first letter large, the rest as it is."""
    return text[:1].upper() + text[1:]


def with_articles(text: str) -> str:
    """Turn "a" into "an" where the next word asks for it: "a owl" becomes "an owl".

    Templates write "a" everywhere, since they do not know which word a choice will put behind it.
    """
    return re.sub(r"\b([Aa]) (?=[aeiouAEIOU])(?!uni|use|uku|one\b)", r"\1n ", text)
