"""Our rounding is as near as its scale allows, and equals the libraries'."""

import pytest
import torch
from torch import nn

from workshop_utils.quantize import absmax_int8, dequantise, nf4, nf4_dequantise
from workshop_utils.quantize.torchao import quiet

WEIGHT = torch.randn(96, 192, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("per", ["tensor", "channel", 64])
def test_absmax_is_as_near_as_its_scale_allows_and_finer_scales_are_nearer(per):
    weight = WEIGHT.clone()
    weight[3] *= 20  # a row of outliers
    weight[5] = 0
    codes, scales = absmax_int8(weight, per)
    assert codes.dtype == torch.int8
    assert codes.abs().max() == 127
    assert scales.shape == {"tensor": (1, 1), "channel": (96, 1), 64: (96, 3)}[per]
    back = dequantise(codes, scales)
    step = scales.repeat_interleave(192 // scales.size(1), dim=1)
    assert ((back - weight).abs() <= step / 2 + 1e-6).all()
    assert (back[5] == 0).all()
    if per != "tensor":
        assert (back - weight).norm() < (dequantise(*absmax_int8(weight, "tensor")) - weight).norm() / 2


def test_absmax_equals_torchao_with_its_127_and_a_half_and_bitsandbytes():
    from bitsandbytes.functional import int8_vectorwise_quant

    layer = nn.Sequential(nn.Linear(192, 96, bias=False))
    layer[0].weight = nn.Parameter(WEIGHT.clone())
    with quiet():
        from torchao.quantization import Int8WeightOnlyConfig, quantize_

        quantize_(layer, Int8WeightOnlyConfig())
    codes, scales = absmax_int8(WEIGHT, top=127.5)
    assert torch.equal(codes, layer[0].weight.qdata)
    assert torch.allclose(scales, layer[0].weight.scale, rtol=1e-6)
    assert not torch.equal(absmax_int8(WEIGHT)[0], codes)  # with 127 they differ
    theirs, tops, _ = int8_vectorwise_quant(WEIGHT.half())
    codes, scales = absmax_int8(WEIGHT.half().float())
    assert (codes != theirs).float().mean() < 0.001  # products in 16 bits differ where a code is at the edge of two
    assert torch.allclose(scales.flatten() * 127, tops.float(), rtol=1e-3)


def test_nf4_equals_bitsandbytes_and_is_better_than_even_steps():
    import bitsandbytes.functional as bnb

    codes, largest = nf4(WEIGHT)
    packed, state = bnb.quantize_4bit(WEIGHT, blocksize=64, quant_type="nf4")
    assert torch.equal(codes, torch.stack((packed.flatten() >> 4, packed.flatten() & 15), dim=1).reshape(WEIGHT.shape))
    assert torch.equal(largest, state.absmax)
    back = nf4_dequantise(codes, largest)
    assert torch.allclose(back, bnb.dequantize_4bit(packed, state), atol=1e-6)
    even = dequantise(*absmax_int8(WEIGHT, 64, top=7))  # 15 even steps
    assert (back - WEIGHT).norm() < (even - WEIGHT).norm()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: absmax_int8(WEIGHT, 50), "divides 192"),
        (lambda: absmax_int8(WEIGHT[0]), "matrix of floats"),
        (lambda: nf4(WEIGHT[:3, :30]), "whole blocks of 64"),
    ],
)
def test_what_does_not_fit_is_a_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()
