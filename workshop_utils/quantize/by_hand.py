"""Quantisation by hand: absmax int8 and NF4 of one matrix, as lesson 09 writes them before it trusts a library.

A matrix of floats -> whole numbers (codes) and a few floats (scales) -> the matrix again, with an error to look at.
"""

from __future__ import annotations

import torch
from torch import Tensor

INT8_TOP = 127.0  # the code that the largest weight gets
NF4_BLOCK = 64  # weights that share a scale
# The 16 levels of NF4: quantiles of a normal distribution, stretched to -1 and 1, one of them exactly 0.
NF4_LEVELS = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
    -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
    0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)  # fmt: skip


def absmax_int8(weight: Tensor, per: str | int = "channel", top: float = INT8_TOP) -> tuple[Tensor, Tensor]:
    """Round a matrix to whole numbers from -128 to 127: the largest weight becomes 127, the others in proportion.

    Args:
        weight: (out, in), floats.
        per: what shares a scale: "tensor", "channel" (a row) or a number of neighbours in a row that divides `in`.
        top: the code of the largest weight. torchao takes 127.5, half of the 255 steps that there are, and cuts off
            what would be 128.

    Returns:
        the codes, (out, in) int8, and the scales: (1, 1), (out, 1) or (out, in / per).

    Raises:
        ValueError: weight is not a matrix of floats, or per does not fit it.

    Source: with per="channel" and top 127 the weights of bitsandbytes' LLM.int8() (Dettmers et al., arXiv 2208.07339);
        with top 127.5 those of torchao's Int8WeightOnlyConfig.
    """
    if weight.dim() != 2 or not weight.is_floating_point():
        raise ValueError(f"weight is {tuple(weight.shape)} of {weight.dtype}: give a matrix of floats, (out, in)")
    size = {"tensor": weight.size(1), "channel": weight.size(1)}.get(str(per), per)
    if not isinstance(size, int) or size < 1 or weight.size(1) % size:
        raise ValueError(f'per is {per!r}: choose "tensor", "channel", or a block size that divides {weight.size(1)}')
    blocks = weight.unflatten(1, (-1, size))  # (out, blocks, block)
    largest = blocks.abs().amax(dim=-1)
    if per == "tensor":
        largest = largest.amax().reshape(1, 1)
    scales = (largest / top).clamp(min=torch.finfo(weight.dtype).tiny)  # a row of zeros stays zeros
    codes = (blocks * (1 / scales).unsqueeze(-1)).round().clamp(-128, 127)
    return codes.to(torch.int8).reshape(weight.shape), scales


def dequantise(codes: Tensor, scales: Tensor) -> Tensor:
    """The matrix that codes and scales stand for.

    Args:
        codes: (out, in), from absmax_int8.
        scales: (1, 1), (out, 1) or (out, blocks).

    Returns:
        (out, in) floats.
    """
    return (codes.unflatten(1, (scales.size(1), -1)) * scales.unsqueeze(-1)).reshape(codes.shape)


def nf4(weight: Tensor, block: int = NF4_BLOCK) -> tuple[Tensor, Tensor]:
    """Round a matrix to the 16 levels of NF4, each block of neighbours by its own largest weight.

    Args:
        weight: any shape, floats; its rows follow one another.
        block: weights that share a scale; it must divide how many there are.

    Returns:
        the codes 0 to 15, in the weight's shape, uint8; and the largest absolute value of each block, (blocks,).

    Raises:
        ValueError: block does not divide the number of weights.

    Source: Dettmers et al., "QLoRA", arXiv 2305.14314, appendix E; equal to bitsandbytes' quantize_4bit.
    """
    if block < 1 or weight.numel() % block:
        raise ValueError(f"{weight.numel()} weights do not make whole blocks of {block}: choose a divisor, such as 64")
    blocks = weight.float().reshape(-1, block)
    largest = blocks.abs().amax(dim=1)
    levels = torch.tensor(NF4_LEVELS, device=weight.device)
    between = (levels[1:] + levels[:-1]) / 2  # the nearest level changes half-way between two
    scaled = blocks / largest.clamp(min=torch.finfo(torch.float32).tiny).unsqueeze(1)
    return torch.bucketize(scaled, between).to(torch.uint8).reshape(weight.shape), largest


def nf4_dequantise(codes: Tensor, largest: Tensor) -> Tensor:
    """The weights that NF4's codes and block maxima stand for, in the codes' shape, float32."""
    levels = torch.tensor(NF4_LEVELS, device=codes.device)
    return (levels[codes.long()].reshape(largest.numel(), -1) * largest.unsqueeze(1)).reshape(codes.shape)
