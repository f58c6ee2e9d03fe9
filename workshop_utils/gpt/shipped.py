"""The GPT of lesson 04, trained and in the package: for lessons that need a trained one before there is one."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file

from workshop_utils.gpt.config import GPTConfig
from workshop_utils.gpt.model import GPT

FOLDER = Path(__file__).parents[1] / "pocket" / "models" / "gpt"  # tools/build_gpt.py makes it; its card lies there
WEIGHTS, CONFIG = "model.safetensors", "config.json"


def load_shipped() -> GPT:
    """The trained GPT of the package, which writes stories.

    Returns:
        it on the CPU in float32, in eval mode. Its tokenizer is the pocket profile's (lessons get both from
        prepare(profile)); `config.json` beside the weights has the fingerprint.
    """
    with torch.random.fork_rng(devices=[]):  # the first weights are drawn and replaced
        model = GPT(GPTConfig.from_dict(json.loads((FOLDER / CONFIG).read_text(encoding="utf-8"))["gpt"]))
    weights = {name: tensor.float() for name, tensor in load_file(FOLDER / WEIGHTS).items()}
    model.load_state_dict(weights | {"lm_head.weight": weights["transformer.wte.weight"]})
    return model.eval()
