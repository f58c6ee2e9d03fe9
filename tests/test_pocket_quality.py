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


def test_one_answer_in_the_first_sentence_counts() -> None:
    chat = Chat(
        "question", "What colour is a banana?", "", {"relation": "colour", "subject": "a banana", "answer": "yellow"}
    )
    assert quality.answers(chat, "It is YELLOW. A tomato is red.")
    assert not quality.answers(chat, "A banana is yellow and red.")
    assert not quality.answers(chat, "A banana is yellowish.")
    assert not quality.answers(chat, "Is a banana yellow?")
    assert not quality.answers(chat, "Tell me what is yellow.")
    assert not quality.answers(chat, "")


def test_a_word_of_the_question_is_no_wrong_answer() -> None:
    chat = Chat("question", "", "", {"relation": "opposite", "subject": "hot", "answer": "cold"})
    assert quality.answers(chat, "The opposite of hot is cold.")
    assert not quality.answers(chat, "The opposite of hot is cold or old.")


def test_more_prompts_begin_with_the_same_and_none_comes_twice() -> None:
    asked = quality.prompts("question", 200)
    assert quality.prompts("question", 30) == asked[:30]
    assert len({chat.prompt for chat in asked}) == 200


@pytest.mark.parametrize(
    ("kind", "n", "told"),
    [("opera", 3, "no chats of kind 'opera'"), ("question", 201, "keeps 200"), ("question", -1, "n is -1")],
)
def test_prompts_that_cannot_be_are_a_sentence(kind: str, n: int, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        quality.prompts(kind, n)


def test_what_has_no_answer_is_refused_with_a_sentence() -> None:
    with pytest.raises(ValueError, match="nothing says what is right for 'greeting'"):
        quality.answers(Chat("greeting", "Hello!", "Hello to you!"), "Hello to you!")


def test_made_up_words_are_counted() -> None:
    known = quality.known_words()
    assert quality.unknown_share(["The fox found a kite.", "A brave Mia!"], known) == (0, 8)
    assert quality.unknown_share(["The fox found a flonk."], known) == (1 / 5, 5)
    assert quality.unknown_share([], known) == (0, 0)
