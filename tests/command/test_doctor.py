"""workshop doctor: every trouble it knows is made here on purpose, and must come with a cure."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from workshop_utils import colab
from workshop_utils.command import doctor
from workshop_utils.machine import hardware as machine
from workshop_utils.machine import hub, profiles


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
    finding = by_name(doctor.check_packages())["numpy"]
    assert finding.status == "note"
    assert colab.tested_versions()["numpy"] in finding.found
    assert finding.cure


def test_a_version_out_of_range_is_a_problem(monkeypatch):
    install(monkeypatch, numpy="1.26.4")
    finding = by_name(doctor.check_packages())["numpy"]
    assert finding.status == "problem"
    assert ">=2.1" in finding.found


def test_a_local_build_of_the_tested_version_is_fine(monkeypatch):
    install(monkeypatch, torch=colab.tested_versions()["torch"] + "+cu130")
    assert "torch" not in by_name(doctor.check_packages())


@pytest.mark.parametrize(
    ("package", "lessons"),
    [
        ("transformers", "lessons 01, 05, 06, 07 and 09"),
        ("bitsandbytes", "lessons 05, 07 and 09"),
        ("gguf", "lesson 09"),
        ("rich", "every lesson"),
    ],
)
def test_what_a_lesson_cannot_do_without_is_a_problem_that_names_the_lesson_and_the_range(
    package, lessons, monkeypatch
):
    tested = colab.tested_versions()[package]
    for version in (None, "0.0.1"):
        install(monkeypatch, **{package: version})
        finding = by_name(doctor.check_packages())[package]
        assert finding.status == "problem"
        assert finding.found.startswith(f"{version or 'missing'}, <")
        assert finding.found.endswith(f" is needed for {lessons}")
        assert finding.cure.endswith(f"pip install {package}=={tested}")  # no quotes: any shell takes it


def test_what_no_lesson_needs_may_be_missing(monkeypatch):
    install(monkeypatch, pytest=None, nbconvert=None)
    findings = by_name(doctor.check_packages())
    assert findings["packages dev"].found.endswith("not here: pytest, for tests and linters only")
    assert findings["nbconvert"].status == "note"
    install(monkeypatch, pytest="7.0")
    assert by_name(doctor.check_packages())["pytest"].status == "note"


def test_one_command_cures_what_an_extra_lacks_and_is_written_once(monkeypatch):
    install(monkeypatch, peft=None, trl="1.0", bitsandbytes=None)
    findings = by_name(doctor.check_packages())
    (cure,) = {findings[name].cure for name in ("peft", "trl", "bitsandbytes")}
    assert all(f" {name}==" in cure for name in ("peft", "trl", "bitsandbytes"))
    assert doctor.as_text(findings.values()).count(cure) == 1


def test_each_extra_is_known_and_the_lessons_install_it_on_colab():
    """The one place that says which lesson needs which extra agrees with the lessons and with pyproject.toml."""
    root = machine.checkout()
    declared = set(tomllib.loads((root / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    assert {needs.extra for needs in doctor.LESSONS if needs.extra} | set(doctor.OPTIONAL) == declared
    for needs in doctor.LESSONS:
        (path,) = (root / "notebooks").glob(f"{needs.lesson}_*.ipynb")
        (first,) = [
            cell for cell in json.loads(path.read_text())["cells"] if "colab" in cell["metadata"].get("tags", [])
        ]
        called = re.search(r"install\((?:\"(\w*)\")?\)", "".join(first["source"]))
        assert (called[1] or "") == needs.extra, path.name


def test_on_colab_the_first_cell_of_a_lesson_installs_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace())
    install(monkeypatch, peft=None, trl="1.0", pytest=None, numpy="1.26.4", jupyterlab=None)
    findings = by_name(doctor.check_packages())
    assert "not here: peft, trl, which the first cell of lessons 05, 07 and 09" in findings["packages finetune"].found
    assert findings["packages lab"].found.endswith("not here: jupyterlab, which Colab does without")
    assert findings["numpy"].status == "note"
    assert "pip" not in findings["numpy"].cure  # Colab's other packages were compiled against it


def test_a_workshop_that_is_not_installed_is_a_problem(monkeypatch):
    monkeypatch.setattr(colab, "PACKAGE", "no-such-package")
    (finding,) = doctor.check_packages()
    assert finding.status == "problem"
    assert '-e ".[dev]"' in finding.cure


def test_without_a_checkout_only_the_declared_ranges_count(monkeypatch):
    monkeypatch.setattr(machine, "checkout", lambda: None)
    install(monkeypatch, numpy="2.1.0", tiktoken="0.1")
    findings = by_name(doctor.check_packages())
    assert "numpy" not in findings
    assert findings["tiktoken"].status == "problem"
    assert "pip install" in findings["tiktoken"].cure


BROKEN = """
import importlib.abc, json, sys

