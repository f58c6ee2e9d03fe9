"""`workshop brand`: every address of the project comes from pyproject.toml, and a fork changes them all at once."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

import nbformat
import pytest

from workshop_utils.command import brand, cli

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import notebook_format as form  # noqa: E402

HOME = brand.home_of(ROOT)
FORK = brand.Home("Ada-L/my.course", "v1.2.0")


def copy_of(paths: Iterable[Path], folder: Path) -> Path:
    for path in paths:
        target = folder / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return folder


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a few files of this checkout, taken for the checkout."""
    names = "pyproject.toml", "README.md", "workshop_utils/command/cli.py", ".github/workflows/ci.yml"
    lessons = sorted((ROOT / "notebooks").glob("0[02]_*.ipynb"))
    monkeypatch.setattr("workshop_utils.machine.hardware.checkout", lambda: tmp_path)
    return copy_of([*(ROOT / name for name in names), *lessons], tmp_path)


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in brand._files(root)}


def test_every_address_of_the_project_comes_from_pyproject():
    strays = brand.strays(ROOT, HOME)
    assert not strays, f"run `workshop brand {HOME}`: {strays}"


@pytest.mark.parametrize(
    "address",
    [
        "https://colab.research.google.com/github/{other}/blob/main/notebooks/x.ipynb",
        "https://colab.research.google.com/github/{repository}/blob/old-tag/notebooks/x.ipynb",
        'pip install "slm-workshop @ git+https://github.com/{other}"',
        'pip install "slm-workshop[hub,lab] @ git+https://github.com/{repository}@old-tag"',
        "[this file](https://github.com/somebody/{name}/blob/{tag}/README.md)",
        "git clone https://github.com/somebody/{name}.git",
        "It is at https://github.com/somebody/{name}.",
        "https://github.com/{repository}/tree/old-tag/slides",
        "https://raw.githubusercontent.com/somebody/{name}/{tag}/README.md",
    ],
)
@pytest.mark.parametrize(
    "file", ["README.md", "slides/new.md", "workshop_utils/command/cli.py", ".github/workflows/ci.yml"]
)
def test_an_address_that_leads_elsewhere_is_found_and_put_right(address, file, copy):
    before = contents(copy)
    line = address.format(
        other="somebody/else", repository=HOME.repository, name=HOME.repository.split("/")[1], tag=HOME.tag
    )
    path = copy / file
    path.parent.mkdir(exist_ok=True)
    lines = path.read_text().splitlines() if path.exists() else []
    path.write_text("\n".join([*lines, line, ""]))
    (stray,) = brand.strays(copy, HOME)
    assert (stray.path, stray.line) == (file, len(lines) + 1)
    assert stray.text in line
    assert brand.rewrite(copy, HOME) == [file]
    assert brand.strays(copy, HOME) == []
    assert HOME.repository in path.read_text().splitlines()[-1]
    assert {name: data for name, data in contents(copy).items() if name != file} == {
        name: data for name, data in before.items() if name != file
    }


@pytest.mark.parametrize(
    "line",
    [
        "https://github.com/karpathy/nanoGPT/blob/master/train.py",
        "pip install git+https://github.com/huggingface/transformers@main",
        "https://github.com/{owner}/another-project",
        "https://github.com/{owner}",
        "https://raw.githubusercontent.com/karpathy/minbpe/master/minbpe/base.py",
        "https://github.com/somebody/{name}-notes",
    ],
)
def test_links_to_what_is_not_ours_are_left_alone(line, copy):
    owner, name = HOME.repository.split("/")
    (copy / "links.md").write_text(line.format(owner=owner, name=name))
    before = contents(copy)
    assert brand.strays(copy, HOME) == []
    brand.rewrite(copy, HOME)
    assert contents(copy) == before


def test_to_a_fork_and_back_gives_the_same_bytes(tmp_path):
    copy = copy_of(brand._files(ROOT), tmp_path)  # all of it
    (copy / "windows.md").write_bytes(f"git clone https://github.com/{HOME.repository}.git\r\n".encode())
    before = contents(copy)
    changed = brand.rewrite(copy, FORK)
    assert {"pyproject.toml", "windows.md", "notebooks/00_start_here.ipynb"} <= set(changed)
    assert brand.home_of(copy) == FORK
    assert brand.strays(copy, FORK) == []
    assert HOME.repository not in (copy / "notebooks/00_start_here.ipynb").read_text()
    once = contents(copy)
    assert brand.rewrite(copy, FORK) == []
    assert contents(copy) == once
    brand.rewrite(copy, HOME)
    assert contents(copy) == before


