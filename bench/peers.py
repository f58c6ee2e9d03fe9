"""Who the benches compare with: a checkout of nanoGPT, or without one a plain loop around the same model.

nanoGPT's code is imported from the checkout and never copied; its training steps are told in our own words here.
"""

from __future__ import annotations

import importlib.util
import io
import math
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import tiktoken
import torch
from torch import Tensor, nn

from workshop_utils.gpt.config import GPTConfig
from workshop_utils.gpt.model import GPT
from workshop_utils.machine.text_files import read_text
from workshop_utils.text.token_file import TokenFile, write_token_file
from workshop_utils.text.tokenizer import END_OF_TEXT

SHAPE = {"n_layer": 4, "n_head": 4, "n_embd": 128, "bias": False, "dropout": 0.0}  # nanoGPT's README, on a CPU
BATCH, BLOCK = 12, 64


def same_shape(vocab_size: int, block_size: int = BLOCK, attention: str = "auto", **changes: Any) -> GPTConfig:
    """Our config of the model that nanoGPT trains there, or of a shape with changes, with its activation."""
    return GPTConfig(
        vocab_size=vocab_size,
        block_size=block_size,
        attention=attention,
        activation="gelu",
        **(SHAPE | changes),  # type: ignore[arg-type]
    )


@dataclass
class Characters:
    """A text as nanoGPT's character-level example cuts it: the first 90% to train, the rest to validate."""

    encoding: tiktoken.Encoding  # one token a character
    train: TokenFile
    train_bin: Path  # the same ids as nanoGPT stores them: uint16, nothing else
    val: np.ndarray  # ids (N,)
    note: str

    @property
    def n_characters(self) -> int:
        """How many different characters there are: nanoGPT's vocabulary, ours has the end-of-text token too."""
        return self.encoding.n_vocab - 1


def characters(path: Path | None, folder: Path, n_stories: int = 2000) -> Characters:
    """Read a text, or take the package's stories, and tokenise it character by character.

    Args:
        path: a UTF-8 text file; None takes stories.
        folder: where the token files go.
        n_stories: how many stories.
    """
    if path is not None:
        text, source = read_text(path), "the text of --text"
    else:
        from workshop_utils.pocket import stories

        text, source = "\n\n".join(stories.texts(n_stories)), "the package's stories (no --text was given)"
    alphabet = sorted(set(text))
    encoding = tiktoken.Encoding(
        "characters",
        pat_str=r"(?s:.)",
        mergeable_ranks={character.encode(): rank for rank, character in enumerate(alphabet)},
        special_tokens={END_OF_TEXT: len(alphabet)},
    )
    cut = int(len(text) * 0.9)
    train = write_token_file([text[:cut]], folder / "train.tokens", encoding, workers=1)
    train.tokens[:-1].tofile(folder / "train.bin")  # nanoGPT has no end-of-text token here
    note = f"Text: {source}, {len(text):,} characters, {len(alphabet)} different ones."
    return Characters(encoding, train, folder / "train.bin", np.array(encoding.encode_ordinary(text[cut:])), note)


class Plain:
    """The same model without anything that this package does for speed: float32, SDPA, AdamW unfused, no cache."""

    name = "a plain loop of the same model in float32, with scaled_dot_product_attention and an unfused AdamW"

    def model(self, vocab_size: int, block_size: int = BLOCK, **changes: Any) -> nn.Module:
        """A fresh model; changes: of the shape."""
        return GPT(same_shape(vocab_size, block_size, attention="sdpa", **changes))

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """AdamW with nanoGPT's settings for this example: matrices decay, vectors do not."""
        groups = [
            {"params": [p for p in model.parameters() if p.dim() >= 2], "weight_decay": 0.1},
            {"params": [p for p in model.parameters() if p.dim() < 2], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99))

    def generate(self, model: nn.Module, idx: Tensor, n: int) -> Tensor:
        """Continue idx (B, T) by n tokens."""
        assert isinstance(model, GPT)
        return model.generate(idx, n, use_cache=False)


