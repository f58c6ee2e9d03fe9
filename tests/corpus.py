"""A tiny corpus for the tests of the loop: three kinds of sentence, a byte-level tokenizer, a small GPT."""

from __future__ import annotations

from pathlib import Path

import tiktoken
import torch

from workshop_utils.gpt.config import GPTConfig, TrainConfig
from workshop_utils.gpt.model import GPT
from workshop_utils.text.token_file import TokenFile, write_token_file

LINES = [
    f"{name} has a {thing}. The {thing} is {colour}."
    for name in ("Mia", "Tom", "Ada", "Ben")
    for thing in ("ball", "boat", "kite", "drum", "shoe")
    for colour in ("red", "blue", "green")
]


def byte_encoding(name: str = "bytes", start: int = 0) -> tiktoken.Encoding:
    """One token a byte, counted from `start`: another start is another tokenizer of the same size."""
    ranks = {bytes([i]): (i + start) % 256 for i in range(256)}
    return tiktoken.Encoding(name, pat_str=r"\S+|\s+", mergeable_ranks=ranks, special_tokens={"<|endoftext|>": 256})


def token_file(path: Path, encoding: tiktoken.Encoding | None = None) -> TokenFile:
    return write_token_file(LINES, path, encoding or byte_encoding(), workers=1)


def small_gpt(seed: int = 0, **changes: object) -> GPT:
    torch.manual_seed(seed)
    shape = {"block_size": 64, "vocab_size": 320, "n_layer": 2, "n_head": 2, "n_embd": 32, "attention": "sdpa"}
    return GPT(GPTConfig(**shape | changes))  # type: ignore[arg-type]


def quick(**changes: object) -> TrainConfig:
    settings = {"steps": 12, "batch_size": 4, "eval_every": 4, "eval_batches": 2, "log_every": 1, "checkpoint_every": 3}
    return TrainConfig(**settings | {"country": ""} | changes)  # type: ignore[arg-type]
