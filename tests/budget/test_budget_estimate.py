"""The budget agrees with what torch keeps, with what transformers counts, and with runs that were published."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
import torch
from corpus import quick

from workshop_utils.budget import estimates as budget
from workshop_utils.budget.cures import cheapest_cure
from workshop_utils.budget.estimates import GPUS, SHAPES, Plan, estimate, text_budget
from workshop_utils.budget.gpus import Gpu, grams_per_kwh
from workshop_utils.budget.memory import activations, moments, peak, state, tuning
from workshop_utils.budget.shapes import of_gpt, of_hub, parts, shape_of
from workshop_utils.gpt.config import GPTConfig
from workshop_utils.gpt.model import GPT
from workshop_utils.machine.hardware import peak_flops

TALK = GPTConfig(n_layer=24, n_head=32, n_embd=2048, block_size=2048, vocab_size=50304, bias=False)
GPT2 = GPTConfig(n_layer=12, n_head=12, n_embd=768, block_size=1024, vocab_size=50304)
GPT2_XL = GPTConfig(n_layer=48, n_head=25, n_embd=1600, block_size=1024, vocab_size=50304)
SMALL = {"block_size": 32, "vocab_size": 96, "n_layer": 2, "n_head": 2, "n_embd": 32}
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
    assert sum(parts(config).values()) == shape.parameters == model.num_params()
    assert shape.flops_per_token() == model.flops_per_token()
    inside = sum(p.numel() for n, p in model.named_parameters() if n.startswith("transformer.h.") and p.dim() == 2)
    assert shape.inside == inside


def test_the_model_of_the_talk():
    found = estimate(TALK)
    assert found.shape.parameters == 1_315_276_800
    assert of_gpt(replace(TALK, bias=True)).parameters == 1_315_819_520
    assert found.before == pytest.approx(21.05e9, rel=1e-3)
    assert found.flops_per_token == pytest.approx(9.08e9, rel=2e-3)
    assert found.tokens == 20 * 1_315_276_800
    eight_bit = state(of_gpt(TALK), Plan(optimizer="adamw8bit"))
    assert sum(eight_bit.values()) == pytest.approx(13.2e9, rel=2e-3)


@pytest.mark.parametrize(
    ("config", "gpu", "tokens", "hours", "dollars", "mfu"),
    [
        pytest.param(GPT2, "A100", 10e9, 1.5, 20, 0.63, id="llm.c 124M"),
        pytest.param(GPT2_XL, "H100", 32_000 * 2**20, 24, 672, 0.50, id="llm.c 1558M"),
        pytest.param(GPT2, "A100", 600_000 * 491_520, 96, None, 0.29, id="nanoGPT 124M"),
    ],
)
def test_published_runs_come_out(config, gpu, tokens, hours, dollars, mfu):
    price = dollars / hours / 8 if dollars else None
    found = estimate(config, gpu=gpu, n_gpus=8, tokens=tokens, mfu=mfu, price=price)
    assert found.hours == pytest.approx(hours, rel=0.03)
    if dollars:
        assert found.dollars == pytest.approx(dollars, rel=0.03)


@pytest.mark.parametrize("kind", ["llama", "qwen2", "gemma2", "gpt2"])
def test_shapes_of_transformers_are_counted_by_building_them(kind):
    from transformers import AutoConfig, AutoModelForCausalLM

    sizes = {"vocab_size": 128, "hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4}
    sizes |= {"intermediate_size": 192, "num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 64}
    if kind == "gpt2":
        sizes = {"vocab_size": 128, "n_embd": 64, "n_layer": 3, "n_head": 4, "n_positions": 64}
    config = AutoConfig.for_model(kind, **sizes)
    shape, model = of_hub(config), AutoModelForCausalLM.from_config(config)
    assert shape.parameters == sum(p.numel() for p in model.parameters())
    assert (shape.n_layer, shape.n_embd, shape.block_size) == (3, 64, 64)
    assert shape.gated == (kind != "gpt2")
    assert shape.rope == (kind != "gpt2")
    assert shape.norms == (4 if kind == "gemma2" else 2)
    assert shape.linears[0] == ((64, 192) if kind == "gpt2" else (64, 64))
    assert sum(n_in * n_out for n_in, n_out in shape.linears) == (
        64 * 192 + 64 * 64 + 2 * 64 * 256 if kind == "gpt2" else 2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 192
    )
    if kind == "gpt2":  # the same model, counted by hand
        ours = of_gpt(GPTConfig(block_size=64, vocab_size=128, n_layer=3, n_head=4, n_embd=64))
        assert shape.parameters == ours.parameters
        assert shape.flops_per_token() == ours.flops_per_token()


HUB = {  # from their config.json
    "SmolLM2 135M": ("llama", {"tie_word_embeddings": True}),
    "SmolLM2 360M": ("llama", {"tie_word_embeddings": True}),
    "Qwen2.5 0.5B": ("qwen2", {"tie_word_embeddings": True}),
    "Qwen2.5 1.5B": ("qwen2", {"tie_word_embeddings": True}),
    "Gemma 2 2B": ("gemma2", {}),
    "Qwen2.5 7B": ("qwen2", {"tie_word_embeddings": False}),
}


@pytest.mark.parametrize("name", SHAPES)
def test_named_shapes_are_what_transformers_builds(name):
    from transformers import AutoConfig

    shape = SHAPES[name]
    kind, more = HUB[name]
    config = AutoConfig.for_model(
        kind,
        vocab_size=shape.vocab_size,
        hidden_size=shape.n_embd,
        num_hidden_layers=shape.n_layer,
        num_attention_heads=shape.n_head,
        num_key_value_heads=shape.n_kv_head,
        head_dim=shape.head_dim,
        intermediate_size=shape.hidden,
        max_position_embeddings=shape.block_size,
        **more,
    )
    assert of_hub(config, name) == shape


def test_fine_tuning_shows_the_numbers_of_lesson_07():
    gemma = [(2304, 2048), (2304, 1024), (2304, 1024), (2048, 2304), (2304, 9216), (2304, 9216), (9216, 2304)]
    n, inside = 2_614_341_888, 26 * sum(a * b for a, b in gemma)
    adapter = 26 * sum(16 * (a + b) for a, b in gemma)
    found = tuning(SHAPES["Gemma 2 2B"])
    learning = {"adapter": 4 * adapter, "gradients": 4 * adapter, "Adam's averages": 8 * adapter}
    assert found == {
        "full": {"frozen or trained weights": 4 * n, "gradients": 4 * n, "Adam's averages": 8 * n},
        "LoRA, base in 16 bits": {"frozen or trained weights": 2 * n} | learning,
        "QLoRA, base in 4 bits": {"frozen or trained weights": inside * (4 + 1 / 8) / 8 + 2 * (n - inside)} | learning,
    }


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
@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize("kind", KINDS[:8], ids=lambda kind: "-".join(map(str, kind.values())))
def test_activations_are_what_autograd_keeps(kind, dropout, attention, dtype):
    """A block more, and what is kept grows by so many bytes: counted and observed, on a CPU."""
    shape = SMALL | kind | {"dropout": dropout, "attention": attention, "n_embd": 64, "block_size": 64}
    one, two = (GPTConfig(**shape | {"n_layer": n}) for n in (1, 2))
    observed = kept_by_torch(two, 4, dtype) - kept_by_torch(one, 4, dtype)
    plan = Plan(batch_size=4, precision="mixed" if dtype == "bfloat16" else "float32", attention=attention)
    if dtype == "bfloat16":
        observed -= 2 * (of_gpt(two).inside - of_gpt(one).inside)  # casts of the weights are counted elsewhere
    assert activations(of_gpt(one), plan, cuda=False)[0] == pytest.approx(observed, rel=0.02)


def test_the_formula_of_korthikanti_and_others():
    """16 bits throughout, dropout, a GPU: tokens * width * (34 + 5 * heads * block_size / width), and without 5... ."""
    config = GPTConfig(**SMALL | {"n_embd": 2048, "n_head": 32, "block_size": 1024, "dropout": 0.1})
    shape, tokens = of_gpt(config), 2 * 1024
    plan = Plan(batch_size=2, precision="half", attention="written")
    formula = tokens * 2048 * (34 + 5 * 32 * 1024 / 2048)
    assert activations(shape, plan)[0] == pytest.approx(formula, rel=0.002)
    flash = activations(shape, replace(plan, attention="sdpa"))[0]
    assert flash == pytest.approx(tokens * 2048 * 34, rel=0.005)
    quiet = replace(shape, dropout=0.0)
    assert activations(quiet, replace(plan, attention="sdpa"))[0] == pytest.approx(tokens * 2048 * 32, rel=0.005)
    plain = replace(plan, attention="sdpa", precision="float32")
    assert activations(quiet, plain)[0] == pytest.approx(tokens * 2048 * 64, rel=0.005)
    recomputed = moments(shape, replace(plan, attention="sdpa", recompute=True))["the loss"]["activations"]
    assert recomputed == pytest.approx(tokens * 2048 * 2 * (config.n_layer + 2), rel=0.01)


def allocated_at_most(model_config, config, tmp_path):
    """Peak of all tensors that torch makes in three steps of train(), model included, from the profiler's books."""
    from corpus import token_file
    from torch.profiler import ProfilerActivity, profile

    from workshop_utils.training.train import train

    data = token_file(tmp_path / "t.tokens")
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        train(GPT(model_config), data, None, config, quiet=True)
    events = [e for e in profiler.profiler.kineto_results.events() if e.name() == "[memory]"]
    changes = [event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())]
    return max(itertools.accumulate(changes))


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
    config = GPTConfig(**{"block_size": 64, "vocab_size": 512, "n_layer": 4, "n_head": 4, "n_embd": 128} | shape)
    if config.attention == "auto":
        config = replace(config, attention="sdpa")
    settings = quick(**{"steps": 3, "batch_size": 8, "rows": "windows"} | training)
    fullest, counted = peak(of_gpt(config), Plan.of(settings, config.attention), cuda=False)
    assert sum(counted.values()) == pytest.approx(allocated_at_most(config, settings, tmp_path), rel=0.05), fullest


