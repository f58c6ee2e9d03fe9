"""Short stories for small children, written by a seeded grammar, that know their own truth.

First in the way of the data: stories -> tokens -> token file -> GPT. Because every story knows its hero, thing and
place, what a model writes can be scored (scoring.py), and because every random choice is counted in bits, the lowest
loss that any model can reach is known.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workshop_utils.pocket import words
from workshop_utils.pocket.grammar import Dice, Wording, capitalise, expand, with_articles
from workshop_utils.pocket.library import OPENINGS, PLOTS, TRAITS
from workshop_utils.pocket.plots import Plot
from workshop_utils.pocket.scoring import Coherence, score, score_many

if TYPE_CHECKING:
    import tiktoken

__all__ = ["PROMPT", "Coherence", "Story", "entropy_per_token", "score", "score_many", "stories", "story", "texts"]

PROMPT = "Once upon a time"


@dataclass(frozen=True)
class Story:
    """One story and what is true in it.

    Attributes:
        text: the story, one paragraph, no space at either end.
        name: the hero's name.
        pronoun: "he" or "she".
        kind: what the hero is: "girl", "boy", "fox", ...
        object: the thing that the story is about, "kite".
        place: where it happens, without its article, "garden".
        problem: what goes wrong, as a sentence without a full stop.
        ending: how it ends, in a few words.
        plot: the name of the plot.
        friend: the name of the hero's friend, None where nobody comes along.
        bits: -log2 of the probability of the choices made, and so of the text.
    """

    text: str
    name: str
    pronoun: str
    kind: str
    object: str
    place: str
    problem: str
    ending: str
    plot: str
    friend: str | None
    bits: float


class _Cast:
    """Who and what a story is about; minor characters are drawn only when a wording asks for them."""

    def __init__(self, plot: Plot, dice: Dice, name: str | None, kind: str | None) -> None:
        self.dice = dice
        self.name = name or dice.pick_weighted(words.POPULARITY)
        self.pronoun = words.PRONOUNS[self.name]
        self.kind = kind or self._kind(plot)
        self.object = dice.pick(plot.objects)
        self.place = dice.pick(plot.places)
        self.friend: str | None = None
        self.known = {
            **words.FORMS[self.pronoun],
            "name": self.name,
            "kind": self.kind,
            "object": self.object,
            "place": f"the {self.place}",
            "at": f"{words.PLACES[self.place]} {self.place}",
        }

    def __call__(self, slot: str) -> str:
        """The text of a slot, drawn once and then remembered."""
        if slot == "friend":
            return self._friend()
        if slot == "trait":
            return expand(self.dice.pick(TRAITS), self.dice, self)
        if slot not in self.known:
            self.known[slot] = self.dice.pick(MINOR[slot])
        return self.known[slot]

    def _kind(self, plot: Plot) -> str:
        animals = tuple(animal for animal in words.ANIMALS if animal not in plot.not_for)
        is_child = self.dice.pick((True, False, False))
        return words.CHILD[self.pronoun] if is_child else self.dice.pick(animals)

    def _friend(self) -> str:
        """The friend is introduced once ("her cousin Ben") and has a name after that ("Ben")."""
        if self.friend is not None:
            return self.friend
        self.friend = self.dice.pick_weighted({name: p for name, p in words.POPULARITY.items() if name != self.name})
        return f"{words.FORMS[self.pronoun]['his']} {self.dice.pick(words.FRIENDSHIPS)} {self.friend}"


MINOR = {"bird": words.BIRDS, "grown": words.FAMILY, "folk": words.FOLK}


def story(
    rng: random.Random,
    plot: str | Plot | None = None,
    name: str | None = None,
    kind: str | None = None,
    openings: tuple[Wording, ...] = OPENINGS,
) -> Story:
    """Make up one story.

    Args:
        rng: the source of randomness; the same state gives the same story.
        plot: the name of the plot, or one that was put together from parts of another; any one by default.
        name: the hero's name, one of words.PRONOUNS; any one by default.
        kind: what the hero is, one of words.ANIMALS, "girl" or "boy"; any one by default.
        openings: how it may begin.

    Raises:
        ValueError: there is no such plot, name or kind, or that kind of hero is not for that plot.
    """
    if isinstance(plot, str) and plot not in PLOTS:
        raise ValueError(f"there is no plot called {plot!r}: choose one of {', '.join(PLOTS)}")
    if name is not None and name not in words.PRONOUNS:
        raise ValueError(f"nobody is called {name!r} in these stories: take a name from words.PRONOUNS")
    plots = tuple(one for one in (PLOTS.values() if plot is None else [_plot(plot)]) if kind not in one.not_for)
    if kind is not None and (kind not in (*words.ANIMALS, *words.CHILD.values()) or not plots):
        raise ValueError(
            f"no story can be told about {kind!r} here: take an animal from words.ANIMALS, or another plot"
        )
    dice = Dice(rng)
    chosen = _plot(plot) if plot is not None else dice.pick(plots)
    ending = dice.pick(tuple(chosen.endings))
    cast = _Cast(chosen, dice, name, kind)
    beats = (openings, *chosen.paths()[ending])
    sentences = [capitalise(expand(dice.pick(beat), dice, cast)) for beat in beats]
    return Story(
        text=with_articles(" ".join(sentences)),
        name=cast.name,
        pronoun=cast.pronoun,
        kind=cast.kind,
        object=cast.object,
        place=cast.place,
        problem=chosen.problem.format(object=cast.object, place=f"the {cast.place}", name=cast.name),
        ending=ending,
        plot=chosen.name,
        friend=cast.friend,
        bits=dice.bits,
    )


def _plot(plot: str | Plot) -> Plot:
    return PLOTS[plot] if isinstance(plot, str) else plot


def stories(n: int, seed: int = 0) -> Iterator[Story]:
    """The first n stories of a seed, no two with the same text.

    Args:
        n: how many; a longer run begins with the shorter one.
        seed: another seed tells other stories.
    """
    rng = random.Random(seed)
    told: set[str] = set()
    while len(told) < n:
        new = story(rng)
        if new.text not in told:
            told.add(new.text)
            yield new


def texts(n: int, seed: int = 0) -> Iterator[str]:
    """The texts of stories(n, seed)."""
    return (one.text for one in stories(n, seed))


def entropy_per_token(encoding: tiktoken.Encoding, n: int = 2000, seed: int = 1) -> float:
    """The lowest loss that any model can reach on these stories, in nats per token.

    A model that knew the grammar by heart would still have to guess each random choice. The mean of Story.bits is the
    entropy of a story, exactly as long as no text can be written in two ways (else the entropy is a little lower), so
    a trained model's loss stays above this line but for chance.

    Args:
        encoding: the tokenizer in which the loss is counted.
        n: how many stories the mean is taken over.
        seed: of these stories.

    Returns:
        nats per predicted token of document-aligned rows, the end-of-text token included.

    Source: Shannon, "A Mathematical Theory of Communication", 1948.
    """
    nats = n_tokens = 0.0
    for one in stories(n, seed):
        nats += one.bits * math.log(2)
        n_tokens += len(encoding.encode_ordinary(one.text)) + 1  # one more for end-of-text
    return nats / n_tokens
