"""Checkpoints that survive what happens to laptops: a kill, a full disk, a flipped bit, the wrong tokenizer.

A checkpoint is a folder `step-000200` with safetensors and JSON, never an executable pickle. It is written under a
temporary name and renamed when it is whole; every file's checksum lies beside it and is compared before it is used.
It holds whole tensors, whatever the processes held of them: any number of processes can go on with it.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import torch
from torch import Tensor

from workshop_utils.gpt.config import GPTConfig, TrainConfig
from workshop_utils.gpt.model import GPT
from workshop_utils.machine.energy import Energy
from workshop_utils.machine.files import tensors_of, write_text_atomically
from workshop_utils.machine.sentences import differences, one_line
from workshop_utils.training import processes
from workshop_utils.training.run_folder import (
    FILES,
    CheckpointError,
    need_writable,
    newest,
    read,
    step_folders,
    step_of,
    write_step,
)

if TYPE_CHECKING:
    import tiktoken

    from workshop_utils.training.batches import Batches, Feed
    from workshop_utils.training.run import Run

T = TypeVar("T")
BEST = "best.json"
FREE = ("log_every", "checkpoint_every", "keep", "country", "compile")  # settings that a resumed run may change


class Keeper:
    """What a run keeps on the disk: everything that the next update depends on, so that it goes on bit for bit."""

    def __init__(
        self,
        run: Run,
        data: Batches,
        optimizers: list[torch.optim.Optimizer],
        scaler: torch.amp.GradScaler,
        batches: Feed,
        world: processes.World,
    ) -> None:
        self.run, self.data, self.optimizers, self.scaler = run, data, optimizers, scaler
        self.batches, self.world = batches, world

    def open(self, resume: bool) -> Path | None:
        """Find an earlier part of this run and go on from it, or make sure that nothing is written over.

        Returns:
            the checkpoint's folder; None for a new run.

        Raises:
            CheckpointError: it is another run's, damaged, or in the way.
        """
        out_dir = self.run.out_dir
        if out_dir is None:
            return None
        found = self.world.from_main(lambda: self._find(out_dir, resume))
        if found is not None:
            self._restore(*found)
        if self.world.is_main and self.run.steps_done < self.run.config.steps:
            need_writable(out_dir)
        return found[0] if found else None

    def _find(self, out_dir: Path, resume: bool) -> tuple[Path, dict[str, Any]] | None:
        out_dir.mkdir(parents=True, exist_ok=True)
        if not resume and step_folders(out_dir):
            raise CheckpointError(
                f"{out_dir} already holds checkpoints, which are not written over: pass resume=True to go on with "
                "them, or choose another folder"
            )
        return newest(out_dir)

    def save_if_due(self, last: bool, check: Callable[[], None]) -> None:
        """Save every checkpoint_every updates, at milestones, the best so far and the last; then delete old ones.

        Before anything is written, `check` may raise.
        """
        run, config = self.run, self.run.config
        if run.out_dir is None:
            return
        milestones = {max(1, round(share * config.steps)) for share in config.milestones}
        due = config.checkpoint_every and run.steps_done % config.checkpoint_every == 0
        best = run.best_step == run.steps_done
        if not (due or best or last or run.steps_done in milestones):
            return
        check()
        weights, tensors, state = self._state()
        if not self.world.is_main:
            return
        write_step(run.out_dir, run.steps_done, (weights, tensors), state)
        if best:
            mark_best(run.out_dir, run.best_step, run.best_val_loss)
        kept = milestones | {_best_step(run.out_dir)}
        for folder in step_folders(run.out_dir)[: -config.keep]:  # before the disk is full of them
            if step_of(folder) not in kept:
                shutil.rmtree(folder, ignore_errors=True)

    def _state(self) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Any]]:
        """Weights, other tensors, and plain values; all processes must call, and only rank 0 gets the tensors."""
        run, here = self.run, self.world
        weights = run.model.state_dict()
        del weights["lm_head.weight"]  # tied to the token embedding
        tensors: dict[str, Tensor] = {"rng.batches": self.batches.get_state()}
        for rank, states in enumerate(here.gather(self._random_states())):
            tensors |= {f"{name}.{rank}" if rank else name: value for name, value in states.items()}
        groups = []
        for i, optimizer in enumerate(self.optimizers):
            saved = optimizer.state_dict()
            groups.append(saved["param_groups"])
            tensors |= {f"optimizer{i}.{j}.{key}": t for j, slots in saved["state"].items() for key, t in slots.items()}
        places = []
        for i, place in enumerate(self._data_states()):
            buffers = {key: value for key, value in place.items() if isinstance(value, Tensor)}
            tensors |= {f"data.{i}.{key}": value for key, value in buffers.items()}
            places.append({key: value for key, value in place.items() if key not in buffers})
        state: dict[str, Any] = {"step": run.steps_done, "gpt": run.model.config.to_dict()}
        state |= {"fingerprint": self.data.fingerprint, "training": run.config.to_dict(), "optimizers": groups}
        state |= {"scaler": self.scaler.state_dict(), "run": run.summary() | {"history": run.history}}
        state |= {"processes": here.size, "data": places}
        return processes.whole(weights, here), processes.whole(tensors, here), state

    def _restore(self, folder: Path, state: dict[str, Any]) -> None:
        """Put everything back as it was after the checkpoint's step."""
        run, model, here = self.run, self.run.model, self.world
        check_tokenizer(state["fingerprint"], self.data.fingerprint, f"the checkpoint {folder}")
        if model.config.attention == "auto":  # go on with what was measured then, or the bits would differ
            model.use_attention(state["gpt"]["attention"])
        self._need_same_settings(state)
        load_weights(model, folder)
        tensors = {name: tensor.clone() for name, tensor in tensors_of(folder / FILES[1]).items()}
        for i, (optimizer, groups) in enumerate(zip(self.optimizers, state["optimizers"], strict=True)):
            parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            slots: dict[int, dict[str, Tensor]] = {}
            for name, value in tensors.items():
                if name.startswith(f"optimizer{i}."):
                    _, j, key = name.split(".")
                    slots.setdefault(int(j), {})[key] = processes.like(parameters[int(j)], value)
            optimizer.load_state_dict({"state": slots, "param_groups": groups})
        if state["scaler"]:  # empty where the run was not in float16 before
            self.scaler.load_state_dict(state["scaler"])
        self.batches.set_state(tensors["rng.batches"])
        # Where there were fewer processes then, or no GPU: random numbers that none of them had.
        torch.manual_seed(run.config.seed + here.rank + 1_000_003 * state["step"])
        mine = f".{here.rank}" if here.rank else ""
        if f"rng.torch{mine}" in tensors:
            torch.set_rng_state(tensors[f"rng.torch{mine}"])
        if f"rng.cuda{mine}" in tensors and run.config.device == "cuda":
            torch.cuda.set_rng_state(tensors[f"rng.cuda{mine}"])
        self._restore_data(state.get("data", []), tensors)
        for name in ("history", "best_step", "steps_done", "seconds", "tokens"):
            setattr(run, name, state["run"][name])
        run.best_val_loss = state["run"]["best_val_loss"] if run.best_step else math.inf
        run.energy = self._energy_so_far(state)

    def _need_same_settings(self, state: dict[str, Any]) -> None:
        """Refuse to go on with other settings, by name; other processes may share the same rows out."""
        wanted = self.run.config.to_dict() | {"gpt": self.run.model.config.to_dict()}
        earlier = TrainConfig.from_dict(state["training"]).to_dict() | {"gpt": state["gpt"]}
        free: tuple[str, ...] = FREE
        if earlier["device"] != self.run.config.device:  # another machine, which may compute in another precision
            free += ("device", "dtype")
        sizes = (self.world.size, state.get("processes", 1))
        if sizes[0] != sizes[1]:
            for values, size in zip((wanted, earlier), sizes, strict=True):
                rows = values["batch_size"] * values["grad_accum_steps"] * size
                values["batch_size * grad_accum_steps * processes"] = rows
            free += ("batch_size", "grad_accum_steps")
        fixed = [{name: value for name, value in side.items() if name not in free} for side in (earlier, wanted)]
        if changed := differences(*fixed):
            raise CheckpointError(
                f"{self.run.out_dir} holds a run with other settings ({', '.join(changed)}): resume goes on with the "
                "same run only. Change them back, or choose another folder"
            )

    def _random_states(self) -> dict[str, Tensor]:
        """Those of dropout."""
        states = {"rng.torch": torch.get_rng_state()}
        return states | ({"rng.cuda": torch.cuda.get_rng_state()} if self.run.config.device == "cuda" else {})

    def _data_states(self) -> list[dict[str, Any]]:
        """Where a stream is, once for each process that reads other rows; nothing for a token file."""
        if not hasattr(self.data, "state_dict"):
            return []
        states = self.world.gather(self.data.state_dict())
        return states[:1] if self.world.shares(self.data) > 1 else states

    def _restore_data(self, states: list[dict[str, Any]], tensors: dict[str, Tensor]) -> None:
        if not states:
            return
        if len(states) not in (1, self.world.size):
            raise CheckpointError(
                f"{self.run.out_dir} holds a stream that was split between {len(states)} processes, and now there are "
                f"{self.world.size}: go on with {len(states)} processes, or start in another folder"
            )
        i = self.world.rank if len(states) > 1 else 0
        prefix = f"data.{i}."
        buffers = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
        cast("Any", self.data).load_state_dict(states[i] | buffers)

    def _energy_so_far(self, state: dict[str, Any]) -> Energy:
        """The bill up to a checkpoint: that of run.json where the run ended there, since the checkpoint came first.

        What a killed process used after its last start is lost: nobody was left to write it down.
        """
        assert self.run.out_dir is not None  # there is a checkpoint in it
        ended = _noted(
            self.run.out_dir / "run.json",
            lambda values: (values["steps_done"], Energy(**values["energy"])),
            "the energy is that of the last checkpoint",
        )
        return ended[1] if ended and ended[0] == state["step"] else Energy(**state["run"]["energy"])


