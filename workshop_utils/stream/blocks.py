"""Blocks of one or more readers in turn, shuffled in a buffer, with a state that goes on exactly: the third station."""

from __future__ import annotations

import weakref
import zlib
from collections.abc import Callable, Generator, Iterator
from pathlib import PurePath
from typing import Any

import numpy as np
import torch
from torch import Tensor

from workshop_utils.machine.sentences import differences
from workshop_utils.stream.readers import ALL, BAD, COUNTS, Group, Plan, Reader, State, fresh_state, nothing_found
from workshop_utils.text.tokenizer import fingerprint

Pair = tuple[Tensor, Tensor]


class Blocks:
    """Blocks of one or more readers in turn, shuffled in a buffer, with a state that goes on exactly.

    Attributes:
        counts: what has been read so far, of all readers.
        told: sentences about the first bad rows.
    """

    def __init__(
        self,
        readers: list[Reader],
        shuffle_buffer: int,
        groups: Callable[[list[tuple[Reader, State]]], Generator[Group]],
        state: State | None = None,
    ) -> None:
        """Begin, or go on.

        Args:
            readers: in turn, a group each.
            shuffle_buffer: how many blocks wait to be drawn from; 0 keeps the order.
            groups: takes readers with their states, gives their groups in turn.
            state: what state_dict() returned.
        """
        plan = readers[0].plan
        self.readers = {reader.reader: reader for reader in readers}
        self.buffer = np.empty((max(shuffle_buffer, 1), plan.block_size + 1), dtype=plan.dtype)
        self.shuffles, self.filled, self.used = shuffle_buffer > 1, 0, 0
        self.rng = np.random.default_rng([plan.seed, readers[0].reader])
        self.states = {number: fresh_state() for number in self.readers}
        self.queue = list(self.readers)  # the readers that are not done, the next one first
        if state is not None:
            self._restore(state)
        self.newest = dict(self.states)  # for the report: of the groups that were begun
        self.group: Group | None = None
        self.groups = groups([(self.readers[number], self.states[number]) for number in self.queue])
        # Files and workers are let go with this object, or when Python ends, while modules still work.
        self.close = weakref.finalize(self, self.groups.close)

    def __iter__(self) -> Iterator[np.ndarray]:
        return self

    def __next__(self) -> np.ndarray:
        """The next block, (block_size + 1,)."""
        while (block := self._next_in_order()) is not None:
            if not self.shuffles:
                return block
            if self.filled < len(self.buffer):
                self.buffer[self.filled] = block
                self.filled += 1
                continue
            i = int(self.rng.integers(self.filled))
            drawn = self.buffer[i].copy()
            self.buffer[i] = block
            return drawn
        if not self.filled:
            raise StopIteration
        i = int(self.rng.integers(self.filled))
        drawn = self.buffer[i].copy()
        self.filled -= 1
        self.buffer[i] = self.buffer[self.filled]
        return drawn

    def _next_in_order(self) -> np.ndarray | None:
        while self.queue:
            if self.group is None:
                self.group = self._begun(next(self.groups, None))
            if self.used < len(self.group.blocks):
                self.used += 1
                return self.group.blocks[self.used - 1]
            number = self.queue.pop(0)  # the next reader's turn
            self.states[number] = self.group.state
            if not self.group.state["done"]:
                self.queue.append(number)
            self.group, self.used = None, 0
            if not self.queue:
                self._look_back()
        return None

    def _look_back(self) -> None:
        """Raise at the end of a stream that brought nothing, unless others have other rows."""
        counts, reader = self.counts, next(iter(self.readers.values()))
        alone = len(self.readers) == reader.groups_of_files * reader.stride
        if not counts["documents"] and (alone or 0 < counts["rows"] == sum(counts[kind] for kind in BAD)):
            raise nothing_found(
                reader.plan, {"counts": counts, "told": self.told}, ALL if alone else "the rows of this process"
            )

    def _begun(self, group: Group | None) -> Group:
        if group is None or group.reader != self.queue[0]:
            answered = "none" if group is None else group.reader
            raise RuntimeError(
                f"of the readers {self.queue} the first should have answered, not {answered}: report this"
            )
        for sentence in group.state["told"][len(self.newest[group.reader]["told"]) :]:
            print(f"left out: {sentence}")
        self.newest[group.reader] = group.state
        return group

    @property
    def counts(self) -> dict[str, int]:
        """What has been read: rows, documents, tokens, and rows that were left out by kind."""
        return {name: sum(state["counts"][name] for state in self.newest.values()) for name in COUNTS}

    @property
    def told(self) -> list[str]:
        """Sentences about the first bad rows of each reader."""
        return [sentence for state in self.newest.values() for sentence in state["told"]]

    def state_dict(self) -> State:
        """All that is needed to go on: plain values for JSON, and the tensor "buffer"."""
        return {
            "readers": {str(number): state for number, state in self.states.items()},
            "queue": list(self.queue),
            "used": self.used,
            "rng": self.rng.bit_generator.state,
            "buffer": torch.from_numpy(self.buffer[: self.filled].astype(np.int32)),
        }

    def _restore(self, state: State) -> None:
        self.states = {int(number): found for number, found in state["readers"].items()}
        self.queue, self.used = list(state["queue"]), state["used"]
        self.rng.bit_generator.state = state["rng"]
        self.filled = len(state["buffer"])
        self.buffer[: self.filled] = state["buffer"].numpy()


