"""Simple questions with one right answer each, and all words of the pocket world: what lessons measure replies by.

A reply gives the right answer and no wrong one beside it, or it does not: nothing here is a matter of taste.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import cache

from workshop_utils.pocket import frozen
from workshop_utils.pocket.chat_types import Chat
from workshop_utils.pocket.scoring import WORD

# How a question without a question mark begins, in every wording that the pocket models know.
REQUESTS = ("Give me", "I forgot", "I wonder", "I would", "Name the", "Please tell", "Tell me", "Work out")
_SENTENCE = re.compile(r"[^.!?\n]*[.!?]?")


def prompts(kind: str, n: int) -> list[Chat]:
    """Chats of one kind with prompts in wordings that no model was trained on, none twice.

    Args:
        kind: "question", the one kind that lessons ask.
        n: how many; more begin with the same ones.

    Raises:
        ValueError: the package keeps no such chats, or fewer than n.
    """
    kept = {"question": [Chat(**row) for row in frozen.rows("questions")]}
    if kind not in kept:
        raise ValueError(f"the package keeps no chats of kind {kind!r}: choose from {', '.join(kept)}")
    return frozen.first(n, kept[kind], f"chats of kind {kind!r}")


def answers(chat: Chat, text: str) -> bool:
    """Say whether a text answers a question rightly.

    Args:
        chat: the question and what is true.
        text: what a model wrote after it; its first sentence counts, unless that is the next question of a quiz.

    Raises:
        ValueError: chats of this kind have nothing that could be checked.
    """
    if chat.kind != "question":
        raise ValueError(f"nothing says what is right for {chat.kind!r}: only questions have an answer to compare with")
    said = first_sentence(text)
    relation, subject, answer = (chat.truth[name] for name in ("relation", "subject", "answer"))
    return not asks(said) and right(said, subject, answer, _answers()[relation])


def right(text: str, subject: str, answer: str, known: Collection[str]) -> bool:
    """Say whether a text gives the right answer, and no wrong one beside it.

    An answer counts as a whole word, in small letters or large. A word of the question itself is no wrong answer ("hot"
    in "The opposite of hot is cold").

    Args:
        text: what a model wrote.
        subject: what the question is about.
        answer: the right one.
        known: all answers to questions of this kind.
    """
    wrong = {one for one in known if one != answer and not has(subject, one)}
    return has(text, answer) and not any(has(text, one) for one in wrong)


def has(text: str, phrase: str) -> bool:
    """Say whether a phrase stands in a text as whole words, in small letters or large."""
    return re.search(rf"(?<![\w-]){re.escape(phrase)}(?![\w-])", text, re.IGNORECASE) is not None


def first_sentence(text: str) -> str:
    """The first sentence of a text with anything in it."""
    return next((part.strip() for part in _SENTENCE.findall(text) if part.strip()), "")


def asks(sentence: str) -> bool:
    """Say whether a sentence is a question or a request."""
    return sentence.endswith("?") or sentence.startswith(REQUESTS)


@cache
def _answers() -> dict[str, list[str]]:
    """All answers to the questions of a kind, by its name."""
    return {row["relation"]: row["answers"] for row in frozen.rows("answers")}


@cache
def known_words() -> frozenset[str]:
    """Every word of 20,000 documents and 20,000 conversations that the pocket models learn from, in small letters."""
    return frozenset(frozen.rows("known_words"))


def unknown_share(texts: Sequence[str], known: frozenset[str]) -> tuple[float, int]:
    """The share of words that are not known, and how many words there were in all."""
    said = [word.lower() for text in texts for word in WORD.findall(text)]
    return sum(word not in known for word in said) / max(1, len(said)), len(said)
