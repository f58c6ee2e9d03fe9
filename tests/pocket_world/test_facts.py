"""The facts are unambiguous, every reply that is taught is scored as right, and what is held out stays held out."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

import pytest
from pocket_world import facts, lists, prose, questions, rewriting, smalltalk, worksheets
from pocket_world.facts import FAMILIES, RELATIONS, ROOM_OF, THINGS
from pocket_world.smalltalk import TALKS, UNKNOWNS

from workshop_utils.pocket.chat_types import Chat
from workshop_utils.pocket.grammar import every_text, parse

CHATS = (
    *(questions.question, questions.styled, lists.wanted),
    *(smalltalk.greeting, smalltalk.refusal, rewriting.rewrite),
)
BASE = (prose.prose, lists.listing, worksheets.sheet)
# For every kind of request the wordings for training and those held out.
WORDINGS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    **{name: (one.questions, one.held_out_questions) for name, one in RELATIONS.items()},
    **{name: (questions.STYLES[name], questions.HELD_OUT_STYLES[name]) for name in questions.STYLES},
    **{name: (talk.prompts, talk.held_out) for name, talk in TALKS.items()},
    **{f"unknown {name}": (one.prompts, one.held_out) for name, one in UNKNOWNS.items()},
    **{name: (rewriting.INSTRUCTIONS[name], rewriting.HELD_OUT_INSTRUCTIONS[name]) for name in rewriting.INSTRUCTIONS},
    "list": (lists.PROMPTS, lists.HELD_OUT_PROMPTS),
}


def many(make: Callable[..., Chat | str], n: int = 300, **options: bool) -> list:
    rng = random.Random(7)
    return [make(rng, **options) for _ in range(n)]


@pytest.mark.parametrize("name", RELATIONS)
def test_answers_are_told_apart_and_every_reply_that_is_taught_is_right(name: str) -> None:
    relation = RELATIONS[name]
    answers = sorted(set(relation.facts.values()))
    for one in answers:
        for other in set(answers) - {one}:
            assert not re.search(rf"(?<![\w-]){re.escape(other)}(?![\w-])", one, re.IGNORECASE), (one, other)
    for subject, answer in relation.facts.items():
        for reply in relation.replies:
            said = reply.replace("{subject}", subject)
            assert questions.right(name, subject, said.replace("{answer}", answer)), (subject, reply)
            other = next(a for a in answers if a != answer)
            assert not questions.right(name, subject, said.replace("{answer}", other)), (subject, other)


@pytest.mark.parametrize("kind", WORDINGS)
def test_held_out_wordings_are_enough_and_never_trained_on(kind: str) -> None:
    trained, held_out = (
        {text.lower().strip("?.! ") for one in some for text in every_text(parse(one))} for some in WORDINGS[kind]
    )
    assert len(held_out) >= 4
    assert not trained & held_out


@pytest.mark.parametrize("make", CHATS, ids=lambda make: make.__name__)
def test_prompts_of_training_are_not_met_when_held_out(make: Callable[..., Chat]) -> None:
    trained = {chat.prompt for chat in many(make, 3000)}
    assert not trained & {chat.prompt for chat in many(make, 3000, held_out=True)}


@pytest.mark.parametrize("held_out", [False, True])
def test_truth_scores_what_is_taught(held_out: bool) -> None:
    for make in (questions.question, questions.styled):
        for chat in many(make, held_out=held_out):
            assert questions.right(chat.truth["relation"], chat.truth["subject"], chat.reply), chat
    for chat in many(lists.wanted, held_out=held_out):
        assert lists.right(chat.truth["family"], int(chat.truth["count"]), chat.reply), chat
    for chat in many(smalltalk.refusal, held_out=held_out):
        assert chat.truth["about"] in chat.reply
        assert chat.truth["about"].lower() in chat.prompt.lower()
        assert "I am a very small model" in chat.reply
    for chat in many(rewriting.rewrite, held_out=held_out):
        assert chat.truth["expected"] == chat.reply


def test_a_list_is_wrong_when_something_is_repeated_missing_or_strange() -> None:
    assert lists.right("fruits", 2, "1. apple\n2. pear")
    for reply in ("1. apple\n2. apple", "1. apple", "1. apple\n2. hammer", "apple\npear", "1. apple\n2. pear\n3. plum"):
        assert not lists.right("fruits", 2, reply)


@pytest.mark.parametrize("make", [*CHATS, *BASE], ids=lambda make: make.__name__)
def test_text_is_plain_and_documents_differ_and_are_not_too_long(make: Callable[..., Chat | str]) -> None:
    texts = [one if isinstance(one, str) else f"{one.prompt}\n{one.reply}" for one in many(make, 1000)]
    for text in texts:
        assert text.isascii()
        assert not re.search(r"[{}\[\]|]|  |\ba (?!one)[aeio]|\ban [^aeiouhAEIOUH]|\bthe the\b", text), text
        assert text == text.strip()
    if make in BASE:
        assert len(set(texts)) > 990
        assert max(len(text.split()) for text in texts) <= 130


def test_prose_speaks_to_nobody_and_a_sheet_never_holds_a_taught_answer() -> None:
    taught = {
        reply.replace("{subject}", subject).replace("{answer}", answer).lower()
        for relation in RELATIONS.values()
        for subject, answer in relation.facts.items()
        for reply in relation.replies
    }
    for document in many(worksheets.sheet, 1000):
        assert not taught & set(re.split(r"(?<=[.?!])\s+", document.lower())), document
    for document in many(prose.prose, 1000):
        assert not re.search(r"\?|\b[Yy]ou\b|\b[Yy]our|\bI\b", document), document


def test_facts_and_words_are_many_and_a_word_stands_in_one_place_only() -> None:
    assert sum(len(relation.facts) for relation in facts.RELATIONS.values()) >= 500
    assert len(ROOM_OF) == sum(len(things) for things in THINGS.values()) >= 300
    assert all(len(set(family)) == len(family) >= 7 for family in FAMILIES.values())