def test_slices_and_copies():
    shape = of_gpt(TALK)
    copy, one = state(shape, Plan(), n_gpus=8), state(shape, Plan())
    sliced = state(shape, Plan(parallel="fsdp"), n_gpus=8)
    assert copy == one
    assert sum(sliced.values()) == pytest.approx(sum(one.values()) / 8)
    few = moments(shape, Plan(batch_size=1, parallel="fsdp"), 8)["the update"]
    assert few["gradients"] == pytest.approx(4 * shape.parameters / 8)
    gathering = moments(shape, Plan(batch_size=1, parallel="fsdp", grad_accum_steps=2), 8)["the update"]
    assert gathering["gradients"] == pytest.approx(4 * shape.parameters)  # they meet after the last micro-batch only


def test_every_saving_saves():
    shape = of_gpt(TALK)

    def needed(**changes):
        return sum(peak(shape, Plan(**{"batch_size": 2} | changes))[1].values())

    plain = needed()
    for saving in ({"recompute": True}, {"batch_size": 1}, {"optimizer": "adamw8bit"}, {"precision": "half"}):
        assert needed(**saving) < plain, saving
    for waste in ({"attention": "written"}, {"precision": "float32"}, {"grad_accum_steps": 2}):
        assert needed(**waste) > plain, waste
    qwen = SHAPES["Qwen2.5 7B"]
    full, lora, qlora = (
        sum(peak(qwen, Plan(method=method, batch_size=1, block_size=512))[1].values())
        for method in ("full", "lora", "qlora")
    )
    assert full > 3 * lora
    assert lora > 1.3 * qlora


