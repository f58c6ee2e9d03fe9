"""Every address of the project comes from pyproject.toml, and one script changes them all."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import brand
import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
HOME = brand.home_of(ROOT)
OWNER, NAME = HOME.repository.split("/")
FORK = brand.Home("Ada-L/my.course", "1.2.0")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of a few files of this checkout."""
    for name in ("pyproject.toml", "README.md", "workshop_utils/command/cli.py", ".github/workflows/ci.yml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "notebooks").mkdir()
    for path in (ROOT / "notebooks").glob("0[02]_*.ipynb"):
        shutil.copy(path, tmp_path / "notebooks")
    return tmp_path


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_every_address_of_the_project_comes_from_pyproject_and_leads_to_a_tag():
    stray = [path.relative_to(ROOT).as_posix() for path in brand.changes(ROOT, HOME)]
    assert not stray, f"run `python tools/brand.py`: {stray}"
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        (installed,) = re.findall(r"git\+https://github\.com/([^\s\"\\]+)", path.read_text(encoding="utf-8"))
        assert re.fullmatch(rf"{HOME.repository}@v\d+\.\d+\.\d+", installed), "a branch moves under people's copies"
        assert installed == f"{HOME.repository}@v{HOME.version}"


@pytest.mark.parametrize(
    "line",
    [
        f"https://colab.research.google.com/github/{HOME.repository}/blob/main/notebooks/x.ipynb",
        'pip install "slm-workshop @ git+https://github.com/somebody/else"',
        f'pip install "slm-workshop[hub,lab] @ git+https://github.com/{HOME.repository}@main"',
        f"[this file](https://github.com/somebody/{NAME}/blob/{HOME.tag}/README.md)",
        f"git clone https://github.com/somebody/{NAME}.git",
        f"https://github.com/{HOME.repository}/tree/main/slides",
    ],
)
def test_an_address_that_leads_elsewhere_is_found_and_put_right(line, copy):
    before, file = contents(copy), ".github/workflows/ci.yml"
    (copy / file).write_bytes(before[file] + f"{line}\n".encode())
    assert brand.rewrite(copy, HOME) == [file]
    assert brand.rewrite(copy, HOME) == []
    last = (copy / file).read_text().splitlines()[-1]
    assert HOME.repository in last
    assert ("git+" not in line) or f"{HOME.repository}@{HOME.tag}" in last  # with the tag, also where there was none
    assert contents(copy) | {file: b""} == before | {file: b""}


def test_links_to_what_is_not_ours_are_left_alone(copy):
    (copy / "links.md").write_text(
        "https://github.com/karpathy/nanoGPT/blob/master/train.py, git+https://github.com/huggingface/transformers@main"
        f"https://github.com/{OWNER}/another-project, https://github.com/{OWNER}, https://github.com/somebody/{NAME}-notes"
    )
    assert brand.changes(copy, HOME) == {}


def test_to_a_fork_and_back_gives_the_same_bytes_and_notebooks_stay_as_fresh_as_they_were(copy):
    """On Colab alone is the line run that changes, so no output can be another."""
    (copy / "windows.md").write_bytes(f"git clone https://github.com/{HOME.repository}.git\r\n".encode() + b"caf\xe9")
    environment = copy / "env" / "lib" / "slm.py"
    environment.parent.mkdir(parents=True)
    (copy / "env" / "pyvenv.cfg").touch()
    environment.write_text(f"https://github.com/{HOME.repository}")
    with (copy / "pyproject.toml").open("a") as file:
        file.write('\n[tool.other]\nversion = "theirs"\n')
    stale = copy / "notebooks" / "02_tokens_and_data.ipynb"
    stale.write_text(re.sub(r'"digest": "\w+"', f'"digest": "{"0" * 16}"', stale.read_text()))
    before = contents(copy)
    changed = brand.rewrite(copy, FORK)
    assert {"pyproject.toml", "windows.md", "notebooks/00_start_here.ipynb"} <= set(changed)
    assert "env/lib/slm.py" not in changed
    old, new = before["pyproject.toml"].decode().splitlines(), (copy / "pyproject.toml").read_text().splitlines()
    assert {b for a, b in zip(old, new, strict=True) if a != b} == {
        'repository = "Ada-L/my.course"',
        'version = "1.2.0"',
    }
    fresh = nbformat.read(copy / "notebooks" / "00_start_here.ipynb", as_version=4)
    assert fresh.metadata.workshop.digest == brand.digest(fresh)
    assert nbformat.read(stale, as_version=4).metadata.workshop.digest == "0" * 16
    assert brand.rewrite(copy, HOME) == changed
    assert contents(copy) == before


def test_one_script_moves_everything_to_a_fork_and_to_a_release(copy, capsys):
    brand.main(["ada/course", "--version", "9.8.7"], copy)
    said = capsys.readouterr().out
    assert "rewritten: pyproject.toml" in said
    assert "git tag v9.8.7" in said
    assert brand.home_of(copy) == brand.Home("ada/course", "9.8.7")
    assert "git+https://github.com/ada/course@v9.8.7" in (copy / "notebooks" / "00_start_here.ipynb").read_text()
    brand.main([], copy)
    assert "rewritten: " not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["ada", "ada/", "ada//course", "ada/course/x", "ada/course@v1", "ada/c.git", "a_b/c"])
def test_a_malformed_name_or_version_is_one_sentence(name, copy, capsys):
    with pytest.raises(SystemExit):
        brand.main([name], copy)
    assert "write OWNER/REPO" in capsys.readouterr().err
    for version in ("v1.0.0", "1.0", "main"):
        with pytest.raises(ValueError, match="write three numbers"):
            brand.Home("a/b", version)
