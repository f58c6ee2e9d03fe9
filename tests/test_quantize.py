"""Precisions: our rounding equals the libraries', saved models come back equal, and one table tells the truth."""

import copy
from dataclasses import replace

import pytest
import tiny_models
import torch
from torch import nn

from workshop_utils.chat import models
from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.lessons import stoic_run
from workshop_utils.machine.profiles import choose
from workshop_utils.quantize import compare as quantize
from workshop_utils.quantize import int8 as quantize_int8
from workshop_utils.quantize import routes as quantize_routes
from workshop_utils.quantize import save as quantize_save
from workshop_utils.quantize import torchao as quantize_torchao
from workshop_utils.quantize.compare import METHODS, Unavailable, quantise
from workshop_utils.tuning import lora

PROMPT = "What colour is a banana?"
QUESTIONS = ("What does a cow eat?", "I am tired today.", "Where do fish live?", "Tell me a story about a fox.")


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def profile():
    return choose("pocket")


@pytest.fixture(scope="module")
def pocket(profile):
    return models.load("pocket-instruct", profile, dtype=torch.float32)


@pytest.fixture(scope="module")
def rows(pocket):
    """Chats with the model's own answers: in the distribution that it will meet."""
    prompts = [pocket.chat_ids(question) for question in QUESTIONS]
    return [prompt + made.ids for prompt, made in zip(prompts, pocket.generate(prompts, 40), strict=True)]


def tiny(tmp_path, family="llama", **changes) -> LanguageModel:
    folder = tiny_models.save(tmp_path / family, family, **changes)
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    return LanguageModel("tiny", model, AutoTokenizer.from_pretrained(folder), str(folder))


def logits(model, ids) -> torch.Tensor:
    with torch.inference_mode():
        return model.model(input_ids=torch.tensor([ids])).logits.float()


def matrix(out=96, inside=192, seed=0) -> torch.Tensor:
    return torch.randn(out, inside, generator=torch.Generator().manual_seed(seed))


# --- by hand


