"""A model in floats: where every precision starts from, and what the table compares the others with.

A model in floats -> make(model, profile, data) -> a Quantised -> save(quantised, folder). methods.py lists which
functions do this for each method; here they are those of plain torch.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn

from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.machine.quiet import no_bar
from workshop_utils.quantize.measure import bytes_in_memory

if TYPE_CHECKING:
    from workshop_utils.machine.profiles import Profile

TokenRows = Sequence[Sequence[int]]


class Unavailable(RuntimeError):
    """A method cannot run on this machine, or on this model; the message says why."""


@dataclass(frozen=True)
class Data:
    """What some methods need beside the model.

    Attributes:
        calibration: rows of token ids for int8-static, such as the model will meet; never those it is tested on.
        train: rows of token ids for int4-qat, on which the model keeps its own probabilities while it learns to live
            with the rounding.
        steps: updates of that training, 8 rows each.
    """

    calibration: TokenRows = ()
    train: TokenRows = ()
    steps: int = 60


@dataclass
class Quantised:
    """A model in one of the precisions.

    Attributes:
        model: usable like any LanguageModel. Of a GGUF file it is what transformers reads from it, unpacked.
        title: of this model, where the method's own leaves it open.
        file: the GGUF file, where it is one.
        mapped_bytes: of the weights in that file, which llama.cpp maps into memory.
    """

    model: LanguageModel
    title: str = ""
    file: Path | None = None
    mapped_bytes: int = 0
    _keep: Any = field(default=None, repr=False)  # a temporary folder, which lives as long as this does

    @property
    def bytes_in_memory(self) -> int:
        """Bytes of weights, codes and scales."""
        return self.mapped_bytes or bytes_in_memory(self.model.model)


def merged(tuned: LanguageModel) -> LanguageModel:
    """A copy of a model with its adapter merged into the weights, ready to be quantised.

    Args:
        tuned: a base in floats with an adapter on it; it stays as it is.

    Raises:
        ValueError: there is no adapter, or the base is quantised: merging into few bits rounds the adapter away.
    """
    if not hasattr(tuned.model, "merge_and_unload"):
        raise ValueError(f"{tuned.name} has no adapter to merge")
    check_floats(replace(tuned, model=cast(Any, tuned.model).get_base_model()))
    return replace(tuned, model=copy.deepcopy(cast(Any, tuned.model)).merge_and_unload().eval())


def check_floats(model: LanguageModel) -> None:
    """Raise ValueError where a model has an adapter that is not merged, or is quantised already."""
    if hasattr(model.model, "merge_and_unload"):
        raise ValueError(f"{model.name} has an adapter beside its weights: merge it first, quantize.merged(model)")
    odd = any(not p.is_floating_point() or hasattr(p, "qdata") for p in model.model.parameters())
    codes = any(buffer.dtype in (torch.int8, torch.uint8) for buffer in model.model.buffers())
    ours = any(hasattr(module, "held_bytes") for module in model.model.modules())  # layers of int8.py
    if odd or codes or ours or hasattr(model.model, "hf_quantizer"):
        raise ValueError(
            f"{model.name} is quantised already: start from float32, models.load(name, profile, dtype=torch.float32)"
        )


def copied(model: LanguageModel, dtype: torch.dtype) -> LanguageModel:
    """A copy in another dtype, in which tied weights stay tied and positions stay in float32."""
    # deepcopy takes what it finds here for copies that it has made: no second float32 model in between.
    memo: dict[int, Any] = {
        id(p): nn.Parameter(p.detach().to(dtype, copy=True), requires_grad=False) for p in model.model.parameters()
    }
    made = cast(Any, copy.deepcopy(model.model, memo)).eval()
    made.config.dtype = dtype
    return replace(model, model=made)


def make_fp32(model: LanguageModel, profile: Profile, data: Data) -> Quantised:
    """The model in float32."""
    return Quantised(copied(model, torch.float32))


def make_16_bits(model: LanguageModel, profile: Profile, data: Data) -> Quantised:
    """The model in bfloat16, or in float16 on GPUs that only emulate that."""
    half = profile.device == "cuda" and profile.dtype == "float16"
    made = copied(model, torch.float16 if half else torch.bfloat16)
    return Quantised(made, "float16" if half else "bfloat16")


def save(made: Quantised, folder: Path) -> None:
    """Write the weights as transformers stores them."""
    with no_bar(True):
        made.model.model.save_pretrained(folder)
