"""What a run costs in electricity: kWh, CO2e and whether that was measured or only estimated.

A thin, offline layer over CodeCarbon. It never breaks a run: where it cannot tell, it says so.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from workshop_utils.machine.sentences import one_line

CPU_METERS = ("intel_rapl", "intel_power_gadget", "windows_emi")  # CodeCarbon's modes that read a meter in the chip


@dataclass
class Energy:
    """The bill of one stretch of work. Filled in when the stretch ends."""

    kwh: float = 0.0  # kilowatt-hours
    kg_co2e: float = 0.0  # kilograms of CO2 equivalent, at the country's average electricity
    seconds: float = 0.0
    kind: str = "unavailable"  # or "measured" (the larger part comes from a meter in the chip) or "estimated"
    note: str = "nothing was tracked"  # where the figures come from, or why there are none
    country: str = ""

    def __str__(self) -> str:
        if self.kind == "unavailable":
            return f"energy unavailable ({self.note})"
        wh = self.kwh * 1000
        return f"{wh:.3g} Wh {self.kind}" if wh >= 0.01 else f"{wh * 1000:.2g} mWh {self.kind}"

    def __add__(self, other: Energy) -> Energy:
        """Two stretches of one run, such as before and after an interruption."""
        if "unavailable" in (self.kind, other.kind):
            return other if self.kind == "unavailable" else self
        kind = self.kind if self.kind == other.kind else "estimated"
        kwh, kg_co2e, seconds = self.kwh + other.kwh, self.kg_co2e + other.kg_co2e, self.seconds + other.seconds
        return Energy(kwh, kg_co2e, seconds, kind, other.note, other.country)

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values, for JSON."""
        return asdict(self)


@cache
def countries() -> frozenset[str]:
    """The three-letter country codes whose electricity mix is known; none where CodeCarbon is not installed."""
    spec = importlib.util.find_spec("codecarbon")  # not imported: that takes a second
    if spec is None or spec.origin is None:
        return frozenset()
    path = Path(spec.origin).parent / "data" / "private_infra" / "global_energy_mix.json"
    return frozenset(json.loads(path.read_text(encoding="utf-8")))


def known_country(country: str) -> str:
    """A country code in capitals, "" if it is empty.

    Raises:
        ValueError: CodeCarbon, if it is installed, does not know it.
    """
    code = country.strip().upper()
    if not code or code in countries() or not countries():
        return code
    raise ValueError(
        f"{country!r} is no country code that CodeCarbon knows: use three letters such as GBR, DEU, USA or IND "
        '(WORKSHOP_COUNTRY sets it), or "" to track no energy; clean and dirty electricity differ sixtyfold'
    )


@contextmanager
def track_energy(country: str = "GBR") -> Iterator[Energy]:
    """Track the electricity of a block of code, this process only, without a network.

    Args:
        country: three-letter ISO code of where the machine draws its power; "" tracks nothing.

    Yields:
        an Energy, filled in when the block ends.

    Raises:
        ValueError: the country code is not known.

    Source: CodeCarbon's OfflineEmissionsTracker. Without a country it would assume one that may be sixty times too
        clean, so a code is required.
    """
    country = known_country(country)
    energy = Energy(country=country) if country else Energy(note='switched off by country ""')
    tracker = _start(country, energy) if country else None
    began = time.perf_counter()
    try:
        yield energy
    finally:
        energy.seconds = time.perf_counter() - began
        if tracker is not None:
            with _never_breaking(energy):
                tracker.stop()
                _fill(energy, tracker)


def _start(country: str, energy: Energy) -> Any:
    """A running tracker, or None with the reason in energy.note."""
    os.environ.setdefault("CODECARBON_LOG_LEVEL", "critical")  # read at import: it is chatty otherwise
    with _never_breaking(energy):
        from codecarbon import OfflineEmissionsTracker

        tracker = OfflineEmissionsTracker(
            country_iso_code=country,
            tracking_mode="process",
            output_methods=[],
            log_level="critical",
            allow_multiple_runs=True,  # or a lock file that a killed run left behind would count as another run
        )
        tracker.start()
        return tracker
    return None


@contextmanager
def _never_breaking(energy: Energy) -> Iterator[None]:
    """Note why CodeCarbon failed: its settings files (~/.codecarbon.config and the one here) may say anything."""
    try:
        yield
    except Exception as error:
        energy.kind = "unavailable"
        energy.note = (
            f"CodeCarbon gave no figures, {one_line(error)}: if there is a file .codecarbon.config in {Path.cwd()} or "
            f"{Path.home()}, correct it or move it away"
        )


def _fill(energy: Energy, tracker: Any) -> None:
    """Copy the tracker's final figures and say where each part comes from."""
    data = getattr(tracker, "final_emissions_data", None)  # CodeCarbon keeps its own mistakes to itself
    if data is None:
        raise RuntimeError("it did not start")
    if not (0 <= data.energy_consumed < math.inf and 0 <= data.emissions < math.inf):
        raise RuntimeError(f"it counted {data.energy_consumed} kWh and {data.emissions} kg of CO2e")
    cpu_measured = any(getattr(part, "_mode", "") in CPU_METERS for part in tracker._hardware)
    energy.kwh, energy.kg_co2e = data.energy_consumed, data.emissions
    measured = data.gpu_energy + (data.cpu_energy if cpu_measured else 0.0)  # a GPU's meter is read through NVML
    energy.kind = "measured" if measured > energy.kwh / 2 else "estimated"
    parts = [f"CPU {'measured' if cpu_measured else 'estimated from its load'}", "memory estimated"]
    if data.gpu_energy:
        parts.insert(0, "GPU measured")
    energy.note = f"{', '.join(parts)}; electricity of {data.country_name}; CodeCarbon {data.codecarbon_version}"
