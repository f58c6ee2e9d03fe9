"""Put on PYTHONPATH, this makes any NVIDIA GPU answer as a T4: capability 7.5, 15.8 GB, of which torch may use 15.

Speed and kernels stay the card's own. Triton believes the capability and compiles for a chip that is not there, so
torch.compile and Unsloth do not work under it; plain torch, bitsandbytes and eager attention do. When a process ends,
its peak of GPU memory goes into the folder that GPU_PEAKS names.
"""

import atexit
import json
import os
from pathlib import Path

import torch

CAPABILITY, BYTES, USABLE = (7, 5), int(15.8e9), int(15e9)
_properties = torch.cuda.get_device_properties
_forget_peak = torch.cuda.reset_peak_memory_stats
_limit = torch.cuda.set_per_process_memory_fraction
peaks = {"allocated": 0, "reserved": 0}


class T4Properties:
    """A card's properties, but for memory and capability."""

    total_memory, (major, minor) = BYTES, CAPABILITY

    def __init__(self, card) -> None:
        self._card = card

    def __getattr__(self, name: str):
        return getattr(self._card, name)


def limit(fraction: float, device=None) -> None:
    """Allow a share of a T4's memory, whatever the card has."""
    _limit(min(1.0, fraction * BYTES / _properties(device).total_memory), device)


def note_peaks() -> None:
    """Remember the largest figures of torch's books, which lessons may start afresh."""
    peaks["allocated"] = max(peaks["allocated"], torch.cuda.max_memory_allocated())
    peaks["reserved"] = max(peaks["reserved"], torch.cuda.max_memory_reserved())


def forget_peak(device=None) -> None:
    """Start torch's books afresh, and keep what they said."""
    note_peaks()
    _forget_peak(device)


def write_peaks() -> None:
    """Leave this process's peaks behind."""
    folder = os.environ.get("GPU_PEAKS")
    if folder:
        note_peaks()
        (Path(folder) / f"{os.getpid()}.json").write_text(json.dumps(peaks))


torch.cuda.get_device_capability = lambda device=None: CAPABILITY
torch.cuda.get_device_properties = lambda device=None: T4Properties(_properties(device))
torch.cuda.mem_get_info = lambda device=None: (USABLE - torch.cuda.memory_reserved(device), BYTES)
torch.cuda.set_per_process_memory_fraction = limit
torch.cuda.reset_peak_memory_stats = forget_peak
torch.cuda._lazy_call(lambda: limit(USABLE / BYTES))  # when, and only if, this process starts CUDA
atexit.register(write_peaks)
