"""Two models' replies side by side, in an order that nobody knows: whoever knows the names sees what they hope for.

Replies of two models -> random sides -> votes -> the names. plots.blind offers it to lesson 09.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from workshop_utils.plots.chat import SideBySide, side_by_side

CHOICES = ("left", "right", "tie")
NO_VOTE, OWN_COLUMN = "no vote", "your vote"


@dataclass(frozen=True)
class Item:
    """A prompt and two replies to it, in an order that nobody knows."""

    prompt: str
    left: str
    right: str


class Blind:
    """Two models' replies side by side, without their names until reveal(); a notebook shows it at a cell's end."""

    def __init__(
        self, prompts: Sequence[str], a: Sequence[str], b: Sequence[str], names: tuple[str, str], seed: int
    ) -> None:
        """Draw the sides, each model about equally often on the left; arguments and errors are those of blind."""
        if not len(prompts) == len(a) == len(b) or not len(prompts):
            raise ValueError(
                f"there are {len(prompts)} prompts, {len(a)} replies and {len(b)} others: each prompt needs one of both"
            )
        if len({*names, *CHOICES, NO_VOTE, OWN_COLUMN}) != len(CHOICES) + 4:
            raise ValueError(f"names are {names}: choose two different ones, and none of {', '.join(CHOICES)}")
        n = len(prompts)
        self._names, self._replies, self._revealed = names, (list(a), list(b)), False
        self._swapped = random.Random(f"blind {seed}").sample([False, True] * ((n + 1) // 2), n)
        self.items = [
            Item(prompt, *((two, one) if swapped else (one, two)))
            for prompt, one, two, swapped in zip(prompts, a, b, self._swapped, strict=True)
        ]
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
            raise ValueError(
                "the names are known now, so a vote would not be blind: make a new table, with another seed"
            )
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

    def _meant(self, i: int) -> str:
        """The vote for an item, by the model's name."""
        choice = self.votes[i]
        return choice if choice == "tie" else self._names[(choice == "right") != self._swapped[i]]

    def _headline(self) -> str:
        if not self._revealed:
            return f"{len(self.votes)} of {len(self.items)} voted, names hidden until reveal()"
        return ", ".join(f"{name}: {count}" for name, count in self.counts().items())

    def _table(self) -> SideBySide:
        columns = {"left": [item.left for item in self.items], "right": [item.right for item in self.items]}
        votes = [self.votes.get(i, "-") for i in range(len(self.items))]
        if self._revealed:
            columns = dict(zip(self._names, self._replies, strict=True))
            votes = [self._meant(i) if i in self.votes else "-" for i in range(len(self.items))]
        if self.votes:
            columns[OWN_COLUMN] = votes
        return side_by_side([f"{i} · {item.prompt}" for i, item in enumerate(self.items)], columns)

    def __repr__(self) -> str:
        return f"{self._headline()}\n\n{self._table()!r}"

    def _repr_html_(self) -> str:
        return f"<p>{escape(self._headline())}</p>{self._table()._repr_html_()}"


def blind(
    prompts: Sequence[str],
    a: Sequence[str],
    b: Sequence[str],
    names: tuple[str, str] = ("before", "after"),
    seed: int = 0,
) -> Blind:
    """Two models' replies in random order, to vote on before reveal() says who is who.

    Args:
        prompts: what was asked.
        a: the replies of the first model, in the order of the prompts.
        b: those of the second.
        names: of both.
        seed: of the order.

    Raises:
        ValueError: there are not as many replies as prompts, or the names cannot be told apart.
    """
    return Blind(prompts, a, b, names, seed)
