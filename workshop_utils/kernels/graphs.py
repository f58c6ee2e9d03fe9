"""CUDA graphs: work for a GPU that is recorded once and replayed.

A GPU computes one token of a small model in less time than Python needs to launch its kernels one by one.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache, partial

import torch
from torch import Tensor, nn

FEWEST = 16  # repetitions from which recording is worth its time


def worth_recording(model: nn.Module, device: torch.device, times: int) -> bool:
    """Whether a pass of a model should be recorded: on a GPU, for some repetitions, and with nothing to do in Python.

    Where a model cannot be recorded, the reason is printed once.
    """
    if device.type != "cuda" or times < FEWEST:
        return False
    if torch.is_autocast_enabled("cuda"):
        say_once("autocast keeps casts of the weights")
        return False
    if any(part._forward_hooks or part._forward_pre_hooks for part in model.modules()):
        say_once("the model has hooks, which a graph would not call")
        return False
    return True


@cache
def say_once(reason: str) -> None:
    """Print why something goes without a graph."""
    print(f"generate() works without a CUDA graph here: {reason}")


@cache
def side_stream(device: int) -> torch.cuda.Stream:
    """The one stream on which a device's work is recorded: libraries keep memory for each stream."""
    return torch.cuda.Stream(device)


def recorded(work: Callable[[], Tensor], again: Callable[[], object]) -> Callable[[], Tensor] | None:
    """Record work on a GPU whose tensors all stay where they are.

    During the rehearsal whatever waits for a GPU fails, in the other threads of this process, too.

    Args:
        work: computes a tensor from others, and perhaps changes some in place; called twice.
        again: puts those back that it has changed.

    Returns:
        what replays it, and returns the same tensor with new values each time; None where it cannot be recorded.
    """
    graph, here, mode = torch.cuda.CUDAGraph(), torch.cuda.current_stream(), torch.cuda.get_sync_debug_mode()
    side = side_stream(here.device_index)
    try:
        side.wait_stream(here)
        # A rehearsal: libraries take their memory now, and what would wait for the GPU fails before it is recorded.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that this mode is a prototype
            torch.cuda.set_sync_debug_mode("error")
            try:
                with torch.cuda.stream(side):
                    work()
            finally:
                torch.cuda.set_sync_debug_mode(mode)
        here.wait_stream(side)
        again()
        with torch.cuda.graph(graph, stream=side, capture_error_mode="thread_local"):
            result = work()
    except RuntimeError as error:
        torch.cuda.set_stream(here)  # a recording that fails leaves its own
        here.wait_stream(side)
        say_once(str(error).partition("\n")[0])
        again()
        return None

    return partial(_replay, graph, result, work)


def _replay(graph: torch.cuda.CUDAGraph, result: Tensor, work: Callable[[], Tensor]) -> Tensor:
    """Run a graph. It holds none of the tensors that it reads and writes: these live as long as `work` does."""
    del work
    graph.replay()
    return result
