"""The first half of lesson 03's exercises, up to the block: references, inputs, and the mistakes that people make.

lesson03.py puts them together with the second half.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from workshop_utils.exercises.checks import Arguments, Mistakes, randn

# --- 03.1


def past_average(T: int) -> Tensor:
    """Weights (T, T): row t spreads 1 evenly over the positions 0 to t."""
    past = torch.ones(T, T).tril()
    return past / past.sum(dim=1, keepdim=True)


def lengths(rng: random.Random) -> Iterator[Arguments]:
    for T in (4, 1, rng.randrange(5, 9)):
        yield (T,)


def _past(T: int, diagonal: int = 0) -> Tensor:
    return torch.ones(T, T).tril(diagonal)


AVERAGE_MISTAKES: Mistakes = {
    "not divided": (
        _past,
        "the triangle is right, but its rows sum to more than 1. Divide each row by its own sum.",
    ),
    "divided by T": (
        lambda T: _past(T) / T,
        "you divided every row by T. Row 0 has only itself to look at: its weight should be 1.",
    ),
    "the future": (
        lambda T: past_average(T).T,
        "your triangle is the upper one: position 0 would look at everything that comes after it. Use tril.",
    ),
    "the future, averaged": (
        lambda T: _past(T).T / _past(T).T.sum(dim=1, keepdim=True),
        "your triangle is the upper one: position 0 would look at everything that comes after it. Use tril.",
    ),
    "everything": (
        lambda T: torch.full((T, T), 1 / T),
        "every row looks at all positions, the future too. Row t may look at 0 to t only.",
    ),
    "without itself": (
        lambda T: _past(T, -1) / _past(T, -1).sum(dim=1, keepdim=True),
        "a position may look at itself too: without the diagonal, row 0 divides nothing by nothing.",
    ),
    "columns": (
        lambda T: _past(T) / _past(T).sum(dim=0, keepdim=True),
        "you made the columns sum to 1. A row is one position that looks, so it is the rows: dim=1, keepdim=True.",
    ),
    "sums without keepdim": (
        lambda T: _past(T) / _past(T).sum(dim=1),
        "the sums are those of the rows, but you divided column by column: keepdim=True keeps the sums a column.",
    ),
}


# --- 03.2


def queries(rng: random.Random) -> Iterator[Arguments]:
    for shape in ((2, 3, 5, 16), (1, 6, 6), (4, 7, 8)):
        yield randn(rng, *shape), randn(rng, *shape)


def _scores(q: Tensor, k: Tensor) -> Tensor:
    return q @ k.transpose(-2, -1) / math.sqrt(q.size(-1))


def _future(scores: Tensor) -> Tensor:
    return torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)


def no_mask(q: Tensor, k: Tensor) -> Tensor:
    return _scores(q, k).softmax(-1)


def past_masked(q: Tensor, k: Tensor) -> Tensor:
    scores = _scores(q, k)
    return scores.masked_fill(~_future(scores) & ~torch.eye(scores.size(-1), dtype=torch.bool), -math.inf).softmax(-1)


def self_masked(q: Tensor, k: Tensor) -> Tensor:
    scores = _scores(q, k)
    return scores.masked_fill(torch.ones_like(_future(scores)).triu(0), -math.inf).softmax(-1)


def no_root(q: Tensor, k: Tensor) -> Tensor:
    scores = q @ k.transpose(-2, -1)
    return scores.masked_fill(_future(scores), -math.inf).softmax(-1)


def root_of_length(q: Tensor, k: Tensor) -> Tensor:
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.size(-2))
    return scores.masked_fill(_future(scores), -math.inf).softmax(-1)


def softmax_down(q: Tensor, k: Tensor) -> Tensor:
    scores = _scores(q, k)
    return scores.masked_fill(_future(scores), -math.inf).softmax(-2)


def mask_after(q: Tensor, k: Tensor) -> Tensor:
    scores = _scores(q, k)
    return scores.softmax(-1).masked_fill(_future(scores), 0)


def zeros_for_the_future(q: Tensor, k: Tensor) -> Tensor:
    scores = _scores(q, k)
    return scores.masked_fill(_future(scores), 0).softmax(-1)


def scores_only(q: Tensor, k: Tensor) -> Tensor:
    scores = _scores(q, k)
    return scores.masked_fill(_future(scores), -math.inf)


ATTENTION_MISTAKES: Mistakes = {
    "no mask": (
        no_mask,
        "position 0 looks at what comes after it: there is no mask. Fill the scores of the future with -inf.",
    ),
    "masks the past": (
        past_masked,
        "you masked the past and left the future open. True belongs where the column is later than the row: triu(1).",
    ),
    "masks itself": (
        self_masked,
        "a position may look at itself, but your mask covers the diagonal too, and row 0 is left with nothing (nan): "
        "triu(1), not triu().",
    ),
    "no square root": (no_root, "the scores are not divided by sqrt(head_dim), the root of the last dimension of q."),
    "root of T": (
        root_of_length,
        "you divided by the root of T, the number of positions. It is the root of head_dim, the last dimension of q.",
    ),
    "softmax over the wrong dimension": (
        softmax_down,
        "your columns sum to 1 instead of your rows. A row is one position that looks: softmax(dim=-1).",
    ),
    "mask after the softmax": (
        mask_after,
        "the future is 0, but your rows no longer sum to 1: you masked after the softmax. Mask the scores before it.",
    ),
    "0 instead of -inf": (
        zeros_for_the_future,
        "a score of 0 is not a weight of 0, since e to the 0 is 1. Fill with float('-inf') instead.",
    ),
    "no softmax": (
        scores_only,
        "scores and mask are right; what is missing is the softmax that turns them into weights.",
    ),
}


# --- 03.3


def split_heads(x: Tensor, n_head: int) -> Tensor:
    """Cut the last dimension into heads: (B, T, C) -> (B, n_head, T, head_dim)."""
    B, T, C = x.shape
    return x.view(B, T, n_head, C // n_head).transpose(1, 2)


def streams(rng: random.Random) -> Iterator[Arguments]:
    for B, T, n_head, head_dim in ((1, 3, 2, 2), (2, 5, 3, 4), (2, 4, 1, 6)):
        yield randn(rng, B, T, n_head * head_dim), n_head


HEADS_MISTAKES: Mistakes = {
    "view without transpose": (
        lambda x, n: x.reshape(x.size(0), n, x.size(1), x.size(2) // n),
        "the shape is right, the numbers are not: view alone cuts along the tokens, so that a head gets pieces of "
        "different positions. First view as (B, T, n_head, head_dim), then swap the two middle dimensions.",
    ),
    "no transpose": (
        lambda x, n: x.view(x.size(0), x.size(1), n, x.size(2) // n),
        "the cut is right, only the order is not: transpose(1, 2) brings the heads in front of the positions.",
    ),
    "interleaved": (
        lambda x, n: x.view(x.size(0), x.size(1), x.size(2) // n, n).permute(0, 3, 1, 2),
        "each head got every n_head-th number. Give head 0 the first head_dim numbers, head 1 the next, and so on.",
    ),
}


# --- 03.4


def residual_block(x: Tensor, ln_1: nn.Module, attn: nn.Module, ln_2: nn.Module, mlp: nn.Module) -> Tensor:
    """A block: what attention finds in the normed stream is added to the stream, then what the MLP makes of it."""
    x = x + attn(ln_1(x))
    return x + mlp(ln_2(x))


def parts(rng: random.Random) -> Iterator[Arguments]:
    for C in (8, 6):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(rng.getrandbits(32))
            norms = [nn.LayerNorm(C) for _ in range(2)]
            for norm in norms:
                nn.init.normal_(norm.weight, mean=1, std=0.3)
            attn, mlp = nn.Linear(C, C), nn.Sequential(nn.Linear(C, C), nn.GELU())
        yield 2 * randn(rng, 2, 5, C), norms[0], attn, norms[1], mlp


def no_stream(x: Tensor, ln_1: nn.Module, attn: nn.Module, ln_2: nn.Module, mlp: nn.Module) -> Tensor:
    return mlp(ln_2(attn(ln_1(x))))


def norm_after(x: Tensor, ln_1: nn.Module, attn: nn.Module, ln_2: nn.Module, mlp: nn.Module) -> Tensor:
    x = ln_1(x + attn(x))
    return ln_2(x + mlp(x))


def side_by_side(x: Tensor, ln_1: nn.Module, attn: nn.Module, ln_2: nn.Module, mlp: nn.Module) -> Tensor:
    return x + attn(ln_1(x)) + mlp(ln_2(x))


def norm_in_the_stream(x: Tensor, ln_1: nn.Module, attn: nn.Module, ln_2: nn.Module, mlp: nn.Module) -> Tensor:
    x = ln_1(x)
    x = x + attn(x)
    x = ln_2(x)
    return x + mlp(x)


def half_a_block(x: Tensor, ln_1: nn.Module, attn: nn.Module, ln_2: nn.Module, mlp: nn.Module) -> Tensor:
    return mlp(ln_2(x + attn(ln_1(x))))


def no_norm(x: Tensor, ln_1: nn.Module, attn: nn.Module, ln_2: nn.Module, mlp: nn.Module) -> Tensor:
    x = x + attn(x)
    return x + mlp(x)


BLOCK_MISTAKES: Mistakes = {
    "no residual": (no_stream, "nothing is added to x: the stream ends at the first block. x = x + attn(...), twice."),
    "norm after": (
        norm_after,
        "you normed after adding, as in 2017. GPT-2 norms what goes into attn and mlp: x = x + attn(ln_1(x)).",
    ),
    "both from the same x": (
        side_by_side,
        "the MLP does not see what attention has just found. First x = x + attn(...), then use that new x.",
    ),
    "norms the stream itself": (
        norm_in_the_stream,
        "you overwrote the stream with its normed copy. Norm only what goes into attn and mlp; x itself stays.",
    ),
    "second addition forgotten": (
        half_a_block,
        "attention is added, the MLP's result is not: return x + mlp(ln_2(x)).",
    ),
    "no norm": (no_norm, "the two norms are not used: attn gets ln_1(x), and mlp gets ln_2(x)."),
}
