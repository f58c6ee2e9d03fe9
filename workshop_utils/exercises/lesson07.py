"""The exercises of lesson 07, fine-tuning: references, inputs, and the mistakes that people really make."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from workshop_utils.checks import Exercise, randn

Arguments = tuple[Any, ...]

# --- 07.1: what counts in the loss


def labels_of(prompt: list[int], reply: list[int], width: int) -> list[int]:
    """One row's labels: the reply's own tokens, and -100 wherever nothing is learnt, up to the row's width."""
    labels = [-100] * len(prompt) + list(reply)
    return labels + [-100] * (width - len(labels))


def _turns(rng: random.Random) -> Iterator[Arguments]:
    for gap in (0, 3, 5):
        prompt = [rng.randrange(10, 1000) for _ in range(rng.randrange(3, 7))]
        reply = [rng.randrange(10, 1000) for _ in range(rng.randrange(2, 6))] + [4]
        yield prompt, reply, len(prompt) + len(reply) + gap


def _labels_hint(args: Arguments, got: Any, expected: list[int]) -> str | None:
    prompt, reply, width = args
    if not isinstance(got, list):
        return f"the labels should be a list with a number for each token, and yours is a {type(got).__name__}."
    if got == [-100] * len(prompt) + reply and width > len(got):
        return f"the row is {width} tokens wide and your labels end after {len(got)}: padding needs labels, too, -100."
    if len(got) != width:
        return f"you have {len(got)} labels, and the row is {width} tokens wide: one label a token."
    if [0 if label == -100 else label for label in expected] == got:
        return "0 is a token like any other, so the model would learn to write it. -100 is what the loss passes over."
    if got[: len(prompt)] == prompt:
        return "the prompt has labels, so the model would learn to complain as well. Only the reply is learnt."
    if got == [*expected[1:], -100]:
        return "you moved the labels by one place. The library does that itself: each label stands at its own token."
    if (
        got[len(prompt) + len(reply) - 1] == -100
        and got[: len(prompt) + len(reply) - 1] == expected[: len(prompt) + len(reply) - 1]
    ):
        return (
            "the last token of the reply has no label. It is <end_of_turn>: a model that never learns it does not know "
            "when to stop."
        )
    if all(label == -100 for label in got[len(prompt) : len(prompt) + len(reply)]):
        return "the reply has no labels, and it is all there is to learn from: the mask is the wrong way round."
    return None


# --- 07.2: four bits


def quantise(block: Any, levels: Any) -> tuple[Any, Any]:
    """A block of weights to the numbers of the nearest levels, (64,) int64, and the scale that goes with them."""
    scale = block.abs().max()
    codes = (block[:, None] / scale - levels).abs().argmin(dim=1)
    return codes, scale


def _blocks(rng: random.Random) -> Iterator[Arguments]:
    import torch

    levels = torch.tensor(
        [-1.0, -0.7, -0.53, -0.39, -0.28, -0.18, -0.09, 0, 0.08, 0.16, 0.25, 0.34, 0.44, 0.56, 0.72, 1]
    )
    for size in (0.05, 3.0, 0.4):
        block = size * randn(rng, 64)
        block[rng.randrange(64)] = -4 * size  # the largest magnitude is that of a negative one
        yield block, levels


def _quantise_hint(args: Arguments, got: Any, expected: Any) -> str | None:
    block, levels = args
    if not isinstance(got, tuple) or len(got) != 2:
        return "return two things: the numbers of the levels, and the scale. Without the scale nobody can go back."
    codes, scale = got
    wanted, right = expected
    if float(scale) < 0:
        return "your scale is negative: take the largest magnitude, abs() before max()."
    if abs(float(scale) - float(block.max())) < 1e-6:
        return (
            f"your scale is the largest weight, {float(scale):.3f}, and the largest magnitude is a negative one's, "
            f"{float(right):.3f}: abs() before max(), or it does not fit between -1 and 1."
        )
    if abs(float(scale) - float(right)) > 1e-6:
        return f"your scale is {float(scale):.4f}. Take the largest magnitude of the block, {float(right):.4f}."
    if codes.dtype.is_floating_point:
        return (
            "these are levels, as floats. What is stored is the number of each level, 0 to 15: that is what four bits "
            "can hold. argmin gives it."
        )
    if bool((codes == (block[:, None] - levels).abs().argmin(dim=1)).all()):
        return "you compared the weights themselves with the levels: divide the block by its scale first."
    if bool((codes <= wanted).all()) or bool((codes >= wanted).all()):
        return (
            "you always round in the same direction. The nearest level can lie above or below: the smallest distance."
        )
    return None


