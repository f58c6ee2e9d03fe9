"""Rows of tokens in memory, with a note of what is learnt from: chats, where only the replies count.

It gives batches to `train` as a TokenFile does, but cuts them by tokens and not by rows: short rows share a batch with
other short ones, so that hardly anything is spent on padding.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

# Widths of batches are multiples of this, so that they come in few shapes: kernels are made anew for each new one.
STEP = 16


class Rows:
    """Documents or conversations, one a row.

    Attributes:
        fingerprint: of the tokenizer that made the ids.
        vocab_size: of that tokenizer.
    """

    def __init__(
        self, rows: Iterable[tuple[Sequence[int], Sequence[bool] | None]], fingerprint: str, vocab_size: int
    ) -> None:
        """Sort the rows by length and lay them out one after the other.

        Args:
            rows: ids, and for each of them whether it is learnt from; None means all.
            fingerprint: of the tokenizer.
            vocab_size: of the tokenizer, at most 65,536.

        Raises:
            ValueError: there are no rows, or a row has fewer than two tokens.
        """
        packed = []
        for number, (ids, trained) in enumerate(rows):
            if len(ids) < 2:
                raise ValueError(f"row {number} has {len(ids)} tokens: there must be one to predict another from")
            packed.append((np.asarray(ids, np.uint16), np.ones(len(ids), bool) if trained is None else trained))
        if not packed:
            raise ValueError("there are no rows: nothing can be learnt from nothing")
        packed.sort(key=lambda row: len(row[0]))  # stable: the same rows give the same order
        self.fingerprint, self.vocab_size = fingerprint, vocab_size
        self.ids = np.concatenate([ids for ids, _ in packed])
        self.trained = np.concatenate([np.asarray(trained, bool) for _, trained in packed])
        self.ends = np.cumsum([len(ids) for ids, _ in packed])
        self.lengths = np.diff(self.ends, prepend=0)
        self.widths = -(-(self.lengths - 1) // STEP) * STEP  # a row of n tokens predicts n - 1
        self.places = np.cumsum(self.widths)

    def __len__(self) -> int:
        return len(self.ends)

    def batch(self, how: str, batch_size: int, block_size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw rows of about equal length, with about batch_size * block_size tokens together.

        A place in the padded text is drawn evenly, and then rows of the width that is found there: over time each row
        comes equally often, and each batch costs about the same.

        Args:
            how: "rows"; there are no windows here.
            batch_size: whole rows of block_size that would fill the batch.
            block_size: longest row that the model can take; longer ones lose their end.
            generator: source of randomness.

        Returns:
            x and y (B, T): y[t] is the token after x[t], or -1 where it is not learnt from.

        Raises:
            ValueError: how is something else.
        """
        if how != "rows":
            raise ValueError(f'how is {how!r}: rows of conversations can only be drawn as "rows"')
        place = int(torch.randint(int(self.places[-1]), (1,), generator=generator))
        found = int(np.searchsorted(self.places, place, side="right"))
        width = int(self.widths[found])
        first, end = np.searchsorted(self.widths, (width, width + 1))
        width = min(width, block_size)
        n = max(1, batch_size * block_size // width)
        chosen = (first + torch.randint(int(end - first), (n,), generator=generator)).tolist()
        x = np.zeros((n, width), np.int64)
        y = np.full((n, width), -1, np.int64)
        for i, row in enumerate(chosen):
            end, length = int(self.ends[row]), min(int(self.lengths[row]), block_size + 1)
            start = end - int(self.lengths[row])
            ids, trained = self.ids[start : start + length], self.trained[start : start + length]
            x[i, : length - 1] = ids[:-1]
            y[i, : length - 1] = np.where(trained[1:], ids[1:].astype(np.int64), -1)
        return torch.from_numpy(x), torch.from_numpy(y)
