"""Tiny models of the real architectures with random weights, laid out as on the hub, for the tests of loading them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from workshop_utils import chat
from workshop_utils.tokens import to_transformers, train_bpe

TEXTS = ["What colour is a banana? A banana is yellow. user model system assistant hello"] * 4
SHAPE: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
}


# As Qwen2.5's: ChatML, no token at the beginning, and a system prompt of its own where none is given.
QWEN_SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
QWEN_TEMPLATE = """\
{%- if messages[0].role != "system" -%}
{{- "<|im_start|>system\\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\\n" -}}
{%- endif -%}
{%- for message in messages -%}
{{- "<|im_start|>" + message.role + "\\n" + message.content + "<|im_end|>\\n" -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- "<|im_start|>assistant\\n" -}}{%- endif -%}"""


def tokenizer(family: str = "llama") -> Any:
    """A byte-level tokenizer with the special tokens and the template of Qwen2.5, or else of Gemma."""
    specials = QWEN_SPECIALS if family == "qwen2" else chat.GEMMA_SPECIALS
    made = to_transformers(train_bpe(TEXTS, 320, at_most=True, special_tokens=specials))
    made.chat_template = QWEN_TEMPLATE if family == "qwen2" else chat.GEMMA_TEMPLATE
    if family == "qwen2":
        made.pad_token, made.eos_token = QWEN_SPECIALS[0], QWEN_SPECIALS[2]
    return made


def save(
    folder: Path, family: str = "llama", template: bool = True, seed: int = 0, spare_rows: int = 0, **changes: Any
) -> Path:
    """Write a model of a family ("llama", "gemma2" or "qwen2") and its tokenizer into a folder.

    Args:
        folder: is made.
        family: the architecture, and whose special tokens.
        template: whether the tokenizer has a chat template.
        seed: of the weights.
        spare_rows: of the embedding table, beyond the tokenizer's tokens.
        changes: of the shape.
    """
    from transformers import (
        Gemma2Config,
        Gemma2ForCausalLM,
        GenerationConfig,
        LlamaConfig,
        LlamaForCausalLM,
        Qwen2Config,
        Qwen2ForCausalLM,
    )

    classes = {
        "llama": (LlamaConfig, LlamaForCausalLM, {}),
        "gemma2": (Gemma2Config, Gemma2ForCausalLM, {"head_dim": 16, "sliding_window": 64}),
        "qwen2": (Qwen2Config, Qwen2ForCausalLM, {}),
    }
    config_class, model_class, extra = classes[family]
    made = tokenizer(family)
    ids = {"bos_token_id": made.bos_token_id, "pad_token_id": made.pad_token_id, "eos_token_id": made.eos_token_id}
    torch.manual_seed(seed)
    shape = SHAPE | {"vocab_size": len(made) + spare_rows, "initializer_range": 0.3} | extra | ids | changes
    model = model_class(config_class(**shape))
    model.generation_config = GenerationConfig(**ids)
    model.save_pretrained(folder)
    if not template:
        made.chat_template = None
    made.save_pretrained(folder)
    return folder
