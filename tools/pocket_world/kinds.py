"""Complaints, letters and questions for a classifier (lesson 11): a text and its kind, in two halves without overlap.

What is held out shares neither its wordings nor what it is about with the other half: of the letters' sentences, the
topics and the subjects of questions a part is kept for it.
"""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Callable

from pocket_world.advice import advice
from pocket_world.letters import SAID, letter
from pocket_world.questions import question
from pocket_world.topics import NOUNS
from workshop_utils.pocket.grammar import Wording

# Every third wording of each part of a letter is held out.
LETTERS: dict[bool, dict[str, tuple[Wording, ...]]] = {
    held_out: {
        part: tuple(one for i, one in enumerate(some) if (i % 3 == 2) == held_out) for part, some in SAID.items()
    }
    for held_out in (False, True)
}
N_TRAINED, N_HELD_OUT = 160, 112  # of each kind


def is_held_out(what: str) -> bool:
    """Whether a topic, or the subject of a question, is kept out of the training texts: a quarter of them is."""
    return zlib.crc32(what.encode()) % 4 == 0


_NOUNS = {
    held_out: frozenset(noun for noun, topic in NOUNS.items() if is_held_out(topic) == held_out)
    for held_out in (False, True)
}


def _complaint(rng: random.Random, held_out: bool) -> str | None:
    chat = advice(rng, held_out)
    return chat.prompt if is_held_out(chat.truth["topic"]) == held_out else None


def _letter(rng: random.Random, held_out: bool) -> str | None:
    text = letter(rng, LETTERS[held_out])
    said = set(re.findall(r"[a-z]+", text.lower()))
    return None if said & _NOUNS[not held_out] else text


def _question(rng: random.Random, held_out: bool) -> str | None:
    chat = question(rng, held_out)
    return chat.prompt if is_held_out(chat.truth["subject"]) == held_out else None


KINDS: dict[str, Callable[[random.Random, bool], str | None]] = {
    "complaint": _complaint,
    "letter": _letter,
    "question": _question,
}


def texts(kind: str, n: int, held_out: bool, seed: int = 0) -> list[str]:
    """Texts of one kind, none twice.

    Args:
        kind: one of KINDS.
        n: how many.
        held_out: from the half that is tested on.
        seed: another seed gives other texts.
    """
    rng = random.Random(f"kinds {kind} {held_out} {seed}")
    found: dict[str, None] = {}
    while len(found) < n:
        text = KINDS[kind](rng, held_out)
        if text is not None:
            found.setdefault(text)
    return list(found)


def rows() -> list[dict[str, str | bool]]:
    """What the package keeps of them."""
    return [
        {"text": text, "kind": kind, "held_out": held_out}
        for kind in KINDS
        for held_out, n in ((False, N_TRAINED), (True, N_HELD_OUT))
        for text in texts(kind, n, held_out)
    ]
