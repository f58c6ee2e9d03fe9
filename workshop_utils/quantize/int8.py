"""Int8 layers for a CPU that multiply whole numbers: why integers are fast.

Decoding one token reads every weight once and multiplies little, so its speed is that of the memory, and eight bits are
a quarter of the bytes. torchao's eager int8 reads eight bits, but writes floats in between; FBGEMM's kernel, which
these layers call, multiplies the eight bits themselves.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from workshop_utils.quantize.by_hand import absmax_int8
from workshop_utils.quantize.floats import Data, Quantised, Unavailable, copied

if TYPE_CHECKING:
    from workshop_utils.chat.language_model import LanguageModel
    from workshop_utils.machine.profiles import Profile


def lack(model: LanguageModel, profile: Profile) -> str:
    """Why the integer kernel cannot run here, "" if it can."""
    found = hasattr(torch.ops.quantized, "linear_with_input_q_dq_qweight_dq_output_fp32")
    if not found or "fbgemm" not in torch.backends.quantized.supported_engines:
        return "this torch has no integer kernels of FBGEMM, which are for x86 CPUs"
    return ""


class Int8Linear(nn.Module):
    """A linear layer with int8 weights, a scale for each output, and inputs in 8 bits, a scale for each token.

    A single row, as in decoding, is one call into C++. Of several rows that call would make one scale, which a single
    outlier among them would spoil: they are scaled here, each for itself, from its lowest to its highest value.

    Source: the kernel of torch.ao.quantization.quantize_dynamic, a deprecated API that is left out here. It takes one
        scale for all of a weight and 7 bits of an input, which is twice the error at the same speed
        (bench/quantized_decode.py).
    """

    sums: Tensor

    def __init__(self, weight: Tensor, bias: Tensor | None = None, fine: bool = False) -> None:
        """Round the weights and pack them as the kernel wants them.

        Args:
            weight: (out, in).
            bias: (out,).
            fine: multiply what rounding left of the inputs, too, as 3.14 is 3 and 14 hundredths. The head wants it,
                since the rounding of its inputs goes straight into the logits.
        """
        super().__init__()
        codes, scales = absmax_int8(weight.detach().float())
        self.out_features, self.in_features, self.fine = *codes.shape, fine
        self.bias = None if bias is None else nn.Parameter(bias.detach().float().clone(), requires_grad=False)
        # What a constant input of 1 would give: the code of 0 is taken off with it.
        self.register_buffer("sums", (codes.sum(1, dtype=torch.long) * scales.flatten().double()).float(), False)
        self.packed, self.narrow = _packed(codes, scales), overflows()
        # At a few microseconds a call, looking up an operator would cost as much.
        self._dynamic = torch.ops.quantized.linear_dynamic.default
        self._multiply = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32.default

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out), float32."""
        if x.numel() == self.in_features and not self.fine:
            made = self._dynamic(x, self.packed, self.narrow)
            return cast(Tensor, made if self.bias is None else made + self.bias)
        top = 127 if self.narrow else 255
        rows = x.reshape(-1, self.in_features)
        low, high = rows.amin(-1, keepdim=True).clamp_max(0), rows.amax(-1, keepdim=True).clamp_min(0)
        step = ((high - low) / top).clamp_min(1e-30)  # (rows, 1)
        zero = (-low / step).round()  # the code of 0
        rows = rows / step + zero  # from 0 to top
        codes = rows.round()
        made = self._multiply(codes, 1.0, 0, self.packed) - zero * self.sums
        if self.fine:
            left = (rows - codes) * (top - 1)  # in whole numbers, too, from -top / 2 to top / 2
            made = made + self._multiply(left, 1.0, top // 2, self.packed) / (top - 1)
        made = made * step if self.bias is None else torch.addcmul(self.bias, made, step)
        return made.view(*x.shape[:-1], self.out_features)

    def unpacked(self) -> tuple[Tensor, Tensor]:
        """The codes (out, in), int8, and the scales (out, 1), as they were before they were packed."""
        with _fbgemm():
            weight, _ = torch.ops.quantized.linear_unpack(self.packed)
            return weight.int_repr(), weight.q_per_channel_scales().float().unsqueeze(1)

    def held_bytes(self) -> int:
        """Bytes beside its parameters and buffers: one a weight; scale, zero point and sum, four each, an output."""
        return self.out_features * (self.in_features + 12)


class Int8Embedding(nn.Module):
    """An embedding table with int8 rows, a scale for each; looked up, not multiplied."""

    codes: Tensor
    scales: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        for name, tensor in zip(("codes", "scales"), absmax_int8(weight.detach().float()), strict=True):
            self.register_buffer(name, tensor)

    def forward(self, ids: Tensor) -> Tensor:
        """(B, T) -> (B, T, C), float32."""
        return self.codes[ids] * self.scales[ids]


def make(model: LanguageModel, profile: Profile, data: Data) -> Quantised:
    """Int8 layers in the place of all linear layers, of the head and of the embedding table.

    A head that is tied to the table has the same codes, packed: both are counted in memory, and one is saved.
    """
    made = copied(model, torch.float32)
    decoder = cast(Any, made.model)
    table, head = decoder.get_input_embeddings(), decoder.get_output_embeddings()
    if any(hasattr(table, name) for name in ("embed_scale", "scalar_embed_scale")):
        raise Unavailable(f"{type(table).__name__} does more than look up a row: an int8 table cannot replace it")
    for name, layer in list(decoder.named_modules()):
        if isinstance(layer, nn.Linear) or type(layer).__name__ == "Conv1D":
            decoder.set_submodule(name, Int8Linear(*weight_and_bias(layer), fine=layer is head))
    decoder.set_input_embeddings(Int8Embedding(table.weight))
    decoder.eval()
    return Quantised(made)


def save(made: Quantised, folder: Path) -> None:
    """Write codes, scales and what stayed in floats; a head that repeats the embedding table is left out."""
    from safetensors.torch import save_file

    model = cast(Any, made.model.model)
    repeated = model.get_output_embeddings() if model.config.tie_word_embeddings else None
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    for name, layer in model.named_modules():
        if isinstance(layer, Int8Linear) and layer is not repeated:
            state[f"{name}.codes"], state[f"{name}.scales"] = layer.unpacked()
    save_file(state, folder / "model.safetensors")


def weight_and_bias(layer: nn.Module) -> tuple[Tensor, Tensor | None]:
    """The (out, in) weight of a linear layer, which GPT-2's Conv1D holds the other way round, and its bias."""
    weight, bias = cast(Tensor, layer.weight).detach(), layer.bias
    return weight.t().contiguous() if type(layer).__name__ == "Conv1D" else weight, cast("Tensor | None", bias)


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


def _packed(codes: Tensor, scales: Tensor) -> Any:
    zeros = torch.zeros(len(codes), dtype=torch.long)
    with _fbgemm():
        weight = torch._make_per_channel_quantized_tensor(codes, scales.flatten().double(), zeros, 0)
        return torch.ops.quantized.linear_prepack(weight, None)


@cache
def overflows() -> bool:
    """Whether the kernel loses large products of 8-bit inputs, as on CPUs without VNNI: then inputs get 7 bits."""
    packed = _packed(torch.full((8, 64), 127, dtype=torch.int8), torch.ones(8, 1))
    product = torch.ops.quantized.linear_dynamic(torch.ones(1, 64), packed, False)
    return bool((product / (127 * 64) - 1).abs().max() > 0.01)
