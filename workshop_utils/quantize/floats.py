"""A model in floats: where every precision starts from, and what the table compares the others with.

A model in floats -> make(model, profile, data) -> a Quantised. methods.py lists which function does this for each
method; here they are those of plain torch.
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
from workshop_utils.quantize.measure import table_and_rest

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
        file_bytes: of the embedding table in that file, and of the rest.
    """

    model: LanguageModel
    title: str = ""
    file: Path | None = None
    file_bytes: tuple[int, int] | None = None
    _keep: Any = field(default=None, repr=False)  # a temporary folder, which lives as long as this does

    @property
    def weight_bytes(self) -> tuple[int, int]:
        """Bytes of the embedding table, and of all other weights, codes and scales."""
        return self.file_bytes or table_and_rest(self.model.model)


def check_floats(model: LanguageModel) -> None:
    """Raise ValueError where a model has an adapter that is not merged, or is quantised already."""
    if hasattr(model.model, "merge_and_unload"):
        raise ValueError(f"{model.name} has an adapter beside its weights: merge it first, model.merge_and_unload()")
    odd = any(not p.is_floating_point() or hasattr(p, "qdata") for p in model.model.parameters())
    codes = any(buffer.dtype in (torch.int8, torch.uint8) for buffer in model.model.buffers())
    if odd or codes or hasattr(model.model, "hf_quantizer"):
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
