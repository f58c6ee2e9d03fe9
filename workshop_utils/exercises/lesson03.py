"""The exercises of lesson 03, build a GPT: references, inputs, and the mistakes that people really make."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workshop_utils.exercises.checks import Arguments, Exercise, Mistakes, randint, randn
from workshop_utils.gpt.model import attention_weights

# --- 03.1


def embed(idx: Tensor, token_table: Tensor, position_table: Tensor) -> Tensor:
    """Ids (B, T) to vectors (B, T, C): each token's row plus the row of its position."""
    return token_table[idx] + position_table[: idx.size(1)]


def tables(rng: random.Random) -> Iterator[Arguments]:
    for B, T, V, block_size, C in ((3, 5, 9, 8, 6), (4, 6, 8, 10, 4)):
        yield randint(rng, V, B, T), randn(rng, V, C), randn(rng, block_size, C)


EMBED_MISTAKES: Mistakes = {
    "no positions": (
        lambda idx, tokens, positions: tokens[idx],
        "the rows of the tokens are right, the positions are missing: add position_table[:T].",
    ),
    "positions by id": (
        lambda idx, tokens, positions: tokens[idx] + positions[idx % len(positions)],
        "you looked up the position table with token ids. Position t gets row t, whatever token is there.",
    ),
    "last positions": (
        lambda idx, tokens, positions: tokens[idx] + positions[-idx.size(1) :],
        "you took the last rows of the position table. The first token is at position 0: position_table[:T].",
    ),
    "from 1": (
        lambda idx, tokens, positions: tokens[idx] + positions[1 : idx.size(1) + 1],
        "your positions begin at 1. The first token is at position 0: position_table[:T].",
    ),
    "product": (
        lambda idx, tokens, positions: tokens[idx] * positions[: idx.size(1)],
        "you multiplied the two embeddings. GPT-2 adds them.",
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


def past_and_self_masked(q: Tensor, k: Tensor) -> Tensor:
    scores = _scores(q, k)
    return scores.masked_fill(~_future(scores), -math.inf).softmax(-1)


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
        "position 0 attends to what comes after it: there is no mask. Fill the scores of the future with -inf.",
    ),
    "masks the past": (
        past_masked,
        "you masked the past and left the future open. True belongs where the column is later than the row: triu(1).",
    ),
    "masks the past and itself": (past_and_self_masked, "you masked the past and the position itself: triu(1)."),
    "masks itself": (
        self_masked,
        "a position may attend to itself, but your mask covers the diagonal too, and row 0 is left with nothing (nan): "
        "triu(1), not triu().",
    ),
    "no square root": (no_root, "the scores are not divided by sqrt(head_dim), the root of the last dimension of q."),
    "root of T": (
        root_of_length,
        "you divided by the root of T, the number of positions. It is the root of head_dim, the last dimension of q.",
    ),
    "softmax over the wrong dimension": (
        softmax_down,
        "your columns sum to 1 instead of your rows. A row is one position that attends: softmax(dim=-1).",
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


def attention_forward(
    x: Tensor, c_attn: nn.Module, c_proj: nn.Module, n_head: int, weigh: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    """Attention with all heads, (B, T, C) -> (B, T, C): q, k and v, weights, weighted sum of the values, joined."""
    q, k, v = (split_heads(part, n_head) for part in c_attn(x).split(x.size(-1), dim=-1))
    found = weigh(q, k) @ v  # (B, n_head, T, head_dim)
    return c_proj(found.transpose(1, 2).flatten(2))


def dot_products(q: Tensor, k: Tensor) -> Tensor:
    """Weights (..., T, T) without root and mask, so that an answer that does not ask for them is seen."""
    return (q @ k.mT).softmax(-1)


def layers(rng: random.Random) -> Iterator[Arguments]:
    for B, T, n_head, head_dim, weigh in ((2, 5, 2, 4, attention_weights), (3, 4, 3, 2, dot_products)):
        C = n_head * head_dim
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(rng.getrandbits(32))
            c_attn, c_proj = nn.Linear(C, 3 * C), nn.Linear(C, C)
        yield 2 * randn(rng, B, T, C), c_attn, c_proj, n_head, weigh


Layer = Callable[[Tensor], Tensor]
Weigh = Callable[[Tensor, Tensor], Tensor]


def _heads(x: Tensor, c_attn: Layer, n_head: int) -> list[Tensor]:
    return [split_heads(part, n_head) for part in c_attn(x).split(x.size(-1), dim=-1)]


def joined_by_view(x: Tensor, c_attn: Layer, c_proj: Layer, n_head: int, weigh: Weigh) -> Tensor:
    q, k, v = _heads(x, c_attn, n_head)
    return c_proj((weigh(q, k) @ v).reshape(x.shape))


def no_projection(x: Tensor, c_attn: Layer, c_proj: Layer, n_head: int, weigh: Weigh) -> Tensor:
    return attention_forward(x, c_attn, nn.Identity(), n_head, weigh)  # type: ignore[arg-type]


def keys_first(x: Tensor, c_attn: Layer, c_proj: Layer, n_head: int, weigh: Weigh) -> Tensor:
    k, q, v = _heads(x, c_attn, n_head)
    return c_proj((weigh(q, k) @ v).transpose(1, 2).flatten(2))


def values_forgotten(x: Tensor, c_attn: Layer, c_proj: Layer, n_head: int, weigh: Weigh) -> Tensor:
    q, k, _ = _heads(x, c_attn, n_head)
    return c_proj((weigh(q, k) @ k).transpose(1, 2).flatten(2))


def one_head(x: Tensor, c_attn: Layer, c_proj: Layer, n_head: int, weigh: Weigh) -> Tensor:
    q, k, v = c_attn(x).split(x.size(-1), dim=-1)
    return c_proj(weigh(q, k) @ v)


def own_weights(x: Tensor, c_attn: Layer, c_proj: Layer, n_head: int, weigh: Weigh) -> Tensor:
    return attention_forward(x, c_attn, c_proj, n_head, attention_weights)  # type: ignore[arg-type]


def stream_added(x: Tensor, c_attn: Layer, c_proj: Layer, n_head: int, weigh: Weigh) -> Tensor:
    return x + attention_forward(x, c_attn, c_proj, n_head, weigh)  # type: ignore[arg-type]


FORWARD_MISTAKES: Mistakes = {
    "weigh not called": (
        own_weights,
        "you computed the weights yourself. Call `weigh(q, k)`, so that the lesson can exchange it.",
    ),
    "adds the stream": (stream_added, "do not add x: the block does that."),
    "joined without transpose": (
        joined_by_view,
        "the heads are joined by a reshape alone, which mixes positions. First transpose(1, 2), then flatten(2).",
    ),
    "no projection": (no_projection, "c_proj is not used: it is applied to the joined heads, at the end."),
    "keys before queries": (keys_first, "c_attn gives q, k and v in this order; you took the first for the keys."),
    "keys for values": (values_forgotten, "you averaged the keys. The weights are applied to the values: weights @ v."),
    "one head": (one_head, "this is a single head of all C numbers: split q, k and v into n_head heads first."),
}


# --- 03.5


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    """Each vector of x (..., C) with mean 0 and variance 1, then times weight (C,) plus bias (C,)."""
    mean = x.mean(dim=-1, keepdim=True)
    variance = ((x - mean) ** 2).mean(dim=-1, keepdim=True)
    return (x - mean) / (variance + eps).sqrt() * weight + bias


def vectors(rng: random.Random) -> Iterator[Arguments]:
    for size, shape in ((3.0, (2, 5, 8)), (0.003, (4, 6)), (1.0, (2, 3, 4, 10))):
        C = shape[-1]
        yield size * (randn(rng, *shape) + 2), 1 + 0.3 * randn(rng, C), 0.3 * randn(rng, C)
    yield 0.01 * randn(rng, 3, 5, 8), torch.ones(8), torch.zeros(8), 1e-3


def _normed(x: Tensor, eps: float, dims: tuple[int, ...] = (-1,), unbiased: bool = False) -> Tensor:
    variance = x.var(dim=dims, keepdim=True, unbiased=unbiased)
    return (x - x.mean(dim=dims, keepdim=True)) / (variance + eps).sqrt()


NORM_MISTAKES: Mistakes = {
    "C - 1": (
        lambda x, weight, bias, eps=1e-5: _normed(x, eps, unbiased=True) * weight + bias,
        "your variance divides by C - 1, as x.var() does unless told. LayerNorm divides by C: unbiased=False.",
    ),
    "std": (
        lambda x, weight, bias, eps=1e-5: (x - x.mean(-1, keepdim=True)) / x.std(-1, keepdim=True) * weight + bias,
        "`x.std()` divides by C - 1 and leaves out eps. Take the root of (variance + eps), with a variance that "
        "divides by C.",
    ),
    "std plus eps": (
        lambda x, weight, bias, eps=1e-5: (
            (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True) + eps) * weight + bias
        ),
        "`x.std()` divides by C - 1, and eps is added to the standard deviation. Divide by C, and add eps to the "
        "variance, inside the root.",
    ),
    "eps outside the root": (
        lambda x, weight, bias, eps=1e-5: (
            (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True, unbiased=False) + eps) * weight + bias
        ),
        "eps is added to the standard deviation. It is added to the variance, inside the root.",
    ),
    "no eps": (
        lambda x, weight, bias, eps=1e-5: _normed(x, 0.0) * weight + bias,
        "eps is not used: (variance + eps).sqrt().",
    ),
    "eps fixed": (
        lambda x, weight, bias, eps=1e-5: _normed(x, 1e-5) * weight + bias,
        "you always use 1e-5: take the argument eps.",
    ),
    "no root": (
        lambda x, weight, bias, eps=1e-5: (
            (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True, unbiased=False) + eps) * weight + bias
        ),
        "you divided by the variance. Divide by its square root, the standard deviation.",
    ),
    "no gain and bias": (
        lambda x, weight, bias, eps=1e-5: _normed(x, eps),
        "the vectors are normalised; now multiply by weight and add bias.",
    ),
    "no bias": (lambda x, weight, bias, eps=1e-5: _normed(x, eps) * weight, "bias is not added."),
    "mean kept": (
        lambda x, weight, bias, eps=1e-5: x / (x.var(-1, keepdim=True, unbiased=False) + eps).sqrt() * weight + bias,
        "the mean is not subtracted from x.",
    ),
    "over the positions": (
        lambda x, weight, bias, eps=1e-5: _normed(x, eps, (-2,)) * weight + bias,
        "you averaged over the positions. Each position is normalised by itself: dim=-1.",
    ),
    "over everything": (
        lambda x, weight, bias, eps=1e-5: _normed(x, eps, tuple(range(x.dim()))) * weight + bias,
        "you took one mean and one variance for all positions. Each vector has its own: dim=-1, keepdim=True.",
    ),
}


