"""The parts of bench/gpu.py, each in a process of its own: `python bench/gpu_parts.py JOB.json`.

A part writes what it has found after every piece of work, so that whatever stops it takes nothing along.
"""

from __future__ import annotations

import importlib.util
import json
import math
import shutil
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from common import ROOT, Row, rounds_row, row, take_turns
from peers import Plain, choose_peer, same_shape
from torch import Tensor, nn
from torch.nn import functional as F

from workshop_utils.command import kernel
from workshop_utils.gpt import model as gpt_model
from workshop_utils.gpt.config import GPTConfig, TrainConfig
from workshop_utils.gpt.model import GPT
from workshop_utils.kernels.loss import loss_in_pieces
from workshop_utils.machine import hardware, profiles
from workshop_utils.machine.files import write_text_atomically
from workshop_utils.machine.hardware import peak_flops, peak_memory_bytes
from workshop_utils.machine.sentences import one_line
from workshop_utils.training.batches import Feed
from workshop_utils.training.train import train

sys.path.append(str(ROOT / "tools"))

# What the models of the hub have, so that memory and speed are theirs. "tokens": of the tokenizer.
REAL: dict[str, dict[str, Any]] = {
    "gemma2": {  # Gemma 2 2B
        "tokens": 256_000,
        "spare_rows": 0,
        "hidden_size": 2304,
        "intermediate_size": 9216,
        "num_hidden_layers": 26,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "sliding_window": 4096,
        "max_position_embeddings": 8192,
    },
    "qwen2": {  # Qwen2.5 1.5B
        "tokens": 151_665,
        "spare_rows": 271,
        "hidden_size": 1536,
        "intermediate_size": 8960,
        "num_hidden_layers": 28,
        "num_attention_heads": 12,
        "num_key_value_heads": 2,
        "max_position_embeddings": 32_768,
    },
    "gpt2": {"n_positions": 1024, "n_embd": 768, "n_layer": 12, "n_head": 12},
}
STORIES = 200_000  # what the t4 profile asks for
SMALL = {"n_layer": 1, "n_head": 2, "n_embd": 32}  # --tiny
VOCAB, RATE, WARM_UP = 50_304, 6e-4, 3
TINY_LESSONS = ("00", "03")
LONGEST = ("07", "04")  # begun first where several lessons run at once
AFTER = {"09": "07"}  # takes the adapter that the other one leaves
LEAST = 20.0  # seconds without which a lesson is not begun
TUNED_LENGTH = 128  # tokens of a conversation, a multiple of 64: Triton tunes itself anew for each length


@dataclass
class Job:
    """One part: what it is asked, and what it has found.

    Attributes:
        part: its name, a key of PARTS.
        work: folder for the hub, the lessons' home and the findings.
        seconds: that it may take.
        tiny: a trial with tiny shapes.
        nanogpt: a checkout of nanoGPT, or None.
        at_once: how many lessons run side by side.
        lessons: their numbers; all if empty.
    """

    part: str
    work: str
    seconds: float
    tiny: bool = False
    nanogpt: str | None = None
    at_once: int = 1
    lessons: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    @property
    def folder(self) -> Path:
        """The folder to work in."""
        return Path(self.work)

    @property
    def hub(self) -> Path:
        """The copy of the hub."""
        return self.folder / "hub"

    @property
    def device(self) -> str:
        """Where to compute; gpu.py hides the GPU from a tiny trial."""
        return "cuda" if torch.cuda.is_available() else "cpu"

    def left(self) -> float:
        """Seconds until its time is over."""
        return self.began + self.seconds - time.monotonic()

    def found(self, *rows: Row) -> None:
        """Keep lines of the table."""
        self.rows += [line | {"part": self.part} for line in rows]
        self.keep()

    def note(self, sentence: str) -> None:
        """Keep a sentence for the reader of the table."""
        self.notes.append(sentence)
        self.keep()

    def keep(self) -> None:
        """Write down what there is so far."""
        content = {"rows": self.rows, "notes": self.notes}
        write_text_atomically(json.dumps(content, indent=1) + "\n", self.folder / f"{self.part}.found.json")


# --- the hub


