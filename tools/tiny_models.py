"""Tiny models of the real architectures with random weights, laid out as on the hub, for tests and `make gpu`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tiktoken
import torch

from workshop_utils.chat.models import POCKET
from workshop_utils.chat.template import GEMMA_SPECIALS
from workshop_utils.text.tokenizer import to_transformers, train_bpe

TEXTS = ["What colour is a banana? A banana is yellow. user model system assistant hello"] * 4
SHAPE: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
}
GEMMA_TEMPLATE = (POCKET["pocket-instruct"] / "chat_template.jinja").read_text(encoding="utf-8")
# As Qwen2.5's: ChatML, no token at the beginning, and a system prompt of its own where none is given.
QWEN_SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
CHATML = """\
{%- for message in messages -%}
{{- "<|im_start|>" + message.role + "\\n" + message.content + "<|im_end|>\\n" -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- "<|im_start|>assistant\\n" -}}{%- endif -%}"""
QWEN_TEMPLATE = f"""\
{{%- if messages[0].role != "system" -%}}
{{{{- "<|im_start|>system\\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\\n" -}}}}
{{%- endif -%}}
{CHATML}"""


def filled(learnt: tiktoken.Encoding, size: int, pattern: str) -> tiktoken.Encoding:
    """A tokenizer with tokens added that hardly occur, of bytes that no English text has, up to a real one's size."""
    ranks = dict(learnt._mergeable_ranks)
    rare = (bytes((a, b)) for a in range(0x80, 0x100) for b in (*range(0x80, 0x100), *range(0x20)))
    rarer = (bytes((a, b, c)) for a in range(0xF0, 0x100) for b in range(0x80, 0x100) for c in range(0x80, 0x100))
    room = size - len(learnt._special_tokens)
    for token in (*rare, *rarer):
        if len(ranks) >= room:
            break
        ranks.setdefault(token, len(ranks))
    specials = {token: room + i for i, token in enumerate(learnt._special_tokens)}
    return tiktoken.Encoding(learnt.name, pat_str=pattern, mergeable_ranks=ranks, special_tokens=specials)


def tokenizer(family: str = "llama", texts: Sequence[str] = TEXTS, learnt: int = 320, size: int = 0) -> Any:
    """A byte-level tokenizer with the special tokens and the template of Qwen2.5, or else of Gemma.

    It learns up to `learnt` tokens from the texts; where `size` is larger, tokens are added that hardly occur.
    """
    specials = QWEN_SPECIALS if family == "qwen2" else GEMMA_SPECIALS
    encoding = train_bpe(texts, learnt, at_most=True, special_tokens=specials)
    made = to_transformers(filled(encoding, size, encoding._pat_str) if size > encoding.n_vocab else encoding)
    made.chat_template = QWEN_TEMPLATE if family == "qwen2" else GEMMA_TEMPLATE
    if family == "qwen2":
        made.pad_token, made.eos_token = QWEN_SPECIALS[0], QWEN_SPECIALS[2]
    return made


def model(family: str, **shape: Any) -> Any:
    """A model of a family ("llama", "gemma2" or "qwen2") with random weights; shape: what differs from SHAPE."""
    from transformers import AutoConfig, AutoModelForCausalLM

    extra = {"head_dim": 16, "sliding_window": 64} if family == "gemma2" else {}
    return AutoModelForCausalLM.from_config(
        AutoConfig.for_model(family, **SHAPE | {"initializer_range": 0.3} | extra | shape)
    )


def save(
    folder: Path,
    family: str = "llama",
    template: bool = True,
    seed: int = 0,
    spare_rows: int = 0,
    vocabulary: Any = None,
    **changes: Any,
) -> Path:
    """Write a model of a family ("llama", "gemma2" or "qwen2") and its tokenizer into a folder.

    The embedding table has spare_rows beyond the tokenizer's tokens; `vocabulary` is another tokenizer than the
    family's small one; `changes` are those of the shape.
    """
    from transformers import GenerationConfig

    made = vocabulary or tokenizer(family)
    ids = {"bos_token_id": made.bos_token_id, "pad_token_id": made.pad_token_id, "eos_token_id": made.eos_token_id}
    torch.manual_seed(seed)
    drawn = model(family, **{"vocab_size": len(made) + spare_rows} | ids | changes)
    drawn.generation_config = GenerationConfig(**ids)
    drawn.save_pretrained(folder)
    made.save_pretrained(folder)
    if not template:
        (folder / "chat_template.jinja").unlink(missing_ok=True)
    return folder


def loaded(folder: Path, family: str = "llama", **changes: Any) -> Any:
    """The same as a LanguageModel in float32, whatever the profile; the arguments are those of save."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from workshop_utils.chat.language_model import LanguageModel

    save(folder, family, **changes)
    made = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    return LanguageModel(family, made, AutoTokenizer.from_pretrained(folder), str(folder))
