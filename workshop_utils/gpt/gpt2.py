"""GPT-2's weights, to and from transformers: the proof that `model` computes what GPT-2 computes.

transformers stores the four linear layers of a block as Conv1D, transposed against nn.Linear; all other names agree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from workshop_utils.gpt.model import GPT, GPTConfig

if TYPE_CHECKING:
    from transformers import GPT2LMHeadModel

ACTIVATIONS = {"gelu_tanh": "gelu_new", "gelu": "gelu"}  # our names, and theirs
TRANSPOSED = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")


def _swap(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Transpose the layers that the two libraries store the other way round."""
    return {name: tensor.t().contiguous() if name.endswith(TRANSPOSED) else tensor for name, tensor in state.items()}


def from_hf(hf_model: GPT2LMHeadModel) -> GPT:
    """A GPT with the weights of a transformers GPT-2: equal logits.

    Args:
        hf_model: a GPT2LMHeadModel, for example GPT2LMHeadModel.from_pretrained("gpt2").

    Raises:
        ValueError: the model is no GPT-2.
    """
    c = hf_model.config
    if c.model_type != "gpt2" or c.activation_function not in ACTIVATIONS.values():
        raise ValueError(f"this is a {c.model_type} model: only GPT-2 has the shape of this GPT, load it otherwise")
    activation = next(ours for ours, theirs in ACTIVATIONS.items() if theirs == c.activation_function)
    shape = (c.n_positions, c.vocab_size, c.n_layer, c.n_head, c.n_embd)
    model = GPT(GPTConfig(*shape, dropout=c.resid_pdrop, activation=activation))
    model.load_state_dict(_swap({k: v for k, v in hf_model.state_dict().items() if not k.endswith(".attn.bias")}))
    return model.to(dtype=hf_model.dtype)


def to_hf(model: GPT) -> GPT2LMHeadModel:
    """The same model as transformers' GPT2LMHeadModel: equal logits.

    Args:
        model: with learned positions, layernorm and a GELU.

    Raises:
        ValueError: it uses rope, rmsnorm or swiglu, which GPT-2 does not have.
    """
    from transformers import GPT2Config, GPT2LMHeadModel

    c = model.config
    if c.position != "learned" or c.norm != "layernorm" or c.activation not in ACTIVATIONS:
        raise ValueError(
            f"this GPT has position={c.position!r}, norm={c.norm!r} and activation={c.activation!r}: transformers' "
            "GPT-2 has only learned positions, layernorm and GELU"
        )
    shape = {name: getattr(c, name) for name in ("vocab_size", "n_embd", "n_layer", "n_head")}
    shape |= {"n_positions": c.block_size, "activation_function": ACTIVATIONS[c.activation]}
    shape |= dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), c.dropout)
    hf_model = GPT2LMHeadModel(GPT2Config(**shape, bos_token_id=None, eos_token_id=None))
    state = _swap(model.state_dict())
    if not c.bias:  # GPT-2 always adds a bias: adding zero changes nothing
        state |= {name: torch.zeros_like(t) for name, t in hf_model.state_dict().items() if name.endswith(".bias")}
    hf_model.load_state_dict(state)
    return cast("GPT2LMHeadModel", nn.Module.to(hf_model, dtype=model.lm_head.weight.dtype).train(model.training))
