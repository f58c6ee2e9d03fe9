"""What stands around the loop of `train`: the run that it returns, what it prints, and the reasons why it stops."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from workshop_utils.gpt.config import GPTConfig, TrainConfig
from workshop_utils.gpt.model import GPT
from workshop_utils.machine import compiling
from workshop_utils.machine.energy import Energy, known_country
from workshop_utils.machine.files import write_text_atomically
from workshop_utils.machine.hardware import fastest_attention, home, peak_flops
from workshop_utils.training.batches import Batches, any_batch, only_loss, precision
from workshop_utils.training.processes import World, is_sharded
from workshop_utils.training.run_folder import step_folders


class TrainingStopped(RuntimeError):
    """Training cannot go on; the message says at which step, why, and what to change.

    Attributes:
        history: of the updates before, as in Run: where the curve ends.
    """

    def __init__(self, message: str, history: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(message)
        self.history = list(history)


@dataclass
class Run:
    """What `train` returns."""

    model: GPT
    config: TrainConfig
    history: list[dict[str, Any]] = field(default_factory=list)  # step, loss, lr, grad_norm, tokens_per_second, ...
    best_val_loss: float = math.inf  # nats per token
    best_step: int = 0
    steps_done: int = 0
    seconds: float = 0.0  # of training, evaluation and saving included
    tokens: int = 0  # target tokens that counted in the loss
    energy: Energy = field(default_factory=Energy)
    stopped: str = "finished"  # or "interrupted"
    out_dir: Path | None = None

    def summary(self) -> dict[str, Any]:
        """The figures, as plain values for JSON."""
        names = ("best_val_loss", "best_step", "steps_done", "seconds", "tokens", "stopped")
        values = {name: getattr(self, name) for name in names} | {"energy": self.energy.to_dict()}
        return values | {"best_val_loss": self.best_val_loss if self.best_step else None}  # JSON knows no infinity


def run_dir(name: str, gpt: GPTConfig, training: TrainConfig, fingerprint: str = "") -> Path:
    """A folder for exactly this run: the same settings find their checkpoints again, other settings never do."""
    values = {name: value for name, value in training.to_dict().items() if name != "compile"}  # changes no result
    settings = json.dumps([gpt.to_dict(), values, fingerprint], sort_keys=True)
    return home() / "runs" / f"{name}-{hashlib.sha256(settings.encode()).hexdigest()[:8]}"


def check(model: GPT, data: Batches, config: TrainConfig) -> None:
    """Refuse what cannot be trained.

    Raises:
        ValueError: the data's tokens are more than the model's, float16 meets a model in slices, or the country is not
            known.
    """
    known_country(config.country)
    if data.vocab_size > model.config.vocab_size:
        raise ValueError(
            f"the text's tokenizer has {data.vocab_size} tokens and the model {model.config.vocab_size}: "
            "make the model with vocab_size=padded_vocab_size(encoding)"
        )
    if is_sharded(model) and config.dtype == "float16":
        raise ValueError(
            "float16 and fsdp do not go together: an overflow in one process's slice would have to be seen by all; "
            'set dtype="bfloat16", or parallel="ddp" if the model fits a GPU'
        )


def choose_attention(model: GPT, data: Batches, config: TrainConfig, world: World) -> str:
    """Take the attention that is faster at the size of a real batch; returns which, and why."""
    x, *_ = any_batch(data, model, config)
    size = (x.size(0), x.size(1))
    kind, reason = world.from_main(lambda: fastest_attention(model.config, size, config.device, config.dtype))
    model.use_attention(kind)
    return f"attention: {kind} ({reason})"


def compiled(module: nn.Module, data: Batches, progress: Progress) -> nn.Module:
    """What the loop calls: the model compiled, where that pays and works, else as it is; says which, and why."""
    run, config = progress.run, progress.run.config

    def trial(called: nn.Module) -> None:
        x, y, _ = any_batch(data, run.model, config)
        with precision(config), only_loss(run.model):
            loss = called(x, y)[1]
        loss.backward()

    tokens = config.batch_size * config.grad_accum_steps * run.model.config.block_size
    flops = float(run.model.flops_per_token()) * tokens * (config.steps - run.steps_done)
    module, progress.compiling = compiling.where_it_pays(
        module, trial, compiling.compiling_pays(config, flops, progress.world.size), progress.say
    )
    run.model.zero_grad(set_to_none=True)
    progress.before = (run.seconds + progress.compiling, run.tokens)
    return module


@contextmanager
def out_of_memory(run: Run) -> Iterator[None]:
    """Turn torch's errors into what to set.

    Raises:
        TrainingStopped: memory ran out, on a GPU or on the CPU.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        known = isinstance(error, (MemoryError, torch.OutOfMemoryError))
        if not known and "can't allocate memory" not in str(error):
            raise
        c, size = run.config, run.model.config.block_size
        advice = (
            f"set batch_size={c.batch_size // 2} and grad_accum_steps={c.grad_accum_steps * 2}, which trains the same "
            "model on half the memory for activations"
            if c.batch_size > 1
            else "halve block_size, or n_layer"
        )
        where = f"out of memory with batch_size {c.batch_size} and block_size {size} on {c.device}"
        raise TrainingStopped(f"{where}: {advice}", run.history) from error


