"""The same model on both sides: llama.cpp makes the same tokens of any text, writes the same, and stops by itself."""

import random

import pytest
import torch

from workshop_utils.chat import models
from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.chat.template import conversation
from workshop_utils.export import LlamaCpp, as_transformers, chat_tokenizer, load_any, write_gguf
from workshop_utils.gpt import load_shipped
from workshop_utils.gpt.config import GPTConfig
from workshop_utils.gpt.model import GPT
from workshop_utils.lessons import with_rows, with_turns
from workshop_utils.lessons.stoic_run import SHIPPED
from workshop_utils.machine.profiles import choose
from workshop_utils.text.tokenizer import pocket_tokenizer

PROMPTS = [
    "What colour is a banana?",
    "Tell me a story about a brave fox called Mia.",
    "Hello!",
    "My bus was late again.",
    "Write a short story about a mouse.",
    "Thank you.",
    "What can you do?",
    "How many legs does a spider have?",
    "I am sad today.",
    "Can you tell me a story about Tom the bear?",
]
TIE, FIRST = 0.01, 24  # nats between torch's two likeliest tokens; tokens that are compared


def own():
    encoding = with_turns(pocket_tokenizer())
    tokenizer = chat_tokenizer(encoding)
    return LanguageModel("own", as_transformers(with_rows(load_shipped(), encoding.n_vocab), tokenizer), tokenizer)


@pytest.fixture(scope="module")
def known():
    """The pocket model, the Stoic merged into it, and lesson 04's GPT with turns."""
    profile = choose("pocket")
    return {
        "pocket-instruct": models.load("pocket-instruct", profile),
        "stoic": load_any(str(SHIPPED), profile),
        "own": own(),
    }


def awkward(n):
    rng, pieces = random.Random(18), ["\n\n", "\n", "  ", "    ", "\t", " ", "\r\n", "   \n ", "."]
    pieces += ["I'm", "don't", "WE'LL", "it's", "'tis", "'s", "a", "The cat", " sat", "def f():", "x=1;", "..."]
    pieces += [
        "12",
        "3456",
        " 7",
        "1,000.50",
        "\U0001f600",
        "\U0001f44d\U0001f3fd",
        "\u4f60\u597d",
        "caf\u00e9",
        "e\u0301",
    ]
    pieces += ["<end_of_turn>", "<start_of_turn>", "<end_of", "<|endoftext|>", "user\n", "model\n"]
    return ["".join(rng.choices(pieces, k=rng.randint(1, 14))) for _ in range(n)]


@pytest.mark.parametrize("name", ["pocket-instruct", "own"])
def test_200_awkward_texts_have_the_same_tokens(name, known, tmp_path):
    model = known[name]
    write_gguf(model.model, model.tokenizer, tmp_path / "m.gguf")
    server, texts = LlamaCpp(tmp_path / "m.gguf"), awkward(200)
    theirs = [server.ids(text) for text in texts]
    assert theirs == [model.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    assert server.context == model.context
    assert server.answers
    said = conversation("Hi.", "Hello!", "Tell me\n\n  a story.")
    assert server.chat_ids(said) == model.chat_ids(said)  # with the token that begins every text


@pytest.mark.parametrize("kind", ["f32", "f16"])
@pytest.mark.parametrize("name", ["pocket-instruct", "stoic", "own"])
def test_ten_prompts_are_answered_greedily_with_the_same_tokens(name, kind, known, tmp_path):
    model = known[name]
    write_gguf(model.model, model.tokenizer, tmp_path / "m.gguf", kind)
    server = LlamaCpp(tmp_path / "m.gguf")
    for prompt in PROMPTS:
        ids = model.chat_ids(prompt)
        made = model.generate([ids], FIRST)[0]
        ours, (_, theirs, ended) = made.ids[: len(made.ids) - made.ended], server.complete(ids, FIRST)
        assert ended == made.ended or ours != theirs
        if ours != theirs:
            at = next(
                (i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs))
            )
            best = model.next_tokens(ids + ours[:at]).log().topk(2).values
            assert best[0] - best[1] < TIE, (prompt, at)


def test_it_stops_by_itself_and_streams_what_it_replies(known, tmp_path):
    model = known["pocket-instruct"]
    write_gguf(model.model, model.tokenizer, tmp_path / "m.gguf", "f32")
    server = LlamaCpp(tmp_path / "m.gguf")
    for prompt in PROMPTS[:3]:
        text, ids, ended = server.complete(model.chat_ids(prompt), 400)
        assert ended
        assert len(ids) < 400
        pieces = list(server.stream(prompt, 400))
        assert "".join(pieces).strip() == text.strip() == model.reply(prompt, 400).strip()
        assert len(pieces) > 3
    stream = server.stream(PROMPTS[1], 400)
    next(stream)
    stream.close()
    assert server.reply(PROMPTS[0]) == server.reply(PROMPTS[0], seed=3)
    drawn = {server.reply(PROMPTS[1], 30, temperature=1.0, seed=seed) for seed in range(4)}
    assert len(drawn) > 1
    with pytest.raises(ValueError, match="shorten"):
        server.reply("word " * 600)


def test_a_base_model_continues_text_and_a_file_without_tokenizer_takes_none(known, tmp_path):
    base = load_any("pocket-base", choose("pocket"))
    write_gguf(base.model, base.tokenizer, tmp_path / "base.gguf", "f32")
    server = LlamaCpp(tmp_path / "base.gguf")
    assert not server.answers
    begun = "Once upon a time there was"
    assert server.reply(begun, 20).strip() == base.reply(begun, 20).strip()
    write_gguf(base.model, None, tmp_path / "ids.gguf", "f32")
    with pytest.raises(ValueError, match="no tokenizer"):
        LlamaCpp(tmp_path / "ids.gguf").reply(begun)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("activation", ["gelu", "gelu_tanh"])
def test_a_gpt_as_a_transformers_model_has_the_same_logits(activation, bias):
    torch.manual_seed(1)
    shape = {"block_size": 64, "vocab_size": 1088, "n_layer": 2, "n_head": 4, "n_embd": 32, "attention": "sdpa"}
    gpt = GPT(GPTConfig(position="rope", activation=activation, bias=bias, **shape)).eval()
    for parameter in gpt.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    tokenizer, ids = chat_tokenizer(with_turns(pocket_tokenizer())), torch.randint(1088, (2, 50))
    with torch.inference_mode():
        theirs = as_transformers(gpt, tokenizer)(input_ids=ids).logits
        torch.testing.assert_close(theirs, gpt(ids, all_logits=True)[0], rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="position='learned'"):
        as_transformers(GPT(GPTConfig(n_layer=1, n_embd=32)), tokenizer)
