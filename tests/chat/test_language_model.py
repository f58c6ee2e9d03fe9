"""Asking a model: as transformers does it, the same alone and in a batch, and a sentence where it cannot be."""

import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from transformers import Gemma3Config

from workshop_utils.chat import losses, models
from workshop_utils.chat.template import Encoded, conversation, encode
from workshop_utils.machine.profiles import choose


@pytest.fixture
def instruct():
    return models.load("pocket-instruct", choose("pocket"))


@pytest.fixture
def endless(instruct):
    """It stops at no token that it writes."""
    instruct.stop_ids = lambda: [instruct.tokenizer.pad_token_id]
    return instruct


def test_greedy_is_what_transformers_alone_writes(instruct):
    prompt = instruct.chat_ids("What colour is a banana?")
    ids, mask = torch.tensor([prompt]), torch.ones(1, len(prompt), dtype=torch.long)
    stops = instruct.stop_ids()
    settings = {"max_new_tokens": 20, "do_sample": False, "eos_token_id": stops}
    theirs = instruct.model.generate(input_ids=ids, attention_mask=mask, **settings)
    made = instruct.generate([prompt], 20)[0]
    assert made.ids == theirs[0, len(prompt) :].tolist()
    assert instruct.reply("What colour is a banana?", 20) == made.text
    probabilities = instruct.next_tokens(prompt)
    assert probabilities.sum().item() == pytest.approx(1, abs=1e-5)
    assert probabilities.argmax().item() == made.ids[0]


def test_a_prompt_goes_on_the_same_alone_and_beside_longer_ones(endless):
    short, longer = endless.ids("A banana"), endless.ids("A banana is yellow. " * 3)
    tight = [7] * (endless.context - 3)  # room for three tokens, which must not shorten the others' replies
    prompts = [tight, short, longer, tight[:-30]]
    alone = [endless.generate([prompt], 20)[0].ids for prompt in prompts]
    assert [made.ids for made in endless.generate(prompts, 20)] == alone
    assert [len(ids) for ids in alone] == [3, 20, 20, 20]


def test_the_seed_decides_and_torchs_random_state_stays(instruct):
    before = torch.get_rng_state()
    first = instruct.reply("A banana", 15, temperature=1.0, seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    assert "".join(instruct.stream("A banana", 15, temperature=1.0, seed=3)) == first
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(3)  # whatever was drawn in between
    assert instruct.reply("A banana", 15, temperature=1.0, seed=3) == first
    assert instruct.reply("A banana", 15, temperature=1.0, seed=4) != first
    assert instruct.reply("A banana", 15, temperature=1.0, top_k=1) == instruct.reply("A banana", 15)


def test_settings_that_a_model_brings_along_do_not_change_what_is_asked_for(instruct):
    ids = [instruct.ids("A banana")]
    plain = [instruct.generate(ids, 30, temperature=t, seed=1) for t in (0, 0.9)]
    theirs = {"do_sample": True, "temperature": 0.7, "top_p": 0.8, "top_k": 2, "repetition_penalty": 1.5}
    instruct.model.generation_config.update(**theirs)
    assert [instruct.generate(ids, 30, temperature=t, seed=1) for t in (0, 0.9)] == plain
    # At a very high temperature all tokens are likely; transformers' own top_k=50 would hide most of them.
    made = instruct.generate([instruct.ids("A")] * 200, 1, temperature=100.0, batch_size=200)
    assert len({one.ids[0] for one in made}) > 80


def test_ended_says_who_ended_it(instruct):
    stop = instruct.stop_ids()
    assert {instruct.tokenizer.convert_ids_to_tokens(token) for token in stop} == {"<eos>", "<end_of_turn>"}
    made = instruct.generate([instruct.chat_ids("What colour is a banana?")] * 20, 12, temperature=1.0)
    assert all(one.ended == (one.ids[-1] in stop) for one in made)
    assert {one.ended for one in made} == {True, False}
    assert all("<" not in one.text for one in made if one.ended)


def test_a_stream_stops_writing_where_nobody_reads_and_hands_on_its_errors(endless):
    running = threading.active_count()
    stream = endless.stream("A banana", 100, temperature=1.0)
    next(stream)
    stream.close()
    assert threading.active_count() == running
    endless.model.forward = None  # breaks inside the writing thread
    with pytest.raises(TypeError):
        list(endless.stream("A banana", 30))


def test_the_context_of_a_model_that_also_sees_pictures_is_one_level_deeper(instruct):
    config = Gemma3Config(text_config={"max_position_embeddings": 96})
    assert replace(instruct, model=SimpleNamespace(config=config)).context == 96


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"messages": "banana " * 600}, r"a prompt has \d+ tokens and pocket-instruct sees 512 at most"),
        ({"messages": "a\ud800"}, "turn 1 has half a character"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"temperature": 1, "top_p": 3}, "top_p is 3"),
        ({"seed": 2**70}, f"seed is {2**70}"),
        ({"max_new_tokens": 0}, "max_new_tokens is 0"),
    ],
)
def test_what_cannot_be_asked_is_a_sentence_streamed_or_not(instruct, options, words):
    options = {"messages": "A"} | options
    for ask in (instruct.reply, lambda **given: list(instruct.stream(**given))):
        with pytest.raises(ValueError, match=words):
            ask(**options)


def test_a_base_model_has_no_template_and_continues_valid_texts_only():
    base = models.load("pocket-base", choose("pocket"))
    for call, words in (
        (lambda: base.reply("A banana"), "such as pocket-instruct"),
        (lambda: base.generate([[]], 5), "no tokens"),
        (lambda: base.ids("a\ud800"), "half a character"),
    ):
        with pytest.raises(ValueError, match=words):
            call()


def test_the_loss_is_that_of_transformers_however_it_is_batched(instruct):
    talks = [conversation("A user?", "The user is a."), conversation("B?", "The model is a hello model.")]
    rows = [encode(instruct.tokenizer, talk) for talk in talks * 2]
    total, n = 0.0, sum(sum(row.trained) for row in rows)
    for row in rows:  # one at a time: no padding that could spoil it
        ids, _, labels = losses.batch_of([row], 0)
        with torch.inference_mode():
            total += float(instruct.model(input_ids=ids, labels=labels).loss) * sum(row.trained)
    for size in (1, 3, 8):
        assert losses.reply_loss(instruct, rows, size) == pytest.approx(total / n, rel=1e-4)
    with pytest.raises(ValueError, match="no token is marked"):
        losses.reply_loss(instruct, [Encoded([5, 6], [False, False])])
