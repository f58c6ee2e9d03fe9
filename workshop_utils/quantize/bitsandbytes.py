"""Bitsandbytes' four bits: NF4, sixteen levels where weights are frequent, as QLoRA trains on them."""

from __future__ import annotations

import logging
import tempfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import torch

from workshop_utils.chat import models
from workshop_utils.machine.quiet import no_bar
from workshop_utils.quantize.floats import Data, Quantised, Unavailable, copied
from workshop_utils.tuning import lora

if TYPE_CHECKING:
    from workshop_utils.chat.language_model import LanguageModel
    from workshop_utils.machine.profiles import Profile


def make_nf4(model: LanguageModel, profile: Profile, data: Data, double: bool = False) -> Quantised:
    """NF4 in blocks of 64, by transformers, which quantises while it loads.

    Args:
        model: in floats.
        profile: says where, and in which precision the products are made.
        data: not needed.
        double: quantise the scales, too.
    """
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)  # it found no faster kernel on the hub
    rest = models.dtype_of(profile)
    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=double,
        bnb_4bit_compute_dtype=torch.float32 if profile.device == "cpu" else getattr(torch, profile.dtype),
    )
    with tempfile.TemporaryDirectory() as folder, no_bar(True):
        copied(model, rest).model.save_pretrained(folder)
        made = AutoModelForCausalLM.from_pretrained(
            folder,
            quantization_config=config,
            device_map={"": profile.device},
            dtype=rest,
            attn_implementation=models.attention(model.model.config.model_type),
        )
    lora.keep_unpacked(cast(Any, made))
    odd = [name for name, m in made.named_modules() if type(m).__name__ == "Linear4bit" and m.in_features % 64]
    if odd and profile.device == "cpu":
        raise Unavailable(f"{odd[0]} has inputs that make no whole blocks of 64: bitsandbytes is wrong there on a CPU")
    return Quantised(replace(model, model=cast(Any, made).eval()))
