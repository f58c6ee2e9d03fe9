"""A frozen base and its adapter: found layers, right gradients after generating, an adapter that knows its base."""

import json

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from workshop_utils.machine.profiles import choose
from workshop_utils.tuning import lora

NAME, PROMPT, POCKET = "some/model", "What colour is a banana?", choose("pocket")


def floats(name=NAME):
    return lora.load_base(name, POCKET, "float32")


def filled(model):
    """The same model, its adapter as if something had been learnt: B starts at 0, and A would have no gradient."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in lora.trained_parameters(model.model):
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.05)
    return model


def gradients(model):
    """The gradient of one batch in all trained parameters, as one vector."""
    ids = torch.tensor([model.chat_ids(PROMPT)])
    model.model.zero_grad()
    model.model.train()
    model.model(input_ids=ids, labels=ids).loss.backward()
    model.model.eval()
    return torch.cat([p.grad.flatten().float() for p in lora.trained_parameters(model.model)])


@pytest.mark.parametrize("precision", ["nf4", "int8", "float32"])
def test_gradients_are_the_same_before_and_after_a_generate(precision):
    # bitsandbytes repacks 4-bit weights in the first forward pass without gradients, on CPUs with avx512_bf16.
    model = filled(lora.attach(lora.load_base(NAME, POCKET, precision), dropout=0.0))
    before = gradients(model)
    model.reply(PROMPT, 5)
    after = gradients(model)
    assert before.norm() > 0
    assert torch.cosine_similarity(before, after, dim=0) > 0.999
    assert after.norm() / before.norm() == pytest.approx(1, abs=1e-2)


def test_a_base_in_four_bits_is_nf4_with_quantised_constants_and_is_never_repacked():
    four = lora.load_base(NAME, POCKET)
    layers = [module for module in four.model.modules() if type(module).__name__ == "Linear4bit"]
    assert len(layers) == lora.keep_unpacked(four.model) == 14
    for layer in layers:
        assert not layer.support_avx512bf16_for_cpu
        assert layer.weight.quant_type == "nf4"
        assert layer.weight.quant_state.nested  # the constants are quantised again
        assert layer.compute_dtype == torch.float32  # on a CPU
    assert not any(parameter.requires_grad for parameter in four.model.parameters())
    assert four.gigabytes() < floats().gigabytes() / 2  # the embeddings stay as they are


@pytest.mark.parametrize("name", [NAME, "google/gemma", "Qwen/qwen"])
def test_lora_goes_on_every_linear_layer_of_the_blocks_and_changes_nothing_at_first(name):
    base = floats(name)
    expected = ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"]
    assert lora.target_modules(base.model) == expected
    before = base.next_tokens(base.ids(PROMPT))
    tuned = lora.attach(base, rank=4)
    assert torch.allclose(tuned.next_tokens(tuned.ids(PROMPT)), before, atol=1e-6)
    on = {name: p.numel() for name, p in tuned.model.named_parameters() if p.requires_grad}
    assert len(on) == 2 * 2 * len(expected)  # two matrices, two layers
    learnt, everything = lora.trainable(tuned.model)
    assert learnt == sum(on.values()) < everything / 2


def test_a_fresh_adapter_is_drawn_from_its_seed_and_from_nothing_else():
    bases, before = [floats() for _ in range(3)], torch.get_rng_state()
    adapters = [lora.attach(base, rank=4, seed=seed).model for base, seed in zip(bases, (1, 1, 2), strict=True)]
    assert torch.equal(torch.get_rng_state(), before)
    first, again, other = (torch.cat([p.flatten() for p in lora.trained_parameters(one)]) for one in adapters)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_ours_and_plain_peft_load_it_with_equal_logits(tmp_path, hub):
    tuned = filled(lora.attach(floats()))
    ids = torch.tensor([tuned.ids(PROMPT)])
    assert lora.save(tuned, tmp_path) == (tmp_path / "adapter_model.safetensors").stat().st_size < 200_000
    assert json.loads((tmp_path / "adapter_config.json").read_text())["base_model_name_or_path"] == NAME
    plain = AutoModelForCausalLM.from_pretrained(hub / NAME, dtype=torch.float32)
    with torch.inference_mode():
        expected = tuned.model(input_ids=ids).logits
        for model in (PeftModel.from_pretrained(plain, tmp_path).eval(), lora.load(floats(), tmp_path).model):
            assert torch.allclose(model(input_ids=ids).logits, expected, atol=1e-4)


def loaded(folder, base=NAME, **changes):
    """Save an adapter of NAME, change its files, and put it on a base."""
    lora.save(lora.attach(floats()), folder)
    for name, change in changes.items():
        path = next(folder.glob(f"{name}.*"))
        path.write_bytes(change(path.read_bytes()))
    return lora.load(floats(base), folder)


def of_another_tokenizer(belongs):
    return json.dumps(json.loads(belongs) | {"tokenizer": "0" * 16}).encode()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda folder: loaded(folder, "Qwen/qwen"), "some/model with other weights than those of Qwen/qwen"),
        (lambda folder: loaded(folder, workshop=of_another_tokenizer), "with other tokenizer"),
        (lambda folder: loaded(folder, adapter_model=lambda weights: weights[:500]), "is damaged"),
        (lambda folder: loaded(folder, workshop=lambda note: note.replace(b"sha256", b"sha257")), "checksums are miss"),
        (lambda folder: loaded(folder, workshop=lambda note: note.replace(b"some", b"sone")), "its files name two"),
        (lambda folder: lora.load(floats(), folder), "holds no adapter of ours"),
        (lambda folder: lora.load_base(NAME, POCKET, "int3"), "precision is 'int3': choose one of nf4, int8"),
        (lambda folder: lora.load_base(NAME, POCKET, "float16"), "float16 on a CPU"),
        (lambda folder: lora.attach(floats(), rank=0), "rank is 0"),
        (lambda folder: lora.attach(lora.attach(floats())), "an adapter already"),
    ],
)
def test_what_does_not_fit_is_a_sentence(tmp_path, call, words):
    with pytest.raises((lora.AdapterError, ValueError), match=words):
        call(tmp_path)
