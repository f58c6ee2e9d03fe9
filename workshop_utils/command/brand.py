"""`workshop brand`: make every badge, link and install line lead to one repository and one tag.

pyproject.toml names both: the repository in [tool.workshop], and the version, of which the tag is made (v0.1.0). A
notebook that was copied to somebody's Drive so goes on installing the release that it was written for.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PACKAGE = "slm-workshop"
SUFFIXES = {"", ".ipynb", ".md", ".toml", ".py", ".yml", ".yaml", ".cff", ".html", ".txt"}
SKIPPED = {"build", "node_modules", "tests", "package-lock.json"}  # the tests name other repositories on purpose
HIDDEN = {".ci", ".github"}  # the folders with a dot that are ours

OWNER = r"[A-Za-z0-9](?:-?[A-Za-z0-9])*"
NAME = r"[A-Za-z0-9_-]+(?:\.(?!git\b)[A-Za-z0-9_-]+)*"  # without .git, and without the full stop of a sentence
ADDRESS = re.compile(
    rf"(?P<lead>colab\.research\.google\.com/github/|(?P<pip>{PACKAGE}(?:\[[^\]]*\])? ?@ ?git\+https://)?github\.com/)"
    rf"(?P<repository>{OWNER}/{NAME})(?P<way>(?:\.git)?(?:/(?:blob|tree|raw|edit|commits)/|@))?"
    r"(?P<tag>(?<=[/@])[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)?"
)


@dataclass(frozen=True)
class Home:
    """Where the project lives: its repository on GitHub, as in "owner/name", and its version, as in "0.1.0".

    Raises:
        ValueError: one of the two is written in another way.
    """

    repository: str
    version: str

    def __post_init__(self) -> None:
        owner, _, name = self.repository.partition("/")
        if not re.fullmatch(f"{OWNER}/{NAME}", self.repository) or len(owner) > 39 or len(name) > 100:
            raise ValueError(
                f"{self.repository!r} names no repository of GitHub: write OWNER/REPO, such as ada/workshop, without "
                "https:// and .git"
            )
        if not re.fullmatch(r"\d+\.\d+\.\d+", self.version):
            raise ValueError(f"{self.version!r} is no version: write three numbers, such as 0.2.0")

    @property
    def tag(self) -> str:
        """The tag that links lead to and Colab installs."""
        return f"v{self.version}"

    def __str__(self) -> str:
        return f"{self.repository}@{self.tag}"


def home_of(root: Path) -> Home:
    """Read where the project lives from pyproject.toml of a checkout."""
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return Home(settings["tool"]["workshop"]["repository"], settings["project"]["version"])


def strays(root: Path, home: Home) -> list[str]:
    """Find the addresses of the project that do not lead to its home, as "path:line: address".

    An address is the project's if it is a link to Colab, installs the package, or leads to a repository on GitHub that
    has the name of the home's or of the package, whoever owns it. Other links to GitHub are nobody's business.

    Args:
        root: of the checkout.
        home: where all of them should lead.
    """
    return [
        f"{path.relative_to(root).as_posix()}:{number}: {match[0]}"
        for path in _files(root)
        for number, line in enumerate(_text(path).splitlines(), 1)
        for match in ADDRESS.finditer(line)
        if _right(match, home, {_name(home)}) != match[0]
    ]


def rewrite(root: Path, home: Home) -> list[str]:
    """Make pyproject.toml and every address of the project lead to a new home.

    Notebooks keep their outputs, and count as fresh if they did before: on Colab alone the changed line is run.

    Args:
        root: of the checkout.
        home: the new one.

    Returns:
        The files that were changed, as paths from the root.
    """
    names = {_name(home_of(root)), _name(home)}
    changed = []
    for path in _files(root):
        old = _text(path)
        new = ADDRESS.sub(lambda match: _right(match, home, names), old)
        if path == root / "pyproject.toml":
            new = re.sub(r'(?m)^version = "[^"\n]*"', f'version = "{home.version}"', new, count=1)
            new = re.sub(r'(?m)^repository = "[^"\n]*"', f'repository = "{home.repository}"', new, count=1)
        if path.suffix == ".ipynb" and new != old:
            new = new.replace(f'"digest": "{digest(json.loads(old))}"', f'"digest": "{digest(json.loads(new))}"')
        if new != old:
            path.write_bytes(new.encode("utf-8", "surrogateescape"))
            changed.append(path.relative_to(root).as_posix())
    return changed


def digest(notebook: Mapping[str, Any]) -> str:
    """Return 16 hex digits of what is executed in a notebook: the sources of its code cells, in order."""
    sources = "\0".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code")
    return hashlib.sha256(sources.encode()).hexdigest()[:16]


def _right(match: re.Match[str], home: Home, names: set[str]) -> str:
    """What an address should be; one that is not the project's stays."""
    name = match["repository"].partition("/")[2].lower()
    if not (match["pip"] or match["lead"].startswith("colab") or name in names | {PACKAGE}):
        return match[0]
    if match["pip"]:  # never without a tag: a branch moves
        return f"{match['lead']}{home.repository}@{home.tag}"
    return f"{match['lead']}{home.repository}{match['way'] or ''}{home.tag if match['tag'] else ''}"


def _text(path: Path) -> str:
    """A file as it is, line ends of Windows and bytes that are not UTF-8 included."""
    return path.read_bytes().decode("utf-8", "surrogateescape")


def _name(home: Home) -> str:
    return home.repository.partition("/")[2].lower()


def _files(root: Path) -> Iterator[Path]:
    """Yield the text files of a checkout, in order, without what was built or installed."""
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(
            name
            for name in folders
            if not (Path(folder) / name / "pyvenv.cfg").exists()  # an environment, whatever it is called
            and (not name.startswith(".") or name in HIDDEN)
            and name not in SKIPPED | {"__pycache__"}
            and not name.endswith(".egg-info")
        )
        for name in sorted(set(files) - SKIPPED):
            if Path(name).suffix in SUFFIXES and not name.startswith("."):
                yield Path(folder) / name
