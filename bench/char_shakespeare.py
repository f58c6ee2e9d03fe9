"""What 180 CPU seconds buy: validation loss, character by character, of our recipe against nanoGPT's.

The same model (0.8M parameters), text, split and time on one core; each side's number of steps is calibrated first,
so that its schedule ends with its time. nanoGPT's recipe is its README's for a CPU, stretched to the time.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from common import one_core, options, report, row
from peers import Characters, characters, choose_peer, train_as_nanogpt, whole_loss
from train_throughput import WARM_UP, Clock, train_ours

from workshop_utils.gpt.config import TrainConfig
from workshop_utils.machine.profiles import choose_dtype

MARGIN = 0.98  # of the calibrated steps, so that a slower minute does not overrun the time


def recipe(steps: int, dtype: str, seed: int) -> TrainConfig:
    """Ours: Muon for the matrices, a high rate that falls to 0, and twice nanoGPT's batch."""
    return TrainConfig(
        steps=steps,
        batch_size=24,
        learning_rate=3e-3,
        optimizer="muon",
        muon_lr=0.04,
        beta2=0.95,
        warmup=0.03,
        rows="windows",
        dtype=dtype,
        seed=seed,
        country="",
    )


def steps_for(seconds: float, run: Callable[[int, Clock], object], trial: int) -> int:
    """How many steps fit into CPU seconds, judged by a short trial."""
    clock = Clock()
    run(WARM_UP + trial, clock)
    return max(WARM_UP + 1, int(MARGIN * seconds * clock.tokens_per_second(1)))


class Result(NamedTuple):
    """What a training left."""

    loss: float
    steps: int
    seconds: float


def measured(seconds: float, run: Callable[[int, Clock], torch.nn.Module], text: Characters, trial: int) -> Result:
    """Calibrate, train, and look at the loss over the whole validation split."""
    steps = steps_for(seconds, run, trial)
    began = time.process_time()
    model = run(steps, Clock())
    spent = time.process_time() - began
    result = Result(whole_loss(model, text.val), steps, spent)
    print(f"  loss {result.loss:.3f} after {steps:,} steps, {result.seconds:.0f} CPU seconds", flush=True)
    return result


def main() -> None:
    """Measure and report."""
    args = options(__doc__).parse_args()
    one_core()
    peer = choose_peer(args.nanogpt)
    seconds, trial = (0.3, 1) if args.quick else (args.seconds, 200)
    dtype, _ = choose_dtype("cpu")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        text = characters(args.text, Path(folder), 100 if args.quick else 2000)
        for seed in args.seeds:

            def run_ours(steps: int, clock: Clock, seed: int = seed) -> torch.nn.Module:
                return train_ours(text, recipe(steps, dtype, seed), clock)

            def run_peer(steps: int, clock: Clock, seed: int = seed) -> torch.nn.Module:
                torch.manual_seed(1337 + seed)
                return train_as_nanogpt(peer, text, steps, clock)

            print(f"seed {seed}: ours, then the peer", flush=True)
            ours, peers = (measured(seconds, run, text, trial) for run in (run_ours, run_peer))
            goal = "ours <= 1.50" if args.text and seconds == 180 else ""
            rows.append(row(f"validation loss, nats a character, seed {seed}", ours.loss, peers.loss, "lower", goal))
            rows.append(row(f"CPU seconds of training, seed {seed}", ours.seconds, peers.seconds, "lower"))
            rows.append(row(f"steps, seed {seed}", ours.steps, peers.steps))
    notes = (
        f"Peer: {peer.name}, with the recipe of nanoGPT's README for a CPU. One core, {seconds:g} CPU seconds each; "
        f"the loss is over the whole validation split in windows of 64. Ours: {dtype}, Muon .04 and AdamW 3e-3, 3% "
        f"warm-up, linear decay to 0, batch 24. {text.note}"
    )
    report("char_shakespeare", rows, args, notes)


if __name__ == "__main__":
    main()