@pytest.mark.parametrize("per", ["tensor", "channel", 64])
def test_absmax_is_as_near_as_its_scale_allows_and_finer_scales_are_nearer(per):
    weight = matrix()
    weight[3] *= 20  # a row of outliers
    weight[5] = 0
    codes, scales = quantize.absmax_int8(weight, per)
    assert codes.dtype == torch.int8
    assert scales.shape == {"tensor": (1, 1), "channel": (96, 1), 64: (96, 3)}[per]
    back = quantize.dequantise(codes, scales)
    step = scales.repeat_interleave(192 // scales.size(1), dim=1)
    assert ((back - weight).abs() <= step / 2 + 1e-6).all()
    assert codes.abs().max() == 127
    assert (back[5] == 0).all()
    if per != "tensor":
        coarse = quantize.dequantise(*quantize.absmax_int8(weight, "tensor"))
        assert (back - weight).norm() < (coarse - weight).norm() / 2


def test_absmax_equals_torchao_and_bitsandbytes():
    import bitsandbytes as bnb

    weight = matrix()
    layer = nn.Sequential(nn.Linear(192, 96, bias=False))
    layer[0].weight = nn.Parameter(weight.clone())
    with quantize_torchao.quiet():
        from torchao.quantization import Int8WeightOnlyConfig, quantize_

        quantize_(layer, Int8WeightOnlyConfig())
    codes, scales = quantize.absmax_int8(weight, "channel", top=127.5)
    assert torch.equal(codes, layer[0].weight.qdata)
    assert torch.allclose(scales, layer[0].weight.scale, rtol=1e-6)
    assert torch.allclose(quantize.dequantise(codes, scales), layer[0].weight.dequantize(), rtol=1e-6)
    other, _ = quantize.absmax_int8(weight, "channel")
    assert not torch.equal(other, codes)  # the two conventions differ, or the test above could not fail
    theirs, tops, _ = bnb.functional.int8_vectorwise_quant(weight.half())
    codes, scales = quantize.absmax_int8(weight.half().float(), "channel")
    assert (codes != theirs).float().mean() < 0.001  # products in 16 bits differ where a code is at the edge of two
    assert torch.allclose(scales.flatten() * 127, tops.float(), rtol=1e-3)


def test_nf4_equals_bitsandbytes_and_is_better_than_even_steps():
    import bitsandbytes.functional as bnb

    weight = matrix()
    codes, largest = quantize.nf4(weight)
    packed, state = bnb.quantize_4bit(weight, blocksize=64, quant_type="nf4")
    theirs = torch.stack((packed.flatten() >> 4, packed.flatten() & 15), dim=1).reshape(weight.shape)
    assert torch.equal(codes, theirs)
    assert torch.equal(largest, state.absmax)
    assert torch.allclose(state.code, torch.tensor(quantize_by_hand_levels()))
    back = quantize.nf4_dequantise(codes, largest)
    assert torch.allclose(back, bnb.dequantize_4bit(packed, state), atol=1e-6)
    even, scales = quantize.absmax_int8(weight, 64, top=7)  # 15 even steps
    assert (back - weight).norm() < (quantize.dequantise(even, scales) - weight).norm()


def quantize_by_hand_levels():
    from workshop_utils.quantize.by_hand import NF4_LEVELS

    return NF4_LEVELS


def test_what_does_not_fit_is_a_sentence():
    with pytest.raises(ValueError, match="divides 192"):
        quantize.absmax_int8(matrix(), 50)
    with pytest.raises(ValueError, match="matrix of floats"):
        quantize.absmax_int8(matrix()[0])
    with pytest.raises(ValueError, match="whole blocks of 64"):
        quantize.nf4(matrix(3, 30))


# --- fast int8 layers


@pytest.mark.parametrize("bias", [True, False])
def test_integer_products_lose_no_more_than_the_weights_rounding(bias):
    torch.manual_seed(0)
    layer = nn.Linear(192, 96, bias=bias)
    x = torch.randn(2, 5, 192)
    x[0, 0] *= 100  # an outlier must not cost its neighbours
    x[1, 1] = 0
    made = quantize_int8.Int8Linear(layer.weight, layer.bias)
    exact = nn.functional.linear(x, quantize.dequantise(*quantize.absmax_int8(layer.weight.detach())), layer.bias)
    got = made(x)
    assert got.shape == exact.shape
    error = (got - exact).norm(dim=-1) / exact.norm(dim=-1).clamp_min(1e-9)
    assert error.max() < 4e-4  # one row makes 6e-3
    dynamic = quantize_int8.Int8DynamicLinear(layer.weight, layer.bias)
    coarse = (dynamic(x) - exact).norm(dim=-1) / exact.norm(dim=-1).clamp_min(1e-9)
    assert 4e-3 < coarse.max() < 2e-2
    one_by_one = torch.cat([dynamic(row[None]) for row in x.flatten(0, 1)]).view_as(exact)
    assert (one_by_one - dynamic(x)).abs().max() < 0.02 * exact.norm(dim=-1).max()  # zero may get another code
    assert torch.equal(copy.deepcopy(dynamic)(x), dynamic(x))
    for each in (made, dynamic):
        again = type(each)(torch.randn(96, 192), None if layer.bias is None else torch.randn(96))
        again.load_state_dict(each.state_dict())
        assert torch.equal(again(x), each(x))
        assert torch.equal(again(x[0, :1]), each(x[0, :1]))


def test_inputs_get_seven_bits_where_the_kernel_would_overflow(monkeypatch):
    monkeypatch.setattr(quantize_int8, "overflows", lambda: True)
    layer, x = torch.randn(96, 192), torch.randn(5, 192)
    narrow = quantize_int8.Int8DynamicLinear(layer)
    monkeypatch.setattr(quantize_int8, "overflows", lambda: False)
    wide = quantize_int8.Int8DynamicLinear(layer)
    exact = x @ quantize.dequantise(*quantize.absmax_int8(layer)).T
    for some in (x, x[:1]):
        errors = [(made(some) - exact[: len(some)]).norm() for made in (narrow, wide)]
        assert 1.5 < errors[0] / errors[1] < 2.6


def test_codes_at_an_odd_address_do_not_crash_the_process():
    # torch 2.13 reads aligned vectors from wherever the codes are; safetensors had put them at an odd multiple of 8.
    raw = torch.zeros(64 * 64 + 64, dtype=torch.int8)
    odd = raw[24 : 24 + 64 * 64].view(64, 64)
    assert odd.data_ptr() % 64
    layer = quantize_int8.Int8PackLinear(torch.randn(64, 64))
    layer.take(odd, torch.ones(64, 1))
    assert layer.codes.data_ptr() % 64 == 0
    assert layer(torch.randn(3, 64).bfloat16()).abs().max() == 0


@pytest.mark.parametrize("method", ["int8-fast", "int8-fine", "int8-pack"])
def test_gpt2_with_its_transposed_layers_is_quantised_whole(method, profile):
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    config = GPT2Config(n_layer=2, n_embd=64, n_head=2, vocab_size=256, n_positions=64, bos_token_id=0, eos_token_id=0)
    model = LanguageModel("gpt2", GPT2LMHeadModel(config).eval(), None)
    made = quantise(method, model, profile)
    plain = quantize.bytes_in_memory(model.model)
    assert made.bytes_in_memory < 0.45 * plain
    names = {type(module).__name__ for module in made.model.model.modules()}
    assert "Conv1D" not in names
    assert "Linear" not in names
    ids = [list(range(1, 40))]
    assert 0 < quantize.logit_error(model, made.model, ids).relative < 0.03


# --- methods

SMALL = {
    # method: the largest error of logits on pocket-instruct, and of bytes against float32
    "fp32": (0.0, 1.001),
    "bf16": (0.02, 0.501),
    "int8": (0.04, 0.34),
    "int8-pack": (0.04, 0.26),
    "int8-dynamic": (0.06, 0.34),
    "int8-fast": (0.06, 0.30),
    "int8-fine": (0.04, 0.30),
    "int8-static": (0.40, 0.34),
    "nf4": (0.30, 0.25),
    "nf4-double": (0.30, 0.24),
    "gguf-q8_0": (0.03, 0.27),
    "gguf-q4_0": (0.30, 0.16),
}


@pytest.mark.parametrize("method", SMALL)
def test_a_method_keeps_its_promise_and_comes_back_from_the_disk(method, pocket, profile, rows, tmp_path):
    before = logits(pocket, rows[0])
    made = quantise(method, pocket, profile, calibration=rows[2:])
    error = quantize.logit_error(pocket, made.model, rows[:2])
    most, share = SMALL[method]
    assert error.relative <= most
    assert (error.relative > 0) == (method != "fp32")
    floats = 4 * pocket.n_parameters
    assert made.bytes_in_memory < share * floats
    on_disk = made.bytes_on_disk(tmp_path / "saved")
    assert 0.85 < on_disk / made.bytes_in_memory < 1.06
    again = quantize_save.load(made, tmp_path / "saved")
    assert torch.equal(logits(again.model, rows[0]), logits(made.model, rows[0]))
    assert again.bytes_in_memory == made.bytes_in_memory
    assert torch.equal(logits(pocket, rows[0]), before)  # the source stays as it is
    assert made.model.reply(PROMPT, 12)
    assert made.note
    with pytest.raises(ValueError, match="weights already"):
        made.save(tmp_path / "saved")


def test_a_name_and_a_loaded_model_give_the_same(pocket, profile, rows):
    for method in ("int8", "nf4"):
        by_name, by_model = (quantise(method, source, profile) for source in ("pocket-instruct", pocket))
        assert torch.equal(logits(by_name.model, rows[0]), logits(by_model.model, rows[0]))
        assert by_name.bytes_in_memory == by_model.bytes_in_memory


def test_double_quantisation_saves_bytes_and_not_much_else(pocket, profile):
    one, two = (quantise(method, pocket, profile) for method in ("nf4", "nf4-double"))
    saved = (one.bytes_in_memory - two.bytes_in_memory) * 8 / 1_769_472  # bits for each weight inside the blocks
    assert 0.2 < saved < 0.373  # 0.373 for large matrices


def test_a_static_scale_suffers_from_outliers_and_sparing_them_helps(pocket, profile, rows):
    largest, dims = quantize_torchao.observe(pocket.model, rows[2:])
    assert set(dims.values()) == {3}
    assert len(largest) == 28
    assert max(largest, key=largest.get).endswith("down_proj")
    pure, spared = (quantise("int8-static", pocket, profile, rows[2:], spare=spare) for spare in ((), ("down_proj",)))
    errors = [quantize.logit_error(pocket, made.model, rows[:2]).kl for made in (pure, spared)]
    assert errors[1] < errors[0] / 2
    assert "down_proj" in spared.note


def test_int4_learns_to_live_with_its_rounding_and_packs_two_codes_in_a_byte(pocket, profile, rows, tmp_path):
    state = torch.get_rng_state()
    untrained = quantise("int4-qat", pocket, profile, train=lambda model: torch.rand(1))
    assert torch.equal(torch.get_rng_state(), state)  # whatever the training draws, the lesson goes on the same
    made = quantise("int4-qat", pocket, profile, train=rows[2:], steps=6)
    seen = [quantize.logit_error(pocket, each.model, rows[2:]).kl for each in (untrained, made)]
    assert seen[1] < 0.9 * seen[0]
    layer = made.model.model.model.layers[0].mlp.up_proj.weight
    assert layer.qdata.min() >= -8
    assert layer.qdata.max() <= 7
    on_disk = made.bytes_on_disk(tmp_path)
    assert on_disk < made.bytes_in_memory - 1_769_472 * 0.49
    again = quantize_save.load(made, tmp_path)
    assert torch.equal(logits(again.model, rows[0]), logits(made.model, rows[0]))


def test_an_adapter_is_merged_into_floats_first(tmp_path, profile):
    base = tiny(tmp_path)
    tuned = lora.attach(base, rank=4)
    with torch.no_grad():
        for parameter in lora.trained_parameters(tuned.model):
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)) * 0.05)
    ids = tuned.ids(PROMPT)
    with pytest.raises(ValueError, match="merge it first"):
        quantise("int8", tuned, profile)
    merged = quantize.merged(tuned)
    wanted = logits(tuned, ids)
    assert torch.allclose(logits(merged, ids), wanted, atol=1e-3)
    with tuned.model.disable_adapter():
        assert not torch.allclose(logits(tuned, ids), wanted, atol=1e-2)
    for method in ("int8", "nf4", "gguf-q8_0"):
        made = quantise(method, lambda: merged, profile)
        assert quantize.logit_error(merged, made.model, [ids]).relative < 0.5  # random weights
    with pytest.raises(ValueError, match="no adapter"):
        quantize.merged(merged)
    four_bits = quantise("nf4", merged, profile).model
    with pytest.raises(ValueError, match="quantised already"):
        quantise("int8", four_bits, profile)
    with pytest.raises(ValueError, match="quantised already"):
        quantize.merged(lora.attach(four_bits, rank=4))
    for method in ("int8", "int8-fast", "int8-pack"):
        with pytest.raises(ValueError, match="quantised already"):
            quantise("int8", quantise(method, merged, profile).model, profile)


