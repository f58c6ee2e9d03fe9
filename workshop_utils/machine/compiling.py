"""Whether torch.compile pays for a training, and how a model is compiled or goes on as it is."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from workshop_utils.machine.hardware import find_gpu, peak_flops
from workshop_utils.machine.sentences import one_line

if TYPE_CHECKING:
    from torch import nn

    from workshop_utils.gpt.config import TrainConfig

AMPERE = (8, 0)
PAYS_FROM = 240.0  # seconds of computation: compiled kernels save about a quarter, and compiling takes up to a minute
USUAL_SHARE, USUAL_PEAK = 0.3, 100e12  # of a GPU's peak that a training reaches; the peak of a GPU not in PEAKS


def compiling_pays(config: TrainConfig, flops: float, processes: int = 1) -> tuple[bool, str]:
    """Say whether to compile a model before it is trained, and why, as a clause; "" needs no saying.

    Args:
        config: of the training; its `compile` decides where it is not "auto".
        flops: floating-point operations of the updates that are left.
        processes: that train together.

    Source: GPT-2 124M on one H200 in bf16, 32 x 1,024 tokens: 378,777 tokens/s, compiled 510,958; 30M parameters in
        float16, 32 x 256 tokens: 693,637, compiled 670,982. On one CPU core, the pocket profile's GPT: 69 s to compile,
        and then .143 s for a step of .175 s.
    """
    if config.device != "cuda" and config.compile != "on":
        return False, ""  # as everywhere without CUDA, where a minute's wait would save little
    if processes > 1:
        return False, "several processes compute it as it is"
    if config.compile == "off":
        return False, "the config says so"
    if config.compile == "on":
        though = ", though each new length of rows may be compiled anew" if config.rows == "rows" else ""
        return True, f"the config says so{though}"
    gpu = find_gpu()
    if gpu is None or gpu.capability < AMPERE:
        return False, "below capability 8.0 nobody has seen it pay, and compiling takes minutes"
    if config.rows == "rows":
        return False, "rows are of many lengths, and each could be compiled anew"
    if importlib.util.find_spec("triton") is None:
        return False, "Triton, which torch.compile needs, is not installed"
    seconds = flops / (USUAL_SHARE * (peak_flops(gpu.name, config.dtype) or USUAL_PEAK))
    length = f"about {seconds / 60:.1f} minutes of computation are ahead"
    return seconds >= PAYS_FROM, f"{length}, and it pays from {PAYS_FROM / 60:.0f} on"


def where_it_pays(
    module: nn.Module, trial: Callable[[nn.Module], None], pays: tuple[bool, str], say: Callable[[str], None]
) -> tuple[nn.Module, float]:
    """Compile a module where that pays, and see that it works.

    Args:
        module: to be compiled.
        trial: calls what it is given, forward and backward, as it will be called; this is when torch compiles.
        pays: from compiling_pays.
        say: is told what is done, and why.

    Returns:
        the compiled module, or the module where that does not pay or fails, and how many seconds it took.
    """
    import torch

    if not pays[0]:
        if pays[1]:
            say(f"the model is not compiled: {pays[1]}")
        return module, 0.0
    say(f"compiling the model: {pays[1]} ...")
    began = time.perf_counter()
    try:
        with torch.random.fork_rng(range(torch.cuda.device_count())):  # dropout draws in the trial, too
            found = cast("nn.Module", torch.compile(module))
            trial(found)
    except Exception as error:  # of the compiler, or of what it calls
        say(f"compiling the model: that failed: {one_line(error)[:200]}")
        return module, time.perf_counter() - began
    say(f"compiling the model: it took {time.perf_counter() - began:.0f} s")
    return found, time.perf_counter() - began
