"""Rows into blocks of tokens: the second station of a stream, which after each group of rows can say where it is."""

from __future__ import annotations

import math
import zlib
from collections.abc import Generator, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeGuard

import numpy as np
import tiktoken

from workshop_utils.gpt.config import Allowed, Config, Count, Name, Percent, Seed, Size, Whole, one_of
from workshop_utils.machine.sentences import without_secrets
from workshop_utils.stream.rows import BadRow, rows
from workshop_utils.text.corpus import TEXT_COLUMN, VAL_PERCENT, split_of
from workshop_utils.text.tokenizer import encode

GROUP_CHARACTERS = 200_000  # tokenised in one call; a resumed stream tokenises one group again
TOLD = 5  # bad rows that a reader prints with file and row; all are counted
PADDING = -1  # fills the very last block up: no token has it, and the loss ignores it

State = dict[str, Any]  # plain values for JSON
# Blocks (n, block_size + 1) int32 that were tokenised together, and the state after them.
Group = tuple[np.ndarray, State]
# Of a reader that has read nothing. file: its position in the epoch's order; row: of that file, the first that is not
# done; check: of the row before it; rest: tokens that did not fill a block.
FRESH: State = {"epoch": 0, "file": 0, "row": 0, "check": None, "rest": [], "done": False}
FRESH["counts"] = {"rows": 0, "documents": 0, "other_split": 0, "left_out": 0, "tokens": 0}


@dataclass(frozen=True)
class StreamSettings(Config):
    """What a StreamingTokenDataset reads and how. Every field is checked."""

    files: tuple[str, ...]  # as list_files gives them
    encoding: Annotated[tiktoken.Encoding, Allowed(bool, "a tokenizer, such as text.gpt2() or that of a run")]
    block_size: Size  # T, tokens in x and in y
    split: Annotated[str, one_of("train", "val")] = "train"
    rank: Whole = 0  # of this process, 0 to world_size - 1
    # how many processes share the documents, with torchrun training.world().size; they end unevenly: count steps
    world_size: Count = 1
    shuffle_buffer: Whole = 1000  # blocks that wait to be drawn from, and are part of the state; 0 keeps the order
    seed: Seed = 0  # of the order; the same on all ranks
    text_column: Name = TEXT_COLUMN  # where the text is
    val_percent: Percent = VAL_PERCENT  # share of documents in the split "val"
    epochs: Whole = 1  # how often all is read; 0 goes on without end, each time in another order
    num_workers: Whole = 0  # processes that read and tokenise ahead; 0 does it in between
    storage_options: dict[str, Any] = field(default_factory=dict)  # of a remote file system, as in fsspec

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rank >= self.world_size:
            raise ValueError(f"rank is {self.rank}: it goes from 0 to world_size - 1, {self.world_size - 1}")


class Reader:
    """One of n readers that share the rows of a stream: every row belongs to exactly one of them.

    With g = gcd(number of files, n), reader r takes the files at positions r % g, r % g + g, ... of the epoch's order,
    and of each file the rows whose number modulo n // g is r // g. If n divides the number of files, that is whole
    files; if they have no common divisor, every file is read by all and each takes every n-th row.
    """

    def __init__(self, settings: StreamSettings, number: int, n_readers: int) -> None:
        self.settings, self.number, self.n_readers = settings, number, n_readers
        self.groups_of_files = math.gcd(len(settings.files), n_readers)
        self.bad_row = ""  # the last one

    def groups(self, state: State) -> Generator[Group]:
        """Yield groups from a state on, FRESH or that of a group, which is not changed; the last one is "done"."""
        state, epochs = deepcopy(state), self.settings.epochs or math.inf
        while not state["done"] and state["epoch"] < epochs:
            order = np.arange(len(self.settings.files))
            if self.settings.shuffle_buffer > 1:
                order = np.random.default_rng([self.settings.seed, state["epoch"]]).permutation(order)
            for i in order[self.number % self.groups_of_files :: self.groups_of_files][state["file"] :]:
                yield from self._of_file(self.settings.files[i], state)
                state |= {"file": state["file"] + 1, "row": 0, "check": None}
            state |= {"epoch": state["epoch"] + 1, "file": 0}
            # Another reader may have the few rows that there are, but without end this one would search for ever.
            if not state["counts"]["documents"] and (epochs == math.inf or self.n_readers == 1):
                shown = without_secrets(", ".join(self.settings.files[:3]))
                raise ValueError(
                    f"among {state['counts']['rows']} rows of {shown} there is no text of "
                    f"the split {self.settings.split!r} ({self.bad_row or 'no row is damaged'}): pass text_column=..., "
                    "another source or another val_percent, or use fewer processes"
                )
        state["done"] = True
        yield self._packed([], state)

    def _of_file(self, file: str, state: State) -> Iterator[Group]:
        settings, begin = self.settings, max(0, state["row"] - 1)
        numbered = rows(file, settings.text_column, settings.storage_options, begin)
        # The last row that was done tells whether this is still the same file.
        if state["row"] and _check(next(numbered, None)) != state["check"]:
            raise ValueError(
                f"row {begin} of {without_secrets(file)} is not what it was when the state was saved: the file has "
                "been changed since; begin without the state"
            )
        stride, offset = self.n_readers // self.groups_of_files, self.number // self.groups_of_files
        texts: list[str] = []
        characters, row, text = 0, 0, None
        for row, text in numbered:
            if row % stride == offset and self._is_taken(text, file, row, state["counts"]):
                texts.append(text)
                characters += len(text)
                if characters >= GROUP_CHARACTERS:
                    state |= {"row": row + 1, "check": _check((row, text))}
                    yield self._packed(texts, state)
                    texts, characters = [], 0
        if texts:
            state |= {"row": row + 1, "check": _check((row, text))}
            yield self._packed(texts, state)

    def _is_taken(self, text: str | BadRow, file: str, row: int, counts: dict[str, int]) -> TypeGuard[str]:
        """Whether a row has a text of the split; counts what happens to it."""
        counts["rows"] += 1
        if isinstance(text, BadRow):
            counts["left_out"] += 1
            told = f"row {row} of {without_secrets(file)} is left out: {text.why}"
            self.bad_row = told.encode("utf-8", "backslashreplace").decode()  # so that it can be printed
            if counts["left_out"] <= TOLD:
                print(self.bad_row)
            return False
        taken = split_of(text, self.settings.val_percent) == self.settings.split
        counts["documents" if taken else "other_split"] += 1
        return taken

    def _packed(self, texts: list[str], state: State) -> Group:
        """Append texts to what is left, and cut off all full blocks; at the very end fill the last one up.

        A block begins with the token that the one before ended with, so that every token is a target once.
        """
        size = self.settings.block_size
        ids = encode(texts, self.settings.encoding).astype(np.int32)
        state["counts"]["tokens"] += len(ids)
        ids = np.concatenate([np.array(state["rest"], dtype=np.int32), ids])
        if state["done"] and len(ids) > 1:
            ids = np.pad(ids, (0, size + 1 - len(ids)), constant_values=PADDING)
        n = max(0, (len(ids) - 1) // size)
        state["rest"] = ids[n * size :].tolist()
        blocks = np.empty((n, size + 1), dtype=np.int32)
        blocks[:, :-1] = ids[: n * size].reshape(n, size)
        blocks[:, -1] = ids[size : n * size + 1 : size]
        return blocks, deepcopy(state)


def _check(row: object) -> int:
    """A number that tells a row from others."""
    return zlib.crc32(repr(row).encode())