def test_what_is_tied_is_counted_once(tmp_path):
    tied, untied = tiny(tmp_path / "a", tie_word_embeddings=True), tiny(tmp_path / "b", tie_word_embeddings=False)
    table = tied.model.get_input_embeddings().weight.numel()
    sizes = [quantize.bytes_in_memory(model.model) for model in (tied, untied)]
    assert 4 * table * 0.99 < sizes[1] - sizes[0] < 4 * table * 1.01
    profile = choose("pocket")
    assert "one matrix" in quantise("int8", tied, profile).note
    assert "two matrices" in quantise("int8", untied, profile).note
    for method in ("int8-fast", "int8-fine", "int8-pack"):
        copied = quantise(method, untied, profile)
        again_folder = tmp_path / method
        copied.save(again_folder)
        ids = untied.ids(PROMPT)
        assert torch.equal(logits(quantize_save.load(copied, again_folder).model, ids), logits(copied.model, ids))


# --- what cannot run


def test_a_method_that_cannot_run_says_why(pocket, profile, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="no method 'int3'"):
        quantise("int3", pocket, profile)
    with pytest.raises(Unavailable, match="calibration="):
        quantise("int8-static", pocket, profile)
    with pytest.raises(Unavailable, match="train="):
        quantise("int4-qat", pocket, profile)
    with pytest.raises(Unavailable, match=r"gemma2.*convert_hf_to_gguf"):
        quantise("gguf-q8_0", tiny(tmp_path, "gemma2"), profile)
    narrow = tiny(tmp_path / "narrow", hidden_size=48, num_attention_heads=3, num_key_value_heads=3)
    with pytest.raises(Unavailable, match="blocks of 64"):
        quantise("nf4", narrow, profile)
    monkeypatch.setattr("workshop_utils.machine.profiles.free_memory_bytes", lambda device: 1000)
    with pytest.raises(Unavailable, match="GB and more"):
        quantise("int4-qat", pocket, profile, train=[[1, 2, 3]])
    monkeypatch.setattr(quantize_int8, "lack_of_kernel", lambda: "this is no x86")
    with pytest.raises(Unavailable, match="no x86"):
        quantise("int8-fast", pocket, profile)
    monkeypatch.setattr(quantize_routes.importlib.util, "find_spec", lambda name: None)
    for method in ("int8", "nf4"):
        with pytest.raises(Unavailable, match="pip install"):
            quantise(method, pocket, profile)