def make_hub(job: Job) -> None:
    """Models of the real shapes with random weights, GPT-2 and stories, laid out as on the hub."""
    import datasets  # noqa: F401  both here, since two threads that import them at once get in each other's way
    import tiny_hub
    import transformers  # noqa: F401

    began = time.perf_counter()
    made = job.hub / "made.json"
    settings = {"tiny": job.tiny, "stories": tiny_hub.N_STORIES if job.tiny else STORIES, "shapes": REAL}
    if made.is_file() and json.loads(made.read_text()) == settings:
        return
    shutil.rmtree(job.hub, ignore_errors=True)
    with ThreadPoolExecutor(1) as pool:
        told = pool.submit(tiny_hub.save_tiny_stories, job.hub / tiny_hub.TINY_STORIES, settings["stories"])
        for names, family in ((profiles.GEMMA, "gemma2"), (profiles.PAIRS["t4"], "qwen2")):
            changes = {} if job.tiny else shape_of(family)
            with drawn_in(torch.bfloat16, job.device):
                tiny_hub.save_pair(job.hub, names, **changes)
        tiny_hub.save_gpt2(job.hub / tiny_hub.GPT2, **({} if job.tiny else REAL["gpt2"]))
        told.result()
        tiny_hub.save_text_to_sql(job.hub / tiny_hub.HUB_SET)
    made.write_text(json.dumps(settings))
    job.found(row("the hub's copy: seconds to make it", time.perf_counter() - began))


def shape_of(family: str) -> dict[str, Any]:
    """A real model's shape, and a tokenizer of its size: what tiny_models.save takes."""
    import tiny_models

    from workshop_utils.pocket import stories

    shape = dict(REAL[family])
    texts = list(stories.texts(500, seed=11))
    return {"vocabulary": tiny_models.tokenizer(family, texts, learnt=2_257, size=shape.pop("tokens")), **shape}


