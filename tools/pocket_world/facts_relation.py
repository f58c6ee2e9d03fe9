"""How a family of facts is written down: who goes with what, and how it is stated, asked and answered.

A question is either written out in full, or it is a clause ("what a baby {subject} is called") put into frames that all
relations share, so that the same few ways of asking are met with every kind of fact.
"""

from __future__ import annotations

from dataclasses import dataclass

FRAMES = (
    "Do you know {clause}?",
    "Can you tell me {clause}?",
    "Tell me {clause}.",
    "Please tell me {clause}.",
    "I forgot {clause}.",
)
HELD_OUT_FRAMES = (
    "I would like to know {clause}.",
    "Could you say {clause}?",
    "I wonder {clause}.",
)


@dataclass(frozen=True)
class Relation:
    """Facts of one kind; the templates hold {subject} and {answer}.

    Attributes:
        name: a short name, "young".
        about: what the facts are about, as a heading has it: "baby animals".
        clause: the question as a part of a sentence: "what a baby {subject} is called".
        facts: the one right answer for every subject.
        statements: sentences that say a fact, for the base model's prose.
        questions: ways to ask that a model is trained on.
        held_out_questions: ways to ask that it never sees in training.
        replies: answers in a whole sentence; they begin small and are given their capital later.
    """

    name: str
    about: str
    clause: str
    facts: dict[str, str]
    statements: tuple[str, ...]
    questions: tuple[str, ...]
    held_out_questions: tuple[str, ...]
    replies: tuple[str, ...]


def relation(
    name: str,
    about: str,
    facts: dict[str, str],
    clause: str,
    statements: str,
    questions: str,
    held_out: str,
    replies: str,
) -> Relation:
    """Read a relation from its manuscript: one wording a line.

    Args:
        name: a short name.
        about: what the facts are about.
        facts: subject -> answer.
        clause: the question as part of a sentence, such as "what colour {subject} is"; it goes into the frames.
        statements: one a line.
        questions: one a line, the frames are added.
        held_out: one a line, the held-out frames are added.
        replies: one a line.
    """
    return Relation(
        name=name,
        about=about,
        clause=clause,
        facts=facts,
        statements=_lines(statements),
        questions=(*_lines(questions), *(frame.replace("{clause}", clause) for frame in FRAMES)),
        held_out_questions=(*_lines(held_out), *(frame.replace("{clause}", clause) for frame in HELD_OUT_FRAMES)),
        replies=_lines(replies),
    )


def pairs(text: str) -> dict[str, str]:
    """Facts from "cow: calf, dog: puppy".

    Raises:
        ValueError: a subject stands there twice.
    """
    found: dict[str, str] = {}
    for part in " ".join(text.split()).split(", "):
        subject, answer = part.split(": ")
        if subject in found:
            raise ValueError(f"{subject!r} has two answers: keep the one that a child would give")
        found[subject] = answer
    return found


def grouped(text: str) -> dict[str, str]:
    """Facts from lines of "answer: subject, subject, subject".

    Raises:
        ValueError: a subject stands there twice.
    """
    groups = [line.split(": ") for line in text.strip().splitlines()]
    return pairs(", ".join(f"{part.strip()}: {answer.strip()}" for answer, some in groups for part in some.split(",")))


def both_ways(text: str) -> dict[str, str]:
    """Facts from "hot: cold", each also the other way round."""
    there = pairs(text)
    return pairs(", ".join(f"{a}: {b}, {b}: {a}" for a, b in there.items()))


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.strip().splitlines())
