"""Bitsandbytes' four bits: NF4, sixteen levels where weights are frequent, as QLoRA trains on them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, cast

from workshop_utils.chat import models
from workshop_utils.quantize.by_hand import NF4_BLOCK
from workshop_utils.quantize.floats import Data, Quantised, Unavailable, copied
from workshop_utils.quantize.torchao import block_linears
from workshop_utils.tuning import lora

if TYPE_CHECKING:
    from workshop_utils.chat.language_model import LanguageModel
    from workshop_utils.machine.profiles import Profile


def make_nf4(model: LanguageModel, profile: Profile, data: Data, double: bool = False) -> Quantised:
    """NF4 in blocks of 64, layer by layer: what transformers does while it loads with a BitsAndBytesConfig.

    Args:
        model: in floats.
        profile: says where, and in which precision the products are made.
        data: not needed.
        double: quantise the scales, too.
    """
    from bitsandbytes.nn.modules import Linear4bit, Params4bit

    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)  # it found no faster kernel on the hub
    rest = models.dtype_of(profile)
    made = copied(model, rest)
    for name, layer in block_linears(made.model).items():
        if layer.in_features % NF4_BLOCK and profile.device == "cpu":
            raise Unavailable(
                f"{name} has inputs that make no whole blocks of 64: bitsandbytes is wrong there on a CPU"
            )
        new = Linear4bit(
            layer.in_features, layer.out_features, bias=False, compute_dtype=rest, compress_statistics=double,
            quant_type="nf4", device="meta",
        )  # fmt: skip
        weight: Any = Params4bit(
            layer.weight.data.cpu(), requires_grad=False, quant_type="nf4", compress_statistics=double
        )
        new.weight = weight.to(profile.device)  # moving it is what quantises it
        new.bias = layer.bias
        made.model.set_submodule(name, new)
    lora.keep_unpacked(cast(Any, made.model))
    return Quantised(made)
