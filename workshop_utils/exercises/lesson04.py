"""The exercises of lesson 04, train a GPT: references, inputs, and the mistakes that people really make."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from typing import Any

from workshop_utils.checks import Exercise, randn

Arguments = tuple[Any, ...]


def perplexity(losses: list[float]) -> float:
    """From losses in nats a token to "between how many tokens the model hesitates"."""
    return math.exp(sum(losses) / len(losses))


def _losses(rng: random.Random) -> Iterator[Arguments]:
    for n in (1, 3, 7):
        yield ([round(rng.uniform(0.2, 6.0), 3) for _ in range(n)],)


def _perplexity_hint(args: Arguments, got: Any, expected: float) -> str | None:
    (losses,) = args
    mean = sum(losses) / len(losses)
    if math.isclose(got, sum(map(math.exp, losses)) / len(losses), rel_tol=1e-6):
        return (
            f"for the losses {losses} you got {got:.2f}, the mean of the perplexities. Take the mean of the losses "
            f"first and the exponential last ({expected:.2f}), or one surprised batch drowns all the others."
        )
    if math.isclose(got, 2**mean, rel_tol=1e-6):
        return f"you raised 2 to the power of the loss. Our losses are in nats, so the base is e: {expected:.2f}."
    if math.isclose(got, mean, rel_tol=1e-6):
        return f"{got:.2f} is still the mean loss. Its exponential is the perplexity: {expected:.2f}."
    if math.isclose(got, math.exp(sum(losses)), rel_tol=1e-6):
        return "you summed the losses. It is the mean over the batches that says how hard one token is."
    return None


def learning_rate(step: int, peak: float, warmup: int, total: int) -> float:
    """Up in a straight line during the warm-up, down in a straight line to 0 at `total`."""
    if step < warmup:
        return peak * step / warmup
    return peak * (total - step) / (total - warmup)


def _steps(rng: random.Random) -> Iterator[Arguments]:
    peak, warmup = rng.choice([1e-3, 3e-3, 6e-3]), rng.randrange(20, 80)
    total = warmup + rng.randrange(200, 900)
    for step in (0, warmup // 2, warmup, total, warmup + 1, (warmup + total) // 2, total - 1):
        yield (step, peak, warmup, total)


def _rate_hint(args: Arguments, got: Any, expected: float) -> str | None:
    step, peak, warmup, total = args
    if step == 0 and got > 0:
        return f"at step 0 your rate is already {got:.4f}. It should start at 0 and climb."
    if step == warmup:
        return (
            f"at step {step} (the end of the warm-up) your rate is {got:.4f} and not the peak {peak:.4f}: it jumps "
            "there. Both sides should meet at peak."
        )
    if step == total:
        return f"at the last step ({total}) your rate is {got:.5f}. It should have come down to 0."
    if step > warmup:
        return (
            f"at step {step}, after the warm-up, your rate is {got:.5f} and should be {expected:.5f}: a straight line."
        )
    return f"at step {step}, inside the warm-up of {warmup}, your rate is {got:.5f} and should be {expected:.5f}."


def accumulate(losses: list[float], tokens: list[int]) -> float:
    """The loss of one large batch, from the mean losses of its parts and how many tokens each part had."""
    return sum(loss * n for loss, n in zip(losses, tokens, strict=True)) / sum(tokens)


def _parts(rng: random.Random) -> Iterator[Arguments]:
    for n in (2, 4, 5):
        yield [round(rng.uniform(0.3, 4), 2) for _ in range(n)], [rng.randrange(20, 900) for _ in range(n)]


def _accumulate_hint(args: Arguments, got: Any, expected: float) -> str | None:
    losses, tokens = args
    if math.isclose(got, sum(losses) / len(losses), rel_tol=1e-6):
        return (
            f"{got:.3f} is the plain mean of the parts, as if a part of {min(tokens)} tokens counted as much as one of "
            f"{max(tokens)}. Weigh each loss by its tokens: {expected:.3f}. (Large libraries had this bug until 2024.)"
        )
    if math.isclose(got, sum(losses), rel_tol=1e-6):
        return "you added the losses up: the gradient would grow with the number of parts, and with it every step."
    if math.isclose(got, sum(loss * n for loss, n in zip(losses, tokens, strict=True)), rel_tol=1e-6):
        return f"the weighted sum is right, now divide it by the number of tokens ({sum(tokens)})."
    return None


def clip(gradients: list[Any], limit: float) -> list[Any]:
    """Shorten all gradients together when their common length is above the limit; the direction stays."""
    length = math.sqrt(sum(float((g**2).sum()) for g in gradients))
    return [g * min(1.0, limit / length) for g in gradients]


def _gradients(rng: random.Random) -> Iterator[Arguments]:
    for scale in (5.0, 0.01, 1.0):
        yield [scale * randn(rng, 4, 3), 2 * scale * randn(rng, 6)], 1.0


def _clip_hint(args: Arguments, got: Any, expected: Any) -> str | None:
    gradients, limit = args
    length = math.sqrt(sum(float((g**2).sum()) for g in gradients))
    new = math.sqrt(sum(float((g**2).sum()) for g in got))
    if length <= limit and abs(new - length) > 1e-4:
        return (
            f"a gradient of length {length:.2f} is already below the limit {limit} and must stay as it is; yours came "
            f"out {new:.2f} long. Clipping only ever shortens."
        )
    if len(got) == len(gradients) and all(float(g.abs().max()) <= limit + 1e-5 for g in got) and new > limit + 1e-3:
        return (
            "you cut every number (or every tensor) on its own, which bends the direction of the step. Measure one "
            "length over all tensors together, and shrink all by the same factor."
        )
    if new > limit + 1e-3:
        return f"the gradients are {length:.2f} long together, and after your clipping still {new:.2f}, above {limit}."
    return None


def best_step(history: list[dict[str, float]]) -> int:
    """The step with the lowest validation loss, among the entries that have one."""
    return int(min((e for e in history if "val_loss" in e), key=lambda e: e["val_loss"])["step"])


def _histories(rng: random.Random) -> Iterator[Arguments]:
    for _ in range(3):
        lowest = rng.randrange(3, 9)
        history: list[dict[str, float]] = []
        for i in range(1, 13):
            entry = {"step": i * 50, "loss": round(3 / i + rng.uniform(0, 0.02), 3)}
            if i % 2 == lowest % 2:  # a look at the validation text, every other entry
                entry["val_loss"] = round(1 + 0.1 * abs(i - lowest), 3)
            history.append(entry)
        yield (history,)


def _best_hint(args: Arguments, got: Any, expected: int) -> str | None:
    (history,) = args
    by_loss = min(history, key=lambda e: e["loss"])["step"]
    if got == by_loss:
        return (
            f"step {got} has the lowest *training* loss. That number keeps falling while a model learns its text by "
            f"heart. The validation loss decides: step {expected}."
        )
    if got == history[-1]["step"] or got == [e for e in history if "val_loss" in e][-1]["step"]:
        return f"step {got} is the last one looked at, but the validation loss was lower at step {expected}."
    if isinstance(got, float) and got < 3:
        return f"{got} is the loss itself. The check asks for the step at which it was reached."
    return None


EXERCISES = [
    Exercise(
        "04.1",
        "perplexity",
        perplexity,
        wrong={
            "mean of the exponentials": lambda losses: sum(map(math.exp, losses)) / len(losses),
            "base two": lambda losses: 2 ** (sum(losses) / len(losses)),
            "forgot the exponential": lambda losses: sum(losses) / len(losses),
            "sum instead of mean": lambda losses: math.exp(sum(losses)),
        },
        cases=_losses,
        hint=_perplexity_hint,
        praise="mean first, exponential last. A perplexity of 1 would be a model that is never surprised.",
    ),
    Exercise(
        "04.2",
        "schedule",
        learning_rate,
        wrong={
            "decay counted from step 0": lambda s, p, w, t: p * s / w if s < w else p * (1 - s / t),
            "no warm-up": lambda s, p, w, t: p * (t - s) / t,
            "never reaches 0": lambda s, p, w, t: p * s / w if s < w else p * (1 - 0.9 * (s - w) / (t - w)),
            "starts at the peak": lambda s, p, w, t: p if s < w else p * (t - s) / (t - w),
        },
        cases=_steps,
        hint=_rate_hint,
        praise="the two lines meet at the peak and end at 0. The run below uses exactly this.",
    ),
    Exercise(
        "04.3",
        "accumulation",
        accumulate,
        wrong={
            "mean of means": lambda losses, tokens: sum(losses) / len(losses),
            "sum": lambda losses, tokens: sum(losses),
            "forgot to divide": lambda losses, tokens: sum(a * b for a, b in zip(losses, tokens, strict=True)),
        },
        cases=_parts,
        hint=_accumulate_hint,
        praise="by tokens. Now many small batches are one large batch, to the last digit.",
    ),
    Exercise(
        "04.4",
        "clipping",
        clip,
        wrong={
            "each tensor alone": lambda gs, limit: [g * min(1.0, limit / float(g.norm())) for g in gs],
            "each number alone": lambda gs, limit: [g.clamp(-limit, limit) for g in gs],
            "always scaled": lambda gs, limit: [
                g * limit / math.sqrt(sum(float((h**2).sum()) for h in gs)) for g in gs
            ],
        },
        cases=_gradients,
        hint=_clip_hint,
        praise="shorter, same direction, and small gradients untouched: what clip_grad_norm_ does.",
    ),
    Exercise(
        "04.5",
        "choice of the checkpoint",
        best_step,
        wrong={
            "lowest training loss": lambda history: min(history, key=lambda e: e["loss"])["step"],
            "the last look": lambda history: [e for e in history if "val_loss" in e][-1]["step"],
            "the loss instead of the step": lambda history: min(e["val_loss"] for e in history if "val_loss" in e),
        },
        cases=_histories,
        hint=_best_hint,
        praise="the validation loss decides, not the training loss and not the clock.",
    ),
]
