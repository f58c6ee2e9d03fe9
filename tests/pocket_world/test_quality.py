"""The judge of the pocket models says yes to what is true, and no to what only looks like it."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise

import pytest
from pocket_world import corpus, lists, posts, quality, worksheets
from pocket_world.facts import RELATIONS

from workshop_utils.pocket.chat_types import Chat
from workshop_utils.pocket.quality import known_words, unknown_share

JUDGED = ("advice", "question", "story", "list", "rewrite", "refusal")
WITHOUT_FAIL = ("question", "list", "rewrite", "refusal")
N = 60


def judged(kind: str, write: Callable[[Chat], str]) -> float:
    """The share of held-out chats of a kind that are said to be answered by what is written."""
    return sum(quality.answers(chat, write(chat)) for chat in quality.prompts(kind, N)) / N


def other_answer(chat: Chat) -> str:
    """An answer of the same relation that is wrong here, and says nothing of the right one."""
    answers = {one for one in RELATIONS[chat.truth["relation"]].facts.values() if one != chat.truth["answer"]}
    return min(one for one in answers if one not in chat.truth["subject"])


# What looks like an answer, by the kind of its prompt.
WRONG: dict[str, Callable[[Chat], str]] = {
    "advice": lambda chat: f"The {chat.truth['noun']} is old. What a {chat.truth['noun']}!",  # a post goes on
    "question": lambda chat: chat.reply.rstrip(".") + f" or {other_answer(chat)}.",
    "story": lambda chat: " ".join(chat.reply.split()[:25]),
    "list": lambda chat: "\n".join([*chat.reply.splitlines()[:-1], f"{chat.truth['count']}. sorrow"]),
    "rewrite": lambda chat: chat.prompt.partition(": ")[2],
    "refusal": lambda chat: "I am a very small model. The answer is forty-two.",
}


@pytest.mark.parametrize("kind", JUDGED)
def test_only_true_replies_are_answers(kind: str) -> None:
    assert judged(kind, lambda chat: chat.reply) >= (1 if kind in WITHOUT_FAIL else 0.98)
    assert judged(kind, WRONG[kind]) <= 0.02
    for make in (worksheets.sheet, lists.listing, posts.post):
        assert judged(kind, lambda chat, make=make: make(random.Random(chat.prompt))) <= 0.02
    for chat, another in pairwise(quality.prompts(kind, N)):
        if kind != "refusal" and chat.truth != another.truth:
            assert not quality.answers(chat, another.reply), (chat, another)


def test_prompts_come_from_a_seed() -> None:
    for kind in JUDGED:
        asked = [chat.prompt for chat in quality.prompts(kind, N)]
        assert len(set(asked)) == N
        assert asked == [chat.prompt for chat in quality.prompts(kind, N)]
        assert len(set(asked) & {chat.prompt for chat in quality.prompts(kind, N, seed=1)}) < N / 2


def test_the_stoic_is_known_by_his_voice_and_a_topic_by_its_word() -> None:
    assert not quality.is_stoic("The power is off, and nobody knows the power station.")  # one word is no voice
    assert quality.is_stoic("Fate sends it, and virtue can bear it.")
    car = Chat("advice", "My car is slow.", "", {"noun": "car"})
    assert quality.names_the_topic(car, "Poor you! Your Car is slow.")
    assert not quality.names_the_topic(car, "Your cart is slow, and so is your carpet.")


def test_new_documents_say_known_words() -> None:
    share, n = unknown_share([text for _, text in corpus.documents(100, seed=9)], known_words())
    assert n > 3000
    assert share < 0.005


@pytest.mark.parametrize("kind", ["question", "story", "list"])
def test_a_wrong_answer_is_a_try_and_going_on_with_the_sheet_is_none(kind: str) -> None:
    asked = quality.prompts(kind, N)
    wrong = {"question": lambda chat: f"It is {other_answer(chat)}.", "story": lambda chat: asked[0].reply}
    assert sum(quality.tries_to_answer(chat, wrong.get(kind, WRONG[kind])(chat)) for chat in asked) >= 0.95 * N
    sheets = [f"\n{one.prompt}\n{two.prompt}" for one, two in pairwise(asked[1:])]
    assert sum(map(quality.tries_to_answer, asked, sheets)) <= 0.05 * N
