"""The contract of a lesson, on the committed notebooks: what each one has, says and shows."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager

from workshop_utils import exercises
from workshop_utils.exercises import checks

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import notebook_format as form  # noqa: E402

import notebooks as tool  # noqa: E402

LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PROFILES = ("pocket", "t4", "big")
SECTIONS = ["Questions", "Objectives", "What you need", "Key points", "What comes next"]
COLAB_CELL = """\
import sys

if "google.colab" in sys.modules:
    !pip install -q --no-deps "slm-workshop @ git+https://github.com/{repository}@{tag}"
    from workshop_utils.colab import install
    install({extras})"""
EXERCISE_HEADING = r"^### Exercise (\d\d\.\d+): .+ +\(about \d+ minutes?, (?:easy|medium|hard)\)$"


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


def check_call(source: str) -> ast.Call | None:
    """The call of check() in an exercise cell."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return next((call for call in calls if getattr(call.func, "id", "") == "check"), None)


def test_the_way_from_tokens_to_a_trained_gpt_is_there():
    assert {path.name[:2] for path in LESSONS} >= {"00", "02", "03", "04"}


# --- its frame


def test_it_opens_with_title_and_a_colab_badge_that_leads_to_itself(lesson, path):
    workshop = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["workshop"]
    first = lesson.cells[0].source
    assert re.match(r"# \S.+\n", first)
    home = f"https://colab.research.google.com/github/{workshop['repository']}/blob/{workshop['tag']}"
    badge = "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
    assert f"{badge}({home}/notebooks/{path.name})" in first
    assert len(re.findall(r"^# ", re.sub(r"```.*?```", "", prose(lesson), flags=re.DOTALL), re.MULTILINE)) == 1


def test_its_sections_stand_in_their_order(lesson):
    headings = re.findall(r"^## (.+)$", prose(lesson), re.MULTILINE)
    assert headings[:3] == SECTIONS[:3]
    assert headings[-2:] == SECTIONS[-2:]


def test_it_says_its_minutes_in_each_profile_and_whether_they_were_measured(lesson):
    need = re.search(r"^## What you need$(.*?)(?=^## |\Z)", prose(lesson), re.MULTILINE | re.DOTALL)[1]
    rows = [line for line in need.splitlines() if line.startswith("|")]
    for profile in PROFILES:
        row = next((row for row in rows if re.match(rf"\|\s*`?{profile}\b", row)), "")
        assert re.search(r"\d", row), f"no minutes for {profile}"
        assert re.search(r"measured|estimated", row), f"{profile}: measured or estimated?"
    assert "minutes" in need


def test_the_readme_has_its_row_with_the_same_minutes(lesson, path):
    minutes = [re.search(rf"^\|\s*`?{profile}\b[^|]*\|[^|]*?(\d+)", prose(lesson), re.M)[1] for profile in PROFILES]
    (row,) = [line for line in (ROOT / "README.md").read_text().splitlines() if f"](notebooks/{path.name})" in line]
    assert f"| {' / '.join(minutes)} |" in row
    assert row.startswith(f"| {path.stem[:2]} |")


