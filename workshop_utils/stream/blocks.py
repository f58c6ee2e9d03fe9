"""Blocks of one or more readers in turn, shuffled in a buffer, with a state that goes on exactly: the third station."""

from __future__ import annotations

import gc
import signal
import weakref
import zlib
from collections.abc import Collection, Generator, Iterator
from copy import copy
from pathlib import PurePath
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from workshop_utils.machine.sentences import differences
from workshop_utils.stream.readers import FRESH, PADDING, Group, Reader, State, StreamSettings
from workshop_utils.text.tokenizer import fingerprint


class Blocks:
    """Blocks (block_size + 1,) of one or more readers in turn, a group each, shuffled in a buffer.

    With workers each reader has a process of its own and sends its groups; the shuffle is done here, so that the
    position of a worker is a few numbers, which come along with each group.
    """

    def __init__(self, settings: StreamSettings, state: State | None = None) -> None:
        """Begin, or go on from what state_dict() returned; nothing is read before the first block is asked for."""
        n = max(1, settings.num_workers)
        first = settings.rank * n
        readers = {number: Reader(settings, number, settings.world_size * n) for number in range(first, first + n)}
        self.settings = _what_must_agree(settings)
        self.buffer: list[np.ndarray] = []
        self.buffer_size = settings.shuffle_buffer
        self.rng = np.random.default_rng([settings.seed, first])
        self.states = dict.fromkeys(readers, FRESH)  # of each reader, before the group that is being used
        self.queue = list(readers)  # those that are not done, the next one first
        self.group: Group | None = None
        self.used = 0  # of the group
        if state is not None:
            if wrong := _what_is_wrong(state, settings, readers):
                raise ValueError(
                    f"the state {wrong}: a stream goes on only with the same files, settings, ranks and workers; "
                    "change them back, or begin without the state"
                )
            self.states = {int(number): found for number, found in state["readers"].items()}
            self.queue, self.used = list(state["queue"]), state["used"]
            self.rng.bit_generator.state = state["rng"]
            self.buffer = list(state["buffer"].numpy())
        starts = [(readers[number], self.states[number]) for number in self.queue]
        self.groups = _in_workers(starts) if settings.num_workers else readers[first].groups(self.states[first])
        # Files and workers are let go with this object, or when Python ends, while modules still work.
        weakref.finalize(self, self.groups.close)

    def __iter__(self) -> Iterator[np.ndarray]:
        return self

    def __next__(self) -> np.ndarray:
        block = self._next_in_order()
        while block is not None and len(self.buffer) < self.buffer_size:
            self.buffer.append(block.copy())  # or all blocks of its group would stay in memory
            block = self._next_in_order()
        if not self.buffer:
            if block is None:
                raise StopIteration
            return block
        i = int(self.rng.integers(len(self.buffer)))
        drawn = self.buffer[i]
        if block is None:
            self.buffer[i] = self.buffer[-1]
            self.buffer.pop()
        else:
            self.buffer[i] = block.copy()
        return drawn

    def _next_in_order(self) -> np.ndarray | None:
        while self.queue:
            self.group = self.group or next(self.groups)
            blocks, state = self.group
            if self.used < len(blocks):
                self.used += 1
                return blocks[self.used - 1]
            number = self.queue.pop(0)
            self.states[number] = state
            if not state["done"]:
                self.queue.append(number)
            self.group, self.used = None, 0
        return None

    @property
    def report(self) -> dict[str, int]:
        """Counts of rows, documents, tokens, and rows left out, so far."""
        states = self.states | ({self.queue[0]: self.group[1]} if self.group else {})
        return {name: sum(state["counts"][name] for state in states.values()) for name in FRESH["counts"]}

    def state_dict(self) -> State:
        """All that is needed to go on: plain values for JSON, and a tensor "buffer" of the blocks that wait."""
        return {
            "settings": self.settings,
            "readers": {str(number): state for number, state in self.states.items()},
            "queue": list(self.queue),
            "used": self.used,
            "rng": self.rng.bit_generator.state,
            "buffer": torch.from_numpy(np.stack(self.buffer) if self.buffer else np.empty((0, 0), dtype=np.int32)),
        }


