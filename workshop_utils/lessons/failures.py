"""The failure lab of lesson 05: a small GPT that trains in seconds, and ways to break it that leave the machine whole.

Profile -> lab (stories, tokenizer, a tiny GPT, its settings) -> a run that is healthy, or that fails for one reason.
What needs a process of its own, the memory limit and the kill, is in failures_process.py, the gradients of a quantised
model in failures_quantised.py, and the pictures in plots/failures.py.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workshop_utils.gpt.config import GPTConfig, TrainConfig
from workshop_utils.lessons.failures_process import Attempt as Attempt
from workshop_utils.lessons.failures_process import attempts as attempts
from workshop_utils.lessons.failures_process import kill_at as kill_at
from workshop_utils.lessons.failures_quantised import Around as Around
from workshop_utils.lessons.failures_quantised import around_generate as around_generate

if TYPE_CHECKING:
    import tiktoken
    from torch import Tensor

    from workshop_utils.gpt.model import GPT
    from workshop_utils.machine.profiles import Profile
    from workshop_utils.text.token_file import TokenFile
    from workshop_utils.training.batches import Batches

MOST_ATTEMPTS = 1e7  # pieces of work that wasted_share plays: some seconds
DOCUMENTS = 4_000  # stories: made in seconds, and more than the lab reads
SHAPE: dict[str, Any] = {
    "block_size": 256,
    "n_layer": 2,
    "n_head": 4,
    "n_embd": 64,
    "position": "rope",
    "init": "fan_in",
    "activation": "gelu",
    "bias": False,
    "attention": "written",  # fixed: a run that is continued in another process must compute the same bits
}
TRAINING: dict[str, Any] = {
    "steps": 400,
    "batch_size": 8,
    "learning_rate": 6e-3,
    "warmup": 0.05,
    "weight_decay": 0.05,
    "eval_every": 100,
    "eval_batches": 4,
    "log_every": 1,
    "checkpoint_every": 0,
    "country": "",
}
HURRIED_STEPS = 12  # WORKSHOP_HURRY: to see that every case runs


# --- the lab


@dataclass(frozen=True)
class Lab:
    """What every case of the lesson works with, the same small thing on every machine.

    Attributes:
        train: stories to learn from.
        val: stories that are never learned from.
        encoding: their tokenizer.
        gpt: the shape of a GPT that trains in seconds.
        training: settings that are good for it; a few steps only where WORKSHOP_HURRY=1 is set.
    """

    train: TokenFile
    val: TokenFile
    encoding: tiktoken.Encoding
    gpt: GPTConfig
    training: TrainConfig

    def config(self, **changes: Any) -> TrainConfig:
        """The good settings with changes, such as steps=60; hurried like the profile's own."""
        from workshop_utils.machine.profiles import hurried

        made = replace(self.training, **changes)
        return replace(made, steps=min(made.steps, HURRIED_STEPS)) if hurried() else made

    def model(self, seed: int = 0, **changes: Any) -> GPT:
        """A fresh GPT of the lab's shape, perhaps with changes to it; the same seed gives the same weights."""
        import torch

        from workshop_utils.gpt.model import GPT

        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            torch.manual_seed(seed)
            return GPT(replace(self.gpt, **changes))


def lab(profile: Profile) -> Lab:
    """Set up the lab: the package's own stories and a tiny GPT, whatever the profile.

    Args:
        profile: says on which device and in which precision; a large model would fail in the same ways, only slower.
    """
    from workshop_utils.machine.profiles import HURRY_DOCUMENTS, hurried
    from workshop_utils.text.corpus import prepare
    from workshop_utils.text.tokenizer import padded_vocab_size

    n = HURRY_DOCUMENTS if hurried() else DOCUMENTS
    train, val, encoding = prepare(replace(profile, text="stories", tokenizer="pocket", n_documents=n))
    gpt = GPTConfig(vocab_size=padded_vocab_size(encoding), **SHAPE)
    made = Lab(train, val, encoding, gpt, TrainConfig(device=profile.device, dtype=profile.dtype, **TRAINING))
    return replace(made, training=made.config())


def fresh_stories(n: int, seed: int = 77) -> list[str]:
    """Stories of the same generator that nobody has seen, in no split of any lesson.

    Args:
        n: how many.
        seed: another seed gives other ones; 0 is what the lessons train on.

    Raises:
        ValueError: the seed is that of the training text.
    """
    from workshop_utils.pocket import stories

    if seed == 0:
        raise ValueError("seed 0 gives the very stories that are trained on: take another one for fresh stories")
    return list(stories.texts(n, seed=seed))


