"""The budget agrees with what torch keeps, with what transformers counts, and with runs that were published."""

from __future__ import annotations

import itertools
import sys
from dataclasses import replace

import pytest
import torch
from corpus import quick, token_file
from torch.profiler import ProfilerActivity, profile
from transformers import AutoConfig, AutoModelForCausalLM

from workshop_utils import budget
from workshop_utils.budget import PYTHON_INT, Gpu, Plan, estimate
from workshop_utils.budget.gpus import GPUS, grams_per_kwh
from workshop_utils.budget.memory import activations, moments, peak, state
from workshop_utils.budget.shapes import SHAPES, of_gpt
from workshop_utils.gpt import GPT, GPTConfig
from workshop_utils.machine.hardware import peak_flops
from workshop_utils.training import train

TALK = GPTConfig(n_layer=24, n_head=32, n_embd=2048, block_size=2048, vocab_size=50304, bias=False)
GPT2 = GPTConfig(n_layer=12, n_head=12, n_embd=768, block_size=1024, vocab_size=50304)
GPT2_XL = replace(GPT2, n_layer=48, n_head=25, n_embd=1600)
SMALL = {"block_size": 64, "vocab_size": 96, "n_layer": 2, "n_head": 2, "n_embd": 64}
KINDS = [
    {"bias": bias, "position": position, "norm": norm, "activation": activation}
    for bias, position, norm, activation in itertools.product(
        (True, False), ("learned", "rope"), ("layernorm", "rmsnorm"), ("gelu_tanh", "swiglu")
    )
]


# --- counting


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(map(str, kind.values())))
def test_parameters_and_flops_are_those_of_the_model(kind):
    config = GPTConfig(**SMALL | kind)
    model, shape = GPT(config), of_gpt(config)
    assert shape.parameters == model.num_params()
    assert shape.flops_per_token() == model.flops_per_token()
    matrices = (p.numel() for name, p in model.named_parameters() if name.startswith("transformer.h.") and p.dim() == 2)
    assert shape.inside == sum(matrices)


def test_the_model_of_the_talk():
    found = estimate(TALK)
    assert found.shape.parameters == 1_315_276_800
    assert found.before == pytest.approx(21.05e9, rel=1e-3)
    assert found.flops_per_token == pytest.approx(9.08e9, rel=2e-3)
    assert sum(state(of_gpt(TALK), Plan(optimizer="adamw8bit")).values()) == pytest.approx(13.2e9, rel=2e-3)


@pytest.mark.parametrize(
    ("config", "gpu", "tokens", "hours", "dollars", "mfu"),
    [
        pytest.param(GPT2, "A100", 10e9, 1.5, 20, 0.63, id="llm.c 124M"),
        pytest.param(GPT2_XL, "H100", 32_000 * 2**20, 24, 672, 0.50, id="llm.c 1558M"),
        pytest.param(GPT2, "A100", 600_000 * 491_520, 96, 0, 0.29, id="nanoGPT 124M"),
    ],
)
def test_published_runs_come_out(config, gpu, tokens, hours, dollars, mfu):
    found = estimate(config, gpu=gpu, n_gpus=8, tokens=tokens, mfu=mfu, price=dollars / hours / 8)
    assert found.hours == pytest.approx(hours, rel=0.03)
    assert found.dollars == pytest.approx(dollars, rel=0.03)


@pytest.mark.parametrize("name", SHAPES)
def test_named_shapes_are_what_transformers_builds(name):
    shape = SHAPES[name]
    config = AutoConfig.for_model(
        {"Smol": "llama", "Qwen": "qwen2", "Gemm": "gemma2"}[name[:4]],
        vocab_size=shape.vocab_size,
        hidden_size=shape.n_embd,
        num_hidden_layers=shape.n_layer,
        num_attention_heads=shape.n_head,
        num_key_value_heads=shape.n_kv_head,
        head_dim=shape.head_dim,
        intermediate_size=shape.hidden,
        max_position_embeddings=shape.block_size,
        tie_word_embeddings=shape.tied,
    )
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    assert shape.parameters == sum(p.numel() for p in model.parameters())
    block = list(model.model.layers[0].modules())
    linears = [(m.in_features, m.out_features) for m in block if isinstance(m, torch.nn.Linear)]
    assert sorted(shape.linears) == sorted(linears)
    assert shape.norms == sum(type(m).__name__.endswith("RMSNorm") for m in block)


# --- bytes


