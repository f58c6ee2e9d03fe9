"""What stands around the loop of `train`: the run, one update, what is kept on the disk, and what is printed."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from workshop_utils.gpt.config import TrainConfig
from workshop_utils.gpt.model import GPT, fastest_attention
from workshop_utils.machine.energy import Energy
from workshop_utils.machine.files import write_text_atomically
from workshop_utils.machine.sentences import differences, one_line
from workshop_utils.training import checkpoints, run_folder, shards
from workshop_utils.training import processes as distributed
from workshop_utils.training.batches import Batches as Batches
from workshop_utils.training.batches import batch_of, precision, unmoved
from workshop_utils.training.optimizers import make_optimizers


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
    """What `train` gives back."""

    model: GPT
    config: TrainConfig
    history: list[dict[str, Any]] = field(default_factory=list)  # step, loss, lr, grad_norm, tokens_per_second, ...
    best_val_loss: float = math.inf  # nats a token
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


def for_this_machine(config: TrainConfig, resume: bool) -> TrainConfig:
    """The settings as they are, or, for a run that comes from a GPU to a machine without one, on the CPU.

    Raises:
        ValueError: a new run asks for a GPU that is not there.
    """
    if config.device == "cpu" or torch.cuda.is_available():
        return config
    if not resume:
        raise ValueError(
            'device is "cuda", and torch finds no GPU here: set device="cpu" and dtype="float32", or take what setup() '
            "chooses"
        )
    print(f"torch finds no GPU here: on the CPU in float32 instead of {config.dtype}")
    return replace(config, device="cpu", dtype="float32")


def seeded(seed: int, device: str) -> dict[str, Tensor]:
    """States of torch's own random number generators, by the names that they have in a checkpoint."""
    kinds = {"rng.torch": "cpu"} | ({"rng.cuda": "cuda"} if device == "cuda" else {})
    return {name: torch.Generator(kind).manual_seed(seed).get_state() for name, kind in kinds.items()}


