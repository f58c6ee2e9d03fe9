"""The failure lab of lesson 05: a small GPT that trains in seconds, and ways to break it that leave the machine whole.

Profile -> lab (stories, tokenizer, a tiny GPT, its settings) -> a run that is healthy, or that fails for one reason.
What needs a process of its own, the memory limit and the kill, is in failures_process.py, the pictures in
plots/runs.py.
"""

from __future__ import annotations

import math
import random
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import median_high
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from workshop_utils.gpt.config import GPTConfig, TrainConfig
from workshop_utils.gpt.model import GPT
from workshop_utils.lessons.failures_process import Attempt as Attempt
from workshop_utils.lessons.failures_process import attempts as attempts
from workshop_utils.lessons.failures_process import kill_at as kill_at
from workshop_utils.machine.profiles import HURRY_DOCUMENTS, Profile, hurried
from workshop_utils.pocket import stories
from workshop_utils.text.corpus import prepare
from workshop_utils.text.token_file import TokenFile, write_token_file
from workshop_utils.text.tokenizer import padded_vocab_size

if TYPE_CHECKING:
    import tiktoken

    from workshop_utils.chat.language_model import LanguageModel
    from workshop_utils.chat.template import Encoded

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
        made = replace(self.training, **changes)
        return replace(made, steps=min(made.steps, HURRIED_STEPS)) if hurried() else made

    def model(self, **changes: Any) -> GPT:
        """A fresh GPT of the lab's shape, perhaps with changes to it; always with the same weights."""
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            torch.manual_seed(0)
            return GPT(replace(self.gpt, **changes))


def lab(profile: Profile) -> Lab:
    """Set up the lab: the package's own stories and a tiny GPT, on the profile's device and in its precision."""
    n = HURRY_DOCUMENTS if hurried() else DOCUMENTS
    train, val, encoding = prepare(replace(profile, text="stories", tokenizer="pocket", n_documents=n))
    gpt = GPTConfig(vocab_size=padded_vocab_size(encoding), **SHAPE)
    made = Lab(train, val, encoding, gpt, TrainConfig(device=profile.device, dtype=profile.dtype, **TRAINING))
    return replace(made, training=made.config())


def fresh_stories(n: int) -> list[str]:
    """n stories of the same generator that are in no split of any lesson."""
    return list(stories.texts(n, seed=77))  # the lessons train on those of seed 0


def token_file(texts: Sequence[str], path: Path, encoding: tiktoken.Encoding) -> TokenFile:
    """A few texts as a token file, to train or to be measured on; an earlier file at the path is written over."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    return write_token_file(texts, path, encoding)


# --- checkpoints


def bytes_of(folder: Path) -> int:
    """What a folder holds on the disk, in bytes of its files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def step_seconds(history: Sequence[Mapping[str, Any]]) -> float:
    """The median seconds per step, including saving; a busy machine hardly moves it.

    Args:
        history: of a run of at least two steps with log_every=1, whose entries tell the seconds so far.
    """
    times = [entry["seconds"] for entry in history if "seconds" in entry]
    return float(median_high(b - a for a, b in pairwise(times)))


def wasted_share(interval: float, cost: float, between: float, work: float, rng: random.Random) -> float:
    """Simulate a run with failures at random moments, and say which share of its time was no progress.

    Args:
        interval: seconds of work between two checkpoints.
        cost: seconds that writing one takes.
        between: mean time between two failures, in seconds; they come without memory, as from an exponential law.
        work: seconds of work that have to be done.
        rng: draws the failures.

    Returns:
        1 - work / (seconds until all of it was done). A failure throws back to the last whole checkpoint.

    Raises:
        ValueError: the interval is not above 0, or hardly one would pass without a failure.
    """
    if not 0 < interval < 10 * between - cost:
        raise ValueError(f"interval is {interval:g} s with a failure every {between:g} s: choose 0 to a few times that")
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
    """
    given = values[values != 0].float() * scale
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


# --- a quantised model


@dataclass(frozen=True)
class Around:
    """Gradients of one batch before and after a generate().

    Attributes:
        loss: of the batch, before and after.
        norms: for each trained matrix the length of its gradient before and after; None where there was none.
        cosine: of the angle between all gradients before and after; 1 is the same direction, 0 has nothing to do
            with it.
        provoked: whether the bug could be provoked here at all.
        warning: the first line of what torch said about it, "" where it said nothing, as after its first time.
    """

    loss: tuple[float, float]
    norms: dict[str, tuple[float | None, float | None]]
    cosine: float
    provoked: bool
    warning: str = ""

    @property
    def missing(self) -> int:
        """How many matrices had a gradient before, and have none after."""
        return sum(before is not None and after is None for before, after in self.norms.values())


def around_generate(model: LanguageModel, rows: Sequence[Encoded], cured: bool) -> Around:
    """Take the gradients of a batch, let the model say something, and take them again.

    Args:
        model: from lora.attach(lora.load_base(...), dropout=0): in four bits, with a fresh adapter. It is spoilt
            afterwards where the bug strikes: load it again.
        rows: the batch.
        cured: keep the weights as they are (lora.keep_unpacked). Otherwise bitsandbytes may do as it likes, which on a
            CPU with avx512_bf16 is to repack them in the first forward pass without gradients.

    Source: seen with bitsandbytes 0.50.2; on a GPU, and on other CPUs, nothing is repacked.
    """
    from workshop_utils.tuning import lora

    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, parameter in model.model.named_parameters():
            if "lora_B" in name:  # starts at 0, and lora_A would have no gradient
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.02)
    lora.keep_unpacked(model.model)
    provoked = False if cured else _let_it_repack(model)
    loss, before = _gradients(model, rows)
    model.generate([rows[0].ids[:8]], 4)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        loss_after, after = _gradients(model, rows)
    said = str(heard[0].message).splitlines()[0] if heard else ""
    norms = {name: (_length(one), _length(after[name])) for name, one in before.items()}
    pairs = ((before, after), (before, before), (after, after))
    both, one, other = (sum(_dot(a[name], b[name]) for name in before) for a, b in pairs)
    return Around((loss, loss_after), norms, both / math.sqrt(one * other) if one * other else 0.0, provoked, said)


def _length(gradient: Tensor | None) -> float | None:
    return None if gradient is None else float(gradient.norm())


def _dot(a: Tensor | None, b: Tensor | None) -> float:
    """Of two gradients; one that is missing counts as 0."""
    return 0.0 if a is None or b is None else float((a * b).sum())


def _let_it_repack(model: LanguageModel) -> bool:
    """Give every 4-bit layer its own answer back to whether this CPU can repack; says whether it can."""
    from bitsandbytes import nn as bnb

    can = bool(getattr(cast(Any, bnb).Linear4bit(64, 64), "support_avx512bf16_for_cpu", False))
    for module in model.model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            cast(Any, module).support_avx512bf16_for_cpu = can
    return can and model.model.device.type == "cpu"


def _gradients(model: LanguageModel, rows: Sequence[Encoded]) -> tuple[float, dict[str, Tensor | None]]:
    """The loss of a batch, and the gradient of each matrix that is trained; None where it has none."""
    from workshop_utils.chat.losses import loss_of

    model.model.zero_grad(set_to_none=True)
    model.model.train()
    total, n = loss_of(model, rows)
    (total / n).backward()
    model.model.eval()
    trained = {name: p for name, p in model.model.named_parameters() if p.requires_grad}
    found = {name: None if p.grad is None else p.grad.detach().float().clone() for name, p in trained.items()}
    return float(total.detach()) / n, found
