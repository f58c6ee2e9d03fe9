"""Rows into blocks of tokens: the second station of a stream.

A reader takes its share of the rows, tokenises them group by group, and cuts the tokens into blocks. After each group
it can say, in a few numbers, where it is.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import tiktoken

from workshop_utils.stream.rows import Problem, Rows
from workshop_utils.text.corpus import split_of
from workshop_utils.text.tokenizer import encode

GROUP_CHARACTERS = 200_000  # tokenised in one call; a resumed stream tokenises one group again
TOLD = 3  # bad rows of each kind that a reader tells with row and column; all are counted
BAD = ("empty", "missing", "wrong_type", "damaged")
ALL = "all rows"  # that are read; see nothing_found
COUNTS = ("rows", "documents", "other_split", "tokens", "longer_than_block", *BAD)

State = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """What is read and how: the same for all readers of a stream."""

    files: tuple[str, ...]
    encoding: tiktoken.Encoding
    block_size: int
    split: str  # "train" or "val"
    val_percent: int
    text_column: str
    seed: int
    shuffle: bool  # the files, anew in every epoch
    epochs: int | None  # None reads without end
    storage_options: dict[str, Any] | None
    attempts: int
    wait: float

    @property
    def dtype(self) -> np.dtype:
        """Of the blocks: two bytes a token where they are enough."""
        return np.dtype(np.uint16 if self.encoding.n_vocab < 65_535 else np.int32)

    @property
    def padding(self) -> int:
        """The value that fills the very last block up: no token has it."""
        return int(np.iinfo(self.dtype).max)


class Group(NamedTuple):
    """Blocks that were tokenised together."""

    reader: int
    blocks: np.ndarray  # (n, block_size + 1)
    state: State  # of the reader, after this group


def fresh_state() -> State:
    """The state of a reader that has read nothing. All its values go into JSON.

    epoch, file (position in the epoch's order), row (of the file, the first that is not done), check (of the row before
    it), rest (tokens that did not fill a block), counts, told (sentences about bad rows), done.
    """
    position: State = {"epoch": 0, "file": 0, "row": 0, "check": None, "rest": []}
    return position | {"counts": dict.fromkeys(COUNTS, 0), "told": [], "done": False}


class Reader:
    """One of n readers that share the rows of a stream: every row belongs to exactly one of them.

    With g = gcd(number of files, n), reader r takes the files at positions r % g, r % g + g, ... of the epoch's order,
    and of each file the rows whose number modulo n // g is r // g. If n divides the number of files, that is whole
    files; if they have no common divisor, every file is read by all and each takes every n-th row.
    """

    def __init__(self, plan: Plan, reader: int, n_readers: int) -> None:
        self.plan, self.reader = plan, reader
        self.groups_of_files = math.gcd(len(plan.files), n_readers)
        self.stride = n_readers // self.groups_of_files
        self.offset = reader // self.groups_of_files

    def files(self, epoch: int) -> list[str]:
        """The files that this reader reads in an epoch, in order."""
        order = np.arange(len(self.plan.files))
        if self.plan.shuffle:
            order = np.random.default_rng([self.plan.seed, epoch]).permutation(order)
        return [self.plan.files[i] for i in order[self.reader % self.groups_of_files :: self.groups_of_files]]

    def groups(self, state: State) -> Generator[Group]:
        """Yield groups of blocks from a state on; the last one, possibly without blocks, has state["done"].

        Args:
            state: as fresh_state() or a Group gave it; it is not changed.

        Raises:
            ConnectionError, ValueError, FileNotFoundError: a file cannot be read, or is not what it was.
            ValueError: there is no text.
        """
        state = state | {"counts": dict(state["counts"]), "told": list(state["told"])}
        epochs = math.inf if self.plan.epochs is None else self.plan.epochs
        while not state["done"] and state["epoch"] < epochs:
            files = self.files(state["epoch"])
            while state["file"] < len(files):
                yield from self._of_file(files[state["file"]], state)
                state |= {"file": state["file"] + 1, "row": 0, "check": None}
            state |= {"epoch": state["epoch"] + 1, "file": 0}
            if self.plan.epochs is None and not state["counts"]["documents"]:  # or it would look for ever
                alone = self.groups_of_files * self.stride == 1
                raise nothing_found(self.plan, state, ALL if alone else f"the rows of reader {self.reader}")
        state["done"] = True
        yield self._group(self._last_block(state), state)

    def _of_file(self, file: str, state: State) -> Iterator[Group]:
        plan = self.plan
        rows = Rows(file, plan.text_column, plan.storage_options, plan.attempts, plan.wait)
        check = state["check"]
        with closing(rows.chunks(state["row"] - (check is not None))) as chunks:
            for first, values in chunks:
                if check is not None:  # the last row that was done tells whether this is still the same file
                    if _check(values.pop(0)) != check:
                        break
                    check, first = None, first + 1
                if values:
                    yield from self._of_chunk(rows, first, values, state)
        if check is not None:
            raise ValueError(
                f"row {state['row'] - 1} of {file} is not what it was when the state was saved: the file has been "
                "changed since; begin without the state"
            )

    def _of_chunk(self, rows: Rows, first: int, values: list[Any], state: State) -> Iterator[Group]:
        texts: list[str] = []
        characters = 0
        for i in range((self.offset - first) % self.stride, len(values), self.stride):
            text = self._taken(rows, values[i], first + i, state)
            if text is not None:
                texts.append(text)
                characters += len(text)
            if characters >= GROUP_CHARACTERS:
                state |= {"row": first + i + 1, "check": _check(values[i])}
                yield self._group(self._packed(texts, state), state)
                texts, characters = [], 0
        state |= {"row": first + len(values), "check": _check(values[-1])}
        blocks = self._packed(texts, state)
        if len(blocks):
            yield self._group(blocks, state)

    def _taken(self, rows: Rows, value: Any, number: int, state: State) -> str | None:
        """A row's text, if it is one and belongs to the split; counts what happens to it."""
        counts = state["counts"]
        counts["rows"] += 1
        text = rows.text_of(value)
        if isinstance(text, Problem):
            counts[text.kind] += 1
            if counts[text.kind] <= TOLD:
                told = f"row {number} of {rows.file}: {text.sentence}"
                state["told"].append(told.encode("utf-8", "backslashreplace").decode())  # so that it can be printed
            return None
        if split_of(text, self.plan.val_percent) != self.plan.split:
            counts["other_split"] += 1
            return None
        return text

    def _packed(self, texts: list[str], state: State) -> np.ndarray:
        """Append texts to what is left, and cut off all full blocks: (n, block_size + 1), each but the first token new.

        A block begins with the token that the one before ended with, so that every token is a target once.
        """
        size, counts = self.plan.block_size, state["counts"]
        ids = encode(texts, self.plan.encoding)
        counts["documents"] += len(texts)
        counts["tokens"] += len(ids)
        if len(ids) > size:
            ends = np.flatnonzero(ids == self.plan.encoding.eot_token)
            counts["longer_than_block"] += int((np.diff(ends, prepend=-1) > size).sum())
        ids = np.concatenate([np.array(state["rest"], dtype=np.uint32), ids]) if state["rest"] else ids
        n = max(0, (len(ids) - 1) // size)
        state["rest"] = ids[n * size :].tolist()
        blocks = np.empty((n, size + 1), dtype=self.plan.dtype)
        if n:
            blocks[:, :-1] = ids[: n * size].reshape(n, size)
            blocks[:, -1] = ids[size : n * size + 1 : size]
        return blocks

    def _last_block(self, state: State) -> np.ndarray:
        """What is left at the very end, filled up: (0 or 1, block_size + 1)."""
        rest, state["rest"] = state["rest"], []
        blocks = np.full((int(len(rest) > 1), self.plan.block_size + 1), self.plan.padding, dtype=self.plan.dtype)
        if len(blocks):
            blocks[0, : len(rest)] = rest
        return blocks

    def _group(self, blocks: np.ndarray, state: State) -> Group:
        return Group(self.reader, blocks, state | {"counts": dict(state["counts"]), "told": list(state["told"])})


def nothing_found(plan: Plan, state: State, among: str) -> ValueError:
    """What to say when a stream has no document.

    Args:
        plan: of the stream.
        state: of which the counts of the rows that were read, and what was told about them.
        among: which rows these are.
    """
    counts = state["counts"]
    if not counts["rows"] and among == ALL:
        return ValueError(f"there are no rows in {', '.join(plan.files[:3])}: pass a source that holds text")
    if 0 < counts["rows"] == sum(counts[kind] for kind in BAD):
        column = counts["missing"] or counts["wrong_type"]
        cure = "pass text_column=..., or another source" if column else "mend the source, or pass another one"
        kinds = ", ".join(f"{counts[kind]} {kind}" for kind in BAD if counts[kind])
        return ValueError(
            f"no row has a text in column {plan.text_column!r} ({kinds}; {state['told'][0]}): {cure}; "
            ".report names the first rows"
        )
    return ValueError(
        f"there is no document of the split {plan.split!r} among {among} ({counts['rows']} were read): use more text, "
        "fewer processes, or another val_percent"
    )


def _check(value: Any) -> int:
    """A number that tells a raw row from others."""
    return zlib.crc32(repr(value).encode("utf-8", "backslashreplace"))