def kept_by_torch(config, batch_size, dtype):
    """Bytes of the different storages that autograd saves in a forward pass, weights and buffers aside."""
    model = GPT(config)
    own = {tensor.untyped_storage().data_ptr() for tensor in [*model.parameters(), *model.buffers()]}
    kept, alive = {}, []

    def note(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            alive.append(tensor)
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    idx = torch.randint(config.vocab_size, (batch_size, config.block_size), generator=torch.Generator().manual_seed(0))
    with (
        torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16"),
    ):
        loss = model(idx, idx)[1]
    assert loss.requires_grad
    return sum(kept.values())


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("attention", ["sdpa", "written"])
@pytest.mark.parametrize("kind", KINDS[:8], ids=lambda kind: "-".join(map(str, kind.values())))
def test_activations_are_what_autograd_keeps(kind, attention, dtype):
    """A block more, and what is kept grows by so many bytes: counted and observed, on a CPU."""
    one, two = (GPTConfig(**SMALL | kind | {"attention": attention, "n_layer": n}) for n in (1, 2))
    observed = kept_by_torch(two, 4, dtype) - kept_by_torch(one, 4, dtype)
    plan = Plan(batch_size=4, precision="mixed" if dtype == "bfloat16" else "float32", attention=attention)
    if dtype == "bfloat16":
        observed -= 2 * (of_gpt(two).inside - of_gpt(one).inside)  # casts of the weights are counted elsewhere
    assert activations(of_gpt(one), plan, cuda=False)[0] == pytest.approx(observed, rel=0.02)


@pytest.mark.parametrize(
    ("shape", "training"),
    [
        pytest.param({}, {}, id="float32"),
        pytest.param({"attention": "written"}, {"dtype": "bfloat16"}, id="bf16, written out"),
        pytest.param({"n_embd": 256, "vocab_size": 8192}, {"batch_size": 1}, id="the table's gradient"),
        pytest.param({"vocab_size": 2048}, {"grad_accum_steps": 2}, id="accumulation"),
        pytest.param({"n_embd": 256}, {"batch_size": 1, "optimizer": "muon"}, id="the update"),
    ],
)
def test_the_peak_of_a_real_training(shape, training, tmp_path):
    """Of all tensors that torch makes in three steps of train(), model included, from the profiler's books."""
    sizes = {"block_size": 64, "vocab_size": 512, "n_layer": 4, "n_head": 4, "n_embd": 128, "attention": "sdpa"}
    config = GPTConfig(**sizes | shape)
    settings = quick(**{"steps": 3, "batch_size": 8, "rows": "windows"} | training)
    data = token_file(tmp_path / "t.tokens")
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        train(GPT(config), data, None, settings, quiet=True)
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    changes = [event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())]
    fullest, counted = peak(of_gpt(config), Plan.of(settings, config.attention), cuda=False)
    assert sum(counted.values()) == pytest.approx(max(itertools.accumulate(changes)), rel=0.05), fullest


def test_slices_and_copies():
    shape = of_gpt(TALK)
    one = state(shape, Plan())
    assert state(shape, Plan(), n_gpus=8) == one
    assert sum(state(shape, Plan(parallel="fsdp"), n_gpus=8).values()) == pytest.approx(sum(one.values()) / 8)
    few = moments(shape, Plan(batch_size=1, parallel="fsdp"), 8)["the update"]
    assert few["gradients"] == pytest.approx(4 * shape.parameters / 8)
    gathering = moments(shape, Plan(batch_size=1, parallel="fsdp", grad_accum_steps=2), 8)["the update"]
    assert gathering["gradients"] == pytest.approx(4 * shape.parameters)  # they meet after the last micro-batch only


def test_every_saving_saves():
    plain = estimate(TALK, Plan(batch_size=2)).needed
    for saving in ({"recompute": True}, {"batch_size": 1}, {"optimizer": "adamw8bit"}):
        assert estimate(TALK, Plan(**{"batch_size": 2} | saving)).needed < plain, saving
    for waste in ({"attention": "written"}, {"precision": "float32"}, {"grad_accum_steps": 2}):
        assert estimate(TALK, Plan(**{"batch_size": 2} | waste)).needed > plain, waste
    plans = (Plan(method=method, batch_size=1, block_size=512) for method in ("full", "lora", "qlora"))
    full, lora, qlora = (estimate("Qwen2.5 7B", plan, tokens=1e6) for plan in plans)
    assert full.needed > 3 * lora.needed > 3.9 * qlora.needed
    assert lora.flops_per_token == pytest.approx(full.flops_per_token * 2 / 3, rel=0.03)


