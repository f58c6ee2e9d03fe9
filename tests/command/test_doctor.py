"""workshop doctor: every trouble it knows is made here on purpose, and must come with a cure."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from types import SimpleNamespace

import pytest
import torch

from workshop_utils import colab
from workshop_utils.command import doctor
from workshop_utils.machine import hardware, hub, profiles

ROOT = hardware.checkout()


@pytest.fixture
def profile(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    return profiles.choose("pocket")


def by_name(findings) -> dict[str, doctor.Finding]:
    return {finding.name: finding for finding in findings}


def install(monkeypatch, **versions: str | None) -> dict[str, doctor.Finding]:
    """Pretend that packages have other versions, or (None) are not there, and look at the packages."""
    found = {name: version for name, version in (REAL | versions).items() if version is not None}
    monkeypatch.setattr(colab, "installed", lambda: found)
    return by_name(doctor.check_packages())


REAL = colab.installed()


def test_whatever_is_not_fine_has_a_cure_and_the_rest_has_none(profile):
    findings = doctor.diagnose(profile)
    assert len(by_name(findings)) == len(findings), "two findings of one name"
    for finding in findings:
        assert finding.status in ("fine", "note", "problem")
        assert bool(finding.cure) == (finding.status != "fine"), finding
    assert {"python", "packages", "imports", "settings", "gpu", "disk", "hub", "lesson 04"} <= by_name(findings).keys()
    assert not [finding for finding in findings if finding.name.startswith("import ")]  # each is imported by its name


# --- packages


def test_versions_count_against_the_declared_range_and_in_a_checkout_against_those_of_ci(monkeypatch):
    tested = colab.tested_versions()
    findings = install(monkeypatch, numpy="2.1.0", tiktoken="0.1", torch=tested["torch"] + "+cu130")
    assert findings["numpy"].status == "note"
    assert tested["numpy"] in findings["numpy"].found
    assert findings["tiktoken"].status == "problem"
    assert ">=0.12" in findings["tiktoken"].found
    assert "torch" not in findings  # how it was built is no other version
    monkeypatch.setattr(hardware, "checkout", lambda: None)
    findings = install(monkeypatch, numpy="2.1.0", tiktoken="0.1")
    assert "numpy" not in findings
    assert findings["tiktoken"].status == "problem"


@pytest.mark.parametrize(
    ("package", "lessons"),
    [
        ("transformers", "lessons 01, 05, 06, 07, 08, 09, 10, 11"),
        ("rich", "every lesson"),
    ],
)
def test_what_a_lesson_cannot_do_without_is_a_problem_with_one_cure(package, lessons, monkeypatch):
    findings = install(monkeypatch, **{package: None, "peft": "0.0.1", "pytest": None})
    assert re.fullmatch(rf"missing, [<>].* is needed for {lessons}", findings[package].found)
    assert (findings[package].status, findings["peft"].status) == ("problem", "problem")
    assert re.search(r"not here.* no lesson needs it: .*pytest", findings["packages"].found)
    exact = {f"{name}=={colab.tested_versions()[name]}" for name in (package, "peft")}
    assert exact == set(findings["peft"].cure.split("install ")[1].split())
    text = doctor.as_text(findings.values())
    assert text.count(findings["peft"].cure) == 1
    assert text.endswith("problems: 2, notes: 0, see above")


def test_on_colab_the_first_cell_of_a_lesson_installs_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace())
    findings = install(monkeypatch, peft=None, trl="1.0", pytest=None, numpy="1.26.4")
    assert "a lesson's first cell installs what it needs: " in findings["packages"].found
    assert {"peft", "trl 1.0"} <= set(re.split(r", |: ", findings["packages"].found))
    assert findings["numpy"].status == "note"
    assert "pip" not in findings["numpy"].cure  # Colab's other packages were compiled against it


def test_each_lesson_and_extra_is_known_as_the_lessons_themselves_name_it():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {needs.extra for needs in doctor.LESSONS} - {""} <= set(declared)
    named = {}
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        cells = json.loads(path.read_text())["cells"]
        (first,) = [cell for cell in cells if "colab" in cell["metadata"].get("tags", [])]
        named[path.name[:2]] = re.search(r"install\((?:\"(\w*)\")?(?:, \w+=\w+)?\)", "".join(first["source"]))[1] or ""
    assert named == {needs.lesson: needs.extra for needs in doctor.LESSONS}


BROKEN = """
import importlib.abc, sys