class Loop:
    """The parts of `train` that are no part of its story: state on the disk, one update, what is printed."""

    def __init__(
        self, model: GPT, data: Batches, config: TrainConfig, out_dir: Path | None, quiet: bool, parallel: str = "ddp"
    ) -> None:
        self.world = distributed.world()
        self.world.use(config.device)
        self.model, self.data, self.config, self.out_dir = model, data, config, out_dir
        self.quiet = quiet or not self.world.is_main
        self.run = Run(model.to(config.device), config, out_dir=out_dir)
        self.module = distributed.wrap(model, parallel, config.device, self.world)  # what is called in training
        self.generator = torch.Generator().manual_seed(config.seed)  # order of the batches, the same in all processes
        self.random_states = seeded(config.seed + self.world.rank, config.device)  # of dropout
        self.optimizers = make_optimizers(model, config)
        self.scaler = torch.amp.GradScaler(config.device, enabled=config.dtype == "float16")
        self.saved_best, self.since = 0, (0.0, 0)
        self.printed = 0.0

    def check(self) -> None:
        """Model and data must belong together."""
        if self.data.vocab_size > self.model.config.vocab_size:
            raise ValueError(
                f"the text's tokenizer has {self.data.vocab_size} tokens and the model {self.model.config.vocab_size}: "
                "make the model with vocab_size=padded_vocab_size(encoding)"
            )
        if distributed.is_sharded(self.model) and self.scaler.is_enabled():
            raise ValueError(
                "float16 and fsdp do not go together: an overflow in one process's slice would have to be seen by all; "
                'set dtype="bfloat16", or parallel="ddp" if the model fits a GPU'
            )

    def open(self, resume: bool) -> None:
        """Find an earlier part of this run, or make sure that nothing is written over."""
        if self.out_dir is None:
            return
        found = self.world.from_main(lambda: self.find(resume))
        if found is not None:
            self.restore(*found)
        if self.world.is_main and self.run.steps_done < self.config.steps:
            run_folder.need_writable(self.out_dir)

    def find(self, resume: bool) -> tuple[Path, dict[str, Any]] | None:
        """The checkpoint to go on from, if any."""
        assert self.out_dir is not None
        self.out_dir.mkdir(parents=True, exist_ok=True)
        resume = resume or distributed.restarted(self.out_dir)
        if not resume and run_folder.step_folders(self.out_dir):
            raise run_folder.CheckpointError(
                f"{self.out_dir} already holds checkpoints, which are not written over: pass resume=True to go on with "
                "them, or choose another folder"
            )
        distributed.mark(self.out_dir)
        return checkpoints.newest(self.out_dir)

    def restore(self, folder: Path, state: dict[str, Any]) -> None:
        """Put everything back as it was after the checkpoint's step."""
        checkpoints.check_tokenizer(state["fingerprint"], self.data.fingerprint, f"the checkpoint {folder}")
        wanted = self.config.to_dict() | {"gpt": self.model.config.to_dict()}
        earlier = TrainConfig.from_dict(state["training"]).to_dict() | {"gpt": state["gpt"]}
        if self.model.config.attention == "auto":  # go on with what was measured then, or the bits would differ
            self.model.use_attention(state["gpt"]["attention"])
            wanted["gpt"] = self.model.config.to_dict()
        free: tuple[str, ...] = ("log_every", "checkpoint_every", "keep", "country")
        if earlier["device"] != self.config.device:  # another machine, which may compute in another precision
            free += ("device", "dtype")
        processes = state.get("processes", 1)
        if processes != self.world.size:  # other processes may share the same rows out
            for values, size in ((wanted, self.world.size), (earlier, processes)):
                values["batch_size * grad_accum_steps * processes"] = (
                    values["batch_size"] * values["grad_accum_steps"] * size
                )
            free += ("batch_size", "grad_accum_steps")
        fixed = [{name: value for name, value in side.items() if name not in free} for side in (earlier, wanted)]
        changed = differences(*fixed)
        if changed:
            raise run_folder.CheckpointError(
                f"{self.out_dir} holds a run with other settings ({', '.join(changed)}): resume goes on with the same "
                "run only. Change them back, or choose another folder"
            )
        checkpoints.load_weights(self.model, folder)
        tensors = checkpoints.load_training(folder) | shards.load_optimizer(self.optimizers, folder)
        for i, optimizer in enumerate(self.optimizers):
            checkpoints.unpack_optimizer(optimizer, f"optimizer{i}", tensors, state["optimizers"][i])
        if state["scaler"]:  # empty where the run was not in float16 before
            self.scaler.load_state_dict(state["scaler"])
        self.generator.set_state(tensors["rng.batches"])
        mine = f".{self.world.rank}" if self.world.rank else ""
        # Where there were fewer processes then, or no GPU: random numbers that none of them had.
        self.random_states = seeded(self.config.seed + self.world.rank + 1_000_003 * state["step"], self.config.device)
        self.random_states |= {name: tensors[name + mine] for name in self.random_states if name + mine in tensors}
        self.restore_data(state.get("data", []), tensors)
        for name in ("history", "best_step", "steps_done", "seconds", "tokens"):
            setattr(self.run, name, state["run"][name])
        self.run.best_val_loss = state["run"]["best_val_loss"] if self.run.best_step else math.inf
        self.run.energy = self.energy_so_far(state)
        self.since = (self.run.seconds, self.run.tokens)
        if self.run.steps_done < self.config.steps:
            self.say(f"resumed after step {self.run.steps_done:,} from {folder}")

    def restore_data(self, states: list[dict[str, Any]], tensors: dict[str, Tensor]) -> None:
        """Set a stream to where it was; a token file has no place to go back to."""
        if not states:
            return
        if len(states) not in (1, self.world.size):
            raise run_folder.CheckpointError(
                f"{self.out_dir} holds a stream that was split between {len(states)} processes, and now there are "
                f"{self.world.size}: go on with {len(states)} processes, or start in another folder"
            )
        i = self.world.rank if len(states) > 1 else 0
        prefix = f"data.{i}."
        buffers = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
        cast("Any", self.data).load_state_dict(states[i] | buffers)

    def energy_so_far(self, state: dict[str, Any]) -> Energy:
        """The bill up to a checkpoint: that of run.json where the run ended there, since the checkpoint came first.

        What a killed process used after its last start is lost: nobody was left to write it down.
        """
        assert self.out_dir is not None  # there is a checkpoint in it
        path = self.out_dir / "run.json"
        try:
            ended = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
            if ended.get("steps_done") == state["step"]:
                return Energy(**ended["energy"])
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            self.say(f"{path} is damaged ({one_line(error)}): the energy is that of the last checkpoint")
        return Energy(**state["run"]["energy"])

    def choose_attention(self) -> None:
        """Take the attention that is faster at the size of a real batch."""
        with unmoved(self.data):
            x, _ = batch_of(self.data, self.model, self.config, torch.Generator().manual_seed(self.config.seed))
        size = (x.size(0), x.size(1))
        kind, reason = self.world.from_main(
            lambda: fastest_attention(self.model.config, size, self.config.device, self.config.dtype)
        )
        self.model.use_attention(kind)
        self.say(f"attention: {kind} ({reason})")

    def update(self, step: int, lr: float) -> tuple[float, float, int]:
        """Gather gradients over the micro-batches and adjust: (loss, gradient norm, tokens that counted)."""
        config = self.config
        try:
            batches = [self.draw() for _ in range(config.grad_accum_steps)]
            counts = [int((y != -1).sum()) for _, y in batches]
            tokens = self.world.sum(sum(counts))
            loss, size = 0.0, self.world.size  # times size: gradients are averaged over processes, not added
            with self.own_random_numbers():
                for i, ((x, y), count) in enumerate(zip(batches, counts, strict=True), start=1):
                    with distributed.exchange(self.module, last=i == len(batches)):
                        with precision(config):
                            part = self.module(x, y)[1] * (count / tokens * size)  # a mean of means would be wrong
                        self.scaler.scale(part).backward()
                    loss += part.item() / size
            loss = self.world.sum(loss)
            for optimizer in self.optimizers:
                self.scaler.unscale_(optimizer)
            grad_norm = distributed.clip(self.model, config.grad_clip or math.inf)
            if not math.isfinite(loss) or (not math.isfinite(grad_norm) and not self.scaler.is_enabled()):
                raise TrainingStopped(self.diverged(step, loss, lr), self.run.history)
            for optimizer in self.optimizers:
                self.scaler.step(optimizer)
            self.scaler.update()
            self.model.zero_grad(set_to_none=True)
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise TrainingStopped(self.out_of_memory(), self.run.history) from error
        except RuntimeError as error:
            if "can't allocate memory" not in str(error):
                raise
            raise TrainingStopped(self.out_of_memory(), self.run.history) from error
        return loss, grad_norm, int(tokens)

    @contextmanager
    def own_random_numbers(self) -> Iterator[None]:
        """Let dropout go on with the random numbers of this run, and put those of the caller back."""
        gpu = "rng.cuda" in self.random_states
        with torch.random.fork_rng([torch.cuda.current_device()] if gpu else []):
            torch.set_rng_state(self.random_states["rng.torch"])
            if gpu:
                torch.cuda.set_rng_state(self.random_states["rng.cuda"])
            yield
            self.random_states = {"rng.torch": torch.get_rng_state()}
            if gpu:
                self.random_states["rng.cuda"] = torch.cuda.get_rng_state()

    def draw(self) -> tuple[Tensor, Tensor]:
        """The next batch, on the model's device."""
        return batch_of(self.data, self.model, self.config, self.generator)

    def diverged(self, step: int, loss: float, lr: float) -> str:
        last = run_folder.step_folders(self.out_dir)[-1:] if self.out_dir else []
        kept = f"the last checkpoint is {last[0]}" if last else "no checkpoint had been written yet"
        return (
            f"the loss (now {loss}) or its gradient is not finite at step {step + 1:,}, where the learning rate was "
            f"{lr:.1e}: updates this large throw the weights off; {kept}. Halve learning_rate or lengthen warmup, and "
            "look at the rows of that step if it happens again"
        )

    def out_of_memory(self) -> str:
        c = self.config
        advice = (
            f"set batch_size={c.batch_size // 2} and grad_accum_steps={c.grad_accum_steps * 2}, which trains the same "
            "model on half the memory for activations"
            if c.batch_size > 1
            else "halve block_size, or n_layer"
        )
        return (
            f"out of memory with batch_size {c.batch_size} and block_size {self.model.config.block_size} on "
            f"{c.device}: {advice}"
        )

    def record(self, loss: float, lr: float, grad_norm: float, last: bool) -> None:
        """Add to the history, and show the progress now and then."""
        run, config = self.run, self.config
        if not (run.steps_done % config.log_every == 0 or run.steps_done == 1 or last):
            return
        seconds, tokens = run.seconds - self.since[0], run.tokens - self.since[1]
        self.since = (run.seconds, run.tokens)
        entry = {"step": run.steps_done, "loss": loss, "lr": lr, "grad_norm": grad_norm}
        entry |= {"seconds": run.seconds, "tokens_per_second": tokens / max(seconds, 1e-9)}
        run.history.append(entry)
        if not self.quiet and (time.perf_counter() - self.printed > 0.5 or last):
            self.printed = time.perf_counter()
            self.say(self.progress(entry), end="\n" if last else "\r")

    def progress(self, entry: dict[str, Any]) -> str:
        """One line: where we are, how good, how fast, how long still."""
        from workshop_utils.machine.hardware import peak_flops

        run, steps = self.run, self.config.steps
        speed = run.tokens / max(run.seconds, 1e-9)
        eta = run.seconds / run.steps_done * (steps - run.steps_done)
        peak = peak_flops(self.config.device, self.config.dtype)
        mfu = f"  MFU {speed * self.model.flops_per_token() / peak / self.world.size:.0%}" if peak else ""
        return (
            f"step {run.steps_done:,}/{steps:,}  loss {entry['loss']:.2f}  rate {entry['lr']:.1e}  {speed:,.0f} tok/s"
            f"{mfu}  eta {int(eta // 60)}:{int(eta % 60):02d}   "
        )

    def look(self, val_loss: float) -> None:
        """Note a validation loss."""
        run = self.run
        if not run.history or run.history[-1]["step"] != run.steps_done:
            run.history.append({"step": run.steps_done})
        run.history[-1]["val_loss"] = val_loss
        if val_loss < run.best_val_loss:
            run.best_val_loss, run.best_step = val_loss, run.steps_done

    def checkpoint(self, last: bool) -> None:
        """Save if it is time to, if this is the best so far, or at the end; then tidy."""
        run, config = self.run, self.config
        if self.out_dir is None:
            return
        milestones = {max(1, round(share * config.steps)) for share in config.milestones}
        due = config.checkpoint_every and run.steps_done % config.checkpoint_every == 0
        best = run.best_step == run.steps_done
        if not (due or best or last or run.steps_done in milestones):
            return
        tensors = {"rng.batches": self.generator.get_state()}
        for rank, states in enumerate(self.world.gather(self.random_states)):
            tensors |= {f"{name}.{rank}" if rank else name: value for name, value in states.items()}
        groups = []
        for i, optimizer in enumerate(self.optimizers):
            packed, plain = checkpoints.pack_optimizer(optimizer, f"optimizer{i}")
            tensors |= packed
            groups.append(plain)
        state: dict[str, Any] = {"fingerprint": self.data.fingerprint, "training": config.to_dict()}
        state["optimizers"] = groups
        state |= {"scaler": self.scaler.state_dict(), "run": run.summary() | {"history": run.history}}
        state |= {"processes": self.world.size, "data": []}
        for i, place in enumerate(self.data_states()):
            buffers = {key: value for key, value in place.items() if isinstance(value, Tensor)}
            tensors |= {f"data.{i}.{key}": value for key, value in buffers.items()}
            state["data"].append({key: value for key, value in place.items() if key not in buffers})
        if distributed.is_sharded(self.model):
            shards.save(self.out_dir, run.steps_done, self.model, tensors, state, self.world)
        elif self.world.is_main:
            checkpoints.save(self.out_dir, run.steps_done, self.model, tensors, state)
        if not self.world.is_main:
            return
        if best:
            checkpoints.mark_best(self.out_dir, run.best_step, run.best_val_loss)
        checkpoints.tidy(self.out_dir, config.keep, milestones)

    def data_states(self) -> list[dict[str, Any]]:
        """Where a stream is, plain values and tensors, once for each process that reads other rows; else nothing."""
        if not hasattr(self.data, "state_dict"):
            return []
        states = self.world.gather(self.data.state_dict())
        return states[:1] if self.world.shares(self.data) > 1 else states

    def close(self) -> None:
        """The last line, and the figures beside the checkpoints."""
        run = self.run
        self.model.eval()
        val = f", best validation loss {run.best_val_loss:.3f} at step {run.best_step:,}" if run.best_step else ""
        self.say(f"{run.stopped} after {run.seconds:.0f} s{val}, {run.energy}")
        if self.out_dir is not None and self.world.is_main:
            try:
                write_text_atomically(json.dumps(run.summary(), indent=1), self.out_dir / "run.json")
            except OSError as error:  # what was trained is there, and in a checkpoint
                print(f"run.json was not written: {error}")

    def say(self, text: str, end: str = "\n") -> None:
        if not self.quiet:
            print(text, end=end, flush=True)