# --- verdicts


def test_the_verdict_names_what_is_needed_what_is_there_and_a_cure():
    found = estimate(TALK, Plan(batch_size=1), "T4")
    assert found.verdict.startswith("does not fit a T4: 23.3 GB needed (21.0 GB of it before the first token")
    assert "16 GB there; would fit with 8-bit Adam and recomputation (13.6 GB), or as it is on an A100" in found.verdict
    cured = estimate(TALK, found.cure.plan, "T4", found.cure.n_gpus)
    assert cured.fits
    assert cured.needed == pytest.approx(found.cure.needed)
    adapted = estimate("Qwen2.5 7B", Plan(batch_size=2, block_size=512), "T4", tokens=1e6)
    assert "an adapter on a base in 4 bits (QLoRA)" in adapted.verdict
    huge = replace(TALK, n_layer=2000)
    assert "none of the usual cures is enough" in estimate(huge, Plan(grad_accum_steps=2), "T4").verdict
    need = estimate(GPT2, Plan(batch_size=4), "T4").needed
    nearly = estimate(GPT2, Plan(batch_size=4), replace(GPUS["T4"], bytes=need * 1.02))
    assert "CUDA and gaps take about" in nearly.verdict


@pytest.mark.parametrize("n_gpus", [1, 4])
def test_no_cure_is_taken_in_vain(n_gpus):
    """Take any one of the changes back, and it does not fit any more."""
    plan = Plan(batch_size=8, precision="float32", attention="written")
    cure = estimate(TALK, plan, "T4", n_gpus).cure
    assert cure.n_gpus == max(2, n_gpus)
    assert estimate(TALK, cure.plan, "T4", cure.n_gpus).fits
    for name in ("attention", "precision", "parallel", "optimizer", "recompute", "batch_size"):
        back = replace(cure.plan, **{name: getattr(plan, name)})
        assert back == cure.plan or not estimate(TALK, back, "T4", cure.n_gpus).fits, name


def test_a_fit_says_what_it_takes():
    plan = Plan(batch_size=8, grad_accum_steps=4)
    eight, one = (estimate(TALK, plan, "H100", n) for n in (8, 1))
    assert eight.verdict.startswith("fits 8 x H100: 62.8 GB needed each, 80 GB there; 26.3B tokens take ")
    assert f"${eight.dollars:,.0f}" in eight.verdict
    assert one.hours == pytest.approx(8 * eight.hours)
    assert one.dollars == pytest.approx(eight.dollars)
    assert eight.kwh == pytest.approx(eight.hours * 8 * 0.7 * 1.54)
    assert eight.kg_co2e == pytest.approx(eight.kwh * grams_per_kwh("GBR") / 1000)
    assert estimate(TALK, replace(plan, recompute=True), "H100").hours == pytest.approx(one.hours * 4 / 3)


def test_prices_have_a_source_and_a_day():
    for gpu in GPUS.values():
        assert gpu.name in budget.prices()
        assert "price" in gpu.sources
        if gpu.cuda:
            assert (gpu.half, gpu.float32) == (peak_flops(gpu.name, "float16"), peak_flops(gpu.name, "float32"))
    mine = Gpu("mine", 24e9, 35e12, 71e12, 350, 0.2, 0.3)
    assert estimate(GPT2, gpu=mine, price=1.0).gpu == replace(mine, price=1.0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: estimate("Gemma", tokens=1), "no shape of 'Gemma'"),
        (lambda: estimate(GPT2, gpu="T5"), "no device 'T5'"),
        (lambda: estimate("Gemma 2 2B"), "was trained already"),
        (lambda: estimate(GPT2, Plan(block_size=4096)), "longer than the 1024"),
        (lambda: estimate(GPT2, n_gpus=0), "n_gpus is 0"),
        (lambda: Plan(batch_size=0), "batch_size is 0"),
        (lambda: grams_per_kwh("XXX"), "no country code"),
    ],
)
def test_what_makes_no_sense_gets_a_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_a_token_in_a_list():
    tokens = [10_000 + n for n in range(1000)]
    measured = sys.getsizeof(tokens) - sys.getsizeof([]) + sum(map(sys.getsizeof, tokens))
    assert measured / 1000 == pytest.approx(PYTHON_INT, rel=0.05)
