"""A corpus that is never all there: StreamingTokenDataset reads, tokenises, packs and shuffles while the model trains.

The same (x, y) as from a token file, of text that may be larger than the disk: for many processes that read nothing
twice, connections that drop, and sessions that end. Lesson 06 tells the story.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
import tiktoken
from torch.utils.data import IterableDataset, get_worker_info

from workshop_utils.gpt.config import Count, Name, NotNegative, Percent, Seed, Size, Whole, checked, one_of
from workshop_utils.stream.batches import HeldBlocks, StreamBatches
from workshop_utils.stream.blocks import (
    Blocks,
    Pair,
    as_batch,
    check_settings,
    in_this_process,
    report_of,
    settings_of,
)
from workshop_utils.stream.files import list_files
from workshop_utils.stream.readers import Plan, Reader, State
from workshop_utils.text.corpus import TEXT_COLUMN, VAL_PERCENT
from workshop_utils.text.tokenizer import fingerprint


class StreamingTokenDataset(IterableDataset[Pair]):
    """Blocks of tokens out of a stream of documents: (x, y), both (block_size,) int64, y moved on by one token.

    Documents are packed one after the other, an end-of-text token after each, and go on over the ends of blocks. The
    split is decided by a hash of each text, so it needs no list and is the same in every order. The shuffle is
    approximate: files in a new order in every epoch, and blocks drawn at random from a buffer. At the end of the last
    epoch the last block is filled up (x with end-of-text, y with -1, which the loss ignores), so nothing is left out.

    Works in torch's DataLoader with any number of workers; each reads its own share. For a state with workers use
    batches(), since a plain DataLoader cannot say how far its workers were.

    Attributes:
        fingerprint, vocab_size: of the tokenizer.
        files: what is read.
        report: counts of rows, documents and tokens, of rows that were left out by kind, and sentences about these.
    """

    def __init__(
        self,
        source: Any,
        encoding: tiktoken.Encoding,
        block_size: int,
        split: str = "train",
        rank: int = 0,
        world_size: int = 1,
        shuffle_buffer: int = 1000,
        seed: int = 0,
        text_column: str = TEXT_COLUMN,
        storage_options: dict[str, Any] | None = None,
        val_percent: int = VAL_PERCENT,
        epochs: int | None = 1,
        attempts: int = 10,
        wait: float = 0.25,
    ) -> None:
        """Find the files; nothing is read yet.

        Args:
            source: a data set of text.corpus.HUB_SETS; a file, folder or pattern of .parquet or .jsonl files (also
                packed, as .gz, .bz2, .xz or .zst); such a URL (s3://, hf://, gs://, ...); an http(s) URL of a file;
                or a list of these.
            encoding: the tokenizer.
            block_size: T, tokens in x and in y.
            split: "train" or "val".
            rank: of this process, 0 to world_size - 1.
            world_size: how many processes share the documents, with torchrun training.world().size. They end
                unevenly: count steps, not epochs.
            shuffle_buffer: blocks that wait to be drawn from; 0 keeps the order. They are part of the state.
            seed: of the order; the same on all ranks.
            text_column: where the text is.
            storage_options: for a remote file system, as in fsspec.
            val_percent: share of documents in the split "val".
            epochs: how often all is read; None goes on without end, each time in another order.
            attempts: how often a remote file is asked before giving up; `datasets` itself also tries each read again.
            wait: seconds before the second attempt, doubled each time up to 10.

        Raises:
            FileNotFoundError: there is no such file.
            ConnectionError: the source cannot be reached.
            ValueError: an argument is out of range.
        """
        for name, value, kind in (
            ("block_size", block_size, Size),
            ("split", split, Annotated[str, one_of("train", "val")]),
            ("rank", rank, Whole),
            ("world_size", world_size, Count),
            ("shuffle_buffer", shuffle_buffer, Whole),
            ("seed", seed, Seed),
            ("text_column", text_column, Name),
            ("storage_options", storage_options or {}, dict[str, Any]),
            ("val_percent", val_percent, Percent),
            ("epochs", 1 if epochs is None else epochs, Count),
            ("attempts", attempts, Count),
            ("wait", wait, NotNegative),
        ):
            checked(name, value, kind)
        if not isinstance(encoding, tiktoken.Encoding):
            raise ValueError(f"encoding is {encoding!r:.60}: pass a tokenizer, such as text.gpt2() or that of a run")
        if rank >= world_size:
            raise ValueError(f"rank is {rank}: with world_size {world_size} it goes from 0 to {world_size - 1}")
        need_datasets()
        first = rank == 0 and split == "train"  # or the same would be said again and again
        self.files = list_files(source, storage_options, print if first else None)
        self.plan = Plan(
            files=tuple(self.files),
            encoding=encoding,
            block_size=block_size,
            split=split,
            val_percent=val_percent,
            text_column=text_column,
            seed=seed,
            shuffle=shuffle_buffer > 1,
            epochs=epochs,
            storage_options=storage_options,
            attempts=attempts,
            wait=wait,
        )
        self.rank, self.world_size, self.shuffle_buffer = rank, world_size, shuffle_buffer
        self.fingerprint, self.vocab_size = fingerprint(encoding), encoding.n_vocab
        self._blocks: Blocks | None = None
        self._loaded: State | None = None

    def __repr__(self) -> str:
        plan = self.plan
        return (
            f"StreamingTokenDataset({len(self.files)} files, {plan.split}, blocks of {plan.block_size}, rank "
            f"{self.rank} of {self.world_size}, shuffle_buffer {self.shuffle_buffer}, tokenizer {plan.encoding.name})"
        )

    def __iter__(self) -> Iterator[Pair]:
        """From the beginning, or from the state that was loaded last."""
        readers = self._readers(*self._place())
        state, self._loaded = self._loaded, None
        self._blocks = Blocks(readers, self.shuffle_buffer, in_this_process, state)
        return map(self._pair, self._blocks)

    def _pair(self, block: np.ndarray) -> Pair:
        x, y = as_batch([block], self.plan)
        return x[0], y[0]

    def _place(self) -> tuple[int, int]:
        """Which worker of a DataLoader this is, of how many."""
        worker = get_worker_info()
        return (worker.id, worker.num_workers) if worker else (0, 1)

    def _readers(self, worker: int, workers: int) -> list[Reader]:
        return [Reader(self.plan, self.rank * workers + worker, self.world_size * workers)]

    @property
    def report(self) -> dict[str, Any]:
        """What the last iteration in this process has read."""
        return report_of(self._blocks)

    def state_dict(self) -> State:
        """The exact position of the last iteration in this process: plain values for JSON, and a tensor "buffer"."""
        settings = settings_of(self.plan, self._readers(*self._place()), self.shuffle_buffer)
        position = self._blocks.state_dict() if self._blocks is not None else self._loaded or {}
        return position | {"settings": settings}

    def load_state_dict(self, state: State) -> None:
        """Let the next iteration go on exactly where state_dict() was asked.

        Args:
            state: what state_dict() returned, for the same settings.

        Raises:
            ValueError: it belongs to another stream; the message says what differs.
        """
        check_settings(state, settings_of(self.plan, self._readers(*self._place()), self.shuffle_buffer))
        self._loaded = state if "readers" in state else None
        self._blocks = None

    def batches(self, num_workers: int = 0, epochs: int | None = None) -> StreamBatches:
        """The stream as train() wants it.

        Args:
            num_workers: processes that read and tokenise ahead; 0 does it in between.
            epochs: how often all is read; None goes on without end.
        """
        plan = dataclasses.replace(self.plan, epochs=epochs)
        n = max(1, num_workers)
        readers = [Reader(plan, self.rank * n + worker, self.world_size * n) for worker in range(n)]
        return StreamBatches(readers, self.shuffle_buffer, num_workers, self.rank, self.world_size)

    def held_out(self, n_blocks: int) -> HeldBlocks:
        """The first blocks of the split, kept in memory: something to measure the loss on, the same every time.

        Args:
            n_blocks: how many at most.
        """
        plan = dataclasses.replace(self.plan, epochs=1, shuffle=False)
        blocks = Blocks([Reader(plan, 0, 1)], 0, in_this_process)  # the same on all ranks
        return HeldBlocks([block for _, block in zip(range(n_blocks), blocks, strict=False)], plan)


def need_datasets() -> None:
    """Say how to install what reads the files, if it is missing.

    Raises:
        ModuleNotFoundError: `datasets` is not installed.
    """
    import importlib.util

    if importlib.util.find_spec("datasets") is None:
        raise ModuleNotFoundError("streaming reads with datasets, which is missing: pip install 'slm-workshop[hub]'")
