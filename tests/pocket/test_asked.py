"""Stories on demand keep what was asked for: the animal, the name, the mood."""

from __future__ import annotations

import random
import re
from dataclasses import replace

import pytest

from workshop_utils.pocket import asked, words
from workshop_utils.pocket.chat_types import Chat
from workshop_utils.pocket.grammar import every_text
from workshop_utils.pocket.scoring import score, sentences_of


def many(n: int = 1000, held_out: bool = False) -> list[Chat]:
    rng = random.Random(11)
    return [asked.asked(rng, held_out) for _ in range(n)]


def opening(chat: Chat) -> list[str]:
    """The words of the first two sentences of a story."""
    return re.findall(r"[\w-]+", " ".join(sentences_of(chat.reply)[:2]))


@pytest.mark.parametrize("held_out", [False, True])
def test_what_was_asked_for_comes_back_at_once_and_nothing_else_is_asked_for(held_out: bool) -> None:
    moods = set()
    for chat in many(held_out=held_out):
        assert chat.kind == "story"
        said, kinds = re.findall(r"[\w-]+", chat.prompt), {*words.ANIMALS, *words.CHILD.values()}
        for wish in chat.truth.values():
            assert wish in said, chat
            assert wish in opening(chat), chat
        assert {word for word in said if word in words.PRONOUNS} == {chat.truth.get("name")} - {None}
        assert {word for word in said if word in kinds} == {chat.truth["kind"]}
        if "mood" in chat.truth:
            described = f"{chat.truth['mood']} {chat.truth['kind']}"
            assert described in chat.prompt
            assert described in " ".join(opening(chat))
            moods.add(chat.truth["mood"])
    assert moods == set(asked.MOODS)


def test_every_story_is_about_its_hero_and_the_pronoun_fits() -> None:
    for chat in many(500):
        found = replace(score(chat.reply), words=True)  # these checks do not know the moods
        assert found.all, (chat, found)
        hero = next(word for word in opening(chat) if word in words.PRONOUNS)
        assert hero == chat.truth.get("name", hero)


def test_every_animal_and_name_is_asked_for_and_those_of_children_fit() -> None:
    truths = [chat.truth for chat in many(3000)]
    assert {truth["kind"] for truth in truths} == {*words.ANIMALS, *words.CHILD.values()}
    assert {truth["name"] for truth in truths if "name" in truth} == set(words.PRONOUNS)
    children = [truth for truth in truths if truth["kind"] in words.CHILD.values()]
    assert all(words.CHILD[words.PRONOUNS[truth["name"]]] == truth["kind"] for truth in children)


def test_held_out_requests_are_worded_otherwise() -> None:
    trained, held_out = (
        {text.lower().strip(".?! ") for wording in wordings for text in every_text(wording)}
        for wordings in (asked.REQUESTS, asked.HELD_OUT_REQUESTS)
    )
    assert len(held_out) >= 4
    assert not trained & held_out
