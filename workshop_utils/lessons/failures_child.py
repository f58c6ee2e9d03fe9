"""What runs in the processes of failures_process.py: two steps of training under a limit, or a run that will be killed.

Started as `python -m workshop_utils.lessons.failures_child`, jobs as JSON on stdin, answers as lines of JSON on stdout.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from workshop_utils.gpt.config import GPTConfig, TrainConfig

if TYPE_CHECKING:
    from workshop_utils.gpt.model import GPT
    from workshop_utils.text.token_file import TokenFile

STATUS = Path("/proc/self/status")  # Linux: what this process holds
CLEAR_REFS = Path("/proc/self/clear_refs")  # Linux: 5 makes it forget its peak
PATIENCE = 60  # seconds that a training waits to be killed
STEPS = 2  # the second one has the optimiser's memory beside the activations


def main() -> None:
    """Do the jobs that stand on stdin, a list in each line, until it ends."""
    for line in sys.stdin:
        jobs = json.loads(line)
        if jobs[0]["task"] == "train":
            _train(jobs[0])
            return
        _load_everything()  # once, before the fork, and outside of what is measured
        # CUDA outlives no fork. It needs none either: memory that ran out on a GPU can be given back.
        run = _memory if len(jobs) == 1 or jobs[0]["training"]["device"] == "cuda" else _forked
        for job in jobs:
            answer = run(job)
            if answer.get("stopped"):  # what would it have taken?
                answer |= {"peak": run(job | {"limit": None}).get("peak", 0)}
            _tell(answer)


def _load_everything() -> None:
    """Import what a training needs; the first optimiser of a process alone imports some seventy megabytes."""
    import torch

    import workshop_utils.training.train  # noqa: F401

    torch.optim.AdamW([torch.zeros(1, requires_grad=True)])


def _forked(job: dict[str, Any]) -> dict[str, Any]:
    """Do a job in a copy of this process, whose limit and whose death do not touch the next one."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        with os.fdopen(writing, "w") as out:
            out.write(json.dumps(_memory(job)))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    _, status = os.waitpid(pid, 0)
    return json.loads(text) if text else {"failed": f"it ended with {os.waitstatus_to_exitcode(status)}"}


def _memory(job: dict[str, Any]) -> dict[str, Any]:
    """Two steps of training, under the job's limit."""
    import torch

    from workshop_utils.machine.hardware import give_back_gpu_memory
    from workshop_utils.text.token_file import TokenFile
    from workshop_utils.training.run import TrainingStopped
    from workshop_utils.training.train import train

    torch.set_num_threads(job["threads"])
    config = replace(TrainConfig.from_dict(job["training"]), steps=STEPS, rows="windows", country="")
    data = TokenFile(job["data"])
    _limited(config.device, None)  # an earlier job may have set one
    _warm_up(job, config, data)
    gc.collect()
    give_back_gpu_memory()
    held, provoked = _held(config.device), _limited(config.device, job["limit"])
    ended: list[float] = []

    def note(step: int, model: GPT, history: object) -> None:
        ended.append(time.perf_counter())
        if step < STEPS:
            _forget_peak(config.device)

    try:
        model = _model(job)
        train(model, data, None, config, quiet=True, on_step=note)
    except (TrainingStopped, MemoryError) as stop:
        said = str(stop) or "out of memory"
        return {"peak": 0, "seconds": None, "stopped": said, "provoked": provoked}
    peak = _peak(config.device) - held
    return {"peak": peak, "seconds": ended[-1] - ended[-2], "stopped": "", "provoked": provoked}


def _warm_up(job: dict[str, Any], config: TrainConfig, data: TokenFile) -> None:
    """One step of next to nothing: threads, drivers and kernels take their memory once, whatever is trained."""
    from workshop_utils.training.train import train

    shape = job["gpt"] | {"block_size": 16, "n_layer": 1}
    train(
        _model(job | {"gpt": shape}), data, None, replace(config, steps=1, batch_size=1, grad_accum_steps=1), quiet=True
    )


def _model(job: dict[str, Any]) -> GPT:
    import torch

    from workshop_utils.gpt.model import GPT

    torch.manual_seed(job.get("seed", 0))
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
    from torch.utils.checkpoint import checkpoint

    for block in model.blocks:
        cast(Any, block).forward = _again(block.forward, checkpoint)


def _again(forward: Callable[..., Any], checkpoint: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *given: checkpoint(forward, *given, use_reentrant=False)


def _train(job: dict[str, Any]) -> None:
    """A training that tells of every step."""
    import torch

    from workshop_utils.text.token_file import TokenFile
    from workshop_utils.training.train import train

    def tell(step: int, model: GPT, history: object) -> None:
        _tell({"step": step})
        if step == job["until"]:
            time.sleep(PATIENCE)

    torch.set_num_threads(job["threads"])
    train(
        _model(job),
        TokenFile(job["data"]),
        None,
        TrainConfig.from_dict(job["training"]),
        job["out_dir"],
        quiet=True,
        on_step=tell,
    )


def _tell(answer: Mapping[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


def _status(name: str) -> int:
    """A line of /proc/self/status, in bytes; 0 where there is no such file."""
    if not STATUS.is_file():
        return 0
    found = next(line for line in STATUS.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(found.split()[1]) * 1024


def _held(device: str) -> int:
    """Bytes that this process holds now: on the GPU in torch's books, else private memory."""
    from workshop_utils.machine.hardware import peak_memory_bytes

    if device == "cuda":
        import torch

        return int(torch.cuda.memory_allocated())
    return _status("RssAnon") or peak_memory_bytes(device)


def _peak(device: str) -> int:
    """The most it held since _forget_peak, in the same books."""
    from workshop_utils.machine.hardware import peak_memory_bytes

    if device == "cpu" and STATUS.is_file():
        return _status("VmHWM") - _status("RssFile") - _status("RssShmem")
    return peak_memory_bytes(device)


def _forget_peak(device: str) -> None:
    if device == "cuda":
        import torch

        torch.cuda.reset_peak_memory_stats()
    elif CLEAR_REFS.exists():
        CLEAR_REFS.write_text("5")


def _limited(device: str, limit: int | None) -> bool:
    """Set the limit where the system can, None takes it away again; says whether there is one now."""
    if device == "cuda":
        import torch

        from workshop_utils.machine.hardware import find_gpu

        gpu = find_gpu()
        assert gpu is not None  # the config says cuda
        share = 1.0 if limit is None else (torch.cuda.memory_reserved() + limit) / gpu.bytes
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
