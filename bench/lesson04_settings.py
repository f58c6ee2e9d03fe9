"""Lesson 04's GPT after 1,200 stories: rate x batch size as a grid, and the schedule with and without its two parts."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace

import torch
from common import Row, one_core, options, report, row

from workshop_utils.gpt import GPT, TrainConfig
from workshop_utils.machine.profiles import setup
from workshop_utils.text.corpus import prepare
from workshop_utils.training import estimate_loss, train

STORIES = 1_200  # that each run reads
RATES, BATCHES = (1e-3, 3e-3, 1e-2), (4, 8, 16)
SEEDS = (0, 1, 2)
SCHEDULES = {
    "warm-up and decay": {"warmup": 0.1, "schedule": "linear"},
    "decay alone": {"warmup": 0.0, "schedule": "linear"},
    "warm-up alone": {"warmup": 0.1, "schedule": "constant"},
    "neither": {"warmup": 0.0, "schedule": "constant"},
}


def main() -> None:
    """Measure and report."""
    args = options(__doc__).parse_args()
    one_core()
    profile = setup("pocket")
    train_data, val_data, _ = prepare(profile)
    base = replace(profile.training, optimizer="adamw", milestones=(), country="", warmup=0.1, schedule="linear")

    def loss_of(seed: int, **changes: object) -> float:
        config: TrainConfig = replace(base, seed=seed, **changes)  # type: ignore[arg-type]
        config = replace(config, steps=2 if args.quick else STORIES // config.batch_size)
        torch.manual_seed(seed)
        model = GPT(replace(profile.gpt, attention="written"))
        train(model, train_data, None, config, quiet=True)
        return estimate_loss(model, val_data, replace(config, batch_size=8), batches=2 if args.quick else 40)

    began, rows = time.process_time(), list[Row]()
    for batch in BATCHES:
        for rate in RATES:
            loss = loss_of(0, learning_rate=rate, batch_size=batch)
            rows.append(row(f"validation loss, rate {rate:g}, batch of {batch}", loss))
            print(rows[-1], flush=True)
    for name, schedule in SCHEDULES.items():
        losses = [loss_of(seed, learning_rate=3e-3, **schedule) for seed in SEEDS]
        mean = row(f"validation loss, {name}, mean of {len(SEEDS)} seeds", statistics.fmean(losses))
        rows.append(mean | {"spread": [min(losses), max(losses)]})
        print(rows[-1], flush=True)
    rows.append(row("CPU seconds of all trainings", time.process_time() - began))
    notes = (
        f"{STORIES:,} stories each: fewer steps where the batch is larger; AdamW. The grid has one seed per cell; the "
        "schedules are compared at rate 0.003 and a batch of 8, and their range is that of the seeds."
    )
    report("lesson04_settings", rows, args, notes)


if __name__ == "__main__":
    main()
