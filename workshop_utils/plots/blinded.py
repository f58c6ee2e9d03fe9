"""Models' replies side by side: with their names, or in an order that nobody knows, for a vote.

Whoever knows the names sees what they hope for: replies of two models -> random sides -> votes -> the names.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from html import escape
from textwrap import fill, indent
from typing import NamedTuple

NOTHING = "(nothing)"
CHOICES = ("left", "right", "tie")
NO_VOTE, OWN_COLUMN = "no vote", "your vote"


class SideBySide:
    """What several models answered to the same prompts; a notebook shows it when a cell ends with it."""

    def __init__(self, prompts: Sequence[str], columns: Mapping[str, Sequence[str]]) -> None:
        """Keep the answers.

        Args:
            prompts: what was asked, a row each.
            columns: for each model its answers, in the order of the prompts.

        Raises:
            ValueError: a model has more or fewer answers than there are prompts.
        """
        wrong = {name: len(texts) for name, texts in columns.items() if len(texts) != len(prompts)}
        if wrong:
            raise ValueError(f"{len(prompts)} prompts, and answers {wrong}: give one answer for each prompt")
        self.prompts = list(prompts)
        self.columns = {name: list(texts) for name, texts in columns.items()}

    def __repr__(self) -> str:
        blocks = []
        for prompt, *texts in zip(self.prompts, *self.columns.values(), strict=True):
            named = zip(self.columns, texts, strict=True)
            answers = [f"  {name}:\n{_wrapped(text or NOTHING, 4)}" for name, text in named]
            blocks.append("\n".join([_wrapped(prompt, 0), *answers]))
        return "\n\n".join(blocks)

    def _repr_html_(self) -> str:
        # No colour of its own but a half-transparent line: text and paper are the page's, light or dark.
        cell = (
            "text-align:left;vertical-align:top;white-space:normal;overflow-wrap:anywhere;padding:6px 10px;"
            f"border-bottom:1px solid rgba(128,128,128,.4);width:{100 / (len(self.columns) + 1):.0f}%"
        )
        rows = "".join(f'<th style="{cell}">{escape(name)}</th>' for name in ("prompt", *self.columns))
        for prompt, *texts in zip(self.prompts, *self.columns.values(), strict=True):
            shown = [f"<b>{_html(prompt)}</b>", *map(_html, texts)]
            rows += "</tr><tr>" + "".join(f'<td style="{cell}">{text}</td>' for text in shown)
        return f'<table style="table-layout:fixed;width:100%"><tr>{rows}</tr></table>'


def _html(text: str) -> str:
    return escape(text).replace("\n", "<br>") or f"<i>{NOTHING}</i>"


def _wrapped(text: str, by: int) -> str:
    """Every line of a text wrapped at 100 characters, and indented."""
    return indent("\n".join(fill(line, 100 - by) for line in text.split("\n")), " " * by)


class Item(NamedTuple):
    """A prompt and two replies to it, in an order that nobody knows."""

    prompt: str
    left: str
    right: str


class Blind:
    """Two models' replies side by side, without their names until reveal(); a notebook shows it at a cell's end."""

    def __init__(
        self,
        prompts: Sequence[str],
        a: Sequence[str],
        b: Sequence[str],
        names: tuple[str, str] = ("before", "after"),
        seed: int = 0,
    ) -> None:
        """Draw the sides, each model about equally often on the left.

        Args:
            prompts: what was asked.
            a: the replies of the first model, in the order of the prompts.
            b: those of the second.
            names: of both.
            seed: of the order.

        Raises:
            ValueError: there are not as many replies as prompts, or the names cannot be told apart.
        """
        n = len(prompts)
        if not 0 < n == len(a) == len(b):
            raise ValueError(f"there are {n} prompts, {len(a)} replies and {len(b)} others: each prompt needs both")
        if len({*names, *CHOICES, NO_VOTE, OWN_COLUMN}) != len(CHOICES) + 4:
            raise ValueError(f"names are {names}: choose two different ones, and none of {', '.join(CHOICES)}")
        self._names, self._replies, self._revealed = names, (list(a), list(b)), False
        self._swapped = random.Random(f"blind {seed}").sample([False, True] * ((n + 1) // 2), n)
        sides = zip(prompts, a, b, self._swapped, strict=True)
        self.items = [Item(prompt, *((y, x) if swapped else (x, y))) for prompt, x, y, swapped in sides]
        self.votes: dict[int, str] = {}

    def vote(self, i: int, choice: str) -> None:
        """Say which reply is better; before the reveal a vote can be changed.

        Args:
            i: number of the item, from 0.
            choice: "left", "right" or "tie".

        Raises:
            ValueError: there is no such item or choice, or the names are known already.
        """
        if self._revealed:
            raise ValueError("the names are known, so a vote would not be blind: make a new table, with another seed")
        if choice not in CHOICES or i not in range(len(self.items)):
            raise ValueError(
                f"vote({i!r}, {choice!r}) cannot be counted: the items are 0 to {len(self.items) - 1}, and a vote is "
                f"{', '.join(map(repr, CHOICES))}"
            )
        self.votes[i] = choice

    def reveal(self) -> Blind:
        """Put the names to the replies, once and for all; returns itself, to be shown."""
        self._revealed = True
        return self

    def counts(self) -> dict[str, int]:
        """How often each model was voted for, the ties, and the items without a vote.

        Raises:
            ValueError: not revealed yet.
        """
        if not self._revealed:
            raise ValueError("whoever knows the counts can guess the names: vote first, then call reveal()")
        said = [self._meant(i) for i in self.votes]
        return {name: said.count(name) for name in (*self._names, "tie")} | {NO_VOTE: len(self.items) - len(said)}

    def outcomes(self) -> list[str | None]:
        """For each item "a" (the first model), "b" or "tie" as it was voted for, None without a vote.

        Raises:
            ValueError: not revealed yet.
        """
        self.counts()
        meaning = {self._names[0]: "a", self._names[1]: "b", "tie": "tie"}
        return [meaning.get(self._meant(i)) for i in range(len(self.items))]

    def _meant(self, i: int) -> str:
        """The vote for an item: by the model's name once that is known, "-" if there is none."""
        choice = self.votes.get(i, "-")
        if not self._revealed or choice not in ("left", "right"):
            return choice
        return self._names[(choice == "right") != self._swapped[i]]

    def _headline(self) -> str:
        if not self._revealed:
            return f"{len(self.votes)} of {len(self.items)} voted, names hidden until reveal()"
        return ", ".join(f"{name}: {count}" for name, count in self.counts().items())

    def _table(self) -> SideBySide:
        columns = {"left": [item.left for item in self.items], "right": [item.right for item in self.items]}
        if self._revealed:
            columns = dict(zip(self._names, self._replies, strict=True))
        if self.votes:
            columns[OWN_COLUMN] = [self._meant(i) for i in range(len(self.items))]
        return SideBySide([f"{i} · {item.prompt}" for i, item in enumerate(self.items)], columns)

    def __repr__(self) -> str:
        return f"{self._headline()}\n\n{self._table()!r}"

    def _repr_html_(self) -> str:
        return f"<p>{escape(self._headline())}</p>{self._table()._repr_html_()}"
