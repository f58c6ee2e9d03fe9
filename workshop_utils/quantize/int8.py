"""Int8 layers for a CPU that decode faster than float32: eight bits a weight are a quarter of the bytes to read.

Decoding one token reads every weight once and multiplies little, so its speed is that of the memory. torchao's eager
int8 reads eight bits, but writes floats in between; these layers hand the eight bits to a kernel that multiplies them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, cast

import torch
from torch import Tensor, nn

from workshop_utils.quantize.by_hand import absmax_int8

# Inputs become whole numbers from -63 to 63, stored from 1 to 127: on CPUs without VNNI the kernel adds two products
# in 16 bits, which those of larger numbers overflow.
STEPS = 63


def lack_of_kernel() -> str:
    """Why the integer kernel cannot run here, "" if it can."""
    found = hasattr(torch.ops.quantized, "linear_with_input_q_dq_qweight_dq_output_fp32")
    if not found or "fbgemm" not in torch.backends.quantized.supported_engines:
        return "this torch has no integer kernels of FBGEMM, which are for x86 CPUs"
    return ""


@contextmanager
def _fbgemm() -> Iterator[None]:
    """FBGEMM's packing, without torch's warning: its quantised tensors are to go, and nothing else is as fast yet."""
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = "fbgemm"
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*quantized tensor creation functions.*")
            yield
    finally:
        torch.backends.quantized.engine = before


def aligned(codes: Tensor) -> Tensor:
    """The codes at an address that torch's int8 kernel can read from; safetensors loads to any, and it would crash."""
    return codes if codes.data_ptr() % 64 == 0 else codes.clone()


def weight_and_bias(layer: nn.Module) -> tuple[Tensor, Tensor | None]:
    """The (out, in) weight of a linear layer, which GPT-2's Conv1D holds the other way round, and its bias."""
    weight, bias = cast(Tensor, layer.weight).detach(), layer.bias
    return weight.t().contiguous() if type(layer).__name__ == "Conv1D" else weight, cast("Tensor | None", bias)


class Int8Codes(nn.Module):
    """What all layers here share: codes and scales that save and load, in state_dict, as `codes` and `scales`."""

    def saved(self) -> dict[str, Tensor]:
        """Codes (out, in) int8 and scales (out, 1)."""
        raise NotImplementedError

    def take(self, codes: Tensor, scales: Tensor) -> None:
        """Use these codes and scales from now on."""
        raise NotImplementedError

    def held_bytes(self) -> int:
        """Bytes of memory beside its buffers and parameters."""
        return 0

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination.update({prefix + name: tensor for name, tensor in self.saved().items()})

    def _load_from_state_dict(self, state: Any, prefix: str, metadata: Any, strict: bool, *lists: Any) -> None:
        codes, scales = state.pop(prefix + "codes"), state.pop(prefix + "scales")
        super()._load_from_state_dict(state, prefix, metadata, strict, *lists)
        self.take(codes, scales)  # after the bias, which may be packed with them


