"""GGUF files: read back equal by transformers, and continued by llama.cpp with the same tokens."""

import copy
import json
import os
import random
import urllib.request

import pytest
import tiny_models
import torch
from gguf import GGUFReader
from tokenizers import Regex, normalizers, pre_tokenizers

from workshop_utils.chat import models
from workshop_utils.export import gguf
from workshop_utils.export.llama_cpp import LlamaCpp
from workshop_utils.machine.profiles import choose
from workshop_utils.text.tokenizer import SPLIT_PATTERN

PROMPT = "What colour is a banana?"


@pytest.fixture(scope="module")
def pocket():
    return models.load("pocket-instruct", choose("pocket"), dtype=torch.float32)


def tiny(folder, family, **changes):
    model = tiny_models.loaded(folder, family, **changes)
    torch.manual_seed(1)
    for name, parameter in model.model.named_parameters():
        if name.endswith("bias"):  # those of Qwen2 start at 0, which would hide that they were lost
            parameter.data.normal_(std=0.3)
    return model


def ask(server, what, **body):
    address = f"{server._server.listening_address}/{what}"
    request = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["tokens"]


def ids_of(server, text):
    return ask(server, "tokenize", content=text, add_special=False, parse_special=True)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_transformers_reads_it_back_without_a_difference(family, tied, tmp_path):
    model = tiny(tmp_path / family, family, tie_word_embeddings=tied)
    path = tmp_path / "out" / "model.gguf"
    written = gguf.write_gguf(model.model, None, path, "f32")
    assert written == 4 * sum(p.numel() for p in model.model.parameters())
    again, ids = gguf.read_gguf(path, model), torch.tensor([model.ids(PROMPT)])
    with torch.inference_mode():
        assert torch.equal(again.model(input_ids=ids).logits, model.model(input_ids=ids).logits)
    assert os.listdir(path.parent) == ["model.gguf"]


@pytest.mark.parametrize("family", ["llama", "qwen2", "pocket"])
def test_llama_cpp_goes_on_with_the_same_tokens(family, pocket, tmp_path):
    model = pocket if family == "pocket" else tiny(tmp_path / family, family)
    path = tmp_path / "model.gguf"
    gguf.write_gguf(model.model, None, path, "f32")
    server, ids = LlamaCpp(path, 128), model.chat_ids("Tell me a story about a fox.")
    out = model.generate([ids], 24)[0].ids
    greedy = {"n_predict": 24, "temperature": 0.0, "ignore_eos": True, "return_tokens": True}
    assert ask(server, "completion", prompt=ids, **greedy)[: len(out)] == out
    assert ids_of(server, "What colour?") == []  # a file without a tokenizer makes nothing of text
    assert server.write(ids, 8) > 0
    with pytest.raises(RuntimeError):
        server.write(ids * 40, 8)


def splitting(tokenizer, name):
    """The same vocabulary, splitting text as llama.cpp does under a name."""
    (split,) = (split for split, known in gguf.SPLITS.items() if known == name)
    *first, pattern = split
    made = copy.deepcopy(tokenizer)
    steps = [pre_tokenizers.Digits(individual_digits=True)] * len(first)
    own = pattern == gguf.GPT2_SPLIT
    steps += [] if own else [pre_tokenizers.Split(Regex(pattern), "isolated")]
    steps.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=own))
    made.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps) if len(steps) > 1 else steps[0]
    return made


AWKWARD = [
    "one\n\ntwo\n\n\n three\r\n",
    "def f():\n    if x:\n\t\treturn  1\n",
    "  two   three    four ",
    "12 345 6789 1,000,000.50 I'm, you're, WE'LL, it's, don't 'tis",
    "caf\u00e9 na\u00efve \U0001f600\U0001f44d\U0001f3fd \u4f60\u597d",
    "<start_of_turn>user\nHello<end_of_turn>\n\n  <start_of_turn>model\n",
]


@pytest.mark.parametrize("name", ["gpt-2", "smollm", "llama-bpe", "qwen2"])
def test_llama_cpp_makes_the_same_tokens_of_any_text(name, pocket, tmp_path):
    tokenizer = splitting(pocket.tokenizer, name)
    gguf.write_gguf(pocket.model, tokenizer, tmp_path / "m.gguf")
    server, rng = LlamaCpp(tmp_path / "m.gguf", 64), random.Random(name)
    texts = AWKWARD + ["".join(rng.choices(" \n\tab1'.,X", k=30)) for _ in range(40)]
    theirs = [ids_of(server, text) for text in texts]
    assert theirs == [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    if name == "gpt-2":  # the pattern of the pocket models as they are
        assert theirs == [pocket.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    fields = GGUFReader(tmp_path / "m.gguf").fields
    assert fields["tokenizer.chat_template"].contents() == tokenizer.chat_template
    assert fields["tokenizer.ggml.eot_token_id"].contents() == tokenizer.convert_tokens_to_ids("<end_of_turn>")


OURS = pre_tokenizers.Sequence(
    [pre_tokenizers.Split(Regex(SPLIT_PATTERN), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)]
)


def other(tokenizer, **changes):
    made = splitting(tokenizer, "gpt-2")
    for name, part in changes.items():
        setattr(made.backend_tokenizer, name, part)
    return made


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pre_tokenizer": pre_tokenizers.ByteLevel(add_prefix_space=True)}, "it changes the text first"),
        ({"pre_tokenizer": pre_tokenizers.ByteLevel(False, use_regex=False)}, "its pattern is none.*tokenizer=None"),
        ({"pre_tokenizer": pre_tokenizers.Whitespace()}, "not byte-level BPE"),
        ({"normalizer": normalizers.Lowercase()}, "it changes the text first"),
        ({"pre_tokenizer": OURS}, r"its pattern is '\(\?:s\|d"),  # of the tokenizer that lesson 02 learns
    ],
)
def test_a_tokenizer_that_llama_cpp_would_split_otherwise_is_refused(changes, words, pocket, tmp_path):
    tokenizer = other(pocket.tokenizer, **changes)
    with pytest.raises(ValueError, match=words):
        gguf.write_gguf(pocket.model, tokenizer, tmp_path / "m.gguf")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_is_a_sentence_and_leaves_nothing(pocket, tmp_path):
    endless, odd = (copy.deepcopy(pocket.model) for _ in range(2))
    endless.generation_config.eos_token_id = None
    odd.register_parameter("surprise", torch.nn.Parameter(torch.ones(2, 32)))
    gemma = tiny_models.model("gemma2")
    for model, kind, words in (
        (pocket.model, "q5_k", "q8_0"),
        (gemma, "q8_0", "gemma2.*convert_hf_to_gguf"),
        (endless, "q8_0", "no end-of-text token"),
        (odd, "q8_0", "no name for its weight surprise"),
    ):
        with pytest.raises(ValueError, match=words):
            gguf.write_gguf(model, None, tmp_path / "m.gguf", kind)
    assert not list(tmp_path.iterdir())
