"""Runs of words that occur on both sides of a split: what a model may have seen before it is tested."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from textwrap import shorten
from typing import Protocol

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


class Exchange(Protocol):
    """Something said and its answer, such as a pair of the Stoic set."""

    @property
    def prompt(self) -> str:
        """What is said."""

    @property
    def answer(self) -> str:
        """What is answered."""


def words(text: str) -> list[str]:
    """The words of a text in small letters, without punctuation."""
    return _WORD.findall(text.replace("’", "'").lower())


def runs_of(text: list[str], n: int) -> list[tuple[str, ...]]:
    """All runs of n words in a text, in their order."""
    return [tuple(text[at : at + n]) for at in range(len(text) - n + 1)]


def overlaps(
    train: Sequence[str | Exchange], held_out: Sequence[str | Exchange], n: int = 6
) -> list[tuple[int, int, str]]:
    """Find what shares a run of words on both sides, in a text or in prompt and answer: it could be remembered.

    Args:
        train: what is trained on.
        held_out: what is tested.
        n: how many words in a row are too many. A text of fewer words is looked for as a whole.

    Returns:
        for each overlap the row in train and the row in held_out, counted from 0, and the longest shared run.

    Raises:
        ValueError: n is below 2.

    Source: word n-gram overlap, as in the decontamination of GPT-3's test sets (Brown et al. 2020, appendix C, where
    n is 8 to 13); our texts are shorter, and so is n.
    """
    if n < 2:
        raise ValueError(f"n is {n}: a single word in common is no leak, choose 2 or more; 6 is usual here")
    tested = [_texts(one) for one in held_out]
    found = []
    for i, one in enumerate(train):
        learnt = _texts(one)
        for j, texts in enumerate(tested):
            longest = max((_shared(mine, other, n) for mine in learnt for other in texts), key=len)
            if longest:
                found.append((i, j, " ".join(longest)))
    return found


def leakage(train: Sequence[str | Exchange], test: Sequence[str | Exchange], n: int = 6) -> list[str]:
    """The overlaps as sentences, none where all is well.

    Args:
        train: texts, or exchanges such as the pairs of the Stoic set.
        test: the same.
        n: as for overlaps.

    Raises:
        ValueError: as for overlaps.
    """
    return [
        f"training row {i} and test row {j} share {shorten(run, 80, placeholder=' ...')!r}: a good result there may be "
        "remembered, take one of them out"
        for i, j, run in overlaps(train, test, n)
    ]


def _shared(one: list[str], other: list[str], n: int) -> list[str]:
    """The longest run of words in both texts, if it has n words or is the whole of a shorter text; else nothing."""
    size = min(n, len(one), len(other))
    if size == 0 or set(runs_of(one, size)).isdisjoint(runs_of(other, size)):  # quick, and so for nearly all
        return []
    match = SequenceMatcher(None, one, other, autojunk=False).find_longest_match()
    return one[match.a : match.a + match.size]


def _texts(one: str | Exchange) -> list[list[str]]:
    return [words(text) for text in ([one] if isinstance(one, str) else [one.prompt, one.answer])]
