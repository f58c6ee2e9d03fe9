"""Decoding one text with fewer bits against float32: tokens a second, error of the logits, bytes. One core."""

from __future__ import annotations

import copy
import statistics
import warnings
from typing import Any, cast

import torch
from common import Row, cpu_seconds, one_core, options, report, rounds_row, row, take_turns
from torch import nn

from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.machine.profiles import choose
from workshop_utils.quantize import quantise
from workshop_utils.quantize.measure import logit_error, weight_bytes

# GPT-2's shape, 256 positions, random weights: name -> layers, width, heads, vocabulary
SHAPES = {"29.5M": (8, 512, 8, 8192), "123.8M": (12, 768, 12, 50257)}
QUICK = {"0.1M": (2, 64, 2, 256)}


def gpt2(layers: int, width: int, heads: int, vocab: int) -> LanguageModel:
    """A GPT-2 with random weights, as transformers makes it; without a tokenizer."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    shape = {"n_layer": layers, "n_embd": width, "n_head": heads, "vocab_size": vocab, "n_positions": 256}
    return LanguageModel(
        "gpt2", GPT2LMHeadModel(GPT2Config(**shape, bos_token_id=0, eos_token_id=0)).eval(), cast(Any, None)
    )


def torch_ao(model: LanguageModel) -> LanguageModel | None:
    """The deprecated dynamic quantisation of torch.ao, None where torch has it no more."""
    try:
        from torch.ao.quantization import quantize_dynamic
    except ImportError:
        return None
    copied: Any = copy.deepcopy(model.model)
    for name, layer in list(copied.named_modules()):
        if type(layer).__name__ == "Conv1D":  # which it does not know, and which holds its weight the other way round
            made = nn.Linear(*layer.weight.shape)
            made.weight, made.bias = nn.Parameter(layer.weight.detach().t().contiguous()), layer.bias
            copied.set_submodule(name, made)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return LanguageModel("torch.ao", quantize_dynamic(copied, {nn.Linear}, torch.qint8).eval(), cast(Any, None))


def torch_ao_bytes(model: nn.Module) -> int:
    """Of what torch.ao made: its packed weights are no parameters, a byte each and a bias."""
    layers = [cast(Any, layer) for layer in model.modules() if hasattr(layer, "in_features")]
    packed = sum(layer.in_features * layer.out_features + 4 * layer.out_features for layer in layers)
    return weight_bytes(model) + packed


class Int8Linear(nn.Module):
    """A product with a weight in 8 bits, a scale a row, and an input in bfloat16, by torch's kernel for this case."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        super().__init__()
        self.bias, scale = bias, weight.float().abs().amax(dim=1) / 127
        self.register_buffer("weight", (weight.float() / scale[:, None]).round().to(torch.int8).contiguous())
        self.register_buffer("scale", scale.bfloat16())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., inputs) -> (..., outputs)."""
        y = torch._weight_int8pack_mm(x.reshape(-1, x.size(-1)), self.weight, self.scale).view(*x.shape[:-1], -1)
        return y if self.bias is None else y + self.bias


def weight_only(half: LanguageModel) -> LanguageModel:
    """The model in bfloat16 with all products by Int8Linear."""
    copied: Any = copy.deepcopy(half.model)
    for name, layer in list(copied.named_modules()):
        if type(layer).__name__ == "Conv1D":  # which holds its weight the other way round
            copied.set_submodule(name, Int8Linear(layer.weight.detach().t(), layer.bias))
    copied.lm_head = Int8Linear(copied.lm_head.weight.detach(), None)
    return LanguageModel("int8", copied, cast(Any, None))


def by_bytes(model: nn.Module) -> Row:
    """The most that 8 bits can gain where only reading weights takes time; and what torch's kernel gains of that."""
    sizes = [tuple(layer.weight.shape[::-1]) for layer in model.modules() if type(layer).__name__ == "Conv1D"]
    weights = [torch.randn(size) for size in [*sizes, tuple(cast(Any, model).lm_head.weight.shape)]]
    inputs = [torch.randn(1, weight.size(1)) for weight in weights]
    small = [(Int8Linear(weight, None), x.bfloat16()) for weight, x in zip(weights, inputs, strict=True)]
    floats = cpu_seconds(lambda: [x @ weight.t() for x, weight in zip(inputs, weights, strict=True)])
    bytes_ratio = 4 / (1 + 2 / (sum(w.numel() for w in weights) / sum(w.size(0) for w in weights)))
    return row("", floats / cpu_seconds(lambda: [layer(x) for layer, x in small]), bytes_ratio)


def writer(model: LanguageModel, new: int) -> Any:
    """What writes tokens with the key/value cache, and returns tokens a CPU second."""
    ids = torch.arange(1, 3).unsqueeze(0)
    made = cast(Any, model.model)

    def write() -> None:
        with torch.inference_mode():
            out = made.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=new, min_new_tokens=new,
                do_sample=False, pad_token_id=0,
            )  # fmt: skip
        assert out.size(1) == 2 + new

    write()  # a rehearsal
    return lambda: new / cpu_seconds(write)


def main() -> None:
    """Measure and report."""
    args = options(__doc__).parse_args()
    one_core(args)
    profile = choose("pocket")
    new, rounds = (4, 1) if args.quick else (64, args.rounds or 5)
    rows: list[Row] = []
    for size, shape in (QUICK if args.quick else SHAPES).items():
        model = gpt2(*shape)
        texts = torch.randint(shape[3], (4, 64), generator=torch.Generator().manual_seed(1)).tolist()
        plain, floats = writer(model, new), weight_bytes(model.model)
        half = quantise("bf16", model, profile).model
        made = {
            "int8 dynamic (torch.ao)": (torch_ao(model), torch_ao_bytes),
            "int8 weight-only, bfloat16": (weight_only(half), weight_bytes),
            "bfloat16": (half, weight_bytes),
        }
        with torch.inference_mode():
            bounds = [by_bytes(model.model) for _ in range(rounds + 1)][1:]  # the first one is a rehearsal
        what = f"{size}, int8 weight-only: ratio of the products alone (ours), and of the bytes they read (peer)"
        middle = [statistics.median(bound[key] for bound in bounds) for key in ("ours", "peer")]
        rows.append(row(what, *middle, goal="ours >= 4") | {"bound": True})
        for method, (other, bytes_of) in made.items():
            if other is None:
                continue
            print(f"{size}, {method}", flush=True)
            ours, theirs = take_turns(writer(other, new), plain, rounds)
            goal = "ratio >= 4" if "int8" in method else ""
            rows.append(rounds_row(f"{size}, {method}: tokens a CPU second (peer: float32)", ours, theirs, goal=goal))
            lost = logit_error(model, other, texts).relative
            rows.append(
                row(f"{size}, {method}: relative error of the logits", lost, goal="ours <= 0.03" if goal else "")
            )
            rows.append(row(f"{size}, {method}: bytes, of those of float32", bytes_of(other.model) / floats))
    notes = (
        f"GPT-2-shaped models with random weights, 256 positions; {new} tokens after a prompt of 2, one text, "
        f"key/value cache of transformers, one core, {rounds} rounds. torch.ao is its deprecated quantize_dynamic, "
        f"engine {torch.backends.quantized.engine}. int8 weight-only: torch._weight_int8pack_mm, all "
        "products, the head's too; a ratio of bytes below 4 is a bound of every kernel that reads each weight once."
    )
    report("quantized_decode", rows, args, notes)


if __name__ == "__main__":
    main()
