"""`workshop brand`: make every badge, link and install line lead to one repository, the one that pyproject.toml names.

For forks, and for whoever moves the project. Works on the files of a checkout.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "slm-workshop"
SUFFIXES = {
    "",
    ".ipynb",
    ".md",
    ".toml",
    ".py",
    ".yml",
    ".yaml",
    ".cff",
    ".css",
    ".html",
    ".js",
    ".mjs",
    ".json",
    ".txt",
}
SKIPPED = {"build", "node_modules", "tests", "package-lock.json"}  # the tests name other repositories on purpose
HIDDEN = {".ci", ".github"}  # the folders with a dot that are ours

OWNER = r"[A-Za-z0-9](?:-?[A-Za-z0-9])*"
NAME = r"[A-Za-z0-9_-]+(?:\.(?!git\b)[A-Za-z0-9_-]+)*"  # without .git, and without the full stop of a sentence
TAG = r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*"
ADDRESS = re.compile(
    rf"(?P<lead>colab\.research\.google\.com/github/|(?:{PACKAGE}(?:\[[^\]]*\])? ?@ ?git\+https://)?github\.com/)"
    rf"(?P<repository>{OWNER}/{NAME})(?P<way>(?:\.git)?(?:/(?:blob|tree|raw|edit|commits)/|@))?(?P<tag>(?<=[/@]){TAG})?"
    rf"|(?P<lead_raw>raw\.githubusercontent\.com/)(?P<repository_raw>{OWNER}/{NAME})(?P<way_raw>/)(?P<tag_raw>{TAG})"
)


@dataclass(frozen=True)
class Home:
    """Where the project lives.

    Attributes:
        repository: on GitHub, as in "owner/name".
        tag: branch or tag that links lead to and Colab installs from.
    """

    repository: str
    tag: str

    def __str__(self) -> str:
        return f"{self.repository}@{self.tag}"


@dataclass(frozen=True)
class Stray:
    """An address that leads elsewhere.

    Attributes:
        path: of the file, from the root of the checkout.
        line: counted from 1.
        text: the address.
    """

    path: str
    line: int
    text: str


def parse(name: str, tag: str) -> Home:
    """Read OWNER/REPO[@TAG].

    Args:
        name: what was typed.
        tag: what holds if none was typed.

    Raises:
        ValueError: it is no such name.
    """
    match = re.fullmatch(rf"({OWNER}/{NAME})(?:@({TAG}))?", name)
    if match is None or len(match[1].partition("/")[0]) > 39 or len(match[1].partition("/")[2]) > 100:
        raise ValueError(
            f"{name!r} names no repository of GitHub: write OWNER/REPO or OWNER/REPO@TAG, such as ada/workshop@main, "
            "without https:// and .git, and with no slash in the tag, or links could not be taken apart again"
        )
    return Home(match[1], match[2] or tag)


def home_of(root: Path) -> Home:
    """Read where the project lives from pyproject.toml of a checkout."""
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["workshop"]
    return Home(settings["repository"], settings["tag"])


def strays(root: Path, home: Home) -> list[Stray]:
    """Find the addresses of the project that do not lead to its home.

    An address is the project's if it is a link to Colab, installs the package, or leads to a repository on GitHub that
    has the name of the home's or of the package, whoever owns it. Other links to GitHub are nobody's business.

    Args:
        root: of the checkout.
        home: where all of them should lead.
    """
    found = []
    for path in _files(root):
        for number, line in enumerate(_text(path).splitlines(), 1):
            for match, right in _addresses(line, home, {_name(home)}):
                if match[0] != right:
                    found.append(Stray(path.relative_to(root).as_posix(), number, match[0]))
    return found


def rewrite(root: Path, home: Home) -> list[str]:
    """Make pyproject.toml and every address of the project lead to a new home.

    Notebooks keep their outputs, and count as fresh if they did before: on Colab alone the changed line is run.

    Args:
        root: of the checkout.
        home: the new one.

    Returns:
        The files that were changed, as paths from the root.

    Raises:
        ValueError: a file is not UTF-8, or no notebook; nothing has been written then.
    """
    names = {_name(home_of(root)), _name(home)}
    changed: dict[Path, str] = {}
    for path in _files(root):
        old = _text(path)
        new = "".join(_replace(line, home, names) for line in old.splitlines(keepends=True))
        if path == root / "pyproject.toml":
            new = _settings(new, home)
        if path.suffix == ".ipynb" and new != old:
            new = _restamp(old, new, path)
        if new != old:
            changed[path] = new
    for path, new in changed.items():
        path.write_bytes(new.encode("utf-8"))
    return [path.relative_to(root).as_posix() for path in changed]


def _text(path: Path) -> str:
    """A file as it is: read_text() would lose the line ends of Windows."""
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8 ({error.reason} at byte {error.start}), so no address in it can be seen: save it as "
            "UTF-8, or move it out of the checkout"
        ) from error


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


def _addresses(line: str, home: Home, names: set[str]) -> Iterator[tuple[re.Match[str], str]]:
    """Yield every address of the project in a line, with what it should be."""
    if "github" not in line:  # pictures in notebooks are long lines
        return
    for match in ADDRESS.finditer(line):
        raw = "_raw" if match["lead_raw"] else ""
        lead, repository, way = match[f"lead{raw}"], match[f"repository{raw}"], match[f"way{raw}"] or ""
        ours = repository.partition("/")[2].lower() in names | {PACKAGE}
        if ours or lead.startswith(("colab", PACKAGE)):
            yield match, f"{lead}{home.repository}{way}{home.tag if match[f'tag{raw}'] else ''}"


def _replace(line: str, home: Home, names: set[str]) -> str:
    """Put the right address in the place of every one of the project's."""
    pieces, end = [], 0
    for match, right in _addresses(line, home, names):
        pieces += [line[end : match.start()], right]
        end = match.end()
    return "".join([*pieces, line[end:]])


def _settings(pyproject: str, home: Home) -> str:
    """Write the home into the table [tool.workshop] of pyproject.toml, and leave everything else as it is."""
    head, mark, rest = pyproject.partition("[tool.workshop]")
    table, *others = re.split(r"(?m)^(?=\[)", rest, maxsplit=1)
    for key, value in (("repository", home.repository), ("tag", home.tag)):
        table = re.sub(rf'(?m)^({key}\s*=\s*)"[^"\n]*"', rf'\g<1>"{value}"', table)
    return head + mark + table + "".join(others)


def _restamp(old: str, new: str, path: Path) -> str:
    """Give a rewritten notebook the digest of its new code, if the old one was that of its old code."""
    try:
        before = _digest(old)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is no notebook any more ({type(error).__name__}): mend it, or move it away"
        ) from error
    return new.replace(f'"digest": "{before}"', f'"digest": "{_digest(new)}"')


def _digest(notebook: str) -> str:
    """The same 16 digits as digest() of tools/notebook_format.py, which is no part of the package."""
    cells = json.loads(notebook)["cells"]
    sources = "\0".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    return hashlib.sha256(sources.encode()).hexdigest()[:16]
