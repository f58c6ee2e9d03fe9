"""A corpus that is never all there, of any size: the same (x, y) as from a token file. Lesson 06 tells the story."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from itertools import islice
from typing import Any

import numpy as np
import tiktoken
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from workshop_utils.stream.blocks import Blocks, as_batch
from workshop_utils.stream.files import list_files
from workshop_utils.stream.readers import State, StreamSettings
from workshop_utils.text.tokenizer import fingerprint

Pair = tuple[Tensor, Tensor]


class StreamingTokenDataset(IterableDataset[Pair]):
    """Blocks of tokens out of a stream of documents: (x, y), both (block_size,) int64, y moved on by one token.

    Documents are packed one after the other, an end-of-text token after each, and go on over the ends of blocks. The
    split is decided by a hash of each text, so it needs no list and is the same in every order. The shuffle is
    approximate: files in a new order in every epoch, and blocks drawn at random from a buffer. At the end of the last
    epoch the last block is filled up (x with end-of-text, y with -1, which the loss ignores), so nothing is left out.

    train() takes it as it is and keeps its state in the checkpoints. In torch's DataLoader each worker reads its own
    share, but such a loader cannot say how far its workers were: for a state with workers use num_workers.

    Attributes:
        files: what is read.
        fingerprint, vocab_size: of the tokenizer.
        rank, world_size: whose share this is, and between how many processes the rows are divided.
    """

    def __init__(self, source: Any, encoding: tiktoken.Encoding, block_size: int, **settings: Any) -> None:
        """Find the files; nothing is read yet.

        Args:
            source: a data set of text.corpus.HUB_SETS (from WORKSHOP_HUB if that is set); a file, folder or pattern
                of .parquet or .jsonl files (also compressed, as .gz, .bz2 or .zst); such a URL of any file system
                that fsspec knows (s3://, hf://, gs://, ...); an http(s) URL of a file; or a list of these.
            encoding: the tokenizer.
            block_size: T, tokens in x and in y.
            **settings: the other fields of StreamSettings: split, rank, world_size, shuffle_buffer, seed, text_column,
                val_percent, epochs, num_workers, storage_options.

        Raises:
            FileNotFoundError: there is no such file.
            ConnectionError: the source cannot be reached.
            ValueError: a setting is out of range.
            ModuleNotFoundError: what reads the files is not installed.
        """
        if find_spec("pyarrow") is None or find_spec("fsspec") is None:
            raise ModuleNotFoundError("a stream needs pyarrow and fsspec: pip install 'slm-workshop[hub]'")
        chosen = StreamSettings((), encoding, block_size, **settings)
        self.files = list_files(source, chosen.storage_options, quiet=chosen.rank > 0)
        self.settings = replace(chosen, files=tuple(self.files))
        self.rank, self.world_size = chosen.rank, chosen.world_size
        self.fingerprint, self.vocab_size = fingerprint(encoding), encoding.n_vocab
        self._blocks: Blocks | None = None
        self._loaded: State | None = None  # where the next iteration begins

    def _opened(self, state: State | None = None) -> Blocks:
        settings, worker = self.settings, get_worker_info()
        if worker is not None:
            rank, n_readers = self.rank * worker.num_workers + worker.id, self.world_size * worker.num_workers
            settings = replace(settings, rank=rank, world_size=n_readers, num_workers=0)
        return Blocks(settings, state)

    def __iter__(self) -> Iterator[Pair]:
        """From the beginning, or from the state that was loaded last."""
        self._blocks, self._loaded = self._opened(self._loaded), None
        return (as_batch(block, self.settings) for block in self._blocks)

    def batch(self, how: str, batch_size: int, block_size: int, generator: torch.Generator | None = None) -> Pair:
        """The next batch, for train(); the last one of a stream that ends may be smaller.

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
        _check_batch(how, block_size, self.settings.block_size)
        self._blocks, self._loaded = self._blocks or self._opened(), None
        blocks = list(islice(self._blocks, batch_size))
        if not blocks:
            raise ValueError(
                f"the stream has ended after {self.settings.epochs} epochs and {self.report['tokens']:,} tokens: ask "
                "for fewer steps, or for epochs=0, which goes on without end"
            )
        return as_batch(np.stack(blocks), self.settings)

    @property
    def report(self) -> dict[str, int]:
        """Counts of rows, documents, tokens, and rows left out, so far."""
        return self._blocks.report if self._blocks is not None else {}

    def state_dict(self) -> State:
        """The exact position: plain values for JSON, and a tensor "buffer" with the blocks that wait."""
        return (self._blocks or self._opened()).state_dict()

    def load_state_dict(self, state: State) -> None:
        """Go on exactly where state_dict() was asked.

        Args:
            state: what state_dict() returned, for the same settings.

        Raises:
            ValueError: it belongs to another stream, and the message says what differs; or it is damaged.
        """
        self._blocks, self._loaded = self._opened({} if state is None else state), state

    def held_out(self, n_blocks: int) -> HeldBlocks:
        """The first blocks of the split "val", in memory: to measure the loss on, the same on all ranks.

        Args:
            n_blocks: how many at most.
        """
        plain = replace(self.settings, rank=0, world_size=1, shuffle_buffer=0, epochs=1, num_workers=0)
        return HeldBlocks(list(islice(Blocks(replace(plain, split="val")), n_blocks)), plain)


class HeldBlocks:
    """A few blocks in memory, drawn at random like the windows of a token file."""

    def __init__(self, blocks: list[np.ndarray], settings: StreamSettings) -> None:
        """Use StreamingTokenDataset.held_out()."""
        self.x, self.y = as_batch(np.stack(blocks), settings)
        self.fingerprint, self.vocab_size = fingerprint(settings.encoding), settings.encoding.n_vocab

    def batch(self, how: str, batch_size: int, block_size: int, generator: torch.Generator) -> Pair:
        """A batch as StreamingTokenDataset.batch gives it, drawn with replacement by the generator."""
        _check_batch(how, block_size, self.x.size(1))
        chosen = torch.randint(len(self.x), (batch_size,), generator=generator)
        return self.x[chosen], self.y[chosen]


def _check_batch(how: str, block_size: int, there: int) -> None:
    if how != "windows" or block_size != there:
        raise ValueError(
            f'how is {how!r} and block_size {block_size}: this stream comes as "windows" of {there}, so make it with '
            'the model\'s block_size; whole documents in "rows" need a token file'
        )
