"""Energy is labelled, added up, and never a reason to fail."""

import re
import sys
import time

import codecarbon.lock
import pytest

from workshop_utils.machine.energy import Energy, track_energy


def work(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_energy_is_labelled_and_added_up():
    with track_energy("GBR") as energy:
        work(0.3)
    assert energy.kind in ("measured", "estimated")
    assert energy.kwh > 0
    assert energy.kg_co2e / energy.kwh == pytest.approx(0.2376, rel=0.2)  # Great Britain, not Quebec's 0.002
    assert energy.kind in str(energy)
    both = energy + Energy(1.0, 2.0, 3.0, "measured")
    assert (both.kwh, both.kind) == (energy.kwh + 1.0, energy.kind)
    assert (Energy() + energy).kwh == energy.kwh


def test_energy_that_is_not_tracked_says_why(monkeypatch):
    with pytest.raises(ValueError, match="'XYZ' is no country code"), track_energy("XYZ"):
        pass
    with track_energy("") as energy:
        pass
    assert str(energy) == 'energy unavailable (switched off by country "")'
    monkeypatch.setitem(sys.modules, "codecarbon", None)
    with track_energy("GBR") as energy:
        pass
    assert re.match("energy unavailable .*codecarbon", str(energy))


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ("pue = abc", "it did not start"),
        ("allow_multiple_runs = false", None),  # figures, although another run's lock file lies there
    ],
)
def test_the_settings_of_codecarbon_that_lie_about_break_nothing(settings, reason, tmp_path, monkeypatch):
    (tmp_path / ".codecarbon.config").write_text(f"[codecarbon]\n{settings}\n")
    (tmp_path / "stale.lock").touch()
    monkeypatch.setattr(codecarbon.lock, "LOCKFILE", str(tmp_path / "stale.lock"))
    monkeypatch.chdir(tmp_path)
    with track_energy("GBR") as energy:
        work(0.1)
    assert energy.seconds > 0
    if reason is None:
        assert energy.kwh > 0
    else:
        assert re.match(rf"energy unavailable \(CodeCarbon gave no figures, .*{reason}.*{tmp_path}", str(energy))
        assert energy.kwh == 0
