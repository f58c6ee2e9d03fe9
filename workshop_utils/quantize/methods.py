"""The precisions of lesson 09: what each is, and what a quantised model can be asked.

routes.py makes them, each through the library that keeps it.
"""

from __future__ import annotations

import copy
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from workshop_utils.chat import models
from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.export import gguf as gguf_file
from workshop_utils.quantize.measure import Speed, check_room, decode_speed, timed

if TYPE_CHECKING:
    import torch

    from workshop_utils.machine.profiles import Profile

Source = str | LanguageModel | Callable[[], LanguageModel]
Rows = Sequence[Sequence[int]]


class Unavailable(RuntimeError):
    """A method cannot run on this machine, or on this model; the message says why."""


@dataclass(frozen=True)
class Method:
    """A way to store and multiply the weights.

    Attributes:
        name: for code.
        title: for people.
        bits: of a weight inside the blocks, without its share of the scales.
        kind: when the scales are chosen: "none", "weights only", "dynamic" (those of the inputs at every token),
            "static" (those of the inputs beforehand) or "trained" (the weights learn to live with them).
        library: what does it.
        note: what it does, in a sentence.
    """

    name: str
    title: str
    bits: float
    kind: str
    library: str
    note: str


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("fp32", "float32", 32, "none", "torch", "the reference"),
        Method("bf16", "16-bit floats", 16, "none", "torch", "bfloat16; float16 on GPUs that only emulate it"),
        Method("int8", "int8 weight-only", 8, "weights only", "torchao", "a scale for each output, products in floats"),
        Method(
            "int8-pack",
            "int8 weight-only, fast",
            8,
            "weights only",
            "torch",
            "torch's own weight-only kernel with bfloat16 inputs; head and embedding table are int8, too",
        ),
        Method("int8-dynamic", "int8 dynamic", 8, "dynamic", "torchao", "inputs in int8, too, scaled token by token"),
        Method(
            "int8-fast",
            "int8 dynamic, fast",
            8,
            "dynamic",
            "FBGEMM",
            "integer products in one call into C++; head and embedding table are int8, too",
        ),
        Method(
            "int8-fine",
            "int8 dynamic, two rows",
            8,
            "dynamic",
            "FBGEMM",
            "integer products with inputs in two rows, coarse and fine; head and embedding table are int8, too",
        ),
        Method("int8-static", "int8 static", 8, "static", "torchao", "the inputs' scales are fixed by calibration"),
        Method("int4-qat", "int4 QAT", 4, "trained", "torchao", "groups of 32, trained with the rounding switched on"),
        Method("nf4", "NF4", 4, "weights only", "bitsandbytes", "16 levels for normal weights, a scale for 64 of them"),
        Method(
            "nf4-double",
            "NF4, double quantisation",
            4,
            "weights only",
            "bitsandbytes",
            "the scales are quantised, too: 4.13 bits a weight instead of 4.5",
        ),
        Method(
            "gguf-q8_0", "GGUF Q8_0", 8, "weights only", "gguf, llama.cpp", "a 16-bit scale for 32 weights: 8.5 bits"
        ),
        Method("gguf-q4_0", "GGUF Q4_0", 4, "weights only", "gguf, llama.cpp", "the same in 4 bits: 4.5 a weight"),
    )
}


@dataclass
class Quantised:
    """A model in one of the precisions.

    Attributes:
        method: which.
        model: usable like any LanguageModel. Of a GGUF file it is what transformers reads from it, unpacked.
        bytes_in_memory: of weights, codes and scales; of a GGUF file what llama.cpp maps into memory.
        note: what to know of it: what was left as it is, what is counted how often.
        file: the GGUF file, where it is one.
    """

    method: Method
    model: LanguageModel
    bytes_in_memory: int
    note: str
    file: Path | None = None
    _keep: Any = field(default=None, repr=False)  # a temporary folder, which lives as long as this does

    def save(self, folder: Path | str) -> int:
        """Write the weights as the method's library stores them; returns their bytes on the disk.

        Args:
            folder: new or empty, so that nothing else is counted.

        Raises:
            ValueError: there are weights in it already.
        """
        from workshop_utils.quantize.save import save

        return save(self, Path(folder))

    def bytes_on_disk(self, folder: Path | str) -> int:
        """The same as save: sizes are measured, not computed."""
        return self.save(folder)

    def speed(self, prompt_ids: Sequence[int], new_tokens: int = 64, repeats: int = 3, country: str = "") -> Speed:
        """How fast it decodes one text, by whatever runs it: torch, or llama.cpp for GGUF.

        Args: as in decode_speed.

        Raises:
            Unavailable: it is a GGUF file and llama.cpp is not installed.
        """
        if self.file is None:
            return decode_speed(self.model, prompt_ids, new_tokens, repeats, country)
        if importlib.util.find_spec("xllamacpp") is None:
            raise Unavailable("llama.cpp is not installed in Python: pip install xllamacpp (Linux, macOS, Windows)")
        check_room(self.model, len(prompt_ids), new_tokens, repeats)
        server = gguf_file.LlamaCpp(self.file, context=len(prompt_ids) + new_tokens)

        return timed(lambda: server.write(prompt_ids, new_tokens), new_tokens, repeats, country)


def merged(tuned: LanguageModel) -> LanguageModel:
    """A copy of a model with its adapter merged into the weights, ready to be quantised.

    Args:
        tuned: a base in floats with an adapter on it; it stays as it is.

    Raises:
        ValueError: there is no adapter, or the base is quantised: merging into few bits rounds the adapter away.
    """
    if not hasattr(tuned.model, "merge_and_unload"):
        raise ValueError(f"{tuned.name} has no adapter to merge")
    check_floats(replace(tuned, model=cast(Any, tuned.model).get_base_model()))
    return replace(tuned, model=copy.deepcopy(cast(Any, tuned.model)).merge_and_unload().eval())


def check_floats(source: LanguageModel) -> None:
    if hasattr(source.model, "merge_and_unload"):
        raise ValueError(f"{source.name} has an adapter beside its weights: merge it first, quantize.merged(model)")
    odd = [name for name, p in source.model.named_parameters() if not p.is_floating_point() or hasattr(p, "qdata")]
    ours = any(hasattr(module, "held_bytes") for module in source.model.modules())  # layers of int8.py
    if odd or ours or hasattr(source.model, "hf_quantizer"):
        raise ValueError(
            f"{source.name} is quantised already: start from float32, models.load(name, profile, dtype=torch.float32)"
        )


def plain(source: str | LanguageModel, profile: Profile, dtype: torch.dtype) -> LanguageModel:
    """The model in floats: loaded, or copied so that tied weights stay tied and positions stay in float32."""
    from torch import nn

    if isinstance(source, str):
        return models.load(source, profile, dtype=dtype)
    # deepcopy takes what it finds here for copies that it has made: no second float32 model in between.
    memo: dict[int, Any] = {
        id(p): nn.Parameter(p.detach().to(dtype, copy=True), requires_grad=False) for p in source.model.parameters()
    }
    made = cast(Any, copy.deepcopy(source.model, memo)).eval()
    made.config.dtype = dtype
    return replace(source, model=made)
