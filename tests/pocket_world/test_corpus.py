"""The texts of the pocket models as a whole: seeded, varied, and no document that answers anybody."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache

import build_pocket
import pytest
from pocket_world import chats, corpus, pairs, quality, stoa
from pocket_world.facts import RELATIONS
from pocket_world.questions import right

from workshop_utils.pocket.chat_types import Chat
from workshop_utils.pocket.grammar import capitalise, every_text, parse, with_articles

Documents, Talks = list[tuple[str, str]], list[tuple[Chat, ...]]
N = 5000
# What a chat reply says that a document may say too: facts in prose, items of lists, sentences of stories.
NEVER_IN_DOCUMENTS = ("advice", "refusal", "greeting")


@pytest.fixture(scope="module")
def documents() -> Documents:
    return list(corpus.documents(N))


@pytest.fixture(scope="module")
def talks() -> Talks:
    return list(chats.conversations(N))


@cache
def questions_asked() -> dict[str, tuple[str, str]]:
    """Every question of every fact, in every wording, with the relation and the subject that it asks for."""
    found = {}
    for relation in RELATIONS.values():
        for wording in (*relation.questions, *relation.held_out_questions):
            for text in every_text(parse(wording)):
                for subject, answer in relation.facts.items():
                    said = text.replace("{subject}", subject).replace("{answer}", answer)
                    found[capitalise(with_articles(said))] = (relation.name, subject)
    return found


def sentences(text: str) -> list[str]:
    """The sentences and lines of a document, without the numbers of a numbered list."""
    plain = re.sub(r"^\d+\. ", "", text, flags=re.MULTILINE)
    return [part for part in re.split(r"(?<=[.?!])\s+|\n+", plain) if part]


def asked_and_next(text: str) -> Iterator[tuple[tuple[str, str], str]]:
    """The questions of a document (of one to three sentences), each with the sentence that follows it."""
    said = sentences(text)
    for start in range(len(said)):
        for end in range(start + 1, min(start + 4, len(said))):
            question = questions_asked().get(" ".join(said[start:end]))
            if question:
                yield question, said[end]


def test_no_text_comes_twice_and_all_is_plain_ascii(documents: Documents, talks: Talks) -> None:
    said = ["\n".join(f"{one.prompt}\n{one.reply}" for one in turns) for turns in talks]
    for texts in ([text for _, text in documents], said):
        assert len(set(texts)) == N
        for text in texts:
            assert text.isascii(), text
            assert not re.search(r"[{}\[\]|\t]|  |\b[Aa] (?!one\b|uni|use|uku)[aeio]|\bthe the\b", text), text
            assert text == text.strip(), text


def test_a_seed_gives_the_same_texts_in_their_shares(documents: Documents, talks: Talks) -> None:
    assert list(corpus.documents(200)) == documents[:200]
    assert list(chats.conversations(200)) == talks[:200]
    assert sum(one in talks for one in chats.conversations(200, seed=4)) < 40  # a short chat may come again
    of_documents, of_chats = Counter(kind for kind, _ in documents), Counter(turns[0].kind for turns in talks)
    for kinds, seen in ((corpus.KINDS, of_documents), (chats.KINDS, of_chats)):
        for kind, (_, share) in kinds.items():
            assert seen[kind] / N == pytest.approx(share, abs=0.005 + 0.1 * share), kind
    assert {len(turns) for turns in talks} == {1, 2, 3, 4}


def test_no_document_speaks_to_its_reader_or_as_a_model(documents: Documents) -> None:
    """Letters speak to whom they are for, sheets to the class; in stories and Stoic texts somebody there is meant."""
    for kind, text in documents:
        assert not re.search(r"small model|I am a model|language model", text), text
        if kind not in ("letter", "worksheet", "scene", "stoa"):
            told = re.sub(r'"[^"]*"|thank you|do you know', "", text) if kind == "story" else text
            assert not re.search(r"\b(?:you|your|yours|yourself)\b", told, re.IGNORECASE), text


def test_no_document_holds_a_sentence_of_a_reply(documents: Documents, talks: Talks) -> None:
    replies = (one.reply for turns in talks for one in turns if one.kind in NEVER_IN_DOCUMENTS)
    replied = {sentence for reply in replies for sentence in sentences(reply)}
    assert len(replied) > 0.7 * N  # enough to find one; the Stoic, who had the most sentences, is in no chat any more
    found = {sentence for _, text in documents for sentence in sentences(text)} & replied
    assert found <= {"Good afternoon!", "Good morning!", "Goodbye!", "Hello!", "Hi!", "How are you?", "Thank you!"}


def test_no_question_is_followed_by_its_answer(documents: Documents) -> None:
    """The next question of a sheet may hold it: which day is after Monday, what follows Tuesday."""
    pairs = [(*pair, text) for _, text in documents for pair in asked_and_next(text)]
    assert len(pairs) > 1000
    holding = [(then, text) for question, then, text in pairs if right(*question, then)]
    assert not [text for then, text in holding if then[-1] != "?" and then not in questions_asked()]
    assert len(holding) / len(pairs) < 0.01


def test_the_stoic_writes_and_is_told_of_in_documents_and_speaks_in_no_chat(documents: Documents, talks: Talks) -> None:
    stoic = Counter(kind for kind, text in documents if quality.is_stoic(text))
    assert set(stoic) == {"stoa", "scene"}
    assert stoic["stoa"] == sum(kind == "stoa" for kind, _ in documents)
    exchanges = [one for turns in talks for one in turns]
    assert not any(re.search(r"stoic|seneca|epictetus|philosopher", one.prompt + one.reply, re.I) for one in exchanges)
    assert sum(quality.is_stoic(one.reply) for one in exchanges) / len(exchanges) < 0.002


def test_no_stoic_text_is_about_a_noun_that_is_held_out(documents: Documents) -> None:
    texts = [text.lower() for kind, text in documents if kind == "stoa"]
    for pair in pairs.held_out():
        assert pair.topic in stoa.held_out_nouns()
        if pair.topic != "teacher":  # anything can be "your teacher" for a Stoic
            assert not any(re.search(rf"\b(?:my|your) {pair.topic}\b", text) for text in texts), pair.topic


def test_the_pairs_are_many_frames_and_what_is_held_out_is_held_out() -> None:
    trained, held_out = pairs.trained(), pairs.held_out()
    frames = Counter(one for pair in trained for one in sentences(pair.answer.replace(pair.topic, "_")))
    assert (len(trained), len(held_out)) == (100, 36)
    assert len(frames) > 120
    assert max(frames.values()) <= pairs.MOST_USES
    assert not set(frames) & {one for pair in held_out for one in sentences(pair.answer.replace(pair.topic, "_"))}


@pytest.mark.parametrize("kind", [kind for kind in chats.KINDS if kind != "any story"])
def test_no_held_out_prompt_is_trained_on(kind: str) -> None:
    make, _ = chats.KINDS[kind]
    rng = random.Random(5)
    trained = {make(rng).prompt.lower() for _ in range(3000)}
    assert not trained & {one.prompt.lower() for one in quality.prompts(kind, 150)}


def test_conversations_fit_into_what_a_model_sees(talks: Talks) -> None:
    said = [[text for one in turns for text in (one.prompt, one.reply)] for turns in talks]
    encoding = build_pocket.load_tokenizer(build_pocket.TOKENIZER)
    longest = max(sum(len(encoding.encode_ordinary(text)) + 10 for text in texts) for texts in said)
    assert longest < build_pocket.SHAPE.block_size  # a turn has at most ten tokens around its text
