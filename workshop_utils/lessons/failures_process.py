"""Failures that need a process of their own: training under a memory limit, and a training that is killed.

failures.py offers both to the lesson. `python -m workshop_utils.lessons.failures_process` is the process: it reads jobs
as JSON on stdin and answers in lines of JSON on stdout.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

import torch
from torch.utils.checkpoint import checkpoint

from workshop_utils.gpt.config import GPTConfig, TrainConfig
from workshop_utils.gpt.model import GPT
from workshop_utils.machine.hardware import find_gpu, give_back_gpu_memory, peak_memory_bytes
from workshop_utils.text.token_file import TokenFile
from workshop_utils.training.run import TrainingStopped
from workshop_utils.training.train import train

COMMAND = [sys.executable, "-m", "workshop_utils.lessons.failures_process"]
# Every tensor above 1 MiB is asked for and handed back by itself; otherwise malloc keeps what it has had, and the
# limit would meet its habits and not the model's needs.
MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(2**20), "MALLOC_TRIM_THRESHOLD_": str(2**20)}
STATUS = Path("/proc/self/status")  # Linux: what this process holds
CLEAR_REFS = Path("/proc/self/clear_refs")  # Linux: 5 makes it forget its peak
PATIENCE = 60  # seconds that a training waits to be killed
STEPS = 2  # the second one has the optimiser's memory beside the activations


# --- in the lesson's process


@dataclass(frozen=True)
class Attempt:
    """Two steps of training in a process of their own.

    Attributes:
        peak: bytes that they take at most, beside what torch holds anyway; where they were stopped, measured once more
            without the limit.
        seconds: of the second step; None where they were stopped.
        stopped: what training said when memory ran out, "" where it did not.
        provoked: whether the limit was real; else nothing can be stopped here, and only the peak tells.
    """

    peak: int
    seconds: float | None
    stopped: str
    provoked: bool


def attempts(
    tries: Mapping[str, Mapping[str, Any]],
    gpt: GPTConfig,
    training: TrainConfig,
    data: TokenFile,
    limit: int | None = None,
) -> dict[str, Attempt]:
    """Try settings in processes of their own, under a limit that the system enforces.

    On Linux the limit is one on private memory (RLIMIT_DATA), on a GPU one on torch's share of it. Elsewhere there is
    none that could be trusted: the peaks are measured all the same.

    Args:
        tries: what is changed, by name: fields of GPTConfig and TrainConfig, and recompute=True to compute the inside
            of each block again instead of keeping it.
        gpt: the shape of the model.
        training: how it is trained; windows of full length, so that each attempt sees equally many tokens.
        data: what it learns from.
        limit: bytes beside what torch itself holds; None measures only.

    Returns:
        an Attempt for each name.

    Raises:
        TypeError: a change names no field.
        RuntimeError: the process ended otherwise than by running out of memory.
    """
    jobs = [_job(changes, gpt, training, data, limit) for changes in tries.values()]
    # One process loads torch for all jobs, and forks for each or gives a GPU's memory back; macOS and Windows can't.
    together = training.device == "cuda" or sys.platform.startswith("linux")
    answers = [answer for part in ([jobs] if together else [[job] for job in jobs]) for answer in _answers(part)]
    return {name: Attempt(**answer) for name, answer in zip(tries, answers, strict=True)}


def _answers(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What one process finds for its jobs, in their order."""
    done = subprocess.run(
        COMMAND, input=json.dumps(jobs), capture_output=True, text=True, check=False, env=os.environ | MALLOC
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode or len(answers) != len(jobs):
        raise RuntimeError(f"a process that tried settings ended with {done.returncode}: {done.stderr[-600:]}")
    return answers


def kill_at(step: int, gpt: GPTConfig, training: TrainConfig, data: TokenFile, out_dir: Path) -> int:
    """Train in another process, and kill it in the middle: SIGKILL, which nobody can catch.

    Args:
        step: after which it is killed. It waits there for the blow, or a quick machine would be done before it falls.
        gpt: the shape of the model, whose first weights are those of Lab.model.
        training: how it is trained, and how often it is saved.
        data: what it learns from.
        out_dir: the run's folder, which must be new.

    Returns:
        the last step that the process told of.

    Raises:
        RuntimeError: it ended before it could be killed.
    """
    job = _job({}, gpt, training, data, None) | {"out_dir": str(out_dir), "until": step}
    with subprocess.Popen(
        COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        into, out, told = cast(IO[str], process.stdin), cast(IO[str], process.stdout), 0
        into.write(json.dumps([job]))
        into.close()
        for line in out:
            told = json.loads(line)["step"]
            if told == step:
                process.kill()  # SIGKILL; on Windows TerminateProcess, which is as deaf
        complaint = cast(IO[str], process.stderr).read()
    if process.returncode == 0 or told != step:
        raise RuntimeError(f"the training ended by itself at step {told} ({process.returncode}): {complaint[-600:]}")
    return int(told)


def _job(
    changes: Mapping[str, Any], gpt: GPTConfig, training: TrainConfig, data: TokenFile, limit: int | None
) -> dict[str, Any]:
    names = {field.name for field in fields(gpt)}
    shape = {name: value for name, value in changes.items() if name in names}
    settings = {name: value for name, value in changes.items() if name not in {*names, "recompute"}}
    return {
        "gpt": replace(gpt, **shape).to_dict(),
        "training": replace(training, **settings).to_dict(),  # a TypeError names what is no setting
        "recompute": bool(changes.get("recompute")),
        "data": str(data.path),
        "limit": limit,
        "threads": torch.get_num_threads(),
    }


# --- in the process that tries


def main() -> None:
    """Do the jobs that stand on stdin: two steps each, or one training that will be killed."""
    jobs = json.load(sys.stdin)
    if "until" in jobs[0]:
        _train(jobs[0])
        return
    torch.optim.AdamW([torch.zeros(1, requires_grad=True)])  # the first one of a process imports some seventy megabytes
    # A copy of this process for each job: neither its limit nor its death touches the next one. CUDA outlives no fork,
    # and needs none: memory that ran out on a GPU can be given back.
    forks = len(jobs) > 1 and jobs[0]["training"]["device"] != "cuda"

    def run(job: dict[str, Any]) -> dict[str, Any]:
        if not forks:
            return _memory(job)
        with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as copy:
            return copy.submit(_memory, job).result()

    for job in jobs:
        answer = run(job)
        if answer["stopped"]:  # what would it have taken?
            answer |= {"peak": run(job | {"limit": None})["peak"]}
        print(json.dumps(answer), flush=True)


def _memory(job: dict[str, Any]) -> dict[str, Any]:
    """Two steps of training, under the job's limit."""
    torch.set_num_threads(job["threads"])
    config = replace(TrainConfig.from_dict(job["training"]), steps=STEPS, rows="windows", country="")
    data = TokenFile(job["data"])
    _limited(config.device, None)  # an earlier job may have set one
    # One step of next to nothing: threads, drivers and kernels take their memory once, whatever is trained.
    little = replace(config, steps=1, batch_size=1, grad_accum_steps=1)
    train(_model(job | {"gpt": job["gpt"] | {"block_size": 16, "n_layer": 1}}), data, None, little, quiet=True)
    gc.collect()
    give_back_gpu_memory()
    held, provoked = _held(config.device), _limited(config.device, job["limit"])
    ended: list[float] = []

    def note(step: int, model: GPT, history: object) -> None:
        ended.append(time.perf_counter())
        if step < STEPS:
            _forget_peak(config.device)

    try:
        train(_model(job), data, None, config, quiet=True, on_step=note)
    except (TrainingStopped, MemoryError) as stop:
        return {"peak": 0, "seconds": None, "stopped": str(stop) or "out of memory", "provoked": provoked}
    peak = _peak(config.device) - held
    return {"peak": peak, "seconds": ended[-1] - ended[-2], "stopped": "", "provoked": provoked}


def _model(job: dict[str, Any]) -> GPT:
    torch.manual_seed(0)
    model = GPT(GPTConfig.from_dict(job["gpt"]))
    if job["recompute"]:
        recompute(model)
    return model


def recompute(model: GPT) -> None:
    """Keep only what goes into each block, and compute its inside again on the way back.

    Args:
        model: changed in place; losses and gradients stay the same.

    Source: Chen et al., "Training Deep Nets with Sublinear Memory Cost", arXiv 1604.06174.
    """
    for block in model.blocks:
        cast(Any, block).forward = partial(checkpoint, block.forward, use_reentrant=False)


def _train(job: dict[str, Any]) -> None:
    """A training that tells of every step."""

    def tell(step: int, model: GPT, history: object) -> None:
        print(json.dumps({"step": step}), flush=True)
        if step == job["until"]:
            time.sleep(PATIENCE)

    torch.set_num_threads(job["threads"])
    config = TrainConfig.from_dict(job["training"])
    train(_model(job), TokenFile(job["data"]), None, config, job["out_dir"], quiet=True, on_step=tell)


def _status(name: str) -> int:
    """A line of /proc/self/status, in bytes; 0 where there is no such file."""
    if not STATUS.is_file():
        return 0
    found = next(line for line in STATUS.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(found.split()[1]) * 1024


def _held(device: str) -> int:
    """Bytes that this process holds now: on the GPU in torch's books, else private memory."""
    if device == "cuda":
        return int(torch.cuda.memory_allocated())
    return _status("RssAnon") or peak_memory_bytes(device)


def _peak(device: str) -> int:
    """The most it held since _forget_peak, in the same books."""
    if device == "cpu" and STATUS.is_file():
        return _status("VmHWM") - _status("RssFile") - _status("RssShmem")
    return peak_memory_bytes(device)


def _forget_peak(device: str) -> None:
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    elif CLEAR_REFS.exists():
        CLEAR_REFS.write_text("5")


def _limited(device: str, limit: int | None) -> bool:
    """Set the limit where the system can, None takes it away again; says whether there is one now."""
    if device == "cuda":
        there = cast(Any, find_gpu()).bytes
        share = 1.0 if limit is None else (torch.cuda.memory_reserved() + limit) / there
        torch.cuda.set_per_process_memory_fraction(min(1.0, share))
        return limit is not None
    if not sys.platform.startswith("linux"):
        return False
    import resource

    most = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (most if limit is None else _status("VmData") + limit, most))
    return limit is not None


if __name__ == "__main__":
    main()
