"""The training loop: predict, compare, adjust, and lose nothing on the way.

It takes a GPT and token files, and leaves checkpoints, a history and an energy bill behind. `train` is meant to be read
from top to bottom. One update of it goes through batches.py, text/token_file.py and gpt/model.py; what it asks of
processes.py changes nothing in a process on its own. torch's own random numbers, which dropout draws from, differ from
process to process; the order of the batches is the same in all of them.

On a GPU nothing in an update waits for it, but for Muon in float16: the loss and the length of the gradient stay there
until they are read, and meanwhile the next batches are drawn and sent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from workshop_utils.gpt.config import TrainConfig
from workshop_utils.gpt.model import GPT
from workshop_utils.machine.energy import track_energy
from workshop_utils.machine.interrupts import interrupts
from workshop_utils.machine.profiles import for_this_machine
from workshop_utils.training import processes
from workshop_utils.training.batches import Batches, Feed, next_batch, only_loss, precision, unmoved
from workshop_utils.training.checkpoints import Keeper
from workshop_utils.training.optimizers import make_optimizers
from workshop_utils.training.run import Progress, Run, check, choose_attention, compiled, out_of_memory
from workshop_utils.training.run_folder import only_run

OnStep = Callable[[int, GPT, list[dict[str, Any]]], None]


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
    rates: Sequence[float] | None = None,
) -> Run:
    """Train a GPT. Ctrl-C (the stop button) saves and returns; a second one stops at once.

    Under torchrun every process calls this with the same arguments; batch_size is of one process, everything that is
    counted or printed is of all.

    Args:
        model: trained in place; its attention is set to what is fastest here if it is "auto".
        train_data: batches to train on.
        val_data: held-out batches for the validation loss; None evaluates nothing.
        config: steps, rates, batch, precision and the rest.
        out_dir: folder for checkpoints; None keeps everything in memory.
        resume: go on from the last whole checkpoint in out_dir, if there is one, bit for bit as if nothing had
            happened (CPU). A finished run is only loaded. A run that was begun on a GPU goes on without one, and the
            other way round.
        quiet: print nothing.
        on_step: called as on_step(steps_done, model, history) after every update, in every process.
        parallel: how several processes share the work: "ddp", or "fsdp" for models too large for one.
        rates: the learning rate of each update, instead of the config's schedule.

    Returns:
        the Run, with the model as it is after the last step (the best one is `checkpoints.load_model(out_dir)`).

    Raises:
        TrainingStopped: the loss is not finite, or memory ran out. On a GPU the weights may then be broken, too.
        CheckpointError: the folder belongs to another run or tokenizer, is in use, or cannot be written.
        ValueError: model and data do not go together, or there is no GPU and the config names one.
        DistributedError: the processes cannot work together.
    """
    world, out_dir = processes.world(), Path(out_dir) if out_dir else None
    config = for_this_machine(config, resume)
    world.use(config.device)
    with only_run(out_dir, world.is_main), own_random_numbers(config, world.rank):
        run = Run(model.to(config.device), config, out_dir=out_dir)
        progress = Progress(run, world, quiet)
        module = processes.wrap(model, parallel, config.device, world)  # what is called in training
        optimizers = make_optimizers(model, config)
        scaler = torch.amp.GradScaler(config.device, enabled=config.dtype == "float16")
        batches = Feed(train_data, model, config)
        check(model, train_data, config)
        keeper = Keeper(run, train_data, optimizers, scaler, batches, world)
        resumed_from = keeper.open(resume)
        if model.config.attention == "auto":
            progress.say(choose_attention(model, train_data, config, world))
        progress.opened(resumed_from)
        if run.steps_done >= config.steps:
            return run
        model.train()
        with track_energy(config.country) as energy, interrupts() as interrupted, out_of_memory(run):
            module = compiled(module, train_data, progress)
            for step in range(run.steps_done, config.steps):
                share = rates[step] / config.learning_rate if rates else rate_share(step, config)
                for optimizer in optimizers:
                    for group in optimizer.param_groups:
                        group["lr"] = group["peak"] * share
                rate = config.learning_rate * share
                parts = [batches.next() for _ in range(config.grad_accum_steps)]
                tokens = [n for *_, n in parts]  # targets that count in the loss
                n_tokens, loss = int(world.sum(sum(tokens))), torch.zeros((), device=config.device)
                for i, (x, y, n) in enumerate(parts, start=1):
                    with processes.exchange(module, last=i == len(parts)):
                        with precision(config), only_loss(model):
                            part = module(x, y)[1] * (n / n_tokens * world.size)  # processes' gradients are averaged
                        scaler.scale(part).backward()  # weighted by tokens: a mean of means would be wrong
                    loss += part.detach()
                if step + 1 < config.steps:
                    batches.draw_ahead()  # while a GPU computes
                for optimizer in optimizers:
                    scaler.unscale_(optimizer)
                norm = torch.nn.utils.clip_grad_norm_(model.parameters(), config.grad_clip or math.inf)
                progress.note(loss, processes.full(norm), rate)  # and stop where they are not finite
                for optimizer in optimizers:
                    scaler.step(optimizer)  # skipped where a gradient has overflowed
                scaler.update()
                model.zero_grad(set_to_none=True)

                progress.update(n_tokens)
                last = run.steps_done == config.steps
                if val_data is not None and (run.steps_done % config.eval_every == 0 or last):
                    progress.read()
                    progress.evaluation(estimate_loss(model, val_data, config))
                if on_step is not None:
                    with own_random_numbers(config):  # whatever it draws, dropout stays the same
                        on_step(run.steps_done, model, run.history)
                stop = world.sum(len(interrupted)) > 0  # all processes stop after the same update
                keeper.save_if_due(last or stop, progress.read)
                if stop and not last:
                    progress.read()
                    run.stopped = "interrupted"
                    break
        run.energy = run.energy + world.bill(energy)
        progress.close()
        return run


def rate_share(step: int, config: TrainConfig) -> float:
    """The learning rate of an update, as a share of its peak.

    Args:
        step: updates done before this one, 0 to config.steps - 1.
        config: warm-up, schedule, min_lr_ratio.

    Returns:
        a straight line from 0 to 1 during the warm-up, then down to min_lr_ratio at config.steps, in a straight line
        or along half a cosine; "constant" stays at 1.
    """
    warmup = max(1, round(config.warmup * config.steps)) if config.warmup else 0
    if step < warmup:
        return step / warmup
    if config.schedule == "constant":
        return 1.0
    done = (step - warmup) / max(1, config.steps - warmup)  # 0 at the end of the warm-up, 1 at the end
    falling = 1 - done if config.schedule == "linear" else 0.5 * (1 + math.cos(math.pi * done))
    return config.min_lr_ratio + (1 - config.min_lr_ratio) * falling


@torch.no_grad()
def estimate_loss(model: GPT, data: Batches, config: TrainConfig | None = None, batches: int | None = None) -> float:
    """Mean loss in nats per token over batches that are the same every time, so that two values can be compared.

    Args:
        model: any GPT; its mode is left as it was.
        data: usually the validation file.
        config: says how batches are cut, on which device and in which precision.
        batches: how many; config.eval_batches if None. Of several processes each takes its rows, and all must call.
    """
    config = config or TrainConfig()
    generator = torch.Generator().manual_seed(1_000_003)  # its own: an evaluation must not change the training
    total, count, was_training = 0.0, 0, model.training
    model.eval()
    with unmoved(data):
        for _ in range(batches or config.eval_batches):
            x, y, n = next_batch(data, model, config, generator)
            with precision(config), only_loss(model):
                loss = model(x, y)[1]
            total, count = total + float(loss) * n, count + n
    model.train(was_training)
    world = processes.world()
    return world.sum(total) / max(world.sum(count), 1)


@contextmanager
def own_random_numbers(config: TrainConfig, rank: int | None = None) -> Iterator[None]:
    """Keep torch's random numbers apart: those of the caller are put back afterwards.

    Args:
        config: its seed is that of dropout.
        rank: draw from the seed of this process; None goes on with what is drawn from now.
    """
    with torch.random.fork_rng([torch.cuda.current_device()] if config.device == "cuda" else []):
        if rank is not None:
            torch.manual_seed(config.seed + rank)
        yield
