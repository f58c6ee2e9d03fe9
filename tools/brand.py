"""Make every badge, link and install line lead to one repository and one tag.

python tools/brand.py you/your-fork        a fork
python tools/brand.py --version 0.2.0      a release: then commit, tag and push

pyproject.toml names both: the repository in [tool.workshop], and the version, of which the tag is made (v0.1.0). A
notebook that was copied to somebody's Drive so goes on installing the release that it was written for.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
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
        if not re.fullmatch(rf"(?=[^/]{{1,39}}/.{{1,100}}$){OWNER}/{NAME}", self.repository):
            said = "write OWNER/REPO, such as ada/workshop, without https:// and .git"
            raise ValueError(f"{self.repository!r} names no repository of GitHub: {said}")
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


def changes(root: Path, home: Home) -> dict[Path, str]:
    """Find the files in which pyproject.toml or an address of the project does not lead to its home.

    An address is the project's if it is a link to Colab, installs the package, or leads to a repository on GitHub that
    has the name of the home's or of the package, whoever owns it. Other links to GitHub are left alone.

    Args:
        root: of the checkout.
        home: where all of them should lead.

    Returns:
        For each such file what it should hold. Notebooks keep their outputs, and count as fresh if they did before: on
        Colab alone the changed line is run.
    """
    names = {PACKAGE, *(place.repository.partition("/")[2].lower() for place in (home_of(root), home))}
    changed = {}
    for path, old in _texts(root):
        new = ADDRESS.sub(lambda match: _right(match, home, names), old)
        if path == root / "pyproject.toml":
            new = re.sub(r'(?m)^version = "[^"\n]*"', f'version = "{home.version}"', new, count=1)
            new = re.sub(r'(?m)^repository = "[^"\n]*"', f'repository = "{home.repository}"', new, count=1)
        if path.suffix == ".ipynb" and new != old:
            new = new.replace(f'"digest": "{digest(json.loads(old))}"', f'"digest": "{digest(json.loads(new))}"')
        if new != old:
            changed[path] = new
    return changed


def rewrite(root: Path, home: Home) -> list[str]:
    """Make pyproject.toml and every address of the project lead to a home; return the files that were changed."""
    changed = changes(root, home)
    for path, text in changed.items():
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return [path.relative_to(root).as_posix() for path in changed]


def digest(notebook: Mapping[str, Any]) -> str:
    """Return 16 hex digits of what is executed in a notebook: the sources of its code cells, in order."""
    sources = "\0".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code")
    return hashlib.sha256(sources.encode()).hexdigest()[:16]


def _right(match: re.Match[str], home: Home, names: set[str]) -> str:
    """What an address should be; one that is not the project's stays."""
    if not (match["pip"] or match["lead"].startswith("colab") or match["repository"].split("/")[1].lower() in names):
        return match[0]
    if match["pip"]:  # never without a tag: a branch moves
        return f"{match['lead']}{home.repository}@{home.tag}"
    return f"{match['lead']}{home.repository}{match['way'] or ''}{home.tag if match['tag'] else ''}"


def _texts(root: Path) -> Iterator[tuple[Path, str]]:
    """Yield the text files of a checkout as they are, in order, without what was built or installed."""
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
                path = Path(folder) / name
                yield path, path.read_bytes().decode("utf-8", "surrogateescape")  # line ends of Windows stay, too


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> None:
    """Rewrite a checkout; see --help."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", nargs="?", help="OWNER/REPO on GitHub; stays if left out")
    parser.add_argument("--version", help="such as 0.2.0 for the tag v0.2.0; stays if left out")
    given, now = parser.parse_args(arguments), home_of(root)
    try:
        home = Home(given.repository or now.repository, given.version or now.version)
    except ValueError as error:
        parser.error(str(error))
    changed = rewrite(root, home)
    print(*(f"rewritten: {path}" for path in changed), f"All lead to {home}. Colab installs that tag:", sep="\n")
    print(f"commit what was rewritten, then `git tag {home.tag}` and `git push --tags`")


if __name__ == "__main__":
    main()
