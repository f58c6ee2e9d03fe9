"""An encoder of two narrow layers that was never trained, with the pocket models' tokenizer."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoTokenizer, BertConfig, BertModel

from workshop_utils.chat.models import POCKET


def encoder() -> tuple[Any, Any]:
    """The encoder, always the same, and the tokenizer."""
    tokenizer = AutoTokenizer.from_pretrained(POCKET["pocket-base"])
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=256,
    )
    return BertModel(config, add_pooling_layer=False), tokenizer
