"""Rows out of files that may lie anywhere: the first station of a stream, files -> rows -> blocks -> batches.

`datasets` in streaming mode does the reading; here are the names of the files, and what to do when a connection drops
or a row is no text. One file is one data set of the library: its rows then have numbers that do not depend on how many
processes read, and a file of another kind is noticed.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from workshop_utils.data import CURE, HUB_SETS
from workshop_utils.stream_s3 import provide_s3

if TYPE_CHECKING:
    import pyarrow
    from datasets import IterableDataset

CHUNK_ROWS = 1000  # read in one go
LINES_BYTES = 1 << 20  # of a JSON-lines file in one go
BUFFER_BYTES = 1 << 20  # of a Parquet file in one go
PACKINGS = (".gz", ".bz2", ".xz", ".zst")
LONGEST_WAIT = 10.0  # seconds between two attempts
Answer = TypeVar("Answer")


class Problem(NamedTuple):
    """Why a row is left out."""

    kind: str  # "empty", "missing", "wrong_type" or "damaged"
    sentence: str  # without the row's number


def kind_of(file: str) -> str | None:
    """How a file is read: "parquet", "lines" (JSON lines, packed or not), or None for any other file."""
    name = file.partition("?")[0].lower() if "://" in file else file.lower()
    if name.endswith(".parquet"):
        return "parquet"
    for packing in PACKINGS:
        name = name.removesuffix(packing)
    return "lines" if name.endswith((".jsonl", ".ndjson", ".json")) else None


def list_files(source: str | Path | list[Any], storage_options: dict[str, Any] | None = None) -> list[str]:
    """The files of a source, in an order that is the same everywhere.

    Args:
        source: a data set of data.HUB_SETS (from WORKSHOP_HUB if that is set); a file, a folder or a pattern with *, on
            this machine or as a URL of s3, hf, gs or any other file system that fsspec knows; an http(s) URL of one
            file; or a list of such things. Of folders, files that begin with "validation" or "test" are left out.
        storage_options: for the remote file system, such as {"key": ..., "secret": ...}.

    Raises:
        FileNotFoundError: there is no Parquet or JSON-lines file.
        ConnectionError: the hub cannot be reached.
        ValueError: the source is none of these.
    """
    if isinstance(source, list | tuple):
        return [file for part in source for file in list_files(part, storage_options)]
    named = os.fspath(source)
    files = _hub_files(named) if _is_hub_name(named) else _expanded(named, storage_options or {})
    if not files:
        raise FileNotFoundError(
            f"there is no .parquet or .jsonl file of a training split in {named}: check the path, or name the files"
        )
    return files


def _is_hub_name(named: str) -> bool:
    if named in HUB_SETS:
        return True
    if named.count("/") == 1 and "." not in named and "*" not in named and not Path(named).exists():
        raise ValueError(
            f"{named!r} is neither a path that exists nor one of {', '.join(HUB_SETS)}: for another data set of the "
            f"hub say where its files lie, for example hf://datasets/{named}/data/*.parquet"
        )
    return False


def _hub_files(name: str) -> list[str]:
    from workshop_utils import profiles

    folder = HUB_SETS[name][1]
    local = profiles.hub_folder()
    if local is not None:
        root = local / name
        return _expanded(str(root / folder if (root / folder).is_dir() else root), {})
    reachable, reason = profiles.hub_reachable()
    if not reachable:
        raise ConnectionError(f"{name} cannot be streamed from the hub ({reason}): {CURE}")
    return _expanded(f"hf://datasets/{name}/{folder}".removesuffix("/."), {})


def _expanded(named: str, options: dict[str, Any]) -> list[str]:
    """A path, URL or pattern as a sorted list of files that can be read."""
    if named.startswith(("http://", "https://")):
        if kind_of(named) is None:
            raise ValueError(
                f"{named} names no .parquet or .jsonl file: an http source cannot be listed, name the file"
            )
        return [named]
    if "://" not in named:
        path = Path(named).expanduser()
        if path.is_dir():
            return _readable(str(file) for file in path.rglob("*") if file.is_file())
        found = [path] if path.is_file() else sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
        return [str(file) for file in found if kind_of(str(file))]
    import fsspec

    provide_s3(named)
    fs, path_there = fsspec.core.url_to_fs(named, **options)

    def look() -> list[str]:
        if "*" in named:
            return [file for file in sorted(fs.glob(path_there)) if kind_of(file)]
        return [path_there] if kind_of(path_there) else _readable(fs.find(path_there))

    return [fs.unstrip_protocol(file) for file in persistent(look, named)]


def _readable(files: Any) -> list[str]:
    """Of a folder's files those of the training split, sorted."""
    return sorted(
        file for file in files if kind_of(file) and not Path(file).name.lower().startswith(("validation", "test"))
    )


