"""The precisions of lesson 09 in one table: what each is, and which library makes, saves and runs it."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.quantize import bitsandbytes, floats, gguf, int8, torchao
from workshop_utils.quantize.floats import Data, Quantised, TokenRows, Unavailable
from workshop_utils.quantize.measure import Speed, decode_speed

if TYPE_CHECKING:
    from workshop_utils.machine.profiles import Profile

CPU = ("cpu",)


@dataclass(frozen=True)
class Method:
    """A way to store and multiply the weights.

    Attributes:
        title: for people.
        library: the package that does it.
        make: model in floats, profile and data -> a Quantised.
        save: writes a Quantised into a folder.
        devices: where it is part of the table.
        lack: why it cannot be had of a model in a profile, "" if it can.
        speed: as measure.decode_speed, of a Quantised.
    """

    title: str
    library: str
    make: Callable[[LanguageModel, Profile, Data], Quantised]
    save: Callable[[Quantised, Path], None] = floats.save
    devices: tuple[str, ...] = ("cpu", "cuda")
    lack: Callable[[LanguageModel, Profile], str] = lambda model, profile: ""
    speed: Callable[..., Speed] = lambda made, *arguments: decode_speed(made.model, *arguments)


METHODS: dict[str, Method] = {
    # The reference; on a GPU the 16 bits are.
    "fp32": Method("float32", "torch", floats.make_fp32, devices=CPU),
    # bfloat16; float16 on GPUs that only emulate it.
    "bf16": Method("16-bit floats", "torch", floats.make_16_bits),
    # A scale for each output, products in floats.
    "int8": Method("int8 weight-only", "torchao", torchao.make_weight_only, torchao.save),
    # Inputs in int8, too, scaled token by token.
    "int8-dynamic": Method("int8 dynamic", "torchao", torchao.make_dynamic, torchao.save),
    # The same with integer products in one call into C++; head and embedding table are int8, too.
    "int8-fast": Method("int8 dynamic, fast", "torch", int8.make, int8.save, CPU, int8.lack),
    # The inputs' scales are fixed by calibration.
    "int8-static": Method("int8 static", "torchao", torchao.make_static, torchao.save),
    # Groups of 32 weights, inputs in int8, trained with the rounding switched on.
    "int4-qat": Method("int4 QAT", "torchao", torchao.make_trained, torchao.save, lack=torchao.lack_of_memory),
    # 16 levels for normal weights, a scale for 64 of them: 4.5 bits a weight.
    "nf4": Method("NF4", "bitsandbytes", bitsandbytes.make_nf4),
    # The scales are quantised, too: 4.13 bits a weight.
    "nf4-double": Method("NF4, double quantisation", "bitsandbytes", partial(bitsandbytes.make_nf4, double=True)),
    # A 16-bit scale for 32 weights: 8.5 bits a weight; run by llama.cpp.
    "gguf-q8_0": Method("GGUF Q8_0", "gguf", gguf.make, gguf.save, lack=gguf.lack, speed=gguf.speed),
    # The same in 4 bits, 4.5 a weight; the embedding table in Q8_0.
    "gguf-q4_0": Method(
        "GGUF Q4_0", "gguf", partial(gguf.make, kind="q4_0"), gguf.save, lack=gguf.lack, speed=gguf.speed
    ),
}


def lack_of(name: str, model: LanguageModel, profile: Profile) -> str:
    """Why a method cannot run on this machine, or not with this model, "" if nothing is known to be in its way.

    Args:
        name: of METHODS.
        model: in floats.
        profile: says where.
    """
    method = METHODS[name]
    if profile.device not in method.devices:
        return "for CPUs: a GPU holds the model in 16 bits, which are the reference, and has other kernels for int8"
    if importlib.util.find_spec(method.library) is None:
        return f'{method.library} is not installed: pip install "slm-workshop[evaluate]"'
    return method.lack(model, profile)


def quantise(
    name: str,
    model: LanguageModel,
    profile: Profile,
    calibration: TokenRows = (),
    train: TokenRows = (),
    steps: int = 60,
) -> Quantised:
    """Bring a model into a precision.

    Args:
        name: of METHODS.
        model: in floats, such as one with an adapter merged into it (see merged); copied, and left as it is.
        profile: says where, and in which 16 bits.
        calibration: as in Data.
        train: as in Data.
        steps: as in Data.

    Raises:
        Unavailable: it cannot run here, or not with this model.
        ValueError: there is no such method, or the model is not in floats, or has an adapter that is not merged.
    """
    import torch

    check_names([name])
    floats.check_floats(model)
    if reason := lack_of(name, model, profile):
        raise Unavailable(reason)
    try:
        return METHODS[name].make(model, profile, Data(calibration, train, steps))
    except torch.OutOfMemoryError as error:
        raise Unavailable(f"{METHODS[name].title} needs more memory than there is: take a smaller model") from error


def check_names(names: Sequence[str]) -> None:
    """Raise ValueError where a name is not in METHODS."""
    if unknown := [name for name in names if name not in METHODS]:
        raise ValueError(f"there is no method {unknown[0]!r}: choose among {', '.join(METHODS)}")
