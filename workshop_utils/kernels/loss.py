"""Cross-entropy of a language model's head, without all of its logits in memory."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor


def loss_in_pieces(x: Tensor, head: Tensor, targets: Tensor, size: int) -> Tensor:
    """The mean cross-entropy of x @ head.T in nats, computed for some rows at a time.

    Args:
        x: (N, C), what the head reads.
        head: (V, C).
        targets: (N,), -1 where a row does not count.
        size: rows of a piece.

    Returns:
        what torch's cross_entropy gives for float32 logits with ignore_index=-1, with the same gradients.
    """
    return cast("Tensor", _LossInPieces.apply(x, head, targets, size, torch.is_grad_enabled()))


class _LossInPieces(torch.autograd.Function):
    """The gradients of a piece's logits are made while these are there, so that nothing is computed twice.

    They are gradients of the sum, at most 1 each. The mean, which in float16 could make them 0, comes in float32 on the
    way back, with whatever scale the loss has.

    Source: the idea is that of Liger Kernel (Hsu et al., arXiv 2410.10989); since 2.13 torch has such a loss as well,
        linear_cross_entropy.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, head: Tensor, targets: Tensor, size: int, trained: bool) -> Tensor:
        mixed = torch.is_autocast_enabled(x.device.type)
        dtype = torch.get_autocast_dtype(x.device.type) if mixed else x.dtype
        weight, total = head.to(dtype), torch.zeros((), device=x.device)
        dx, dhead = torch.empty_like(x), torch.zeros_like(head)
        for start in range(0, x.size(0), size):
            rows = slice(start, start + size)
            inputs, counts = x[rows].to(dtype), (targets[rows] != -1).float()[:, None]
            wanted = targets[rows].clamp(min=0)[:, None]
            logs = (inputs @ weight.T).log_softmax(dim=-1, dtype=torch.float32)  # (size, V)
            total = total - (logs.gather(1, wanted) * counts).sum()
            if trained:
                error = logs.exp_().scatter_add_(1, wanted, -torch.ones_like(counts)).mul_(counts).to(dtype)
                dx[rows] = (error @ weight).to(x.dtype)  # error: p - one-hot
                dhead += error.T @ inputs
                del error
            del logs  # or those of two pieces would be there at once
        n = (targets != -1).sum()
        ctx.save_for_backward(dx, dhead, n)
        return total / n

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        dx, dhead, n = ctx.saved_tensors
        return dx * (gradient / n), dhead * (gradient / n), None, None, None
