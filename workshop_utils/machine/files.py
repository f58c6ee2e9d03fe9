"""Files that appear whole or not at all: a temporary name beside the final one, fsync, then rename.

Token files, tokenizers and whatever else must survive a crash or a full disk is written through here.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TextIO

PARTIAL = ".part"  # how the temporary names end


def sha256(path: Path) -> str:
    """SHA-256 of a file in hexadecimal, read piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