@pytest.mark.parametrize("method", ["bf16", "nf4", "int8", "int4-qat", "gguf-q8_0"])
def test_a_method_that_runs_out_of_gpu_memory_is_a_line_without_figures(method, pocket, profile, monkeypatch):
    def full(*args):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(quantize_routes, "plain", full)
    monkeypatch.setattr(quantize_routes.gguf_file, "write_gguf", full)
    (row,) = quantize.table([method], pocket, profile, [[1, 2, 3]], train=[[1, 2, 3]], quiet=True)
    assert "needs more memory than there is" in row.reason
    assert row.memory_bytes is None


# --- measuring


def test_the_error_of_logits_is_what_it_says(pocket, rows):
    class Louder(nn.Module):
        device = torch.device("cpu")

        def __init__(self, factor):
            super().__init__()
            self.factor = factor

        def forward(self, input_ids):
            out = pocket.model(input_ids=input_ids)
            out.logits = out.logits * self.factor
            return out

    none = quantize.logit_error(pocket, pocket, rows)
    assert (none.relative, none.kl, none.top1, none.tokens) == (0, 0, 1, sum(map(len, rows)))
    louder = quantize.logit_error(pocket, LanguageModel("louder", Louder(1.1), None), rows)
    assert louder.relative == pytest.approx(0.1, rel=1e-3)
    assert louder.kl > 0
    assert louder.top1 == 1
    upside_down = quantize.logit_error(pocket, LanguageModel("-", Louder(-1.0), None), rows)
    assert upside_down.relative == pytest.approx(2, rel=1e-3)
    assert upside_down.top1 == 0
    with pytest.raises(ValueError, match="no tokens"):
        quantize.logit_error(pocket, pocket, [[]])


