"""A GPT with Llama's three changes (rope, RMSNorm, SwiGLU) as transformers' Llama, with equal logits.

This is how a model that the loop of `train` made reaches peft, trl, bitsandbytes and llama.cpp: they know Llama.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn

from workshop_utils.gpt.model import GPT

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

SHAPE: dict[str, Any] = {"position": "rope", "norm": "rmsnorm", "activation": "swiglu", "bias": False}
# Our names and theirs, inside block number i; q, k and v lie in one matrix here and in three there.
NAMES = {
    "ln_1.weight": "input_layernorm.weight",
    "attn.c_proj.weight": "self_attn.o_proj.weight",
    "ln_2.weight": "post_attention_layernorm.weight",
    "mlp.c_gate.weight": "mlp.gate_proj.weight",
    "mlp.c_fc.weight": "mlp.up_proj.weight",
    "mlp.c_proj.weight": "mlp.down_proj.weight",
}
QKV = ("q_proj", "k_proj", "v_proj")


def to_llama(model: GPT, dtype: torch.dtype | None = None) -> LlamaForCausalLM:
    """Build a transformers Llama from a GPT: equal logits.

    Args:
        model: with rope, rmsnorm, swiglu and no biases.
        dtype: of the Llama's weights; the model's own if None.

    Raises:
        ValueError: the model has another shape than a Llama.
    """
    from transformers import LlamaConfig, LlamaForCausalLM

    c = model.config
    other = {name: getattr(c, name) for name, wanted in SHAPE.items() if getattr(c, name) != wanted}
    if other:
        raise ValueError(
            f"this GPT has {_listed(other)}, and a Llama has {_listed({name: SHAPE[name] for name in other})}: train "
            "one of that shape"
        )
    state = model.state_dict()
    llama = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=c.vocab_size, hidden_size=c.n_embd, num_hidden_layers=c.n_layer, num_attention_heads=c.n_head,
            intermediate_size=state["transformer.h.0.mlp.c_fc.weight"].size(0), max_position_embeddings=c.block_size,
            rms_norm_eps=1e-5, tie_word_embeddings=True, attention_dropout=c.dropout,
        )
    )  # fmt: skip
    theirs = {
        "model.embed_tokens.weight": state["transformer.wte.weight"],
        "lm_head.weight": state["transformer.wte.weight"],
        "model.norm.weight": state["transformer.ln_f.weight"],
    }
    for i in range(c.n_layer):
        ours, layer = f"transformer.h.{i}.", f"model.layers.{i}."
        theirs |= {layer + their: state[ours + our] for our, their in NAMES.items()}
        parts = state[ours + "attn.c_attn.weight"].chunk(3)  # (3C, C) -> three of (C, C)
        theirs |= {f"{layer}self_attn.{name}.weight": part for name, part in zip(QKV, parts, strict=True)}
    llama.load_state_dict(theirs)
    llama = nn.Module.to(llama, dtype=dtype or model.lm_head.weight.dtype)
    return cast("LlamaForCausalLM", llama.train(model.training))


def _listed(values: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in values.items())
