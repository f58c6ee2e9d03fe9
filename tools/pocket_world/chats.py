"""What the pocket instruct model learns from: chats of many kinds, one or several turns, in one stream."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from pocket_world.advice import advice
from pocket_world.lists import wanted
from pocket_world.notes import note
from pocket_world.questions import question, styled
from pocket_world.rewriting import rewrite
from pocket_world.smalltalk import greeting, refusal
from pocket_world.voices import voiced
from workshop_utils.pocket.asked import any_story, asked
from workshop_utils.pocket.chat_types import Chat

# Every kind of chat and its share. Nobody asks for a Stoic, and none answers.
KINDS: dict[str, tuple[Callable[..., Chat], float]] = {
    "advice": (advice, 0.19),
    "question": (question, 0.27),
    "note": (note, 0.08),
    "styled": (styled, 0.03),
    "voice": (voiced, 0.06),
    "story": (asked, 0.11),
    "any story": (any_story, 0.01),
    "list": (wanted, 0.08),
    "rewrite": (rewrite, 0.08),
    "greeting": (greeting, 0.04),
    "refusal": (refusal, 0.06),
}
FURTHER_TURNS = 0.2  # chance that a conversation goes on, after each reply
LONG = ("story", "any story")  # nothing follows on a story, or the row would be too long


def chat(rng: random.Random, held_out: bool = False) -> Chat:
    """One exchange of any kind."""
    kinds, shares = list(KINDS), [share for _, share in KINDS.values()]
    return KINDS[rng.choices(kinds, shares)[0]][0](rng, held_out)


def conversations(n: int, seed: int = 0, held_out: bool = False) -> Iterator[tuple[Chat, ...]]:
    """The first n conversations of a seed, of one to four exchanges, none twice.

    Args:
        n: how many; a longer run begins with the shorter one.
        seed: another seed gives other conversations.
        held_out: ask in wordings that no model is trained on.
    """
    rng = random.Random(f"chats {seed}")
    seen: set[int] = set()
    while len(seen) < n:
        turns = [chat(rng, held_out)]
        while len(turns) < 4 and turns[-1].kind not in LONG and rng.random() < FURTHER_TURNS:
            turns.append(chat(rng, held_out))
        made = tuple(turns)
        key = hash(tuple((one.prompt, one.reply) for one in made))
        if key not in seen:
            seen.add(key)
            yield made
