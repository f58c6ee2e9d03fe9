"""What torchrun starts for a test: training on a stream, with a note of the rows of every step and of what is left."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch
from corpus import quick, small_gpt
from numbered_rows import BLOCK, drain, numbers_encoding
from workshop_utils.training.loop import Loop

from workshop_utils.stream.dataset import StreamingTokenDataset
from workshop_utils.training.processes import World, leave, together
from workshop_utils.training.train import train

STEPS, KILLED_AT, BATCH, BUFFER = 30, 17, 3, 20


def stream_of(folder: Path, here: World, workers: int):
    """This process's share, read once."""
    dataset = StreamingTokenDataset(
        folder, numbers_encoding(), BLOCK, rank=here.rank, world_size=here.size, shuffle_buffer=BUFFER
    )
    return dataset.batches(workers, epochs=1)


def noted_by(notes: Path, here: World, update=Loop.update):
    """Loop.update, with its rows in a file of the step; the first time, process 1 dies in the middle."""

    def noting(self, step: int, lr: float):
        if (step, here.rank, os.environ["TORCHELASTIC_RESTART_COUNT"]) == (KILLED_AT, 1, "0"):
            os.kill(os.getpid(), signal.SIGKILL)
        [batch] = batches = [self.draw()]
        self.draw = batches.pop
        torch.save(batch, notes / f"{here.rank}-{step:03d}.pt")
        result = update(self, step, lr)
        del self.draw
        return result

    return noting


def main(base: Path, workers: int) -> None:
    """Train, and note what is left of the stream."""
    with together() as here:
        notes = base / "notes"
        notes.mkdir(exist_ok=True)
        Loop.update = noted_by(notes, here)  # type: ignore[method-assign]
        model = small_gpt(block_size=BLOCK, vocab_size=numbers_encoding().n_vocab + 1)
        config = quick(steps=STEPS, batch_size=BATCH, rows="windows", checkpoint_every=5, keep=1)
        stream = stream_of(base / "corpus", here, workers)
        train(model, stream, None, config, base / "run", quiet=True)
        torch.save(drain(stream), notes / f"{here.rank}-left.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
    leave(0)