def token_file(texts: Sequence[str], path: Path, encoding: tiktoken.Encoding) -> TokenFile:
    """A few texts as a token file, to train or to be measured on.

    Args:
        texts: at least one.
        path: where to; an earlier file is written over.
        encoding: the tokenizer.
    """
    from workshop_utils.text.token_file import write_token_file

    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    return write_token_file(texts, path, encoding)


# --- rates


def train_along(model: GPT, data: Batches, config: TrainConfig, rates: Sequence[float]) -> list[dict[str, Any]]:
    """Train along any list of learning rates, one update each, also along one that the package would refuse.

    Args:
        model: trained in place.
        data: batches to learn from.
        config: the batch, the precision, the clipping; its own schedule is passed over.
        rates: the learning rate of each update.

    Returns:
        a history like train's: step, loss, lr and grad_norm of every update.

    Raises:
        TrainingStopped: as in train.
    """
    from workshop_utils.training.train import train

    config = replace(config, optimizer="adamw", steps=len(rates), log_every=1, milestones=(), country="")
    return train(model, data, None, config, quiet=True, rates=rates).history


# --- checkpoints


def bytes_of(folder: Path) -> int:
    """What a folder holds on the disk, in bytes of its files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def step_seconds(history: Sequence[Mapping[str, Any]]) -> float:
    """The time of a typical step, what was saved after it included: the median, which a busy machine hardly moves.

    Args:
        history: of a run with log_every=1, whose entries tell the seconds so far.

    Raises:
        ValueError: there are fewer than three entries.
    """
    times = [entry["seconds"] for entry in history if "seconds" in entry]
    if len(times) < 3:
        raise ValueError(f"{len(times)} entries tell the time: train for at least 3 steps with log_every=1")
    between = sorted(b - a for a, b in pairwise(times))
    return float(between[len(between) // 2])


def wasted_share(interval: float, cost: float, between: float, work: float, rng: random.Random) -> float:
    """Play a run with failures at random moments, and say which share of its time was no progress.

    Args:
        interval: seconds of work between two checkpoints.
        cost: seconds that writing one takes.
        between: mean time between two failures, in seconds; they come without memory, as from an exponential law.
        work: seconds of work that have to be done.
        rng: the dice.

    Returns:
        1 - work / (seconds until all of it was done). A failure throws back to the last whole checkpoint.

    Raises:
        ValueError: a number is not above 0, or hardly any piece of work would ever be saved before the next failure.
    """
    if not all(0 < number < math.inf for number in (interval, between, work)) or not 0 <= cost < math.inf:
        raise ValueError(f"interval {interval}, cost {cost}, between {between}, work {work}: all must be above 0")
    piece = min(interval, work)
    attempts = math.exp(min((piece + cost) / between, 700)) * work / piece  # on average
    if attempts > MOST_ATTEMPTS:
        raise ValueError(
            f"with a checkpoint every {interval:g} s and a failure every {between:g} s the run would take about "
            f"{attempts:.1g} attempts: choose an interval nearer to the time between failures"
        )
    done = clock = 0.0
    failure = rng.expovariate(1 / between)
    while done < work:
        piece = min(interval, work - done)
        if clock + piece + cost <= failure:
            done, clock = done + piece, clock + piece + cost
        else:
            clock, failure = failure, failure + rng.expovariate(1 / between)
    return 1 - work / clock


# --- numbers in 16 bits


def lost_share(values: Tensor, dtype: Any, scale: float = 1.0) -> tuple[float, float]:
    """What becomes of numbers when they are stored in a dtype: the share that turns 0, and the share that overflows.

    Args:
        values: any shape, in float32; what is 0 already is left out.
        dtype: such as torch.float16.
        scale: they are multiplied by it first, as a GradScaler does.

    Raises:
        ValueError: all of them are 0.
    """
    given = values[values != 0].float() * scale
    if not given.numel():
        raise ValueError("all values are 0 already: there is nothing to lose")
    stored = given.to(dtype).float()
    return float((stored == 0).float().mean()), float((~stored.isfinite()).float().mean())


def stuck_share(weights: Tensor, rate: float, dtype: Any) -> float:
    """The share of weights that an update of the size of the learning rate does not move when they are stored in dtype.

    Args:
        weights: any shape.
        rate: Adam moves a weight by about this much, whatever the size of its gradient.
        dtype: that the weights are stored in.
    """
    stored = weights.detach().to(dtype)
    return float((stored - rate == stored).float().mean())
