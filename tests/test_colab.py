"""Colab's first cell: what it installs for which state, that it never touches torch and numpy, and when it asks for a
restart. The last test does it for real, in an environment with the versions that Colab brings (`make colab`)."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tomllib
import types
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from workshop_utils import colab

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
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


def declared() -> str:
    """The lines in which a wheel of the project says what it needs, from pyproject.toml as it is now."""
    lines = [f"Requires-Dist: {line}\n" for line in PROJECT["dependencies"]]
    for extra, requirements in PROJECT["optional-dependencies"].items():
        lines.append(f"Provides-Extra: {extra}\n")
        for requirement in requirements:
            what, _, marker = requirement.partition(";")
            condition = f'({marker.strip()}) and extra == "{extra}"' if marker else f'extra == "{extra}"'
            lines.append(f"Requires-Dist: {what}; {condition}\n")
    return "".join(lines)


class Colab:
    """A Colab runtime that is not there: a folder of distributions, a pip that fills it, a kernel's modules."""

    def __init__(self, site: Path) -> None:
        self.site = site
        self.calls: list[list[str]] = []
        self.constraints: list[str] = []
        self.answer: tuple[int, str] | None = None  # what pip says instead of working

    def has(self, **versions: str) -> None:
        for name, version in versions.items():  # a module that no real package has: this process has loaded many
            write_distribution(self.site, name, version, (f"colab_{name}/__init__.py",))

    def has_everything(self, *extras: str) -> None:
        tested = colab.tested_versions()
        self.has(**{name: tested[name] for name in colab.needs(extras)})

    def pip(self, arguments: list[str]) -> tuple[int, str]:
        self.calls.append(arguments)
        self.constraints = Path(arguments[arguments.index("--constraint") + 1]).read_text().splitlines()
        if self.answer is not None:
            return self.answer
        self.has(**{canonicalize_name(name): version for name, version in (text.split("==") for text in self.asked)})
        return 0, ""

    @property
    def asked(self) -> list[str]:
        """The requirements of the last call."""
        if not self.calls:
            return []
        words = self.calls[-1]
        return words[words.index("--constraint") + 2 :]


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Colab:
    """A runtime with the package, torch and numpy, and nothing else."""
    here = Colab(tmp_path)
    write_distribution(tmp_path, colab.PACKAGE, PROJECT["version"], lines=declared())
    here.has(torch="2.13.0+cu130", numpy="2.1.3")
    others = [path for path in sys.path if "site-packages" not in path and not Path(path).is_relative_to(ROOT)]
    monkeypatch.setattr(sys, "path", [str(tmp_path), *others])
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    monkeypatch.setattr(colab, "run_pip", here.pip)
    return here


# --- what is installed


@pytest.mark.parametrize("extras", EXTRAS)
def test_where_everything_is_there_nothing_is_installed_and_one_line_is_said(extras, runtime, capsys):
    runtime.has_everything(*extras)
    colab.install(*extras)
    assert not runtime.calls
    assert capsys.readouterr().out == "Everything that this lesson needs is there: nothing was installed.\n"


@pytest.mark.parametrize("extras", EXTRAS)
def test_what_is_missing_is_installed_in_the_versions_that_ci_passed_with(extras, runtime, capsys):
    colab.install(*extras)
    tested = colab.tested_versions()
    expected = {f"{name}=={tested[name]}" for name in colab.needs(extras) if name not in ("torch", "numpy")}
    assert {f"{canonicalize_name(n)}=={v}" for n, v in (a.split("==") for a in runtime.asked)} == expected
    assert "torch==2.13.0+cu130" in runtime.constraints
    assert "numpy==2.1.3" in runtime.constraints
    assert f"pyarrow=={tested['pyarrow']}" in runtime.constraints  # not asked for by name, and may come along
    assert "Installing" in capsys.readouterr().out
    colab.install(*extras)
    assert len(runtime.calls) == 1, "the second time there is nothing to do"


def test_extras_of_extras_count(runtime):
    names = {extras: set(colab.needs(extras)) for extras in EXTRAS}
    assert names[()] < names[("hub",)] < names[("finetune",)] < names[("evaluate",)]
    assert "transformers" in names[("evaluate",)]
    assert "peft" not in names[("hub",)]
    assert colab.PACKAGE not in names[("evaluate",)]


