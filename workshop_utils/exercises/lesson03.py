"""The exercises of lesson 03, build a GPT: references, inputs, and the mistakes that people really make.

Those up to the block are in pieces03.py.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from workshop_utils.checks import Exercise, randint, randn
from workshop_utils.exercises import pieces03 as pieces
from workshop_utils.exercises.pieces03 import Arguments, close
from workshop_utils.model import attention_weights

# --- 03.5


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean of -log(probability of what really came): logits (N, V), targets (N,)."""
    probs = logits.softmax(dim=-1)
    return -probs[torch.arange(len(targets)), targets].log().mean()


def _answers(rng: random.Random) -> Iterator[Arguments]:
    for N, V in ((1, 4), (6, 5), (9, 32)):
        yield 2 * randn(rng, N, V), randint(rng, V, N)


def _loss_hint(args: Arguments, got: Any, expected: Tensor) -> str | None:
    logits, targets = args
    value = float(got)
    picked = logits.softmax(-1)[torch.arange(len(targets)), targets]
    guesses = {
        -float(expected): "the sign is wrong: the logarithm of a probability is negative, and a loss counts upwards.",
        float(expected) * len(targets): "you summed over the positions. Take the mean, or longer texts look worse.",
        float(expected) / math.log(2): "you took the logarithm to base 2 (bits). We count in nats: .log().",
        float(-picked.mean()): "that is the mean probability itself; its logarithm is missing.",
        float(1 - picked.mean()): "that is 1 minus the probability; take -log of the probability instead.",
        float(-picked.mean().log()): "you averaged the probabilities first. First the logarithms, then their mean.",
        float(
            -logits[torch.arange(len(targets)), targets].mean()
        ): "these are scores, not yet probabilities: softmax first.",
        float(-logits.log_softmax(-1).mean()): (
            "you averaged over all tokens of the vocabulary. Only the one that really came counts: pick it by targets."
        ),
        float(F.cross_entropy(logits.softmax(-1), targets)): (
            "you applied the softmax twice: F.cross_entropy wants the scores themselves."
        ),
    }
    return next(
        (text for guess, text in guesses.items() if math.isclose(value, guess, rel_tol=1e-4, abs_tol=1e-6)), None
    )


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


def _params_hint(args: Arguments, got: Any, expected: int) -> str | None:
    vocab_size, block_size, n_layer, C = args
    if got == 12 * n_layer * C * C:
        return (
            "that is the rule of thumb, the matrices of the blocks alone. Now add the tables, the biases and the norms."
        )
    biases = n_layer * 9 * C
    norms = (2 * n_layer + 1) * 2 * C
    misses = {
        vocab_size * C: ("the head counted again", "the token table is missing"),
        block_size * C: ("the position table counted twice", "the position table is missing"),
        biases: (
            "the biases counted twice",
            "the biases of the four linear layers are missing: 3C, C, 4C and C a block",
        ),
        norms: ("the norms counted twice", "the norms are missing: 2C each, two a block and one at the end"),
        biases + norms: ("", "biases and norms are missing: 9C of biases a block, and 2C for each of the 2L + 1 norms"),
        2 * C: ("one norm too many", "the last norm, after all blocks, is missing: 2C"),
        n_layer * C * C: ("", "a C x C matrix a block is missing: attention's c_proj"),
        n_layer * (C * C + C): ("", "attention's c_proj is missing: C x C weights and C biases a block"),
        n_layer * 3 * C * C: ("", "3 C x C weights a block are missing: c_attn makes q, k and v, 3C numbers"),
        norms // 2: ("", "a norm has two numbers a column, a scale and a shift: 2C, not C"),
        (n_layer - 1) * (12 * C * C + 13 * C): ("", "the blocks are counted once, not n_layer times"),
    }
    for size, (more, less) in misses.items():
        if got - expected == size and size and more:
            extra = " (it is tied to the token table: the same numbers, once)" if size == vocab_size * C else ""
            return f"you are {size:,} too high: {more}{extra}."
        if expected - got == size and size and less:
            return f"you are {size:,} too low: {less}."
    return None


# --- 03.7


def bets(logits: Tensor, temperature: float = 1.0, top_k: int | None = None) -> Tensor:
    """Probabilities (V,) from scores (V,), sharpened or flattened, with all but the k likeliest tokens at 0."""
    logits = logits / temperature
    if top_k is not None:
        kth = logits.topk(top_k).values[-1]
        logits = logits.masked_fill(logits < kth, float("-inf"))
    return logits.softmax(dim=-1)


