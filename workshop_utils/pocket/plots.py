"""How a plot is written down: like a picture book's manuscript, one wording a line, beats apart by blank lines."""

from __future__ import annotations

from dataclasses import dataclass

from workshop_utils.pocket.grammar import Wording, parse

Beat = tuple[Wording, ...]


@dataclass(frozen=True)
class Plot:
    """One problem, the ways it can end, and every wording of every sentence on the way.

    Attributes:
        name: a short name, "lost toy".
        problem: what goes wrong, with the slots of the story in it.
        objects: the things that this story can be about.
        places: where it can happen.
        beats: what happens until the ending begins; of each beat one wording is told.
        endings: the beats of every ending, by what happens in it.
        not_for: animals that would make no sense here (an otter does not learn to swim).
    """

    name: str
    problem: str
    objects: tuple[str, ...]
    places: tuple[str, ...]
    beats: tuple[Beat, ...]
    endings: dict[str, tuple[Beat, ...]]
    not_for: frozenset[str] = frozenset()

    def paths(self) -> dict[str, tuple[Beat, ...]]:
        """All beats in order, for every ending."""
        return {label: self.beats + ending for label, ending in self.endings.items()}


def plot(
    name: str,
    problem: str,
    objects: str,
    places: tuple[str, ...],
    manuscript: str,
    not_for: frozenset[str] = frozenset(),
) -> Plot:
    """Read a plot from its manuscript.

    Args:
        name: a short name.
        problem: what goes wrong, may hold {object} and {place}.
        objects: the things the story can be about, separated by commas.
        places: where it can happen.
        manuscript: "- " begins a wording (it may go on in the next line), an empty line ends a beat, and
            "= label" begins an ending.
        not_for: animals that this story is not told about.
    """
    begun, *endings = manuscript.strip().split("\n= ")
    told = {label.strip(): _beats(beats) for label, _, beats in (ending.partition("\n") for ending in endings)}
    return Plot(name, problem, tuple(part.strip() for part in objects.split(",")), places, _beats(begun), told, not_for)


def _beats(manuscript: str) -> tuple[Beat, ...]:
    beats = []
    for block in manuscript.strip().split("\n\n"):
        wordings = block.strip().removeprefix("- ").split("\n- ")
        beats.append(tuple(parse(" ".join(wording.split())) for wording in wordings))
    return tuple(beats)