def test_other_platforms_and_extras_are_left_out(runtime):
    lines = (
        'Requires-Dist: always\nRequires-Dist: never; sys_platform == "amiga"\n'
        'Requires-Dist: twice>=1\nProvides-Extra: x\nRequires-Dist: twice<3; extra == "x"\n'
        'Requires-Dist: there; sys_platform != "amiga" and extra == "x"\n'
        'Provides-Extra: y\nRequires-Dist: other; extra == "y"\n'
    )
    write_distribution(runtime.site, colab.PACKAGE, PROJECT["version"], lines=lines)
    assert set(colab.needs()) == {"always", "twice"}
    assert set(colab.needs(["x"])) == {"always", "twice", "there"}
    assert not colab.needs(["x"])["twice"].specifier.contains("3.1")
    assert not colab.needs(["x"])["twice"].specifier.contains("0.9")


def test_only_what_is_out_of_range_is_replaced(runtime):
    runtime.has_everything("finetune")
    runtime.has(
        transformers="4.57.1", tokenizers="0.22.0", rich="13.9.4", datasets="4.99", pyarrow="18.1.0", pillow="99.0"
    )
    colab.install("finetune")
    tested = colab.tested_versions()
    assert runtime.asked == [f"rich=={tested['rich']}", f"transformers=={tested['transformers']}"]
    # What something else has no use for may be replaced too, within our range and up to what CI passed with.
    lines = {(found := Requirement(line)).name: found.specifier for line in runtime.constraints}
    assert lines["tokenizers"] == SpecifierSet(f">=0.22,<0.24,<={tested['tokenizers']}")
    assert lines["datasets"] == SpecifierSet(">=4.8,<6")
    assert lines["pyarrow"] == SpecifierSet(f"<={tested['pyarrow']}")
    assert "pillow" not in lines
    assert not [line for line in runtime.constraints if line.startswith(("rich", "transformers"))]


def test_a_tested_version_outside_the_range_is_not_asked_for(runtime, monkeypatch):
    monkeypatch.setattr(colab, "tested_versions", lambda: {"rich": "99.0"})
    runtime.answer = 1, "enough"
    with pytest.raises(colab.InstallFailed):
        colab.install()
    assert "rich<16,>=14" in runtime.asked


@pytest.mark.parametrize("seed", range(12))
def test_torch_and_numpy_are_never_asked_for_and_always_pinned(seed, runtime, capsys):
    """Whatever else is there, too old, or missing."""
    rng = random.Random(seed)
    extras = rng.choice(EXTRAS)
    present = {
        "torch": rng.choice(["1.9.0", "2.13.0", "2.13.0+cu130", "9.0"]),
        "numpy": rng.choice(["1.26.4", "2.4.6"]),
    }
    present |= {name: rng.choice(["1.0", "99"]) for name in ("torchvision", "triton", "nvidia-cudnn-cu12", "ipykernel")}
    right, tested = set(), colab.tested_versions()
    for name in colab.needs(extras).keys() - {"torch", "numpy"}:
        state = rng.choice(["missing", "old", "right"])
        if state != "missing":
            present[name] = tested[name] if state == "right" else "0.0.1"
        right |= {name} if state == "right" else set()
    runtime.has(**present)
    colab.install(*extras)
    asked = {canonicalize_name(Requirement(text).name) for text in runtime.asked}
    stays = {"scipy"} if present.get("scipy") == "0.0.1" else set()
    assert asked == colab.needs(extras).keys() - right - stays - {"torch", "numpy"}
    for name in {"torch", "numpy", "torchvision", "triton", "nvidia-cudnn-cu12", "ipykernel"} | stays:
        assert not runtime.calls or f"{name}=={present[name]}" in runtime.constraints
        assert colab.installed()[name] == present[name]
    notes = [line.split()[1] for line in capsys.readouterr().out.splitlines() if line.startswith("note: ")]
    wrong = {name for name in ("torch", "numpy") if not colab.needs()[name].specifier.contains(present[name])}
    assert set(notes) == wrong | stays


def test_a_numpy_out_of_range_stays_with_a_sentence_that_says_why_and_what_to_do(runtime, capsys):
    runtime.has_everything()
    runtime.has(numpy="1.26.4")
    colab.install(quiet=True)
    said = capsys.readouterr().out
    assert "numpy 1.26.4 is here" in said
    assert str(colab.needs()["numpy"].specifier) in said
    assert "compiled against it" in said
    assert "Change runtime type" in said
    assert not runtime.calls


@pytest.mark.parametrize("name", ["torch", "numpy"])
def test_without_torch_or_numpy_nothing_is_installed_at_all(name, runtime):
    remove(runtime.site, name)
    with pytest.raises(colab.InstallFailed, match=f"^{name} is missing.*Disconnect and delete runtime"):
        colab.install("finetune")
    assert not runtime.calls


