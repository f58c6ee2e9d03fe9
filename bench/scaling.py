"""Five sizes of one GPT, one recipe: the validation loss against the parameters, and the largest size predicted.

Lesson 06 trains the two smallest sizes live, by the same recipe, and quotes the others from here.
"""

from __future__ import annotations

import math
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from common import one_core, options, report, row
from datasets import Dataset

from workshop_utils.gpt import GPT, GPTConfig, TrainConfig
from workshop_utils.pocket import stories
from workshop_utils.stream import StreamingTokenDataset
from workshop_utils.text import pocket_tokenizer
from workshop_utils.training import train

WIDTHS = (16, 32, 64, 96, 160)  # the last one is held back: predicted from the others, then measured
BLOCK = 128


def corpus(folder: Path) -> None:
    """The corpus of lesson 06: 6,000 stories in one file."""
    Dataset.from_list([{"text": text} for text in stories.texts(6000, seed=6)]).to_parquet(folder / "part-0.parquet")


def trained(width: int, folder: Path, steps: int, seed: int = 0) -> tuple[int, float, float]:
    """Parameters, validation loss and CPU seconds of one size."""
    encoding = pocket_tokenizer()
    stream = StreamingTokenDataset(folder, encoding, BLOCK, val_percent=10, shuffle_buffer=1000, epochs=0, seed=seed)
    shape = GPTConfig(
        n_layer=4, n_head=width // 16, n_embd=width, block_size=BLOCK, vocab_size=encoding.n_vocab, attention="sdpa"
    )
    config = TrainConfig(
        steps=steps, batch_size=16, learning_rate=0.003, eval_every=steps, eval_batches=40, rows="windows", country=""
    )
    torch.manual_seed(seed)
    began = time.process_time()
    run = train(GPT(shape), stream, stream.held_out(400), config, quiet=True)
    return sum(p.numel() for p in run.model.parameters()), run.best_val_loss, time.process_time() - began


def main() -> None:
    """Measure and report."""
    parser = options(__doc__)
    parser.set_defaults(seeds=[0, 1])
    args = parser.parse_args()
    one_core()
    with tempfile.TemporaryDirectory() as made:
        corpus(Path(made))
        found, seeds = [], args.seeds[: 1 if args.quick else None]
        for width in WIDTHS:  # initial weights alone move a loss by 1 to 3%: the mean of two runs
            runs = [trained(width, Path(made), 5 if args.quick else 300, seed) for seed in seeds]
            found.append((runs[0][0], statistics.fmean(run[1] for run in runs), sum(run[2] for run in runs)))
            print(width, *runs, flush=True)
    parameters, losses, seconds = zip(*found, strict=True)
    slope, offset = np.polyfit(np.log(parameters[:-1]), np.log(losses[:-1]), 1)
    predicted = math.exp(offset + slope * math.log(parameters[-1]))
    rows = [
        row(f"validation loss, {n:,} parameters, width {width}", loss)
        for width, n, loss in zip(WIDTHS, parameters, losses, strict=True)
    ]
    rows.append(row("exponent of the line through the four smaller sizes", slope))
    rows.append(row(f"predicted loss of the largest, {parameters[-1]:,} parameters", predicted))
    off = 100 * abs(predicted / losses[-1] - 1)
    rows.append(row("percent that the prediction is off", off, goal="ours <= 3"))
    rows.append(row(f"CPU seconds of all {len(runs) * len(found)} trainings", sum(seconds)))
    notes = (
        f"4 layers, heads of 16, {BLOCK} tokens a block, 300 updates of 16 blocks from lesson 06's stream, AdamW; mean "
        f"of {len(runs)} seeds."
    )
    report("scaling", rows, args, notes)


if __name__ == "__main__":
    main()
