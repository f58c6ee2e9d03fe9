"""What the machine has: GPU, CPU, memory, folders, the way to the hub. Facts only: profiles.py draws conclusions."""

from __future__ import annotations

import http.client
import importlib
import logging
import math
import os
import platform
import re
import shutil
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HUB = "https://huggingface.co"
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
class Gpu:
    """The first CUDA device.

    Attributes:
        name: as its driver calls it.
        capability: major and minor, as in (7, 5).
        bytes: its memory.
        problem: why it cannot compute, "" if it can.
    """

    name: str
    capability: tuple[int, int]
    bytes: int
    problem: str = ""


def find_gpu() -> Gpu | None:
    """Look at the first CUDA device; None if there is none that torch can see."""
    import torch

    if not torch.cuda.is_available():
        return None
    properties = torch.cuda.get_device_properties(0)
    return Gpu(
        torch.cuda.get_device_name(0),
        torch.cuda.get_device_capability(0),
        properties.total_memory,
        _gpu_problem(),
    )


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


def peak_flops(device_name: str, dtype: str) -> float | None:
    """Look up how many floating-point operations a second a device could do at best.

    Args:
        device_name: as in Gpu.name; "cuda" stands for the GPU of this machine.
        dtype: "float32", "bfloat16" or "float16".

    Returns:
        FLOP/s of dense products, None where it is not known (as for CPUs).
    """
    if device_name == "cuda":
        gpu = find_gpu()
        device_name = gpu.name if gpu is not None else ""
    for name, peaks in PEAKS.items():
        if re.search(rf"\b{name}\b", device_name):
            return peaks.get(dtype)
    return None


def home() -> Path:
    """Return the folder for everything that is made or downloaded, and make it.

    Returns:
        WORKSHOP_HOME; else build/home of the checkout that the package runs from; else ~/slm-workshop.

    Raises:
        ValueError: the folder cannot be made, or nothing can be written into it.
    """
    root = checkout()
    if named := os.environ.get("WORKSHOP_HOME"):
        folder = _as_path(named, "WORKSHOP_HOME")
    else:
        folder = root / "build" / "home" if root is not None else Path.home() / "slm-workshop"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"the folder {folder} cannot be made ({error.strerror}): set WORKSHOP_HOME to one that you may write to"
        ) from error
    if problem := _write_problem(folder):
        raise ValueError(
            f"nothing can be written into the folder {folder} ({problem}): set WORKSHOP_HOME to one of your own"
        )
    return folder


def _as_path(named: str, variable: str) -> Path:
    """The absolute path that a variable names.

    Raises:
        ValueError: it begins with the home folder of somebody unknown.
    """
    try:
        return Path(named).expanduser().absolute()
    except RuntimeError as error:
        raise ValueError(f"{variable} is {named}, and nobody knows that home folder: write the whole path") from error


def _write_problem(folder: Path) -> str:
    """Why nothing can be written into a folder, "" if it can: permissions do not tell, least of all on Windows."""
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        return error.strerror or str(error)
    return ""


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

    held = f"{psutil.Process().memory_info().rss / 1e9:.1f} GB of memory in use by this process"
    if not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return held
    free, total = torch.cuda.mem_get_info()
    return (
        f"{held}, {torch.cuda.memory_allocated() / 1e9:.1f} GB on the GPU ({free / 1e9:.1f} of {total / 1e9:.1f} free)"
    )


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


def device_title(device: str) -> str:
    """Name what computes, for people: the GPU, or the processor and its cores."""
    gpu = find_gpu() if device == "cuda" else None
    return gpu.name if gpu is not None else f"{cpu_name()}, {cores()} cores"


def _cgroup(name: str) -> str:
    try:
        return (CGROUP / name).read_text().strip()
    except OSError:
        return ""


def offline() -> str:
    """Return the variable that closes the hub, as in "HF_HUB_OFFLINE=1", or "" when it is open."""
    for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        value = os.environ.get(variable, "")
        if value.strip().upper() in ("1", "ON", "YES", "TRUE"):
            return f"{variable}={value}"
    return ""


def quiet_libraries() -> None:
    """Silence what libraries report on machines without a GPU, where it is no news and nobody can cure it.

    torchao, which transformers imports, names the kernels that it cannot load and upsets torch's pytree; bitsandbytes
    looks on the hub for a faster kernel and tells that there is none.
    """
    for name in ("torchao", "torch.utils._pytree", "bitsandbytes.backends.cpu.ops"):
        logging.getLogger(name).setLevel(logging.ERROR)


def has_token() -> bool:
    """Say whether there is a token for the hub, in HF_TOKEN or where `hf auth login` puts it."""
    if os.environ.get("HF_TOKEN"):
        return True
    cache = os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface"
    return (Path(cache) / "token").is_file()


def take_colab_secrets() -> None:
    """Copy HF_TOKEN and OPENAI_API_KEY from Colab's secrets into the environment: only the kernel can read them."""
    if "google.colab" not in sys.modules:
        return
    userdata = importlib.import_module("google.colab.userdata")
    for name in ("HF_TOKEN", "OPENAI_API_KEY"):
        if os.environ.get(name):
            continue
        try:
            os.environ[name] = userdata.get(name).strip()  # a line end that was pasted along makes a bad header
        except (userdata.SecretNotFoundError, userdata.NotebookAccessError):
            if name == "HF_TOKEN":  # few need the other one
                print(f"note     no secret {name} in this notebook (the key on the left): licensed models stay closed")


def hub_reachable(timeout: float = 3.0) -> tuple[bool, str]:
    """Ask whether the Hugging Face hub answers, and never wait longer than told.

    Args:
        timeout: seconds.

    Returns:
        True and which address answered, or False and what is wrong, as a clause.
    """
    if closed := offline():
        return False, f"{closed} closes the hub"
    url = os.environ.get("HF_ENDPOINT", HUB)
    answers: list[tuple[bool, str]] = []

    def ask() -> None:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=timeout):
                answers.append((True, f"{url} answers"))
        except urllib.error.HTTPError as error:
            answers.append((False, f"{url} answers with {error.code} {error.reason}"))
        except (OSError, ValueError, http.client.HTTPException) as error:
            answers.append((False, f"{url} cannot be reached ({getattr(error, 'reason', error)})"))

    waiter = threading.Thread(target=ask, daemon=True)  # looking up a name knows no timeout, a thread does
    waiter.start()
    waiter.join(timeout)
    return answers[0] if answers else (False, f"{url} did not answer within {timeout:g} s")


def hub_folder() -> Path | None:
    """Return the local copy of hub files that WORKSHOP_HUB names, laid out like the hub; None if it is not set.

    Raises:
        ValueError: it is set, and there is no such folder.
    """
    named = os.environ.get("WORKSHOP_HUB")
    if not named:
        return None
    folder = _as_path(named, "WORKSHOP_HUB")
    if not folder.is_dir():
        raise ValueError(
            f"WORKSHOP_HUB is {named}, but there is no such folder: correct it, or unset it to use the hub itself"
        )
    return folder