class Broken(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in ("torch", "psutil"):
            raise OSError("[WinError 126] The specified module could not be found: c10.dll")
        if name in ("numpy", "rich"):
            raise ImportError("DLL load failed")

sys.meta_path.insert(0, Broken())
sys.argv = ["workshop", "doctor", "--json"]
from workshop_utils.command.cli import main
main()
"""


def test_packages_that_are_there_and_broken_are_findings_and_no_crash():
    """In a process of its own, with the command itself: as on a machine with a library missing."""
    environment = os.environ | {"WORKSHOP_COUNTRY": "Germany"}
    done = subprocess.run([sys.executable, "-c", BROKEN], capture_output=True, text=True, env=environment)
    assert done.returncode == 1, done.stderr
    findings = {finding["name"]: finding for finding in json.loads(done.stdout)["findings"]}
    for name in ("torch", "psutil", "numpy", "rich"):
        assert findings[f"import {name}"]["status"] == "problem"
        assert f"pip install --force-reinstall --no-deps {name}==" in findings[f"import {name}"]["cure"]
    assert "c10.dll" in findings["import torch"]["found"]
    assert findings["WORKSHOP_COUNTRY"]["status"] == "problem"


def test_a_missing_library_on_windows_has_its_own_cure(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    assert "vc_redist" in doctor._mend(OSError("[WinError 126]"), "torch", {})
    assert "vc_redist" not in doctor._mend(ImportError("no"), "torch", {})


def test_pip_is_the_one_of_this_python(monkeypatch, tmp_path):
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    monkeypatch.setattr(machine, "checkout", lambda: tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv" / "bin" / "python"))
    assert doctor._pip() == str(Path(".venv") / "bin" / "pip")
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    assert doctor._pip() == "pip"
    monkeypatch.setitem(sys.modules, "ipykernel", SimpleNamespace())
    assert doctor._pip() == "%pip"


def test_every_wrong_setting_is_listed_and_hides_nothing_else(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    (tmp_path / "file").write_text("not a folder")
    wrong = {
        "WORKSHOP_PROFILE": "nonsense",
        "WORKSHOP_HOME": str(tmp_path / "file"),
        "WORKSHOP_HUB": str(tmp_path / "nowhere"),
        "WORKSHOP_COUNTRY": "Germany",
        "WORKSHOP_BACKEND": "jax",
    }
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    findings = by_name(doctor.diagnose())
    for name, value in wrong.items():
        assert findings[name].status == "problem"
        assert value.lower() in findings[name].found.lower()
        assert name in findings[name].cure
    assert findings["lesson 00"].status == "fine"
    assert {name: os.environ[name] for name in wrong} == wrong


def test_a_home_that_cannot_be_written_is_a_wrong_setting(monkeypatch, tmp_path):
    def refuses(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setenv("WORKSHOP_HOME", str(tmp_path))
    monkeypatch.setattr(machine.tempfile, "TemporaryFile", refuses)
    assert "Permission denied" in by_name(doctor.check_settings())["WORKSHOP_HOME"].found
    monkeypatch.setenv("WORKSHOP_HOME", "~nobody-of-this-name/workshop")
    assert "write the whole path" in by_name(doctor.check_settings())["WORKSHOP_HOME"].found


def test_a_misspelt_setting_and_a_hurry_are_notes(monkeypatch):
    monkeypatch.setenv("WORKSHOP_PROFIL", "pocket")
    monkeypatch.setenv("WORKSHOP_HURRY", "1")
    findings = by_name(doctor.check_settings())
    assert findings["WORKSHOP_PROFIL"].cure == "did you mean WORKSHOP_PROFILE?"
    assert findings["WORKSHOP_HURRY"].status == "note"


def test_every_variable_that_the_package_reads_is_known_to_the_doctor():
    texts = [path.read_text(encoding="utf-8") for path in (machine.checkout() / "workshop_utils").rglob("*.py")]
    assert set(re.findall(r"WORKSHOP_[A-Z]+(?:_[A-Z]+)*", "".join(texts))) - {"WORKSHOP_JUDGE"} == set(doctor.SETTINGS)


def test_a_judge_that_the_environment_names_wrongly_is_a_problem(monkeypatch, profile):
    monkeypatch.setenv("WORKSHOP_JUDGE_URL", "http://127.0.0.1:1/v1")
    (finding,) = doctor.check_judge(profile)
    assert finding.status == "problem"
    monkeypatch.setenv("WORKSHOP_JUDGE_MODEL", "m")
    (finding,) = doctor.check_judge(profile)
    assert finding.found == "m at http://127.0.0.1:1/v1, not called"


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
    monkeypatch.setattr(hub, "hub_reachable", lambda timeout=3.0: pytest.fail("asked"))
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
    assert report["versions"]["torch"].startswith(colab.tested_versions()["torch"])
