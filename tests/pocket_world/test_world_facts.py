"""Facts are unambiguous, wordings that are held out stay far from those of training, and notes say their answer."""

from __future__ import annotations

import random
import re

import pytest
from pocket_world import lists, notes, quality, questions, rewriting, smalltalk
from pocket_world.facts import RELATIONS

from workshop_utils.lessons import notes as lesson_notes
from workshop_utils.pocket.grammar import Dice, every_text, parse

# For every kind of request the wordings for training and those held out.
WORDINGS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    **{name: (one.questions, one.held_out_questions) for name, one in RELATIONS.items()},
    **{name: (questions.STYLES[name], questions.HELD_OUT_STYLES[name]) for name in questions.STYLES},
    **{name: (talk.prompts, talk.held_out) for name, talk in smalltalk.TALKS.items()},
    **{f"unknown {name}": (one.prompts, one.held_out) for name, one in smalltalk.UNKNOWNS.items()},
    **{name: (rewriting.INSTRUCTIONS[name], rewriting.HELD_OUT_INSTRUCTIONS[name]) for name in rewriting.INSTRUCTIONS},
    "list": (lists.PROMPTS, lists.HELD_OUT_PROMPTS),
}


def texts(wordings: tuple[str, ...]) -> list[str]:
    """Every wording that the choices in brackets allow."""
    return [text for one in wordings for text in every_text(parse(one))]


def words(wording: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[\w{}'-]+", wording.lower()))


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
    trained, held_out = ({words(text) for text in texts(some)} for some in WORDINGS[kind])
    assert len(held_out) >= 4
    assert not trained & held_out
    if kind in RELATIONS:  # nor anything that begins alike
        asked = {words(text)[:5] for text in texts(RELATIONS[kind].chat_questions[len(WORDINGS[kind][0]) :])}
        assert not asked & {text[:5] for text in held_out}


@pytest.mark.parametrize("held_out", [False, True])
def test_a_note_says_the_answer_and_no_other_reply_is_right(held_out: bool) -> None:
    rng = random.Random(3)
    for chat in (notes.note(rng, held_out) for _ in range(1000)):
        assert chat.truth["answer"].lower() in chat.prompt.lower(), chat
        assert quality.answers(chat, chat.reply), chat
        assert not quality.answers(chat, "I do not know that, I am a very small model.")
        if chat.truth["other"]:
            wrong = chat.reply.lower().replace(chat.truth["answer"].lower(), chat.truth["other"])
            assert not quality.answers(chat, wrong), (chat, wrong)


def test_the_wordings_and_animals_of_held_out_notes_and_those_of_the_lesson_are_never_trained_on() -> None:
    assert not any(set(family.questions) & set(family.held_out_questions) for family in notes.FAMILIES.values())
    dice = Dice(random.Random(0))
    met, kept = ({notes.beast(dice, held_out) for _ in range(4000)} for held_out in (False, True))
    animals = {text.split()[1] for text in lesson_notes.NOTES if re.match(r"An? \w+ is \w+\.$", text)}
    assert len(animals) >= 4
    assert not met & (kept | animals)
