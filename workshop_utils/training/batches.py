"""Between the data and the loop: the next batch, this process's part of it, on its device and in its precision."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, cast

import torch
from torch import Tensor

from workshop_utils.gpt.config import TrainConfig
from workshop_utils.gpt.model import GPT
from workshop_utils.training import processes


class Batches(Protocol):
    """What the loop asks of its data; `text.TokenFile` is the usual one.

    A stream has state_dict() and load_state_dict() too, plain values that are kept in the checkpoints. Where it gives
    each process other rows, it says in `world_size` between how many they are divided, and in `rank` whose it has.
    """

    fingerprint: str
    vocab_size: int

    def batch(
        self, how: str, batch_size: int, block_size: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]: ...


def next_batch(data: Batches, model: GPT, config: TrainConfig, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The next batch of a generator, x and y (B, T), on the device that the config names.

    Of several processes each draws the whole batch alike and keeps its own B rows: so many processes with B rows each
    do in one update exactly what one process does with all of these rows. A stream that is divided between them gives
    each its own rows at once.

    Raises:
        ValueError: the data has no batches.
    """
    if not hasattr(data, "batch"):
        raise ValueError(f"a {type(data).__name__} has no batches to train on: pass a token file or a stream")
    here = processes.world()
    shares = here.shares(data)
    x, y = data.batch(config.rows, config.batch_size * shares, model.config.block_size, generator)
    x, y = here.rows(x, shares), here.rows(y, shares)
    if config.device == "cuda":  # pinned memory lets the copy run beside the computation
        x, y = x.pin_memory(), y.pin_memory()
    x, y = (tensor.to(config.device, non_blocking=config.device == "cuda") for tensor in (x, y))
    return x, y


@contextmanager
def unmoved(data: Batches) -> Iterator[None]:
    """Look at batches of a stream without moving on in it; a token file is nowhere and needs no care."""
    if not hasattr(data, "state_dict"):
        yield
        return
    stream = cast("Any", data)
    state = stream.state_dict()
    try:
        yield
    finally:
        stream.load_state_dict(state)


def precision(config: TrainConfig) -> torch.autocast:
    """Mixed precision: products in config.dtype, weights and sums in float32; off when dtype is float32."""
    dtype = getattr(torch, config.dtype)
    return torch.autocast(config.device, dtype=dtype, enabled=config.dtype != "float32")
