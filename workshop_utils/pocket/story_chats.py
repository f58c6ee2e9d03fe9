"""Conversations for lesson 10's answering GPT: stories on request, a few words of greeting, and plain stories.

Held out are pairs of animal and name, names that are never asked for, and wordings: each tells something else about
what was learnt.
"""

from __future__ import annotations

import random
import re
import zlib
from dataclasses import dataclass
from typing import Literal

from workshop_utils.pocket import words
from workshop_utils.pocket.asked import asked
from workshop_utils.pocket.scoring import score, sentences_of

SMALL_TALK = {
    ("Hello.", "Hello!", "Hi!", "Good morning.", "Hi there.", "Good evening!", "Hello, how are you?"): (
        "Hello! Shall I tell you a story?",
        "Hello! Which animal shall I tell you about?",
    ),
    ("Who are you?", "What are you?", "What is your name?", "Tell me about yourself.", "Are you a person?"): (
        "I am a very small language model. I know stories and little else.",
    ),
    ("What can you do?", "Can you help me?", "How does this work?", "What do you know?"): (
        "I tell stories. Ask me for one about a fox called Mia.",
    ),
    ("Thank you.", "Thanks!", "That was nice.", "I liked that story.", "Thank you, good night."): (
        "You are welcome. Good night!",
        "You are welcome. Shall I tell you another one?",
    ),
}
STORIES_ASKED_FOR = 0.88  # of the conversations; the rest is small talk
EVERY_NAME_UNASKED, EVERY_PAIR_HELD_OUT = 8, 10
Set = Literal["trained", "pairs", "names", "wordings"]


@dataclass(frozen=True)
class Request:
    """A request for a story, and one that meets it; kind, name and mood are what was asked for, "" where it was not."""

    prompt: str
    reply: str
    kind: str = ""
    name: str = ""
    mood: str = ""

    @property
    def messages(self) -> list[dict[str, str]]:
        """The exchange, for a chat template."""
        said = {"user": self.prompt, "assistant": self.reply}
        return [{"role": role, "content": text} for role, text in said.items()]


def _one_in(text: str, every: int) -> bool:
    """The same answer on every machine: true for about one text of so many."""
    return zlib.crc32(text.encode()) % every == 0


def unasked_names() -> list[str]:
    """Names that no request of the training set asks for; the plain stories have them."""
    return [name for name in words.PRONOUNS if _one_in(name, EVERY_NAME_UNASKED)]


def request(rng: random.Random, which: Set) -> Request:
    """Draw a request for a story, and a story that meets it.

    Args:
        rng: the source of randomness.
        which: "trained"; or held out: "pairs" of an animal and a name, each of which is asked for with others;
            "names" that are never asked for; "wordings" of the request.
    """
    while True:
        chat = asked(rng, held_out=which == "wordings")
        kind, name = chat.truth.get("kind", ""), chat.truth.get("name", "")
        never = name != "" and _one_in(name, EVERY_NAME_UNASKED)
        pair = name != "" and _one_in(f"{kind} {name}", EVERY_PAIR_HELD_OUT)
        wanted = {"trained": not never and not pair, "pairs": pair and not never, "names": never}
        if wanted.get(which, name != "" and not never and not pair):
            return Request(chat.prompt, chat.reply, kind, name, chat.truth.get("mood", ""))


def to_train(n: int, seed: int = 0) -> list[Request]:
    """n different exchanges to train on, requests for stories and small talk.

    Args:
        n: how many.
        seed: the same seed gives the same ones.
    """
    rng = random.Random(f"story chats {seed}")
    return [request(rng, "trained") if rng.random() < STORIES_ASKED_FOR else _small_talk(rng) for _ in range(n)]


def to_test(n: int, which: Set, seed: int = 1) -> list[Request]:
    """n requests that were held out, as in `request`."""
    rng = random.Random(f"story chats {which} {seed}")
    return [request(rng, which) for _ in range(n)]


def _small_talk(rng: random.Random) -> Request:
    said, answers = rng.choice(list(SMALL_TALK.items()))
    return Request(rng.choice(said), rng.choice(answers))


def keeps(request: Request, reply: str) -> bool:
    """Whether a reply is about the animal with the name that it was asked for, by its first two sentences.

    Args:
        request: with kind and name.
        reply: what a model wrote.
    """
    found = [word.strip(".,!?\"'") for word in " ".join(sentences_of(reply)[:2]).split()]
    hero = next((word for word in found if word in words.PRONOUNS), "")  # a friend may come in later
    return request.kind in found and request.name in ("", hero)


def coherent(request: Request, reply: str) -> bool:
    """Whether a reply is right in all that scoring.score checks; a mood that was asked for counts as a known word.

    Args:
        request: with its mood.
        reply: what a model wrote.
    """
    return score(re.sub(rf"\b{request.mood}\b", "little", reply) if request.mood else reply).all
