"""From a model in floats to any of the precisions, each through the library that keeps it.

A model's name, or a model in floats -> quantise(method, ...) -> a Quantised: the model, its bytes, what to know of it.
"""

from __future__ import annotations

import importlib.util
import logging
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from workshop_utils.chat import models
from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.export import gguf as gguf_file
from workshop_utils.quantize.measure import bytes_in_memory
from workshop_utils.quantize.methods import (
    METHODS,
    Method,
    Quantised,
    Rows,
    Source,
    Unavailable,
    check_floats,
    plain,
)

if TYPE_CHECKING:
    from torch import nn

    from workshop_utils.machine.profiles import Profile

Train = Rows | Callable[["nn.Module"], object] | None


def quantise(
    method: str,
    source: Source,
    profile: Profile,
    calibration: Rows = (),
    train: Train = None,
    steps: int = 60,
    learning_rate: float = 5e-5,
    seed: int = 0,
    spare: Sequence[str] = (),
) -> Quantised:
    """Bring a model into a precision.

    Args:
        method: a name of METHODS.
        source: a model's name, as in models.load; or a model in floats, which is copied and left as it is, such as one
            with an adapter merged into it (see merged); or a function that returns one.
        profile: says where, and in which 16 bits.
        calibration: rows of token ids for int8-static, such as the model will meet; never those it is tested on.
        train: for int4-qat: rows of token ids on which the model keeps its own bets while it learns to live with the
            rounding, or a function that gets the model with the rounding switched on and trains it.
        steps: of that training on rows, 8 rows each.
        learning_rate: of that training.
        seed: of that training.
        spare: for int8-static: layers, by the end of their name, whose inputs have outliers that would take all of a
            fixed scale, such as "down_proj"; only their weights become int8.

    Raises:
        Unavailable: it cannot run here, or not with this model.
        ValueError: there is no such method, or the source is not in floats, or has an adapter that is not merged.
    """
    if method not in METHODS:
        raise ValueError(f"there is no method {method!r}: choose one of {', '.join(METHODS)}")
    import torch

    if not isinstance(source, str | LanguageModel):
        source = source()
    if isinstance(source, LanguageModel):
        check_floats(source)
    try:
        return _made(METHODS[method], source, profile, calibration, train, steps, learning_rate, seed, spare)
    except torch.OutOfMemoryError as error:
        raise Unavailable(f"{METHODS[method].title} needs more memory than there is: take a smaller model") from error


def _made(
    method: Method,
    source: str | LanguageModel,
    profile: Profile,
    calibration: Rows,
    train: Train,
    steps: int,
    learning_rate: float,
    seed: int,
    spare: Sequence[str],
) -> Quantised:
    """The same without the checks; on a GPU it may run out of memory."""
    from workshop_utils.quantize import int8 as quantize_int8

    if method.name in ("fp32", "bf16"):
        return _plain(method, source, profile)
    if method.name.startswith("nf4"):
        return _nf4(method, source, profile, double=method.name == "nf4-double")
    if method.name.startswith("gguf"):
        return _gguf(method, source, profile)
    if method.name in quantize_int8.LAYERS:
        return _int8(method, source, profile)
    _need("torchao", method)
    if method.name == "int4-qat":
        return _qat(method, source, profile, train, steps, learning_rate, seed)
    return _torchao(method, source, profile, calibration, spare)


def _need(package: str, method: Method) -> None:
    if importlib.util.find_spec(package) is None:
        raise Unavailable(f'{method.title} needs {package}: pip install "slm-workshop[evaluate]"')


def lack_of(name: str, source: str | LanguageModel, profile: Profile) -> str:
    """Why a method cannot run on this machine, or not with this model, "" if nothing is known to be in its way.

    Args:
        name: of METHODS.
        source: the model in floats; of one that is only named, what depends on the model is not looked at.
        profile: says where.
    """
    from workshop_utils.machine.hardware import free_memory_bytes
    from workshop_utils.quantize import int8 as quantize_int8

    if name == "fp32" and profile.device != "cpu":
        return "on a GPU the model is loaded in 16 bits, and these are the reference"
    if name in quantize_int8.LAYERS:
        if profile.device != "cpu":
            return "its kernel is for CPUs; on a GPU take torchao's int8"
        return "" if name == "int8-pack" else quantize_int8.lack_of_kernel()
    if isinstance(source, str):
        return ""
    if name.startswith("gguf"):
        return gguf_file.lack_of(source.model)
    if name == "int4-qat":
        needed = 16 * source.n_parameters  # weights, gradients and Adam's two moments, four bytes each
        if needed > free_memory_bytes(profile.device):
            return f"training all weights takes {needed / 1e9:.0f} GB and more, which this machine has not free"
    return ""


def _head_note(model: Any, untouched: str) -> str:
    from workshop_utils.quantize.int8 import is_tied

    if is_tied(model):
        return f"head and embedding table are one matrix, which stays in {untouched} and is counted once"
    return f"head and embedding table are two matrices, which stay in {untouched}"


def _plain(method: Method, source: str | LanguageModel, profile: Profile) -> Quantised:
    import torch

    dtype = torch.float32
    if method.name == "bf16":
        dtype = torch.float16 if profile.device == "cuda" and profile.dtype == "float16" else torch.bfloat16
        title = "float16" if dtype == torch.float16 else "bfloat16"
        method = replace(method, title=title)
    made = plain(source, profile, dtype)
    return Quantised(method, made, bytes_in_memory(made.model), _head_note(made.model, method.title))