# --- verdicts


def test_the_verdict_names_what_is_needed_what_is_there_and_a_cure():
    found = estimate(TALK, Plan(batch_size=1), "T4")
    assert not found.fits
    assert found.verdict.startswith("does not fit a T4: 23.3 GB needed (21.0 GB of it before the first token")
    assert "16 GB there" in found.verdict
    assert found.cure is not None
    assert found.cure.changes == ("8-bit Adam", "recomputation")
    assert "would fit with 8-bit Adam and recomputation (13.6 GB), or as it is on an A100" in found.verdict
    cured = estimate(TALK, found.cure.plan, "T4", found.cure.n_gpus)
    assert cured.fits
    assert cured.needed == pytest.approx(found.cure.needed)


def test_no_cheaper_set_of_cures_is_enough():
    """Take any one of the changes back, and it does not fit any more."""
    plan = Plan(batch_size=8, precision="float32", attention="written")
    shape, gpu = of_gpt(TALK), GPUS["T4"]
    cure = cheapest_cure(shape, plan, gpu, 1)
    assert cure is not None
    assert cure.n_gpus > 1
    assert cure.needed <= gpu.usable
    for name in ("optimizer", "recompute"):
        back = replace(cure.plan, **{name: getattr(plan, name)})
        if back != cure.plan:
            assert sum(peak(shape, back, cure.n_gpus)[1].values()) > gpu.usable, name
    assert sum(peak(shape, cure.plan, cure.n_gpus // 2)[1].values()) > gpu.usable


def test_a_fit_says_what_it_takes():
    found = estimate(TALK, Plan(batch_size=8, grad_accum_steps=4), "H100", 8)
    assert found.fits
    assert found.cure is None
    assert found.verdict.startswith("fits 8 x H100: 62.8 GB needed each, 80 GB there; 26.3B tokens take ")
    assert f"${found.dollars:,.0f}" in found.verdict
    one = estimate(TALK, Plan(batch_size=8, grad_accum_steps=4), "H100", 1)
    assert one.hours == pytest.approx(8 * found.hours)
    assert one.dollars == pytest.approx(found.dollars)
    assert found.kwh == pytest.approx(found.hours * 8 * 0.7 * 1.54)
    assert found.kg_co2e == pytest.approx(found.kwh * grams_per_kwh("GBR") / 1000)


def test_nearly_is_not_enough():
    need = estimate(GPT2, Plan(batch_size=4), "T4").needed
    tight = replace(GPUS["T4"], bytes=need * 1.02)
    found = estimate(GPT2, Plan(batch_size=4), tight)
    assert not found.fits
    assert "CUDA and gaps take about" in found.verdict


def test_a_pretrained_model_is_cured_by_an_adapter():
    found = estimate("Qwen2.5 7B", Plan(batch_size=2, block_size=512), "T4", tokens=1e6)
    assert "an adapter on a base in 4 bits (QLoRA)" in found.verdict
    lora = estimate("Gemma 2 2B", Plan(method="lora", batch_size=2, block_size=512), "T4", tokens=1e6)
    assert lora.fits
    full = estimate("Gemma 2 2B", Plan(batch_size=2, block_size=512), "A100", tokens=1e6)
    assert lora.flops_per_token == pytest.approx(full.flops_per_token * 2 / 3, rel=0.03)


def test_recomputation_costs_another_forward_pass():
    plain, again = estimate(TALK, Plan()), estimate(TALK, Plan(recompute=True))
    assert again.hours == pytest.approx(plain.hours * 4 / 3)


def test_a_laptop_has_no_cuda_cures():
    found = estimate(TALK, Plan(batch_size=1), "laptop CPU")
    assert found.cure is None
    assert "would fit as it is on an A100" in found.verdict
    assert found.dollars == 0


def test_where_nothing_helps_it_is_said():
    huge = replace(TALK, n_layer=2000)
    assert "none of the usual cures is enough" in estimate(huge, Plan(grad_accum_steps=2), "T4").verdict


def test_tables_hold_every_part():
    found = estimate(TALK, Plan(batch_size=1, grad_accum_steps=2), "T4")
    for part in found.parts:
        assert part in str(found)
    assert "1,315,276,800" in str(found)
    assert "does not fit" in str(found).lower()
    assert "left out" in str(found).lower()
    fits = estimate(GPT2, Plan(batch_size=8), "A100")
    lines = budget.table({"the talk": found, "GPT-2": fits}).splitlines()
    assert lines[0].split() == ["the", "talk", "GPT-2"]
    assert next(line.split() for line in lines if line.startswith("fits")) == ["fits", "no", "yes"]
    with pytest.raises(ValueError, match="no budget"):
        budget.table({})


def test_prices_have_a_source_and_a_day():
    assert set(GPUS) == {"T4", "A100", "H100", "H200", "laptop CPU"}
    for gpu in GPUS.values():
        assert "price" in gpu.sources
        assert gpu.name in budget.prices()
        if gpu.cuda:
            assert any(year in gpu.sources for year in ("2024", "2026"))
            assert gpu.half == peak_flops(gpu.name, "float16")
            assert gpu.float32 == peak_flops(gpu.name, "float32")
    assert not GPUS["T4"].bf16
    found = estimate(GPT2, gpu="T4", price=1.0, mfu=0.5)
    assert (found.gpu.price, found.gpu.mfu) == (1.0, 0.5)
    mine = Gpu("mine", 24e9, 35e12, 71e12, 350, 0.2, 0.3)
    assert estimate(GPT2, gpu=mine).gpu is not GPUS["T4"]


def test_what_makes_no_sense_gets_a_sentence():
    with pytest.raises(ValueError, match="no shape named 'Gemma'"):
        estimate("Gemma", tokens=1)
    with pytest.raises(TypeError, match="a dict has no shape"):
        shape_of({})
    with pytest.raises(ValueError, match="no device 'T5'"):
        estimate(GPT2, gpu="T5")
    with pytest.raises(ValueError, match="was trained already"):
        estimate("Gemma 2 2B")
    with pytest.raises(ValueError, match="no bfloat16"):
        estimate(GPT2, Plan(precision="half"), "T4")
    with pytest.raises(ValueError, match="longer than the 1024"):
        estimate(GPT2, Plan(block_size=4096))
    with pytest.raises(ValueError, match="n_gpus is 0"):
        estimate(GPT2, n_gpus=0)
    with pytest.raises(ValueError, match="tokens is -1"):
        estimate(GPT2, tokens=-1)
    with pytest.raises(ValueError, match="mfu is 2"):
        estimate(GPT2, mfu=2)
    with pytest.raises(ValueError, match="price is -1"):
        estimate(GPT2, price=-1)
    with pytest.raises(ValueError, match=r"pue is 0\.5"):
        estimate(GPT2, pue=0.5)
    with pytest.raises(ValueError, match="batch_size is 0"):
        Plan(batch_size=0)
    with pytest.raises(ValueError, match="method is 'prefix'"):
        Plan(method="prefix")
    with pytest.raises(ValueError, match="no country code"):
        grams_per_kwh("XXX")


def test_a_plan_of_a_train_config():
    plan = Plan.of(quick(dtype="bfloat16", optimizer="muon", grad_accum_steps=3), attention="written", recompute=True)
    assert plan == Plan(
        batch_size=4, grad_accum_steps=3, precision="mixed", optimizer="muon", attention="written", recompute=True
    )
    assert Plan.of(quick()).precision == "float32"


def test_ten_terabytes():
    found = text_budget(
        10e12, bytes_per_token=4, tokens_per_second=2e6, cores=10, file_tokens=1e8, bytes_per_second=1e9
    )
    assert found.tokens == 2.5e12
    assert found.file_bytes == 5e12
    assert found.files == 25_000
    assert found.hours == pytest.approx(2.5e12 / 2e6 / 10 / 3600)
    assert found.download_hours == pytest.approx(10_000 / 3600)
    assert found.list_bytes == 90e12
    assert text_budget(vocab_size=128_000).token_bytes == 4
    assert "2.22T tokens" in str(text_budget())
    with pytest.raises(ValueError, match="cores is 0"):
        text_budget(cores=0)


def test_a_python_list_of_tokens_is_as_large_as_it_is_said_to_be():
    import sys

    numbers = [10_000 + n for n in range(1000)]
    measured = sys.getsizeof(numbers) - sys.getsizeof([]) + sum(map(sys.getsizeof, numbers))
    assert measured / 1000 == pytest.approx(36, rel=0.05)


@pytest.mark.parametrize(
    ("hours", "told"),
    [(0.001, "4 seconds"), (0.5, "30 minutes"), (3, "3.0 hours"), (72, "3 days"), (87_600, "10 years")],
)
def test_durations_are_told_in_their_unit(hours, told):
    assert budget.duration(hours) == told


def test_sizes_are_told_in_their_unit():
    assert [budget.size(value) for value in (16e9, 21.05e9, 799e9, 2e3, 12)] == [
        "16 GB",
        "21.1 GB",
        "799 GB",
        "2 kB",
        "12 bytes",
    ]
    assert budget.amount(26.3e9) == "26.3B"
    assert not math.isnan(estimate(GPT2).dollars)
