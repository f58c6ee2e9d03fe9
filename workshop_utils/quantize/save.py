"""Quantised models on the disk: written as their library stores them, their bytes measured, and loaded again."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.quantize.measure import bytes_in_memory

if TYPE_CHECKING:
    from torch import Tensor

    from workshop_utils.quantize.methods import Quantised

WEIGHT_FILES = (".safetensors", ".pt", ".gguf", ".bin")
CODES = "model.safetensors"  # of int8 layers of our own
STATE = "model.pt"  # of torchao's tensors
NIBBLES = "nibbles"  # two 4-bit codes in a byte


def save(made: Quantised, folder: Path) -> int:
    """Write the weights of a quantised model into a folder, with its config; see Quantised.save."""
    import torch
    from safetensors.torch import save_file

    from workshop_utils.quantize.int8 import LAYERS

    folder.mkdir(parents=True, exist_ok=True)
    if weight_bytes(folder):
        raise ValueError(f"{folder} holds weights already: choose a new folder, so that only these are counted")
    model = cast(Any, made.model.model)
    if made.file is not None:
        shutil.copyfile(made.file, folder / made.file.name)
    elif made.method.library == "torchao":
        model.config.save_pretrained(folder)
        torch.save(_packed(model.state_dict()), folder / STATE)
    elif made.method.name in LAYERS:
        model.config.save_pretrained(folder)
        save_file(_once(model), folder / CODES)
    else:
        from workshop_utils.chat.models import no_bar

        with no_bar(True):
            model.save_pretrained(folder)
    return weight_bytes(folder)


def weight_bytes(folder: Path) -> int:
    """Bytes of all weight files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.suffix in WEIGHT_FILES)


def load(made: Quantised, folder: Path | str) -> Quantised:
    """Load what was saved, as a second model beside the one that is there.

    Args:
        made: what was saved; its config, tokenizer and generation settings are taken over.
        folder: from Quantised.save.

    Returns:
        a Quantised with logits equal to those of the first.
    """
    from transformers import AutoModelForCausalLM

    from workshop_utils.chat import models
    from workshop_utils.export import gguf as gguf_file
    from workshop_utils.quantize.int8 import LAYERS
    from workshop_utils.tuning import lora

    folder = Path(folder)
    old = cast(Any, made.model.model)
    file = None
    with models.no_bar(True):
        if made.file is not None:
            file = folder / made.file.name
            model = gguf_file.read_gguf(file, made.model).model
        elif made.method.library == "torchao" or made.method.name in LAYERS:
            model = _filled(made, folder)
        else:
            model = AutoModelForCausalLM.from_pretrained(
                folder,
                dtype=old.dtype,
                device_map={"": str(old.device)},
                attn_implementation=models.attention(old.config.model_type),
            )
            lora.keep_unpacked(cast(Any, model))
    model.generation_config = old.generation_config
    again = LanguageModel(made.model.name, cast(Any, model).eval(), made.model.tokenizer, str(folder))
    held = made.bytes_in_memory if file is not None else bytes_in_memory(again.model)
    return replace(made, model=again, file=file, bytes_in_memory=held)


def _filled(made: Quantised, folder: Path) -> Any:
    """A model of the same shape, its weights replaced by what is in the folder."""
    import torch
    from safetensors.torch import load_file
    from transformers import AutoConfig, AutoModelForCausalLM

    from workshop_utils.chat import models
    from workshop_utils.quantize import int8 as quantize_int8

    old = cast(Any, made.model.model)
    config = AutoConfig.from_pretrained(folder)
    model = cast(
        Any,
        AutoModelForCausalLM.from_config(
            config, dtype=old.dtype, attn_implementation=models.attention(config.model_type)
        ),
    )
    if made.method.library == "torchao":
        state = _unpacked(torch.load(folder / STATE, weights_only=True), made)
        model.load_state_dict(state, assign=True)
        return model.to(old.device)
    quantize_int8.convert(model, quantize_int8.LAYERS[made.method.name])
    state = {name: quantize_int8.aligned(tensor) for name, tensor in load_file(folder / CODES).items()}
    head, table = _ends(model)
    for part in ("codes", "scales"):
        state.setdefault(f"{head}.{part}", state[f"{table}.{part}"])
    model.load_state_dict(state)
    return model


def _once(model: Any) -> dict[str, Tensor]:
    """The state of a model with int8 layers of our own, without a head that repeats the embedding table."""
    from workshop_utils.quantize.int8 import is_tied

    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    if is_tied(model):
        head = _ends(model)[0]
        state = {name: tensor for name, tensor in state.items() if not name.startswith(f"{head}.")}
    return state


def _ends(model: Any) -> tuple[str, str]:
    """The names of the head and of the embedding table."""
    names = {id(module): name for name, module in model.named_modules()}
    return names[id(model.get_output_embeddings())], names[id(model.get_input_embeddings())]


def _packed(state: dict[str, Any]) -> dict[str, Any]:
    """A state for torch.save: int4 codes, which torchao holds in a byte each, two to a byte."""
    import torch

    made: dict[str, Any] = {}
    for name, tensor in state.items():
        if getattr(tensor, "target_dtype", None) != cast(Any, torch).int4:
            made[name] = tensor
            continue
        if tensor.zero_point.any():
            raise ValueError(f"the codes of {name} have zero points, which are not written: use symmetric int4")
        codes = tensor.qdata.flatten() & 15
        made[name] = {NIBBLES: (codes[::2] | (codes[1::2] << 4)).to(torch.uint8), "scale": tensor.scale}
    return made


def _unpacked(state: dict[str, Any], made: Quantised) -> dict[str, Any]:
    """The state as it was before it was packed."""
    import torch

    like = made.model.model.state_dict()
    for name, value in state.items():
        if not isinstance(value, dict):
            continue
        old: Any = like[name]
        bytes_ = value[NIBBLES].to(torch.int8)
        codes = torch.stack((bytes_ << 4 >> 4, bytes_ >> 4), dim=-1)  # shifts of int8 keep the sign
        state[name] = type(old)(
            codes.reshape(old.shape),
            value["scale"],
            torch.zeros_like(old.zero_point),
            old.target_dtype,
            old.block_size,
            old.dtype,
            old.activation_quantization,
        )
    return state