# --- 07.3: an adapter


def lora_forward(x: Any, W: Any, A: Any, B: Any, alpha: float) -> Any:
    """A frozen layer and the adapter beside it: (T, in) -> (T, out)."""
    return x @ W.T + (x @ A.T) @ B.T * alpha / A.shape[0]


def _layers(rng: random.Random) -> Iterator[Arguments]:
    for rank, alpha in ((4, 8.0), (2, 8.0), (3, 1.0)):
        yield randn(rng, 5, 12), randn(rng, 8, 12), randn(rng, rank, 12), randn(rng, 8, rank), alpha


def _lora_hint(args: Arguments, got: Any, expected: Any) -> str | None:
    x, W, A, B, alpha = args
    base, change = x @ W.T, (x @ A.T) @ B.T
    if isinstance(got, Exception):
        return (
            f"the shapes do not fit ({str(got)[:60]}). Layers are stored as (out, in): x @ W.T. For the adapter, first "
            "down to the rank, x @ A.T, then up again, @ B.T."
        )
    if not hasattr(got, "shape") or tuple(got.shape) != tuple(expected.shape):
        return f"the result should have the shape {tuple(expected.shape)}, that of the layer's own output."
    if _near(got, base):
        return "this is the frozen layer alone: the adapter's part, alpha / r times B A x, is added to it."
    if _near(got, change) or _near(got, change * alpha / A.shape[0]):
        return "this is the adapter alone: the frozen layer still does its work, and the adapter's part is added."
    if _near(got, base + change):
        return f"the scale is missing: the adapter's part times alpha / r, here {alpha:g} / {A.shape[0]}."
    if _near(got, base + change * alpha):
        return f"you multiplied by alpha, but did not divide by the rank, {A.shape[0]}."
    if _near(got, base * alpha / A.shape[0] + change * alpha / A.shape[0]):
        return "you scaled the sum. Only the adapter's part is scaled: the frozen layer stays what it was."
    return None


def _near(left: Any, right: Any) -> bool:
    return bool((left - right).abs().max() < 1e-4)


# --- 07.4: how many numbers are trained


def lora_parameters(shapes: list[tuple[int, int]], rank: int) -> int:
    """Numbers of the two thin matrices, of all layers together."""
    return sum(rank * (n_in + n_out) for n_in, n_out in shapes)


def _shapes(rng: random.Random) -> Iterator[Arguments]:
    for rank in (2, 3, 8):
        yield [(64 * rng.randrange(1, 6), 64 * rng.randrange(6, 12)) for _ in range(4)], rank


def _parameters_hint(args: Arguments, got: Any, expected: int) -> str | None:
    shapes, rank = args
    if got == sum(n_in * n_out for n_in, n_out in shapes):
        return "that is the size of the frozen layers. The adapter has two thin matrices: (rank, in) and (out, rank)."
    if got == sum(rank * n_in * n_out for n_in, n_out in shapes):
        return "in * out * rank is far more than the layer itself. Two matrices, each with its own size: then add."
    if got in (sum(rank * n_in for n_in, _ in shapes), sum(rank * n_out for _, n_out in shapes)):
        return "that is one of the two matrices only. A has rank * in numbers, B has out * rank."
    if got == sum(2 * rank * (n_in + n_out) for n_in, n_out in shapes):
        return "you counted each matrix twice: A goes from in to rank, B from rank to out, and that is all."
    if got == sum(rank * rank * (n_in + n_out) for n_in, n_out in shapes):
        return "the rank is in there twice. Each matrix has it as one of its two sides."
    if got == rank * sum(shapes[0]) or got == rank * sum(shapes[-1]):
        return f"that is one layer only, and there are {len(shapes)}: sum over all of them."
    return None


# --- 07.5: half the memory


def half_the_memory(batch_size: int, grad_accum_steps: int) -> tuple[int, int]:
    """Half as many rows at a time, twice as often: the same update."""
    return batch_size // 2, grad_accum_steps * 2


def _batches(rng: random.Random) -> Iterator[Arguments]:
    for batch in rng.sample((4, 8, 16, 32, 64), 3):
        yield batch, rng.randrange(1, 6)


