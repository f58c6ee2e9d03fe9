"""What the instructor's guide names exists, and its minutes add up."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import pytest

from workshop_utils.command.cli import app

ROOT = Path(__file__).resolve().parents[2]
GUIDE = sorted((ROOT / "instructor").glob("*.md"))
TEXT = {path.name: path.read_text(encoding="utf-8") for path in GUIDE}
LINK = re.compile(r"\]\((?P<file>[^)#\s]+)(?:#(?P<anchor>[^)\s]+))?\)")
LENGTHS = {"90 minutes": 90, "Three hours": 180, "A full day": 390}


def headings(path: Path) -> list[str]:
    """The headings of a lesson or of a page."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return re.findall(r"^#+ (.+)$", text, re.MULTILINE)


def anchor(heading: str) -> str:
    """Where GitHub and the site put a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", TEXT)
def test_every_link_leads_to_a_file_and_a_heading(page):
    for link in LINK.finditer(TEXT[page]):
        path = (ROOT / "instructor" / link["file"]).resolve()
        assert path.is_file(), link[0]
        if link["anchor"]:
            assert link["anchor"] in {anchor(heading) for heading in headings(path)}, link[0]


def test_every_exercise_that_is_named_exists():
    there = {
        found
        for path in ROOT.glob("notebooks/*.ipynb")
        for found in re.findall(r"Exercise (\d\d\.\d+)", " ".join(headings(path)))
    }
    named = {found for text in TEXT.values() for found in re.findall(r"\b(\d\d\.\d+)\b", text)}
    assert len(named) > 10
    assert named <= there


def test_every_command_that_is_named_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = {command.name or command.callback.__name__ for command in app.registered_commands}
    named = {found for text in TEXT.values() for found in re.findall(r"`(workshop|make) ([a-z-]+)", text)}
    assert named
    assert {name for program, name in named if program == "make"} <= targets
    assert {name for program, name in named if program == "workshop"} <= commands


@pytest.mark.parametrize("plan", LENGTHS)
def test_the_minutes_of_a_plan_add_up(plan):
    table = TEXT["run_of_show.md"].split(f"## {plan}\n")[1].split("\n## ")[0]
    rows = [(int(start), int(length)) for start, length in re.findall(r"^\| (\d+) \| (\d+) \|", table, re.MULTILINE)]
    assert len(rows) > 5
    for (start, length), (follows, _) in itertools.pairwise(rows):
        assert start + length == follows
    assert sum(rows[-1]) == LENGTHS[plan]
