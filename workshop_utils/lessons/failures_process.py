"""Failures that need a process of their own: training under a memory limit, and a training that is killed.

failures.py offers both to the lesson. What runs in the process is failures_child.py, with its jobs as JSON on stdin
and its answers as lines of JSON on stdout.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from workshop_utils.gpt.config import GPTConfig, TrainConfig

if TYPE_CHECKING:
    from workshop_utils.text.token_file import TokenFile

# Every tensor above 1 MiB is asked for and handed back by itself; otherwise malloc keeps what it has had, and the
# limit would meet its habits and not the model's needs.
MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(2**20), "MALLOC_TRIM_THRESHOLD_": str(2**20)}


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
    """Try settings, each in a process of its own, under a limit that the system enforces.

    On Linux the limit is one on private memory (RLIMIT_DATA), on a GPU one on torch's share of it. Elsewhere there is
    none that could be trusted: the peaks are measured all the same. On a GPU, where a process takes seconds to start,
    one does all tries, and waits for more until this one ends.

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
        ValueError: a change names no field.
        RuntimeError: the process ended otherwise than by running out of memory.
    """
    jobs = [_job(changes, gpt, training, data, limit) for changes in tries.values()]
    return {name: Attempt(**answer) for name, answer in zip(tries, _answers(jobs), strict=True)}


def _answers(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is found for each job, in the order of the jobs."""
    if jobs and jobs[0]["training"]["device"] == "cuda":
        return _from_helper(jobs)
    # One process loads torch and forks for each job; some systems cannot.
    forks = hasattr(os, "fork") and sys.platform != "darwin"
    return [answer for part in ([jobs] if forks else [[job] for job in jobs]) for answer in _process(part)]


def _process(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What one process finds for its jobs."""
    done = subprocess.run(
        _command(), input=json.dumps(jobs), capture_output=True, text=True, check=False, env=os.environ | MALLOC
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    broken = next((answer["failed"] for answer in answers if "failed" in answer), "")
    if done.returncode or broken or len(answers) != len(jobs):
        raise RuntimeError(f"a process that tried settings ended with {done.returncode}: {broken} {done.stderr[-600:]}")
    return answers


def _from_helper(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the process on the GPU finds for its jobs."""
    process, errors = _helper()
    into, out = cast(IO[str], process.stdin), cast(IO[str], process.stdout)
    try:
        into.write(json.dumps(jobs) + "\n")
        into.flush()
        return [json.loads(out.readline()) for _ in jobs]
    except (OSError, ValueError) as error:  # a broken pipe, or no line: it has died
        _helper.cache_clear()
        process.kill()
        errors.seek(0)
        raise RuntimeError(
            f"a process that tried settings ended with {process.wait()}: {errors.read()[-600:]}"
        ) from error


@cache
def _helper() -> tuple[subprocess.Popen[str], IO[str]]:
    """The process that does all tries on a GPU, and the file of its complaints; it reads this one's pipe to its end."""
    errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  as long as the process lives
    return subprocess.Popen(
        _command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, env=os.environ | MALLOC
    ), errors


def kill_at(step: int, gpt: GPTConfig, training: TrainConfig, data: TokenFile, out_dir: Path, seed: int = 0) -> int:
    """Train in another process, and kill it in the middle: SIGKILL, which nobody can catch.

    Args:
        step: after which it is killed. It waits there for the blow, or a quick machine would be done before it falls.
        gpt: the shape of the model.
        training: how it is trained, and how often it is saved.
        data: what it learns from.
        out_dir: the run's folder, which must be new.
        seed: of the model's first weights, as in Lab.model.

    Returns:
        the last step that the process told of.

    Raises:
        RuntimeError: it ended before it could be killed.
    """
    job = _job({}, gpt, training, data, None) | {"out_dir": str(out_dir), "seed": seed, "task": "train", "until": step}
    with subprocess.Popen(
        _command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
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
    import torch

    shape = {field.name for field in fields(GPTConfig)}
    known = shape | {field.name for field in fields(TrainConfig)} | {"recompute"}
    if unknown := sorted(set(changes) - known):
        raise ValueError(
            f"{', '.join(unknown)}: no field of GPTConfig or TrainConfig has this name, nor is it recompute"
        )
    settings = {name: value for name, value in changes.items() if name not in shape | {"recompute"}}
    return {
        "task": "memory",
        "gpt": replace(gpt, **{name: value for name, value in changes.items() if name in shape}).to_dict(),
        "training": replace(training, **settings).to_dict(),
        "recompute": bool(changes.get("recompute")),
        "data": str(data.path),
        "limit": limit,
        "threads": torch.get_num_threads(),
    }


def _command() -> list[str]:
    return [sys.executable, "-m", "workshop_utils.lessons.failures_child"]
