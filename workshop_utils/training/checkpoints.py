"""Checkpoints that survive what happens to laptops: a kill, a full disk, a flipped bit, the wrong tokenizer.

A checkpoint is a folder `step-000200` with safetensors and JSON, never an executable pickle. It is written under a
temporary name and renamed when it is whole; every file's checksum lies beside it and is compared before it is used.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from filelock import FileLock, Timeout
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from workshop_utils.gpt.config import GPTConfig
from workshop_utils.gpt.model import GPT
from workshop_utils.machine.files import write_text_atomically
from workshop_utils.machine.sentences import one_line

if TYPE_CHECKING:
    import tiktoken

FILES = ("model.safetensors", "training.safetensors")
BEST = "best.json"
STEP = re.compile(r"step-\d{6,}")
LOCK = ".lock"  # held by the process that writes to the folder
CANNOT_FLUSH = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF, errno.EACCES, errno.EPERM)


class CheckpointError(RuntimeError):
    """A checkpoint cannot be written or used; the message says which, why, and what to do."""


def step_folders(out_dir: Path) -> list[Path]:
    """The checkpoints in a folder, oldest first; copies that other programs made, "step-000200 (1)", are none."""
    folders = [path for path in Path(out_dir).glob("step-*") if STEP.fullmatch(path.name) and path.is_dir()]
    return sorted(folders, key=_step_of)


def _step_of(folder: Path) -> int:
    return int(folder.name.removeprefix("step-"))


@contextmanager
def only_run(out_dir: Path | None, is_main: bool = True) -> Iterator[None]:
    """Have the folder of a run to oneself: a second start, in another process, is refused before it writes anything.

    The system holds the lock and lets it go with the process, however that ends. Within a process it may be taken
    again, in the same thread.

    Args:
        out_dir: folder of the run, made if it is missing, and gone again if nothing was written; None locks nothing.
        is_main: only this one of several processes that train together takes the lock.

    Raises:
        CheckpointError: another run writes there, or the folder is a file.
    """
    if out_dir is None or not is_main:
        yield
        return
    if out_dir.exists() and not out_dir.is_dir():
        raise CheckpointError(f"{out_dir} is a file: choose a folder")
    lock, made = FileLock(out_dir.resolve() / LOCK, timeout=0, is_singleton=True), not out_dir.exists()
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise CheckpointError(
            f"another run is writing to {out_dir}: wait until it ends, stop it (in Jupyter by restarting the kernel "
            "of the other notebook), or choose another folder"
        ) from error
    except (OSError, NotImplementedError) as error:  # it cannot be written, or lies on some network shares
        print(f"{out_dir} cannot be locked ({one_line(error)}): let no second run write there meanwhile")
        yield
        return
    try:
        yield
    finally:
        if lock.lock_counter == 1:
            with suppress(OSError):  # on Windows it goes when it is let go
                Path(lock.lock_file).unlink()
        lock.release()
        if made:
            with suppress(OSError):
                out_dir.rmdir()  # only if it is empty


def need_writable(out_dir: Path) -> None:
    """Find out now, and not after the first hour, whether checkpoints can be written.

    Raises:
        CheckpointError: they cannot.
    """
    try:
        with tempfile.TemporaryFile(dir=out_dir) as file:
            file.write(b"checkpoint")
    except OSError as error:
        raise CheckpointError(
            f"nothing can be written to {out_dir} ({one_line(error)}): free some space if the disk is full, or choose "
            "another folder"
        ) from error


def save(out_dir: Path, step: int, model: GPT, training: dict[str, Tensor], state: dict[str, Any]) -> Path:
    """Write the checkpoint of a step.

    Args:
        out_dir: folder of the run.
        step: updates done so far.
        model: its weights go to model.safetensors, its config into state.json.
        training: tensors of the optimiser and of the random number generators.
        state: everything else, as plain values.

    Returns:
        the checkpoint's folder.

    Raises:
        CheckpointError: it cannot be written (disk full, no permission); earlier checkpoints are untouched.
    """
    weights = {name: t.contiguous() for name, t in model.state_dict().items() if name != "lm_head.weight"}  # tied
    with written_whole(out_dir, step, model, state) as temporary:
        save_file(weights, temporary / FILES[0])
        save_file(training, temporary / FILES[1])
    return out_dir / f"step-{step:06d}"


@contextmanager
def written_whole(out_dir: Path, step: int, model: GPT, state: dict[str, Any]) -> Iterator[Path]:
    """A folder to write a step's safetensors to; afterwards it gets state.json, checksums, and its name.

    Raises:
        CheckpointError: it cannot be written; earlier checkpoints are untouched.
    """
    folder, temporary = out_dir / f"step-{step:06d}", out_dir / f".writing-{step:06d}"
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        yield temporary
        state = state | {"step": step, "gpt": model.config.to_dict()}
        files = sorted(path for path in temporary.rglob("*.safetensors") if not path.name.startswith("."))  # as ._x
        state["sha256"] = {path.relative_to(temporary).as_posix(): _sha256(path) for path in files}
        state["sha256"]["state"] = _state_digest(state)
        (temporary / "state.json").write_text(json.dumps(state), encoding="utf-8")
        for path in temporary.rglob("*"):
            _flush(path)
        shutil.rmtree(folder, ignore_errors=True)  # only when the same step is written again
        temporary.rename(folder)
        _flush(out_dir)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise CheckpointError(
            f"the checkpoint of step {step} could not be written to {out_dir}: {error}. Earlier checkpoints are whole; "
            "free some space if the disk is full, then call train again with resume=True"
        ) from error


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


def tidy(out_dir: Path, keep: int, milestones: set[int]) -> None:
    """Delete all but the last `keep` checkpoints, the best one and the milestones, before the disk is full of them."""
    kept = milestones | {_best_step(out_dir)}
    for folder in step_folders(out_dir)[:-keep]:
        if _step_of(folder) not in kept:
            shutil.rmtree(folder, ignore_errors=True)


def read(folder: Path) -> dict[str, Any]:
    """The state of a checkpoint, after every file has been compared with its checksum.

    Raises:
        CheckpointError: a file is missing, cut short or changed.
    """
    try:
        state: dict[str, Any] = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        sums = state["sha256"]
        intact = _state_digest(state) == sums["state"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder} is damaged: state.json cannot be read ({error})") from error
    if not intact:
        raise CheckpointError(f"{folder} is damaged: state.json is not what was written")
    for name in sorted(set(sums) - {"state"}):
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder} is damaged: {name} is missing")
        if _sha256(folder / name) != sums[name]:
            size = (folder / name).stat().st_size
            raise CheckpointError(f"{folder} is damaged: {name} ({size:,} bytes) is not what was written")
    return state


def newest(out_dir: Path) -> tuple[Path, dict[str, Any]] | None:
    """The last checkpoint that is whole, with its state; says so when a damaged one is passed over.

    Raises:
        CheckpointError: there are checkpoints, and every one is damaged.
    """
    folders = step_folders(out_dir)
    for folder in reversed(folders):
        try:
            return folder, read(folder)
        except CheckpointError as error:
            print(f"{error}: going back to the one before")
    if folders:
        raise CheckpointError(
            f"no checkpoint in {out_dir} is whole ({len(folders)} damaged): choose another folder and train again"
        )
    return None


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


def load_model(
    out_dir: Path | str,
    which: str = "best",
    step: int | None = None,
    encoding: tiktoken.Encoding | None = None,
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
    folders = {_step_of(path): path for path in step_folders(out_dir)}
    if not folders:
        raise CheckpointError(f"{out_dir} holds no checkpoint: train first, or check the folder's name")
    if step is None and which == "best":
        step = _best_step(out_dir)
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
    """Copy the weights of a checkpoint into a model of the same shape."""
    from workshop_utils.training import shards
    from workshop_utils.training.processes import is_sharded

    if shards.in_folder(folder) or is_sharded(model):
        shards.load_weights(model, folder)
        return
    weights = load_file(folder / FILES[0])
    model.load_state_dict(weights | {"lm_head.weight": weights["transformer.wte.weight"]})


def load_training(folder: Path) -> dict[str, Tensor]:
    """The tensors of the optimiser and of the random number generators, free of the file that they came from."""
    return {name: tensor.clone() for name, tensor in load_file(folder / FILES[1]).items()}


def pack_optimizer(optimizer: torch.optim.Optimizer, prefix: str) -> tuple[dict[str, Tensor], list[Any]]:
    """Split an optimiser's state into tensors, by name, and plain values for JSON."""
    saved = optimizer.state_dict()
    tensors = {f"{prefix}.{i}.{key}": value for i, slots in saved["state"].items() for key, value in slots.items()}
    return {name: value.contiguous() for name, value in tensors.items()}, saved["param_groups"]