def test_an_old_torchao_which_peft_refuses_is_replaced_and_a_missing_one_is_not_missed(runtime):
    """Colab brings torchao 0.10.0, with which peft 0.19 and later raise ImportError as soon as a LoRA is made."""
    runtime.has_everything("finetune")
    runtime.has(torchao="0.10.0")
    colab.install("hub")
    assert not runtime.calls
    colab.install("finetune")
    assert runtime.asked == [f"torchao=={colab.tested_versions()['torchao']}"]
    remove(runtime.site, "torchao")
    colab.install("finetune")
    assert len(runtime.calls) == 1


def test_of_two_copies_the_one_that_gets_imported_counts(runtime, tmp_path_factory, monkeypatch):
    """Colab has a folder for its own packages and one for Debian's."""
    later = tmp_path_factory.mktemp("later")
    write_distribution(later, "numpy", "1.21.5")
    monkeypatch.setattr(sys, "path", [*sys.path, str(later)])
    assert colab.installed()["numpy"] == "2.1.3"


def test_pip_is_told_to_keep_its_hands_off(runtime):
    colab.install()
    assert runtime.calls[0][:2] == ["install", "--quiet"]
    assert not {"--upgrade", "-U", "--force-reinstall", "--ignore-installed"} & set(runtime.calls[0])


# --- what goes wrong


def test_outside_colab_nothing_happens(runtime, monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "google.colab")
    colab.install("finetune", quiet=True)
    assert capsys.readouterr().out == ""
    colab.install("finetune")
    assert "not Colab" in capsys.readouterr().out
    assert not runtime.calls


def test_an_extra_that_does_not_exist_is_named_with_those_that_do(runtime):
    with pytest.raises(ValueError, match=r"no extra 'fine-tune': choose from .*finetune"):
        colab.install("fine-tune")


def test_without_the_package_the_line_above_is_to_blame(runtime):
    remove(runtime.site, colab.PACKAGE)
    with pytest.raises(colab.InstallFailed, match="the line with pip above"):
        colab.install()


def test_when_pip_fails_its_last_words_and_a_cure_are_said(runtime):
    runtime.answer = 1, "Collecting trl\n  details\nERROR: No matching distribution found for trl==1.14.2\nnotice: x\n"
    with pytest.raises(colab.InstallFailed) as caught:
        colab.install("finetune")
    said = str(caught.value)
    assert "trl==1.14.2: ERROR" not in said.split("ERROR")[0]
    assert "ERROR: No matching distribution found for trl==1.14.2 If this is about the network" in said
    assert "Disconnect and delete runtime" in said
    assert "details" not in said
    runtime.answer = 2, "one\ntwo\nthree\nfour\n\n"
    with pytest.raises(colab.InstallFailed, match="two three four"):
        colab.install("finetune")


def test_a_pip_that_only_says_it_worked_is_not_believed(runtime):
    runtime.answer = 0, ""
    with pytest.raises(colab.InstallFailed, match=r"reported success, and yet .*typer=="):
        colab.install()


def test_run_pip_returns_the_code_and_both_streams():
    code, said = colab.run_pip(["install", "--no-such-option"])
    assert code != 0
    assert "--no-such-option" in said


def test_a_notebook_shows_the_sentence_and_no_traceback(capsys):
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell()
    result = shell.run_cell("from workshop_utils.colab import RestartNeeded\nraise RestartNeeded('Restart, please.')")
    assert isinstance(result.error_in_exec, colab.RestartNeeded), "or Run all would go on"
    assert capsys.readouterr().out.strip() == "Restart, please."


# --- restarts


def test_a_restart_is_asked_for_when_the_kernel_has_loaded_what_changed(runtime, monkeypatch, capsys):
    runtime.has_everything()
    runtime.has(psutil="5.9.5", rich="13.9.4")
    monkeypatch.setitem(sys.modules, "colab_psutil", types.ModuleType("colab_psutil"))
    new = colab.tested_versions()["psutil"]
    with pytest.raises(colab.RestartNeeded) as caught:
        colab.install()
    assert f"(psutil 5.9.5 -> {new})" in str(caught.value)
    assert "Runtime > Restart session" in str(caught.value)
    assert "rich" not in str(caught.value)
    assert "rich 13.9.4 -> " in capsys.readouterr().out  # what has changed is said in any case
    colab.install()
    assert "nothing was installed" in capsys.readouterr().out


def test_a_restart_is_asked_for_when_something_loaded_came_from_nowhere(runtime, monkeypatch):
    monkeypatch.setitem(sys.modules, "colab_typer", types.ModuleType("colab_typer"))
    with pytest.raises(colab.RestartNeeded, match=r"\(typer \S+ \(new\)\)"):
        colab.install()


