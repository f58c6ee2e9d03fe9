"""The contract of a lesson, on the committed notebooks: what each one has, says and shows."""

import ast
import re
import tomllib
from itertools import pairwise
from pathlib import Path

import nbformat
import notebook_format as form
import pytest
from brand import home_of
from IPython.core.inputtransformer2 import TransformerManager

import notebooks as tool
from workshop_utils import exercises
from workshop_utils.exercises import checks

ROOT = Path(tool.__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
HOME = home_of(ROOT)
LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PROFILES = ("pocket", "t4", "big")
SECTIONS = ["Questions", "Objectives", "What you need", "Key points", "What comes next"]
COLAB_CELL = """\
import sys

if "google.colab" in sys.modules:
    !pip install -q --no-deps "slm-workshop @ git+https://github.com/{home}"
    from workshop_utils.colab import install
    install({extras})"""
UNSLOTH = (
    "UNSLOTH = False  # True installs Unsloth as well, and the lesson tunes with it\n"  # where a lesson can use it
)
DIFFICULTY, IMPORTANCE = "(?:easy|medium|hard)", "(?:essential|useful|extra)"
EXERCISE_HEADING = rf"^### Exercise (\d\d\.\d+): .+ +\(about \d+ minutes?, {DIFFICULTY}, {IMPORTANCE}\)$"


@pytest.fixture(params=LESSONS, ids=lambda path: path.stem)
def path(request) -> Path:
    return request.param


@pytest.fixture
def lesson(path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def prose(lesson) -> str:
    return "\n\n".join(cell.source for cell in lesson.cells if cell.cell_type == "markdown")


def code_cells(lesson) -> list[tuple[int, nbformat.NotebookNode]]:
    return [(i + 1, cell) for i, cell in enumerate(lesson.cells) if cell.cell_type == "code"]


def tagged(lesson, tag: str) -> list[nbformat.NotebookNode]:
    return [cell for cell in lesson.cells if tag in form.tags(cell)]


def printed(cell: nbformat.NotebookNode) -> str:
    return "".join(output.get("text", "") for output in cell.outputs)


def id_of(cell: nbformat.NotebookNode) -> str:
    """The exercise that a cell checks."""
    calls = [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Call)]
    return ast.literal_eval(next(call for call in calls if getattr(call.func, "id", "") == "check").args[0])


# --- its frame


def test_it_opens_with_title_and_a_colab_badge_that_leads_to_itself(lesson, path):
    first = lesson.cells[0].source
    assert re.match(r"# \S.+\n", first)
    leads = f"https://colab.research.google.com/github/{HOME.repository}/blob/{HOME.tag}"
    badge = "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
    assert f"{badge}({leads}/notebooks/{path.name})" in first
    assert len(re.findall(r"^# ", re.sub(r"```.*?```", "", prose(lesson), flags=re.DOTALL), re.MULTILINE)) == 1


def test_its_sections_stand_in_their_order(lesson):
    headings = re.findall(r"^## (.+)$", prose(lesson), re.MULTILINE)
    assert headings[:3] == SECTIONS[:3]
    assert headings[-2:] == SECTIONS[-2:]
    levels = [len(marks) for marks in re.findall(r"^(#+) ", re.sub(r"```.*?```", "", prose(lesson), flags=re.S), re.M)]
    assert [
        pair for pair in pairwise(levels) if pair[1] > pair[0] + 1
    ] == []  # a screen reader goes from one to the next


def test_it_says_its_minutes_in_each_profile_and_the_readme_says_the_same(lesson, path):
    need = re.search(r"^## What you need$(.*?)(?=^## |\Z)", prose(lesson), re.MULTILINE | re.DOTALL)[1]
    rows = [re.search(rf"^\|\s*`?{profile}\b.*$", need, re.MULTILINE)[0] for profile in PROFILES]
    assert all(re.search(r"measured|estimated", row) for row in rows)
    minutes = [re.search(r"\d+", row.split("|")[2])[0] for row in rows]
    lines = (ROOT / "README.md").read_text().splitlines()
    (row,) = [line for line in lines if f"](notebooks/{path.name})" in line and line.startswith(f"| {path.stem[:2]} |")]
    assert f"| {' / '.join(minutes)} |" in row


def test_its_colab_cell_installs_only_on_colab_and_leaves_torch_alone(lesson):
    """One line of pip that touches nothing else; what that may install is the matter of test_colab.py."""
    (cell,) = tagged(lesson, "colab")
    assert cell is next(cell for cell in lesson.cells if cell.cell_type == "code")
    extras = re.findall(r'"(\w+)"', cell.source.splitlines()[-1])
    listed = ", ".join(f'"{extra}"' for extra in extras)
    switched = UNSLOTH in cell.source
    expected = COLAB_CELL.format(home=HOME, extras=f"{listed}, unsloth=UNSLOTH" if switched else listed)
    in_one_line = re.sub(r"\\\n +", "", cell.source)
    assert in_one_line == expected.replace("\nif", f"\n{UNSLOTH}if" if switched else "\nif")
    assert set(extras) <= set(PYPROJECT["project"]["optional-dependencies"])


def test_its_setup_cell_is_that_of_every_lesson(lesson):
    (cell,) = tagged(lesson, "setup")
    assert re.fullmatch(r"from workshop_utils import (check, )?setup\n\n?profile = setup\(\)", cell.source)
    assert code_cells(lesson)[1][1] is cell


def test_its_last_code_cell_is_the_stamp(lesson):
    (cell,) = tagged(lesson, "stamp")
    assert code_cells(lesson)[-1][1] is cell
    assert "stamp(" in cell.source
    assert [line.split()[0] for line in printed(cell).splitlines()] == ["profile", "machine", "versions", "date"]
    assert printed(cell).startswith("profile   pocket")


# --- its cells


def test_its_code_cells_are_short_are_python_and_ask_nothing_about_the_machine(lesson):
    python = TransformerManager()
    for number, cell in code_cells(lesson):
        assert len(cell.source.splitlines()) < 30, f"cell {number} has {len(cell.source.splitlines())} lines"
        ast.parse(python.transform_cell(cell.source))
        asks = re.search(r"torch\.cuda|cpu_count|is_bf16|\benviron\b|\.to\(\s*[\"']cuda", cell.source)
        assert not asks, f"cell {number} asks about the machine: {asks[0]}"


def test_every_image_in_the_prose_has_alt_text_and_links_to_other_files_lead_somewhere(lesson, path):
    assert not re.search(r"!\[\s*\]\(", prose(lesson))
    for tag in re.findall(r"<img\b[^>]*>", prose(lesson)):
        assert re.search(r"""alt=["'][^"']{5,}""", tag), tag
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", prose(lesson)):
        assert (path.parent / target).exists(), target


def test_the_prose_states_no_result_that_a_cell_computes(lesson):
    shown = " ".join(
        text for _, cell in code_cells(lesson) for output in cell.outputs for text in form._texts(output).values()
    )
    words = re.sub(r"```.*?```|`[^`]*`|\(http[^)]*\)|Exercise \d+\.\d+", " ", prose(lesson), flags=re.DOTALL)
    stated = set(re.findall(r"(?<![\d.])\d+\.\d\d+(?![\d.])", words))
    assert not {number for number in stated if re.search(rf"(?<![\d.]){re.escape(number)}(?![\d.])", shown)}


def test_it_is_executed_normalised_small_and_not_stale(path):
    assert form.problems(path) == []


# --- its exercises


def test_its_exercises_are_those_of_its_module_in_order(lesson, path):
    known = [exercise.id for exercise in exercises.of_lesson(path.name[:2])]
    assert [id_of(cell) for cell in tagged(lesson, "exercise")] == known
    assert not [n for n, cell in code_cells(lesson) if "exercise" not in form.tags(cell) and "check(" in cell.source]


def test_every_exercise_has_heading_hint_and_solution_and_says_what_the_lesson_goes_on_with(lesson):
    for i, _ in tool.exercises(lesson):
        before, cell, after = lesson.cells[i - 1], lesson.cells[i], lesson.cells[i + 1]
        assert re.findall(EXERCISE_HEADING, before.source, re.MULTILINE) == [id_of(cell)], before.source[:80]
        hint = re.search(r"<details>\s*<summary>Hint</summary>(.*?)</details>", after.source, re.DOTALL)
        assert len(hint[1].strip()) > 20, f"cell {i + 2} has no hint"
        assert after.source.count("<details>") == after.source.count("</details>")
        assert re.search(r"<summary>Solution</summary>\n\n", after.source), "a blank line, or the code is not rendered"
        untouched = checks.judge(exercises.find(id_of(cell)), None)
        assert f"{id_of(cell)} {untouched.state}: {untouched.text}" in printed(cell)