def _what_must_agree(settings: StreamSettings) -> dict[str, Any]:
    """What must be the same for a state to make sense. Folders may change, files must not."""
    free = ("files", "encoding", "storage_options", "epochs")
    found = {name: value for name, value in vars(settings).items() if name not in free}
    names = "\n".join(PurePath(file).name for file in settings.files)
    found["files"] = f"{len(settings.files)} named {zlib.crc32(names.encode()):08x}"
    return found | {"tokenizer": fingerprint(settings.encoding)}


def _what_is_wrong(state: Any, settings: StreamSettings, numbers: Collection[int]) -> str:
    """Why it is no state to go on from, as a clause; "" where nothing is wrong.

    Everything is looked at here: a reader would stumble much later, in a process of its own.
    """
    try:
        if changed := differences(state["settings"], _what_must_agree(settings)):
            return f"belongs to another stream ({'; '.join(changed)})"
        np.random.PCG64().state = state["rng"]
        readers = {int(number): found for number, found in state["readers"].items()}
        buffer, whole, ids = state["buffer"], [state["used"], *state["queue"]], []
        for found in readers.values():
            whole += [*found["counts"].values(), *(found[name] for name in ("epoch", "file", "row"))]
            ids += found["rest"]
        fine = (
            readers.keys() == set(numbers)
            and sorted(state["queue"]) == sorted(number for number, found in readers.items() if not found["done"])
            and all(found.keys() == FRESH.keys() and isinstance(found["rest"], list) for found in readers.values())
            and all(found["counts"].keys() == FRESH["counts"].keys() for found in readers.values())
            and all(type(number) is int and 0 <= number < 2**63 for number in whole)
            and all(type(token) is int and PADDING <= token < settings.encoding.n_vocab for token in ids)
            and buffer.dtype == torch.int32
            and (not len(buffer) or buffer.shape[1:] == (settings.block_size + 1,))
            and (not len(buffer) or (buffer.min() >= PADDING and buffer.max() < settings.encoding.n_vocab))
        )
    except (AttributeError, LookupError, OverflowError, TypeError, ValueError):  # nearly anything can be in there
        fine = False
    return "" if fine else "is damaged, or none of a stream"


def _in_workers(starts: list[tuple[Reader, State]]) -> Generator[Group]:
    """The groups of readers in turn, each reader in a process of its own; torch's loader asks them in this order."""
    s3 = any(file.startswith("s3://") for reader, _ in starts for file in reader.settings.files)
    context = "spawn" if s3 else None  # pyarrow's S3 client does not survive a fork
    for item in DataLoader(
        _Workers(starts), batch_size=None, num_workers=len(starts), collate_fn=copy, multiprocessing_context=context
    ):
        if isinstance(item, Exception):
            raise item
        yield item


class _Workers(IterableDataset[Any]):
    """Worker i of a DataLoader runs reader i. What goes wrong is sent as it is: torch would bury it in a traceback."""

    def __init__(self, starts: list[tuple[Reader, State]]) -> None:
        self.starts = starts

    def __iter__(self) -> Iterator[Any]:
        import fsspec.asyn

        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that trains, which ends its workers
        # After a fork: remote file systems need a thread of their own, and those that came along must not be cleared
        # away here, since each would wait a second for the thread that it had.
        fsspec.asyn.reset_lock()
        gc.freeze()
        reader, state = self.starts[get_worker_info().id]  # type: ignore[union-attr]
        try:
            yield from reader.groups(state)
        except (OSError, ValueError) as error:
            yield type(error)(str(error))


def as_batch(blocks: np.ndarray, settings: StreamSettings) -> tuple[torch.Tensor, torch.Tensor]:
    """Blocks (..., block_size + 1) as x and y, (..., block_size) int64; in x the padding is end-of-text."""
    x, y = blocks[..., :-1].astype(np.int64), blocks[..., 1:].astype(np.int64)
    x[x == PADDING] = settings.encoding.eot_token
    return torch.from_numpy(x), torch.from_numpy(y)