def _choices(rng: random.Random) -> Iterator[Arguments]:
    for V, temperature, top_k in ((6, 1.0, None), (8, 0.5, None), (8, 1.0, 3), (12, 2.0, 5)):
        yield 2 * randn(rng, V), temperature, top_k


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


BETS_MISTAKES: dict[str, tuple[Callable[..., Tensor], str]] = {
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


def _bets_hint(args: Arguments, got: Any, expected: Tensor) -> str | None:
    return next((sentence for mistake, sentence in BETS_MISTAKES.values() if close(got, mistake(*args))), None)


EXERCISES = [
    Exercise(
        "03.1",
        "average of the past",
        pieces.past_average,
        {
            "not divided": lambda T: torch.ones(T, T).tril(),
            "divided by T": lambda T: torch.ones(T, T).tril() / T,
            "the future": lambda T: pieces.past_average(T).T,
            "everything": lambda T: torch.full((T, T), 1 / T),
            "without itself": lambda T: torch.ones(T, T).tril(-1) / torch.ones(T, T).tril(-1).sum(dim=1, keepdim=True),
        },
        pieces.lengths,
        hint=pieces.average_hint,
        praise="every row sums to 1, and nobody looks ahead. Keep this triangle in mind, it comes back.",
    ),
    Exercise(
        "03.2",
        "attention weights",
        attention_weights,
        {name: mistake for name, (mistake, _) in pieces.ATTENTION_MISTAKES.items()},
        pieces.queries,
        hint=pieces.attention_hint,
        praise="that is the heart of every GPT, and you wrote it.",
    ),
    Exercise(
        "03.3",
        "splitting of the heads",
        pieces.split_heads,
        {
            "view without transpose": lambda x, n: x.reshape(x.size(0), n, x.size(1), x.size(2) // n),
            "no transpose": lambda x, n: x.view(x.size(0), x.size(1), n, x.size(2) // n),
            "interleaved": lambda x, n: x.view(x.size(0), x.size(1), x.size(2) // n, n).permute(0, 3, 1, 2),
        },
        pieces.streams,
        hint=pieces.heads_hint,
        praise="each head has its own numbers of every token.",
    ),
    Exercise(
        "03.4",
        "block",
        pieces.residual_block,
        {name: mistake for name, (mistake, _) in pieces.BLOCK_MISTAKES.items()},
        pieces.parts,
        hint=pieces.block_hint,
        praise="read, add, read, add: the stream runs through untouched.",
    ),
    Exercise(
        "03.5",
        "cross-entropy",
        cross_entropy,
        {
            "wrong sign": lambda logits, targets: -cross_entropy(logits, targets),
            "probability without the logarithm": lambda x, t: -x.softmax(-1)[torch.arange(len(t)), t].mean(),
            "scores instead of probabilities": lambda x, t: -x[torch.arange(len(t)), t].mean(),
            "mean over the vocabulary": lambda x, t: -x.log_softmax(-1).mean(),
            "bits": lambda x, t: cross_entropy(x, t) / math.log(2),
        },
        _answers,
        hint=_loss_hint,
        praise="the same number that torch's F.cross_entropy gives.",
    ),
    Exercise(
        "03.6",
        "parameter count",
        count_params,
        {
            "head counted": lambda V, B, L, C: count_params(V, B, L, C) + V * C,
            "no biases": lambda V, B, L, C: count_params(V, B, L, C) - L * 9 * C,
            "no norms": lambda V, B, L, C: count_params(V, B, L, C) - (2 * L + 1) * 2 * C,
            "the rule of thumb": lambda V, B, L, C: 12 * L * C * C,
            "matrices only": lambda V, B, L, C: (V + B) * C + 12 * L * C * C,
            "no positions": lambda V, B, L, C: count_params(V, B, L, C) - B * C,
            "no last norm": lambda V, B, L, C: count_params(V, B, L, C) - 2 * C,
        },
        _shapes,
        hint=_params_hint,
        praise="to the last one. You can now check any model card that claims to be a GPT.",
    ),
    Exercise(
        "03.7",
        "temperature and top-k",
        bets,
        {name: mistake for name, (mistake, _) in BETS_MISTAKES.items()},
        _choices,
        hint=_bets_hint,
        praise="divide, cut, softmax: in this order.",
    ),
]
