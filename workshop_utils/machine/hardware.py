"""What the machine has: GPU, CPU, memory and folders. Facts only: profiles.py draws the conclusions."""

from __future__ import annotations

import math
import os
import platform
import re
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workshop_utils.gpt.config import GPTConfig

CGROUP = Path("/sys/fs/cgroup")  # a container's own limits (version 2)

# Peak FLOP/s of dense matrix products, from the vendors' data sheets. The first that occurs in a device's name counts.
PEAKS: dict[str, dict[str, float]] = {
    "T4": {"float16": 65e12, "float32": 8.1e12},
    "L40S": {"float16": 362e12, "bfloat16": 362e12, "float32": 91.6e12},
    "L4": {"float16": 121e12, "bfloat16": 121e12, "float32": 30.3e12},
    "V100": {"float16": 125e12, "float32": 15.7e12},
    "A100": {"float16": 312e12, "bfloat16": 312e12, "float32": 19.5e12},
    "H100 PCIe": {"float16": 756e12, "bfloat16": 756e12, "float32": 51e12},
    "H100": {"float16": 989e12, "bfloat16": 989e12, "float32": 67e12},
    "H200": {"float16": 989e12, "bfloat16": 989e12, "float32": 67e12},
    "A10G": {"float16": 70e12, "bfloat16": 70e12, "float32": 35e12},
    "RTX 4090": {"float16": 165e12, "bfloat16": 165e12, "float32": 82.6e12},
    "RTX 3090": {"float16": 71e12, "bfloat16": 71e12, "float32": 35.6e12},
}


@dataclass(frozen=True)
class FoundGpu:
    """The first CUDA device."""

    name: str  # as its driver calls it
    capability: tuple[int, int]  # major and minor, as in (7, 5)
    bytes: int  # its memory
    problem: str = ""  # why it cannot compute, "" if it can


def find_gpu() -> FoundGpu | None:
    """Look at the first CUDA device; None if there is none that torch can see."""
    import torch

    if not torch.cuda.is_available():
        return None
    memory = torch.cuda.get_device_properties(0).total_memory
    return FoundGpu(torch.cuda.get_device_name(0), torch.cuda.get_device_capability(0), memory, _gpu_problem())


@cache
def _gpu_problem() -> str:
    """Compute one sum: a GPU that is too old for this torch, or broken, is listed and yet fails here."""
    import torch

    try:
        torch.ones(2, device="cuda").sum().item()
    except RuntimeError as error:
        return str(error).splitlines()[0]
    return ""


def cpu_name() -> str:
    """Name the processor."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def cores() -> int:
    """Count the CPU cores that this process may use, in a container too."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _cgroup("cpu.max").partition(" ")  # "200000 100000" is two cores, "max 100000" is no limit
    if quota.isdigit() and period.isdigit():
        count = min(count, max(1, round(int(quota) / int(period))))
    return count


