"""Rows out of files that may lie anywhere: the first station of a stream, files -> rows -> blocks -> batches.

`datasets` opens the files and reads again when a connection drops, pyarrow takes Parquet apart; here is what to do when
they give up, or a row is no text. The rows of a file have numbers, which do not depend on how many processes read.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import json
import lzma
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager, closing, nullcontext
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

from workshop_utils.machine.sentences import one_line
from workshop_utils.stream.files import LONGEST_WAIT, ask_again, connection_errors, is_final, kind_of, reason, refusal
from workshop_utils.stream.s3 import provide_s3

CHUNK_ROWS = 1000  # read in one go
READ_BYTES = 1 << 20  # of a file in one go


class Problem(NamedTuple):
    """Why a row is left out."""

    kind: str  # "empty", "missing", "wrong_type" or "damaged"
    sentence: str  # without the row's number


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
        self.absent: Problem | None = None  # set when a Parquet file has no such column, or several

    def chunks(self, row: int = 0) -> Generator[tuple[int, list[Any]]]:
        """Yield chunks from a row on: the number of the first row, and the raw values.

        The state of `datasets` is not used: it counts wrongly where a stream that was resumed is resumed once more
        (4.8.5 lost 20 rows of 100), and finds its place by reading the file from its beginning. Of Parquet only the row
        group of the row is read here; of JSON lines all before it, some 0.3 s for 120 MB of text, which is not parsed.

        Args:
            row: the first row that is wanted.

        Raises:
            ConnectionError: a remote file did not answer after all attempts.
            ValueError: a file of this machine cannot be read.
            FileNotFoundError, PermissionError: the file is not there, or not for everybody.
        """
        failures, dropped = 0, connection_errors()
        while True:
            try:
                provide_s3(self.file)
                with closing(self._pieces(row)) as pieces:
                    for first, piece in pieces:
                        end = first + len(piece)
                        if end <= row:
                            continue
                        values = self._values(piece, row - first)
                        failures = 0
                        yield row, values
                        row = end
                return
            except dropped as error:
                failures += 1
                if failures >= self.attempts or is_final(error):
                    raise self._gave_up(error, failures) from error
                pause = min(self.wait * 2 ** (failures - 1), LONGEST_WAIT)
                attempt = f"attempt {failures + 1} of {self.attempts} in {pause:g} s"
                print(f"{Path(self.file).name}: {reason(error)}; {attempt}")
                time.sleep(pause)

    def _pieces(self, row: int) -> Generator[tuple[int, Any]]:
        """The file in pieces of up to CHUNK_ROWS rows, each with the number of its first row: tables or lists of lines.

        Args:
            row: pieces before this row may be left out; those that come are always cut at the same places.
        """
        if self.kind == "lines":
            lines, first = self._lines(), 0
            while piece := list(islice(lines, CHUNK_ROWS)):
                yield first, piece
                first += len(piece)
        else:
            yield from self._tables(row)

    def _options(self) -> dict[str, Any]:
        """Storage options as `datasets` wants them, by protocol."""
        if not self.remote:
            return {}
        protocol, options = self.file.partition("://")[0], dict(self.storage_options or {})
        if protocol in ("http", "https"):
            options["client_kwargs"] = {"middlewares": (ask_again,)} | options.get("client_kwargs", {})
        return {protocol: options} if options else {}

    def _opened(self) -> Any:
        """The file; a remote one is opened by `datasets`, which reads again where a connection drops."""
        if not self.remote:  # `datasets` would take a name with :: for a file within another
            return open(self.file, "rb")
        from datasets import DownloadConfig
        from datasets.utils.file_utils import xopen

        return closing(xopen(self.file, "rb", download_config=DownloadConfig(storage_options=self._options())))

    def _tables(self, row: int) -> Generator[tuple[int, Any]]:
        """Of a Parquet file the text alone, from the row group on in which a row lies.

        Not through load_dataset: pyarrow's scanner, which that uses, reads up to 1 GB ahead.
        """
        from pyarrow.parquet import ParquetFile

        with self._opened() as opened, ParquetFile(opened, buffer_size=READ_BYTES, pre_buffer=False) as file:
            there = file.schema_arrow.names
            if there.count(self.column) != 1:
                self.absent = self._no_column(there)
            end = 0
            for group in range(file.num_row_groups):
                first, end = end, end + file.metadata.row_group(group).num_rows
                if end <= row:
                    continue
                columns = [] if self.absent else [self.column]
                for piece in file.iter_batches(CHUNK_ROWS, row_groups=[group], columns=columns, use_threads=False):
                    yield first, piece
                    first += len(piece)

    def _lines(self) -> Generator[bytes | Problem]:
        """The lines of a file, packed or not, without their ends; or one Problem, if these are no JSON lines.

        Not through load_dataset: "json" gives a whole file up for one line that is no JSON, and "text" cannot read over
        http in 5.2.
        """
        with self._opened() as packed, _unpacked(packed, self.file) as file:
            rest = b""
            start = file.read(READ_BYTES)
            if problem := _no_lines(start):
                yield problem
                return
            for piece in chain([start], iter(lambda: file.read(READ_BYTES), b"")):
                *lines, rest = (rest + piece).split(b"\n")
                yield from lines
            if rest:
                yield rest

    def _values(self, piece: Any, start: int) -> list[Any]:
        """The raw values of a piece from a row on: texts of Parquet rows, whole lines of JSON."""
        if isinstance(piece, list):
            return piece[start:]
        if self.absent:
            return [self.absent] * (len(piece) - start)
        column = piece.column(self.column).slice(start)
        try:
            return column.to_pylist()
        except UnicodeDecodeError:
            return [_decoded(value.as_py, self.column) for value in column]

    def text_of(self, value: Any) -> str | Problem:
        """The text of a row, or why it has none.

        Args:
            value: as _values gave it.
        """
        if isinstance(value, bytes):  # a line, or what a binary column of Parquet holds
            value = self._parsed(value) if self.kind == "lines" else _decoded(value.decode, self.column)
        if isinstance(value, Problem):
            return value
        if isinstance(value, str):
            return value if value and not value.isspace() else Problem("empty", f"column {self.column!r} is empty")
        if value is None:
            return Problem("missing", f"column {self.column!r} has no value")
        return Problem("wrong_type", f"column {self.column!r} {_shown(value)}, not a string")

    def _parsed(self, line: bytes) -> Any:
        if not line.strip():
            return Problem("empty", f"the line is empty, column {self.column!r} with it")
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            return Problem("damaged", f"the line, and column {self.column!r} in it, is no JSON ({error})")
        if not isinstance(row, dict):
            return Problem("wrong_type", f"the line {_shown(row)}, not an object with a column {self.column!r}")
        if self.column not in row:
            return self._no_column(row)
        text = row[self.column]
        if isinstance(text, str) and not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError as error:
                return Problem("damaged", f"column {self.column!r} is no valid Unicode at character {error.start}")
        return text

    def _no_column(self, there: Iterable[str]) -> Problem:
        names = list(there)
        if self.column in names:
            return Problem("wrong_type", f"there are {names.count(self.column)} columns {self.column!r}: rename one")
        shown = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
        return Problem("missing", f"there is no column {self.column!r}, only {shown or 'none'}")

    def _gave_up(self, error: Exception, failures: int) -> Exception:
        if is_final(error):
            return refusal(self.file, error)
        if not self.remote:
            return ValueError(f"{self.file} is damaged ({one_line(error)}): copy it again, or leave it out")
        return ConnectionError(
            f"{self.file} could not be read, attempt {failures} of {self.attempts} failed ({reason(error)}): check the "
            "address, the connection and the storage options, then go on from the last checkpoint"
        )


def _unpacked(file: Any, name: str) -> AbstractContextManager[Any]:
    """An open file through its packing, if it has one."""
    for packing, opened in ((".gz", gzip.open), (".bz2", bz2.open), (".xz", lzma.open), (".zst", _zstd)):
        if name.partition("?")[0].lower().endswith(packing):
            return opened(file)
    return nullcontext(file)


def _zstd(file: Any) -> AbstractContextManager[Any]:
    from pyarrow import CompressedInputStream, PythonFile

    return CompressedInputStream(PythonFile(file, mode="r"), "zstd")


def _no_lines(start: bytes) -> Problem | None:
    """Why the first bytes of a file are no JSON lines, if one cure helps the whole file."""
    written = json.detect_encoding(start)  # by its zeros where there is no byte order mark
    if not written.startswith("utf-8"):
        return Problem("damaged", f"the file is {written.upper()}: save it as UTF-8")
    if start.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"["):
        return Problem(
            "damaged",
            "the file is a JSON array, which has to be in memory as a whole: write it anew with one object in each "
            'line, datasets.Dataset.from_json("old.json").to_json("new.jsonl")',
        )
    return None


def _decoded(decode: Callable[[], Any], column: str) -> Any:
    try:
        return decode()
    except UnicodeDecodeError as error:
        return Problem("damaged", f"column {column!r} is not UTF-8 at byte {error.start}")


def _shown(value: Any) -> str:
    return f"is of type {type(value).__name__}, {str(value)[:30]!r}"
