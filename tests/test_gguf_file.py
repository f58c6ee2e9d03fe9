"""GGUF files: read back equal by transformers, and continued by llama.cpp with the same tokens."""

import copy
import json
import os
import random
import urllib.request

import pytest
import tiny_models
import torch
from tokenizers import Regex, pre_tokenizers

from workshop_utils.chat import models
from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.export import gguf as gguf_file
from workshop_utils.machine.profiles import choose

PROMPT = "What colour is a banana?"


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def pocket():
    return models.load("pocket-instruct", choose("pocket"), dtype=torch.float32)


def tiny(folder, family, **changes) -> LanguageModel:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tiny_models.save(folder, family, **changes)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    if family == "qwen2":  # its biases start at 0, which would hide that they were lost
        torch.manual_seed(1)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if name.endswith("bias"):
                    parameter.normal_(std=0.3)
    return LanguageModel(family, model, AutoTokenizer.from_pretrained(folder), str(folder))


def logits(model, ids) -> torch.Tensor:
    with torch.inference_mode():
        return model.model(input_ids=torch.tensor([ids])).logits


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_transformers_reads_it_back_without_a_difference(family, tied, tmp_path):
    model = tiny(tmp_path / family, family, tie_word_embeddings=tied)
    path = tmp_path / "out" / "model.gguf"
    written = gguf_file.write_gguf(model.model, None, path, "f32")
    assert written == 4 * sum(p.numel() for p in model.model.parameters())
    again = gguf_file.read_gguf(path, model)
    ids = model.ids(PROMPT)
    assert torch.equal(logits(again, ids), logits(model, ids))
    assert os.listdir(path.parent) == ["model.gguf"]


@pytest.mark.parametrize(("kind", "bits"), [("q8_0", 8.5), ("q4_0", 4.5)])
def test_quantised_files_have_the_bits_that_they_promise(kind, bits, pocket, tmp_path):
    written = gguf_file.write_gguf(pocket.model, None, tmp_path / "m.gguf", kind)
    table = pocket.model.get_input_embeddings().weight.numel()
    norms = sum(p.numel() for p in pocket.model.parameters() if p.dim() == 1)
    blocks = pocket.n_parameters - table - norms
    assert written == blocks * bits / 8 + table * 8.5 / 8 + norms * 4
    assert written < (tmp_path / "m.gguf").stat().st_size < written + 100_000


@pytest.mark.parametrize("family", ["llama", "qwen2", "pocket"])
def test_llama_cpp_goes_on_with_the_same_tokens(family, pocket, tmp_path):
    pytest.importorskip("xllamacpp", reason="xllamacpp, llama.cpp's server in Python, is not installed")
    model = pocket if family == "pocket" else tiny(tmp_path / family, family)
    path = tmp_path / "model.gguf"
    gguf_file.write_gguf(model.model, None, path, "f32")
    ids = model.chat_ids(PROMPT)
    server = gguf_file.LlamaCpp(path, context=128)
    with torch.inference_mode():
        out = model.model.generate(
            input_ids=torch.tensor([ids]),
            attention_mask=torch.ones(1, len(ids), dtype=torch.long),
            max_new_tokens=24,
            min_new_tokens=24 if family == "pocket" else None,
            do_sample=False,
            pad_token_id=0,
        )[0, len(ids) :].tolist()
    assert server.tokens(ids, 24)[: len(out)] == out
    assert server.write(ids, 8) > 0
    with pytest.raises(RuntimeError, match="refused"):
        server.write(ids * 40, 8)


def splitting(tokenizer, name):
    """The same vocabulary, splitting text as llama.cpp does under a name."""
    (split,) = (split for split, known in gguf_file.SPLITS.items() if known == name)
    *first, pattern = split
    made = copy.deepcopy(tokenizer)
    steps = [pre_tokenizers.Digits(individual_digits=True)] * len(first)
    if pattern == gguf_file.GPT2_SPLIT:
        steps.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True))
    else:
        steps.append(pre_tokenizers.Split(Regex(pattern), "isolated"))
        steps.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False))
    made.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps) if len(steps) > 1 else steps[0]
    return made


def ids_of_llama_cpp(server, text):
    body = json.dumps({"content": text, "add_special": False, "parse_special": True}).encode()
    address = f"{server._server.listening_address}/tokenize"
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["tokens"]


AWKWARD = [
    "one\n\ntwo\n\n\n three\r\n",
    "def f():\n    if x:\n\t\treturn  1\n",
    "  two   three    four ",
    "12 345 6789 1,000,000.50",
    "I'm, you're, WE'LL, it's, don't 'tis",
    "caf\u00e9 na\u00efve \U0001f600\U0001f44d\U0001f3fd \u4f60\u597d",
    "<start_of_turn>user\nHello<end_of_turn>\n<start_of_turn>model\n",
    "a<end_of_turn>\n\n  b",
    "",
]


