"""Rows out of files that may be anywhere: the first station of a stream, files -> rows -> blocks -> batches.

Not through `datasets`: it reads up to 1 GB of Parquet ahead, gives a file of JSON lines up for one line that is none,
and loses rows where a stream that was resumed is resumed once more (4.8.5 lost 20 of 100).
"""

from __future__ import annotations

import codecs
import io
import json
from collections.abc import Generator, Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from workshop_utils.stream.files import COMPRESSIONS, connection_errors, file_system, kind_of, wait_or_give_up

CHUNK_ROWS = 1000  # of a Parquet file in one go
READ_BYTES = 1 << 20  # of any file in one go


class BadRow(NamedTuple):
    """Why a row has no text."""

    why: str


Numbered = Iterator[tuple[int, str | BadRow]]


def rows(
    file: str, column: str, storage_options: dict[str, Any], start: int = 0
) -> Generator[tuple[int, str | BadRow]]:
    """Yield the rows of a file from `start` on, and read on where a connection drops.

    The rows have numbers, which do not depend on how many readers there are.
    """
    failures = 0
    while True:
        try:
            fs = file_system(file, storage_options)
            with fs.open(fs._strip_protocol(file), "rb") as opened:
                read = _of_parquet if kind_of(file) == "parquet" else _of_lines
                for row, text in read(opened, file, column, start):
                    yield row, text
                    failures, start = 0, row + 1
            return
        except connection_errors() as error:
            failures += 1
            wait_or_give_up(error, file, failures)


def _of_parquet(opened: Any, file: str, column: str, start: int) -> Numbered:
    """Of Parquet only one column is read, and only from the row group on in which `start` is."""
    from pyarrow.parquet import ParquetFile

    with ParquetFile(opened, buffer_size=READ_BYTES, pre_buffer=False) as parquet:
        names, row = parquet.schema_arrow.names, 0
        for group in range(parquet.num_row_groups):
            end = row + parquet.metadata.row_group(group).num_rows
            if column not in names:
                yield from ((i, _no_column(column, names)) for i in range(max(row, start), end))
            elif end > start:
                for piece in parquet.iter_batches(CHUNK_ROWS, row_groups=[group], columns=[column], use_threads=False):
                    texts = piece.column(0)
                    try:
                        values = texts.to_pylist()
                    except UnicodeDecodeError:  # somewhere in it: as bytes, so that this row alone is left out
                        values = texts.cast("binary").to_pylist()
                    for i, value in islice(enumerate(values, row), max(0, start - row), None):
                        yield i, _text(value, column)
                    row += len(piece)
            row = end


def _of_lines(opened: Any, file: str, column: str, start: int) -> Numbered:
    """Of JSON lines, compressed or not, those before `start` are read and not parsed: some 0.3 s for 120 MB of text."""
    import pyarrow as pa

    for ending, compression in COMPRESSIONS.items():
        if file.partition("?")[0].lower().endswith(ending):
            opened = pa.input_stream(pa.PythonFile(opened, mode="r"), compression=compression)
    lines = io.BufferedReader(opened, READ_BYTES)
    first = lines.peek(1)
    written = json.detect_encoding(first)  # by its zeros where there is no byte order mark
    if not written.startswith("utf-8") or first.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"["):
        what = "a JSON array" if written.startswith("utf-8") else written.upper()
        cure = 'datasets.Dataset.from_json("old.json").to_json("new.jsonl")'
        yield 0, BadRow(f"the file is {what}: write it anew in UTF-8 with one object in each line, {cure}")
        return
    for row, line in islice(enumerate(lines), start, None):
        yield row, _parsed(line, column)


def _parsed(line: bytes, column: str) -> str | BadRow:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        return BadRow(f"the line is not JSON ({error})")
    if not isinstance(row, dict) or column not in row:
        return _no_column(column, row if isinstance(row, dict) else ())
    return _text(row[column], column)


def _no_column(column: str, there: Iterable[str]) -> BadRow:
    return BadRow(f"there is no column {column!r}, only {', '.join(list(there)[:10]) or 'none'}")


def _text(value: Any, column: str) -> str | BadRow:
    """A value as text: not empty, and valid Unicode, or tiktoken would stop at it."""
    if not isinstance(value, str | bytes):
        return BadRow(f"column {column!r} is of type {type(value).__name__}, not a string")
    try:
        text = value.decode() if isinstance(value, bytes) else value
        _ = text.isascii() or text.encode()
    except UnicodeError as error:
        return BadRow(f"column {column!r} is not valid UTF-8 ({error})")
    return text if text and not text.isspace() else BadRow(f"column {column!r} is empty")
