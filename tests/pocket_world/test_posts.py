"""The everyday texts of the pocket models: topics, posts, letters, advice and the Stoic."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable

import pytest
from pocket_world import advice, letters, posts, stoic, topics

from workshop_utils.pocket.chat_types import Chat
from workshop_utils.pocket.grammar import every_text

TEXTS = {"post": posts.post, "musing": posts.musing, "letter": letters.letter}
CHATS = {"advice": advice.advice, "stoic": stoic.stoic}


def named(noun: str, text: str) -> int:
    return len(re.findall(rf"\b{noun}\b", text, flags=re.IGNORECASE))


def sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.!?]) ", text)


def the_noun(text: str) -> str:
    words = Counter(word for word in re.findall(r"[a-z]+", text.lower()) if word in topics.NOUNS)
    return words.most_common(1)[0][0]


def test_topics_are_many_and_their_nouns_are_plain() -> None:
    assert len(topics.TOPICS) >= 64
    assert len(topics.NOUNS) >= 320
    assert sum(len(topic.nouns) for topic in topics.TOPICS.values()) == len(topics.NOUNS), "a noun stands in two topics"
    assert all(re.fullmatch(r"[a-z]+", noun) for noun in topics.NOUNS)
    assert set(topics.NOUNS) >= topics.MASS


@pytest.mark.parametrize("topic", topics.TOPICS.values(), ids=lambda topic: topic.name)
def test_every_sentence_of_a_topic_names_its_noun(topic: topics.Topic) -> None:
    assert len(topic.troubles) >= 6
    assert len(topic.tips) >= 4
    for wording in (*topic.troubles, *topic.wishes, *topic.tips):
        for text in every_text(wording):
            assert "{noun}" in text, text
            assert text.isascii(), text
            assert not stoic.stems_in(text), text
    for wording in topic.tips:
        assert all(text.endswith(".") and "{my}" not in text for text in every_text(wording))
    for wording in (*topic.troubles, *topic.wishes):
        assert all("{your}" not in text for text in every_text(wording))


@pytest.mark.parametrize("kind", TEXTS)
def test_texts_carry_one_noun_and_have_the_length_of_a_document(kind: str) -> None:
    rng = random.Random(1)
    for _ in range(300):
        text = TEXTS[kind](rng)
        assert text.isascii()
        assert named(the_noun(text), text) >= 3, text
        assert 28 <= len(text.split()) <= 90, text
        assert not re.search(r"[{}\[\]|]|  |\ba [aeio]", text), text


def test_posts_speak_to_nobody() -> None:
    rng = random.Random(2)
    for _ in range(1000):
        assert not re.search(r"\b(you|your)\b", posts.post(rng), flags=re.IGNORECASE)


def test_few_posts_are_musings_and_only_they_sound_stoic() -> None:
    rng = random.Random(3)
    share = sum(bool(stoic.stems_in(posts.post(rng))) for _ in range(2000)) / 2000
    assert 0.02 < share < 0.06
    assert not any(stoic.stems_in(letters.letter(rng)) for _ in range(500))
    assert not any("stoic" in posts.musing(rng).lower() for _ in range(200))


def test_a_letter_has_an_address_and_a_name() -> None:
    rng = random.Random(4)
    for _ in range(200):
        assert re.fullmatch(r"Dear [\w ]+,\n[^\n]+\n[\w ]+,\n\w+", letters.letter(rng))


@pytest.mark.parametrize("kind", CHATS)
@pytest.mark.parametrize("held_out", [False, True])
def test_replies_name_the_noun_of_the_prompt(kind: str, held_out: bool) -> None:
    rng = random.Random(5)
    for _ in range(500):
        chat = CHATS[kind](rng, held_out)
        assert chat.kind == kind
        assert chat.prompt.isascii()
        assert chat.reply.isascii()
        assert named(chat.truth["noun"], chat.prompt) >= 1, chat
        assert named(chat.truth["noun"], sentences(chat.reply)[0]) >= 1, chat
        assert named(chat.truth["noun"], chat.reply) >= 2, chat
        assert 2 <= len(sentences(chat.reply)) <= 4, chat
        assert not re.search(r"[{}\[\]|]|  |\ba [aeio]", chat.prompt + chat.reply), chat


def test_only_the_stoic_sounds_stoic() -> None:
    rng = random.Random(6)
    assert len(stoic.STEMS) >= 20
    assert all(len(stoic.stems_in(stoic.stoic(rng).reply)) >= 2 for _ in range(500))
    assert not any(stoic.stems_in(advice.advice(rng).reply) for _ in range(500))
    assert len({*stoic.FIRST, *stoic.SECOND, *stoic.LAST}) >= 40


@pytest.mark.parametrize("module", [advice, stoic])
def test_held_out_prompts_are_worded_otherwise(module: object) -> None:
    trained, held_out = set(vars(module)["PROMPTS"]), set(vars(module)["HELD_OUT_PROMPTS"])
    assert not trained & held_out
    assert len(trained) >= 8
    assert len(held_out) >= 4


@pytest.mark.parametrize("make", CHATS.values(), ids=CHATS)
def test_no_held_out_prompt_is_ever_trained_on(make: Callable[[random.Random, bool], Chat]) -> None:
    rng = random.Random(7)
    trained = {make(rng, False).prompt.lower() for _ in range(5000)}
    assert not trained & {make(rng, True).prompt.lower() for _ in range(1000)}


@pytest.mark.parametrize("make", [*TEXTS.values(), *CHATS.values()])
def test_a_seed_gives_the_same_text(make: Callable[[random.Random], object]) -> None:
    assert make(random.Random(8)) == make(random.Random(8))
