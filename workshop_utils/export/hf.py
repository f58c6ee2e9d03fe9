"""The GPT of lessons 03 and 04 as a model of transformers, for everything that reads one: chat, GGUF, vLLM.

Each of its shapes is one that transformers knows by another name; the weights are the same and so are the logits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workshop_utils.gpt.config import GPTConfig
from workshop_utils.gpt.model import GPT

if TYPE_CHECKING:
    import tiktoken
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

# Where a weight lies in Starcoder2: a transformer with rotary positions, LayerNorm and an MLP without a gate.
NAMES = {
    "ln_1": "input_layernorm",
    "ln_2": "post_attention_layernorm",
    "attn.c_proj": "self_attn.o_proj",
    "mlp.c_fc": "mlp.c_fc",
    "mlp.c_proj": "mlp.c_proj",
}


def chat_tokenizer(encoding: tiktoken.Encoding) -> PreTrainedTokenizerBase:
    """The tokenizer of a GPT that was taught to answer, for transformers, with the pocket models' chat template.

    Args:
        encoding: with the tokens that begin and end a turn, as of lessons.own_gpt.with_turns. A conversation begins
            with the end-of-text token, as the rows of the training did.
    """
    from workshop_utils.chat import models
    from workshop_utils.text.tokenizer import END_OF_TEXT, to_transformers

    tokenizer = to_transformers(encoding, begin=END_OF_TEXT)
    tokenizer.chat_template = (models.POCKET["pocket-instruct"] / "chat_template.jinja").read_text(encoding="utf-8")
    return tokenizer


def lack_of(config: GPTConfig) -> str:
    """Why a GPT has no equal in transformers here, "" if it has."""
    wanted = {"position": "rope", "norm": "layernorm"}
    wrong = [f"{name}={getattr(config, name)!r}" for name, value in wanted.items() if getattr(config, name) != value]
    wrong += [f"activation={config.activation!r}"] if config.activation == "swiglu" else []
    known = "position='rope', norm='layernorm' and activation 'gelu' or 'gelu_tanh', as lesson 04 trains it"
    return f"it has {' and '.join(wrong)}, and what can be written has {known}" if wrong else ""


def as_transformers(model: GPT, tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    """The same model as a Starcoder2ForCausalLM.

    Args:
        model: with rotary positions, LayerNorm and GELU.
        tokenizer: names the tokens that begin and end a text.

    Returns:
        it on the CPU in float32, in eval mode; its logits are the GPT's.

    Raises:
        ValueError: the model has another shape.
    """
    import torch
    from transformers import Starcoder2Config, Starcoder2ForCausalLM

    from workshop_utils.chat.template import stop_ids

    if lack := lack_of(model.config):
        raise ValueError(f"this GPT cannot be handed to transformers: {lack}")
    c = model.config
    ends = stop_ids(tokenizer) if tokenizer.chat_template else tokenizer.eos_token_id
    config = Starcoder2Config(
        vocab_size=c.vocab_size,
        hidden_size=c.n_embd,
        intermediate_size=4 * c.n_embd,
        num_hidden_layers=c.n_layer,
        num_attention_heads=c.n_head,
        num_key_value_heads=c.n_head,
        hidden_act={"gelu": "gelu", "gelu_tanh": "gelu_pytorch_tanh"}[c.activation],
        max_position_embeddings=c.block_size,
        norm_epsilon=1e-5,
        use_bias=True,  # llama.cpp insists on them
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):  # the first weights are drawn and replaced
        made: Any = Starcoder2ForCausalLM(config)
    made.load_state_dict(_renamed(model), strict=True)
    made.generation_config.eos_token_id = ends
    return made.eval()


def _renamed(model: GPT) -> dict[str, Any]:
    """The weights under Starcoder2's names; biases that a GPT has not are 0."""
    import torch

    weights: dict[str, Any] = {}
    for name, tensor in model.state_dict().items():
        values = tensor.detach().float().cpu()
        kind = name.rpartition(".")[2]
        if name.startswith(("transformer.wte", "lm_head")):
            weights[name.replace("transformer.wte", "model.embed_tokens")] = values
        elif name.startswith("transformer.ln_f"):
            weights[f"model.norm.{kind}"] = values
        else:
            _, _, number, *inner, _ = name.split(".")
            part, layer = ".".join(inner), f"model.layers.{number}"
            if part == "attn.c_attn":  # queries, keys and values lie in one matrix
                for letter, piece in zip("qkv", values.chunk(3), strict=True):
                    weights[f"{layer}.self_attn.{letter}_proj.{kind}"] = piece.contiguous()
            else:
                weights[f"{layer}.{NAMES[part]}.{kind}"] = values
    layers = [name for name in weights if name.endswith(".weight") and ("layers" in name or ".norm" in name)]
    biases = {name.replace(".weight", ".bias"): torch.zeros(len(weights[name])) for name in layers}
    return biases | weights
