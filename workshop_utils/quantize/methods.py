"""The precisions of lesson 09 in one table: what each is, and which library makes and runs it."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.quantize import bitsandbytes, floats, gguf, torchao
from workshop_utils.quantize.floats import Data, Quantised, TokenRows, Unavailable
from workshop_utils.quantize.measure import Speed, decode_speed

if TYPE_CHECKING:
    from workshop_utils.machine.profiles import Profile

Lack = Callable[[LanguageModel, "Profile"], str]
NOTHING: Lack = lambda model, profile: ""  # noqa: E731


@dataclass(frozen=True)
class Method:
    """A way to store and multiply the weights.

    Attributes:
        title: for people.
        library: the package that does it.
        make: model in floats, profile and data -> a Quantised.
        weights: how those inside the blocks are stored.
        activations: how the inputs of the products are.
        embedding: how the embedding table is; "floats" are 32 bits on a CPU and 16 on a GPU.
        runtime: the program that computes.
        devices: where it is part of the table.
        lack: why it cannot be had of a model in a profile, "" if it can.
        speed: as measure.decode_speed, of a Quantised.
    """

    title: str
    library: str
    make: Callable[[LanguageModel, Profile, Data], Quantised]
    weights: str
    activations: str = "floats"
    embedding: str = "floats"
    runtime: str = "PyTorch"
    devices: tuple[str, ...] = ("cpu", "cuda")
    lack: Lack = NOTHING
    speed: Callable[..., Speed] = lambda made, *arguments: decode_speed(made.model, *arguments)


_int8_rows = "8 bits, by row"  # what shares a scale
_int4_groups = "4 bits, by 32"
_gguf = partial(Method, library="gguf", runtime="llama.cpp", lack=gguf.lack, speed=gguf.speed)
METHODS: dict[str, Method] = {
    # The reference; on a GPU the 16 bits are.
    "fp32": Method("float32", "torch", floats.make_fp32, "32-bit floats", devices=("cpu",)),
    # bfloat16; float16 on GPUs that only emulate it.
    "bf16": Method("16-bit floats", "torch", floats.make_16_bits, "16-bit floats", "16-bit floats", "16-bit floats"),
    "int8": Method("int8 weight-only", "torchao", torchao.make_weight_only, _int8_rows),
    "int8-dynamic": Method("int8 dynamic", "torchao", torchao.make_dynamic, _int8_rows, "8 bits, by token"),
    # The inputs' scales are fixed by calibration.
    "int8-static": Method("int8 static", "torchao", torchao.make_static, _int8_rows, "8 bits, fixed"),
    "int8-static-spared": Method(
        "int8 static, spared", "torchao", partial(torchao.make_static, spared=("down_proj",)),
        _int8_rows, "8 bits, fixed",
    ),
    # W4A8: weights in 4 bits, activations in 8. The first row is the control of the second.
    "int4": Method(
        "int4 W4A8, untrained", "torchao", partial(torchao.make_int4, trained=False), _int4_groups,
        "8 bits, by token", lack=torchao.lack_of_memory,
    ),
    "int4-qat": Method(
        "int4 W4A8, QAT", "torchao", torchao.make_int4, _int4_groups, "8 bits, by token",
        lack=torchao.lack_of_memory,
    ),
    # 16 levels for normal weights, a scale for 64 of them: 4.5 bits a weight; 4.13 with the scales quantised, too.
    "nf4": Method("NF4", "bitsandbytes", bitsandbytes.make_nf4, "4 bits, by 64"),
    "nf4-double": Method(
        "NF4, double", "bitsandbytes", partial(bitsandbytes.make_nf4, double=True), "4 bits, by 64"
    ),
    # The first one is the control: the same program without quantisation. 8.5 bits a weight, and 4.5.
    "gguf-f32": _gguf("GGUF F32", make=partial(gguf.make, kind="f32"), weights="32-bit floats"),
    "gguf-q8_0": _gguf("GGUF Q8_0", make=gguf.make, weights="8 bits, by 32", embedding="8 bits"),
    "gguf-q4_0": _gguf("GGUF Q4_0", make=partial(gguf.make, kind="q4_0"), weights=_int4_groups, embedding="8 bits"),
}  # fmt: skip


def lack_of(name: str, model: LanguageModel, profile: Profile) -> str:
    """Why a method cannot run on this machine, or not with this model, "" if nothing is known to be in its way.

    Args:
        name: of METHODS.
        model: in floats.
        profile: says where.
    """
    method = METHODS[name]
    if profile.device not in method.devices:
        return "for CPUs: a GPU holds the model in 16 bits, which are the reference"
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
        model: in floats, such as one with its adapter merged into the weights; copied, and left as it is.
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