@contextmanager
def drawn_in(dtype: torch.dtype, device: str) -> Iterator[None]:
    """Make new models on a device and in a precision."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            yield
    finally:
        torch.set_default_dtype(before)


# --- the lessons


def run_lessons(job: Job) -> None:
    """Every lesson in the t4 profile, under as_t4, some side by side; a lesson that fails ends nothing."""
    home = job.folder / "home"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    wanted = job.lessons or (list(TINY_LESSONS) if job.tiny else [])
    paths = {path.name[:2]: path for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}
    if unknown := sorted(set(wanted) - set(paths)):
        raise ValueError(f"there is no lesson {', '.join(unknown)}: there are {', '.join(paths)}")
    numbers = sorted(wanted or paths)
    numbers = [number for number in LONGEST if number in numbers] + [n for n in numbers if n not in LONGEST]
    with ThreadPoolExecutor(job.at_once) as pool:
        running: dict[str, Future[Row | None]] = {}
        for number in numbers:
            running[number] = pool.submit(run_lesson, job, paths[number], running.get(AFTER.get(number, "")))
        for done in as_completed(running.values()):
            line = done.result()
            if line is not None:
                job.found(line)
    late = [number for number, done in running.items() if done.result() is None]
    if late:
        job.note(
            f"The lessons {', '.join(sorted(late))} were left out: the time was over (--only lessons gives them more)."
        )


def run_lesson(job: Job, path: Path, first: Future[Row | None] | None = None) -> Row | None:
    """One lesson, and the line that says how it went; None where there was no time to begin it.

    Args:
        job: of the lessons.
        path: the notebook.
        first: the lesson that must have ended before.
    """
    import nbformat

    if first is not None:
        first.result()
    left = job.left()
    if left < LEAST:
        return None
    peaks = job.folder / "peaks" / path.stem
    shutil.rmtree(peaks, ignore_errors=True)
    peaks.mkdir(parents=True)
    env = {
        "WORKSHOP_HOME": str(job.folder / "home"),
        "WORKSHOP_HUB": str(job.hub),
        "WORKSHOP_BACKEND": "transformers",  # Unsloth's kernels are Triton's
        "WORKSHOP_HURRY": "1" if job.tiny else "0",
        "GPU_PEAKS": str(peaks),
    }
    outcome = kernel.execute(nbformat.read(path, as_version=4), "t4", peaks, env, seconds=left)
    books = [json.loads(file.read_text()) for file in peaks.glob("*.json")]
    most = {name: max((book[name] for book in books), default=0) / 1e9 for name in ("allocated", "reserved")}
    error = outcome.error.replace(str(job.folder), "WORK").replace(str(ROOT), ".")
    status = "stopped" if outcome.cell is not None and outcome.seconds >= left else outcome.status
    went = {
        "passed": "passed",
        "stopped": f"**stopped** in cell {outcome.cell}, when the time was over",
        "failed": f"**failed** in cell {outcome.cell} ({error.replace('|', '/')})",
    }[status]
    what = (
        f"lesson {path.stem}, minutes: {went}; {most['allocated']:.1f} GB allocated on the GPU "
        f"({most['reserved']:.1f} reserved), {outcome.peak_mb / 1e3:.1f} GB of RAM"
    )
    details = {"status": status, "cell": outcome.cell, "error": error, "ram_gb": outcome.peak_mb / 1e3}
    return row(what, outcome.seconds / 60) | details | {f"gpu_{name}_gb": value for name, value in most.items()}


# --- training


class SameBatch:
    """The same random rows again and again: no time goes into data, and a model that works learns them by heart."""

    fingerprint = ""

    def __init__(self, vocab_size: int) -> None:
        self.vocab_size = vocab_size

    def batch(self, how: str, batch_size: int, block_size: int, generator: Any = None) -> tuple[Tensor, Tensor]:
        """x and y (batch_size, block_size)."""
        rows = torch.randint(self.vocab_size, (batch_size, block_size + 1), generator=torch.Generator().manual_seed(0))
        return rows[:, :-1].contiguous(), rows[:, 1:].contiguous()


class Trainee:
    """A model in a plain loop: mixed precision, fused AdamW, clipping, the loss never read back in between."""

    def __init__(self, model: nn.Module, batch: tuple[Tensor, Tensor], dtype: str, device: str, compiled: bool) -> None:
        self.device, self.dtype = device, getattr(torch, dtype)
        self.model = model.to(device).train()
        backend = "inductor" if device == "cuda" else "eager"  # a trial only sees that it can be traced
        self.called = torch.compile(self.model, backend=backend) if compiled else self.model
        self.x, self.y = (part.to(device) for part in batch)
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
        self.scaler = torch.amp.GradScaler(device, enabled=dtype == "float16")
        self.losses: list[float] = []
        self.peak_bytes = 0

    def step(self) -> Tensor:
        """One update."""
        with torch.autocast(self.device, self.dtype, enabled=self.dtype != torch.float32):
            loss = self.called(self.x, self.y)[1]
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    def warm_up(self) -> None:
        """The first updates, which compile and find their memory: only their losses count."""
        self.speed(WARM_UP)
        self.peak_bytes = 0

    def own_bytes(self) -> int:
        """Bytes of the weights and of what the optimiser keeps."""
        kept = [value for state in self.optimizer.state.values() for value in state.values()]
        return sum(tensor.numel() * tensor.element_size() for tensor in [*self.model.parameters(), *kept])

    def speed(self, steps: int) -> float:
        """Tokens a second over some updates; their losses and the peak of memory, without other models, are kept."""
        others = torch.cuda.memory_allocated() - self.own_bytes() if self.device == "cuda" else 0
        forget_peak(self.device)
        seconds, losses = timed(lambda: [self.step() for _ in range(steps)], self.device)
        self.losses += [float(loss) for loss in losses]
        self.peak_bytes = max(self.peak_bytes, peak_memory_bytes(self.device) - others)
        return steps * self.x.numel() / seconds


def timed(work: Callable[[], Any], device: str) -> tuple[float, Any]:
    """Seconds of a piece of work until the device has finished it, and what it returns."""
    wait(device)
    began = time.perf_counter()
    result = work()
    wait(device)
    return time.perf_counter() - began, result


def wait(device: str) -> None:
    """Wait until the device has done all that it was given."""
    if device == "cuda":
        torch.cuda.synchronize()


def forget_peak(device: str) -> None:
    """Let the peak of GPU memory begin afresh."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()


def check_losses(sides: dict[str, Sequence[float]], vocab_size: int) -> None:
    """See that each side is a model that learns, and that all learn alike: a broken one may be as fast as it likes.

    Args:
        sides: for each the losses of its updates, on the same rows, which they see again and again.
        vocab_size: a model that knows nothing has a loss of about its logarithm.

    Raises:
        ValueError: one does not, with the figures.
    """
    for name, losses in sides.items():
        first, last = losses[0], losses[-1]
        if not all(map(math.isfinite, losses)):
            raise ValueError(f"{name}: a loss is not finite, so this model is broken and its speed means nothing")
        if abs(first - math.log(vocab_size)) > 1:
            raise ValueError(f"{name}: the first loss is {first:.2f} and not about {math.log(vocab_size):.2f}: broken")
        if not last < first:
            raise ValueError(
                f"{name}: the loss went from {first:.4f} to {last:.4f} on rows seen again and again: broken"
            )
    ends = {name: losses[-1] for name, losses in sides.items()}
    if max(ends.values()) - min(ends.values()) > 1:
        raise ValueError(f"the sides do not learn alike, their losses end at {ends}: one of them is broken")


