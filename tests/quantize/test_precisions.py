"""Every precision keeps its promises, or a sentence says why not; and the table tells the truth about them."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import tiny_models
import torch
from torch import nn

from workshop_utils import quantize
from workshop_utils.chat import models
from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.lessons import stoic_run
from workshop_utils.machine.profiles import choose
from workshop_utils.quantize import METHODS, absmax_int8, dequantise, floats, int8, merged, methods, quantise, torchao
from workshop_utils.quantize.floats import Unavailable
from workshop_utils.quantize.measure import bytes_in_memory, decode_speed, logit_error, weight_bytes
from workshop_utils.tuning import lora

PROMPT = "What colour is a banana?"
IN_BLOCKS = 1_769_472  # weights of pocket-instruct that are quantised
NARROW = {"hidden_size": 48, "num_attention_heads": 3, "num_key_value_heads": 3}


@pytest.fixture(scope="module")
def profile():
    return replace(choose("pocket"), country="")


@pytest.fixture(scope="module")
def pocket(profile):
    return models.load("pocket-instruct", profile, dtype=torch.float32)


@pytest.fixture(scope="module")
def rows(pocket):
    """Chats with the model's own answers: in the distribution that it will meet."""
    questions = ("What does a cow eat?", "I am tired today.", "Where do fish live?", "Tell me a story about a fox.")
    prompts = [pocket.chat_ids(question) for question in questions]
    return [prompt + made.ids for prompt, made in zip(prompts, pocket.generate(prompts, 40), strict=True)]


def logits(model, ids) -> torch.Tensor:
    with torch.inference_mode():
        return model.model(input_ids=torch.tensor([ids])).logits.float()


# --- the integer kernel


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("fine", "narrow", "least", "most"),
    [(False, False, 4e-3, 9e-3), (False, True, 9e-3, 2e-2), (True, False, 0, 1e-4), (True, True, 0, 3e-4)],
)
def test_integer_products_lose_no_more_than_the_rounding_of_weights_and_inputs(
    bias, fine, narrow, least, most, monkeypatch
):
    monkeypatch.setattr(int8, "overflows", lambda: narrow)  # only another CPU would tell
    torch.manual_seed(0)
    layer, x = nn.Linear(192, 96, bias=bias), torch.randn(2, 5, 192)
    x[0, 0] *= 100  # an outlier must not cost its neighbours
    x[1, 1] = 0
    codes, scales = absmax_int8(layer.weight.detach())
    exact = nn.functional.linear(x, dequantise(codes, scales), layer.bias)
    made = int8.Int8Linear(layer.weight, layer.bias, fine)
    for got in (made(x), torch.cat([made(row[None]) for row in x.flatten(0, 1)]).view_as(exact)):
        error = (got - exact).norm(dim=-1) / exact.norm(dim=-1).clamp_min(1e-9)
        assert least <= error.max() < most
    assert torch.equal(made.unpacked()[0], codes)
    assert torch.allclose(made.unpacked()[1], scales)


def test_gpt2_with_its_transposed_layers_is_quantised_whole(profile):
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    config = GPT2Config(n_layer=2, n_embd=64, n_head=2, vocab_size=256, n_positions=64, bos_token_id=0, eos_token_id=0)
    model = LanguageModel("gpt2", GPT2LMHeadModel(config).eval(), None)
    made = quantise("int8-fast", model, profile)
    assert made.bytes_in_memory < 0.45 * bytes_in_memory(model.model)
    assert 0 < logit_error(model, made.model, [list(range(1, 40))]).relative < 0.03


# --- all methods


@pytest.mark.parametrize(
    ("method", "largest_error", "largest_share"),
    [  # of the logits of pocket-instruct, and of the bytes of float32
        ("fp32", 0.0, 1.001),
        ("bf16", 0.02, 0.501),
        ("int8", 0.04, 0.34),
        ("int8-dynamic", 0.06, 0.34),
        ("int8-fast", 0.06, 0.30),
        ("int8-static", 0.40, 0.34),
        ("nf4", 0.30, 0.235),
        ("nf4-double", 0.30, 0.228),  # its scales are quantised, too
        ("gguf-q8_0", 0.03, 0.267),
        ("gguf-q4_0", 0.30, 0.155),
    ],
)
def test_a_method_keeps_its_promise(method, largest_error, largest_share, pocket, profile, rows, tmp_path):
    before = logits(pocket, rows[0])
    made = quantise(method, pocket, profile, calibration=rows[2:])
    error = logit_error(pocket, made.model, rows[:2]).relative
    assert error <= largest_error
    assert (error > 0) == (method != "fp32")
    assert made.bytes_in_memory < largest_share * 4 * pocket.n_parameters
    METHODS[method].save(made, tmp_path)
    assert 0.85 < weight_bytes(tmp_path) / made.bytes_in_memory < 1.06
    assert torch.equal(logits(pocket, rows[0]), before)  # the source stays as it is
    assert made.model.reply(PROMPT, 12)