def test_other_vocabularies_are_refused(pocket, tmp_path):
    with pytest.raises(ValueError, match="one vocabulary"):
        quantize.logit_error(pocket, tiny(tmp_path), [[1, 2]])


def test_speed_counts_every_token_and_leaves_the_model_as_it_was(pocket):
    ids = pocket.chat_ids(PROMPT)
    stops = pocket.model.generation_config.eos_token_id
    speed = quantize.decode_speed(pocket, ids, 20, repeats=1)  # raises where it stops after "yellow."
    assert speed.tokens_per_second > 0
    assert speed.wh_per_1000 is None
    assert speed.energy == "unavailable"
    assert pocket.model.generation_config.eos_token_id == stops
    assert pocket.reply(PROMPT, 30).endswith(".")
    with pytest.raises(ValueError, match="do not fit"):
        quantize.decode_speed(pocket, ids, 600)
    with pytest.raises(ValueError, match="at least 1"):
        quantize.decode_speed(pocket, ids, 0)


# --- the table


def test_two_tables_with_one_seed_agree_in_every_quality_figure(pocket, profile, rows, tmp_path, capsys):
    def perplexity(model):
        ids = torch.tensor([rows[0]])
        with torch.inference_mode():
            return model.model(input_ids=ids, labels=ids).loss.exp()

    def length(model):
        return [len(model.reply(question, 20)) for question in QUESTIONS[:2]]

    def run():
        return quantize.table(
            ["fp32", "int8", "int4-qat", "nf4", "int8-static"],
            pocket,
            profile,
            rows[:2],
            train=rows[2:],
            perplexity=perplexity,
            scores={"letters": length},
            prompt_ids=rows[0][:10],
            new_tokens=4,
            repeats=1,
            energy=False,
            steps=2,
        )

    one, two = run(), run()
    assert [row.quality() for row in one] == [row.quality() for row in two]
    assert [row.disk_bytes for row in one] == [row.disk_bytes for row in two]
    assert "NF4 ..." in capsys.readouterr().out
    fp32, int8, qat, nf4, static = one
    assert fp32.kl == 0 < int8.kl < nf4.kl
    assert fp32.perplexity == float(perplexity(pocket)) != nf4.perplexity
    assert nf4.memory_bytes < int8.memory_bytes < fp32.memory_bytes
    assert fp32.scores["letters"] == [float(len(pocket.reply(q, 20))) for q in QUESTIONS[:2]]
    assert all(row.tokens_per_second > 0 for row in (fp32, int8, qat, nf4))
    assert "calibration=" in static.reason  # it stays in the table, with the reason
    assert static.relative is static.disk_bytes is static.tokens_per_second is None
    quantize.save_rows(one, tmp_path / "rows.json")
    assert quantize.load_rows(tmp_path / "rows.json") == one
    text = quantize.printed(one)
    assert text.splitlines()[1].startswith("float32")
    assert f"{nf4.kl:.1e}" in text
    assert text.splitlines()[-1].startswith("int8 static: static scales")
    assert len({len(line) for line in text.splitlines()[1:5]}) == 1