class Broken(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in ("torch", "psutil"):
            raise OSError("[WinError 126] The specified module could not be found: c10.dll")
        if name in ("numpy", "rich"):
            raise ImportError("DLL load failed")

sys.meta_path.insert(0, Broken())
sys.argv = ["workshop", "doctor", *sys.argv[1:]]
from workshop_utils.command.cli import main
main()
"""


@pytest.mark.parametrize("options", [[], ["--room"]])
def test_packages_that_are_there_and_broken_are_findings_and_no_crash(options):
    """In a process of its own, with the command itself: as on a machine with a library missing."""
    environment = os.environ | {"WORKSHOP_COUNTRY": "Germany"}
    done = subprocess.run([sys.executable, "-c", BROKEN, *options], capture_output=True, text=True, env=environment)
    assert done.returncode == 1, done.stderr
    for name in ("torch", "psutil", "numpy", "rich"):
        said = re.search(rf"PROBLEM +import {name} .*\n +cure: (.*)", done.stdout)
        assert f"pip install --force-reinstall --no-deps {name}==" in said[1]
    assert "c10.dll" in done.stdout
    assert re.search(r"PROBLEM +WORKSHOP_COUNTRY ", done.stdout)


# --- settings


def test_every_wrong_setting_is_listed_a_misspelt_one_and_a_hurry_are_notes(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    wrong = {
        "WORKSHOP_PROFILE": "nonsense",
        "WORKSHOP_HOME": str(tmp_path / "file"),
        "WORKSHOP_HUB": str(tmp_path / "nowhere"),
        "WORKSHOP_COUNTRY": "Germany",
        "WORKSHOP_BACKEND": "jax",
    }
    for name, value in (wrong | {"WORKSHOP_PROFIL": "pocket", "WORKSHOP_HURRY": "1"}).items():
        monkeypatch.setenv(name, value)
    findings = by_name(doctor.diagnose())
    for name, value in wrong.items():
        assert findings[name].status == "problem"
        assert value.lower() in findings[name].found.lower()
        assert name in findings[name].cure
    assert "WORKSHOP_PROFIL (did you mean WORKSHOP_PROFILE?)" in findings["variables"].found
    assert findings["WORKSHOP_HURRY"].status == "note"


def test_every_variable_that_the_package_reads_is_known_to_the_doctor():
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "workshop_utils").rglob("*.py")]
    assert set(re.findall(r"WORKSHOP_[A-Z]+(?:_[A-Z]+)*", "".join(texts))) - {"WORKSHOP_JUDGE"} == set(doctor.SETTINGS)


# --- the machine and the hub


def test_too_little_memory_or_disk_names_the_lessons_that_will_fail(profile, monkeypatch):
    monkeypatch.setattr(hardware, "free_memory_bytes", lambda: 1.5e9)
    findings = by_name(doctor.check_lessons(profile))
    assert [findings[f"lesson {n}"].status for n in ("00", "04")] == ["fine", "problem"]
    assert "1.5 GB" in findings["lesson 04"].cure
    monkeypatch.setattr(hardware, "free_disk_bytes", lambda path: 1e6)
    assert "WORKSHOP_HOME" in by_name(doctor.check_lessons(profile))["lesson 00"].cure


def test_the_hub_is_asked_for_a_profile_that_fetches_only_and_a_token_is_never_shown(profile, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    t4 = profiles.choose("t4")
    findings = by_name(doctor.check_hub(t4))  # conftest has set HF_HUB_OFFLINE
    assert findings["hub"].status == "problem"
    assert "WORKSHOP_PROFILE=pocket" in findings["hub"].cure
    assert "Qwen2.5 and not Gemma" in findings["token"].found
    monkeypatch.setattr(hub, "hub_reachable", lambda: pytest.fail("asked"))
    assert by_name(doctor.check_hub(profile))["hub"].status == "fine"
    monkeypatch.setenv("WORKSHOP_HUB", str(tmp_path))
    assert by_name(doctor.check_hub(t4))["token"].found == "none is needed"
    (tmp_path / "token").write_text("hf_secret")
    assert by_name(doctor.check_hub(t4))["token"].found == "found"
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert "hf_secret" not in doctor.as_text(doctor.diagnose(t4))


@pytest.mark.parametrize(
    ("gpu", "free", "nvidia_smi", "status", "words"),
    [
        ((), 15.5, "", "fine", "capability 7.5"),
        (("no kernel image is available",), 15.5, "", "note", "no kernel image"),
        (None, 0, "/usr/bin/nvidia-smi", "note", "built for CPUs only"),
        (None, 0, None, "fine", "none"),
    ],
)
def test_a_gpu_is_described_or_why_there_is_none(gpu, free, nvidia_smi, status, words, monkeypatch, profile):
    found = hardware.FoundGpu("Tesla T4", (7, 5), int(15.8e9), *gpu) if gpu is not None else None
    monkeypatch.setattr(hardware, "find_gpu", lambda: found)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device=0: (int(free * 1e9), int(15.8e9)))
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(doctor.shutil, "which", lambda name: nvidia_smi)
    on_cuda = SimpleNamespace(device="cuda", dtype="float16", dtype_reason="", home=profile.home, country="GBR")
    finding = by_name(doctor.check_device(on_cuda))["gpu"]
    assert finding.status == status
    assert words in finding.found + finding.cure
