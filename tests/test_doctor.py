"""workshop doctor: every trouble it knows is made here on purpose, and must come with a cure."""

from __future__ import annotations

import builtins
import json
import sys
from importlib import metadata
from types import SimpleNamespace

import pytest
import torch

from workshop_utils import doctor, machine, profiles


@pytest.fixture
def profile(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    return profiles.choose("pocket")


@pytest.fixture
def t4(profile):
    """The t4 profile, on a machine without a GPU."""
    return profiles.choose("t4")


def by_name(findings) -> dict[str, doctor.Finding]:
    return {finding.name: finding for finding in findings}


def test_whatever_is_not_fine_has_a_cure_and_the_rest_has_none(profile):
    findings = doctor.diagnose(profile)
    assert len(by_name(findings)) == len(findings), "two findings of one name"
    for finding in findings:
        assert finding.status in ("fine", "note", "problem")
        assert bool(finding.cure) == (finding.status != "fine"), finding


@pytest.mark.parametrize(
    ("version", "status"),
    [((3, 10, 9), "problem"), ((3, 11, 0), "fine"), ((3, 13, 5), "fine"), ((3, 14, 0), "problem")],
)
def test_python_must_be_one_that_the_packages_exist_for(version, status):
    (finding,) = doctor.check_python(version)
    assert finding.status == status


def test_pythons_are_those_of_pyproject():
    requires = metadata.metadata("slm-workshop")["Requires-Python"]
    first, last = doctor.PYTHONS
    assert set(requires.split(",")) == {f">={first[0]}.{first[1]}", f"<{last[0]}.{last[1] + 1}"}


def install(monkeypatch, **versions: str | None) -> None:
    """Pretend that packages have other versions, or (None) are not there."""
    real = metadata.version

    def version(name: str) -> str:
        if name in versions and versions[name] is None:
            raise metadata.PackageNotFoundError(name)
        return versions.get(name) or real(name)

    monkeypatch.setattr(metadata, "version", version)


def test_a_version_that_ci_did_not_see_is_a_note(monkeypatch):
    install(monkeypatch, numpy="2.1.0")
    finding = by_name(doctor.check_packages("pocket"))["numpy"]
    assert finding.status == "note"
    assert doctor.tested_versions()["numpy"] in finding.found
    assert finding.cure


def test_a_version_out_of_range_is_a_problem(monkeypatch):
    install(monkeypatch, numpy="1.26.4")
    finding = by_name(doctor.check_packages("pocket"))["numpy"]
    assert finding.status == "problem"
    assert ">=2.1" in finding.found


def test_a_local_build_of_the_tested_version_is_fine(monkeypatch):
    install(monkeypatch, torch=doctor.tested_versions()["torch"] + "+cu130")
    assert "torch" not in by_name(doctor.check_packages("pocket"))


def test_what_only_other_profiles_need_may_be_missing(monkeypatch):
    install(monkeypatch, datasets=None)
    assert by_name(doctor.check_packages("pocket"))["datasets"].status == "note"
    assert by_name(doctor.check_packages("t4"))["datasets"].status == "problem"


def test_without_a_checkout_only_the_declared_ranges_count(monkeypatch):
    monkeypatch.setattr(machine, "checkout", lambda: None)
    install(monkeypatch, numpy="2.1.0", tiktoken="0.1")
    findings = by_name(doctor.check_packages("pocket"))
    assert "numpy" not in findings
    assert findings["tiktoken"].status == "problem"
    assert "pip install" in findings["tiktoken"].cure


def test_a_torch_that_cannot_be_imported_is_a_finding_not_a_crash(monkeypatch):
    real = builtins.__import__

    def broken(name: str, *arguments, **options):
        if name == "torch":
            raise OSError("libtorch_cpu.so: cannot open shared object file")
        return real(name, *arguments, **options)

    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.setattr(builtins, "__import__", broken)
    finding = by_name(doctor.diagnose())["torch"]
    assert finding.status == "problem"
    assert "libtorch_cpu.so" in finding.found


def test_too_little_memory_or_disk_names_the_lessons_that_will_fail(profile, monkeypatch):
    monkeypatch.setattr(machine, "free_memory_bytes", lambda: 1.5e9)
    findings = by_name(doctor.check_lessons(profile))
    assert findings["lesson 00"].status == "fine"
    assert findings["lesson 04"].status == "problem"
    assert "1.5 GB" in findings["lesson 04"].cure
    monkeypatch.setattr(machine, "free_memory_bytes", lambda: 64e9)
    monkeypatch.setattr(machine, "free_disk_bytes", lambda path: 1e6)
    findings = by_name(doctor.check_lessons(profile))
    assert "WORKSHOP_HOME" in findings["lesson 04"].cure


def test_every_lesson_of_the_repository_is_known():
    folder = machine.checkout() / "notebooks"
    assert {path.name[:2] for path in folder.glob("*.ipynb")} <= {needs.lesson for needs in doctor.LESSONS}


def test_pocket_never_asks_the_hub(profile, monkeypatch):
    monkeypatch.setattr(profiles, "hub_reachable", lambda timeout=3.0: pytest.fail("asked"))
    assert by_name(doctor.check_hub(profile))["hub"].status == "fine"


def test_a_closed_hub_is_a_problem_for_a_profile_that_fetches(t4):
    finding = by_name(doctor.check_hub(t4))["hub"]  # conftest has set HF_HUB_OFFLINE
    assert finding.status == "problem"
    assert "WORKSHOP_PROFILE=pocket" in finding.cure


def test_a_token_is_found_and_never_shown(t4, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    assert "Qwen2.5 and not Gemma" in by_name(doctor.check_hub(t4))["token"].found
    monkeypatch.setenv("WORKSHOP_HUB", str(tmp_path))
    assert by_name(doctor.check_hub(t4))["token"].found == "none is needed"
    monkeypatch.delenv("WORKSHOP_HUB")
    (tmp_path / "token").write_text("hf_secret")
    assert by_name(doctor.check_hub(t4))["token"].found == "found"
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert "hf_secret" not in doctor.as_text(doctor.diagnose(t4))


def test_a_country_without_an_electricity_mix_is_a_problem(monkeypatch, profile):
    monkeypatch.setenv("WORKSHOP_COUNTRY", "XXX")
    (finding,) = doctor.check_energy(profiles.choose("pocket"))
    assert (finding.status, finding.name) == ("problem", "energy")


def gpu(monkeypatch, free: float, problem: str = "") -> None:
    monkeypatch.setattr(machine, "find_gpu", lambda: machine.Gpu("Tesla T4", (7, 5), int(15.8e9), problem))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device=0: (int(free * 1e9), int(15.8e9)))


def test_a_gpu_whose_memory_is_taken_is_a_note(monkeypatch, t4):
    on_cuda = SimpleNamespace(device="cuda", dtype="float16", dtype_reason="its capability is 7.5")
    gpu(monkeypatch, free=3.0)
    finding = by_name(doctor.check_device(on_cuda))["gpu"]
    assert finding.status == "note"
    assert "nvidia-smi" in finding.cure
    gpu(monkeypatch, free=15.5)
    finding = by_name(doctor.check_device(on_cuda))["gpu"]
    assert finding.status == "fine"
    assert "capability 7.5" in finding.found


def test_a_gpu_that_cannot_compute_is_a_note(monkeypatch, profile):
    gpu(monkeypatch, free=15.5, problem="CUDA error: no kernel image is available")
    finding = by_name(doctor.check_device(profile))["gpu"]
    assert finding.status == "note"
    assert "no kernel image" in finding.found


def test_a_gpu_behind_a_cpu_build_of_torch_is_a_note(monkeypatch, profile):
    monkeypatch.setattr(machine, "find_gpu", lambda: None)
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(doctor.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    assert by_name(doctor.check_device(profile))["gpu"].status == "note"


def test_the_text_has_a_cure_under_each_trouble_and_a_verdict(profile):
    findings = [doctor.Finding("disk", "problem", "full", "free some"), doctor.Finding("numpy", "note", "old", "renew")]
    text = doctor.as_text(findings)
    assert text.count("cure: ") == 2
    assert text.splitlines()[-1] == "1 problem and 1 note, see above"
    assert doctor.as_text([doctor.Finding("cpu", "fine", "two cores")]).endswith("everything is fine")


def test_json_can_go_into_a_bug_report(profile):
    report = json.loads(json.dumps(doctor.as_dict(doctor.diagnose(profile))))
    assert report["versions"]["torch"].startswith(doctor.tested_versions()["torch"])