class Int8Linear(Int8Codes):
    """A linear layer with int8 weights, a scale for each output, multiplied in whole numbers.

    Each input row is written as two rows of whole numbers, coarse and fine (x = largest / 63 * (coarse + fine / 126)),
    as one writes 3.14 as 3 and 14 hundredths. Two rows cost hardly more than one, since the weights are read once;
    with one row, as dynamic quantisation has it, the inputs' rounding adds as much error as the weights'.

    Source: FBGEMM's kernel, which torch.ao.quantization uses too.
    """

    pack_bias = False  # two rows would add it twice

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        super().__init__()
        self.bias = None if bias is None else nn.Parameter(bias.detach().float().clone(), requires_grad=False)
        self.take(*absmax_int8(weight.detach().float()))

    def take(self, codes: Tensor, scales: Tensor) -> None:
        """Pack the codes as FBGEMM wants them."""
        self.out_features, self.in_features = codes.shape
        # At a few microseconds a call, looking up an operator or turning a number into a tensor would cost as much.
        self._multiply = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32.default
        self._tiny, self._step, self._finer = torch.tensor([1e-30, 1 / STEPS, 2.0 * STEPS]).unbind()
        zeros = torch.zeros(len(codes), dtype=torch.long)
        with _fbgemm():
            packed = torch._make_per_channel_quantized_tensor(codes, scales.flatten().double(), zeros, 0)
            self.packed = torch.ops.quantized.linear_prepack(packed, self.bias if self.pack_bias else None)

    def saved(self) -> dict[str, Tensor]:
        """The codes as they were before they were packed."""
        with _fbgemm():
            weight, _ = torch.ops.quantized.linear_unpack(self.packed)
            return {"codes": weight.int_repr(), "scales": weight.q_per_channel_scales().float().unsqueeze(1)}

    def held_bytes(self) -> int:
        """One byte a weight; a scale and a zero point in four bytes, and a sum of four, for each output."""
        return self.out_features * (self.in_features + 12)

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out), float32."""
        rows = x.reshape(-1, self.in_features)
        scale = torch.addcmul(self._tiny, rows.abs().amax(-1, keepdim=True), self._step)  # (rows, 1), never 0
        rows = rows / scale  # from -63 to 63
        coarse = rows.round()
        fine = (rows - coarse) * self._finer  # what rounding left, from -63 to 63 again
        product = self._multiply(torch.cat((coarse, fine)), 1.0, STEPS + 1, self.packed)
        made = torch.add(product[: len(rows)], product[len(rows) :], alpha=0.5 / STEPS)
        made = made * scale if self.bias is None else torch.addcmul(self.bias, made, scale)
        return made.view(*x.shape[:-1], self.out_features)

    def __deepcopy__(self, memo: dict[int, Any]) -> Int8Linear:
        copied = type(self).__new__(type(self))
        nn.Module.__init__(copied)
        copied.bias = None if self.bias is None else nn.Parameter(self.bias.clone(), requires_grad=False)
        copied.take(**self.saved())
        return copied.train(self.training)


class Int8DynamicLinear(Int8Linear):
    """The same weights, inputs in one row of 8 bits, scaled from its lowest to its highest number: dynamic int8.

    A single row, as in decoding, is one call into C++. Of several rows that call would make one scale, which a single
    outlier among them would spoil: they are scaled here, each for itself.

    Source: the kernel of torch.ao.quantization.quantize_dynamic, a deprecated API that is left out here. It takes one
        scale for all of a weight and 7 bits of an input, which is twice the error at the same speed
        (bench/quantized_decode.py).
    """

    pack_bias = True

    def take(self, codes: Tensor, scales: Tensor) -> None:
        """Pack the codes and the bias, and note what a constant input would give."""
        super().take(codes, scales)
        self._narrow = overflows()
        self._dynamic = torch.ops.quantized.linear_dynamic.default
        self._sums = (codes.sum(1, dtype=torch.long) * scales.flatten().double()).float()

    def held_bytes(self) -> int:
        """The bytes of the sums, too."""
        return super().held_bytes() + 4 * self.out_features

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out), float32."""
        if x.numel() == self.in_features and x.dim() > 1:
            return cast(Tensor, self._dynamic(x, self.packed, self._narrow))
        rows = x.reshape(-1, self.in_features)
        low, high = rows.amin(-1, keepdim=True).clamp_max(0), rows.amax(-1, keepdim=True).clamp_min(0)
        step = ((high - low) / (127 if self._narrow else 255)).clamp_min(1e-30)
        zero = (-low / step).round()  # the code of 0
        product = self._multiply((rows / step).round() + zero, 1.0, 0, self.packed)
        offset = zero * self._sums if self.bias is None else zero * self._sums + self.bias
        made = (product - offset) * step
        made = made if self.bias is None else made + self.bias
        return made.view(*x.shape[:-1], self.out_features)


@cache
def overflows() -> bool:
    """Whether the kernel loses large products of 8-bit inputs, as on CPUs without VNNI: then inputs get 7 bits."""
    with _fbgemm():
        full = torch._make_per_channel_quantized_tensor(
            torch.full((8, 64), 127, dtype=torch.int8), torch.ones(8).double(), torch.zeros(8, dtype=torch.long), 0
        )
        packed = torch.ops.quantized.linear_prepack(full, None)
        product = torch.ops.quantized.linear_dynamic(torch.ones(1, 64), packed, False)
    return bool((product / (127 * 64) - 1).abs().max() > 0.01)


