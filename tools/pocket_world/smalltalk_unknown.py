"""How something that a very small model cannot know is written down."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Unknown:
    """Something that the model cannot know.

    Attributes:
        subjects: what {it} may be; empty for a sum, which the dice make up.
        prompts: how it is asked for, in training.
        held_out: how it is asked for, never in training.
        about: what the model says that it does not know.
    """

    subjects: tuple[str, ...]
    prompts: tuple[str, ...]
    held_out: tuple[str, ...]
    about: str


def split_words(text: str) -> tuple[str, ...]:
    """The parts of a text between its commas."""
    return tuple(" ".join(part.split()) for part in text.split(","))