def test_its_colab_cell_installs_only_on_colab_and_leaves_torch_alone(lesson):
    """One line of pip that touches nothing else; what that may install is the matter of test_colab.py."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (cell,) = tagged(lesson, "colab")
    assert cell is next(cell for cell in lesson.cells if cell.cell_type == "code")
    extras = re.findall(r'"(\w+)"', cell.source.splitlines()[-1])
    assert cell.source == COLAB_CELL.format(
        **pyproject["tool"]["workshop"], extras=", ".join(f'"{extra}"' for extra in extras)
    )
    assert set(extras) <= set(pyproject["project"]["optional-dependencies"])


def test_its_setup_cell_is_that_of_every_lesson(lesson):
    (cell,) = tagged(lesson, "setup")
    assert re.fullmatch(r"from workshop_utils import (check, )?setup\n\n?profile = setup\(\)", cell.source)
    assert code_cells(lesson)[1][1] is cell


def test_its_last_code_cell_is_the_stamp(lesson):
    (cell,) = tagged(lesson, "stamp")
    assert code_cells(lesson)[-1][1] is cell
    assert "stamp(" in cell.source
    shown = "".join(output.get("text", "") for output in cell.outputs)
    assert [line.split()[0] for line in shown.splitlines()] == ["profile", "machine", "versions", "date"]
    assert shown.startswith("profile   pocket")


# --- its cells


def test_its_code_cells_are_short_and_are_python(lesson):
    python = TransformerManager()
    for number, cell in code_cells(lesson):
        assert len(cell.source.splitlines()) < 30, f"cell {number} has {len(cell.source.splitlines())} lines"
        ast.parse(python.transform_cell(cell.source))


def test_only_setup_asks_about_the_machine(lesson):
    for number, cell in code_cells(lesson):
        asks = re.search(r"torch\.cuda|cpu_count|is_bf16|\benviron\b|\.to\(\s*[\"']cuda", cell.source)
        assert not asks, f"cell {number} asks about the machine: {asks[0]}"


def test_every_image_in_the_prose_has_alt_text(lesson):
    assert not re.search(r"!\[\s*\]\(", prose(lesson))
    for tag in re.findall(r"<img\b[^>]*>", prose(lesson)):
        assert re.search(r"""alt=["'][^"']{5,}""", tag), tag


def test_links_to_other_files_lead_somewhere(lesson, path):
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", prose(lesson)):
        assert (path.parent / target).exists(), target


def test_the_prose_states_no_result_that_a_cell_computes(lesson):
    shown = " ".join(
        text for _, cell in code_cells(lesson) for output in cell.outputs for text in form._texts(output).values()
    )
    words = re.sub(r"```.*?```|`[^`]*`|\(http[^)]*\)", " ", prose(lesson), flags=re.DOTALL)
    stated = set(re.findall(r"(?<![\d.])\d+\.\d\d+(?![\d.])", words))
    assert not {number for number in stated if re.search(rf"(?<![\d.]){re.escape(number)}(?![\d.])", shown)}


def test_it_is_executed_normalised_small_and_not_stale(path):
    assert form.problems(path) == []


# --- its exercises


def test_every_lesson_but_the_first_has_exercises(lesson, path):
    assert tagged(lesson, "exercise") or path.name.startswith("00")


def test_its_exercises_are_those_of_its_module_in_order(lesson, path):
    used = [ast.literal_eval(check_call(cell.source).args[0]) for cell in tagged(lesson, "exercise")]
    number = path.name[:2]
    known = [exercise.id for exercise in exercises.of_lesson(number)] if number in exercises.lessons() else []
    assert used == known
    assert not [n for n, cell in code_cells(lesson) if "exercise" not in form.tags(cell) and "check(" in cell.source]


def test_every_exercise_has_heading_difficulty_minutes_hint_and_solution(lesson):
    for i, _ in tool.exercises(lesson):
        before, cell, after = lesson.cells[i - 1], lesson.cells[i], lesson.cells[i + 1]
        headings = re.findall(EXERCISE_HEADING, before.source, re.MULTILINE)
        assert headings == [ast.literal_eval(check_call(cell.source).args[0])], f"cell {i}: {before.source[:80]!r}"
        hint = re.search(r"<details>\s*<summary>Hint</summary>(.*?)</details>", after.source, re.DOTALL)
        assert hint, f"cell {i + 2} has no hint"
        assert len(hint[1].strip()) > 20, f"cell {i + 2} has no hint"
        assert after.source.count("<details>") == after.source.count("</details>")
        assert re.search(r"<summary>Solution</summary>\n\n", after.source), "a blank line, or the code is not rendered"


def test_the_committed_exercises_are_untouched_and_say_what_the_lesson_goes_on_with(lesson):
    for i, _ in tool.exercises(lesson):
        id = ast.literal_eval(check_call(lesson.cells[i].source).args[0])
        shown = "".join(output.get("text", "") for output in lesson.cells[i].outputs)
        untouched = checks.judge(exercises.find(id), None)
        assert f"{id} {untouched.state}: {untouched.text}" in shown
