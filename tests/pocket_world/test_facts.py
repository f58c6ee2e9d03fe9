"""The facts are unambiguous, every reply that is taught is scored as right, and what is held out stays held out."""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Callable

import pytest
from pocket_world import facts, lists, prose, questions, rewriting, smalltalk, worksheets
from pocket_world.facts import FAMILIES, ROOM_OF, THINGS
from pocket_world.smalltalk import TALKS, UNKNOWNS

from workshop_utils.pocket.chat_types import Chat
from workshop_utils.pocket.grammar import every_text, parse

CHATS = (
    questions.question,
    questions.styled,
    lists.wanted,
    smalltalk.greeting,
    smalltalk.refusal,
    rewriting.rewrite,
)
BASE = (prose.prose, lists.listing, worksheets.sheet)


def many(make: Callable[..., Chat | str], n: int = 300, **options: bool) -> list:
    rng = random.Random(7)
    return [make(rng, **options) for _ in range(n)]


def wordings() -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """For every kind of request the wordings for training and those held out."""
    return {
        **{name: (one.questions, one.held_out_questions) for name, one in facts.RELATIONS.items()},
        **{name: (questions.STYLES[name], questions.HELD_OUT_STYLES[name]) for name in questions.STYLES},
        **{name: (talk.prompts, talk.held_out) for name, talk in TALKS.items()},
        **{f"unknown {name}": (one.prompts, one.held_out) for name, one in UNKNOWNS.items()},
        **{
            f"rewrite {name}": (rewriting.INSTRUCTIONS[name], rewriting.HELD_OUT_INSTRUCTIONS[name])
            for name in rewriting.INSTRUCTIONS
        },
        "list": (lists.PROMPTS, lists.HELD_OUT_PROMPTS),
    }


def test_there_are_enough_facts_and_each_is_said_in_enough_ways() -> None:
    assert len(facts.RELATIONS) >= 20
    assert sum(len(relation.facts) for relation in facts.RELATIONS.values()) >= 500
    for relation in facts.RELATIONS.values():
        assert len(relation.statements) >= 3
        assert len(relation.replies) >= 2


@pytest.mark.parametrize("name", facts.RELATIONS)
def test_no_answer_contains_another_one(name: str) -> None:
    answers = set(facts.RELATIONS[name].facts.values())
    for one in answers:
        for other in answers - {one}:
            assert not re.search(rf"(?<![\w-]){re.escape(other)}(?![\w-])", one, re.IGNORECASE), (one, other)


@pytest.mark.parametrize("name", facts.RELATIONS)
def test_every_reply_that_is_taught_is_right_and_any_other_answer_is_wrong(name: str) -> None:
    relation = facts.RELATIONS[name]
    answers = sorted(set(relation.facts.values()))
    for subject, answer in relation.facts.items():
        for reply in relation.replies:
            said = reply.replace("{subject}", subject)
            assert questions.right(name, subject, said.replace("{answer}", answer)), (subject, reply)
            other = next(a for a in answers if a != answer)
            assert not questions.right(name, subject, said.replace("{answer}", other)), (subject, other)


def test_two_answers_at_once_are_wrong() -> None:
    assert questions.right("colour", "a banana", "It is YELLOW.")
    assert not questions.right("colour", "a banana", "A banana is yellow and red.")
    assert not questions.right("young", "dog", "A baby dog is called a pup.")


@pytest.mark.parametrize("kind", wordings())
def test_held_out_wordings_are_enough_and_never_trained_on(kind: str) -> None:
    trained, held_out = ({text for one in some for text in every_text(parse(one))} for some in wordings()[kind])
    assert len(trained) >= 8
    assert len(held_out) >= 4
    assert not trained & held_out
    trained_prompts = {text.lower().strip("?.! ") for text in trained}
    assert not trained_prompts & {text.lower().strip("?.! ") for text in held_out}


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
def test_text_is_plain_and_the_same_for_the_same_seed(make: Callable[..., Chat | str]) -> None:
    texts = [one if isinstance(one, str) else f"{one.prompt}\n{one.reply}" for one in many(make)]
    again = [one if isinstance(one, str) else f"{one.prompt}\n{one.reply}" for one in many(make)]
    assert texts == again
    for text in texts:
        assert text.isascii()
        assert not re.search(r"[{}\[\]|]|  |\ba (?!one)[aeio]|\ban [^aeiouhAEIOUH]|\bthe the\b", text), text
        assert text == text.strip()


@pytest.mark.parametrize("make", BASE, ids=lambda make: make.__name__)
def test_documents_differ_and_are_not_too_long(make: Callable[[random.Random], str]) -> None:
    documents = many(make, 1000)
    assert len(set(documents)) > 990
    assert max(len(document.split()) for document in documents) <= 130
    joined = "\n".join(documents).encode()
    assert len(zlib.compress(joined, 9)) / len(joined) >= 0.15


def test_prose_asks_nothing_and_speaks_to_nobody() -> None:
    for document in many(prose.prose, 1000):
        assert "?" not in document
        assert not re.search(r"\b[Yy]ou\b|\b[Yy]our|\bI\b", document), document


def test_a_sheet_never_holds_a_taught_answer() -> None:
    statements = {
        reply.replace("{subject}", subject).replace("{answer}", answer).lower()
        for relation in facts.RELATIONS.values()
        for subject, answer in relation.facts.items()
        for reply in relation.replies
    }
    for document in many(worksheets.sheet, 1000):
        assert not statements & set(re.split(r"(?<=[.?!])\s+", document.lower())), document


def test_words_are_many_and_stand_in_one_place_only() -> None:
    assert len(ROOM_OF) >= 300
    assert len(ROOM_OF) == sum(len(things) for things in THINGS.values())
    assert len(FAMILIES) >= 15
    assert all(len(set(family)) == len(family) >= 7 for family in FAMILIES.values())