def _int8(method: Method, source: str | LanguageModel, profile: Profile) -> Quantised:
    import torch

    from workshop_utils.quantize import int8 as quantize_int8

    if lack := lack_of(method.name, source, profile):
        raise Unavailable(lack)
    pack = method.name == "int8-pack"
    made = plain(source, profile, torch.bfloat16 if pack else torch.float32)
    tied = quantize_int8.is_tied(made.model)
    try:
        quantize_int8.convert(made.model, quantize_int8.LAYERS[method.name])
    except ValueError as error:
        raise Unavailable(str(error)) from error
    if not tied:
        note = "head and embedding table are two matrices, both int8"
    elif pack:
        note = "head and embedding table share one int8 matrix, counted once"
    else:
        note = "the head is a packed copy of the int8 embedding table: both are counted in memory, one is saved"
    return Quantised(method, made, bytes_in_memory(made.model), note)


def _torchao(
    method: Method, source: str | LanguageModel, profile: Profile, calibration: Rows, spare: Sequence[str]
) -> Quantised:
    from workshop_utils.quantize import torchao as quantize_torchao

    if method.name == "int8-static" and not calibration:
        raise Unavailable("static scales have to be seen beforehand: pass calibration=, some rows of token ids")
    made = _with_linears(plain(source, profile, models.dtype_of(profile)))
    note = _head_note(made.model, str(models.dtype_of(profile)).removeprefix("torch."))
    if method.name == "int8":
        quantize_torchao.weight_only(made.model)
    elif method.name == "int8-dynamic":
        quantize_torchao.dynamic(made.model)
    else:
        quantize_torchao.static(made.model, calibration, spare)
        spared = f"; weights only in {', '.join(spare)}" if spare else ""
        note = f"calibrated on {sum(map(len, calibration)):,} tokens{spared}; {note}"
    return Quantised(method, made, bytes_in_memory(made.model), note)


def _with_linears(made: LanguageModel) -> LanguageModel:
    from workshop_utils.quantize.torchao import block_linears

    try:
        block_linears(made.model)
    except ValueError as error:
        raise Unavailable(str(error)) from error
    return made


def _qat(
    method: Method,
    source: str | LanguageModel,
    profile: Profile,
    train: Train,
    steps: int,
    learning_rate: float,
    seed: int,
) -> Quantised:
    import torch

    from workshop_utils.quantize import torchao as quantize_torchao

    if train is None or (not callable(train) and not train):
        raise Unavailable("quantisation-aware training needs something to train on: pass train=, rows of token ids")
    made = _with_linears(plain(source, profile, torch.float32))
    if lack := lack_of(method.name, made, profile):
        raise Unavailable(lack)
    teach = train if callable(train) else None
    if teach is None:
        teacher = plain(source, profile, torch.float32) if isinstance(source, str) else source
        teach = quantize_torchao.distil(teacher.model, cast(Rows, train), steps, learning_rate, seed)
    try:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):  # teach may draw from it, as dropout does
            torch.manual_seed(seed)
            quantize_torchao.trained(made.model, teach)
    except ValueError as error:
        raise Unavailable(str(error)) from error
    note = "torchao holds a 4-bit code in a byte of memory; on the disk two share one; "
    return Quantised(method, made, bytes_in_memory(made.model), note + _head_note(made.model, "float32"))


def _nf4(method: Method, source: str | LanguageModel, profile: Profile, double: bool) -> Quantised:
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    from workshop_utils.tuning import lora

    _need("bitsandbytes", method)
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)  # it found no faster kernel on the hub
    rest = models.dtype_of(profile)
    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=double,
        bnb_4bit_compute_dtype=torch.float32 if profile.device == "cpu" else getattr(torch, profile.dtype),
    )
    if isinstance(source, str):
        made = models.load(source, profile, config)
    else:
        with tempfile.TemporaryDirectory() as folder, models.no_bar(True):  # transformers quantises while it loads
            plain(source, profile, rest).model.save_pretrained(folder)
            model = AutoModelForCausalLM.from_pretrained(
                folder,
                quantization_config=config,
                device_map={"": profile.device},
                dtype=rest,
                attn_implementation=models.attention(source.model.config.model_type),
            )
        made = replace(source, model=cast(Any, model).eval())
    lora.keep_unpacked(made.model)
    odd = [name for name, m in made.model.named_modules() if type(m).__name__ == "Linear4bit" and m.in_features % 64]
    if odd and profile.device == "cpu":
        raise Unavailable(f"{odd[0]} has inputs that make no whole blocks of 64: bitsandbytes is wrong there on a CPU")
    note = _head_note(made.model, str(rest).removeprefix("torch."))
    return Quantised(method, made, bytes_in_memory(made.model), note)


def _gguf(method: Method, source: str | LanguageModel, profile: Profile) -> Quantised:
    import torch

    made = plain(source, profile, torch.float32) if isinstance(source, str) else source
    if lack := lack_of(method.name, made, profile):
        raise Unavailable(lack)
    keep = tempfile.TemporaryDirectory()
    file = Path(keep.name) / f"{method.name}.gguf"
    kind = method.name.removeprefix("gguf-")
    try:
        held = gguf_file.write_gguf(made.model, None, file, kind, made.name)  # the table measures token ids alone
    except ValueError as error:
        raise Unavailable(str(error)) from error
    with models.no_bar(True):
        read = gguf_file.read_gguf(file, made)
    finer = "; the embedding table in Q8_0" if kind == "q4_0" else ""
    note = f"run by llama.cpp on token ids, quality by what transformers reads from the file{finer}; tied weights once"
    return Quantised(method, read, held, note, file, keep)
