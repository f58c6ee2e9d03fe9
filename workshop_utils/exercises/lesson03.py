"""The exercises of lesson 03, build a GPT: references, inputs, and the mistakes that people really make.

Those up to the block are in pieces03.py.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from workshop_utils.exercises import pieces03 as pieces
from workshop_utils.exercises.checks import Arguments, Exercise, Mistakes, randint, randn
from workshop_utils.gpt.model import attention_weights

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
        pieces.past_average,
        pieces.AVERAGE_MISTAKES,
        pieces.lengths,
        praise="every row sums to 1, and nobody looks ahead. Keep this triangle in mind, it comes back.",
    ),
    Exercise(
        "03.2",
        "attention weights",
        attention_weights,
        pieces.ATTENTION_MISTAKES,
        pieces.queries,
        trained=True,
        praise="that is the heart of every GPT, and you wrote it.",
    ),
    Exercise(
        "03.3",
        "splitting of the heads",
        pieces.split_heads,
        pieces.HEADS_MISTAKES,
        pieces.streams,
        trained=True,
        praise="each head has its own numbers of every token.",
    ),
    Exercise(
        "03.4",
        "block",
        pieces.residual_block,
        pieces.BLOCK_MISTAKES,
        pieces.parts,
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