def test_a_table_of_unknown_methods_is_refused_before_anything_is_measured(pocket, profile, rows):
    with pytest.raises(ValueError, match="no method 'int3'"):
        quantize.table(["fp32", "int3"], pocket, profile, rows)


def test_every_kind_is_there():
    assert {method.kind for method in METHODS.values()} == {"none", "weights only", "dynamic", "static", "trained"}
    assert next(iter(METHODS)) == "fp32"
    assert all(name == method.name for name, method in METHODS.items())


# --- what lesson 09 compares


@pytest.mark.parametrize(
    ("device", "dtype", "family", "left_out"),
    [
        ("cpu", "float32", "llama", set()),
        ("cpu", "float32", "gemma2", {"gguf-q8_0", "gguf-q4_0"}),
        ("cuda", "float16", "llama", {"fp32", "int8-pack", "int8-fast", "int8-fine", "int4-qat"}),
        (
            "cuda",
            "bfloat16",
            "gemma2",
            {"fp32", "int8-pack", "int8-fast", "int8-fine", "int4-qat", "gguf-q8_0", "gguf-q4_0"},
        ),
    ],
)
def test_the_table_has_a_reference_first_and_no_row_that_cannot_be_had(
    device, dtype, family, left_out, profile, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(quantize_int8, "lack_of_kernel", lambda: "")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (1000, 15_800_000_000))
    model = tiny(tmp_path, family)
    capsys.readouterr()
    there = replace(profile, device=device, dtype=dtype)
    methods = stoic_run.precisions_for(there, model)
    assert set(quantize.METHODS) - set(methods) == left_out
    assert methods[0] == ("fp32" if device == "cpu" else "bf16")
    said = capsys.readouterr().out
    assert said.count("\n") == (1 if left_out else 0)  # one line says why
    assert all(quantize.METHODS[name].title in said for name in left_out)


def test_the_first_row_of_a_gpus_table_is_what_the_others_are_compared_with(pocket, profile):
    loaded = replace(pocket, model=copy.deepcopy(pocket.model).bfloat16())  # as on a GPU
    (row,) = quantize.table(["bf16"], loaded, profile, [[1, 2, 3]], quiet=True)
    assert (row.relative, row.kl, row.top1) == (0, pytest.approx(0, abs=1e-6), 1)
