"""Training throughput on one core: tokens a second of train() against nanoGPT's loop, at its README's CPU model.

Both train the same shape (4 layers, 4 heads, 128 wide, no biases, T=64, B=12, dropout 0) on the same text.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from common import one_core, options, report, rounds_row, take_turns
from peers import BATCH, BLOCK, Characters, characters, choose_peer, same_shape, train_as_nanogpt

from workshop_utils.gpt.config import TrainConfig
from workshop_utils.gpt.model import GPT
from workshop_utils.machine.profiles import choose_dtype
from workshop_utils.training.train import train

WARM_UP = 5  # first steps of a round that do not count: buffers are made, attention is chosen


class Clock:
    """Notes the time after every step: CPU seconds, or those of another clock."""

    def __init__(self, clock: Callable[[], float] = time.process_time) -> None:
        self.clock, self.times = clock, list[float]()

    def __call__(self, *_: Any) -> None:
        self.times.append(self.clock())

    def tokens_per_second(self, tokens_per_step: int) -> float:
        """The speed after the warm-up."""
        return (len(self.times) - WARM_UP) * tokens_per_step / (self.times[-1] - self.times[WARM_UP - 1])


def train_ours(text: Characters, config: TrainConfig, on_step: Clock) -> GPT:
    """Train a fresh model of nanoGPT's shape with the package's loop."""
    torch.manual_seed(config.seed)
    return train(GPT(same_shape(text.encoding.n_vocab)), text.train, None, config, quiet=True, on_step=on_step).model


def compiles() -> bool:
    """Whether torch.compile works here: it needs a compiler of C++."""
    try:
        torch.compile(torch.nn.Linear(2, 2))(torch.ones(1, 2))
    except Exception as error:  # of the compiler, or of what it calls
        print(f"nothing can be compiled here: {type(error).__name__}")
        return False
    return True


def main() -> None:
    """Measure and report."""
    args = options(__doc__).parse_args()
    seconds = one_core(args)
    peer = choose_peer(args.nanogpt)
    steps, rounds = (WARM_UP + 2, 1) if args.quick else (WARM_UP + 150, args.rounds or 10)
    dtype, reason = choose_dtype("cpu")
    attention = set()
    with tempfile.TemporaryDirectory() as folder:
        text = characters(args.text, Path(folder), 100 if args.quick else 2000)

        def ours(dtype: str, compile: str = "auto") -> float:
            config = TrainConfig(
                steps=steps, batch_size=BATCH, rows="windows", dtype=dtype, country="", compile=compile
            )
            clock = Clock(seconds)
            attention.add(train_ours(text, config, clock).config.attention)
            return clock.tokens_per_second(BATCH * BLOCK)

        def theirs() -> float:
            clock = Clock(seconds)
            train_as_nanogpt(peer, text, steps, clock)
            return clock.tokens_per_second(BATCH * BLOCK)

        print(f"ours in {dtype}, because {reason}")
        if not args.quick:
            ours(dtype), theirs()  # a rehearsal: the first round of a process is slower
        what = "training, tokens a " + ("CPU second" if args.threads == 1 else f"second on {args.threads} threads")
        rows = [rounds_row(f"{what} ({dtype})", *take_turns(lambda: ours(dtype), theirs, rounds), goal="ratio >= 3")]
        used = " or ".join(sorted(attention))
        if dtype != "float32":
            both = take_turns(lambda: ours("float32"), theirs, max(1, rounds // 2))
            rows.append(rounds_row(f"{what} (float32)", *both))
        if rounds > 3 and args.threads == 1 and not args.busy and compiles():  # a minute, in no CPU second here
            ours(dtype, "on")
            both = take_turns(lambda: ours(dtype, "on"), theirs, max(1, rounds // 4))
            rows.append(rounds_row(f"{what} ({dtype}), compiled before", *both))
    notes = (
        f"Peer: {peer.name}. {args.threads} thread(s); {rounds} rounds of {steps} steps of {BATCH} x {BLOCK} "
        f"tokens, half as many in float32, a quarter compiled. Ours computes in {dtype} because {reason}; attention, "
        f"chosen by measurement: {used}. The goal is for CPUs with avx512_bf16. {text.note}"
    )
    report("train_throughput", rows, args, notes)


if __name__ == "__main__":
    main()