def throughput(job: Job) -> None:
    """Tokens a second, MFU and peak memory: GPT-2 124M against nanoGPT's model, train() and the t4 profile's step."""
    device = job.device
    vocab, block, batch = (128, 16, 2) if job.tiny else (VOCAB, 1024, 32 if _memory(device) > 48e9 else 8)
    shape = SMALL if job.tiny else {name: profiles.MODELS["big"][name] for name in SMALL}
    shape = {**shape, "bias": True}
    steps, rounds = (2, 1) if job.tiny else (20, 3)
    dtype = profiles.choose_dtype(device)[0] if device == "cuda" else "bfloat16"
    peer = choose_peer(Path(job.nanogpt)) if job.nanogpt else None
    config = same_shape(vocab, block, attention="sdpa", **shape)
    rows = SameBatch(vocab).batch("windows", batch, block)
    title = f"{'tiny' if job.tiny else 'GPT-2 124M'}, {batch} x {block:,}, {dtype}"
    for kind in ("eager", "compiled"):
        sides = {"ours": Trainee(GPT(config), rows, dtype, device, kind == "compiled")}
        if peer is not None:
            theirs = peer.model(vocab, block, **shape)
            sides[peer.name] = Trainee(theirs, rows, dtype, device, kind == "compiled")
        for side in sides.values():
            side.warm_up()
        found = speeds(list(sides.values()), steps, rounds)
        check_losses({name: side.losses for name, side in sides.items()}, vocab)
        what = f"training, {title}, plain loop, {kind}"
        peaks = [side.peak_bytes / 1e9 for side in sides.values()]
        ends = [side.losses[-1] for side in sides.values()]
        job.found(
            compared(f"{what}: tokens/s", found),
            *mfu(what, found, config, device, dtype),
            row(f"{what}: peak GB", *peaks, better="lower"),
            row(f"{what}: loss after {len(sides['ours'].losses)} updates on the same rows", *ends, better="lower"),
        )
        plain = sides["ours"]
        del sides, side
        if kind == "eager":
            settings = {"batch_size": max(1, batch // 2), "grad_accum_steps": 4, "dtype": dtype}
            found = against_train(plain, config, settings, steps // 2, rounds, device)
            job.found(compared(f"training, {title}: train() (peer: our plain loop, eager), tokens/s", found))
        del plain
        hardware.give_back_gpu_memory()
    t4_step(job, steps, rounds)


def t4_step(job: Job, steps: int, rounds: int) -> None:
    """The t4 profile's training step, in float16 as there: in a plain loop, compiled, and by train()."""
    device = job.device
    torch._dynamo.reset()  # or the lengths of another shape would make this one's compiled kernels general
    dtype = "float16" if device == "cuda" else "float32"
    small = GPTConfig(vocab_size=128, block_size=16, attention="sdpa", **SMALL)
    config = small if job.tiny else GPTConfig(vocab_size=VOCAB, attention="sdpa", **profiles.MODELS["t4"])
    batch = 2 if job.tiny else profiles.TRAININGS["t4"]["batch_size"]
    rows = SameBatch(config.vocab_size).batch("windows", batch, config.block_size)
    title = f"training, the t4 profile's shape, {batch} x {config.block_size}, {dtype}"
    plain, compiled = (Trainee(GPT(config), rows, dtype, device, kind) for kind in (False, True))
    for side in (plain, compiled):
        side.warm_up()
    found = speeds([compiled, plain], 2 * steps, rounds)
    check_losses({"eager": plain.losses, "compiled": compiled.losses}, config.vocab_size)
    what, peaks = f"{title}: plain loop, compiled (peer: eager)", (compiled.peak_bytes / 1e9, plain.peak_bytes / 1e9)
    job.found(
        compared(f"{what}, tokens/s", found),
        *mfu(what, found, config, device, dtype),
        row(f"{what}, peak GB", *peaks, better="lower"),
    )
    found = against_train(plain, config, {"batch_size": batch, "dtype": dtype}, 2 * steps, rounds, device)
    job.found(compared(f"{title}: train() (peer: our plain loop, eager), tokens/s", found))


def _memory(device: str) -> int:
    return torch.cuda.get_device_properties(0).total_memory if device == "cuda" else 0


def speeds(sides: list[Trainee], steps: int, rounds: int) -> list[list[float]]:
    """Tokens a second of one or two sides, round by round, in turns."""
    if len(sides) == 1:
        return [[sides[0].speed(steps) for _ in range(rounds)]]
    return list(take_turns(lambda: sides[0].speed(steps), lambda: sides[1].speed(steps), rounds))


def compared(what: str, found: Sequence[Sequence[float]]) -> Row:
    """The line of one side, or of two that took turns."""
    return rounds_row(what, *found) if len(found) == 2 else row(what, statistics.median(found[0]))


def mfu(what: str, found: Sequence[Sequence[float]], config: GPTConfig, device: str, dtype: str) -> list[Row]:
    """The line of the share of the device's peak that was used; none where the peak is not known."""
    peak = peak_flops(device, dtype)
    if not peak:
        return []
    share = GPT(config).flops_per_token() / peak
    return [compared(f"{what}: MFU", [[speed * share for speed in side] for side in found])]


def against_train(
    plain: Trainee, config: GPTConfig, settings: dict[str, Any], steps: int, rounds: int, device: str
) -> list[list[float]]:
    """Tokens a second of train() and of the plain loop of the same model, in turns."""

    def ours() -> float:
        return train_speed(config, settings, steps, device)[0]

    return list(take_turns(ours, lambda: plain.speed(steps), rounds))


def train_speed(config: GPTConfig, settings: dict[str, Any], steps: int, device: str) -> tuple[float, float]:
    """Tokens a second of train() after its first updates, and its peak of memory in bytes."""
    usual = {"rows": "windows", "learning_rate": RATE, "country": "", "compile": "off", "device": device}
    training, times = TrainConfig(**usual | {"steps": WARM_UP + steps} | settings), []

    def note_time(step: int, *_: Any) -> None:
        if step in (WARM_UP, WARM_UP + steps):  # the only ones at which this bench waits
            wait(device)
            times.append(time.perf_counter())

    forget_peak(device)
    torch._dynamo.reset()  # each trial compiles anew, and none is refused as one too many
    run = train(GPT(config), SameBatch(config.vocab_size), None, training, quiet=True, on_step=note_time)
    check_losses({"train()": [entry["loss"] for entry in run.history]}, config.vocab_size)
    tokens = training.batch_size * training.grad_accum_steps * config.block_size
    return steps * tokens / (times[-1] - times[0]), peak_memory_bytes(device)


# --- what each part of train() is worth

NOTHING_IN_PIECES = 2**62  # for model.LOGITS
WAITS = "called a synchronizing"  # how torch's warning begins


@contextmanager
def without(*parts: str) -> Iterator[dict[str, Any]]:
    """Switch parts of train() off; gives the settings that go with it."""
    settings: dict[str, Any] = {}
    with ExitStack() as stack:
        if "compiling" in parts:
            settings["compile"] = "off"
        if "figures read late" in parts:
            settings["log_every"] = 1
        if "the loss in pieces" in parts:
            stack.enter_context(mock.patch.object(gpt_model, "LOGITS", NOTHING_IN_PIECES))
        if "batches drawn ahead" in parts:
            stack.enter_context(mock.patch.object(Feed, "draw_ahead"))
        yield settings


def ablations(job: Job) -> None:
    """Tokens a second of train() with everything, and without one part at a time: the ratio is what it is worth."""
    works = {"waits": partial(count_synchronisations, job), "losses": partial(losses, job)}
    for name in ("t4", "big"):  # the one that compiles more comes last
        works[name] = partial(parts_of_train, job, name)
    for name, work in works.items():
        try:
            work()
        except Exception as error:  # of one piece: the others are worth their time
            job.note(f"{name} failed: {one_line(error)}.")
        hardware.give_back_gpu_memory()


def parts_of_train(job: Job, name: str) -> None:
    """What each part of train() is worth for the shape of a profile."""
    device = job.device
    on = "on" if device == "cuda" else "off"
    steps, rounds = (2, 1) if job.tiny else (30, 2)
    shape, vocab = (SMALL, 128) if job.tiny else (profiles.MODELS[name], VOCAB)
    config = GPTConfig(**{"vocab_size": vocab, "attention": "sdpa", "activation": "gelu"} | shape)
    if job.tiny:
        config = GPTConfig(**config.to_dict() | {"block_size": 16})
    batch = 2 if job.tiny else {"big": 32 if _memory(device) > 48e9 else 8, "t4": 32}[name]
    dtype = "bfloat16" if device == "cpu" else "float16" if name == "t4" else profiles.choose_dtype(device)[0]
    full = {"batch_size": batch, "dtype": dtype, "log_every": 10, "compile": on if name == "big" else "off"}
    parts = ["the loss in pieces", "figures read late", "batches drawn ahead"]
    parts += ["compiling"] if name == "big" else []  # which "auto" leaves out on a T4
    what = f"train(), {'tiny' if job.tiny else name}, {batch} x {config.block_size:,}, {dtype}"

    if name == "big" and job.nanogpt:
        against_nanogpt(job, config, full, steps, rounds)

    def speed(*off: str) -> float:
        with without(*off) as changes:
            return train_speed(config, full | changes, steps, device)[0]

    for off in [parts, *([part] for part in parts)]:
        which, goal = (off[0], "") if len(off) == 1 else ("all of these", "ratio >= 1.3" if name == "t4" else "")
        found = take_turns(speed, lambda: speed(*off), 1 if name == "big" and len(off) == 1 else rounds)  # noqa: B023
        job.found(rounds_row(f"{what}: tokens/s (peer: without {which})", *found, goal=goal))
        hardware.give_back_gpu_memory()
    if name == "t4":
        also = take_turns(lambda: train_speed(config, full | {"compile": on}, steps, device)[0], speed, rounds)
        job.found(rounds_row(f"{what}, compiled too: tokens/s (peer: not compiled)", *also))
    with without("the loss in pieces") as whole:
        peaks = [train_speed(config, full | whole, steps, device)[1] / 1e9]
    peaks.insert(0, train_speed(config, full, steps, device)[1] / 1e9)
    job.found(row(f"{what}: peak GB (peer: without the loss in pieces)", *peaks, better="lower"))


def against_nanogpt(job: Job, config: GPTConfig, full: dict[str, Any], steps: int, rounds: int) -> None:
    """train() with everything against nanoGPT's model, compiled, in a loop that never waits."""
    peer = choose_peer(Path(job.nanogpt or ""))
    shape = {name: getattr(config, name) for name in ("n_layer", "n_head", "n_embd", "bias")}
    rows = SameBatch(config.vocab_size).batch("windows", full["batch_size"], config.block_size)
    theirs = Trainee(
        peer.model(config.vocab_size, config.block_size, **shape), rows, full["dtype"], job.device, compiled=True
    )
    theirs.warm_up()
    ours, peers = [], []
    for _ in range(rounds):
        ours.append(train_speed(config, full, steps, job.device)[0])
        theirs.called = torch.compile(theirs.model, backend="inductor" if job.device == "cuda" else "eager")
        theirs.warm_up()  # train_speed has made torch forget what was compiled
        peers.append(theirs.speed(steps))
    what = f"train(), {'tiny' if job.tiny else 'GPT-2 124M'}: against {peer.name} compiled"
    job.found(rounds_row(f"{what}, tokens/s", ours, peers, goal="ratio >= 1.1"))
    job.found(*mfu(what, [ours, peers], config, job.device, full["dtype"]))


def count_synchronisations(job: Job) -> None:
    """How often an update of train() waits for the GPU, after torch's own count, between two that are logged."""
    dtype = "float16" if job.device == "cuda" else "float32"
    config = GPTConfig(vocab_size=128, block_size=16, attention="sdpa", **SMALL)
    for optimizer in ("adamw", "muon"):
        training = TrainConfig(steps=20, log_every=20, rows="windows", country="", device=job.device, dtype=dtype)
        training = TrainConfig(**training.to_dict() | {"optimizer": optimizer, "compile": "off"})
        seen: list[int] = []
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")

            def watch(step: int, *_: Any) -> None:
                if job.device == "cuda" and step in (5, 15):
                    torch.cuda.set_sync_debug_mode("warn" if step == 5 else "default")
                if step in (5, 15):
                    seen.append(sum(WAITS in str(one.message) for one in said))  # noqa: B023

            train(GPT(config), SameBatch(128), None, training, quiet=True, on_step=watch)
        what = f"train(), {optimizer}, {dtype}: waits for the GPU in an update"
        job.found(row(what, (seen[1] - seen[0]) / 10, better="lower"))
        places = {f"{Path(one.filename).name}:{one.lineno}" for one in said if WAITS in str(one.message)}
        if places:
            job.note(f"{optimizer} in {dtype} waits at {', '.join(sorted(places))}.")


def losses(job: Job) -> None:
    """Milliseconds and memory of head and cross-entropy, forward and backward: in pieces, whole, and by libraries."""
    device, vocab = job.device, 128 if job.tiny else VOCAB
    n, width = (64, 32) if job.tiny else (32 * 1024 if _memory(device) > 48e9 else 4 * 1024, 768)
    dtype = getattr(torch, profiles.choose_dtype(device)[0]) if device == "cuda" else torch.bfloat16
    x = torch.randn(n, width, device=device, dtype=dtype, requires_grad=True)
    head = torch.nn.Parameter(torch.randn(vocab, width, device=device) * 0.02)
    y = torch.randint(vocab, (n,), device=device)

    def whole() -> Tensor:
        return F.cross_entropy((x @ head.to(dtype).T).float(), y, ignore_index=-1)

    def pieces() -> Tensor:
        with torch.autocast(device, dtype):
            return loss_in_pieces(x, head, y, max(1, gpt_model.LOGITS // (4 * vocab)))

    ways: dict[str, Callable[[], Tensor]] = {"whole": whole}
    if hasattr(nn, "LinearCrossEntropyOptions"):  # since torch 2.13
        options = nn.LinearCrossEntropyOptions()
        ways["torch's own in chunks"] = lambda: F.linear_cross_entropy(x, head.to(dtype), y, options=options)
    if device == "cuda" and importlib.util.find_spec("liger_kernel"):
        from liger_kernel.transformers import LigerFusedLinearCrossEntropyLoss

        fused = LigerFusedLinearCrossEntropyLoss(ignore_index=-1)
        ways["Liger Kernel's"] = lambda: fused(head.to(dtype), x, y)
    if device == "cuda" and importlib.util.find_spec("cut_cross_entropy"):
        from cut_cross_entropy import linear_cross_entropy

        ways["Apple's cut cross-entropy"] = lambda: linear_cross_entropy(x, head.to(dtype), y, ignore_index=-1)

    def measured(way: Callable[[], Tensor]) -> tuple[float, float, Tensor]:
        def once() -> Tensor:
            x.grad = head.grad = None
            loss = way()
            loss.backward()
            return loss.detach()

        once()
        held = torch.cuda.memory_allocated() if device == "cuda" else 0
        forget_peak(device)
        seconds, loss = timed(lambda: [once() for _ in range(5)][-1], device)
        return 200 * seconds, (peak_memory_bytes(device) - held) / 1e9, loss

    ours = measured(pieces)
    for name, way in ways.items():
        theirs = measured(way)
        if abs(float(ours[2] - theirs[2])) > 0.05:
            raise ValueError(f"the loss in pieces is {ours[2]:.3f} and {name} {theirs[2]:.3f}: one of them is broken")
        what = f"head and loss of {n:,} x {width}, {vocab:,} tokens, in pieces (peer: {name})"
        job.found(row(f"{what}: ms", ours[0], theirs[0], better="lower"))
        if device == "cuda":
            job.found(row(f"{what}: peak GB beside what was there", ours[1], theirs[1], better="lower"))


# --- generation


def generation(job: Job) -> None:
    """Tokens a second of one text at a time, GPT-2 124M: ours with its cache, the peer without one."""
    device = job.device
    vocab, block, new = (128, 16, 8) if job.tiny else (VOCAB, 1024, 255)
    shape = SMALL if job.tiny else {name: profiles.MODELS["big"][name] for name in SMALL}
    peer = choose_peer(Path(job.nanogpt) if job.nanogpt else None)
    torch.manual_seed(0)
    model, theirs = (
        made.to(device, torch.bfloat16).eval()
        for made in (GPT(same_shape(vocab, block, "sdpa", **shape)), peer.model(vocab, block, **shape))
    )
    start = torch.zeros(1, 1, dtype=torch.int64, device=device)

    def speed(write: Callable[[], Tensor]) -> float:
        seconds, ids = timed(write, device)
        assert ids.shape == (1, 1 + new)
        return new / seconds

    def ours(**options: Any) -> float:
        return speed(lambda: model.generate(start, new, **options))

    def peers() -> float:
        return speed(lambda: peer.generate(theirs, start, new))

    ours(), peers()  # a rehearsal
    name = "ours without its cache" if isinstance(peer, Plain) else peer.name
    what = f"generation, {'tiny' if job.tiny else 'GPT-2 124M'}, bf16, batch 1, {new} tokens: tokens/s (peer: {name})"
    rounds = 1 if job.tiny else 3
    goal = "" if isinstance(peer, Plain) else "ratio >= 5"
    job.found(rounds_row(what, *take_turns(ours, peers, rounds), goal=goal))
    what = f"{what.partition(' (peer')[0]} (peer: ours without the CUDA graph)"
    ours(fixed=False)
    job.found(rounds_row(what, *take_turns(ours, lambda: ours(fixed=False), rounds)))
    exact = GPT(model.config).to(device).eval()  # in float32 both write the same; 16 bits may round a tie elsewhere
    texts = [exact.generate(start, new, temperature=0, fixed=kind) for kind in (None, False)]
    job.found(row("greedy tokens that agree with and without the CUDA graph", float((texts[0] == texts[1]).sum() - 1)))


# --- fine-tuning


def tuning(job: Job) -> None:
    """QLoRA of the instruction-tuned Gemma 2 2B's shape: seconds a step and peak memory, as lesson 07 does it."""
    from workshop_utils.tuning import backends

    profile = profiles.choose("t4")
    backend = backends.choose_backend(profile, "unsloth" if job.part == "unsloth" else "transformers")
    from workshop_utils.tuning import finetune, lora  # after Unsloth, which rewrites what they use

    model = lora.attach(lora.load_base(profiles.GEMMA[1], profile, backend=backend, max_length=TUNED_LENGTH))
    steps = 2 if job.tiny else 10
    rows = conversations(model.tokenizer, 8 * steps)
    for count, folder in ((2, "warm-up"), (steps, "timed")):
        where = job.folder / job.part / folder
        shutil.rmtree(where, ignore_errors=True)
        config = finetune.TuneConfig(steps=count, checkpoint_every=count, max_length=TUNED_LENGTH, country="")
        tuned = finetune.tune(model, rows, config, where, profile, quiet=True)
    losses = [entry["loss"] for entry in tuned.history if "loss" in entry]
    if not all(map(math.isfinite, losses)):
        raise ValueError(f"the losses are {losses}: this model is broken, and its speed means nothing")
    name = "tiny" if job.tiny else "Gemma 2 2B"
    what = f"QLoRA, {name}, 2 x 4 x {TUNED_LENGTH} tokens, {backend}, {profile.dtype}"
    reserved = torch.cuda.max_memory_reserved() / 1e9
    job.found(
        row(f"{what}: seconds a step", tuned.seconds / steps),
        row(f"{what}: GB of the base, loaded", tuned.base_bytes / 1e9),
        row(f"{what}: peak GB allocated", tuned.peak_bytes / 1e9),
        row(f"{what}: peak GB reserved", reserved),
    )


def conversations(tokenizer: Any, n: int) -> list[list[dict[str, str]]]:
    """Conversations that are all of TUNED_LENGTH tokens, so that nothing is padded and Triton sees one length.

    Raises:
        ValueError: the tokenizer does not make each "~" a token.
    """

    def length(reply: str) -> int:
        return len(tokenizer.apply_chat_template([asked, {"role": "assistant", "content": reply}], return_dict=False))

    found = []
    for i in range(n):
        asked = {"role": "user", "content": f"Number {i} broke."}
        reply = "~" * (1 + TUNED_LENGTH - length("~"))
        if length(reply) != TUNED_LENGTH:
            raise ValueError(f"{len(reply)} times ~ are not as many tokens: choose another character")
        found.append([asked, {"role": "assistant", "content": reply}])
    return found


PARTS: dict[str, Callable[[Job], None]] = {
    "hub": make_hub,
    "throughput": throughput,
    "ablations": ablations,
    "generation": generation,
    "qlora": tuning,
    "qlora-bf16": tuning,
    "unsloth": tuning,
    "lessons": run_lessons,
}


def main() -> None:
    """Do one part."""
    job = Job(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    job.keep()
    PARTS[job.part](job)


if __name__ == "__main__":
    main()