def _half_hint(args: Arguments, got: Any, expected: tuple[int, int]) -> str | None:
    batch, accumulate = args
    if not isinstance(got, tuple | list) or len(got) != 2:
        return "return two numbers: the new batch_size and the new grad_accum_steps."
    new, often = got
    if any(not isinstance(value, int) for value in (new, often)):
        return f"{got} holds a number that is not whole: half a conversation is none. // divides without a remainder."
    if new * often != batch * accumulate:
        return (
            f"one update would see {new} x {often} = {new * often} conversations, and it saw {batch * accumulate} "
            "before: what you take from one dial, give to the other."
        )
    if new > batch // 2:
        return f"batch_size {new} needs more than half the memory of {batch}: activations grow with the batch."
    return None


# --- 07.6: reading the curves


def overfitting(runs: dict[str, tuple[list[float], list[float]]]) -> str:
    """The run that learns its pairs by heart: its held-out loss has risen again, and its training loss has not."""

    def risen(name: str) -> float:
        learnt, held_out = runs[name]
        return held_out[-1] - min(held_out) if learnt[-1] < learnt[0] else 0.0

    return max(runs, key=risen)


def _between(rng: random.Random, *points: float) -> list[float]:
    """A curve through some points, two steps between each, with a little noise; the points themselves stay."""
    curve = [points[0]]
    for left, right in pairwise(points):
        curve += [left + (right - left) * share + rng.uniform(-0.01, 0.01) for share in (1 / 3, 2 / 3)] + [right]
    return [round(value, 3) for value in curve]


def _runs(rng: random.Random) -> Iterator[Arguments]:
    for _ in range(3):
        move = rng.uniform(-0.1, 0.1)
        curves = [
            (_between(rng, 3.0, 1.6, 0.8 + move), _between(rng, 3.1, 2.0 + move, 2.6 + move)),  # overfits
            (_between(rng, 3.5, 3.2, 2.9 + move), _between(rng, 3.6, 3.4, 3.2 + move)),  # still learning
            (_between(rng, 2.5, 1.0, 0.4 + move), _between(rng, 2.6, 1.1, 0.6 + move)),  # done
            (_between(rng, 3.0, 3.6, 4.5 + move), _between(rng, 3.0, 3.8, 4.8 + move)),  # falls apart
            (_between(rng, 2.2, 1.5, 1.0 + move), _between(rng, 4.2, 3.8, 3.6 + move)),  # tested on another text
        ]
        rng.shuffle(curves)
        yield (dict(zip("ABCDE", curves, strict=True)),)


def _overfitting_hint(args: Arguments, got: Any, expected: str) -> str | None:
    (runs,) = args
    if not isinstance(got, str) or got not in runs:
        return f"return the name of one run: {', '.join(runs)}."
    learnt, held_out = runs[got]
    if learnt[-1] > learnt[0]:
        return (
            f"run {got} does not learn its pairs by heart: its training loss rises as well. It falls apart, and the "
            "cure is a lower rate."
        )
    if got == min(runs, key=lambda name: runs[name][0][-1]):
        return (
            f"run {got} has the lowest training loss, but its held-out loss falls along with it. That is learning: "
            "look for held-out losses that rise again."
        )
    if got == max(runs, key=lambda name: runs[name][1][-1] - runs[name][0][-1]):
        return (
            f"run {got} has the widest gap, but it was there from the beginning, and the held-out loss is falling: its "
            "held-out texts are harder. Compare the last value with the lowest."
        )
    if held_out[-1] == min(held_out):
        return f"the held-out loss of run {got} is at its lowest at the end: train on, it is not done yet."
    return None