def unpack_optimizer(
    optimizer: torch.optim.Optimizer, prefix: str, tensors: dict[str, Tensor], groups: list[Any]
) -> None:
    """Put back what `pack_optimizer` took apart; whole tensors are cut where the parameters are in slices."""
    from workshop_utils.training.shards import like

    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith(prefix + "."):
            _, i, key = name.split(".")
            state.setdefault(int(i), {})[key] = like(parameters[int(i)], value)
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _best_step(out_dir: Path) -> int | None:
    """The step with the lowest validation loss; None where none was measured."""
    path = out_dir / BEST
    if not path.is_file():
        return None
    try:
        return int(json.loads(path.read_text(encoding="utf-8"))["step"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        print(f"{path} is damaged ({one_line(error)}): which step was best is not known, the last one takes its place")
        return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _state_digest(state: dict[str, Any]) -> str:
    """Checksum of a state over everything but its own checksum."""
    sums = {name: value for name, value in state["sha256"].items() if name != "state"}
    return hashlib.sha256(json.dumps(state | {"sha256": sums}, sort_keys=True).encode()).hexdigest()


def _flush(path: Path) -> None:
    """Make sure that a file or folder is on the disk before anything relies on it."""
    folder = path.is_dir()
    if os.name == "nt" and folder:
        return  # Windows cannot open folders
    try:
        descriptor = os.open(path, os.O_RDONLY if folder else os.O_RDWR)  # Windows flushes only what it may write to
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        # Some network shares cannot flush folders. What lies in this one has been flushed.
        if not (folder and error.errno in CANNOT_FLUSH):
            raise
