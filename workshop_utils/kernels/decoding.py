"""One new token after the other, in tensors that stay where they are, so that a GPU can replay the pass of a token."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from workshop_utils.kernels.graphs import recorded


class Filled(Protocol):
    """A cache of keys and values (B, n_head, capacity, head_dim), of which the first `length` positions are filled."""

    capacity: int
    length: int
    k: Tensor
    v: Tensor


class FixedCache:
    """Goes on from a filled cache, one position at a time.

    Attributes:
        place: (1,) the new position.
        seen: (1, capacity) what is added to the scores: 0 for the positions up to there, minus infinity behind.
        length: 0, since how many positions are filled is known on the device only.
    """

    def __init__(self, filled: Filled, place: Tensor, seen: Tensor) -> None:
        self.length, self.place, self.seen = 0, place, seen
        self.k, self.v = torch.zeros_like(filled.k), torch.zeros_like(filled.v)  # a NaN would be one behind a mask, too
        for mine, theirs in ((self.k, filled.k), (self.v, filled.v)):
            mine[:, :, : filled.length] = theirs[:, :, : filled.length]

    def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Put the new position in its place; returns all positions, also those that are still empty."""
        return self.k.index_copy_(2, self.place, k), self.v.index_copy_(2, self.place, v)


def fixed_step(
    compute: Callable[[Tensor, list[FixedCache]], Tensor], filled: Sequence[Filled]
) -> Callable[[Tensor], Tensor]:
    """Prepare the pass of one token behind the filled caches of all layers.

    Args:
        compute: the model, in eval mode: a token (B, 1) and the caches -> logits (B, 1, vocab_size).
        filled: with the keys and values of the prompt, which are copied.

    Returns:
        a function of the new token (B, 1). On a GPU it replays a CUDA graph, where one can be recorded; the logits that
        it returns are overwritten by the next call.
    """
    k, length = filled[0].k, filled[0].length
    token = torch.zeros(k.size(0), 1, dtype=torch.int64, device=k.device)
    place = torch.full((1,), length, device=k.device)
    seen = k.new_full((1, filled[0].capacity), float("-inf"))
    seen[:, :length] = 0.0
    layers = [FixedCache(layer, place, seen) for layer in filled]

    def one_pass() -> Tensor:
        seen.index_fill_(1, place, 0.0)  # a graph runs no Python: what moves on must do so on the device
        logits = compute(token, layers)
        place.add_(1)
        return logits

    step = (recorded(one_pass, lambda: place.fill_(length)) if k.is_cuda else None) or one_pass

    def of_token(new: Tensor) -> Tensor:
        token.copy_(new)
        return step()

    return of_token