# --- 03.6


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


def first_norm_twice(x: Tensor, ln_1: nn.Module, attn: nn.Module, ln_2: nn.Module, mlp: nn.Module) -> Tensor:
    return residual_block(x, ln_1, attn, ln_1, mlp)


BLOCK_MISTAKES: Mistakes = {
    "ln_1 twice": (first_norm_twice, "the MLP reads ln_2(x)."),
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


# --- 03.7


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean of -log(probability of what really came): logits (N, V), targets (N,)."""
    probs = logits.softmax(dim=-1)
    return -probs[torch.arange(len(targets)), targets].log().mean()


def _answers(rng: random.Random) -> Iterator[Arguments]:
    for N, V in ((1, 4), (6, 5), (9, 32)):
        yield 2 * randn(rng, N, V), randint(rng, V, N)


def _picked(logits: Tensor, targets: Tensor) -> Tensor:
    return logits.softmax(-1)[torch.arange(len(targets)), targets]


LOSSES: Mistakes = {
    "wrong sign": (
        lambda logits, targets: -cross_entropy(logits, targets),
        "the sign is wrong: the logarithm of a probability is negative. The loss is minus that logarithm, so it is "
        "positive.",
    ),
    "sum": (
        lambda logits, targets: cross_entropy(logits, targets) * len(targets),
        "you summed over the positions. Take the mean, or longer texts look worse.",
    ),
    "one for each position": (
        lambda logits, targets: -_picked(logits, targets).log(),
        "these are the losses of the single positions. Their mean is missing.",
    ),
    "all targets in every row": (
        lambda logits, targets: -logits.softmax(-1)[:, targets].log().mean(),
        "`probs[:, targets]` picks all targets in every row. Pick one entry from each: "
        "probs[torch.arange(N), targets].",
    ),
    "bits": (
        lambda logits, targets: cross_entropy(logits, targets) / math.log(2),
        "you took the logarithm to base 2 (bits). We count in nats: .log().",
    ),
    "probability without the logarithm": (
        lambda logits, targets: -_picked(logits, targets).mean(),
        "that is minus the mean probability itself; its logarithm is missing.",
    ),
    "1 minus the probability": (
        lambda logits, targets: 1 - _picked(logits, targets).mean(),
        "that is 1 minus the probability; take -log of the probability instead.",
    ),
    "mean before the logarithm": (
        lambda logits, targets: -_picked(logits, targets).mean().log(),
        "you averaged the probabilities first. First the logarithms, then their mean.",
    ),
    "scores instead of probabilities": (
        lambda logits, targets: -logits[torch.arange(len(targets)), targets].mean(),
        "these are scores, not yet probabilities: softmax first.",
    ),
    "mean over the vocabulary": (
        lambda logits, targets: -logits.log_softmax(-1).mean(),
        "you averaged over all tokens of the vocabulary. Only the one that really came counts: pick it by targets.",
    ),
    "softmax over the positions": (
        lambda logits, targets: -logits.log_softmax(0)[torch.arange(len(targets)), targets].mean(),
        "your softmax goes over the positions. The tokens of one position compete with each other: dim=-1.",
    ),
    "softmax twice": (
        lambda logits, targets: F.cross_entropy(logits.softmax(-1), targets),
        "you applied the softmax twice: F.cross_entropy wants the scores themselves.",
    ),
}


# --- 03.8


def count_params(vocab_size: int, block_size: int, n_layer: int, n_embd: int) -> int:
    """All trained numbers of a GPT-2, the tied table counted once."""
    C = n_embd
    tables = vocab_size * C + block_size * C
    attention = (C * 3 * C + 3 * C) + (C * C + C)
    mlp = (C * 4 * C + 4 * C) + (4 * C * C + C)
    norm = 2 * C
    return tables + n_layer * (attention + mlp + 2 * norm) + norm


def _shapes(rng: random.Random) -> Iterator[Arguments]:
    yield 50257, 1024, 12, 768
    for _ in range(2):
        yield 64 * rng.randrange(5, 40), rng.randrange(20, 300), rng.randrange(1, 9), 16 * rng.randrange(3, 9)


def _off(by: Callable[[int, int, int, int], int]) -> Callable[[int, int, int, int], int]:
    """The count with so much too many, from the sizes V, B, L and C."""
    return lambda V, B, L, C: count_params(V, B, L, C) + by(V, B, L, C)


COUNTS: Mistakes = {
    "the rule of thumb": (
        lambda V, B, L, C: 12 * L * C * C,
        "that is the rule of thumb, the matrices of the blocks alone. Now add the tables, the biases and the norms.",
    ),
    "head counted": (
        _off(lambda V, B, L, C: V * C),
        "you counted the head again. It is tied to the token embedding: the same parameters, once.",
    ),
    "no token table": (_off(lambda V, B, L, C: -V * C), "the token embedding is missing: vocab_size x C."),
    "no positions": (_off(lambda V, B, L, C: -B * C), "the position embedding is missing: block_size x C."),
    "no biases": (
        _off(lambda V, B, L, C: -L * 9 * C),
        "the biases of the four linear layers are missing: 3C, C, 4C and C a block.",
    ),
    "no norms": (
        _off(lambda V, B, L, C: -(2 * L + 1) * 2 * C),
        "the norms are missing: 2C each, two a block and one at the end.",
    ),
    "matrices only": (
        _off(lambda V, B, L, C: -L * 9 * C - (2 * L + 1) * 2 * C),
        "biases and norms are missing: 9C of biases a block, and 2C for each of the 2L + 1 norms.",
    ),
    "no last norm": (
        _off(lambda V, B, L, C: -2 * C),
        "the last norm, after all blocks, is missing: 2C.",
    ),
    "half the norms": (
        _off(lambda V, B, L, C: -(2 * L + 1) * C),
        "a norm has two numbers a column, a scale and a shift: 2C, not C.",
    ),
    "no c_proj": (
        _off(lambda V, B, L, C: -L * (C * C + C)),
        "attention's c_proj is missing: C x C weights and C biases a block.",
    ),
    "c_attn without q, k and v": (
        _off(lambda V, B, L, C: -L * (2 * C * C + 2 * C)),
        "c_attn makes q, k and v, 3C numbers: C x 3C weights and 3C biases a block.",
    ),
    "one block": (
        lambda V, B, L, C: count_params(V, B, 1, C),
        "the blocks are counted once, not n_layer times.",
    ),
}


# --- 03.9


def generate(
    model: Callable[[Tensor], Tensor],
    idx: Tensor,
    max_new_tokens: int,
    block_size: int,
    choose: Callable[[Tensor], Tensor],
) -> Tensor:
    """Ids (B, T) to (B, T + max_new_tokens): ask the model, choose a token for each row, append it, ask again."""
    for _ in range(max_new_tokens):
        logits = model(idx[:, -block_size:])[:, -1]  # (B, vocab_size), of the last position
        idx = torch.cat([idx, choose(logits)[:, None]], dim=1)
    return idx


def greedy(logits: Tensor) -> Tensor:
    """The token with the highest score in each row: (B, V) -> (B,)."""
    return logits.argmax(dim=-1)


class _Toy:
    """Scores that depend on all tokens up to each position, for at most block_size of them."""

    def __init__(self, vectors: Tensor, positions: Tensor) -> None:
        self.vectors, self.positions = vectors, positions

    def __call__(self, idx: Tensor) -> Tensor:
        if idx.size(1) > len(self.positions):
            raise IndexError(f"the text is {idx.size(1)} tokens long and block_size is {len(self.positions)}")
        x = self.vectors[idx] + self.positions[: idx.size(1)]  # (B, T, C)
        return x.cumsum(dim=1).sin() @ self.vectors.T  # (B, T, V)

    def __repr__(self) -> str:
        return "a model"


def unlikeliest(logits: Tensor) -> Tensor:
    """The token with the lowest score in each row, so that an answer with an argmax of its own is seen."""
    return logits.argmin(dim=-1)


def one_above_the_mean(logits: Tensor) -> Tensor:
    """The token with a score closest to the mean of its row plus 1, so that an answer that rescales them is seen."""
    return (logits - logits.mean(dim=-1, keepdim=True) - 1).abs().argmin(dim=-1)


def prompts(rng: random.Random) -> Iterator[Arguments]:
    for T, n, block_size, choose in ((3, 4, 20, greedy), (4, 7, 6, unlikeliest), (9, 6, 6, one_above_the_mean)):
        model = _Toy(randn(rng, 17, 6), randn(rng, block_size, 6))
        yield model, randint(rng, 17, 2, T), n, block_size, choose


Model = Callable[[Tensor], Tensor]


def _generated(seen: Callable[[Tensor, int], Tensor], position: int = -1) -> Callable[..., Tensor]:
    """A loop that shows the model another part of the text, or takes another position's scores."""

    def loop(model: Model, idx: Tensor, max_new_tokens: int, block_size: int, choose: Model) -> Tensor:
        for _ in range(max_new_tokens):
            idx = torch.cat([idx, choose(model(seen(idx, block_size))[:, position])[:, None]], dim=1)
        return idx

    return loop


def cut_short(model: Model, idx: Tensor, max_new_tokens: int, block_size: int, choose: Model) -> Tensor:
    for _ in range(max_new_tokens):
        idx = idx[:, -block_size:]
        idx = torch.cat([idx, choose(model(idx)[:, -1])[:, None]], dim=1)
    return idx


def only_new(model: Model, idx: Tensor, max_new_tokens: int, block_size: int, choose: Model) -> Tensor:
    return generate(model, idx, max_new_tokens, block_size, choose)[:, idx.size(1) :]


def one_too_few(model: Model, idx: Tensor, max_new_tokens: int, block_size: int, choose: Model) -> Tensor:
    return generate(model, idx, max_new_tokens - 1, block_size, choose)


def always_greedy(model: Model, idx: Tensor, max_new_tokens: int, block_size: int, choose: Model) -> Tensor:
    return generate(model, idx, max_new_tokens, block_size, greedy)


def chosen_by_probability(model: Model, idx: Tensor, max_new_tokens: int, block_size: int, choose: Model) -> Tensor:
    return generate(model, idx, max_new_tokens, block_size, lambda logits: choose(logits.softmax(-1)))


GENERATE_MISTAKES: Mistakes = {
    "choose not used": (
        always_greedy,
        "`choose` is not used: it picks the token, so that the lesson can sample.",
    ),
    "probabilities": (chosen_by_probability, "you gave `choose` probabilities. It wants the logits."),
    "never cut": (
        _generated(lambda idx, block_size: idx),
        "the model can read block_size tokens at most, and you gave it more: idx[:, -block_size:].",
    ),
    "the first ones": (
        _generated(lambda idx, block_size: idx[:, :block_size]),
        "you gave the model the first block_size tokens. It needs the last ones: idx[:, -block_size:].",
    ),
    "only the last token": (
        _generated(lambda idx, block_size: idx[:, -1:]),
        "you gave the model the last token alone: it sees nothing of the text before it.",
    ),
    "first position": (
        _generated(lambda idx, block_size: idx[:, -block_size:], position=0),
        "you used the scores of the first position. The next token follows the last one: [:, -1].",
    ),
    "text cut": (
        cut_short,
        "the beginning of the text is lost: cut only what the model reads, not idx itself.",
    ),
    "only the new tokens": (only_new, "you returned the new tokens alone. Return the prompt with them behind it."),
    "one too few": (one_too_few, "one token is missing at the end: append max_new_tokens of them."),
}


# --- 03.10


def next_probabilities(logits: Tensor, temperature: float = 1.0, top_k: int | None = None) -> Tensor:
    """Probabilities (V,) from scores (V,), sharpened or flattened, with all but the k likeliest tokens at 0."""
    logits = logits / temperature
    if top_k is not None:
        kth = logits.topk(min(top_k, len(logits))).values[-1]
        logits = logits.masked_fill(logits < kth, float("-inf"))
    return logits.softmax(dim=-1)


def _choices(rng: random.Random) -> Iterator[Arguments]:
    for V, temperature, top_k in ((6, 1.0, None), (8, 0.5, None), (8, 1.0, 3), (12, 2.0, 5)):
        yield 2 * randn(rng, V), temperature, top_k
    yield (2 * randn(rng, 8),)  # the stub's own temperature and top_k


def times_temperature(logits: Tensor, temperature: float = 1.0, top_k: int | None = None) -> Tensor:
    return next_probabilities(logits * temperature, 1.0, top_k)


def probs_divided(logits: Tensor, temperature: float = 1.0, top_k: int | None = None) -> Tensor:
    return next_probabilities(logits, 1.0, top_k) / temperature


def not_renormalised(logits: Tensor, temperature: float = 1.0, top_k: int | None = None) -> Tensor:
    probs = next_probabilities(logits, temperature)
    return probs if top_k is None else probs.masked_fill(probs < probs.topk(top_k).values[-1], 0.0)


def zero_scores(logits: Tensor, temperature: float = 1.0, top_k: int | None = None) -> Tensor:
    logits = logits / temperature
    if top_k is not None:
        logits = logits.masked_fill(logits < logits.topk(top_k).values[-1], 0.0)
    return logits.softmax(dim=-1)


def kth_removed(logits: Tensor, temperature: float = 1.0, top_k: int | None = None) -> Tensor:
    logits = logits / temperature
    if top_k is not None:
        logits = logits.masked_fill(logits <= logits.topk(top_k).values[-1], -math.inf)
    return logits.softmax(dim=-1)


def no_top_k(logits: Tensor, temperature: float = 1.0, top_k: int | None = None) -> Tensor:
    return next_probabilities(logits, temperature)


def no_temperature(logits: Tensor, temperature: float = 1.0, top_k: int | None = None) -> Tensor:
    return next_probabilities(logits, 1.0, top_k)


SAMPLING_MISTAKES: Mistakes = {
    "temperature ignored": (
        no_temperature,
        "the temperature has no effect: divide the scores by it, before the softmax.",
    ),
    "multiplies by the temperature": (
        times_temperature,
        "you multiplied by the temperature: then a high temperature makes the model more careful instead of less. "
        "Divide the scores by it.",
    ),
    "divides the probabilities": (
        probs_divided,
        "you divided the probabilities, so that they no longer sum to 1. Divide the scores, before the softmax.",
    ),
    "top-k ignored": (no_top_k, "top_k is not used: all but the top_k highest scores should become -inf."),
    "one too few": (kth_removed, "the k-th highest stays: `<`, not `<=`."),
    "not renormalised": (
        not_renormalised,
        "the right tokens are left, but their probabilities no longer sum to 1. Cut the scores before the softmax.",
    ),
    "0 instead of -inf": (
        zero_scores,
        "a score of 0 still has a probability, since e to the 0 is 1. Fill the others with float('-inf').",
    ),
}


EXERCISES = [
    Exercise(
        "03.1",
        "embeddings",
        embed,
        EMBED_MISTAKES,
        tables,
        trained=True,
        praise="each vector now says which token it is, and at which position.",
    ),
    Exercise(
        "03.2",
        "attention weights",
        attention_weights,
        ATTENTION_MISTAKES,
        queries,
        trained=True,
        praise="scores, root, mask, softmax: the weights of causal attention.",
    ),
    Exercise(
        "03.3",
        "splitting of the heads",
        split_heads,
        HEADS_MISTAKES,
        streams,
        trained=True,
        praise="each head has its own numbers of every token.",
    ),
    Exercise(
        "03.4",
        "attention",
        attention_forward,
        FORWARD_MISTAKES,
        layers,
        trained=True,
        praise="split, weigh, add up, join, mix: that is multi-head attention.",
    ),
    Exercise(
        "03.5",
        "LayerNorm",
        layer_norm,
        NORM_MISTAKES,
        vectors,
        trained=True,
        praise="the same numbers that torch's F.layer_norm gives.",
    ),
    Exercise(
        "03.6",
        "block",
        residual_block,
        BLOCK_MISTAKES,
        parts,
        trained=True,
        praise="read, add, read, add: each part reads a normalised copy and adds to the stream.",
    ),
    Exercise(
        "03.7",
        "cross-entropy",
        cross_entropy,
        LOSSES,
        _answers,
        trained=True,
        praise="the same number that torch's F.cross_entropy gives.",
    ),
    Exercise(
        "03.8",
        "parameter count",
        count_params,
        COUNTS,
        _shapes,
        praise="to the last one. You can now check any model card that claims to be a GPT.",
    ),
    Exercise(
        "03.9",
        "generating loop",
        generate,
        GENERATE_MISTAKES,
        prompts,
        praise="ask, choose, append: every GPT writes with this loop.",
    ),
    Exercise(
        "03.10",
        "temperature and top-k",
        next_probabilities,
        SAMPLING_MISTAKES,
        _choices,
        praise="divide, cut, softmax: in this order.",
    ),
]
