"""A frozen base in few bits, and a small trainable adapter beside it: what QLoRA is made of.

Base from the models' door -> NF4, int8 or 16 bits -> LoRA on its linear layers -> an adapter of some hundred kilobytes
that knows which base and which tokenizer it belongs to. The training itself is finetune.py.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from workshop_utils.chat import models
from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.gpt.config import ShareBelowOne, Size, checked
from workshop_utils.machine.files import checksums, damage, json_object, write_text_atomically
from workshop_utils.machine.hardware import short_path
from workshop_utils.machine.profiles import Profile
from workshop_utils.machine.quiet import quiet_libraries
from workshop_utils.tuning import backends

if TYPE_CHECKING:
    from torch import nn

PRECISIONS = ("nf4", "int8", "bfloat16", "float16", "float32")
BELONGS = "workshop.json"  # beside an adapter: the base and the tokenizer that it was trained with, and checksums
WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
HEAD_BYTES = 1_000_000  # of each weight file that goes into a base's fingerprint


class AdapterError(RuntimeError):
    """An adapter cannot be used; the message says which, why, and what to do."""


def load_base(
    name: str, profile: Profile, precision: str = "nf4", backend: str = "transformers", max_length: int = 512
) -> LanguageModel:
    """Load a model to be fine-tuned, its weights frozen in the asked precision.

    Args:
        name: as in models.load.
        profile: says where to compute, and in which 16 bits products are made.
        precision: one of PRECISIONS; "nf4" is 4 bits, its quantisation constants quantised again.
        backend: "transformers" or "unsloth", from backends.choose_backend.
        max_length: tokens of a conversation at most; only Unsloth asks for it.

    Raises:
        ModelUnavailable: as in models.load.
        ValueError: there is no such precision, or it makes no sense on this device.

    Source: Dettmers et al., "QLoRA", arXiv 2305.14314.
    """
    import torch
    from transformers import BitsAndBytesConfig

    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}: choose one of {', '.join(PRECISIONS)}")
    if precision == "float16" and profile.device == "cpu":
        raise ValueError("float16 on a CPU is five times slower and overflows: take float32 or bfloat16 there")
    quiet_libraries()
    four, eight = precision == "nf4", precision == "int8"
    # On a CPU float32: bitsandbytes' kernels are five times slower there in float16. On a T4 float16: bf16 is emulated.
    dtype = models.dtype_of(profile) if four or eight else getattr(torch, precision)

    def by_unsloth(source: str) -> tuple[Any, Any]:
        return backends.unsloth().from_pretrained(
            model_name=source,
            max_seq_length=max_length,
            dtype=dtype,
            load_in_4bit=four,
            load_in_8bit=eight,
            use_exact_model_name=True,  # not a copy of it by somebody else
        )

    if backend == "unsloth":
        loaded = models.load_by(name, by_unsloth, backend)
    else:
        nf4 = {"bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True, "bnb_4bit_compute_dtype": dtype}
        config = BitsAndBytesConfig(load_in_4bit=four, load_in_8bit=eight, **nf4) if four or eight else None
        loaded = models.load(name, profile, config, dtype)
    keep_unpacked(loaded.model)
    loaded.model.requires_grad_(False)
    return loaded


def keep_unpacked(model: nn.Module) -> int:
    """Stop bitsandbytes from repacking 4-bit weights in place on CPUs with avx512_bf16; returns how many layers it met.

    The first forward pass without gradients, any generate(), would do so. Afterwards LoRA's gradients are missing or
    wrong, while the loss looks as before, and merging gives garbage.

    Source: seen with bitsandbytes 0.50.2; its Linear4bit asks this attribute before it repacks.
    """
    found = [cast(Any, module) for module in model.modules() if hasattr(module, "support_avx512bf16_for_cpu")]
    for module in found:
        module.support_avx512bf16_for_cpu = False
    return len(found)


def target_modules(model: nn.Module) -> list[str]:
    """The names of the linear layers inside the blocks, which is where LoRA goes: q_proj, up_proj, ...

    Args:
        model: a decoder of transformers, quantised or not.

    Source: the QLoRA paper adapts all linear layers of the blocks, and finds that attention alone is not enough.
    """
    from torch import nn

    head = cast(Any, model).get_output_embeddings()
    linear = [name for name, part in model.named_modules() if isinstance(part, nn.Linear) and part is not head]
    return sorted({name.rpartition(".")[2] for name in linear})


def attach(
    base: LanguageModel, rank: int = 16, alpha: int = 32, dropout: float = 0.05, seed: int = 0, **more: Any
) -> LanguageModel:
    """Put a fresh LoRA adapter on every linear layer of the blocks; only it can be trained.

    Args:
        base: from load_base; its own layers are changed in place.
        rank: width of the two thin matrices that are trained for each layer.
        alpha: their product is added times alpha / rank.
        dropout: share of the inputs to the adapter that are silenced while training.
        seed: of the first matrix; the second one starts at 0, so that nothing changes at first.
        more: for peft's LoraConfig, such as trainable_token_indices; Unsloth is not told.

    Returns:
        the same model with the adapter, under the base's name.

    Raises:
        ValueError: an argument is out of range, or the model has an adapter already.

    Source: Hu et al., "LoRA", arXiv 2106.09685.
    """
    import torch
    from peft import LoraConfig, PeftModel, get_peft_model

    for setting, value, kind in (("rank", rank, Size), ("alpha", alpha, Size), ("dropout", dropout, ShareBelowOne)):
        checked(setting, value, kind)
    if isinstance(base.model, PeftModel):
        raise ValueError("this model has an adapter already: load the base again for a fresh one")
    layers = target_modules(base.model)
    more |= {"target_modules": layers, "task_type": "CAUSAL_LM"}
    config = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout, **more)
    if base.backend == "unsloth":
        model = backends.unsloth().get_peft_model(
            base.model,
            r=rank,
            target_modules=layers,
            lora_alpha=alpha,
            lora_dropout=dropout,  # above 0 it costs Unsloth some speed
            bias="none",
            use_gradient_checkpointing=False,  # the trainer's setting decides
            random_state=seed,
        )
    else:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            torch.manual_seed(seed)
            model = get_peft_model(base.model, config)
    backends.switch(model, base.backend, training=False)  # fresh layers come in training mode, their dropout at work
    return replace(base, model=cast(Any, model))


def trainable(model: nn.Module) -> tuple[int, int]:
    """How many parameters of a model with an adapter are trained, and how many it has (each 4-bit weight counts)."""
    return cast(Any, model).get_nb_trainable_parameters()


def trained_parameters(model: nn.Module) -> Iterable[nn.Parameter]:
    """The parameters that are trained."""
    return (parameter for parameter in model.parameters() if parameter.requires_grad)


# --- an adapter on the disk


def _belongs_to(base: LanguageModel) -> dict[str, str]:
    """What tells a base from another one: its weight files (beginning and length of each) and its vocabulary."""
    from transformers.utils.hub import cached_file

    digest = hashlib.sha256()
    folder = Path(str(cached_file(base.source, "config.json"))).parent
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            digest.update(f"{path.name} {path.stat().st_size}".encode() + file.read(HEAD_BYTES))
    vocabulary = hashlib.sha256(json.dumps(sorted(base.tokenizer.get_vocab().items())).encode())
    return {"name": base.name, "base": digest.hexdigest()[:16], "tokenizer": vocabulary.hexdigest()[:16]}


def save(tuned: LanguageModel, folder: Path | str) -> int:
    """Write the adapter alone, and what it belongs to.

    Args:
        tuned: a model with an adapter.
        folder: where to; peft can load it from there.

    Returns:
        bytes of the adapter's weights.
    """
    folder = Path(folder)
    cast(Any, tuned.model).save_pretrained(folder)
    path = folder / CONFIG
    config = json.loads(path.read_text(encoding="utf-8")) | {"base_model_name_or_path": tuned.name}
    write_text_atomically(json.dumps(config, indent=1) + "\n", path)  # a name, and no path of this machine
    noted = _belongs_to(tuned) | {"sha256": checksums(folder, (WEIGHTS, CONFIG))}
    write_text_atomically(json.dumps(noted, indent=1) + "\n", folder / BELONGS)
    return (folder / WEIGHTS).stat().st_size


def load(base: LanguageModel, folder: Path | str) -> LanguageModel:
    """Put a saved adapter on a base.

    Args:
        base: the very model that it was trained on, in any precision.
        folder: what save wrote.

    Raises:
        AdapterError: there is no adapter, it is damaged, or it belongs to another base or tokenizer.
    """
    from peft import PeftModel

    where = short_path(Path(folder))
    if not (belongs := json_object(Path(folder) / BELONGS)):
        raise AdapterError(f"{where} holds no adapter of ours (no {BELONGS}): train one, or check the path")
    found = _belongs_to(base)
    for part, what in (("base", "weights"), ("tokenizer", "tokenizer")):
        if belongs.get(part) != found[part]:
            raise AdapterError(
                f"the adapter in {where} was trained on {belongs.get('name')} with other {what} than those of "
                f"{base.name} here, and only fits on top of that model: load the same version, or train it again"
            )
    same = json_object(Path(folder) / CONFIG).get("base_model_name_or_path") == belongs.get("name")
    if wrong := damage(Path(folder), belongs.get("sha256", {})) or ("" if same else "its files name two bases"):
        raise AdapterError(f"the adapter in {where} is damaged ({wrong}): copy or train it again")
    return replace(base, model=cast(Any, PeftModel.from_pretrained(base.model, folder).eval()))
