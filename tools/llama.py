"""A GPT with Llama's three changes (rope, RMSNorm, SwiGLU) as transformers' Llama, and back, with equal logits.

This is how a model that the loop of `train` made reaches peft, trl, bitsandbytes and llama.cpp: they know Llama.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from workshop_utils.model import GPT, GPTConfig

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


def from_llama(llama: LlamaForCausalLM) -> GPT:
    """Build a GPT from a transformers Llama: equal logits.

    Args:
        llama: with as many key and value heads as query heads, tied embeddings, and this GPT's width of the MLP.

    Raises:
        ValueError: it has something that this GPT has not.
    """
    c = llama.config
    if c.model_type != "llama" or c.num_key_value_heads != c.num_attention_heads or not c.tie_word_embeddings:
        raise ValueError(
            f"this is a {c.model_type} model with {getattr(c, 'num_key_value_heads', '?')} heads for keys and values, "
            f"{c.num_attention_heads} for queries and tie_word_embeddings={c.tie_word_embeddings}: this GPT holds only "
            "Llamas with equally many of both and tied embeddings. Load it with transformers instead"
        )
    model = GPT(
        GPTConfig(
            block_size=c.max_position_embeddings, vocab_size=c.vocab_size, n_layer=c.num_hidden_layers,
            n_head=c.num_attention_heads, n_embd=c.hidden_size, init="fan_in", **SHAPE,
        )
    )  # fmt: skip
    theirs = llama.state_dict()
    ours: dict[str, Tensor] = {
        "transformer.wte.weight": theirs["model.embed_tokens.weight"],
        "lm_head.weight": theirs["model.embed_tokens.weight"],
        "transformer.ln_f.weight": theirs["model.norm.weight"],
    }
    for i in range(c.num_hidden_layers):
        our_layer, layer = f"transformer.h.{i}.", f"model.layers.{i}."
        ours |= {our_layer + our: theirs[layer + their] for our, their in NAMES.items()}
        ours[our_layer + "attn.c_attn.weight"] = torch.cat([theirs[f"{layer}self_attn.{n}.weight"] for n in QKV])
    try:
        model.load_state_dict(ours)
    except RuntimeError as error:
        raise ValueError(
            f"the Llama's MLP is {c.intermediate_size} wide, and this GPT's would be "
            f"{model.blocks[0].mlp.c_fc.out_features}: load it with transformers instead"
        ) from error
    return model.to(dtype=llama.dtype).train(llama.training)


def _listed(values: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in values.items())