EXERCISES = [
    Exercise(
        "07.1",
        "mask",
        labels_of,
        wrong={
            "learns the prompt": lambda p, r, w: p + r + [-100] * (w - len(p) - len(r)),
            "no end of turn": lambda p, r, w: labels_of(p, r[:-1], w),
            "the wrong way round": lambda p, r, w: p + [-100] * (w - len(p)),
            "zeros": lambda p, r, w: [0 if label == -100 else label for label in labels_of(p, r, w)],
            "shifted": lambda p, r, w: [*labels_of(p, r, w)[1:], -100],
            "no padding": lambda p, r, w: [-100] * len(p) + r,
            "reply alone": lambda p, r, w: r,
        },
        cases=_turns,
        hint=_labels_hint,
        praise="one label a token, and the loss passes over every -100. That is all that 'loss on the replies' means.",
    ),
    Exercise(
        "07.2",
        "quantisation",
        quantise,
        wrong={
            "no absolute value": lambda b, q: ((b[:, None] / b.max() - q).abs().argmin(dim=1), b.max()),
            "not scaled": lambda b, q: ((b[:, None] - q).abs().argmin(dim=1), b.abs().max()),
            "rounds down": lambda b, q: (
                (b[:, None] / b.abs().max() >= q - 1e-6).sum(dim=1) - 1,
                b.abs().max(),
            ),
            "levels instead of numbers": lambda b, q: (q[quantise(b, q)[0]], b.abs().max()),
            "no scale returned": lambda b, q: quantise(b, q)[0],
            "scaled by the spread": lambda b, q: ((b[:, None] / b.std() - q).abs().argmin(dim=1), b.std()),
        },
        cases=_blocks,
        hint=_quantise_hint,
        praise="a number from 0 to 15 for each weight, one scale for the whole block.",
    ),
    Exercise(
        "07.3",
        "adapter",
        lora_forward,
        wrong={
            "no scale": lambda x, W, A, B, alpha: x @ W.T + x @ A.T @ B.T,
            "not divided by the rank": lambda x, W, A, B, alpha: x @ W.T + x @ A.T @ B.T * alpha,
            "adapter alone": lambda x, W, A, B, alpha: x @ A.T @ B.T * alpha / A.shape[0],
            "layer alone": lambda x, W, A, B, alpha: x @ W.T,
            "the sum scaled": lambda x, W, A, B, alpha: (x @ W.T + x @ A.T @ B.T) * alpha / A.shape[0],
            "not transposed": lambda x, W, A, B, alpha: x @ W + x @ A @ B * alpha / A.shape[0],
        },
        cases=_layers,
        hint=_lora_hint,
        praise="down to the rank, up again, scaled, added. With B at 0 it changes nothing, and there it starts.",
    ),
    Exercise(
        "07.4",
        "count",
        lora_parameters,
        wrong={
            "the frozen layers": lambda shapes, rank: sum(i * o for i, o in shapes),
            "in times out times rank": lambda shapes, rank: sum(rank * i * o for i, o in shapes),
            "A alone": lambda shapes, rank: sum(rank * i for i, _ in shapes),
            "twice": lambda shapes, rank: sum(2 * rank * (i + o) for i, o in shapes),
            "rank squared": lambda shapes, rank: sum(rank**2 * (i + o) for i, o in shapes),
            "one layer": lambda shapes, rank: rank * sum(shapes[0]),
        },
        cases=_shapes,
        hint=_parameters_hint,
        praise="a sum of sides, where the layer itself has their product: that is the whole trick.",
    ),
    Exercise(
        "07.5",
        "settings",
        half_the_memory,
        wrong={
            "the batch alone": lambda batch, accumulate: (batch // 2, accumulate),
            "both halved": lambda batch, accumulate: (batch // 2, accumulate / 2),
            "the wrong way round": lambda batch, accumulate: (batch * 2, accumulate / 2),
            "accumulation alone": lambda batch, accumulate: (batch, accumulate * 2),
            "not whole": lambda batch, accumulate: (batch / 2, accumulate * 2),
            "nothing changed": lambda batch, accumulate: (batch, accumulate),
        },
        cases=_batches,
        hint=_half_hint,
        praise="the same update, half the activations, hardly any slower: try this first when memory runs out.",
    ),
    Exercise(
        "07.6",
        "choice",
        overfitting,
        wrong={
            "lowest training loss": lambda runs: min(runs, key=lambda name: runs[name][0][-1]),
            "highest held-out loss": lambda runs: max(runs, key=lambda name: runs[name][1][-1]),
            "widest gap": lambda runs: max(runs, key=lambda name: runs[name][1][-1] - runs[name][0][-1]),
            "lowest held-out loss of all": lambda runs: min(runs, key=lambda name: min(runs[name][1])),
            "slowest": lambda runs: min(
                (name for name in runs if runs[name][0][-1] < runs[name][0][0]),
                key=lambda name: runs[name][0][0] - runs[name][0][-1],
            ),
        },
        cases=_runs,
        hint=_overfitting_hint,
        praise="the training loss falls, the held-out loss has turned. Stop at its lowest point, or get more pairs.",
    ),
]
