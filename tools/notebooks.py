"""Keep the committed lessons honest: execute, normalise, check and compare them, and swap exercises for solutions.

python tools/notebooks.py execute 03     run in the pocket profile, normalise, write back (make notebooks: all)
python tools/notebooks.py check          find stale or unnormalised notebooks, in a second (make lint)
python tools/notebooks.py compare 03     run again and say which outputs differ from the committed ones
python tools/notebooks.py solve 03       write a copy with the solutions in place to build/solved/
python tools/notebooks.py normalise FILE
python tools/notebooks.py exercises      write the titles that `workshop progress` shows
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import nbformat
import typer
from brand import digest
from nbformat import NotebookNode
from notebook_format import differences, dump, normalise, problems, tags

from workshop_utils.command.run_lessons import find

TITLES = Path(__file__).resolve().parents[1] / "workshop_utils" / "data_files" / "exercises.json"
# What looks like a secret. Placeholders, as in http://{user}:{password}@host, are none.
SECRETS = {
    "a token of the Hugging Face hub": r"\bhf_[A-Za-z0-9]{30,}",
    "a key of OpenAI or the like": r"\bsk-[\w-]*[A-Za-z0-9]{16,}",
    "a token of GitHub": r"\b(gh[a-z]|github_pat)_\w{30,}",
    "a key of AWS": r"\bAKIA[A-Z0-9]{16}",
    "a private key": r"PRIVATE KEY",
    "a password in an address": r"\w://[^\s/:@'\"{<$*]*:[^\s/@'\"{<$*]+@",
}
app = typer.Typer(add_completion=False, help=__doc__, no_args_is_help=True, rich_markup_mode=None)
app.pretty_exceptions_enable = False
Lessons = Annotated[list[str] | None, typer.Argument(help="numbers, names or paths; all lessons if none")]


# --- exercises and solutions


def solution_of(markdown: str) -> str | None:
    """Return the code of the solution that a Markdown cell folds away, or None if it has none."""
    folded = re.search(r"<details>\s*<summary>\s*Solution\s*</summary>(.*?)</details>", markdown, re.DOTALL)
    code = re.search(r"^```python\n(.*?)^```", folded[1], re.DOTALL | re.MULTILINE) if folded else None
    return code[1].strip() if code else None


def exercises(notebook: NotebookNode) -> Iterator[tuple[int, str]]:
    """Yield the index of every exercise cell with the code of its solution.

    Raises:
        ValueError: an exercise is not followed by a Markdown cell with a solution.
    """
    for i, cell in enumerate(notebook.cells):
        if "exercise" not in tags(cell):
            continue
        after = notebook.cells[i + 1] if i + 1 < len(notebook.cells) else None
        solution = solution_of(after.source) if after is not None and after.cell_type == "markdown" else None
        if solution is None:
            raise ValueError(
                f"the exercise in cell {i + 1} has no solution: the next cell must be Markdown with a ```python block "
                "in <details><summary>Solution</summary>"
            )
        yield i, solution


def solve_cell(stub: str, solution: str) -> str:
    """Put a solution in the place of what it defines in an exercise cell; the check and everything else stay.

    Args:
        stub: the source of the exercise cell.
        solution: the code that replaces the definitions of the same names.

    Returns:
        The source of the solved cell.

    Raises:
        ValueError: the stub defines nothing that the solution defines.
    """
    if "check(" in solution:  # a solution of the whole cell
        return solution
    names = {name for statement in ast.parse(solution).body for name in _defined(statement)}
    lines, end, kept, placed = stub.splitlines(), 0, [], False
    for statement in ast.parse(stub).body:
        source = "\n".join(lines[end : statement.end_lineno])  # with the comments above it
        end = statement.end_lineno or end
        if "check(" in source or not names & _defined(statement):
            kept.append(source)
        elif not placed:
            kept.append("\n" * (len(source) - len(source.lstrip("\n"))) + solution)
            placed = True
    if not placed:
        raise ValueError(
            f"the stub defines none of {', '.join(sorted(names)) or 'nothing'}, which the solution defines"
        )
    return "\n".join(kept)


def solved(notebook: NotebookNode) -> NotebookNode:
    """Copy a notebook with every exercise solved."""
    notebook = nbformat.reads(nbformat.writes(notebook), as_version=4)
    for i, solution in exercises(notebook):
        notebook.cells[i].source = solve_cell(notebook.cells[i].source, solution)
    return notebook


def _defined(statement: ast.stmt) -> set[str]:
    """Return the names that a top-level statement defines."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return {statement.name}
    targets = getattr(statement, "targets", [getattr(statement, "target", None)])
    return {node.id for target in targets if target for node in ast.walk(target) if isinstance(node, ast.Name)}


# --- secrets


