"""The further ways to ask for a fact: they are enough, ask for one thing each and leave the held-out ways alone."""

from __future__ import annotations

import random
import re
from difflib import SequenceMatcher

import pytest
from pocket_world import facts, questions
from pocket_world.dressing import write
from pocket_world.facts import HELD_OUT_FRAMES, RELATIONS

from workshop_utils.pocket.grammar import Dice, every_text, parse

HELD_OUT_OPENINGS = ("I would like to know", "Could you say", "I wonder")


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


def already() -> set[tuple[str, ...]]:
    """The words of all wordings that there were before, for training or held out."""
    lists = ((*relation.questions, *relation.held_out_questions) for relation in RELATIONS.values())
    return {words(text) for wordings in lists for text in texts(wordings)}


def written(wordings: list[str], name: str, n: int) -> list[str]:
    """Each wording as it is written, for n subjects of the relation."""
    rng = random.Random(f"written {name}")
    facts = RELATIONS[name].facts
    picked = [(wording, subject) for wording in wordings for subject in rng.sample(sorted(facts), n)]
    return [write(wording, Dice(rng), {"subject": subject}) for wording, subject in picked]


def test_no_frame_comes_twice() -> None:
    assert 7 <= len(set(facts.CHAT_FRAMES)) == len(facts.CHAT_FRAMES)


@pytest.mark.parametrize("name", RELATIONS)
def test_a_relation_is_asked_for_in_enough_ways(name: str) -> None:
    further = RELATIONS[name].further
    assert 9 <= len(further) <= 12
    for wording in texts(further):
        assert wording.count("{subject}") == 1, wording
        assert re.findall(r"\{\w+\}", wording) == ["{subject}"], wording
        assert wording[-1] in ".?", wording
        assert len(words(wording)) <= 16, wording
    asked = RELATIONS[name].chat_questions
    assert len(set(asked)) == len(asked) == len(RELATIONS[name].questions) + len(further) + len(facts.CHAT_FRAMES)
    assert asked[: len(RELATIONS[name].questions)] == RELATIONS[name].questions


def test_no_wording_was_there_before_or_stands_twice() -> None:
    before = already()
    everything = [words(text) for name in RELATIONS for text in texts(RELATIONS[name].further)]
    assert len(everything) == len(set(everything))
    assert not before & set(everything)
    assert not before & {words(text) for name in RELATIONS for text in new(name)}


@pytest.mark.parametrize("name", RELATIONS)
def test_no_wording_begins_like_a_held_out_one_or_is_nearly_the_same(name: str) -> None:
    held_out = texts(RELATIONS[name].held_out_questions)
    for text in new(name):
        assert words(text)[:5] not in {words(one)[:5] for one in held_out}, text
    for text in texts(RELATIONS[name].further):
        for one in held_out:
            assert changed(text, one) >= 3, (text, one)


def test_no_frame_is_nearly_a_held_out_one() -> None:
    for frame in facts.CHAT_FRAMES:
        assert frame.count("{clause}") == 1
        assert min(changed(frame, one) for one in HELD_OUT_FRAMES) >= 3, frame


@pytest.mark.parametrize("name", RELATIONS)
def test_a_written_question_is_clean(name: str) -> None:
    for text in written(new(name), name, n=3):
        assert text.isascii()
        assert text[0].isupper(), text
        assert text == text.strip()
        assert not re.search(r"[{}\[\]|]|  ", text), text
        assert not re.search(r"\b(a|an|the) (a|an|the)\b", text, re.IGNORECASE), text
        assert not re.search(r"\ba (?!one\b)[aeio]|\ban [^aeiouhAEIOUH]", text, re.IGNORECASE), text


def test_articles_change_with_the_subject() -> None:
    found = {
        subject: [write(one, Dice(random.Random(0)), {"subject": subject}) for one in RELATIONS["food"].further]
        for subject in ("owl", "cow")
    }
    assert "An owl: what does it eat?" in found["owl"]
    assert "A cow: what does it eat?" in found["cow"]


def test_the_held_out_frames_are_not_used() -> None:
    assert all(any(frame.startswith(opening) for opening in HELD_OUT_OPENINGS) for frame in HELD_OUT_FRAMES)
    for name in RELATIONS:
        for text in new(name):
            assert not any(opening.lower() in text.lower() for opening in HELD_OUT_OPENINGS), text


def test_the_sheets_of_the_base_model_never_ask_in_the_new_ways() -> None:
    rng = random.Random(3)
    asked = {questions.ask(rng) for _ in range(2000)}
    fresh = {text for name in RELATIONS for text in written(new(name), name, n=len(RELATIONS[name].facts))}
    assert len(asked) > 1000
    assert not asked & fresh


def test_chats_ask_in_the_new_ways_in_training_only() -> None:
    fresh = {text for name in RELATIONS for text in written(new(name), name, n=len(RELATIONS[name].facts))}
    rng = random.Random(4)
    trained = [questions.question(rng).prompt in fresh for _ in range(1000)]
    assert sum(trained) > 300  # of the other half many are in another dress
    assert not any(questions.question(rng, held_out=True).prompt in fresh for _ in range(1000))
