"""The exercises of lesson 04, train a GPT: references, inputs, and the mistakes that people really make."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

from workshop_utils.exercises.checks import Arguments, Exercise, Mistakes, randint, randn
from workshop_utils.exercises.sameness import same


def perplexity(losses: list[float]) -> float:
    """From losses in nats per token to "between how many tokens the model hesitates"."""
    return math.exp(sum(losses) / len(losses))


def _losses(rng: random.Random) -> Iterator[Arguments]:
    for n in (1, 3, 7):
        yield ([round(rng.uniform(0.2, 6.0), 3) for _ in range(n)],)


PERPLEXITY: Mistakes = {
    "mean of the exponentials": (
        lambda losses: sum(map(math.exp, losses)) / len(losses),
        "that is the mean of the perplexities. Take the mean of the losses first and the exponential last, or one "
        "difficult batch drowns all the others.",
    ),
    "base two": (
        lambda losses: 2 ** (sum(losses) / len(losses)),
        "you raised 2 to the power of the loss. Our losses are in nats, so the base is e.",
    ),
    "forgot the exponential": (
        lambda losses: sum(losses) / len(losses),
        "this is still the mean loss. Its exponential is the perplexity.",
    ),
    "sum instead of mean": (
        lambda losses: math.exp(sum(losses)),
        "you summed the losses. It is the mean over the batches that says how hard one token is.",
    ),
}


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


def _schedule(
    up: Callable[[int, int], float], down: Callable[[int, int, int], float]
) -> Callable[[int, float, int, int], float]:
    """A schedule of two shares of the peak, one for each side of the end of the warm-up."""
    return lambda s, peak, w, t: peak * (up(s, w) if s < w else down(s, w, t))


RATES: Mistakes = {
    "decay counted from step 0": (
        _schedule(lambda s, w: s / w, lambda s, w, t: 1 - s / t),
        "your fall is counted from step 0, so the rate jumps at the end of the warm-up: both sides meet at peak.",
    ),
    "no warm-up": (
        lambda s, peak, w, t: peak * (t - s) / t,
        "there is no warm-up: at step 0 the rate should be 0, and climb.",
    ),
    "starts at the peak": (
        _schedule(lambda s, w: 1, lambda s, w, t: (t - s) / (t - w)),
        "during the warm-up your rate is already the peak. It should start at 0 and climb.",
    ),
    "starts above 0": (
        _schedule(lambda s, w: (s + 1) / w, lambda s, w, t: (t - s) / (t - w)),
        "at step 0 your rate is already above 0, and it reaches the peak one step too early: step / warmup.",
    ),
    "starts above 0, by one more": (
        _schedule(lambda s, w: (s + 1) / (w + 1), lambda s, w, t: (t - s) / (t - w)),
        "many libraries start at 1 / (warmup + 1), so that no step is lost. Here the rate starts at 0: step / warmup.",
    ),
    "never reaches 0": (
        _schedule(lambda s, w: s / w, lambda s, w, t: 1 - 0.9 * (s - w) / (t - w)),
        "your rate ends at a tenth of the peak. It should come down to 0.",
    ),
    "stays at the peak": (
        _schedule(lambda s, w: s / w, lambda s, w, t: 1),
        "after the warm-up your rate stays at the peak. It should fall in a straight line.",
    ),
    "cosine": (
        _schedule(lambda s, w: s / w, lambda s, w, t: 0.5 * (1 + math.cos(math.pi * (s - w) / (t - w)))),
        "your rate falls along a cosine, as in many real runs. Here a straight line was asked for.",
    ),
}


def accumulate(losses: list[float], tokens: list[int]) -> float:
    """The loss of one large batch, from the mean losses of its parts and how many tokens each part had."""
    return sum(loss * n for loss, n in zip(losses, tokens, strict=True)) / sum(tokens)


def _parts(rng: random.Random) -> Iterator[Arguments]:
    for n in (2, 4, 5):
        yield [round(rng.uniform(0.3, 4), 2) for _ in range(n)], [rng.randrange(20, 900) for _ in range(n)]


PARTS: Mistakes = {
    "mean of means": (
        lambda losses, tokens: sum(losses) / len(losses),
        "that is the plain mean of the parts, as if a short one counted as much as a long one. Weigh each loss by its "
        "tokens. (Large libraries had this bug until 2024.)",
    ),
    "sum": (
        lambda losses, tokens: sum(losses),
        "you added the losses up: the gradient would grow with the number of parts, and with it every step.",
    ),
    "forgot to divide": (
        lambda losses, tokens: sum(loss * n for loss, n in zip(losses, tokens, strict=True)),
        "the weighted sum is right, now divide it by the number of tokens.",
    ),
    "divided by the parts": (
        lambda losses, tokens: sum(loss * n for loss, n in zip(losses, tokens, strict=True)) / len(losses),
        "the weighted sum is right, but you divided it by the number of parts: divide it by that of the tokens.",
    ),
}


def clip(gradients: list[Any], limit: float) -> list[Any]:
    """Shorten all gradients together when their common length is above the limit; the direction stays."""
    length = _length(gradients)
    factor = limit / length if length > limit else 1.0  # a length of 0 divides nothing
    return [g * factor for g in gradients]


def _length(gradients: list[Any]) -> float:
    return math.sqrt(sum(float((g**2).sum()) for g in gradients))


def _gradients(rng: random.Random) -> Iterator[Arguments]:
    for scale, limit in ((5.0, 1.0), (0.01, 1.0), (1.0, 0.5), (4.0, 10.0), (0.0, 1.0)):
        yield [scale * randn(rng, 4, 3), 2 * scale * randn(rng, 6)], limit


_ALONE = (
    "you shortened every tensor on its own, which bends the direction of the step. Measure one length over all tensors "
    "together, and shrink all by the same factor."
)
CLIPPED: Mistakes = {
    "each tensor alone": (lambda gs, limit: [g * min(1.0, limit / float(g.norm())) for g in gs], _ALONE),
    "each tensor alone, in tensors": (lambda gs, limit: [g * (limit / g.norm()).clamp(max=1.0) for g in gs], _ALONE),
    "each number alone": (
        lambda gs, limit: [g.clamp(-limit, limit) for g in gs],
        "you cut every number on its own, which bends the direction of the step. Measure one length over all tensors "
        "together, and shrink all by the same factor.",
    ),
    "always scaled": (
        lambda gs, limit: [g * limit / _length(gs) for g in gs],
        "you also change gradients whose length is below the limit. Clipping only ever shortens.",
    ),
    "1 for the limit": (
        lambda gs, limit: clip(gs, 1.0),
        "you clip to a length of 1, and not to `limit`.",
    ),
    "zeros": (
        lambda gs, limit: [g * min(1.0, limit / _length(gs)) for g in gs],
        "gradients can all be 0, for example where everything is masked, and then you divide by a length of 0: divide "
        "only where the length is above the limit.",
    ),
}


BETA1, BETA2, EPS = 0.9, 0.95, 1e-8
State = tuple[Any, Any, Any]


def adamw_step(w: Any, g: Any, m: Any, v: Any, t: int, lr: float, decay: float) -> State:
    """One step of AdamW on one tensor: the new weights and both running averages, as torch.optim.AdamW has them."""
    m, v = BETA1 * m + (1 - BETA1) * g, BETA2 * v + (1 - BETA2) * g**2
    return _adamw(w, m, v, lr, decay * w, 1 - BETA1**t, 1 - BETA2**t)


def _adamw(w: Any, m: Any, v: Any, lr: float, pull: Any, of_m: float, of_v: float) -> State:
    """The step for running averages that are corrected by given factors."""
    return w - lr * ((m / of_m) / ((v / of_v).sqrt() + EPS) + pull), m, v


def _new_averages(answer: Callable[..., State]) -> Callable[..., State]:
    """A wrong step that keeps the right averages."""
    return lambda w, g, m, v, *rest: (answer(w, g, m, v, *rest)[0], *adamw_step(w, g, m, v, *rest)[1:])


def _weights(rng: random.Random) -> Iterator[Arguments]:
    for t, decay in ((1, 0.0), (1, 0.1), (3, 0.1), (40, 0.5)):
        w, g = randn(rng, 4, 3), randn(rng, 4, 3)
        g[0] *= 1e-7  # so small that EPS matters
        m, v = (0 * w, 0 * w) if t == 1 else (0.3 * randn(rng, 4, 3), randn(rng, 4, 3) ** 2)
        yield w, g, m, v, t, rng.choice([1e-2, 3e-2]), decay


def _corrected(w: Any, g: Any, m: Any, v: Any, t: int, lr: float, decay: float) -> State:
    w, m, v = adamw_step(w, g, m, v, t, lr, decay)
    return w, m / (1 - BETA1**t), v / (1 - BETA2**t)


def _eps(bottom: Callable[[Any], Any]) -> Callable[..., State]:
    """A step with another denominator, computed from the corrected v."""

    def wrong(w: Any, g: Any, m: Any, v: Any, t: int, lr: float, decay: float) -> State:
        _, m, v = adamw_step(w, g, m, v, t, lr, decay)
        return w - lr * (m / (1 - BETA1**t) / bottom(v / (1 - BETA2**t)) + decay * w), m, v

    return wrong


STEPS: Mistakes = {
    "no EPS": (
        _eps(lambda v: v.sqrt()),
        "EPS is missing: where v is 0 you would divide by 0, and where it is tiny the step is too large.",
    ),
    "EPS in the root": (
        _eps(lambda v: (v + EPS).sqrt()),
        "EPS is added after the root, not under it.",
    ),
    "no bias correction": (
        lambda w, g, m, v, t, lr, decay: _adamw(
            w, BETA1 * m + (1 - BETA1) * g, BETA2 * v + (1 - BETA2) * g**2, lr, decay * w, 1, 1
        ),
        "your averages start at 0 and are used as they are: early on they are too small. Divide m by 1 - BETA1**t and "
        "v by 1 - BETA2**t for the step.",
    ),
    "decay in the gradient": (
        lambda w, g, m, v, t, lr, decay: adamw_step(w, g + decay * w, m, v, t, lr, 0.0),
        "you added the decay to the gradient, as Adam with L2 does, so it is divided by the root of v as well. AdamW "
        "keeps it apart: w also loses lr * decay * w.",
    ),
    "decay without the rate": (
        _new_averages(lambda w, g, m, v, t, lr, decay: adamw_step(w, g, m, v, t, lr, decay / lr)),
        "you subtract decay * w. In AdamW the decay is multiplied by the rate, too: lr * decay * w.",
    ),
    "no decay": (
        lambda w, g, m, v, t, lr, decay: adamw_step(w, g, m, v, t, lr, 0.0),
        "the weight decay is missing: w also loses lr * decay * w.",
    ),
    "no root": (
        _eps(lambda v: v + EPS),
        "you divide by v itself. Divide by its square root, so that the step has the size of the rate.",
    ),
    "returns the corrected averages": (
        _corrected,
        "you return the corrected averages, and the next step would correct them once more. Return m and v as they "
        "are; correct copies for the step.",
    ),
}


def evaluate(model: Any, batches: list[tuple[Any, Any]]) -> float:
    """Mean loss per token over batches, without dropout and gradients; the model is in training mode afterwards."""
    import torch

    model.eval()
    with torch.no_grad():
        parts = [(float(model(x, y)[1]), int((y != -1).sum())) for x, y in batches]
    model.train()
    return accumulate([loss for loss, _ in parts], [n for _, n in parts])


def _evaluated_by(answer: Callable[..., Any], batches: list[tuple[Any, Any]]) -> dict[str, Any]:
    """What an evaluation says about a small model, and what it does to the model."""
    import torch

    class Watched(torch.nn.Module):
        """A table of logits, and their cross-entropy; in training mode half of each logit is gone, as with dropout."""

        def __init__(self) -> None:
            super().__init__()
            self.table, self.graphs = torch.nn.Parameter(torch.arange(256.0).view(16, 16).sin()), 0

        def forward(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            self.graphs += torch.is_grad_enabled()
            logits = self.table[x] * (0.5 if self.training else 1.0)  # (B, T, 16)
            return logits, torch.nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten(), ignore_index=-1)

    model = Watched()
    loss = answer(model, batches)
    if loss is None:
        return {}  # said by `_watched`
    return {"loss": float(loss), "graphs": model.graphs, "training": model.training}


def _watched(got: dict[str, Any], expected: dict[str, Any]) -> str | None:
    if not got:
        return "your function returned nothing (None). Is a `return` missing?"
    if not got["training"]:
        return "afterwards the model is still in eval mode, and dropout would stay off in training: model.train()."
    if got["graphs"]:
        return "gradients are tracked while you evaluate, which costs memory: put the loop under torch.no_grad()."
    return same(got["loss"], expected["loss"])


def _batches(rng: random.Random) -> Iterator[Arguments]:
    for n in (1, 3, 4):
        batches = []
        for i in range(n):
            x = randint(rng, 16, 4, 8)
            y = x.clone()
            y[:, 2 + rng.randrange(2) + i :] = -1  # every batch has its own number of targets
            batches.append((x, y))
        yield (batches,)


def _loss_of(model: Any, x: Any, y: Any) -> float:
    import torch

    with torch.no_grad():
        return float(model(x, y)[1])


def _in_training_mode(model: Any, batches: list[tuple[Any, Any]]) -> float:
    parts = [(_loss_of(model, x, y), int((y != -1).sum())) for x, y in batches]
    return accumulate([loss for loss, _ in parts], [n for _, n in parts])


def _mean_of_batches(model: Any, batches: list[tuple[Any, Any]]) -> float:
    model.eval()
    losses = [_loss_of(model, x, y) for x, y in batches]
    model.train()
    return sum(losses) / len(losses)


def _tracking(model: Any, batches: list[tuple[Any, Any]]) -> float:
    model.eval()
    parts = [(model(x, y)[1].item(), int((y != -1).sum())) for x, y in batches]
    model.train()
    return accumulate([loss for loss, _ in parts], [n for _, n in parts])


def _left_in_eval_mode(model: Any, batches: list[tuple[Any, Any]]) -> float:
    loss = evaluate(model, batches)
    model.eval()
    return loss


EVALUATIONS: Mistakes = {
    "in training mode": (
        _in_training_mode,
        "the model is still in training mode while you evaluate, so dropout would be on: model.eval() comes first.",
    ),
    "mean of means": (
        _mean_of_batches,
        "that is the plain mean over the batches, but they hold different numbers of targets: weight each loss by "
        "(y != -1).sum(), as in exercise 04.3.",
    ),
}


def best_step(history: list[dict[str, float]]) -> int:
    """The step with the lowest validation loss, among the entries that have one."""
    return int(min((e for e in history if "val_loss" in e), key=lambda e: e["val_loss"])["step"])


def _histories(rng: random.Random) -> Iterator[Arguments]:
    for lowest in (*rng.sample(range(3, 9), 2), 1, 12):  # the first and the last one can be the best, too
        history: list[dict[str, float]] = []
        for i in range(1, 13):
            last = 0.1 if i == 12 else 0.0  # the training loss is lowest one entry earlier
            entry = {"step": i * 50, "loss": round(3 / i + rng.uniform(0, 0.02) + last, 3)}
            if i % 2 == lowest % 2:  # an evaluation, every other entry
                bump = 0.5 if i in (lowest - 2, lowest + 2) else 0.0  # up and down again, on both sides
                entry["val_loss"] = round(1 + 0.1 * abs(i - lowest) + bump, 3)
            history.append(entry)
        yield (history,)


def _evaluated(history: list[dict[str, float]]) -> list[dict[str, float]]:
    return [entry for entry in history if "val_loss" in entry]


def _before_the_first_rise(history: list[dict[str, float]]) -> int:
    pairs = pairwise(_evaluated(history))
    return next(
        (int(a["step"]) for a, b in pairs if b["val_loss"] > a["val_loss"]), int(_evaluated(history)[-1]["step"])
    )


BEST: Mistakes = {
    "lowest training loss": (
        lambda history: min(history, key=lambda e: e["loss"])["step"],
        "that step has the lowest *training* loss. That number keeps falling while a model learns its text by heart. "
        "The validation loss decides.",
    ),
    "the last one evaluated": (
        lambda history: _evaluated(history)[-1]["step"],
        "that is the last step that was evaluated, but an earlier one can have a lower validation loss.",
    ),
    "the last one": (
        lambda history: history[-1]["step"],
        "that is the last step of the run, but an earlier one can have a lower validation loss.",
    ),
    "before the first rise": (
        _before_the_first_rise,
        "you stopped where the validation loss rises for the first time. It may fall again, and lower: look at all of "
        "them.",
    ),
    "the loss instead of the step": (
        lambda history: min(e["val_loss"] for e in _evaluated(history)),
        "that is the lowest validation loss itself. At which step was it reached?",
    ),
    "the place in the list": (
        lambda history: history.index(min(_evaluated(history), key=lambda e: e["val_loss"])),
        'that is the place of the entry in the list. Return what it has under "step".',
    ),
}


EXERCISES = [
    Exercise(
        "04.1",
        "perplexity",
        perplexity,
        PERPLEXITY,
        _losses,
        praise="mean first, exponential last. A perplexity of 1 would be a model that is never surprised.",
    ),
    Exercise(
        "04.2",
        "schedule",
        learning_rate,
        RATES,
        _steps,
        praise="the two lines meet at the peak and end at 0. The run below uses exactly this.",
    ),
    Exercise(
        "04.3",
        "accumulation",
        accumulate,
        PARTS,
        _parts,
        praise="by tokens. Now many small batches are one large batch, up to rounding.",
    ),
    Exercise(
        "04.4",
        "clipping",
        clip,
        CLIPPED,
        _gradients,
        praise="shorter, same direction, and small gradients untouched: what clip_grad_norm_ does.",
    ),
    Exercise(
        "04.5",
        "step of AdamW",
        adamw_step,
        STEPS,
        _weights,
        praise="two averages, corrected while they are young, and a decay that is kept apart from both.",
    ),
    Exercise(
        "04.6",
        "evaluation",
        evaluate,
        EVALUATIONS,
        _batches,
        apply=_evaluated_by,
        compare=_watched,
        wrong={
            "stays in eval mode": _left_in_eval_mode,
            "tracks gradients": _tracking,
        },
        praise="eval mode, no gradients, a mean over tokens, and back to training mode.",
    ),
    Exercise(
        "04.7",
        "choice of the checkpoint",
        best_step,
        BEST,
        _histories,
        praise="the validation loss decides, not the training loss and not the clock.",
    ),
]
