"""Every exercise of the committed lessons: the solution passes, the stub is not attempted, wrong answers get a hint."""

import ast
import itertools
import linecache
import sys
from pathlib import Path

import nbformat
import pytest

from workshop_utils import exercises
from workshop_utils.checks import Exercise, judge

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import notebooks as tool  # noqa: E402

LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
IN_LESSONS = [
    pytest.param(path, i, id=f"{path.stem}-cell{i + 1}")
    for path in LESSONS
    for i, _ in tool.exercises(nbformat.read(path, as_version=4))
]
KNOWN = [exercise for number in exercises.lessons() for exercise in exercises.of_lesson(number)]
WRONG = [pytest.param(exercise, name, id=f"{exercise.id}-{name}") for exercise in KNOWN for name in exercise.wrong]
SEEDS = [f"test/{n}" for n in range(5)]

_cells = itertools.count()


def run(statements: list[ast.stmt], source: str, namespace: dict) -> None:
    """Run statements of a cell as a notebook does, so that their lines can be looked up."""
    file = f"/exercise/{next(_cells)}.py"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    exec(compile(ast.Module(statements, []), file, "exec"), namespace)


def is_light(statement: ast.stmt) -> bool:
    """Whether a statement only defines: an import, a function, a class, or a constant. An exercise needs no more."""
    if isinstance(statement, ast.Assign):
        try:
            ast.literal_eval(statement.value)
        except ValueError:
            return False
        return True
    return isinstance(statement, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef)


def names_before(notebook: nbformat.NotebookNode, index: int) -> dict:
    """What a learner has defined when an exercise comes up, all earlier exercises solved, without running the rest."""
    namespace: dict = {"__name__": "__main__"}
    for cell in notebook.cells[:index]:
        if cell.cell_type == "code" and "colab" not in tool.tags(cell):
            statements = ast.parse(cell.source).body
            setup = "setup" in tool.tags(cell)
            run([s for s in statements if setup or is_light(s)], cell.source, namespace)
    return namespace


def handed_over(path: Path, index: int, with_solution: bool) -> tuple[Exercise, object]:
    """Run one exercise cell up to its check; return the exercise and the answer that the check would get."""
    notebook = nbformat.read(path, as_version=4)
    solved = tool.solved(notebook)
    namespace = names_before(solved, index)
    source = (solved if with_solution else notebook).cells[index].source
    statements = ast.parse(source).body
    at = next(n for n, statement in enumerate(statements) if "check(" in ast.unparse(statement))
    run(statements[:at], source, namespace)
    calls = [node for node in ast.walk(statements[at]) if isinstance(node, ast.Call)]
    call = next(call for call in calls if ast.unparse(call.func) == "check")
    answer = eval(compile(ast.Expression(call.args[1]), "<answer>", "eval"), namespace)
    return exercises.find(ast.literal_eval(call.args[0])), answer


@pytest.mark.parametrize(("path", "index"), IN_LESSONS)
def test_the_solution_passes(path, index):
    exercise, answer = handed_over(path, index, with_solution=True)
    for seed in SEEDS:
        verdict = judge(exercise, answer, seed)
        assert verdict.state == "right", verdict.text


@pytest.mark.parametrize(("path", "index"), IN_LESSONS)
def test_the_untouched_stub_is_not_attempted(path, index):
    assert judge(*handed_over(path, index, with_solution=False)).state == "not attempted yet"


@pytest.mark.parametrize("exercise", KNOWN, ids=lambda exercise: exercise.id)
def test_the_reference_passes_its_own_check(exercise: Exercise):
    for seed in SEEDS:
        verdict = judge(exercise, exercise.reference, seed)
        assert verdict.state == "right", verdict.text


@pytest.mark.parametrize("exercise", KNOWN, ids=lambda exercise: exercise.id)
def test_two_plausible_mistakes_are_known(exercise: Exercise):
    assert len(exercise.wrong) >= 2


@pytest.mark.parametrize(("exercise", "mistake"), WRONG)
def test_a_wrong_answer_fails_with_a_hint_that_names_the_mistake(exercise: Exercise, mistake: str):
    for seed in SEEDS:
        verdict = judge(exercise, exercise.wrong[mistake], seed)
        assert verdict.state == "not yet"
        assert verdict.specific, f"only the generic sentence: {verdict.text}"
        assert "\n" not in verdict.text


def test_ids_are_unique_and_begin_with_their_lesson():
    for number in exercises.lessons():
        ids = [exercise.id for exercise in exercises.of_lesson(number)]
        assert len(set(ids)) == len(ids)
        assert all(id.startswith(f"{number}.") for id in ids)


def test_an_unknown_exercise_is_named_with_what_there_is():
    with pytest.raises(LookupError, match="there are no exercises for lesson '77'"):
        exercises.find("77.1")
