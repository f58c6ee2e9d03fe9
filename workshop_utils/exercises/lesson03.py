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


# --- 03.5


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
        "the sign is wrong: the logarithm of a probability is negative, and a loss counts upwards.",
    ),
    "sum": (
        lambda logits, targets: cross_entropy(logits, targets) * len(targets),
        "you summed over the positions. Take the mean, or longer texts look worse.",
    ),
    "one for each position": (
        lambda logits, targets: -_picked(logits, targets).log(),
        "these are the losses of the single positions. Their mean is missing.",
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


# --- 03.6


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
        "you counted the head again. It is tied to the token table: the same numbers, once.",
    ),
    "no token table": (_off(lambda V, B, L, C: -V * C), "the token table is missing: vocab_size x C."),
    "no positions": (_off(lambda V, B, L, C: -B * C), "the position table is missing: block_size x C."),
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


# --- 03.7


def bets(logits: Tensor, temperature: float = 1.0, top_k: int | None = None) -> Tensor:
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
    return bets(logits * temperature, 1.0, top_k)


def probs_divided(logits: Tensor, temperature: float = 1.0, top_k: int | None = None) -> Tensor:
    return bets(logits, 1.0, top_k) / temperature


def not_renormalised(logits: Tensor, temperature: float = 1.0, top_k: int | None = None) -> Tensor:
    probs = bets(logits, temperature)
    return probs if top_k is None else probs.masked_fill(probs < probs.topk(top_k).values[-1], 0.0)


def zero_scores(logits: Tensor, temperature: float = 1.0, top_k: int | None = None) -> Tensor:
    logits = logits / temperature
    if top_k is not None:
        logits = logits.masked_fill(logits < logits.topk(top_k).values[-1], 0.0)
    return logits.softmax(dim=-1)


def no_top_k(logits: Tensor, temperature: float = 1.0, top_k: int | None = None) -> Tensor:
    return bets(logits, temperature)


def no_temperature(logits: Tensor, temperature: float = 1.0, top_k: int | None = None) -> Tensor:
    return bets(logits, 1.0, top_k)


BETS_MISTAKES: Mistakes = {
    "temperature ignored": (
        no_temperature,
        "the temperature is not used: divide the scores by it, before the softmax.",
    ),
    "multiplies by the temperature": (
        times_temperature,
        "you multiplied by the temperature: then hot is careful and cold is bold. Divide the scores by it.",
    ),
    "divides the probabilities": (
        probs_divided,
        "you divided the probabilities, so that they no longer sum to 1. Divide the scores, before the softmax.",
    ),
    "top-k ignored": (no_top_k, "top_k is not used: all but the top_k highest scores should become -inf."),
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
        "average of the past",
        past_average,
        AVERAGE_MISTAKES,
        lengths,
        praise="every row sums to 1, and nobody looks ahead. Keep this triangle in mind, it comes back.",
    ),
    Exercise(
        "03.2",
        "attention weights",
        attention_weights,
        ATTENTION_MISTAKES,
        queries,
        trained=True,
        praise="that is the heart of every GPT, and you wrote it.",
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
        "block",
        residual_block,
        BLOCK_MISTAKES,
        parts,
        trained=True,
        praise="read, add, read, add: the stream runs through untouched.",
    ),
    Exercise(
        "03.5",
        "cross-entropy",
        cross_entropy,
        LOSSES,
        _answers,
        trained=True,
        praise="the same number that torch's F.cross_entropy gives.",
    ),
    Exercise(
        "03.6",
        "parameter count",
        count_params,
        COUNTS,
        _shapes,
        praise="to the last one. You can now check any model card that claims to be a GPT.",
    ),
    Exercise(
        "03.7",
        "temperature and top-k",
        bets,
        BETS_MISTAKES,
        _choices,
        praise="divide, cut, softmax: in this order.",
    ),
]
