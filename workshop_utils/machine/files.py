"""Files that appear whole or not at all: a temporary name beside the final one, fsync, then rename.

Token files, tokenizers and whatever else must survive a crash or a full disk is written through here.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import pickle
import shutil
import uuid
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

if TYPE_CHECKING:
    from torch import Tensor

PARTIAL = ".part"  # how the temporary names end


def sha256(path: Path) -> str:
    """SHA-256 of a file in hexadecimal, read piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def crc32(path: Path, start: int = 0) -> int:
    """CRC-32 of a file from a byte on, read piece by piece; four times as fast as SHA-256."""
    found = 0
    with path.open("rb") as file:
        file.seek(start)
        while piece := file.read(1 << 18):
            found = zlib.crc32(piece, found)
    return found


def json_object(path: Path) -> dict[str, Any]:
    """What a JSON file holds; nothing where there is none, or none that can be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


SUMS = "sha256.json"  # the last file of a folder that is written: without it the folder is unfinished


def seal(folder: Path) -> None:
    """Note the checksum of every file in a folder, so that a torn or changed one is noticed."""
    names = sorted(path.name for path in folder.iterdir() if path.is_file() and path.name != SUMS)
    write_text_atomically(json.dumps(checksums(folder, names), indent=1) + "\n", folder / SUMS)


def checksums(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """SHA-256 of some files of a folder, by name."""
    return {name: sha256(folder / name) for name in names}


def damage(folder: Path, sums: Any = None) -> str:
    """What is wrong with files whose checksums were noted, as a clause; "" if nothing.

    Args:
        folder: where they are.
        sums: the checksums by name; those of seal() if None.
    """
    sums = json_object(folder / SUMS) if sums is None else sums
    if not isinstance(sums, dict) or not sums:
        return "its checksums are missing or damaged"
    for name, expected in sums.items():
        path = folder / Path(name).name  # no name leads out of the folder
        if not path.is_file():
            return f"{path.name} is missing"
        if sha256(path) != expected:
            return f"{path.name} ({path.stat().st_size:,} bytes) is not what was written"
    return ""


def _newest_first(folder: Path, pattern: str) -> list[Path]:
    """Folders that are numbered as in "checkpoint-40"."""
    numbered = [path for path in folder.glob(pattern) if path.name.rpartition("-")[2].isdecimal()]
    return sorted(numbered, key=lambda path: int(path.name.rpartition("-")[2]), reverse=True)


def keep_newest(folder: Path, pattern: str, n: int, newest: Path) -> None:
    """Delete all numbered folders but the newest and the n - 1 before it; higher numbers are another run's, or torn."""
    found = _newest_first(folder, pattern)
    kept = found[found.index(newest) :][:n]
    for path in found:
        if path not in kept:
            shutil.rmtree(path, ignore_errors=True)


def last_sealed(folder: Path, pattern: str) -> Path | None:
    """The newest of the numbered folders that is as it was sealed; None without one."""
    for path in _newest_first(folder, pattern):
        if not (wrong := damage(path)):
            return path
        print(f"{path.name} is left alone, since {wrong}: going back to the one before")
    return None


def tensors_of(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, by name.

    Raises:
        ValueError: it holds something else, such as a pickle, which could run anything and is never read.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(
            f"{path} holds no safetensors ({error}): get it from whoever made it, or train again"
        ) from error


@contextmanager
def writing(folder: Path, cure: str) -> Iterator[None]:
    """Say in a sentence that a library could not write its files: each has another error for a full disk.

    Args:
        folder: where to.
        cure: what is still there, and what to do when there is space again.

    Raises:
        OSError: something could not be written.
    """
    from safetensors import SafetensorError

    try:
        yield
    except pickle.UnpicklingError as error:
        raise OSError(
            f"a file of a checkpoint in {folder} could run code when it is read, and none of ours does: somebody put "
            "it there, so delete the folder"
        ) from error
    except (ConnectionError, FileNotFoundError, TimeoutError):  # not of the disk
        raise
    except (OSError, RuntimeError, SafetensorError) as error:
        if isinstance(error, RuntimeError) and "inline_container" not in str(error):  # torch.save's
            raise
        if "WORKSHOP_HOME" in str(error) or "cannot be written to" in str(error):  # said below
            raise
        said = (str(error) or type(error).__name__).splitlines()[0][:200]
        raise OSError(f"{folder} could not be written ({said}). Free some space if the disk is full; {cure}") from error


@contextmanager
def written_atomically(path: str | Path) -> Iterator[BinaryIO]:
    """Open a file for writing that gets its name only when everything in it is on the disk.

    Args:
        path: the final name; missing folders are made. An earlier file of that name stays whole until the end.

    Yields:
        A binary file, open for writing.

    Raises:
        OSError: no space is left, or the folder cannot be written. The earlier file is untouched.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}{PARTIAL}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(partial, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            cure = "choose another folder, or, on Windows, close the program that has the file open"
            said = f"{path.name} cannot be written to {path.parent} ({error.strerror}): {cure}"
            raise OSError(error.errno, said) from error
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            cure = "free some space, or point WORKSHOP_HOME at a larger disk"
            said = f"no space left for {path.name} in {path.parent}: nothing was changed there; {cure}"
            raise OSError(error.errno, said) from error
        raise
    finally:  # Ctrl-C too must leave nothing behind
        with suppress(OSError):
            partial.unlink()


def write_text_atomically(text: str, path: str | Path) -> None:
    """Write a text file, UTF-8, whole or not at all.

    Args:
        text: its content.
        path: the final name; missing folders are made.
    """
    with written_atomically(path) as file:
        file.write(text.encode())


def forgiving(stream: TextIO) -> TextIO:
    """The same stream, which from now on puts a question mark where its encoding fails, instead of losing the text.

    Args:
        stream: standard input or output, which on Windows or in a bare container may not be UTF-8; others stay.
    """
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")
    return stream