class Int8PackLinear(Int8Codes):
    """A linear layer with int8 weights and 16-bit inputs: torch's own weight-only kernel.

    Source: torch._weight_int8pack_mm, which torch.compile uses for weight-only int8; fast in bfloat16 only.
    """

    codes: Tensor
    scales: Tensor
    factors: Tensor

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        super().__init__()
        self.bias = None if bias is None else nn.Parameter(bias.detach().bfloat16(), requires_grad=False)
        self.take(*absmax_int8(weight.detach().float()))

    def take(self, codes: Tensor, scales: Tensor) -> None:
        """Hold them; the head may hold the same codes as the embedding table."""
        self.register_buffer("codes", aligned(codes), persistent=False)
        self.register_buffer("scales", scales, persistent=False)
        self.register_buffer("factors", scales.flatten().bfloat16(), persistent=False)

    def saved(self) -> dict[str, Tensor]:
        """Its codes and scales."""
        return {"codes": self.codes, "scales": self.scales}

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) bfloat16 -> (..., out) bfloat16."""
        made = torch._weight_int8pack_mm(x.reshape(-1, x.size(-1)), self.codes, self.factors)
        made = made if self.bias is None else made + self.bias
        return made.view(*x.shape[:-1], len(self.codes))


class Int8Embedding(Int8Codes):
    """An embedding table with int8 rows, a scale for each; looked up, not multiplied."""

    codes: Tensor
    scales: Tensor

    def __init__(self, weight: Tensor, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self.take(*absmax_int8(weight.detach().float()))

    def take(self, codes: Tensor, scales: Tensor) -> None:
        """Hold them."""
        self.register_buffer("codes", aligned(codes), persistent=False)
        self.register_buffer("scales", scales, persistent=False)

    def saved(self) -> dict[str, Tensor]:
        """Its buffers."""
        return {"codes": self.codes, "scales": self.scales}

    def forward(self, ids: Tensor) -> Tensor:
        """(B, T) -> (B, T, C)."""
        return (self.codes[ids] * self.scales[ids]).to(self.dtype)


def convert(model: nn.Module, linear: Callable[[Tensor, Tensor | None], Int8Codes]) -> nn.Module:
    """Put int8 layers in the place of all linear layers, of the head, and of the embedding table, in place.

    Args:
        model: a decoder of transformers, on a CPU; in bfloat16 for Int8PackLinear, else in float32.
        linear: the class of the layers.

    Returns:
        the model. Codes of a head that is tied to the embedding table are the table's: Int8PackLinear shares them;
        the others keep a second copy, packed, in memory; none saves them twice.
    """
    table = cast(Any, model).get_input_embeddings()
    scaled = getattr(table, "embed_scale", None) or getattr(table, "scalar_embed_scale", None)
    if scaled is not None:
        raise ValueError(f"{type(table).__name__} does more than look up a row: it cannot be replaced by an int8 table")
    tied = is_tied(model)
    head = cast(Any, model).get_output_embeddings()
    embedding = Int8Embedding(table.weight, table.weight.dtype)
    for name, layer in list(model.named_modules()):
        if isinstance(layer, nn.Linear) or type(layer).__name__ == "Conv1D":
            # The rounding of the head's inputs goes straight into the logits: two rows there, for one layer of many.
            kind = Int8Linear if layer is head and linear is Int8DynamicLinear else linear
            made = kind(*weight_and_bias(layer))
            if layer is head and tied:
                made.take(embedding.codes, embedding.scales)
            model.set_submodule(name, made.train(layer.training))
    cast(Any, model).set_input_embeddings(embedding)
    return model


LAYERS: dict[str, type[Int8Linear] | type[Int8PackLinear]] = {
    "int8-pack": Int8PackLinear,
    "int8-fast": Int8DynamicLinear,
    "int8-fine": Int8Linear,
}


def is_tied(model: nn.Module) -> bool:
    """Whether the head multiplies by the embedding table."""
    head, table = cast(Any, model).get_output_embeddings(), cast(Any, model).get_input_embeddings()
    if hasattr(head, "weight") and hasattr(table, "weight"):
        return bool(head.weight is table.weight)
    return bool(cast(Any, model).config.tie_word_embeddings)