def share_cores() -> None:
    """Let torch's waiting threads sleep soon, so that other programs cost no more than their share.

    By default GNU OpenMP's threads wait for each other in a busy loop. With one core taken by another program, training
    was seen to become ten times slower so; with a short loop it did not. Works only before torch is imported.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")


@cache
def cpu_bf16_speedup() -> float:
    """Measure how many times faster this CPU multiplies matrices in bf16 than in float32; 0.0 without instructions.

    Once in a process: measured again on a busier machine, it could change the precision between two runs of a lesson.

    Source: on CPUs without avx512_bf16 or AMX, torch emulates bf16 and is ten times slower, so those are not measured.
    """
    import torch

    asked = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    if not any(ask is not None and ask() for ask in asked):
        return 0.0
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2048, 128, generator=generator)  # the rows of a small batch
    w = torch.randn(128, 512, generator=generator)  # an up-projection
    pairs = ((x, w), (x.bfloat16(), w.bfloat16()))
    best = [math.inf, math.inf]  # seconds
    for _ in range(20):  # turn by turn, and the shortest counts: other processes only ever make it longer
        for i, (a, b) in enumerate(pairs):
            start = time.perf_counter()
            a @ b
            best[i] = min(best[i], time.perf_counter() - start)
    return best[0] / best[1]


def fastest_attention(config: GPTConfig, batch: tuple[int, int], device: str, dtype: str) -> tuple[str, str]:
    """Time both ways of computing attention, forward and backward, and name the faster one.

    Args:
        config: the model's shape.
        batch: (B, T) of a real batch.
        device: "cpu" or "cuda".
        dtype: "float32", or the dtype of mixed precision.

    Returns:
        ("written" or "sdpa", the reason with the figures).
    """
    import torch
    from torch.nn import functional as F

    from workshop_utils.gpt.model import written_attention

    if device != "cpu":
        return "sdpa", "fused kernels, and no (T, T) matrix in memory"
    B, T = batch
    shape = (B, config.n_head, T, config.n_embd // config.n_head)
    q, k, v = (torch.randn(shape, requires_grad=True) for _ in range(3))
    milliseconds = {}
    sdpa = partial(F.scaled_dot_product_attention, is_causal=True)
    for kind, attention in (("written", written_attention), ("sdpa", sdpa)):
        times = []
        for _ in range(8):
            began = time.perf_counter()
            with torch.autocast(device, dtype=getattr(torch, dtype), enabled=dtype != "float32"):
                out = attention(q * 1.0, k * 1.0, v * 1.0)
            torch.autograd.grad(out.float().sum(), (q, k, v))
            times.append(1000 * (time.perf_counter() - began))
        milliseconds[kind] = sorted(times)[2]  # near the fastest: other programs only ever make it slower
    reason = ", ".join(f"{kind} {took:.1f} ms" for kind, took in milliseconds.items())
    return min(milliseconds, key=milliseconds.__getitem__), f"at {B} x {T} tokens: {reason}"


def peak_flops(device_name: str, dtype: str) -> float | None:
    """Look up how many floating-point operations a second a device could do at best.

    Args:
        device_name: as in FoundGpu.name; "cuda" stands for the GPU of this machine.
        dtype: "float32", "bfloat16" or "float16".

    Returns:
        FLOP/s of dense products, None where it is not known (as for CPUs).
    """
    if device_name == "cuda" and (gpu := find_gpu()) is not None:
        device_name = gpu.name
    for name, peaks in PEAKS.items():
        if re.search(rf"\b{name}\b", device_name):
            return peaks.get(dtype)
    return None


def home() -> Path:
    """Name the folder for everything that is made or downloaded; setup() makes it.

    Returns:
        WORKSHOP_HOME; else build/home of the checkout that the package runs from; else ~/slm-workshop.
    """
    if named := os.environ.get("WORKSHOP_HOME"):
        return Path(os.path.expanduser(named)).absolute()
    root = checkout()
    return root / "build" / "home" if root is not None else Path.home() / "slm-workshop"


def make_home() -> Path:
    """Make the folder of home(), and write into it once: permissions do not tell, least of all on Windows.

    Raises:
        ValueError: the folder cannot be made, or nothing can be written into it.
    """
    folder = home()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        said = f"nothing can be written into the folder {folder} ({error.strerror or error})"
        raise ValueError(f"{said}: set WORKSHOP_HOME to one of your own") from error
    return folder


def checkout() -> Path | None:
    """Return the root of the checkout that the package runs from, None when it was installed without one."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "pyproject.toml").is_file() and (root / "constraints.txt").is_file() else None


def short_path(path: Path) -> str:
    """Name a path as seen from the checkout or from the home folder, so that pages show nobody's user name."""
    root = checkout()
    if root is not None and path.is_relative_to(root):
        return path.relative_to(root).as_posix()
    if path.is_relative_to(Path.home()):
        return "~/" + path.relative_to(Path.home()).as_posix()
    return str(path)


def free_disk_bytes(path: Path | str) -> int:
    """Return how much can still be written in a folder, in bytes; the folder need not exist yet."""
    path = Path(path).absolute()
    while not path.exists() and path != path.parent:  # a drive that is not there is its own parent
        path = path.parent
    return shutil.disk_usage(path).free


def free_memory_bytes(device: str = "cpu") -> int:
    """Return how much memory is free, in bytes, in a container what is left of its share.

    Args:
        device: "cuda" asks for the GPU's.
    """
    if device == "cuda":
        import torch

        return int(torch.cuda.mem_get_info()[0])
    import psutil

    free = psutil.virtual_memory().available
    limit, used = _cgroup("memory.max"), _cgroup("memory.current")
    if limit.isdigit() and used.isdigit():
        free = min(free, int(limit) - int(used))
    return max(0, free)


def memory_in_use() -> str:
    """Say how much memory this process holds, on the GPU too where it has used one."""
    import psutil
    import torch

    said = f"{psutil.Process().memory_info().rss / 1e9:.1f} GB of memory in use by this process"
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        free, total = (size / 1e9 for size in torch.cuda.mem_get_info())
        said += f", {torch.cuda.memory_allocated() / 1e9:.1f} GB on the GPU ({free:.1f} of {total:.1f} free)"
    return said


def peak_memory_bytes(device: str) -> int:
    """The most memory that was in use so far: on the GPU, in torch's books, or of this process."""
    if device == "cuda":
        import torch

        return int(torch.cuda.max_memory_allocated())
    try:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    except ImportError:  # Windows
        import psutil

        return int(psutil.Process().memory_info().peak_wset)


def give_back_gpu_memory() -> None:
    """Hand what torch keeps for later back to the GPU; does nothing where none was used."""
    import torch

    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def _cgroup(name: str) -> str:
    try:
        return (CGROUP / name).read_text().strip()
    except OSError:
        return ""
