"""What lessons measure replies by: questions with one right answer, and the words of the pocket world."""

from __future__ import annotations

from itertools import pairwise

import pytest

from workshop_utils.pocket import quality
from workshop_utils.pocket.chat_types import Chat


def test_its_own_answers_are_right_and_those_of_other_questions_are_not() -> None:
    asked = quality.prompts("question", 200)
    assert all(quality.answers(chat, chat.reply) for chat in asked)
    for chat, other in pairwise(asked):
        if chat.truth["answer"] != other.truth["answer"]:
            assert not quality.answers(chat, other.reply), (chat, other)


@pytest.mark.parametrize(
    ("subject", "answer", "said", "right"),
    [
        ("a banana", "yellow", "It is YELLOW. A tomato is red.", True),  # the first sentence counts
        ("a banana", "yellow", "A banana is yellow and red.", False),
        ("a banana", "yellow", "Is a banana yellow?", False),
        ("a banana", "yellow", "Tell me what is yellow.", False),
        ("hot", "cold", "The opposite of hot is cold.", True),  # a word of the question is no wrong answer
        ("hot", "cold", "The opposite of hot is cold or old.", False),
    ],
)
def test_an_answer_is_right_or_not(subject: str, answer: str, said: str, right: bool) -> None:
    relation = {"yellow": "colour", "cold": "opposite"}[answer]
    chat = Chat("question", "", "", {"relation": relation, "subject": subject, "answer": answer})
    assert quality.answers(chat, said) is right


def test_more_prompts_begin_with_the_same_and_none_comes_twice() -> None:
    asked = quality.prompts("question", 200)
    assert quality.prompts("question", 30) == asked[:30]
    assert len({chat.prompt for chat in asked}) == 200


def test_made_up_words_are_counted() -> None:
    known = quality.known_words()
    assert quality.unknown_share(["The fox found a kite.", "A brave Mia!"], known) == (0, 8)
    assert quality.unknown_share(["The fox found a flonk."], known) == (1 / 5, 5)
    assert quality.unknown_share([], known) == (0, 0)
