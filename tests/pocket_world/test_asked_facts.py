"""The further ways to ask for a fact: each asks for one thing, and none comes near a held-out way."""

from __future__ import annotations

import random
import re
from difflib import SequenceMatcher

import pytest
from pocket_world import facts, questions
from pocket_world.dressing import write
from pocket_world.facts import HELD_OUT_FRAMES, RELATIONS

from workshop_utils.pocket.grammar import Dice, every_text, parse


def words(wording: str) -> tuple[str, ...]:
    """The words of a wording in small letters, without its commas and stops."""
    return tuple(re.findall(r"[\w{}'-]+", wording.lower()))


def changed(one: str, other: str) -> int:
    """How many words of the longer wording are not met in the other, in the same order."""
    first, second = words(one), words(other)
    blocks = SequenceMatcher(None, first, second, autojunk=False).get_matching_blocks()
    return max(len(first), len(second)) - sum(block.size for block in blocks)


def texts(wordings: tuple[str, ...]) -> list[str]:
    """Every wording that the choices in brackets allow."""
    return [text for one in wordings for text in every_text(parse(one))]


def new(name: str) -> list[str]:
    """What a chat may ask about a relation in training, and the base model's sheets may not."""
    return texts(RELATIONS[name].chat_questions[len(RELATIONS[name].questions) :])


def written(name: str, n: int | None = None) -> set[str]:
    """The new wordings of a relation as they are written, for n of its subjects or all."""
    rng = random.Random(f"written {name}")
    subjects = sorted(RELATIONS[name].facts)
    picked = [(one, subject) for one in new(name) for subject in rng.sample(subjects, n or len(subjects))]
    return {write(wording, Dice(rng), {"subject": subject}) for wording, subject in picked}


def test_no_wording_was_there_before_or_comes_twice() -> None:
    lists = [(*one.questions, *one.held_out_questions) for one in RELATIONS.values()]
    before = {words(text) for wordings in lists for text in texts(wordings)}
    further = [words(text) for name in RELATIONS for text in texts(RELATIONS[name].further)]
    assert len(further) == len(set(further))
    assert not before & {words(text) for name in RELATIONS for text in new(name)}
    assert len(set(facts.CHAT_FRAMES)) == len(facts.CHAT_FRAMES)


@pytest.mark.parametrize("name", RELATIONS)
def test_a_wording_asks_for_one_subject_and_is_far_from_those_held_out(name: str) -> None:
    relation = RELATIONS[name]
    held_out = texts(relation.held_out_questions)
    assert len(relation.further) >= 9
    assert relation.chat_questions[: len(relation.questions)] == relation.questions
    for text in texts(relation.further):
        assert re.findall(r"\{\w+\}", text) == ["{subject}"], text
        assert min(changed(text, one) for one in held_out) >= 3, text
    for text in new(name):
        assert words(text)[:5] not in {words(one)[:5] for one in held_out}, text
        assert not any(opening in text.lower() for opening in ("i would like to know", "could you say", "i wonder"))
    for frame in facts.CHAT_FRAMES:
        assert min(changed(frame, one) for one in HELD_OUT_FRAMES) >= 3, frame


@pytest.mark.parametrize("name", RELATIONS)
def test_a_written_question_is_clean(name: str) -> None:
    for text in written(name, n=3):
        assert text.isascii()
        assert text[0].isupper(), text
        assert text == text.strip()
        assert not re.search(r"[{}\[\]|]|  ", text), text
        assert not re.search(r"\b(a|an|the) (a|an|the)\b", text, re.IGNORECASE), text
        assert not re.search(r"\ba (?!one\b)[aeio]|\ban [^aeiouhAEIOUH]", text, re.IGNORECASE), text


def test_only_chats_of_training_ask_in_the_new_ways() -> None:
    fresh = {text for name in RELATIONS for text in written(name)}
    rng = random.Random(3)
    assert not {questions.ask(rng) for _ in range(2000)} & fresh  # the sheets of the base model
    assert sum(questions.question(rng).prompt in fresh for _ in range(1000)) > 300
    assert not any(questions.question(rng, held_out=True).prompt in fresh for _ in range(1000))
