"""A note in front of a question says the answer, no other note does, and the animals of the lesson are never met."""

from __future__ import annotations

import random
import re

import pytest
from pocket_world import notes, quality

from workshop_utils.lessons import notes as lesson_notes
from workshop_utils.pocket.chat_types import Chat
from workshop_utils.pocket.grammar import Dice


def many(n: int = 1500, held_out: bool = False) -> list[Chat]:
    rng = random.Random(3)
    return [notes.note(rng, held_out) for _ in range(n)]


@pytest.mark.parametrize("held_out", [False, True])
def test_the_answer_stands_in_the_prompt_and_the_reply_gives_it(held_out: bool) -> None:
    for chat in many(held_out=held_out):
        assert chat.truth["answer"].lower() in chat.prompt.lower(), chat
        assert quality.answers(chat, chat.reply), chat
        assert not re.search(r"[{}]|  |\b[Aa] [aeio]", chat.prompt + chat.reply), chat


def test_a_reply_from_the_other_note_or_from_nowhere_is_wrong() -> None:
    chats = many(300)
    for chat in chats:
        assert not quality.answers(chat, "I do not know that, I am a very small model.")
        if chat.truth["other"]:
            wrong = chat.reply.lower().replace(chat.truth["answer"].lower(), chat.truth["other"])
            assert not quality.answers(chat, wrong), (chat, wrong)
    assert {chat.truth["family"] for chat in chats} == set(notes.FAMILIES)
    assert 0.4 < sum(bool(chat.truth["other"]) for chat in chats) / len(chats) < 0.6


def test_held_out_wordings_and_animals_and_those_of_the_lesson_are_kept_out_of_training() -> None:
    for family in notes.FAMILIES.values():
        assert not set(family.questions) & set(family.held_out_questions)
    dice = Dice(random.Random(0))
    met, kept = ({notes.beast(dice, held_out) for _ in range(4000)} for held_out in (False, True))
    assert not met & kept
    animals = {text.split()[1] for text in lesson_notes.NOTES if re.match(r"An? \w+ is \w+\.$", text)}
    assert len(animals) >= 4
    assert animals <= notes._NEVER
