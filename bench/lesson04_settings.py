"""Lesson 04's GPT after 1,200 stories: rate x batch size as a grid, and the schedule with and without its two parts.

--record trains it with every rate and warm-up of the lesson's sliders and keeps the curves in the package, 5 minutes.
"""

from __future__ import annotations

import json
import statistics
import time
from dataclasses import replace
from datetime import date

import torch
from common import ROOT, Row, one_core, options, report, row

from workshop_utils.gpt import GPT, GPTConfig, TrainConfig
from workshop_utils.machine.profiles import setup
from workshop_utils.text.corpus import prepare
from workshop_utils.text.token_file import TokenFile
from workshop_utils.training import estimate_loss, train

STORIES = 1_200  # that each run reads
RATES, BATCHES = (1e-3, 3e-3, 1e-2), (4, 8, 16)
SCHEDULES = {
    "warm-up and decay": {"warmup": 0.1, "schedule": "linear"},
    "decay alone": {"warmup": 0.0, "schedule": "linear"},
    "warm-up alone": {"warmup": 0.1, "schedule": "constant"},
    "neither": {"warmup": 0.0, "schedule": "constant"},
}
RECORDED = ROOT / "workshop_utils" / "data_files" / "recorded_04.json"
KNOBS = [(rate, warmup) for rate in (3e-4, 1e-3, 3e-3, 1e-2) for warmup in (0.0, 0.05, 0.2, 0.5)]
EACH = 5  # steps whose mean loss is one point of a recorded curve


def record(base: TrainConfig, shape: GPTConfig, train_data: TokenFile, val_data: TokenFile) -> None:
    """Keep the loss of each rate and warm-up; what the file has already is not trained again."""
    from workshop_utils.machine.record import computer

    about = {"stories": STORIES, "each": EACH, "machine": computer(), "date": str(date.today())}
    found = json.loads(RECORDED.read_text("utf-8")) if RECORDED.is_file() else about | {"runs": []}
    for rate, warmup in KNOBS[len(found["runs"]) :]:
        config = replace(base, steps=STORIES // 8, batch_size=8, learning_rate=rate, warmup=warmup, log_every=1)
        torch.manual_seed(0)
        model = GPT(shape)
        history = train(model, train_data, None, config, quiet=True).history
        losses = [entry["loss"] for entry in history]
        curve = [round(statistics.fmean(losses[i : i + EACH]), 2) for i in range(0, len(losses), EACH)]
        held_out = round(estimate_loss(model, val_data, config, batches=40), 2)
        found["runs"].append({"rate": rate, "warmup": warmup, "held_out": held_out, "curve": curve})
        lines = ",\n".join("  " + json.dumps(run) for run in found["runs"])
        head = json.dumps({key: value for key, value in found.items() if key != "runs"})
        RECORDED.write_text(f'{head[:-1]}, "runs": [\n{lines}\n]}}\n', encoding="utf-8")
        print(f"rate {rate:g}, warm-up {warmup:.0%}: {held_out}", flush=True)


def main() -> None:
    """Measure and report."""
    parser = options(__doc__)
    parser.set_defaults(seeds=[0, 1, 2])
    parser.add_argument("--record", action="store_true", help="train what lesson 04's sliders show, and nothing else")
    args = parser.parse_args()
    one_core()
    profile = setup("pocket")
    train_data, val_data, _ = prepare(profile)
    base = replace(profile.training, optimizer="adamw", milestones=(), country="", warmup=0.1, schedule="linear")
    if args.record:
        return record(base, replace(profile.gpt, attention="written"), train_data, val_data)

    def loss_of(seed: int, **changes: object) -> float:
        config: TrainConfig = replace(base, seed=seed, **changes)  # type: ignore[arg-type]
        config = replace(config, steps=2 if args.quick else STORIES // config.batch_size)
        torch.manual_seed(seed)
        model = GPT(replace(profile.gpt, attention="written"))
        train(model, train_data, None, config, quiet=True)
        return estimate_loss(model, val_data, replace(config, batch_size=8), batches=2 if args.quick else 40)

    began, rows = time.process_time(), list[Row]()
    seeds = args.seeds[: 1 if args.quick else None]
    for batch in BATCHES:
        for rate in RATES:
            loss = loss_of(0, learning_rate=rate, batch_size=batch)
            rows.append(row(f"validation loss, rate {rate:g}, batch of {batch}", loss))
            print(rows[-1], flush=True)
    for name, schedule in SCHEDULES.items():
        losses = [loss_of(seed, learning_rate=3e-3, **schedule) for seed in seeds]
        mean = row(f"validation loss, {name}, mean of {len(seeds)} seeds", statistics.fmean(losses))
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
