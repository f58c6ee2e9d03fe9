"""The judge of the pocket models says yes to what is true, and no to what only looks like it."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from itertools import pairwise

import pytest
from pocket_world import corpus, letters, lists, posts, quality, worksheets
from pocket_world.facts import RELATIONS
from pocket_world.questions import ask
from pocket_world.topics import NOUNS, TOPICS

from workshop_utils.pocket import words
from workshop_utils.pocket.chat_types import Chat
from workshop_utils.pocket.quality import known_words, unknown_share

JUDGED = ("advice", "question", "story", "list", "rewrite", "refusal")
WITHOUT_FAIL = ("question", "list", "rewrite", "refusal")
N = 60


def judged(kind: str, write: Callable[[Chat], str]) -> float:
    """The share of held-out chats of a kind that are said to be answered by what is written."""
    return sum(quality.answers(chat, write(chat)) for chat in quality.prompts(kind, N)) / N


def other(chat: Chat, slot: str, of: tuple[str, ...]) -> str:
    """The reply with another word in a place of the truth, the first of some that is not there."""
    right = chat.truth[slot]
    wrong = next(one for one in of if one not in chat.reply)
    return chat.reply.replace(right, wrong).replace(right.capitalize(), wrong.capitalize())


def with_last(chat: Chat, item: str) -> str:
    """The list with another last item."""
    return "\n".join([*chat.reply.splitlines()[:-1], f"{chat.truth['count']}. {item}"])


def complaint(make: Callable[[random.Random], str], chat: Chat) -> str:
    """A post or a letter about the noun of the chat: one about another noun of its topic, with the noun exchanged."""
    rng = random.Random(chat.prompt)
    topic = TOPICS[chat.truth["topic"]]
    while True:
        text = make(rng)
        noun = next((noun for noun in topic.nouns if text.split().count(noun) >= 2), None)
        if noun is not None:
            return re.sub(rf"\b{noun}\b", chat.truth["noun"], text)


def other_answer(chat: Chat) -> str:
    """An answer of the same relation that is wrong here, and says nothing of the right one."""
    answers = {one for one in RELATIONS[chat.truth["relation"]].facts.values() if one != chat.truth["answer"]}
    return min(one for one in answers if one not in chat.truth["subject"])


# What looks like an answer, by the kind of its prompt. A worksheet goes on with questions, a post with its complaint.
WRONG: dict[str, dict[str, Callable[[Chat], str]]] = {
    "advice": {
        "another noun": lambda chat: other(chat, "noun", tuple(NOUNS)),
        "no noun": lambda chat: "I am so sorry. You could sleep on it. It will be all right.",
        "a post goes on": lambda chat: complaint(posts.post, chat),
        "a letter goes on": lambda chat: complaint(letters.letter, chat),
    },
    "question": {
        "another answer": lambda chat: other(chat, "answer", (other_answer(chat),)),
        "two answers": lambda chat: chat.reply.rstrip(".") + f" or {other_answer(chat)}.",
        "right in the second sentence": lambda chat: f"That is a good question. {chat.reply}",
        "the next question of a sheet": lambda chat: ask(random.Random(chat.prompt), chat.truth["relation"]),
    },
    "story": {
        "another animal": lambda chat: other(chat, "kind", words.ANIMALS),
        "two animals": lambda chat: f"{chat.reply} The {'bear' if chat.truth['kind'] == 'fox' else 'fox'} saw it all.",
        "only the beginning": lambda chat: " ".join(chat.reply.split()[:25]),
        "more wishes of a sheet": lambda chat: " ".join(f"Tell me a story about a {kind}." for kind in words.ANIMALS),
    },
    "list": {
        "one too few": lambda chat: "\n".join(chat.reply.splitlines()[:-1]),
        "one twice": lambda chat: with_last(chat, chat.reply.splitlines()[0].removeprefix("1. ")),
        "something else in it": lambda chat: with_last(chat, "sorrow"),
        "a numbered sheet": lambda chat: re.sub(r"(?<=\. ).*", lambda item: ask(random.Random(item[0])), chat.reply),
    },
    "rewrite": {
        "copied": lambda chat: chat.prompt.partition(": ")[2],
        "about another thing": lambda chat: chat.reply.replace(chat.truth["thing"], "zeppelin"),
        "the next task": lambda chat: chat.prompt,
    },
    "refusal": {
        "made up": lambda chat: "I am a very small model. The answer is forty-two.",
        "thanks": lambda chat: "Thank you! For a very small model, that means a lot.",
        "no reason given": lambda chat: f"I do not know {chat.truth['about']}.",
    },
}


@pytest.mark.parametrize("kind", JUDGED)
def test_true_replies_are_answers_and_other_documents_are_none(kind: str) -> None:
    assert judged(kind, lambda chat: chat.reply) >= (1 if kind in WITHOUT_FAIL else 0.98)
    for make in (worksheets.sheet, lists.listing, posts.post):
        assert judged(kind, lambda chat, make=make: make(random.Random(chat.prompt))) <= 0.02


@pytest.mark.parametrize(("kind", "fault"), [(kind, fault) for kind, faults in WRONG.items() for fault in faults])
def test_what_only_looks_like_an_answer_is_none(kind: str, fault: str) -> None:
    assert judged(kind, WRONG[kind][fault]) <= 0.02


def test_prompts_come_from_a_seed_and_what_cannot_be_is_a_sentence() -> None:
    for kind in JUDGED:
        asked = [chat.prompt for chat in quality.prompts(kind, N)]
        assert len(set(asked)) == N
        assert asked == [chat.prompt for chat in quality.prompts(kind, N)]
        assert len(set(asked) & {chat.prompt for chat in quality.prompts(kind, N, seed=1)}) < N / 2
    with pytest.raises(ValueError, match=r"only \d different prompts of kind 'any story' were found"):
        quality.prompts("any story", N)
    with pytest.raises(ValueError, match="nothing says what is right for 'greeting'"):
        quality.answers(Chat("greeting", "Hello!", ""), "Hi!")


def test_the_stoic_is_known_by_his_voice_and_a_topic_by_its_word() -> None:
    asked = quality.prompts("stoic", 200)
    assert sum(quality.is_stoic(chat.reply) for chat in asked) / len(asked) >= 0.98
    assert not quality.is_stoic("The power is off, and nobody knows the power station.")  # one word is no voice
    assert quality.is_stoic("Fate sends it, and virtue can bear it.")
    car = Chat("advice", "My car is slow.", "", {"noun": "car"})
    assert quality.names_the_topic(car, "Poor you! Your Car is slow.")
    assert not quality.names_the_topic(car, "Your cart is slow, and so is your carpet.")


def test_new_documents_say_known_words() -> None:
    share, n = unknown_share([text for _, text in corpus.documents(100, seed=9)], known_words())
    assert n > 3000
    assert share < 0.005


@pytest.mark.parametrize(
    ("kind", "mutant"), [("question", "another answer"), ("story", "another animal"), ("list", "something else in it")]
)
def test_a_wrong_answer_is_a_try_and_going_on_with_the_sheet_is_none(kind: str, mutant: str) -> None:
    asked = quality.prompts(kind, N)
    tried = [quality.tries_to_answer(chat, WRONG[kind][mutant](chat)) for chat in asked]
    assert sum(tried) >= 0.95 * N
    sheets = [f"\n{one.prompt}\n{two.prompt}" for one, two in pairwise(asked[1:])]
    assert sum(map(quality.tries_to_answer, asked, sheets)) <= 0.05 * N
