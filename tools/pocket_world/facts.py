"""All that the pocket models know about the world: families of facts that a child of eight knows, and how to say them.

The base model reads them as prose, the instruct model learns to answer with them, and a reply is scored against them.
A question is either written out in full, or it is a clause ("what a baby {subject} is called") put into frames that all
relations share, so that the same few ways of asking are met with every kind of fact. The facts are texts/facts_*.txt.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

from pocket_world.reading import read, sections
from workshop_utils.pocket.plots import manuscripts

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
# More of them for chats only, so that the corpus of the base model does not change with these.
CHAT_FRAMES = (
    "Somebody asked me {clause}.",
    "I can never remember {clause}.",
    "My teacher wants to hear {clause}.",
    "I have a question: {clause}?",
    "In our quiz they ask {clause}.",
    "Have they taught you {clause}?",
    "Nobody here can tell me {clause}.",
    "Let me hear {clause}.",
    "My little brother asked {clause}.",
    "Help me, I do not know {clause}.",
    "Quick, say {clause}!",
    "In a book I read {clause}, but I forgot it.",
    "My puzzle asks {clause}.",
    "For my homework I must write {clause}.",
    "Would you tell me {clause}?",
    "Explain {clause}, please.",
    "We talked at school about {clause}. Do you know it?",
)
NUMBERS = (
    *("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen"),
    *("fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November"),
    "December",
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
        further: more ways to ask, met in chats only. A wording stands here for its grammar rather than for its words,
            so that a model learns to look for what is asked.
    """

    name: str
    about: str
    clause: str
    facts: dict[str, str]
    statements: tuple[str, ...]
    questions: tuple[str, ...]
    held_out_questions: tuple[str, ...]
    replies: tuple[str, ...]
    further: tuple[str, ...]

    @property
    def chat_questions(self) -> tuple[str, ...]:
        """All the ways to ask that a chat model is trained on, those of the base model's worksheets first."""
        return (*self.questions, *self.further, *_framed(CHAT_FRAMES, self.clause))


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


# How the facts of a relation are written down: the name of their section -> its reader.
_READERS: dict[str, Callable[[str], dict[str, str]]] = {"both ways": both_ways, "pairs": pairs, "grouped": grouped}
# Facts that need no writing down.
_COMPUTED: dict[str, dict[str, str]] = {
    "after": dict(itertools.pairwise(NUMBERS)),
    "before": dict(zip(NUMBERS[1:], NUMBERS, strict=False)),
    "plus": {f"{NUMBERS[a]} plus {NUMBERS[b]}": NUMBERS[a + b + 1] for a in range(9) for b in range(9 - a)},
    "day after": dict(zip(DAYS, DAYS[1:] + DAYS[:1], strict=True)),
    "day before": dict(zip(DAYS[1:] + DAYS[:1], DAYS, strict=True)),
    "month after": dict(zip(MONTHS, MONTHS[1:] + MONTHS[:1], strict=True)),
    "month before": dict(zip(MONTHS[1:] + MONTHS[:1], MONTHS, strict=True)),
}


def _relations() -> dict[str, Relation]:
    """All relations: "about" and "clause", the facts, and one wording a line for each of the other sections."""
    found: dict[str, Relation] = {}
    for part in ("animals", "coats", "home", "world", "words", "numbers"):
        for name, head, body in manuscripts(read(f"facts_{part}")):
            said = sections(body)
            facts = dict(_COMPUTED.get(name, {}))
            for section, reader in _READERS.items():
                facts |= reader("\n".join(said[section])) if section in said else {}
            if name == "who":
                facts = {does: who for who, does in found["job"].facts.items()}
            found[name] = Relation(
                name=name,
                about=head["about"],
                clause=head["clause"],
                facts=facts,
                statements=said["statements"],
                questions=(*said["questions"], *_framed(FRAMES, head["clause"])),
                held_out_questions=(*said["held out"], *_framed(HELD_OUT_FRAMES, head["clause"])),
                replies=said["replies"],
                further=said["chats"],
            )
    return found


def _framed(frames: tuple[str, ...], clause: str) -> tuple[str, ...]:
    return tuple(frame.replace("{clause}", clause) for frame in frames)


RELATIONS = _relations()


def _about() -> dict[str, tuple[str, ...]]:
    """For every subject or thing the relations that know something about it, so that prose can tell all of it."""
    about: dict[str, tuple[str, ...]] = {}
    for relation in RELATIONS.values():
        for subject in relation.facts:
            about[subject] = (*about.get(subject, ()), relation.name)
    return about


ABOUT = _about()


def _lists(text: str) -> dict[str, dict[str, tuple[str, ...]]]:
    """The words of every list, under the name of the list and of the file's part that it stands in."""
    return {
        part: {name: tuple(words.split(", ")) for name, words in head.items()} for part, head, _ in manuscripts(text)
    }


_LISTS = _lists(read("things"))
# The room -> its things. A thing is a single lower-case word for something that one can count, carry or at least point
# at; there are many, because a tiny model learns to carry any noun only when it has met hundreds of them.
THINGS = _LISTS["rooms"]
ROOM_OF = {thing: room for room, things in THINGS.items() for thing in things}
# Families for "List three fruits.": plural name -> its members, each of which belongs there without any doubt.
FAMILIES = _LISTS["families"]
# What else a model is asked about that is too small to know: machines, shops, names of people.
ASKED_ABOUT = _LISTS["asked about"]
