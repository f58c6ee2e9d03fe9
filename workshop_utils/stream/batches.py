"""A stream as train() wants it: the next batch, a state for the checkpoint, and worker processes that read ahead."""

from __future__ import annotations

import gc
import signal
from collections.abc import Generator, Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from workshop_utils.stream.blocks import (
    Blocks,
    Pair,
    as_batch,
    check_settings,
    in_this_process,
    report_of,
    settings_of,
)
from workshop_utils.stream.readers import Group, Plan, Reader, State
from workshop_utils.stream.s3 import has_s3fs
from workshop_utils.text.tokenizer import fingerprint


class StreamBatches:
    """A stream as batches, for train() and for any loop: next batch, state, report.

    With workers, each of them reads its share and sends groups of blocks; the shuffle is done here, so the position of
    a worker is a few numbers that come along with each group.

    Attributes:
        fingerprint, vocab_size: of the tokenizer.
        rank, world_size: whose share this is, and between how many processes the rows are divided.
    """

    def __init__(
        self, readers: list[Reader], shuffle_buffer: int, num_workers: int, rank: int = 0, world_size: int = 1
    ) -> None:
        """Use StreamingTokenDataset.batches()."""
        self.readers, self.shuffle_buffer, self.num_workers = readers, shuffle_buffer, num_workers
        self.rank, self.world_size = rank, world_size
        self.plan = readers[0].plan
        self.fingerprint, self.vocab_size = fingerprint(self.plan.encoding), self.plan.encoding.n_vocab
        self._settings = settings_of(self.plan, readers, shuffle_buffer)
        self._blocks: Blocks | None = None

    def _opened(self, state: State | None = None) -> Blocks:
        if self._blocks is None:
            groups = by_workers if self.num_workers else in_this_process
            self._blocks = Blocks(self.readers, self.shuffle_buffer, groups, state)
        return self._blocks

    def batch(self, how: str, batch_size: int, block_size: int, generator: torch.Generator | None = None) -> Pair:
        """The next batch; the last one of a stream that ends may be smaller.

        Args:
            how: "windows", the only way in which a stream comes.
            batch_size: B.
            block_size: T, that of the stream.
            generator: not needed; the stream has its own random numbers, which are part of its state.

        Returns:
            x, y: (B, T) int64.

        Raises:
            ValueError: how or block_size is another one, or the stream has ended.
        """
        if how != "windows":
            raise ValueError(f'how is {how!r}: a stream comes as "windows"; whole documents in rows need a token file')
        if block_size != self.plan.block_size:
            raise ValueError(
                f"block_size is {block_size}, but this stream is packed into blocks of {self.plan.block_size}: make "
                "the stream with the model's block_size"
            )
        blocks = [block for _, block in zip(range(batch_size), self._opened(), strict=False)]
        if not blocks:
            raise ValueError(
                f"the stream has ended after {self.plan.epochs} epochs and {self.report['tokens']:,} tokens: ask for "
                "fewer steps, or for epochs=None"
            )
        return as_batch(blocks, self.plan)

    @property
    def report(self) -> dict[str, Any]:
        """Counts of rows, documents, tokens and rows left out, and sentences about these."""
        return report_of(self._blocks)

    def state_dict(self) -> State:
        """The exact position: plain values for JSON, and a tensor "buffer" with the blocks that wait."""
        return self._opened().state_dict() | {"settings": self._settings}

    def load_state_dict(self, state: State) -> None:
        """Go on exactly where state_dict() was asked, with as many readers as then.

        Args:
            state: what state_dict() returned.

        Raises:
            ValueError: it belongs to another stream; the message says what differs.
        """
        check_settings(state, self._settings)
        self.close()
        self._opened(state)

    def close(self) -> None:
        """End the workers; the next batch would begin from the start."""
        if self._blocks is not None:
            self._blocks.close()
        self._blocks = None


class HeldBlocks:
    """A few blocks in memory, drawn at random like the windows of a token file."""

    def __init__(self, blocks: list[np.ndarray], plan: Plan) -> None:
        """Use StreamingTokenDataset.held_out()."""
        self.x, self.y = as_batch(blocks, plan)
        self.fingerprint, self.vocab_size = fingerprint(plan.encoding), plan.encoding.n_vocab

    def __len__(self) -> int:
        return len(self.x)

    def batch(self, how: str, batch_size: int, block_size: int, generator: torch.Generator) -> Pair:
        """A batch of these blocks, drawn with replacement.

        Args:
            how: "windows".
            batch_size: B.
            block_size: T, that of the stream.
            generator: where the random numbers come from (on the CPU).

        Raises:
            ValueError: how or block_size is another one.
        """
        if how != "windows" or block_size != self.x.size(1):
            raise ValueError(f'how is {how!r} and block_size {block_size}: these are "windows" of {self.x.size(1)}')
        chosen = torch.randint(len(self.x), (batch_size,), generator=generator)
        return self.x[chosen], self.y[chosen]


def by_workers(starts: list[tuple[Reader, State]]) -> Generator[Group]:
    """The groups of readers in turn, each reader in a process of its own.

    Args:
        starts: readers with the states that they begin from.
    """
    if not starts:
        return
    plan = starts[0][0].plan
    # pyarrow's S3 client does not survive a fork.
    spawn = any(file.startswith("s3://") for file in plan.files) and not has_s3fs()
    loader = DataLoader(
        _Workers(starts),
        batch_size=None,
        num_workers=len(starts),
        collate_fn=_as_it_is,
        multiprocessing_context="spawn" if spawn else None,
    )
    for item in loader:
        if isinstance(item, Exception):
            raise item
        yield item


class _Workers(IterableDataset[Any]):
    """Worker i of a DataLoader runs reader i. What goes wrong is sent as it is: torch would bury it in a traceback."""

    def __init__(self, starts: list[tuple[Reader, State]]) -> None:
        self.starts = starts

    def __iter__(self) -> Iterator[Any]:
        import fsspec.asyn

        worker = get_worker_info()
        assert worker is not None  # a DataLoader with workers calls this
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that trains, which ends its workers
        # After a fork: remote file systems need a thread of their own, and those that came along must not be cleared
        # away here, since each would wait a second for the thread that it had.
        fsspec.asyn.reset_lock()
        gc.freeze()
        reader, state = self.starts[worker.id]
        try:
            yield from reader.groups(state)
        except (OSError, ValueError) as error:
            yield type(error)(str(error))


def _as_it_is(item: Any) -> Any:
    return item
