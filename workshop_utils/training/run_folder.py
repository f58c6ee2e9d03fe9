"""The folder of a run: its lock, the steps in it, and how a step is written whole or not at all, and read again."""

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
from typing import Any

from filelock import FileLock, Timeout
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from workshop_utils.machine.files import damage, sha256
from workshop_utils.machine.sentences import one_line

FILES = ("model.safetensors", "training.safetensors")
STEP = re.compile(r"step-\d{6,}")
LOCK = ".lock"  # held by the process that writes to the folder
CANNOT_FLUSH = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF, errno.EACCES, errno.EPERM)


class CheckpointError(RuntimeError):
    """A checkpoint cannot be written or used; the message says which, why, and what to do."""


def step_folders(out_dir: Path) -> list[Path]:
    """The checkpoints in a folder, oldest first; copies that other programs made, "step-000200 (1)", are ignored."""
    folders = [path for path in Path(out_dir).glob("step-*") if STEP.fullmatch(path.name) and path.is_dir()]
    return sorted(folders, key=step_of)


def step_of(folder: Path) -> int:
    return int(folder.name.removeprefix("step-"))


@contextmanager
def only_run(out_dir: Path | None, is_main: bool = True) -> Iterator[None]:
    """Have the folder of a run to oneself: a second start, in another process, is refused before it writes anything.

    The system holds the lock and releases it with the process, however that ends. Within a process it may be taken
    again, in the same thread.

    Args:
        out_dir: folder of the run, made if it is missing, and gone again if nothing was written; None locks nothing.
        is_main: only this one of several processes that train together takes the lock.

    Raises:
        CheckpointError: another run writes there, or the folder is a file or cannot be made.
    """
    if out_dir is None or not is_main:
        yield
        return
    if out_dir.exists() and not out_dir.is_dir():
        raise CheckpointError(f"{out_dir} is a file: choose a folder")
    lock, made = FileLock(out_dir.resolve() / LOCK, timeout=0, is_singleton=True), not out_dir.exists()
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CheckpointError(f"the folder {out_dir} cannot be made ({error.strerror}): choose another one") from error
    try:
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
            with suppress(OSError):  # on Windows it goes when it is released
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


def write_step(out_dir: Path, step: int, tensors: tuple[dict[str, Tensor], ...], state: dict[str, Any]) -> Path:
    """Write the checkpoint of a step; it gets its name when all of it is on the disk.

    Args:
        out_dir: folder of the run.
        step: updates done so far.
        tensors: the model's, and those of the optimiser and of the random number generators: one for each of FILES.
        state: everything else, as plain values; the files' checksums are added.

    Returns:
        the checkpoint's folder.

    Raises:
        CheckpointError: it cannot be written (disk full, no permission); earlier checkpoints are untouched.
    """
    folder, temporary = out_dir / f"step-{step:06d}", out_dir / f".writing-{step:06d}"
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        sums = {}
        for name, content in zip(FILES, tensors, strict=True):
            save_file(content, temporary / name)
            sums[name] = sha256(temporary / name)
        state = state | {"sha256": sums}
        sums["state"] = state_digest(state)
        (temporary / "state.json").write_text(json.dumps(state), encoding="utf-8")
        for name in FILES:  # safetensors lets nobody else read them
            shutil.copymode(temporary / "state.json", temporary / name)
        for path in temporary.iterdir():
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
    return folder


def read(folder: Path) -> dict[str, Any]:
    """The state of a checkpoint, after every file has been compared with its checksum.

    Raises:
        CheckpointError: a file is missing, cut short or changed.
    """
    try:
        state: dict[str, Any] = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        damaged = "" if state_digest(state) == state["sha256"]["state"] else "state.json is not what was written"
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{folder} is damaged: state.json cannot be read ({error})") from error
    if damaged := damaged or damage(folder, {name: state["sha256"].get(name) for name in FILES}):
        raise CheckpointError(f"{folder} is damaged: {damaged}")
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


def state_digest(state: dict[str, Any]) -> str:
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
