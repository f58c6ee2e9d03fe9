"""Token files: a corpus as one flat array of ids on the disk, made once, read through memmap.

The second station of the data's way: documents -> tokens -> token file -> batches. tokenise.py writes them.
"""

from __future__ import annotations

import json
import zlib
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tiktoken
import torch

from workshop_utils.text.tokenizer import fingerprint

MAGIC = b"SLMTOKEN"
HEADER_BYTES = 1024  # magic (8), crc32 of the rest (4), JSON padded with spaces (1012)
VERSION = 1
SCAN_TOKENS = 8_000_000  # how much of a file is looked at in one go to find where the documents end


class TokenFile:
    """A token file, open for reading: nothing is loaded before it is asked for.

    Attributes:
        path: the file.
        tokens: (n_tokens,) all ids as a numpy memmap, uint16 or uint32.
        n_tokens, n_documents, n_empty: how many ids, documents, and documents that were skipped as empty.
        fingerprint, tokenizer, vocab_size, eot_token: of the tokenizer that made the ids.
    """

    def __init__(self, path: str | Path, encoding: tiktoken.Encoding | None = None) -> None:
        """Open a token file.

        Args:
            path: what write_token_file wrote.
            encoding: the tokenizer that you are going to use; a file of another one is refused.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is no token file, is damaged or incomplete, or belongs to another tokenizer.
        """
        self.path = Path(path)
        header = _read_header(self.path)
        self.n_tokens: int = header["n_tokens"]
        self.n_documents: int = header["n_documents"]
        self.n_empty: int = header["n_empty"]
        self.fingerprint: str = header["fingerprint"]
        self.tokenizer: str = header["tokenizer"]
        self.vocab_size: int = header["vocab_size"]
        self.eot_token: int = header["eot_token"]
        if encoding is not None and fingerprint(encoding) != self.fingerprint:
            raise ValueError(
                f"{self.path.name} was made with the tokenizer {self.tokenizer!r} ({self.fingerprint}), but you use "
                f"{encoding.name!r} ({fingerprint(encoding)}): the same ids mean other words there; make the file "
                "again with your tokenizer, or load the one that made it"
            )
        dtype = np.dtype(header["dtype"])
        expected, found = HEADER_BYTES + self.n_tokens * dtype.itemsize, self.path.stat().st_size
        if found != expected:
            raise ValueError(
                f"{self.path.name} has {found:,} bytes, but its {self.n_tokens:,} tokens take {expected:,}: a copy or "
                "download was cut short; copy it again, or delete it and let it be made again"
            )
        self.tokens = np.memmap(self.path, dtype=dtype, mode="r", offset=HEADER_BYTES, shape=(self.n_tokens,))

    def __len__(self) -> int:
        return self.n_tokens

    def __repr__(self) -> str:
        return (
            f"TokenFile({self.path.name}: {self.n_tokens:,} tokens, {self.n_documents:,} documents, "
            f"{self.tokens.dtype}, tokenizer {self.tokenizer} of {self.vocab_size:,}, {self.fingerprint})"
        )

    @cached_property
    def _ends(self) -> np.ndarray:
        """(n_documents,) where each document's end-of-text token is, found in pieces so that memory stays small."""
        found = [
            np.flatnonzero(self.tokens[start : start + SCAN_TOKENS] == self.eot_token) + start
            for start in range(0, self.n_tokens, SCAN_TOKENS)
        ]
        ends = np.concatenate(found)
        if len(ends) != self.n_documents or ends[-1] != self.n_tokens - 1:
            raise ValueError(
                f"{self.path.name} should hold {self.n_documents:,} documents, but {len(ends):,} end-of-text tokens "
                "were found: its content is damaged, delete it and let it be made again"
            )
        return ends

    def _bounds(self, i: int) -> tuple[int, int]:
        ends = self._ends
        return int(ends[i - 1]) + 1 if i else 0, int(ends[i])

    def document(self, i: int) -> np.ndarray:
        """The ids of one document, without the end-of-text token.

        Args:
            i: 0 to n_documents - 1.

        Raises:
            IndexError: there is no such document.
        """
        if not 0 <= i < self.n_documents:
            raise IndexError(f"there is no document {i}: {self.path.name} holds 0 to {self.n_documents - 1}")
        start, end = self._bounds(i)
        return self.tokens[start:end]

    def share_in_rows(self, block_size: int) -> float:
        """The share of all tokens that rows() can ever show: it cuts a longer document, and its rest is never seen.

        Args:
            block_size: the longest T.
        """
        lengths = np.diff(self._ends, prepend=-1)  # with the end-of-text token
        return float(np.minimum(lengths, block_size).sum()) / self.n_tokens

    def windows(
        self, batch_size: int, block_size: int, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Random windows of the concatenated documents, nanoGPT's way.

        Args:
            batch_size: B, number of windows.
            block_size: T, tokens in a window.
            generator: where the random numbers come from (on the CPU).

        Returns:
            x, y: (B, T) int64; y is x moved on by one token.

        Raises:
            ValueError: the file is shorter than a window.
        """
        if self.n_tokens <= block_size:
            raise ValueError(
                f"{self.path.name} has {self.n_tokens:,} tokens, but a window of block_size {block_size} needs "
                f"{block_size + 1}: use more text or a smaller block_size"
            )
        starts = torch.randint(self.n_tokens - block_size, (batch_size,), generator=generator)
        both = np.empty((batch_size, block_size + 1), dtype=np.int64)
        for row, start in enumerate(starts.tolist()):
            both[row] = self.tokens[start : start + block_size + 1]
        return torch.from_numpy(both[:, :-1].copy()), torch.from_numpy(both[:, 1:].copy())

    def rows(self, batch_size: int, block_size: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Random documents, one in a row: tiny models learn to carry a name through a text only this way.

        A row is x = [end-of-text, d0, d1, ...] and y = [d0, d1, ..., end-of-text], so that a model also learns how a
        document begins and when it is over. It is as long as the longest document of the batch, rounded up to a
        multiple of 8, at most block_size; a longer document is cut and then has no end-of-text target.

        Args:
            batch_size: B, number of documents, drawn with replacement.
            block_size: the longest T.
            generator: where the random numbers come from (on the CPU).

        Returns:
            x: (B, T) int64, filled up with the end-of-text token.
            y: (B, T) int64, x moved on by one token, filled up with -1, which the loss ignores.

        Raises:
            ValueError: batch_size or block_size is smaller than 1.
        """
        if batch_size < 1 or block_size < 1:
            raise ValueError(f"batch_size {batch_size} and block_size {block_size} must both be at least 1")
        chosen = torch.randint(self.n_documents, (batch_size,), generator=generator).tolist()
        bounds = [self._bounds(i) for i in chosen]
        longest = max(end - start for start, end in bounds) + 1  # one more for the end-of-text token
        width = min(-(-longest // 8) * 8, block_size)
        x = np.full((batch_size, width), self.eot_token, dtype=np.int64)
        y = np.full((batch_size, width), -1, dtype=np.int64)
        for row, (start, end) in enumerate(bounds):
            length = min(end - start + 1, width)
            y[row, :length] = self.tokens[start : start + length]
            x[row, 1:length] = y[row, : length - 1]
        return torch.from_numpy(x), torch.from_numpy(y)

    def batch(
        self, how: str, batch_size: int, block_size: int, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """A batch by name: windows or rows.

        Args:
            how: "windows" or "rows".
            batch_size: B.
            block_size: the longest T.
            generator: where the random numbers come from (on the CPU).

        Raises:
            ValueError: how is something else.
        """
        if how == "windows":
            return self.windows(batch_size, block_size, generator)
        if how == "rows":
            return self.rows(batch_size, block_size, generator)
        raise ValueError(f'how is {how!r}: choose "windows" (random stretches) or "rows" (one document a row)')


def header_bytes(header: dict[str, Any]) -> bytes:
    """A header as it stands at the start of the file, HEADER_BYTES long.

    Args:
        header: what the file holds; small enough for its place.
    """
    content = json.dumps({"version": VERSION, **header}).encode().ljust(HEADER_BYTES - 12)
    return MAGIC + zlib.crc32(content).to_bytes(4, "little") + content


def _read_header(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"there is no token file at {path}: check the path, or make one with write_token_file")
    with path.open("rb") as file:
        head = file.read(HEADER_BYTES)
    if head[:8] != MAGIC:
        raise ValueError(f"{path.name} is no token file of this workshop: make one from text with write_token_file")
    content = head[12:]
    if len(head) < HEADER_BYTES or zlib.crc32(content) != int.from_bytes(head[8:12], "little"):
        raise ValueError(f"the header of {path.name} is damaged: copy the file again, or delete it and make it again")
    header: dict[str, Any] = json.loads(content)
    if header["version"] != VERSION:
        raise ValueError(
            f"{path.name} has format version {header['version']}, this package reads {VERSION}: make the file again"
        )
    return header