def secrets(notebook: NotebookNode) -> Iterator[str]:
    """Say where a notebook shows what looks like a secret, a sentence each, which does not repeat it."""
    places = {f"cell {i}": cell for i, cell in enumerate(notebook.cells, start=1)} | {"its metadata": notebook.metadata}
    for place, part in places.items():
        for what, pattern in SECRETS.items():
            if any(re.search(pattern, text) for text in _texts(part)):
                yield f"{place} shows what looks like {what}: take it out, and make it invalid if it was ever pushed"


def _texts(part: object) -> Iterator[str]:
    """Yield every text in a part of a notebook, however deep: sources, outputs of all kinds, names of fields."""
    if isinstance(part, str):
        yield part
    elif isinstance(part, dict | list):
        for inner in (*part, *part.values()) if isinstance(part, dict) else part:
            yield from _texts(inner)


# --- commands


def run_again(path: Path) -> NotebookNode:
    """Execute a notebook in the pocket profile, and normalise and stamp it with the digest of its code.

    Raises:
        typer.Exit: a cell ended in an error.
    """
    from workshop_utils.command.kernel import execute

    def show(number: int, cells: int) -> None:
        print(f"\r{path.stem}: cell {number} of {cells}", end="", file=sys.stderr)

    outcome = execute(path, profile="pocket", env={"WORKSHOP_HURRY": ""}, on_cell=show)
    print(f"\r{path.stem}: {outcome.seconds:.0f} s, {outcome.peak_mb:.0f} MB at most", file=sys.stderr)
    if outcome.status != "passed" or outcome.notebook is None:
        print(f"{path}: cell {outcome.cell} failed with {outcome.error}; nothing was written", file=sys.stderr)
        raise typer.Exit(1)
    notebook = normalise(outcome.notebook)
    notebook.metadata["workshop"] = {"digest": digest(notebook)}
    return normalise(notebook)


@app.command("execute")
def execute_command(lessons: Lessons = None) -> None:
    """Run lessons in the pocket profile and write their outputs back, where they show something new."""
    for path in find(lessons or []):
        new = run_again(path)
        if found := list(secrets(new)):
            print(*(f"{path.name}: {secret}; nothing was written" for secret in found), sep="\n", file=sys.stderr)
            raise typer.Exit(1)
        old = normalise(nbformat.read(path, as_version=4))
        if not problems(path) and not differences(old, new):
            print(f"{path.name}: shows what it showed before, left as it is")
        else:
            path.write_text(dump(new), encoding="utf-8")


@app.command("normalise")
def normalise_command(lessons: Lessons = None) -> None:
    """Normalise lessons without running them."""
    for path in find(lessons or []):
        path.write_text(dump(normalise(nbformat.read(path, as_version=4))), encoding="utf-8")


@app.command("check")
def check_command(lessons: Lessons = None) -> None:
    """Name every notebook that is stale, not normalised, too big, or shows an error or a secret."""
    found = []
    for path in find(lessons or []):
        wrong = [*secrets(nbformat.read(path, as_version=4))] or problems(path)  # which quote what a cell shows
        found += [f"{path.name}: {problem}" for problem in wrong]
    print("\n".join(found) or "the committed notebooks are in order")
    raise typer.Exit(1 if found else 0)


@app.command("compare")
def compare_command(lessons: Lessons = None) -> None:
    """Run lessons again and say which outputs differ from the committed ones."""
    found = []
    for path in find(lessons or []):
        found += [f"{path.name}: {d}" for d in differences(nbformat.read(path, as_version=4), run_again(path))]
    print("\n".join(found) or "every output is the same again")
    raise typer.Exit(1 if found else 0)


@app.command("solve")
def solve_command(lessons: Lessons = None, out: Path = Path("build/solved")) -> None:
    """Write copies of lessons with the solutions in the place of the stubs."""
    out.mkdir(parents=True, exist_ok=True)
    for path in find(lessons or []):
        (out / path.name).write_text(dump(solved(nbformat.read(path, as_version=4))), encoding="utf-8")
        print(out / path.name)


def headings() -> dict[str, tuple[str, str]]:
    """The id of every exercise -> its title and importance, as its lesson's heading has them."""
    heading = re.compile(r"^### Exercise (\d\d\.\d+): (.+?) +\(about \d+ minutes?, \w+, (\w+)\)$", re.MULTILINE)
    texts = (cell.source for path in find() for cell in nbformat.read(path, as_version=4).cells)
    found = [(match[1], match[2], match[3]) for text in texts for match in heading.finditer(text)]
    return {id: (title, importance) for id, title, importance in found}


@app.command("exercises")
def exercises_command() -> None:
    """Write the titles and importances of all exercises into the package."""
    rows = [f"{json.dumps(id)}: {json.dumps(row)}" for id, row in headings().items()]
    TITLES.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        app()
    except (ValueError, FileNotFoundError) as problem:  # no such lesson, an exercise without a solution
        sys.exit(f"{problem}")
