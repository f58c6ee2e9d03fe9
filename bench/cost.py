"""Speed of training and of writing against the width of the model, the context and the batch: ours and the peer.

Where training loses to a plain loop, or the cache to no cache, these curves show it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count
from typing import Any

import torch
from common import cpu_seconds, one_core, options, report, rounds_row, take_turns
from peers import choose_peer, same_shape

from workshop_utils.gpt.config import TrainConfig
from workshop_utils.gpt.model import GPT
from workshop_utils.machine.profiles import choose_dtype
from workshop_utils.training.train import train

VOCAB = 65
BASE = {"n_embd": 128, "block_size": 64, "batch": 12}  # nanoGPT's README, on a CPU
TRAINED = {"n_embd": (64, 128, 256, 512), "block_size": (32, 64, 256, 1024), "batch": (1, 4, 12, 48)}
WRITTEN = {"n_embd": (64, 128, 256, 512), "block_size": (32, 64, 256, 1024), "batch": (1, 4, 16, 64)}
WORDS = {"n_embd": "width", "block_size": "context", "batch": "batch"}


class Random:
    """Batches of random ids: what they say does not change the time."""

    fingerprint, vocab_size = "random", VOCAB

    def batch(self, how: str, batch_size: int, block_size: int, generator: torch.Generator) -> Any:
        """x and y (B, T)."""
        return torch.randint(VOCAB, (2, batch_size, block_size), generator=generator).unbind()


def training(peer: Any, dtype: str, steps: int, n_embd: int, block_size: int, batch: int) -> tuple[Callable, Callable]:
    """Ours and the peer's: tokens a CPU second of a training, after two steps that do not count."""
    tokens = steps * batch * block_size

    def speed(step: Callable[[Callable[[], None]], object]) -> float:
        times: list[float] = []
        counter = count()

        def note() -> None:
            if next(counter) in (1, steps + 1):
                times.append(time.process_time())

        step(note)
        return tokens / (times[1] - times[0])

    def ours() -> float:
        config = TrainConfig(steps=steps + 2, batch_size=batch, rows="windows", dtype=dtype, country="")
        model = GPT(same_shape(VOCAB, block_size, n_embd=n_embd))
        return speed(lambda note: train(model, Random(), None, config, quiet=True, on_step=lambda *_: note()))

    def theirs() -> float:
        def step(note: Callable[[], None]) -> None:
            model = peer.model(VOCAB, block_size, n_embd=n_embd)
            optimizer = peer.optimizer(model)
            for _ in range(steps + 2):
                _, loss = model(*Random().batch("", batch, block_size, torch.Generator()))
                loss.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                loss.item()
                note()

        return speed(step)

    return ours, theirs


def writing(peer: Any, n_embd: int, block_size: int, batch: int) -> tuple[Callable, Callable]:
    """Ours and the peer's: tokens a CPU second, written until the context is full, at most 255."""
    ours, theirs = (
        GPT(same_shape(VOCAB, block_size, n_embd=n_embd)).eval(),
        peer.model(VOCAB, block_size, n_embd=n_embd),
    )
    new = min(block_size // 2, 255)
    start = torch.zeros(batch, block_size - new, dtype=torch.int64)
    return (
        lambda: batch * new / cpu_seconds(lambda: ours.generate(start, new)),
        lambda: batch * new / cpu_seconds(lambda: peer.generate(theirs.eval(), start, new)),
    )


def main() -> None:
    """Measure and report."""
    args = options(__doc__).parse_args()
    one_core(args)
    peer = choose_peer(args.nanogpt)
    dtype, _ = choose_dtype("cpu")
    rounds = 1 if args.quick else args.rounds or 3
    rows = []
    for what, grid in (("training", TRAINED), ("writing", WRITTEN)):
        for key, values in list(grid.items())[: 1 if args.quick else None]:
            for value in values[: 2 if args.quick else None]:
                shape = BASE | {"batch": 1 if what == "writing" else BASE["batch"]} | {key: value}
                tokens = shape["batch"] * shape["block_size"]
                steps = 1 if args.quick else max(2, min(20, 8_000_000 // (tokens * shape["n_embd"] * 8)))
                pair = training(peer, dtype, steps, **shape) if what == "training" else writing(peer, **shape)
                print(f"{what}, {WORDS[key]} {value}", flush=True)
                line = rounds_row(f"{what}, {WORDS[key]} {value}: tokens a CPU second", *take_turns(*pair, rounds))
                rows.append(line | {"curve": [f"{what.capitalize()} against {WORDS[key]}", value]})
    notes = (
        f"Peer: {peer.name}. 4 layers, 4 heads, {args.threads} thread(s), {rounds} rounds; unless told otherwise width "
        f"128, context 64, a batch of 12 in training (ours in {dtype}) and of 1 in writing, which begins with half of "
        "the context."
    )
    report("cost", rows, args, notes)


if __name__ == "__main__":
    main()