def in_this_process(starts: list[tuple[Reader, State]]) -> Generator[Group]:
    """The groups of readers in turn, all in this process.

    Args:
        starts: readers with the states that they begin from.
    """
    running = [reader.groups(state) for reader, state in starts]
    try:
        while running:
            group = next(running[0])
            yield group
            first = running.pop(0)
            if not group.state["done"]:
                running.append(first)
    finally:
        for generator in running:
            generator.close()


def as_batch(blocks: list[np.ndarray], plan: Plan) -> Pair:
    """Blocks (block_size + 1,) as x and y, (n, block_size) int64."""
    ids = np.stack(blocks).astype(np.int64)
    x, y = ids[:, :-1].copy(), ids[:, 1:].copy()
    if (ids[:, -1] == plan.padding).any():  # only the very last block is filled up
        x[x == plan.padding] = plan.encoding.eot_token
        y[y == plan.padding] = -1
    return torch.from_numpy(x), torch.from_numpy(y)


def report_of(blocks: Blocks | None) -> dict[str, Any]:
    """Counts and sentences, empty before the first block."""
    return {} if blocks is None else blocks.counts | {"told": blocks.told}


def settings_of(plan: Plan, readers: list[Reader], shuffle_buffer: int) -> dict[str, Any]:
    """What must be the same for a state to make sense. Folders may change, files must not."""
    names = "\n".join(PurePath(file).name for file in plan.files)
    return {
        "files": f"{len(plan.files)} named {zlib.crc32(names.encode()):08x}",
        "tokenizer": fingerprint(plan.encoding),
        "block_size": plan.block_size,
        "split": plan.split,
        "val_percent": plan.val_percent,
        "text_column": plan.text_column,
        "shuffle_buffer": shuffle_buffer,
        "seed": plan.seed,
        "readers": [reader.reader for reader in readers],  # by rank and workers
        "readers in all": readers[0].groups_of_files * readers[0].stride,
    }


def check_settings(state: State, now: dict[str, Any]) -> None:
    """Refuse the state of another stream.

    Raises:
        ValueError: the message names what differs.
    """
    changed = differences(state.get("settings", {}), now)
    if changed:
        raise ValueError(
            f"the state belongs to another stream ({'; '.join(changed)}): a stream goes on only with the same files, "
            "settings, ranks and workers; change them back, or begin without the state"
        )
