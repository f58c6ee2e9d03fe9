"""The range of rates that a model bears: one short training whose rate climbs from far too low to far too high."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from workshop_utils.gpt.config import TrainConfig
from workshop_utils.gpt.model import GPT
from workshop_utils.training.batches import Batches, unmoved
from workshop_utils.training.run import TrainingStopped
from workshop_utils.training.train import train


@dataclass(frozen=True)
class RangeTest:
    """What a model made of rates from far too low to far too high.

    Attributes:
        rates: of the steps that were made.
        losses: training loss of each, in nats per token, as it came.
        smoothed: the same as a running mean.
        grad_norms: length of the gradient of each, before clipping.
        suggestion: a rate to start a real training with: where the smoothed loss fell fastest.
        lowest: the rate at which the smoothed loss was lowest; too high for a whole training.
        stopped: why it ended before the highest rate, "" if it did not.
    """

    rates: list[float]
    losses: list[float]
    smoothed: list[float]
    grad_norms: list[float]
    suggestion: float
    lowest: float
    stopped: str = ""

    def __str__(self) -> str:
        end = f"; {self.stopped}" if self.stopped else ""
        return (
            f"the loss fell fastest at a rate of {self.suggestion:.1e}: start with it, and try half and twice as much. "
            f"It was lowest at {self.lowest:.1e}, too high for a whole training{end}"
        )


def lr_range_test(
    make_model: Callable[[], GPT],
    data: Batches,
    config: TrainConfig,
    low: float = 1e-5,
    high: float = 1.0,
    steps: int = 100,
    explode: float = 1.5,
) -> RangeTest:
    """Raise the rate exponentially from step to step, and watch where the loss stops falling and explodes.

    Args:
        make_model: makes a fresh model, which is thrown away: nothing has to be restored.
        data: batches to train on; a stream is put back where it was.
        config: batch, precision, optimiser, clipping. Its own rate, schedule and steps are not used; Muon's rate keeps
            its ratio to learning_rate.
        low: the first rate.
        high: the last one, if the loss does not explode before.
        steps: updates from the one to the other.
        explode: the test ends when the smoothed loss is so many times its lowest value.

    Returns:
        the RangeTest.

    Raises:
        ValueError: the rates do not rise, or there are too few steps.
        TrainingStopped: the very first steps failed already: memory, or data.

    Source: Smith, "Cyclical Learning Rates", arXiv 1506.01186, section 3.3. The suggestion is the rate at which the
        smoothed loss falls fastest. The rate at the lowest loss, and a third of it, are too high for a whole training:
        the test gets there step by step, and spends only a few steps at each rate.
    """
    if not 0 < low < high:
        raise ValueError(f"low is {low} and high {high}: the rates must rise, from above 0")
    if steps < 10:
        raise ValueError(f"steps is {steps}: with fewer than 10, each rate is a guess")
    rates = [low * (high / low) ** (step / (steps - 1)) for step in range(steps)]
    config, stopped = replace(config, steps=steps, log_every=1, country=""), ""
    history: list[dict[str, Any]] = []

    def watch(step: int, model: GPT, entries: list[dict[str, Any]]) -> None:
        history[:] = entries
        smoothed = _smooth([entry["loss"] for entry in entries])
        if smoothed[-1] > explode * min(smoothed):
            raise _Exploded

    with unmoved(data):
        try:
            train(make_model(), data, None, config, quiet=True, on_step=watch, rates=rates)
        except _Exploded:
            stopped = f"it had grown {explode:g} times as large at {history[-1]['lr']:.1e}"
        except TrainingStopped:
            if len(history) < 5:
                raise
            stopped = f"at {rates[len(history)]:.1e} the loss was not finite any more"
    losses = [entry["loss"] for entry in history]
    smoothed = _smooth(losses)
    lowest = rates[smoothed.index(min(smoothed))]
    norms = [entry["grad_norm"] for entry in history]
    return RangeTest(rates[: len(losses)], losses, smoothed, norms, steepest(rates, smoothed), lowest, stopped)


def steepest(rates: Sequence[float], smoothed: Sequence[float]) -> float:
    """The rate of the step before the largest fall of the smoothed loss from a step to the next."""
    falls = [before - after for before, after in pairwise(smoothed)]
    return rates[falls.index(max(falls))]


class _Exploded(Exception):
    """The loss has grown too far to go on."""


def _smooth(losses: Sequence[float], memory: float = 0.8) -> list[float]:
    """A running mean that forgets; its start is corrected for having nothing behind it."""
    found, mean = [], 0.0
    for step, loss in enumerate(losses, start=1):
        mean = memory * mean + (1 - memory) * loss
        found.append(mean / (1 - memory**step))
    return found
