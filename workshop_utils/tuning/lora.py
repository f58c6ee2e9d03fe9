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
from workshop_utils.chat.models import ModelUnavailable
from workshop_utils.machine.files import write_text_atomically
from workshop_utils.machine.profiles import quiet_libraries
from workshop_utils.tuning import backends

if TYPE_CHECKING:
    from torch import nn

    from workshop_utils.machine.profiles import Profile

PRECISIONS = ("nf4", "int8", "bfloat16", "float16", "float32")
BELONGS = "workshop.json"  # beside an adapter: the base and the tokenizer that it was trained with
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
        precision: "nf4" (4 bits, the quantisation constants quantised again), "int8", "bfloat16", "float16" or
            "float32".
        backend: "transformers" or "unsloth", from backends.choose_backend.
        max_length: tokens of a conversation at most; only Unsloth asks for it.

    Raises:
        ModelUnavailable: as in models.load.
        ValueError: there is no such precision, or it makes no sense on this device.

    Source: Dettmers et al., "QLoRA", arXiv 2305.14314.
    """
    import torch

    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}: choose one of {', '.join(PRECISIONS)}")
    if precision == "float16" and profile.device == "cpu":
        raise ValueError("float16 on a CPU is five times slower and overflows: take float32 or bfloat16 there")
    if precision in ("nf4", "int8"):
        quiet_libraries()
    if backend == "unsloth":

        def make(source: str) -> tuple[Any, Any]:
            return backends.load_with_unsloth(source, models.dtype_of(profile), precision, max_length)

        loaded = models.load_by(name, make, backend)
        keep_unpacked(loaded.model)
    elif precision in ("nf4", "int8"):
        loaded = models.load(name, profile, _quantisation(precision, profile))
        keep_unpacked(loaded.model)
    else:
        loaded = models.load(name, profile, dtype=getattr(torch, precision))
    for parameter in loaded.model.parameters():
        parameter.requires_grad_(False)
    return loaded


def _quantisation(precision: str, profile: Profile) -> Any:
    import torch
    from transformers import BitsAndBytesConfig

    if precision == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)
    # On a CPU float32: bitsandbytes' kernels are five times slower there in float16. On a T4 float16: bf16 is emulated.
    compute = torch.float32 if profile.device == "cpu" else getattr(torch, profile.dtype)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute,
    )


def keep_unpacked(model: nn.Module) -> int:
    """Stop bitsandbytes from repacking 4-bit weights in place on CPUs with avx512_bf16; returns how many layers it met.

    The first forward pass without gradients, any generate(), would do so. Afterwards LoRA's gradients are missing or
    wrong, while the loss looks as before, and merging gives garbage.

    Source: seen with bitsandbytes 0.50.2; its Linear4bit asks this attribute before it repacks.
    """
    found = [module for module in model.modules() if hasattr(module, "support_avx512bf16_for_cpu")]
    for module in found:
        cast(Any, module).support_avx512bf16_for_cpu = False
    return len(found)


def target_modules(model: nn.Module) -> list[str]:
    """The names of the linear layers inside the blocks, which is where LoRA goes: q_proj, up_proj, ...

    Args:
        model: a decoder of transformers, quantised or not.

    Raises:
        ValueError: there is none that could be found.

    Source: the QLoRA paper adapts all linear layers of the blocks, and finds that attention alone is not enough.
    """
    from torch import nn

    head = cast(Any, model).get_output_embeddings()
    names = {
        name.rpartition(".")[2]
        for name, part in model.named_modules()
        if isinstance(part, nn.Linear) and part is not head
    }
    if not names:
        raise ValueError(f"{type(model).__name__} has no linear layers inside its blocks: name target_modules yourself")
    return sorted(names)


def attach(base: LanguageModel, rank: int = 16, alpha: int = 32, dropout: float = 0.05, seed: int = 0) -> LanguageModel:
    """Put a fresh LoRA adapter on every linear layer of the blocks; only it can be trained.

    Args:
        base: from load_base; its own layers are changed in place.
        rank: width of the two thin matrices that are learnt for each layer.
        alpha: their product is added times alpha / rank.
        dropout: share of the inputs to the adapter that are silenced while training.
        seed: of the first matrix; the second one starts at 0, so that nothing changes at first.

    Returns:
        the same model with the adapter, under the base's name.

    Raises:
        ValueError: an argument is out of range, or the model has an adapter already.

    Source: Hu et al., "LoRA", arXiv 2106.09685.
    """
    import torch
    from peft import LoraConfig, PeftModel, get_peft_model

    if rank < 1 or alpha <= 0 or not 0 <= dropout < 1:
        raise ValueError(
            f"rank {rank}, alpha {alpha}, dropout {dropout}: rank and alpha above 0, dropout from 0 to below 1"
        )
    if isinstance(base.model, PeftModel):
        raise ValueError("this model has an adapter already: load the base again for a fresh one")
    targets = target_modules(base.model)
    if base.backend == "unsloth":
        adapted = backends.attach_with_unsloth(base.model, rank, alpha, dropout, seed, targets)
        backends.ready_to_answer(adapted, base.backend)
        return replace(base, model=adapted)
    config = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=targets, task_type="CAUSAL_LM")
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        model = get_peft_model(base.model, config).eval()  # fresh layers come in training mode, their dropout at work
    return replace(base, model=cast(Any, model))


def trainable(model: nn.Module) -> tuple[int, int]:
    """How many numbers can be trained, and how many there are in all (of 4-bit weights each one counts)."""
    get = getattr(model, "get_nb_trainable_parameters", None)
    if get is not None:
        learnt, everything = get()
        return int(learnt), int(everything)
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return sum(n for n, on in sizes if on), sum(n for n, _ in sizes)


# --- an adapter on the disk


def fingerprint_of(base: LanguageModel) -> dict[str, str]:
    """What tells a base from another one: its weight files (beginning and length of each) and its vocabulary."""
    folder = _folder(base)
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            digest.update(f"{path.name} {path.stat().st_size}".encode() + file.read(HEAD_BYTES))
    words = json.dumps(sorted(base.tokenizer.get_vocab().items()))
    return {"base": digest.hexdigest()[:16], "tokenizer": hashlib.sha256(words.encode()).hexdigest()[:16]}


def _folder(base: LanguageModel) -> Path:
    from transformers.utils.hub import cached_file

    found = cached_file(base.source, "config.json")
    if found is None:
        raise ModelUnavailable(f"the files of {base.name} are not on this machine any more: load it again")
    return Path(found).parent


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
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8")) | {"base_model_name_or_path": tuned.name}
    write_text_atomically(json.dumps(config, indent=1) + "\n", path)  # a name, and no path of this machine
    write_text_atomically(json.dumps({"name": tuned.name} | fingerprint_of(tuned), indent=1) + "\n", folder / BELONGS)
    return (folder / "adapter_model.safetensors").stat().st_size


def load(base: LanguageModel, folder: Path | str) -> LanguageModel:
    """Put a saved adapter on a base.

    Args:
        base: the very model that it was trained on, in any precision.
        folder: what save wrote.

    Raises:
        AdapterError: there is no adapter, it is damaged, or it belongs to another base or tokenizer.
    """
    from peft import PeftModel
    from safetensors import SafetensorError

    from workshop_utils.machine.hardware import short_path

    folder = Path(folder)
    try:
        belongs = json.loads((folder / BELONGS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AdapterError(
            f"{short_path(folder)} holds no adapter of this workshop ({error}): train one, or check the path"
        ) from error
    found = fingerprint_of(base)
    for part, what in (("base", "weights"), ("tokenizer", "tokenizer")):
        if belongs.get(part) != found[part]:
            raise AdapterError(
                f"the adapter in {short_path(folder)} was trained on {belongs.get('name')} with other {what} than "
                f"those of {base.name} here: its numbers only make sense on top of that model. Load "
                f"{belongs.get('name')}, the same version, or train the adapter again"
            )
    try:
        model = PeftModel.from_pretrained(base.model, folder)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise AdapterError(f"the adapter in {short_path(folder)} is damaged ({error}): train it again") from error
    return replace(base, model=cast(Any, model.eval()))


def trained_parameters(model: nn.Module) -> Iterable[nn.Parameter]:
    """The parameters that learn."""
    return (parameter for parameter in model.parameters() if parameter.requires_grad)
