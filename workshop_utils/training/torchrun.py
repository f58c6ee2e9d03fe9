"""Start torchrun: on this machine from a notebook, and, as commands to copy, on many machines.

`launch` is for lessons. Everywhere else a shell starts torchrun, with the same arguments after `-m workshop_utils`.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from workshop_utils.training.processes import DistributedError

if TYPE_CHECKING:
    from workshop_utils.machine.profiles import Profile

COMMAND = "workshop_utils"  # what the processes run: `python -m workshop_utils train ...`
LAST_LINES = 8  # of the error output, in a message
GRACE = 40  # seconds for the processes to save after Ctrl-C; torchrun itself gives them 30

MULTI_NODE = """\
One machine, as many processes as it has GPUs (gpu counts them):

    torchrun --standalone --nproc_per_node=gpu -m workshop_utils train --config run.json

Several machines: the same lines on each. MASTER is the address of one of them, whose port 29500 the others reach.

    export NCCL_SOCKET_IFNAME=eth0 GLOO_SOCKET_IFNAME=eth0   # the network that joins the machines: `ip -br address`
    export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1              # or a restart may wait for processes that are gone
    torchrun --nnodes=2 --nproc_per_node=8 --max-restarts=3 --rdzv-backend=c10d --rdzv-id=run1 \\
        --rdzv-endpoint=MASTER:29500 -m workshop_utils train --config run.json

Slurm: one torchrun a machine, which starts its 8 processes itself. Save as train.sbatch, then sbatch train.sbatch.

    #!/bin/bash
    #SBATCH --nodes=2 --ntasks-per-node=1 --gpus-per-node=8 --cpus-per-task=64 --time=24:00:00
    #SBATCH --signal=INT@180 --requeue   # three minutes before the end: as Ctrl-C, which saves
    export MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1) MASTER_PORT=29500
    export NCCL_SOCKET_IFNAME=ib0 GLOO_SOCKET_IFNAME=ib0 OMP_NUM_THREADS=8 TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1
    srun torchrun --nnodes="$SLURM_NNODES" --nproc_per_node=8 --max-restarts=3 --rdzv-backend=c10d \\
        --rdzv-id="$SLURM_JOB_ID" --rdzv-endpoint="$MASTER_ADDR:$MASTER_PORT" \\
        -m workshop_utils train --config run.json --resume

What to know: "out", the data and the tokenizer must lie on a file system that all machines see. batch_size is of one
process. If it hangs at the start, the interface is wrong or a port is closed: set NCCL_DEBUG=INFO and read which
interface was taken. Where there is no InfiniBand, set NCCL_IB_DISABLE=1.
"""


def device_for(n_processes: int, profile: Profile) -> tuple[str, str]:
    """Say where several processes of this machine can compute together: on a GPU each, or else all on the CPU.

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
    arguments: Sequence[str],
    max_restarts: int = 0,
    timeout: float | None = None,
    on_line: Callable[[str], None] | None = None,
    environment: dict[str, str] | None = None,
) -> list[str]:
    """Run a command of `workshop` in several processes on this machine, as a shell would with torchrun.

    Args:
        n_processes: how many; each gets an equal share of the cores.
        arguments: of the command, as in ["train", "--config", "run.json"]. Rank 0 alone prints, and a line appears here
            when it was printed there.
        max_restarts: how often all processes are started again after one has died; training goes on from the last
            checkpoint.
        timeout: seconds after which everything is stopped; None waits for ever.
        on_line: called with each line instead of printing it.
        environment: variables to set, besides this process's own.

    Returns:
        what rank 0 printed, line by line.

    Raises:
        ValueError: n_processes is below 1.
        DistributedError: a process failed; the message ends with what it said last.
        TimeoutError: it took longer than timeout.
        KeyboardInterrupt: the stop button was pressed; the processes have saved, as after Ctrl-C.
    """
    if n_processes < 1:
        raise ValueError(f"n_processes is {n_processes}: start at least 1")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={n_processes}"]
    command += [f"--max-restarts={max_restarts}", "-m", COMMAND, *map(str, arguments)]
    lines: list[str] = []
    errors: deque[str] = deque(maxlen=400)
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        env=_environment(n_processes) | (environment or {}),
        start_new_session=True,  # a stop button's signal must reach torchrun once, from _stop
    )
    assert process.stdout is not None
    assert process.stderr is not None
    reader = threading.Thread(target=errors.extend, args=(process.stderr,), daemon=True)
    reader.start()
    late = threading.Event()

    def give_up() -> None:
        late.set()
        _stop(process)

    timer = threading.Timer(timeout or 0, give_up)
    if timeout is not None:
        timer.start()
    try:
        _pass_on(process.stdout, lines, on_line)
        process.wait()
    finally:
        timer.cancel()
        _stop(process)
        _pass_on(process.stdout, lines, on_line)  # what was said while stopping
        reader.join(5)
    if late.is_set():
        raise TimeoutError(
            f"{n_processes} processes had not finished after {timeout:.0f} s and were stopped: give launch a longer "
            "timeout, or the run fewer steps"
        )
    if process.returncode:
        raise DistributedError(_what_failed(n_processes, process.returncode, list(errors)))
    return lines


def _pass_on(pipe: Iterable[str], lines: list[str], on_line: Callable[[str], None] | None) -> None:
    """Hand each line on as soon as it is there; where a line overwrites itself, each state of it counts as one."""
    for line in pipe:
        lines.append(line.rstrip())
        (on_line or print)(lines[-1])


def _stop(process: subprocess.Popen[str]) -> None:
    """End torchrun, if it still runs, in the way in which the processes save."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


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
