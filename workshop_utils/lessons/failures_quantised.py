"""The last case of the failure lab: a model in four bits that has said something, and what is left of its gradients.

A batch -> its gradients -> generate() -> its gradients again. The cure is lora.keep_unpacked.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from workshop_utils.chat.template import Encoded

if TYPE_CHECKING:
    from torch import Tensor

    from workshop_utils.chat.language_model import LanguageModel


@dataclass(frozen=True)
class Around:
    """Gradients of one batch before and after a generate().

    Attributes:
        loss: of the batch, before and after.
        norms: for each trained matrix the length of its gradient before and after; None where there was none.
        cosine: of the angle between all gradients before and after; 1 is the same direction, 0 has nothing to do
            with it.
        provoked: whether the bug could be provoked here at all.
        warning: the first line of what torch had to say to it, "" where it said nothing, as after its first time.
    """

    loss: tuple[float, float]
    norms: dict[str, tuple[float | None, float | None]]
    cosine: float
    provoked: bool
    warning: str = ""

    @property
    def missing(self) -> int:
        """How many matrices had a gradient before, and have none after."""
        return sum(before is not None and after is None for before, after in self.norms.values())


def around_generate(model: LanguageModel, rows: Sequence[Encoded], cured: bool) -> Around:
    """Take the gradients of a batch, let the model say something, and take them again.

    Args:
        model: from lora.attach(lora.load_base(...), dropout=0): in four bits, with a fresh adapter. It is spoilt
            afterwards where the bug strikes: load it again.
        rows: the batch.
        cured: keep the weights as they are (lora.keep_unpacked). Otherwise bitsandbytes may do as it likes, which on a
            CPU with avx512_bf16 is to repack them in the first forward pass without gradients.

    Source: seen with bitsandbytes 0.50.2; on a GPU, and on other CPUs, nothing is repacked.
    """
    import torch

    from workshop_utils.tuning import lora

    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, parameter in model.model.named_parameters():
            if "lora_B" in name:  # starts at 0, and lora_A would have no gradient
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.02)
    lora.keep_unpacked(model.model)
    provoked = False if cured else _let_it_repack(model)
    first_loss, first = _gradients(model, rows)
    model.generate([rows[0].ids[:8]], 4)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        second_loss, second = _gradients(model, rows)
    said = str(heard[0].message).splitlines()[0] if heard else ""
    norms = {name: (_length(first[name]), _length(second[name])) for name in first}
    return Around((first_loss, second_loss), norms, _cosine(first, second), provoked, said)


def _let_it_repack(model: LanguageModel) -> bool:
    """Give every 4-bit layer its own answer back to whether this CPU can repack; says whether it can."""
    from bitsandbytes import nn as bnb

    can = bool(getattr(cast(Any, bnb).Linear4bit(64, 64), "support_avx512bf16_for_cpu", False))
    for module in model.model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            cast(Any, module).support_avx512bf16_for_cpu = can
    return can and model.model.device.type == "cpu"


def _gradients(model: LanguageModel, rows: Sequence[Encoded]) -> tuple[float, dict[str, Tensor | None]]:
    from workshop_utils.chat.losses import loss_of

    model.model.zero_grad(set_to_none=True)
    model.model.train()
    total, n = loss_of(model, rows)
    (total / n).backward()
    model.model.eval()
    named = model.model.named_parameters()
    found = {name: None if p.grad is None else p.grad.detach().float().clone() for name, p in named if p.requires_grad}
    return float(total.detach()) / n, found


def _length(gradient: Tensor | None) -> float | None:
    return None if gradient is None else float(gradient.norm())


def _cosine(first: Mapping[str, Tensor | None], second: Mapping[str, Tensor | None]) -> float:
    """Over all trained numbers together; a gradient that is missing counts as 0."""
    dot = one = other = 0.0
    for name, a in first.items():
        b = second[name]
        dot += 0.0 if a is None or b is None else float((a * b).sum())
        one += 0.0 if a is None else float((a * a).sum())
        other += 0.0 if b is None else float((b * b).sum())
    return dot / math.sqrt(one * other) if one * other > 0 else 0.0
