"""What computes, and what an hour of it costs: memory, speed, power and price, each with its source and its day.

Prices differ fourfold between providers and change by the month: they are inputs, these are only defaults.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from workshop_utils.machine.hardware import peak_flops

# Of a GPU's memory, the share that tensors can have: CUDA's context, its libraries' workspaces and the gaps between
# tensors take the rest. An assumption: 1.3 GB of a T4's 16.
USABLE = 0.92
PUE = 1.54  # of a data centre: all its power over that of its computers. Uptime Institute's survey of 2025, the mean


@dataclass(frozen=True)
class Gpu:
    """One device that trains."""

    name: str  # for people
    bytes: float  # its memory
    float32: float  # peak floating-point operations a second in float32
    half: float  # the same in 16 bits
    watts: float  # what it draws at most
    price: float  # US dollars an hour, for one
    mfu: float  # model FLOPs utilisation: the share of the peak that a training reaches
    cuda: bool = True  # whether it is a GPU
    sources: str = ""  # of price and mfu, with their dates

    @property
    def usable(self) -> float:
        """Bytes that tensors can have."""
        return self.bytes * USABLE

    def peak(self, precision: str) -> float:
        """Floating-point operations a second at best, in "float32", or in 16 bits for "mixed"."""
        return self.float32 if precision == "float32" else self.half


def _nvidia(name: str, gigabytes: float, watts: float, price: float, mfu: float, sources: str) -> Gpu:
    speeds = peak_flops(name, "float32") or 0.0, peak_flops(name, "float16") or 0.0
    return Gpu(name, gigabytes * 1e9, *speeds, watts, price, mfu, sources=sources)


_RUNPOD = "runpod.io/pricing, secure cloud, read 9 November 2026"
GPUS = {
    gpu.name: gpu
    for gpu in (
        _nvidia(
            "T4", 16, 70, 0.35, 0.25,
            "price: cloud.google.com/compute/gpus-pricing, the GPU alone, 2024 (free in Colab); MFU: assumed",
        ),
        _nvidia(
            "A100", 80, 400, 1.79, 0.40,
            f"price: {_RUNPOD}; MFU: between nanoGPT's 0.29 (2023) and llm.c's 0.60 (2024)",
        ),
        _nvidia("H100", 80, 700, 3.99, 0.40, f"price: {_RUNPOD}; MFU: below llm.c's 0.50 (2024)"),
        _nvidia(
            "H200", 141, 700, 4.45, 0.40,
            "price: akash.network/pricing/gpus, read 20 September 2026; MFU: assumed to be the H100's",
        ),
        Gpu(
            "laptop CPU", 16e9, 0.5e12, 0.5e12, 28, 0.0, 0.3, cuda=False,
            sources="price: your own; peak: 4 to 8 cores with AVX2, about 32 operations a cycle each; MFU: assumed",
        ),
    )
}  # fmt: skip


def prices() -> str:
    """The table of the defaults, each with its source, as text."""
    lines = [f"{'':<12}{'memory':>8}{'16 bits':>10}{'power':>8}{'price':>8}{'MFU':>6}  sources"]
    for gpu in GPUS.values():
        lines.append(
            f"{gpu.name:<12}{gpu.bytes / 1e9:>5.0f} GB{gpu.half / 1e12:>7,.4g} TF{gpu.watts:>6.0f} W"
            f"{gpu.price:>8.2f}{gpu.mfu:>6.0%}  {gpu.sources}"
        )
    return "\n".join(lines)


def grams_per_kwh(country: str) -> float:
    """Grams of CO2 equivalent of a kilowatt-hour, on average over a country.

    Args:
        country: three-letter ISO code, as in TrainConfig.country.

    Raises:
        ValueError: the code is not known.

    Source: the table that CodeCarbon ships, which the energy bills of training use as well.
    """
    import codecarbon

    path = Path(codecarbon.__file__).parent / "data" / "private_infra" / "global_energy_mix.json"
    table = json.loads(path.read_text(encoding="utf-8"))
    if country not in table:
        raise ValueError(f"{country!r} is no country code that CodeCarbon knows: use three letters such as GBR or IND")
    return float(table[country]["carbon_intensity"])