def test_no_restart_is_asked_for_when_what_changed_was_not_loaded(runtime, monkeypatch, capsys):
    runtime.has_everything("hub")
    runtime.has(transformers="4.57.1")
    monkeypatch.setitem(sys.modules, "colab_tokenizers", types.ModuleType("colab_tokenizers"))  # it did not change
    colab.install("hub")
    out = capsys.readouterr().out
    assert "Done: transformers 4.57.1 -> " in out
    assert "estart" not in out


@pytest.mark.parametrize(
    ("files", "loaded", "expected"),
    [
        (("google/protobuf/__init__.py", "google/protobuf/message.py"), "google", False),
        (("google/protobuf/__init__.py", "google/protobuf/message.py"), "google.protobuf", True),
        (("google/protobuf/__init__.py", "google/protobuf/message.py"), "google.protobuf.message", True),
        (("lonely_module.py",), "lonely_module", True),
        (("lonely/_fast.cpython-312-x86_64-linux-gnu.so",), "lonely._fast", True),
        (("lonely/data.txt",), "lonely", False),
        (("../../../bin/lonely.py",), "lonely", False),
    ],
)
def test_a_module_counts_as_loaded_by_its_full_name(files, loaded, expected, runtime, monkeypatch):
    write_distribution(runtime.site, "something", "1.0", files)
    for name in [name for name in sys.modules if name.split(".")[0] == "google" and name != "google.colab"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, loaded, types.ModuleType(loaded))
    assert colab._loaded({"something"}) == (["something"] if expected else [])


def test_quiet_says_only_what_somebody_has_to_act_on(runtime, capsys):
    runtime.has_everything("finetune")
    runtime.has(peft="0.1")
    colab.install("finetune", quiet=True)
    colab.install("finetune", quiet=True)
    assert capsys.readouterr().out == ""
    assert len(runtime.calls) == 1


# --- the module and its data


def test_importing_it_loads_nothing_that_may_be_replaced():
    code = "import sys; before = set(sys.modules); import workshop_utils.colab; print(*sys.modules.keys() - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    top = {name.split(".")[0] for name in done.stdout.split()}
    assert top - set(sys.stdlib_module_names) == {"workshop_utils", "packaging"}


def test_the_exact_versions_travel_in_the_package():
    assert colab.TESTED.read_bytes() == (ROOT / "constraints.txt").read_bytes(), "run `make constraints`"
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["workshop_utils"]
    assert any(colab.TESTED.relative_to(ROOT / "workshop_utils").match(pattern) for pattern in data)
    assert colab.tested_versions()["huggingface-hub"]


