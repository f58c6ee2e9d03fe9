"""The texts that the generators put together, texts/*.txt: each file says in its first lines what is in it."""

from __future__ import annotations

from pathlib import Path

from workshop_utils.pocket.grammar import Wording, parse

FOLDER = Path(__file__).parent / "texts"


def read(name: str) -> str:
    """One of the files.

    Args:
        name: without ".txt".
    """
    return (FOLDER / f"{name}.txt").read_text(encoding="utf-8")


def sections(text: str) -> dict[str, tuple[str, ...]]:
    """The lines below every "= name", without the marks "- " in front of them.

    Args:
        text: lines above the first name stand under "".
    """
    found: dict[str, list[str]] = {}
    lines = found.setdefault("", [])
    for line in text.strip().split("\n"):
        if line.startswith("= "):
            lines = found.setdefault(line[2:], [])
        elif line:
            lines.append(line.removeprefix("- "))
    return {name: tuple(some) for name, some in found.items()}


def wordings(name: str) -> dict[str, tuple[Wording, ...]]:
    """The wordings of one of the files below every "= name", one a line.

    Args:
        name: of the file, without ".txt".
    """
    _, _, text = read(name).partition("\n\n")
    return {part: tuple(map(parse, some)) for part, some in sections(text).items()}