def load_model(
    out_dir: Path | str, which: str = "best", step: int | None = None, encoding: tiktoken.Encoding | None = None
) -> GPT:
    """A trained model from a run's folder, ready to write.

    Args:
        out_dir: folder of the run.
        which: "best" (lowest validation loss) or "last".
        step: instead, the checkpoint of exactly this step.
        encoding: the tokenizer to be used with it, compared with the one that it was trained with.

    Returns:
        the GPT on the CPU in float32, in eval mode.

    Raises:
        CheckpointError: there is no such checkpoint, it is damaged, or it was trained with another tokenizer.
    """
    out_dir = Path(out_dir)
    folders = {step_of(path): path for path in step_folders(out_dir)}
    if not folders:
        raise CheckpointError(f"{out_dir} holds no checkpoint: train first, or check the folder's name")
    if step is None and which == "best":
        step = _best_step(out_dir)
        if step is not None and step not in folders:
            print(f"the best checkpoint of {out_dir}, step {step}, is gone: the last one takes its place")
            step = None
    if step is None:
        folder, state = newest(out_dir) or (out_dir, {})
    elif step in folders:
        folder, state = folders[step], read(folders[step])
    else:
        raise CheckpointError(f"{out_dir} holds no checkpoint of step {step}: it has {', '.join(map(str, folders))}")
    if encoding is not None:
        from workshop_utils.text.tokenizer import fingerprint

        check_tokenizer(state["fingerprint"], fingerprint(encoding), f"the checkpoint {folder}")
    model = GPT(GPTConfig.from_dict(state["gpt"]))
    load_weights(model, folder)
    return model.eval()


