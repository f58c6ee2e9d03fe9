"""The one training loop: predict, compare, adjust, and lose nothing on the way.

It takes a GPT and token files, and leaves checkpoints, a history and an energy bill behind.
`train` is meant to be read from top to bottom.
"""

from __future__ import annotations

import hashlib
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from workshop_utils.gpt.config import GPTConfig
from workshop_utils.gpt.config import TrainConfig as TrainConfig
from workshop_utils.gpt.model import GPT
from workshop_utils.machine.energy import track_energy
from workshop_utils.training import processes as distributed
from workshop_utils.training.batches import Batches as Batches
from workshop_utils.training.batches import batch_of, precision, unmoved
from workshop_utils.training.loop import Loop, for_this_machine
from workshop_utils.training.loop import Run as Run
from workshop_utils.training.loop import TrainingStopped as TrainingStopped
from workshop_utils.training.optimizers import rate_share, set_rate
from workshop_utils.training.run_folder import only_run

OnStep = Callable[[int, GPT, list[dict[str, Any]]], None]


def lr_at(step: int, config: TrainConfig) -> float:
    """The learning rate of an update.

    Args:
        step: updates done before this one, 0 to config.steps - 1.
        config: peak, warm-up, schedule.

    Returns:
        the rate: a straight line from 0 to the peak during the warm-up, then down to peak * min_lr_ratio at
        config.steps, in a straight line or along half a cosine.
    """
    return config.learning_rate * rate_share(step, config)


@torch.no_grad()
def estimate_loss(model: GPT, data: Batches, config: TrainConfig | None = None, batches: int | None = None) -> float:
    """Mean loss in nats a token over batches that are the same every time, so that two numbers can be compared.

    Args:
        model: any GPT; its mode is left as it was.
        data: usually the validation file.
        config: says how batches are cut, on which device and in which precision.
        batches: how many; config.eval_batches if None. Of several processes each takes its rows, and all must call.
    """
    config = config or TrainConfig()
    generator = torch.Generator().manual_seed(1_000_003)  # its own dice: looking must not change the training
    total, count = 0.0, 0
    was_training = model.training
    model.eval()
    with unmoved(data):
        for _ in range(batches or config.eval_batches):
            x, y = batch_of(data, model, config, generator)
            with precision(config):
                loss = model(x, y)[1]
            n = int((y != -1).sum())
            total, count = total + float(loss) * n, count + n
    model.train(was_training)
    here = distributed.world()
    return here.sum(total) / max(here.sum(count), 1)


def run_dir(name: str, gpt: GPTConfig, training: TrainConfig, fingerprint: str = "") -> Path:
    """A folder for exactly this run: the same settings find their checkpoints again, other settings never do."""
    from workshop_utils.machine.hardware import home

    settings = json.dumps([gpt.to_dict(), training.to_dict(), fingerprint], sort_keys=True)
    return home() / "runs" / f"{name}-{hashlib.sha256(settings.encode()).hexdigest()[:8]}"


def train(
    model: GPT,
    train_data: Batches,
    val_data: Batches | None,
    config: TrainConfig,
    out_dir: Path | str | None = None,
    resume: bool = False,
    quiet: bool = False,
    on_step: OnStep | None = None,
    parallel: str = "ddp",
) -> Run:
    """Train a GPT. Ctrl-C (the stop button) saves and returns; a second one stops at once.

    Under torchrun every process calls this with the same arguments; batch_size is of one process, everything that is
    counted or printed is of all.

    Args:
        model: trained in place; its attention is set to what is fastest here if it is "auto".
        train_data: batches to learn from.
        val_data: batches to be measured on, never learned from; None measures nothing.
        config: steps, rates, batch, precision and the rest.
        out_dir: folder for checkpoints; None keeps everything in memory.
        resume: go on from the last whole checkpoint in out_dir, bit for bit as if nothing had happened (CPU). A
            finished run is only loaded. After a restart by torchrun this is so anyway. A run that was begun on a GPU
            goes on without one, and the other way round.
        quiet: print nothing.
        on_step: called as on_step(steps_done, model, history) after every update, in every process.
        parallel: how several processes share the work: "ddp", or "fsdp" for models too large for one.

    Returns:
        the Run, with the model as it is after the last step (the best one is `checkpoints.load_model(out_dir)`).

    Raises:
        TrainingStopped: the loss is not finite, or memory ran out.
        CheckpointError: the folder belongs to another run or tokenizer, is in use, or cannot be written.
        ValueError: model and data do not go together, or there is no GPU and the config names one.
        DistributedError: the processes cannot work together.
    """
    out_dir = Path(out_dir) if out_dir else None
    config = for_this_machine(config, resume)
    with only_run(out_dir, distributed.world().is_main):
        loop = Loop(model, train_data, config, out_dir, quiet, parallel)
        loop.check()
        loop.open(resume)
        run = loop.run
        if run.steps_done >= config.steps:
            loop.say(f"already finished: step {run.steps_done:,} of {config.steps:,}, loaded from {out_dir}")
            return run
        if model.config.attention == "auto":
            loop.choose_attention()
        model.train()
        earlier, began = run.seconds, time.perf_counter()
        with track_energy(config.country) as energy, _interrupts() as interrupted:
            for step in range(run.steps_done, config.steps):
                lr = set_rate(loop.optimizers, step, config)
                loss, grad_norm, tokens = loop.update(step, lr)
                run.steps_done, run.tokens = step + 1, run.tokens + tokens
                run.seconds = earlier + time.perf_counter() - began
                last = run.steps_done == config.steps
                loop.record(loss, lr, grad_norm, last)
                if val_data is not None and (run.steps_done % config.eval_every == 0 or last):
                    loop.look(estimate_loss(model, val_data, config))
                if on_step is not None:
                    on_step(run.steps_done, model, run.history)
                stop = loop.world.sum(len(interrupted)) > 0  # all processes stop after the same update
                loop.checkpoint(last or stop)
                if stop and not last:
                    run.stopped = "interrupted"
                    break
        run.energy = run.energy + loop.world.bill(energy)
        loop.close()
        return run


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Turn the first Ctrl-C into a note, so that a step is never cut in half; the list is empty until then."""
    noted: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield noted  # signals only reach the main thread
        return
    before = signal.getsignal(signal.SIGINT)

    def note(number: int, frame: object) -> None:
        noted.append(number)
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, before)
