"""A frozen base and its adapter: found layers, right gradients after generating, an adapter that knows its base."""

import copy
import json
import subprocess
import sys

import pytest
import tiny_models
import torch

from workshop_utils.chat import models
from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.machine.profiles import choose
from workshop_utils.tuning import lora

NAME = "some/model"
PROMPT = "What colour is a banana?"


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hub")
    tiny_models.save(folder / NAME, "llama")
    tiny_models.save(folder / "google" / "gemma", "gemma2")
    tiny_models.save(folder / "Qwen" / "qwen", "qwen2")
    return folder


@pytest.fixture(autouse=True)
def local_hub(hub, monkeypatch):
    monkeypatch.setenv("WORKSHOP_HUB", str(hub))


def gradients(model: LanguageModel) -> torch.Tensor:
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
    model = lora.attach(lora.load_base(NAME, choose("pocket"), precision), dropout=0.0)
    with torch.no_grad():
        for name, parameter in model.model.named_parameters():
            if "lora_B" in name:  # which starts at 0, so that lora_A would have no gradient
                parameter.normal_(std=0.02, generator=torch.Generator().manual_seed(len(name)))
    before = gradients(model)
    model.reply(PROMPT, 5)
    after = gradients(model)
    assert before.norm() > 0
    assert torch.cosine_similarity(before, after, dim=0) > 0.999
    assert after.norm() / before.norm() == pytest.approx(1, abs=1e-2)


def test_four_bit_layers_are_met_by_the_cure_and_take_a_quarter_or_less():
    base = lora.load_base(NAME, choose("pocket"))
    layers = [module for module in base.model.modules() if type(module).__name__ == "Linear4bit"]
    assert len(layers) == 14
    assert lora.keep_unpacked(base.model) == len(layers)
    assert not any(module.support_avx512bf16_for_cpu for module in layers)
    assert all(module.weight.quant_state.nested for module in layers)  # the constants are quantised again
    assert all(module.weight.quant_type == "nf4" for module in layers)
    plain = lora.load_base(NAME, choose("pocket"), "float32")
    assert base.model.get_memory_footprint() < plain.model.get_memory_footprint() / 2  # the embeddings stay as they are


@pytest.mark.parametrize("name", [NAME, "google/gemma", "Qwen/qwen"])
def test_lora_goes_on_every_linear_layer_of_the_blocks_and_not_on_the_head(name):
    base = lora.load_base(name, choose("pocket"), "float32")
    expected = ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"]
    assert lora.target_modules(base.model) == expected
    tuned = lora.attach(base, rank=4)
    learnt, everything = lora.trainable(tuned.model)
    sizes = [(p.shape, p.requires_grad) for n, p in tuned.model.named_parameters() if "lora_" in n]
    assert all(on for _, on in sizes)
    assert learnt == sum(shape.numel() for shape, _ in sizes) < everything / 2
    assert len(sizes) == 2 * 2 * len(expected)  # two matrices, two layers


def test_a_fresh_adapter_changes_nothing():
    base = lora.load_base(NAME, choose("pocket"), "float32")
    before = base.next_tokens(base.ids(PROMPT))
    tuned = lora.attach(base)
    assert torch.allclose(tuned.next_tokens(tuned.ids(PROMPT)), before, atol=1e-6)


def test_what_makes_no_sense_is_a_sentence():
    with pytest.raises(ValueError, match="nf4, int8"):
        lora.load_base(NAME, choose("pocket"), "int3")
    with pytest.raises(ValueError, match="float16 on a CPU"):
        lora.load_base(NAME, choose("pocket"), "float16")
    base = lora.load_base(NAME, choose("pocket"), "float32")
    with pytest.raises(ValueError, match="rank 0"):
        lora.attach(base, rank=0)
    with pytest.raises(ValueError, match="adapter already"):
        lora.attach(lora.attach(base))


# --- on the disk


def tuned_a_little(seed: int = 0) -> LanguageModel:
    tuned = lora.attach(lora.load_base(NAME, choose("pocket"), "float32"))
    with torch.no_grad():
        for parameter in lora.trained_parameters(tuned.model):
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(seed)) * 0.05)
    return tuned


def test_it_is_loaded_in_a_fresh_process_by_plain_peft_with_equal_logits(tmp_path, hub):
    tuned = tuned_a_little()
    ids = tuned.ids(PROMPT)
    with torch.inference_mode():
        expected = tuned.model(input_ids=torch.tensor([ids])).logits
    assert lora.save(tuned, tmp_path) < 200_000
    torch.save(expected, tmp_path / "expected.pt")
    code = (
        "import sys, torch\n"
        "from peft import PeftModel\n"
        "from transformers import AutoModelForCausalLM\n"
        "base, adapter, *ids = sys.argv[1:]\n"
        "model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)\n"
        "model = PeftModel.from_pretrained(model, adapter).eval()\n"
        "logits = model(input_ids=torch.tensor([list(map(int, ids))])).logits\n"
        "print(float((logits - torch.load(adapter + '/expected.pt')).abs().max()))\n"
    )
    command = [sys.executable, "-c", code, str(hub / NAME), str(tmp_path), *map(str, ids)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-1000:]
    assert float(done.stdout) < 1e-3


def test_our_own_loading_gives_the_same_and_checks_what_it_belongs_to(tmp_path):
    tuned = tuned_a_little()
    lora.save(tuned, tmp_path)
    again = lora.load(lora.load_base(NAME, choose("pocket"), "float32"), tmp_path)
    ids = tuned.ids(PROMPT)
    assert torch.allclose(tuned.next_tokens(ids), again.next_tokens(ids), atol=1e-5)
    with pytest.raises(lora.AdapterError, match=r"trained on some/model with other weights than those of Qwen/qwen"):
        lora.load(lora.load_base("Qwen/qwen", choose("pocket"), "float32"), tmp_path)


def test_another_tokenizer_is_refused(tmp_path):
    lora.save(tuned_a_little(), tmp_path)
    belongs = json.loads((tmp_path / lora.BELONGS).read_text())
    (tmp_path / lora.BELONGS).write_text(json.dumps(belongs | {"tokenizer": "0" * 16}))
    with pytest.raises(lora.AdapterError, match="other tokenizer"):
        lora.load(lora.load_base(NAME, choose("pocket"), "float32"), tmp_path)


def test_a_folder_without_an_adapter_and_a_torn_one_are_sentences(tmp_path):
    with pytest.raises(lora.AdapterError, match="holds no adapter"):
        lora.load(lora.load_base(NAME, choose("pocket"), "float32"), tmp_path / "nothing")
    lora.save(tuned_a_little(), tmp_path)
    path = tmp_path / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(lora.AdapterError, match="damaged"):
        lora.load(lora.load_base(NAME, choose("pocket"), "float32"), tmp_path)


def test_a_fresh_adapter_is_drawn_from_its_seed_and_from_nothing_else():
    base = models.load(NAME, choose("pocket"), dtype=torch.float32)
    before = torch.get_rng_state()
    adapters = [
        lora.trained_parameters(lora.attach(copy.deepcopy(base), rank=4, seed=seed).model) for seed in (1, 1, 2)
    ]
    assert torch.equal(torch.get_rng_state(), before)
    first, again, other = (torch.cat([p.flatten() for p in adapter]) for adapter in adapters)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
