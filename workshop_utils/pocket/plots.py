"""How a plot is written down: like a picture book's manuscript, one wording a line, beats apart by blank lines.

The manuscripts themselves are texts/plots_*.txt.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from workshop_utils.pocket import words
from workshop_utils.pocket.grammar import Wording, parse

Beat = tuple[Wording, ...]
# What stands for many places or animals at once in a manuscript.
GROUPS: dict[str, tuple[str, ...]] = {
    "anywhere": tuple(words.PLACES),
    "indoors": words.INDOORS,
    "outdoors": words.OUTDOORS,
    "waterside": words.WATERSIDE,
    "swimmers": tuple(words.SWIMMERS),
}


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


def manuscripts(text: str) -> Iterator[tuple[str, dict[str, str], str]]:
    """Part a file of manuscripts: "# name", lines of "key: value", an empty line, and the wordings.

    Args:
        text: of the file; what stands above the first "# " tells people what is in it.

    Yields:
        the name, the values under their keys, and the wordings of each.
    """
    for manuscript in text.split("\n# ")[1:]:
        head, _, wordings = manuscript.strip().partition("\n\n")
        name, *lines = head.split("\n")
        yield name, dict(line.split(": ", 1) for line in lines), wordings


def plots(text: str) -> list[Plot]:
    """Read plots from their manuscripts.

    Args:
        text: each with its problem, which may hold {object} and {place}; its objects; its places, where "not" takes one
            out of GROUPS; and "not for", the animals that the story is not told about. In the wordings, "- " begins one
            (it may go on in the next line), an empty line ends a beat, and "= label" begins an ending.
    """
    found = []
    for name, head, wordings in manuscripts(text):
        begun, *endings = wordings.strip().split("\n= ")
        told = {label.strip(): _beats(beats) for label, _, beats in (ending.partition("\n") for ending in endings)}
        objects, not_for = tuple(head["objects"].split(", ")), frozenset(_listed(head.get("not for", "")))
        found.append(Plot(name, head["problem"], objects, _listed(head["places"]), _beats(begun), told, not_for))
    return found


def _listed(text: str) -> tuple[str, ...]:
    """Words with the groups among them written out, without those that a "not" takes out again."""
    parts = [part for part in text.split(", ") if part]
    out = {part.removeprefix("not ") for part in parts if part.startswith("not ")}
    named = (word for part in parts if not part.startswith("not ") for word in GROUPS.get(part, (part,)))
    return tuple(word for word in named if word not in out)


def _beats(manuscript: str) -> tuple[Beat, ...]:
    beats = []
    for block in manuscript.strip().split("\n\n"):
        wordings = block.strip().removeprefix("- ").split("\n- ")
        beats.append(tuple(parse(" ".join(wording.split())) for wording in wordings))
    return tuple(beats)
