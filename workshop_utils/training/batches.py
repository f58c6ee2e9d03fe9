"""Between the data and the loop: the next batch, this process's part of it, on its device and in its precision."""

from __future__ import annotations

from collections import deque
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


def next_batch(
    data: Batches, model: GPT, config: TrainConfig, generator: torch.Generator
) -> tuple[Tensor, Tensor, int]:
    """The next batch of a generator, x and y (B, T), on the device that the config names, and how many y count.

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
    n = int((y != -1).sum())  # here, since to count on a GPU means to wait for it
    if pinned := config.device == "cuda":  # pinned memory lets the copy run beside the computation
        x, y = x.pin_memory(), y.pin_memory()
    return x.to(config.device, non_blocking=pinned), y.to(config.device, non_blocking=pinned), n


class Feed:
    """The batches of a training in an order that the seed fixes; those of the next update come while a GPU computes.

    Its state is that of a torch.Generator before the first batch that has not been used: a run goes on with that one.
    """

    def __init__(self, data: Batches, model: GPT, config: TrainConfig) -> None:
        self.data, self.model, self.config = data, model, config
        self.generator = torch.Generator().manual_seed(config.seed)  # the same in all processes
        self.waiting: deque[tuple[Tensor, tuple[Tensor, Tensor, int]]] = deque()  # each with the state before it

    def next(self) -> tuple[Tensor, Tensor, int]:
        """The next batch, as next_batch gives it."""
        ahead = self.waiting.popleft()[1] if self.waiting else None
        return ahead or next_batch(self.data, self.model, self.config, self.generator)

    def draw_ahead(self) -> None:
        """Draw the batches of the next update now; not on a CPU, nor from a stream, whose own place is kept too."""
        if self.config.device != "cpu" and not hasattr(self.data, "state_dict"):
            for _ in range(self.config.grad_accum_steps):
                before = self.generator.get_state()
                self.waiting.append((before, next_batch(self.data, self.model, self.config, self.generator)))

    def get_state(self) -> Tensor:
        """Where the batches are that have not been used."""
        return self.waiting[0][0] if self.waiting else self.generator.get_state()

    def set_state(self, state: Tensor) -> None:
        """Go on from there."""
        self.waiting.clear()
        self.generator.set_state(state)


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


def any_batch(data: Batches, model: GPT, config: TrainConfig) -> tuple[Tensor, Tensor, int]:
    """A batch to try something with, which the training will not miss."""
    with unmoved(data):
        return next_batch(data, model, config, torch.Generator().manual_seed(config.seed))


@contextmanager
def only_loss(model: GPT) -> Iterator[None]:
    """Ask the model for losses alone, so that it need not keep logits that are large."""
    try:
        model.only_loss = True
        yield
    finally:
        model.only_loss = False


def precision(config: TrainConfig) -> torch.autocast:
    """Mixed precision: products in config.dtype, weights and sums in float32; off when dtype is float32."""
    dtype = getattr(torch, config.dtype)
    return torch.autocast(config.device, dtype=dtype, enabled=config.dtype != "float32")