class Progress:
    """The history of a run, and the lines that rank 0 prints."""

    def __init__(self, run: Run, world: World, quiet: bool) -> None:
        self.run, self.world, self.quiet = run, world, quiet or not world.is_main
        self.printed, self.before = 0.0, (0.0, 0)
        self.compiling = 0.0  # seconds, in which nothing is trained
        self.unread: list[tuple[int, float, Tensor, Tensor]] = []  # step, rate, loss and gradient norm
        self.last = (0.0, 0.0, 0.0)  # loss, rate and gradient norm, as they were read

    def say(self, text: str, end: str = "\n") -> None:
        if not self.quiet:
            print(text, end=end, flush=True)

    def opened(self, folder: Path | None) -> None:
        """Say from which checkpoint the run goes on, if from any, and start the clock."""
        run, steps = self.run, self.run.config.steps
        if run.steps_done >= steps:
            self.say(f"already finished: step {run.steps_done:,} of {steps:,}, loaded from {run.out_dir}")
        elif folder is not None:
            self.say(f"resumed after step {run.steps_done:,} from {folder}")
        self.began = time.perf_counter() - run.seconds
        self.before = (run.seconds, run.tokens)

    def logged(self, step: int) -> bool:
        """Whether the history gets an entry after a step."""
        return step % self.run.config.log_every == 0 or step in (1, self.run.config.steps)

    def note(self, loss: Tensor, norm: Tensor, rate: float) -> None:
        """Keep the figures of an update on its device until the history needs them; a CPU's are read at once."""
        step = self.run.steps_done + 1
        self.unread.append((step, rate, loss, norm))
        if self.run.config.device == "cpu" or self.logged(step):
            self.read()

    def read(self) -> None:
        """Fetch what was noted, for which the device must have finished it.

        Raises:
            TrainingStopped: a loss or a gradient is not finite.
        """
        if not self.unread:
            return
        values = torch.stack([value.float() for *_, loss, norm in self.unread for value in (loss, norm)]).tolist()
        overflows = self.run.config.dtype == "float16"  # of gradients: the scaler leaves these updates out
        for step, rate, *_ in self.unread:
            loss, length = self.world.sum(values.pop(0)) / self.world.size, values.pop(0)
            if not math.isfinite(loss) or not (math.isfinite(length) or overflows):
                raise self.diverged(step, loss, rate)
            self.last = (loss, rate, length)
        self.unread.clear()

    def diverged(self, step: int, loss: float, rate: float) -> TrainingStopped:
        """The error that says where the loss or the gradient stopped being finite."""
        run = self.run
        last = step_folders(run.out_dir)[-1:] if run.out_dir else []
        kept = f"the last checkpoint is {last[0]}" if last else "no checkpoint had been written yet"
        return TrainingStopped(
            f"the loss (now {loss}) or its gradient is not finite at step {step:,}, where the learning "
            f"rate was {rate:.1e}: updates this large throw the weights off; {kept}. Halve learning_rate or "
            "lengthen warmup, and look at the rows of that step if it happens again",
            run.history,
        )

    def update(self, tokens: int) -> None:
        """Count an update, add it to the history if it is time to, and show now and then how far it is."""
        run, config = self.run, self.run.config
        run.steps_done, run.tokens = run.steps_done + 1, run.tokens + tokens
        run.seconds, last = time.perf_counter() - self.began, run.steps_done == config.steps
        if not self.logged(run.steps_done):
            return
        loss, rate, length = self.last
        seconds, tokens = run.seconds - self.before[0], run.tokens - self.before[1]
        self.before = (run.seconds, run.tokens)
        entry = {"step": run.steps_done, "loss": loss, "lr": rate, "grad_norm": length}
        run.history.append(entry | {"seconds": run.seconds, "tokens_per_second": tokens / max(seconds, 1e-9)})
        if not self.quiet and (time.perf_counter() - self.printed > 0.5 or last):
            self.printed = time.perf_counter()
            self.say(self.line(loss, rate), end="\n" if last else "\r")

    def line(self, loss: float, rate: float) -> str:
        """How far, how good, how fast, how long still."""
        run, config = self.run, self.run.config
        speed = run.tokens / max(run.seconds, 1e-9)
        eta = (run.seconds - self.compiling) / run.steps_done * (config.steps - run.steps_done)
        peak = peak_flops(config.device, config.dtype)
        mfu = f"  MFU {speed * run.model.flops_per_token() / peak / self.world.size:.0%}" if peak else ""
        return (
            f"step {run.steps_done:,}/{config.steps:,}  loss {loss:.2f}  rate {rate:.1e}  {speed:,.0f} tok/s{mfu}  "
            f"eta {int(eta // 60)}:{int(eta % 60):02d}   "
        )

    def evaluation(self, val_loss: float) -> None:
        """Note a validation loss."""
        run = self.run
        if not run.history or run.history[-1]["step"] != run.steps_done:
            run.history.append({"step": run.steps_done})
        run.history[-1]["val_loss"] = val_loss
        if val_loss < run.best_val_loss:
            run.best_val_loss, run.best_step = val_loss, run.steps_done

    def close(self) -> None:
        """The last line, and the figures beside the checkpoints."""
        run = self.run
        run.model.eval()
        val = f", best validation loss {run.best_val_loss:.3f} at step {run.best_step:,}" if run.best_step else ""
        self.say(f"{run.stopped} after {run.seconds:.0f} s{val}, {run.energy}")
        if run.out_dir is not None and self.world.is_main:
            try:
                write_text_atomically(json.dumps(run.summary(), indent=1), run.out_dir / "run.json")
            except OSError as error:  # what was trained is there, and in a checkpoint
                print(f"run.json was not written: {error}")
