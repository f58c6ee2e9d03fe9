"""Perplexity is exact and that of the replies alone; variety, right answers and leaks are counted as they say."""

import math
from types import SimpleNamespace

import pytest
import tiny_models

from workshop_utils.chat.language_model import Generated, LanguageModel
from workshop_utils.chat.template import conversation
from workshop_utils.evaluate import distinct, leakage, questions_right, repetition, reply_perplexity
from workshop_utils.lessons.stoic_set import Pair
from workshop_utils.pocket import quality

SEEN = "my kettle will not boil and i am very late for work"
TURNS = [conversation("hello", "A banana is yellow."), conversation("What colour?", "yellow", "hello", "ein süßer €")]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> LanguageModel:
    return tiny_models.loaded(tmp_path_factory.mktemp("tiny"))


def test_every_reply_is_measured_with_its_end_and_nothing_else(model):
    found = reply_perplexity(model, TURNS)
    nats, tokens = 0.0, 0
    stop = model.tokenizer.convert_tokens_to_ids("<end_of_turn>")
    for messages in (TURNS[0], TURNS[1][:2], TURNS[1]):
        start = model.chat_ids(messages[:-1])
        reply = [*model.tokenizer(messages[-1]["content"], add_special_tokens=False)["input_ids"], stop]
        for at, token in enumerate(reply):  # one at a time
            nats -= math.log(float(model.next_tokens(start + reply[:at]).double()[token]))
        tokens += len(reply)
    assert found.tokens == tokens
    assert found.perplexity == pytest.approx(math.exp(nats / tokens), rel=1e-5)
    assert found.bytes == len("A banana is yellow.yellowein süßer €".encode())
    assert found.bits_per_byte == pytest.approx(nats / math.log(2) / found.bytes, rel=1e-5)
    alone = reply_perplexity(model, TURNS, batch_size=1)
    assert (alone.perplexity, alone.bits_per_byte) == pytest.approx((found.perplexity, found.bits_per_byte), rel=1e-5)


def test_runs_of_words_are_counted_over_all_texts_or_within_each():
    assert distinct(["The kettle, the kettle!", "the kettle"]) == pytest.approx(2 / 4)
    assert distinct(["a b a"], n=1) == pytest.approx(2 / 3)
    assert repetition(["one two three four five"] * 3) == 0  # the others do not matter
    assert repetition(["go on go on go on go on"], n=2) == pytest.approx(5 / 7)
    assert repetition(["go on go on", "short", "all is well"], n=2) == pytest.approx((1 / 3 + 0) / 2)


def test_right_answers_are_counted_by_the_judge_of_the_pocket_world():
    chats = quality.prompts("question", 4)
    said = {chats[0].prompt: chats[0].reply, chats[1].prompt: "I like trains.", chats[2].prompt: chats[2].reply}
    knows = SimpleNamespace(
        chat_ids=str, generate=lambda ids, n: [Generated(said.get(one, ""), [], True) for one in ids]
    )
    assert questions_right(knows, chats) == [True, False, True, False]


def test_leaks_are_found_in_texts_and_pairs():
    assert leakage(["nothing of the kind"], [SEEN]) == []
    (told,) = leakage(["a first text", f"Oh: {SEEN}!"], [Pair("Help me", f"No, {SEEN}", "kettle")])
    assert told.startswith("training row 1 and test row 0 share 'my kettle will not boil")
    assert leakage(["one two three"], ["two three four"], n=2)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda model: reply_perplexity(model, []), "no conversations"),
        (lambda model: reply_perplexity(model, [TURNS[0], conversation("a")]), "row 1: the last turn is the user's"),
        (lambda model: reply_perplexity(model, [conversation("a", SEEN * 9)]), "row 0: .* at most 128 are allowed"),
    ],
)
def test_what_cannot_be_measured_is_a_sentence(call, words, model):
    with pytest.raises(ValueError, match=words):
        call(model)