class NanoGPT:
    """The checkout's own model, optimiser and generate()."""

    name = "nanoGPT"

    def __init__(self, module: ModuleType) -> None:
        self.module = module

    def model(self, vocab_size: int, block_size: int = BLOCK, **changes: Any) -> nn.Module:
        """A fresh model; changes: of the shape."""
        shape = SHAPE | changes | {"vocab_size": vocab_size, "block_size": block_size}
        with redirect_stdout(io.StringIO()):
            return self.module.GPT(self.module.GPTConfig(**shape))

    def optimizer(self, model: Any) -> torch.optim.Optimizer:
        """What its train.py asks for on a CPU, with the settings of its character-level example."""
        with redirect_stdout(io.StringIO()):
            return model.configure_optimizers(0.1, 1e-3, (0.9, 0.99), "cpu")

    def generate(self, model: Any, idx: Tensor, n: int) -> Tensor:
        """Continue idx (B, T) by n tokens."""
        return model.generate(idx, n)


def choose_peer(checkout: Path | None) -> Plain | NanoGPT:
    """NanoGPT where a checkout is given, else the plain loop.

    Raises:
        SystemExit: there is no nanoGPT in the folder.
    """
    if checkout is None:
        return Plain()
    path = checkout / "model.py"
    if not path.is_file():
        raise SystemExit(f"there is no model.py in {checkout}: --nanogpt wants the folder of a nanoGPT checkout")
    spec = importlib.util.spec_from_file_location("nanogpt_model", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return NanoGPT(module)


def nanogpt_rate(step: int, steps: int, peak: float = 1e-3, warmup: int = 100) -> float:
    """The learning rate of nanoGPT's character-level example: warm-up, then half a cosine down to a tenth."""
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    done = (step - warmup) / max(1, steps - warmup)
    return peak * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * done)))


def train_as_nanogpt(
    peer: Plain | NanoGPT, text: Characters, steps: int, on_step: Callable[[], object] = lambda: None
) -> nn.Module:
    """Train as nanoGPT's train.py does on a CPU, without its looks at the loss, its log lines and its checkpoints.

    Args:
        peer: whose model and optimiser.
        text: where the batches come from.
        steps: updates; the schedule ends with them.
        on_step: called after every update.
    """
    model = peer.model(text.n_characters)
    optimizer = peer.optimizer(model)
    batches = _windows(text.train_bin)
    x, y = next(batches)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = nanogpt_rate(step, steps)
        _, loss = model(x, y)
        x, y = next(batches)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()  # its log line reads the loss after every update
        on_step()
    return model


def _windows(path: Path) -> Iterator[tuple[Tensor, Tensor]]:
    """Random windows (B, T), with a new memmap for each batch, as nanoGPT takes them."""
    while True:
        ids = np.memmap(path, dtype=np.uint16, mode="r")
        starts = torch.randint(len(ids) - BLOCK, (BATCH,))
        x = torch.stack([torch.from_numpy(ids[i : i + BLOCK].astype(np.int64)) for i in starts])
        y = torch.stack([torch.from_numpy(ids[i + 1 : i + 1 + BLOCK].astype(np.int64)) for i in starts])
        yield x, y


@torch.no_grad()
def whole_loss(model: nn.Module, ids: np.ndarray, block_size: int = BLOCK, batch_size: int = 64) -> float:
    """Mean loss in nats over all of a text, cut into windows that do not overlap.

    Args:
        model: ours or nanoGPT's; both give (logits, loss).
        ids: token ids (N,).
        block_size: T of a window; what does not fill the last window is left out.
        batch_size: windows at a time.
    """
    n = (len(ids) - 1) // block_size
    x = torch.from_numpy(ids[: n * block_size].astype(np.int64)).view(n, block_size)
    y = torch.from_numpy(ids[1 : n * block_size + 1].astype(np.int64)).view(n, block_size)
    model.eval()
    total = sum(float(model(a, b)[1]) * len(a) for a, b in zip(x.split(batch_size), y.split(batch_size), strict=True))
    return total / n