def test_make_constraints_writes_both_files(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import constraints

    monkeypatch.setattr(constraints, "FILE", tmp_path / "one.txt")
    monkeypatch.setattr(constraints, "COPY", tmp_path / "two.txt")
    monkeypatch.setattr(constraints, "resolve", lambda *arguments: {"torch": "2.13.0"})
    monkeypatch.setattr(sys, "argv", ["constraints.py"])
    constraints.main()
    assert "torch==2.13.0\n" in (tmp_path / "one.txt").read_text()
    assert (tmp_path / "one.txt").read_bytes() == (tmp_path / "two.txt").read_bytes()


# --- for real

# What meets our packages of googlecolab/backend-info, pip-freeze.gpu.txt, 2026-08-19. Two differ: torch is the one that
# needs no CUDA, and transformers (5.15.0 there) is out of our range, as it was in June.
BROUGHT = {
    "torch": "2.13.0",
    "numpy": "2.1.3",
    "pandas": "2.2.3",
    "pillow": "11.3.0",
    "scipy": "1.16.3",
    "scikit-learn": "1.6.1",
    "matplotlib": "3.10.0",
    "transformers": "5.9.0",
    "tokenizers": "0.22.2",
    "huggingface_hub": "1.27.0",
    "safetensors": "0.8.0",
    "datasets": "4.0.0",
    "accelerate": "1.14.0",
    "peft": "0.20.0",
    "torchao": "0.10.0",
    "pyarrow": "18.1.0",
    "dill": "0.3.8",
    "multiprocess": "0.70.16",
    "fsspec": "2025.3.0",
    "psutil": "5.9.5",
    "rich": "13.9.4",
    "typer": "0.27.1",
    "click": "8.4.2",
    "tqdm": "4.67.3",
    "filelock": "3.32.3",
    "packaging": "26.3",
    "tiktoken": "0.14.0",
    "pip": "24.1.2",
}
FIRST_CELL = """
import sys, types
import psutil  # Colab's kernel has loaded it
for name in ("google", "google.colab"):
    sys.modules[name] = types.ModuleType(name)
from workshop_utils.colab import install
assert not {"torch", "numpy"} & set(sys.modules)
install("finetune")
"""
LESSON = """
import sys
import torch, numpy, transformers, trl, peft, bitsandbytes, datasets, accelerate, sklearn, pandas, matplotlib.pyplot
import workshop_utils.tuning.finetune, workshop_utils.tuning.lora, workshop_utils.tuning.backends
import workshop_utils.chat.models
assert "site-packages" in workshop_utils.__file__
numpy.asarray(torch.ones(3)), torch.from_numpy(numpy.ones(3)), pandas.DataFrame({"a": [1]}).to_numpy()
model = torch.nn.Sequential(torch.nn.Linear(4, 4))
peft.get_peft_model(model, peft.LoraConfig(target_modules=["0"]))  # here peft looks at torchao
from workshop_utils import setup
from workshop_utils.chat import models
print(models.load("pocket-instruct", setup("pocket", quiet=True)).reply("What colour is a banana?", 10))
"""
LISTING = """
import json
from importlib import metadata
print(json.dumps({d.metadata["Name"]: [d.version, d.requires or []] for d in metadata.distributions()}))
"""


@pytest.mark.skipif(os.environ.get("TEST_COLAB") != "1", reason="takes minutes and pip's index: make colab")
@pytest.mark.timeout(3000)
def test_beside_what_colab_brings_the_first_cell_changes_only_what_it_must(tmp_path):
    brought = {canonicalize_name(name): version for name, version in BROUGHT.items()}
    python = tmp_path / "venv" / "bin" / "python"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*arguments: str | Path, code: int = 0) -> str:
        done = subprocess.run(
            [str(a) for a in arguments], capture_output=True, text=True, env=environment, cwd=tmp_path
        )
        assert done.returncode == code, f"{arguments}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout + done.stderr

    def listing() -> dict[str, tuple[str, list[str]]]:
        found = json.loads(run(python, "-c", LISTING))
        return {canonicalize_name(name): tuple(entry) for name, entry in found.items()}

    try:
        run(sys.executable, "-m", "venv", tmp_path / "venv")
        if index := os.environ.get("TORCH_INDEX"):
            torch = f"torch=={brought['torch']}"
            run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--index-url", index, torch)
        others = {name: version for name, version in colab.tested_versions().items() if name not in brought}
        (tmp_path / "others.txt").write_text("".join(f"{name}=={version}\n" for name, version in others.items()))
        versions = [f"{name}=={version}" for name, version in brought.items()]
        run(python, "-m", "pip", "install", "--quiet", "--constraint", tmp_path / "others.txt", *versions)
        source = tmp_path / "checkout"  # a copy, since building leaves files behind
        shutil.copytree(
            ROOT / "workshop_utils", source / "workshop_utils", ignore=shutil.ignore_patterns("__pycache__")
        )
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, source)
        run(python, "-m", "pip", "install", "--quiet", "--no-deps", source)
        before = listing()
        assert {name: before[name][0].partition("+")[0] for name in brought} == brought

        said = run(python, "-c", FIRST_CELL, code=1)
        after = listing()
        print(said)
        assert "RestartNeeded" in said
        assert "(psutil 5.9.5 -> " in said
        assert "note: " not in said
        again = run(python, "-c", FIRST_CELL)
        assert again == "Everything that this lesson needs is there: nothing was installed.\n"
        assert listing() == after
        print(run(python, "-c", LESSON))
    finally:
        shutil.rmtree(tmp_path / "venv", ignore_errors=True)  # over a gigabyte

    changed = {name for name in before if after[name][0] != before[name][0]}
    print("changed:", *(f"{name} {before[name][0]} -> {after[name][0]}" for name in sorted(changed)), sep="\n  ")
    assert not {name for name in changed if colab.PROTECTED.match(name)}
    assert {"transformers", "datasets", "torchao", "psutil", "rich", "typer"} <= changed
    new = after.keys() - before.keys()
    for name in changed:
        reasons = [
            f"{asking}: {requirement}"
            for asking in new | changed | {colab.PACKAGE}
            for requirement in map(Requirement, after[asking][1])
            if canonicalize_name(requirement.name) == name
            and not requirement.specifier.contains(before[name][0], prereleases=True)
        ]
        assert reasons, f"{name} {before[name][0]} became {after[name][0]}, and nobody had asked for it"
    tested = colab.tested_versions()
    come = new | changed
    assert {name: after[name][0] for name in come} == {name: tested[name] for name in come}