def test_int4_learns_to_live_with_its_rounding_and_packs_two_codes_in_a_byte(pocket, profile, rows, tmp_path):
    state = torch.get_rng_state()
    untrained, made = (quantise("int4-qat", pocket, profile, train=rows[2:], steps=steps) for steps in (1, 6))
    assert torch.equal(torch.get_rng_state(), state)  # whatever the training draws, the lesson goes on the same
    assert logit_error(pocket, made.model, rows[2:]).kl < 0.9 * logit_error(pocket, untrained.model, rows[2:]).kl
    torchao.save(made, tmp_path)
    assert weight_bytes(tmp_path) < made.bytes_in_memory - IN_BLOCKS * 0.49
    name = "model.layers.0.mlp.up_proj.weight"
    kept, codes = torch.load(tmp_path / "model.pt")[name], made.model.model.state_dict()[name].qdata
    low, high = (kept["nibbles"].to(torch.int8) << shift >> 4 for shift in (4, 0))
    assert torch.equal(torch.stack((low, high), -1).reshape(codes.shape), codes)


def test_static_scales_are_the_largest_inputs_of_any_row(pocket, rows):
    together, *apart = (torchao.largest_inputs(pocket.model, part) for part in (rows[:2], rows[:1], rows[1:2]))
    assert len(together) == 28
    for name, scale in together.items():
        assert scale.shape == (1, 1, 1)
        assert scale == max(one[name] for one in apart)


def test_what_is_tied_is_counted_and_saved_once(tmp_path, profile):
    held, saved = [], []
    for tied in (True, False):
        model, folder = tiny_models.loaded(tmp_path / f"{tied}", tie_word_embeddings=tied), tmp_path / f"{tied}-saved"
        folder.mkdir()
        held.append(bytes_in_memory(model.model))
        int8.save(quantise("int8-fast", model, profile), folder)
        saved.append(weight_bytes(folder))
    table = model.model.get_input_embeddings().weight.numel()
    assert held[1] - held[0] == pytest.approx(4 * table, rel=0.01)
    assert table < saved[1] - saved[0] < 1.2 * table


def test_an_adapter_is_merged_into_floats_first(tmp_path, profile):
    tuned = lora.attach(tiny_models.loaded(tmp_path), rank=4)
    with torch.no_grad():
        for parameter in lora.trained_parameters(tuned.model):
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)) * 0.05)
    ids = tuned.ids(PROMPT)
    one, wanted = merged(tuned), logits(tuned, ids)
    assert torch.allclose(logits(one, ids), wanted, atol=1e-3)
    with tuned.model.disable_adapter():
        assert not torch.allclose(logits(tuned, ids), wanted, atol=1e-2)
    made = {method: quantise(method, one, profile).model for method in ("int8", "int8-fast", "nf4")}
    assert all(logit_error(one, model, [ids]).relative < 0.5 for model in made.values())  # random weights
    wrong = [(lambda: quantise("int8", tuned, profile), "merge it first"), (lambda: merged(one), "no adapter")]
    wrong += [(lambda model=model: quantise("int8", model, profile), "quantised already") for model in made.values()]
    wrong += [(lambda: merged(lora.attach(made["nf4"], rank=4)), "quantised already")]
    for call, words in wrong:
        with pytest.raises(ValueError, match=words):
            call()


# --- what cannot run


@pytest.mark.parametrize(
    ("method", "options", "shape", "words"),
    [
        ("int8-static", {}, {}, "calibration="),
        ("int4-qat", {}, {}, "train="),
        ("int4-qat", {"train": [[1, 2, 3]]}, NARROW, "groups of 32"),
        ("nf4", {}, NARROW, "blocks of 64"),
        ("gguf-q8_0", {}, {"family": "gemma2"}, "gemma2.*convert_hf_to_gguf"),
    ],
)
def test_a_method_that_cannot_run_says_why(method, options, shape, words, profile, tmp_path):
    with pytest.raises(Unavailable, match=words):
        quantise(method, tiny_models.loaded(tmp_path, **shape), profile, **options)


def test_a_machine_that_lacks_something_says_what(pocket, profile, monkeypatch):
    assert "for CPUs" in methods.lack_of("int8-fast", pocket, replace(profile, device="cuda"))
    monkeypatch.setattr(torchao, "free_memory_bytes", lambda device: 1000)
    assert "GB and more" in methods.lack_of("int4-qat", pocket, profile)
    monkeypatch.setattr(torch.backends, "quantized", SimpleNamespace(supported_engines=["qnnpack"]))
    assert "x86" in methods.lack_of("int8-fast", pocket, profile)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install" in methods.lack_of("nf4", pocket, profile)