def test_pyproject_changes_in_its_two_lines_only(copy):
    with (copy / "pyproject.toml").open("a") as file:
        file.write('\n[tool.other]\ntag = "theirs"\n')
    before = (copy / "pyproject.toml").read_text().splitlines()
    brand.rewrite(copy, FORK)
    after = (copy / "pyproject.toml").read_text().splitlines()
    changed = [new for old, new in zip(before, after, strict=True) if old != new]
    assert changed == ['repository = "Ada-L/my.course"', 'tag = "v1.2.0"']


def test_notebooks_that_were_fresh_stay_fresh_and_stale_ones_stale(copy):
    """On Colab alone is the line run that changes, so no output can be another."""
    fresh, stale = copy / "notebooks" / "00_start_here.ipynb", copy / "notebooks" / "02_tokens_and_data.ipynb"
    for path in (fresh, stale):
        notebook = nbformat.read(path, as_version=4)
        notebook.metadata["workshop"] = {"digest": form.digest(notebook) if path == fresh else "0" * 16}
        path.write_text(form.dump(notebook))
    before = nbformat.read(fresh, as_version=4).metadata.workshop.digest
    brand.rewrite(copy, FORK)
    notebook = nbformat.read(fresh, as_version=4)
    assert notebook.metadata.workshop.digest == form.digest(notebook) != before
    assert nbformat.read(stale, as_version=4).metadata.workshop.digest == "0" * 16


# --- the command


def test_the_command_rewrites_and_then_has_nothing_to_do(copy, capsys):
    assert cli.execute(["brand", "ada/course@v2"]) == 0
    assert "rewritten: pyproject.toml" in capsys.readouterr().out
    assert cli.execute(["brand", "ada/course"]) == 0
    assert capsys.readouterr().out == "all lead to ada/course@v2 already\n"  # a tag that was not typed stays


def test_check_names_file_line_and_address_and_writes_nothing(copy, capsys):
    before = contents(copy)
    assert cli.execute(["brand", "--check"]) == 0
    assert capsys.readouterr().out == f"all lead to {HOME}\n"
    assert cli.execute(["brand", "--check", "ada/course"]) == 1
    said = capsys.readouterr().out
    assert "notebooks/00_start_here.ipynb:10: colab.research.google.com/github/" in said
    assert contents(copy) == before


@pytest.mark.parametrize(
    "name",
    [
        "ada",
        "ada/",
        "/course",
        "ada//course",
        "ada/course/x",
        "ada/course@",
        "ada/course@a/b",
        "ada/course@a b",
        "ada/course.git",
        "a_b/course",
        f"{'a' * 40}/course",
        'ada/course@x"',
        "ada/course\n",
        "https://github.com/ada/course",
        "git@github.com:ada/course",
    ],
)
def test_a_malformed_name_is_one_sentence_and_nothing_is_written(name, copy, capsys):
    before = contents(copy)
    assert cli.execute(["brand", name]) == 2
    said = capsys.readouterr().err
    assert "names no repository" in said
    assert "OWNER/REPO" in said
    assert len(said.splitlines()) == 1
    assert contents(copy) == before


def test_without_a_name_or_a_checkout_the_command_says_what_is_missing(copy, capsys, monkeypatch):
    assert cli.execute(["brand"]) == 2
    assert "which repository?" in capsys.readouterr().err
    monkeypatch.setattr("workshop_utils.machine.hardware.checkout", lambda: None)
    assert cli.execute(["brand", "ada/course"]) == 2
    assert "clone the repository" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("notes.txt", "caf\u00e9".encode("cp1252"), "notes.txt is not UTF-8"),
        ("zz.ipynb", f'["https://github.com/{HOME.repository}"]'.encode(), "zz.ipynb is no notebook any more"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_and_nothing_is_written(name, content, said, copy, capsys):
    (copy / name).write_bytes(content)
    before = contents(copy)
    assert cli.execute(["brand", str(FORK)]) == 2
    assert said in capsys.readouterr().err
    assert contents(copy) == before


def test_an_environment_is_left_alone_whatever_it_is_called(copy):
    package = copy / "env" / "lib" / "slm.py"
    package.parent.mkdir(parents=True)
    (copy / "env" / "pyvenv.cfg").touch()
    package.write_text(f"https://github.com/{HOME.repository}")
    brand.rewrite(copy, FORK)
    assert HOME.repository in package.read_text()