def persistent(ask: Callable[[], Answer], what: str, attempts: int = 10, wait: float = 0.25) -> Answer:
    """Ask a remote file system until it answers.

    Args:
        ask: the question.
        what: is asked for, for the message.
        attempts: how often.
        wait: seconds before the second attempt, doubled each time up to LONGEST_WAIT.

    Raises:
        FileNotFoundError, PermissionError: the answer is that it is not there, or not for you.
        ConnectionError: no answer.
    """
    for attempt in range(attempts):
        try:
            return ask()
        except (FileNotFoundError, PermissionError):
            raise
        except connection_errors() as error:
            last = error
            time.sleep(min(wait * 2**attempt, LONGEST_WAIT))
    raise ConnectionError(
        f"{what} did not answer after {attempts} attempts ({one_line(last)}): try again later"
    ) from last


def connection_errors() -> tuple[type[Exception], ...]:
    """What a dropped connection looks like; a Parquet file cut short is a ValueError of pyarrow."""
    import aiohttp
    import httpx

    return (OSError, ValueError, EOFError, aiohttp.ClientError, httpx.HTTPError)


def one_line(error: Exception) -> str:
    """An error in one line."""
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason given'}"


class Rows:
    """The rows of one file, in chunks, from any position, over connections that drop."""

    def __init__(
        self, file: str, column: str, storage_options: dict[str, Any] | None, attempts: int, wait: float
    ) -> None:
        """Nothing is opened yet.

        Args:
            file: one of list_files.
            column: that holds the text.
            storage_options: of the file system.
            attempts: how often a chunk is asked for, if the file is remote.
            wait: seconds before the second attempt, doubled each time up to LONGEST_WAIT.
        """
        self.file, self.column, self.storage_options = file, column, storage_options
        self.remote = "://" in file
        self.attempts, self.wait = attempts if self.remote else 1, wait
        self.kind = kind_of(file)
        self.absent: Problem | None = None  # set when a Parquet file has no such column

    def chunks(self, row: int = 0) -> Generator[tuple[int, list[Any]]]:
        """Yield chunks from a row on: the number of the first row, and the raw values.

        The state of `datasets` is not used: it counts wrongly where a stream that was resumed is resumed once more
        (4.8.5 lost 20 rows of 100), and it, too, finds its place by reading the file from its beginning. That costs
        about 0.3 s for 120 MB of text, since what is passed over is never decoded into strings.

        Args:
            row: the first row that is wanted.

        Raises:
            ConnectionError: a remote file did not answer after all attempts.
            ValueError: a file of this machine cannot be read.
            FileNotFoundError: the file is not there.
        """
        failures, dropped = 0, connection_errors()
        while True:
            try:
                done = 0
                with closing(self._open().iter(batch_size=CHUNK_ROWS)) as tables:
                    for table in tables:
                        done += len(table)
                        if done <= row:
                            continue
                        values = self._values(table.slice(len(table) - (done - row)))
                        failures = 0
                        yield row, values
                        row = done
                return
            except dropped as error:
                failures += 1
                if failures >= self.attempts:
                    raise self._gave_up(error) from error
                pause = min(self.wait * 2 ** (failures - 1), LONGEST_WAIT)
                attempt = f"attempt {failures + 1} of {self.attempts} in {pause:g} s"
                print(f"{Path(self.file).name}: {one_line(error)}; {attempt}")
                time.sleep(pause)

    def _open(self) -> IterableDataset:
        """The file as a data set of the library, in streaming mode, of which only the text is read."""
        import pyarrow.dataset
        from datasets import load_dataset

        provide_s3(self.file)
        protocol = self.file.partition("://")[0]
        common: dict[str, Any] = {"data_files": [self.file], "split": "train", "streaming": True}
        if self.storage_options and self.remote:
            common["storage_options"] = {protocol: self.storage_options}
        if self.kind == "lines":  # a row that is no JSON must not cost the others: each line is parsed by text_of
            return load_dataset("text", chunksize=LINES_BYTES, **common).with_format("arrow")
        small = pyarrow.dataset.ParquetFragmentScanOptions(
            pre_buffer=False, use_buffered_stream=True, buffer_size=BUFFER_BYTES
        )
        common |= {"batch_size": CHUNK_ROWS, "fragment_scan_options": small}
        rows = load_dataset("parquet", columns=[self.column], **common)
        if self.column not in (rows.column_names or []):
            rows = load_dataset("parquet", **common)
            there = ", ".join(rows.column_names or []) or "none"
            self.absent = Problem("missing", f"there is no column {self.column!r}, only {there}")
        return rows.with_format("arrow")

    def _values(self, table: pyarrow.Table) -> list[Any]:
        """The raw values of a chunk: texts of Parquet rows, whole lines of JSON."""
        if self.absent:
            return [self.absent] * len(table)
        column = table.column("text" if self.kind == "lines" else self.column)
        try:
            return column.to_pylist()
        except UnicodeDecodeError:
            return [_decoded(value, self.column) for value in column]

    def text_of(self, value: Any) -> str | Problem:
        """The text of a row, or why it has none.

        Args:
            value: as _values gave it.
        """
        if self.kind == "lines" and isinstance(value, str):
            value = self._parsed(value)
        if isinstance(value, Problem):
            return value
        if isinstance(value, str):
            return value if value and not value.isspace() else Problem("empty", f"column {self.column!r} is empty")
        if value is None:
            return Problem("missing", f"column {self.column!r} has no value")
        return Problem("wrong_type", f"column {self.column!r} is {_shown(value)}, not a string")

    def _parsed(self, line: str) -> Any:
        if not line.strip():
            return Problem("empty", f"the line is empty, column {self.column!r} with it")
        try:
            row = json.loads(line)
        except ValueError as error:
            return Problem("damaged", f"the line, and column {self.column!r} in it, is no JSON ({error})")
        if not isinstance(row, dict):
            return Problem("wrong_type", f"the line is {_shown(row)}, not an object with a column {self.column!r}")
        if self.column not in row:
            return Problem("missing", f"there is no column {self.column!r}, only {', '.join(row) or 'none'}")
        text = row[self.column]
        if isinstance(text, str) and not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError as error:
                return Problem("damaged", f"column {self.column!r} is no valid Unicode at character {error.start}")
        return text

    def _gave_up(self, error: Exception) -> Exception:
        if isinstance(error, FileNotFoundError) and not self.file.startswith("http"):  # there, a refusal looks the same
            return FileNotFoundError(f"{self.file} is not there: check the name")
        if not self.remote:
            return ValueError(f"{self.file} is damaged ({one_line(error)}): copy it again, or leave it out")
        return ConnectionError(
            f"{self.file} could not be read after {self.attempts} attempts ({one_line(error)}): check the address, the "
            "connection and the storage options, then go on from the last checkpoint"
        )


def _decoded(value: Any, column: str) -> Any:
    try:
        return value.as_py()
    except UnicodeDecodeError as error:
        return Problem("damaged", f"column {column!r} is not UTF-8 at byte {error.start}")


def _shown(value: Any) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}, {str(value)[:30]!r}"