def test_lesson_09_has_a_reference_first_and_no_row_that_cannot_be_had(profile, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (1000, 15_800_000_000))
    model = tiny_models.loaded(tmp_path, "gemma2")
    capsys.readouterr()
    for device, left_out in (("cpu", set()), ("cuda", {"fp32", "int8-fast", "int4-qat"})):
        found = stoic_run.precisions_for(replace(profile, device=device), model)
        assert set(METHODS) - set(found) == left_out | {"gguf-q8_0", "gguf-q4_0"}
        assert found[0] == ("fp32" if device == "cpu" else "bf16")
        (said,) = capsys.readouterr().out.splitlines()  # one line says why
        assert all(METHODS[name].title in said for name in left_out)


# --- the table


def test_the_error_of_logits_is_what_it_says(pocket, rows):
    found = {}
    for factor in (1.0, 1.1, -1.0):
        louder = floats.copied(pocket, torch.float32)
        louder.model.model.norm.weight.mul_(factor)  # in front of the head
        found[factor] = logit_error(pocket, louder, rows[:1])
    assert (found[1.0].relative, found[1.0].kl) == (0, 0)
    assert found[1.1].relative == pytest.approx(0.1, rel=1e-3)
    assert found[-1.0].relative == pytest.approx(2, rel=1e-3)
    one = logits(pocket, rows[0])[0]
    kl = nn.functional.kl_div((one * 1.1).log_softmax(-1), one.softmax(-1), reduction="batchmean")
    assert found[1.1].kl == pytest.approx(float(kl), rel=1e-3)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda model, profile: logit_error(model, model, [[]]), "no tokens"),
        (lambda model, profile: decode_speed(model, [1, 2], 600), "fit into the 512"),
        (lambda model, profile: decode_speed(model, [1, 2], 0), "at least 1"),
        (lambda model, profile: quantize.table(["fp32", "int3"], model, profile, [[1]]), "no method 'int3'"),
    ],
)
def test_what_cannot_be_measured_is_a_sentence(call, words, pocket, profile):
    with pytest.raises(ValueError, match=words):
        call(pocket, profile)


def test_a_table_tells_what_was_measured_and_a_second_one_the_same(pocket, profile, rows, capsys):
    def perplexity(model):
        return logits(model, rows[0]).logsumexp(-1).mean()

    def letters(model):
        return [len(model.reply(PROMPT, 20))]

    def run(*names):
        options = {"perplexity": perplexity, "scores": {"letters": letters}, "train": rows, "steps": 2}
        asked = pocket.chat_ids(PROMPT)  # 20 tokens are more than the answer "yellow." has
        return quantize.table(names, pocket, profile, rows[:2], prompt_ids=asked, new_tokens=20, repeats=1, **options)

    first = run("fp32", "int8", "int4-qat", "nf4", "gguf-q8_0", "int8-static")
    assert "NF4 ..." in capsys.readouterr().out
    fp32, int8, qat, nf4, gguf, static = first
    (again,) = run("int4-qat")
    assert replace(again, tokens_per_second=0) == replace(qat, tokens_per_second=0)
    assert fp32.kl == 0 < int8.kl < nf4.kl
    assert fp32.perplexity == float(perplexity(pocket)) != nf4.perplexity
    assert nf4.memory_bytes < gguf.memory_bytes < int8.memory_bytes < fp32.memory_bytes
    assert fp32.mean("letters") == letters(pocket)[0]
    assert all(row.tokens_per_second > 0 and row.energy == "unavailable" for row in first[:5])
    assert "calibration=" in static.reason  # it stays in the table, with the reason
    assert static.relative is static.disk_bytes is static.tokens_per_second is static.mean("letters") is None
    text = quantize.printed(first).splitlines()
    assert text[1].startswith("float32")
    assert f"{nf4.kl:.1e}" in text[4]
    assert text[-1].startswith("int8 static: static scales")
    assert len({len(line) for line in text[1:6]}) == 1


def test_a_method_that_runs_out_of_gpu_memory_is_a_row_without_figures(pocket, profile, monkeypatch):
    def full(*args):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(floats.copy, "deepcopy", full)  # no GPU here could be filled
    found = quantize.table(["bf16", "nf4", "int8"], pocket, profile, [[1, 2, 3]], quiet=True)
    assert all("needs more memory than there is" in row.reason and row.memory_bytes is None for row in found)
