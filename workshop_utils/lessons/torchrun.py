"""Start torchrun from a notebook, as lesson 06 does; everywhere else a shell starts it, with the same arguments."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from workshop_utils.training.processes import DistributedError

if TYPE_CHECKING:
    from workshop_utils.machine.profiles import Profile

LAST_LINES = 8  # of the error output, in a message
GRACE = 40  # seconds for the processes to save after Ctrl-C; torchrun itself gives them 30


def device_for(n_processes: int, profile: Profile) -> tuple[str, str]:
    """Say where several processes of this machine can compute together: each on its own GPU, or all on the CPU.

    Args:
        n_processes: how many.
        profile: one that computes on the CPU keeps to it, whatever GPUs there are.

    Returns:
        "cuda" or "cpu", and the reason as a clause.
    """
    if profile.device != "cuda":
        return "cpu", f"the {profile.name} profile computes there"
    import torch

    there = torch.cuda.device_count()
    if there < n_processes:
        return "cpu", f"{n_processes} processes need a GPU each, and this machine has {there}"
    return "cuda", f"this machine has {there} GPUs, at least one for each of {n_processes} processes"


def launch(
    n_processes: int,
    arguments: Sequence[str | Path],
    max_restarts: int = 0,
    on_line: Callable[[str], None] = print,
    environment: dict[str, str] | None = None,
) -> list[str]:
    """Run a command of `workshop` in several processes on this machine, as a shell would with torchrun.

    Args:
        n_processes: how many; each gets an equal share of the cores.
        arguments: of the command, as in ["train", "--config", "run.json"]; or a script of your own, and its arguments.
        max_restarts: how often all processes are started again after one has died; training goes on from the last
            checkpoint.
        on_line: called with each line as soon as rank 0, which alone prints, has printed it.
        environment: variables to set, besides this process's own.

    Returns:
        what rank 0 printed, line by line.

    Raises:
        DistributedError: a process failed; the message ends with what it said last.
        KeyboardInterrupt: the stop button was pressed; the processes have saved, as after Ctrl-C.
    """
    target = [] if str(arguments[0]).endswith(".py") else ["-m", "workshop_utils"]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={n_processes}"]
    command += [f"--max-restarts={max_restarts}", *target, *map(str, arguments)]
    variables = _environment(n_processes) | (environment or {})
    lines: list[str] = []
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            encoding="utf-8",
            errors="replace",
            env=variables,
            start_new_session=True,  # a stop button's signal must reach torchrun once, from below
        )
        assert process.stdout is not None
        try:
            for line in process.stdout:  # where a line overwrites itself, each state of it counts as one
                lines.append(line.rstrip())
                on_line(lines[-1])
            process.wait()
        except BaseException:
            process.send_signal(signal.SIGINT)  # the processes save
            try:
                print(process.communicate(timeout=GRACE)[0], end="")
            except subprocess.TimeoutExpired:
                process.kill()
            raise
        if process.returncode:
            errors.seek(0)
            raise DistributedError(_what_failed(n_processes, process.returncode, errors.readlines()))
    return lines


def _environment(n_processes: int) -> dict[str, str]:
    from workshop_utils.machine.hardware import cores

    mine = {name: value for name, value in os.environ.items() if name not in ("RANK", "WORLD_SIZE", "LOCAL_RANK")}
    mine.setdefault("OMP_NUM_THREADS", str(max(1, cores() // n_processes)))
    mine["PYTHONUNBUFFERED"] = "1"
    if sys.platform.startswith("linux"):  # or gloo asks what this machine is called, and laptops often do not know
        mine.setdefault("GLOO_SOCKET_IFNAME", "lo")
    return mine


def _what_failed(n_processes: int, code: int, errors: list[str]) -> str:
    """A sentence about a run that failed: which process, how, and what was said last."""
    how = f"with code {code}"
    root = re.search(r"Root Cause.*?rank\s*: (\d+).*?exitcode\s*: (-?\d+)", "".join(errors), re.DOTALL)
    if root and root[2].startswith("-"):
        how = f"because process {root[1]} was killed by {signal.Signals(-int(root[2])).name}"
    elif root:
        how = f"because process {root[1]} ended with code {root[2]}"
    own = next((i for i, line in enumerate(errors) if "torch/distributed/run.py" in line), None)
    if own is not None:  # torchrun's own traceback, from here on, tells nothing
        errors = errors[: max((i for i in range(own) if errors[i].startswith("Traceback")), default=own)]
    said = [re.sub(r"^\[rank\d+\]: ?", "", line).rstrip() for line in errors]
    said = [line for line in said if line and not re.match(r"[EWIF]\d{4} \d\d:|\*{20}|.*Warning: ", line)]
    said = [line for line in said if line.startswith("workshop: ")] or said  # a sentence rather than a traceback
    last = "\n".join(list(dict.fromkeys(said))[-LAST_LINES:])
    return f"torchrun with {n_processes} processes failed {how}" + (f". It said last:\n{last}" if last else "")
