"""Colab's first cell: what it installs for which state, that it never touches torch and numpy, and when it asks for a
restart. tools/try_colab.py does it for real, in an environment with the versions that Colab brings."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import sys
import tomllib
import types
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from workshop_utils import colab

ROOT = Path(__file__).resolve().parents[2]
DECLARED = metadata.metadata(colab.PACKAGE)  # what the installed project says that it needs
KEYS = ("Provides-Extra", "Requires-Dist")
EXTRAS = [(), ("hub",), ("finetune",), ("evaluate",)]


def remove(site: Path, name: str) -> None:
    for old in site.glob(f"{name.replace('-', '_')}-*.dist-info"):
        shutil.rmtree(old)


def write_distribution(site: Path, name: str, version: str, modules: tuple[str, ...] = (), lines: str = "") -> None:
    """Put what pip leaves of a package into a folder, in the place of another version of it."""
    remove(site, name)
    folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{lines}")
    files = [*modules, f"{folder.name}/METADATA", f"../../../bin/{name}.py"]
    (folder / "RECORD").write_text("".join(f"{file},,\n" for file in files))


class Colab:
    """A Colab runtime that is not there: a folder of distributions, and a pip that fills it."""

    def __init__(self, site: Path) -> None:
        self.site = site
        self.asked: list[str] = []  # the requirements of the last call
        self.options: list[str] = []
        self.constraints: list[str] = []
        self.answer: tuple[int, str] | None = None  # what pip says instead of working

    def has(self, **versions: str) -> None:
        for name, version in versions.items():  # a module that no real package has: this process has loaded many
            write_distribution(self.site, name, version, (f"colab_{name}/__init__.py",))

    def has_everything(self, *extras: str) -> None:
        tested = colab.tested_versions()
        self.has(**{name: tested[name] for name in colab.needs(extras)})

    def pip(self, arguments: list[str]) -> tuple[int, str]:
        if arguments[-2:] == ["--no-deps", colab.GPT2_FILES]:
            return 1, "no network"  # never a reason to stop
        i = arguments.index("--constraint")
        self.options, self.asked = arguments[:i], arguments[i + 2 :]
        self.constraints = Path(arguments[i + 1]).read_text().splitlines()
        if self.answer is None:
            self.has(**{canonicalize_name(name): version for name, version in (t.split("==") for t in self.asked)})
        return self.answer or (0, "")

    def install(self, *extras: str) -> list[str]:
        """Run install() and return what it asked pip for; [] if pip was not called."""
        self.asked = []
        colab.install(*extras)
        return self.asked


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Colab:
    """A runtime with the package, torch and numpy, and nothing else."""
    here = Colab(tmp_path)
    write_distribution(
        tmp_path,
        colab.PACKAGE,
        "1.0",
        lines="".join(f"{key}: {line}\n" for key in KEYS for line in DECLARED.get_all(key)),
    )
    here.has(torch="2.13.0+cu130", numpy="2.1.3")
    others = [path for path in sys.path if "site-packages" not in path and not Path(path).is_relative_to(ROOT)]
    monkeypatch.setattr(sys, "path", [str(tmp_path), *others])
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    monkeypatch.setattr(colab, "run_pip", here.pip)
    return here


# --- what is installed


@pytest.mark.parametrize("extras", EXTRAS)
def test_what_is_missing_is_installed_in_the_versions_that_ci_passed_with_and_then_nothing(extras, runtime, capsys):
    tested = colab.tested_versions()
    asked = {canonicalize_name(name): version for name, version in (t.split("==") for t in runtime.install(*extras))}
    assert asked == {name: tested[name] for name in colab.needs(extras) if name not in ("torch", "numpy")}
    assert runtime.options[:2] == ["install", "--quiet"]
    assert not {"--upgrade", "-U", "--force-reinstall", "--ignore-installed"} & set(runtime.options)
    assert {"torch==2.13.0+cu130", "numpy==2.1.3"} <= set(runtime.constraints)
    assert f"pyarrow=={tested['pyarrow']}" in runtime.constraints  # not asked for by name, and may come along
    assert not runtime.install(*extras), "the second time there is nothing to do"
    assert capsys.readouterr().out.endswith("Everything that this lesson needs is there: nothing was installed.\n")
    sys.modules.pop("google.colab")
    assert "not Colab" in (runtime.install(*extras) or capsys.readouterr().out)


def test_other_platforms_and_extras_are_left_out_and_ranges_are_joined(runtime):
    lines = (
        'Requires-Dist: always\nRequires-Dist: never; sys_platform == "amiga"\n'
        'Requires-Dist: twice>=1\nProvides-Extra: x\nRequires-Dist: twice<3; extra == "x"\n'
        'Requires-Dist: there; sys_platform != "amiga" and extra == "x"\n'
        'Provides-Extra: y\nRequires-Dist: other; extra == "y"\n'
    )
    write_distribution(runtime.site, colab.PACKAGE, "1.0", lines=lines)
    assert set(colab.needs()) == {"always", "twice"}
    found = colab.needs(["x"])
    assert set(found) == {"always", "twice", "there"}
    assert [found["twice"].specifier.contains(version) for version in ("0.9", "2", "3.1")] == [False, True, False]


def test_only_what_is_out_of_range_is_replaced(runtime):
    runtime.has_everything("finetune")
    runtime.has(
        transformers="4.57.1", tokenizers="0.22.0", rich="13.9.4", datasets="4.99", pyarrow="18.1.0", pillow="99.0"
    )
    tested = colab.tested_versions()
    assert runtime.install("finetune") == [f"rich=={tested['rich']}", f"transformers=={tested['transformers']}"]
    # What something else has no use for may be replaced too, within our range and up to what CI passed with.
    lines = {(found := Requirement(line)).name: found.specifier for line in runtime.constraints}
    assert lines["tokenizers"] == SpecifierSet(f">=0.22,<0.24,<={tested['tokenizers']}")
    assert lines["datasets"] == SpecifierSet(">=4.8,<6")
    assert lines["pyarrow"] == SpecifierSet(f"<={tested['pyarrow']}")
    assert not {"pillow", "rich", "transformers"} & lines.keys()


def test_unsloth_is_installed_in_its_pinned_version_or_the_lesson_goes_on_without_it(runtime, capsys, monkeypatch):
    def refuse(arguments):
        return (
            (1, "ERROR: no unsloth") if any("unsloth" in argument for argument in arguments) else runtime.pip(arguments)
        )

    with monkeypatch.context() as patched:
        patched.setattr(colab, "run_pip", refuse)
        colab.install("finetune", unsloth=True)
    assert "goes on with transformers (pip could not install" in capsys.readouterr().out
    assert runtime.asked
    assert not [asked for asked in runtime.asked if "unsloth" in asked]
    colab.install("finetune", unsloth=True)
    assert re.fullmatch(r"unsloth==[\d.]+", *runtime.asked)


@pytest.mark.parametrize("seed", range(8))
def test_torch_and_numpy_are_never_asked_for_and_always_pinned(seed, runtime, capsys):
    """Whatever else is there, too old, or missing."""
    rng = random.Random(seed)
    extras, tested = rng.choice(EXTRAS), colab.tested_versions()
    present = {"torch": rng.choice(["1.9.0", "2.13.0+cu130", "9.0"]), "numpy": rng.choice(["1.26.4", "2.4.6"])}
    present |= {name: rng.choice(["1.0", "99"]) for name in ("torchvision", "triton", "nvidia-cudnn-cu12", "ipykernel")}
    state = {name: rng.choice(["missing", "old", "right"]) for name in colab.needs(extras).keys() - {"torch", "numpy"}}
    present |= {name: tested[name] if how == "right" else "0.0.1" for name, how in state.items() if how != "missing"}
    runtime.has(**present)
    asked = {canonicalize_name(Requirement(text).name) for text in runtime.install(*extras)}
    stays = {"scipy"} if state.get("scipy") == "old" else set()
    assert asked == {name for name, how in state.items() if how != "right"} - stays
    for name in {"torch", "numpy", "torchvision", "triton", "nvidia-cudnn-cu12", "ipykernel"} | stays:
        assert not asked or f"{name}=={present[name]}" in runtime.constraints
        assert colab.installed()[name] == present[name]
    notes = [line.split()[1] for line in capsys.readouterr().out.splitlines() if line.startswith("note: ")]
    wrong = {name for name in ("torch", "numpy") if not colab.needs()[name].specifier.contains(present[name])}
    assert set(notes) == wrong | stays


def test_an_old_torchao_which_peft_refuses_is_replaced_and_a_missing_one_is_not_missed(runtime):
    """Colab brings torchao 0.10.0, with which peft 0.19 and later raise ImportError as soon as a LoRA is made."""
    runtime.has_everything("finetune")
    runtime.has(torchao="0.10.0")
    assert not runtime.install("hub")
    assert runtime.install("finetune") == [f"torchao=={colab.tested_versions()['torchao']}"]
    remove(runtime.site, "torchao")
    assert not runtime.install("finetune")


# --- what goes wrong, and restarts


@pytest.mark.parametrize(
    ("missing", "answer", "words"),
    [
        (colab.PACKAGE, None, "the line with pip above"),
        ("torch", None, "^torch is missing.*Disconnect and delete runtime"),
        ("", (1, "Collecting trl\nERROR: No matching\nnotice: x\n"), r": ERROR: No matching If this is about"),
        ("", (0, ""), "reported success, and yet .*typer=="),
    ],
)
def test_what_fails_is_a_sentence_with_a_cure(missing, answer, words, runtime):
    runtime.answer = answer
    if missing:
        remove(runtime.site, missing)
    with pytest.raises(colab.InstallFailed, match=words):
        runtime.install("finetune")
    assert bool(runtime.asked) == (not missing)


def test_a_notebook_shows_the_sentence_and_no_traceback(capsys):
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell()
    result = shell.run_cell("from workshop_utils.colab import RestartNeeded\nraise RestartNeeded('Restart, please.')")
    assert isinstance(result.error_in_exec, colab.RestartNeeded), "or Run all would go on"
    assert capsys.readouterr().out.strip() == "Restart, please."


def test_a_restart_is_asked_for_only_when_the_kernel_has_loaded_what_changed(runtime, monkeypatch, capsys):
    runtime.has_everything()
    runtime.has(psutil="5.9.5", rich="13.9.4")
    for name in ("colab_psutil", "colab_tiktoken"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    with pytest.raises(colab.RestartNeeded) as caught:
        runtime.install()
    assert f"(psutil 5.9.5 -> {colab.tested_versions()['psutil']})" in str(caught.value)
    assert "rich" not in str(caught.value)
    assert "rich 13.9.4 -> " in capsys.readouterr().out  # what has changed is said in any case
    runtime.has(rich="13.9.4")
    runtime.install()
    assert "estart" not in capsys.readouterr().out


def test_a_module_counts_as_loaded_by_its_full_name(runtime, monkeypatch):
    write_distribution(runtime.site, "one", "1.0", ("google/protobuf/__init__.py", "google/protobuf/message.py"))
    write_distribution(runtime.site, "two", "1.0", ("lonely/_fast.cpython-312-x86_64-linux-gnu.so", "data/x.txt"))
    for name in [name for name in sys.modules if name.split(".")[0] == "google" and name != "google.colab"]:
        monkeypatch.delitem(sys.modules, name)
    for loaded, expected in (("google", []), ("data", []), ("google.protobuf", ["one"]), ("lonely._fast", ["two"])):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, loaded, types.ModuleType(loaded))
            assert colab._loaded({"one", "two"}) == expected


# --- the module and its data


def test_importing_it_loads_nothing_that_may_be_replaced():
    code = "import sys; before = set(sys.modules); import workshop_utils.colab; print(*sys.modules.keys() - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    top = {name.split(".")[0] for name in done.stdout.split()}
    assert top - set(sys.stdlib_module_names) == {"workshop_utils", "packaging"}


def test_the_exact_versions_travel_in_the_package():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["workshop"]
    assert settings["gpt2-files"] == colab.GPT2_FILES
    assert colab.TESTED.read_bytes() == (ROOT / "constraints.txt").read_bytes(), "run `make constraints`"
    assert colab.tested_versions()["huggingface-hub"]