def load_weights(model: GPT, folder: Path) -> None:
    """Copy the weights of a checkpoint into a model of the same shape, whole or in slices."""
    weights = tensors_of(folder / FILES[0])
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name != "lm_head.weight":  # tied
                tensor.copy_(processes.like(tensor, weights[name]))


def check_tokenizer(found: str, wanted: str, what: str) -> None:
    """Refuse to mix tokenizers.

    Raises:
        CheckpointError: the two fingerprints differ.
    """
    if found and wanted and found != wanted:
        raise CheckpointError(
            f"{what} was made with the tokenizer {found}, and this one is {wanted}: the same ids mean other pieces of "
            "text, so the output would be noise. Load the tokenizer that lies beside it, or start in another folder"
        )


def mark_best(out_dir: Path, step: int, val_loss: float) -> None:
    """Note which step has the lowest validation loss.

    Raises:
        CheckpointError: it cannot be written; the checkpoint itself has been.
    """
    try:
        write_text_atomically(json.dumps({"step": step, "val_loss": val_loss}), out_dir / BEST)
    except OSError as error:
        raise CheckpointError(
            f"{out_dir / BEST} could not be written: {error}. The checkpoints are whole; go on with resume=True"
        ) from error


def _best_step(out_dir: Path) -> int | None:
    """The step with the lowest validation loss; None where none was measured."""
    instead = "which step was best is not known, the last one takes its place"
    return _noted(out_dir / BEST, lambda values: int(values["step"]), instead)


def _noted(path: Path, take: Callable[[dict[str, Any]], T], instead: str) -> T | None:
    """Something from a small JSON file beside the checkpoints; None where it is missing, or damaged, which is said."""
    if not path.is_file():
        return None
    try:
        return take(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        print(f"{path} is damaged ({one_line(error)}): {instead}")
        return None
