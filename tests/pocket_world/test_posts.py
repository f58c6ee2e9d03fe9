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
UNCLEAN = re.compile(r"[{}\[\]|]|  |\ba [aeio]|[^\x00-\x7f]")


def named(noun: str, text: str) -> int:
    return len(re.findall(rf"\b{noun}\b", text, flags=re.IGNORECASE))


def test_every_sentence_of_a_topic_names_its_noun_which_no_other_topic_has() -> None:
    assert sum(len(topic.nouns) for topic in topics.TOPICS.values()) == len(topics.NOUNS) >= 320
    for topic in topics.TOPICS.values():
        assert len(topic.troubles) >= 6
        assert len(topic.tips) >= 4
        for wording in (*topic.troubles, *topic.wishes, *topic.tips):
            for text in every_text(wording):
                assert "{noun}" in text, text
                assert not stoic.stems_in(text), text
                assert ("{my}" if wording in topic.tips else "{your}") not in text, text


@pytest.mark.parametrize("kind", TEXTS)
def test_texts_carry_one_noun_and_have_the_length_of_a_document(kind: str) -> None:
    rng = random.Random(1)
    for _ in range(300):
        text = TEXTS[kind](rng)
        nouns = Counter(word for word in re.findall(r"[a-z]+", text.lower()) if word in topics.NOUNS)
        assert named(nouns.most_common(1)[0][0], text) >= 3, text
        assert 28 <= len(text.split()) <= 90, text
        assert not UNCLEAN.search(text), text
        assert kind != "letter" or re.fullmatch(r"Dear [\w ]+,\n[^\n]+\n[\w ]+,\n\w+", text), text


def test_posts_speak_to_nobody_and_only_musings_sound_stoic() -> None:
    rng = random.Random(2)
    told = [posts.post(rng) for _ in range(2000)]
    assert not any(re.search(r"\b(you|your)\b", text, flags=re.IGNORECASE) for text in told)
    assert 0.02 < sum(bool(stoic.stems_in(text)) for text in told) / len(told) < 0.06
    assert not any(stoic.stems_in(letters.letter(rng)) for _ in range(500))
    assert not any(stoic.stems_in(advice.advice(rng).reply) for _ in range(500))
    assert all(len(stoic.stems_in(stoic.stoic(rng).reply)) >= 2 for _ in range(500))


@pytest.mark.parametrize("kind", CHATS)
@pytest.mark.parametrize("held_out", [False, True])
def test_replies_name_the_noun_of_the_prompt(kind: str, held_out: bool) -> None:
    rng = random.Random(5)
    for _ in range(500):
        chat = CHATS[kind](rng, held_out)
        sentences = re.split(r"(?<=[.!?]) ", chat.reply)
        assert chat.kind == kind
        assert named(chat.truth["noun"], chat.prompt) >= 1, chat
        assert named(chat.truth["noun"], sentences[0]) >= 1, chat
        assert named(chat.truth["noun"], chat.reply) >= 2, chat
        assert 2 <= len(sentences) <= 4, chat
        assert not UNCLEAN.search(chat.prompt + chat.reply), chat


@pytest.mark.parametrize("make", CHATS.values(), ids=CHATS)
def test_no_held_out_prompt_is_ever_trained_on(make: Callable[[random.Random, bool], Chat]) -> None:
    rng = random.Random(7)
    trained = {make(rng, False).prompt.lower() for _ in range(3000)}
    assert not trained & {make(rng, True).prompt.lower() for _ in range(1000)}