@pytest.mark.parametrize("name", ["gpt-2", "smollm", "llama-bpe", "qwen2"])
def test_llama_cpp_makes_the_same_tokens_of_any_text(name, pocket, tmp_path):
    pytest.importorskip("xllamacpp", reason="xllamacpp, llama.cpp's server in Python, is not installed")
    tokenizer = splitting(pocket.tokenizer, name)
    gguf_file.write_gguf(pocket.model, tokenizer, tmp_path / "m.gguf")
    server = gguf_file.LlamaCpp(tmp_path / "m.gguf", context=64)
    rng = random.Random(name)
    texts = AWKWARD + ["".join(rng.choices(" \n\tab1'.,X", k=30)) for _ in range(40)]
    theirs = [ids_of_llama_cpp(server, text) for text in texts]
    assert theirs == [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    if name == "gpt-2":  # the pocket pattern would have gone wrong here
        assert theirs != [pocket.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]


def test_a_tokenizer_that_llama_cpp_would_split_otherwise_is_refused(pocket, tmp_path):
    from tokenizers import normalizers

    lower = splitting(pocket.tokenizer, "gpt-2")
    lower.backend_tokenizer.normalizer = normalizers.Lowercase()
    blank = copy.deepcopy(pocket.tokenizer)
    blank.backend_tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=True)
    none = copy.deepcopy(pocket.tokenizer)
    none.backend_tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    for tokenizer, why in (
        (pocket.tokenizer, r"its pattern is '\(\?:s\|d.*tokenizer=None"),
        (lower, "it changes the text first"),
        (blank, "it changes the text first"),
        (none, "its pattern is none"),
    ):
        with pytest.raises(ValueError, match=why):
            gguf_file.write_gguf(pocket.model, tokenizer, tmp_path / "m.gguf")
    bytes_away = copy.deepcopy(pocket.tokenizer)
    bytes_away.backend_tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    with pytest.raises(ValueError, match="only byte-level BPE"):
        gguf_file.write_gguf(pocket.model, bytes_away, tmp_path / "m.gguf")
    assert not list(tmp_path.iterdir())


def test_a_file_without_a_tokenizer_takes_ids_and_makes_nothing_of_text(pocket, tmp_path):
    pytest.importorskip("xllamacpp", reason="xllamacpp, llama.cpp's server in Python, is not installed")
    gguf_file.write_gguf(pocket.model, None, tmp_path / "m.gguf", "f32")
    server = gguf_file.LlamaCpp(tmp_path / "m.gguf", context=64)
    assert ids_of_llama_cpp(server, "What colour?") == []
    assert len(server.tokens(pocket.chat_ids(PROMPT), 4)) == 4


def test_the_file_knows_its_tokenizer_and_template(pocket, tmp_path):
    from gguf import GGUFReader

    gguf_file.write_gguf(pocket.model, splitting(pocket.tokenizer, "gpt-2"), tmp_path / "m.gguf", name="a name")
    fields = GGUFReader(tmp_path / "m.gguf").fields
    assert fields["general.name"].contents() == "a name"
    assert fields["tokenizer.chat_template"].contents() == pocket.tokenizer.chat_template
    assert fields["tokenizer.ggml.eot_token_id"].contents() == pocket.tokenizer.convert_tokens_to_ids("<end_of_turn>")
    tokens = fields["tokenizer.ggml.tokens"].contents()
    assert len(tokens) == pocket.model.config.vocab_size
    assert tokens[pocket.tokenizer.bos_token_id] == pocket.tokenizer.bos_token
    types = fields["tokenizer.ggml.token_type"].contents()
    assert types[pocket.tokenizer.bos_token_id] == 3  # control: never shown, never made from text
    assert types[300] == 1


def test_what_cannot_be_written_is_a_sentence_and_leaves_nothing(pocket, tmp_path):
    with pytest.raises(ValueError, match="q8_0"):
        gguf_file.write_gguf(pocket.model, None, tmp_path / "m.gguf", "q5_k")
    gemma = tiny(tmp_path / "gemma", "gemma2")
    with pytest.raises(ValueError, match=r"gemma2.*convert_hf_to_gguf"):
        gguf_file.write_gguf(gemma.model, None, tmp_path / "m.gguf")
    llama = tiny(tmp_path / "llama", "llama")
    endless = copy.deepcopy(llama)
    endless.model.generation_config.eos_token_id = None
    with pytest.raises(ValueError, match="no end-of-text token"):
        gguf_file.write_gguf(endless.model, None, tmp_path / "m.gguf")
    llama.model.register_parameter("surprise", torch.nn.Parameter(torch.ones(2, 32)))
    with pytest.raises(ValueError, match="surprise"):
        gguf_file.write_gguf(llama.model, None, tmp_path / "m.gguf")
    assert not list(tmp_path.glob("*.gguf*")) + list(tmp_path.glob(".*"))
