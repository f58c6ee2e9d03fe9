"""tools/notebooks.py: what it normalises, what it finds, and how it swaps stubs for solutions."""

import base64
import copy
import io
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import v4
from PIL import Image, PngImagePlugin

TOOLS = Path(__file__).resolve().parents[1] / "tools"
sys.path.insert(0, str(TOOLS))

import notebook_format as form  # noqa: E402

import notebooks as tool  # noqa: E402


def png(text: str) -> str:
    """A one-pixel picture with a text chunk, as matplotlib writes its version."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Software", text)
    stream = io.BytesIO()
    Image.new("RGB", (1, 1)).save(stream, "png", pnginfo=info)
    return base64.b64encode(stream.getvalue()).decode()


def run_of(seed: int) -> nbformat.NotebookNode:
    """What two runs of the same notebook look like before they are normalised: they differ wherever they can."""
    home = str(Path.home())
    outputs = [
        v4.new_output("stream", name="stdout", text="Training on "),
        v4.new_output("stream", name="stdout", text=f"{home}/data\nstep 1\rstep 2\rdone\n"),
        v4.new_output("stream", name="stderr", text=f"\r 10%|#  | {seed}it/s\r100%|###| {seed}it/s\n"),
        v4.new_output(
            "display_data", {"image/png": png(f"version {seed}"), "text/plain": "<Figure>"}, metadata={"a": seed}
        ),
        v4.new_output("display_data", {form_widget: {"model_id": str(seed)}, "text/plain": f"IntSlider({seed})"}),
        v4.new_output("execute_result", {"text/plain": "6.93"}, execution_count=seed),
    ]
    code = v4.new_code_cell("x = 1  \nx", outputs=outputs, execution_count=seed, metadata={"trusted": bool(seed % 2)})
    code.metadata["tags"] = ["setup", "predict"]
    notebook = v4.new_notebook(cells=[v4.new_markdown_cell("# Title"), code])
    notebook.metadata = nbformat.NotebookNode(
        kernelspec={"name": f"env{seed}", "display_name": "mine"},
        language_info={"name": "python", "version": f"3.{seed}"},
        widgets={"state": {}},
        accelerator="GPU",
        colab={"gpuType": "T4"},
    )
    return notebook


form_widget = "application/vnd.jupyter.widget-view+json"


# --- normalising


def test_two_runs_are_the_same_bytes_once_normalised():
    assert form.dump(form.normalise(run_of(11))) == form.dump(form.normalise(run_of(12)))


def test_normalising_twice_changes_nothing():
    once = form.dump(form.normalise(run_of(11)))
    assert form.dump(form.normalise(nbformat.reads(once, as_version=4))) == once


def test_what_a_reader_looks_at_stays():
    notebook = form.normalise(run_of(11))
    code = notebook.cells[1]
    kinds = [form._kinds(output) for output in code.outputs]
    assert kinds == ["stdout", "image/png text/plain", "text/plain"]
    assert code.outputs[0].text == "Training on ~/data\ndone\n"
    assert Image.open(io.BytesIO(base64.b64decode(code.outputs[1].data["image/png"]))).size == (1, 1)
    assert code.metadata == {"tags": ["predict", "setup"]}
    assert (code.execution_count, code.outputs[2].execution_count) == (1, 1)
    assert notebook.metadata["accelerator"] == "GPU"
    assert notebook.metadata["colab"] == {"gpuType": "T4"}
    nbformat.validate(notebook)


def test_a_cell_that_never_ran_is_not_given_a_count():
    notebook = v4.new_notebook(cells=[v4.new_code_cell("1", execution_count=4), v4.new_code_cell("2")])
    assert [cell.execution_count for cell in form.normalise(notebook).cells] == [1, None]


def test_paths_of_the_checkout_become_relative():
    inside = form.notebooks_folder() / "x.txt"
    assert form._neutral(f"wrote '{inside}'") == "wrote 'slm-workshop/notebooks/x.txt'"


# --- what must not be committed


def committed(tmp_path: Path, change=None) -> Path:
    notebook = form.normalise(run_of(11))
    notebook.metadata["workshop"] = {"digest": form.digest(notebook)}
    form.normalise(notebook)
    if change:
        change(notebook)
    path = tmp_path / "lesson.ipynb"
    path.write_text(form.dump(notebook), encoding="utf-8")
    return path


def test_a_fresh_notebook_has_no_problems(tmp_path):
    assert form.problems(committed(tmp_path)) == []


def add_output(notebook, output):
    notebook.cells[1].outputs.append(output)


MISTAKES = {
    "code has changed since": lambda nb: nb.cells[1].update(source="x = 2"),
    "cell 2 was never executed": lambda nb: nb.cells[1].update(execution_count=None),
    "cell 2 ended in an error: ValueError": lambda nb: add_output(
        nb, v4.new_output("error", ename="ValueError", evalue="x", traceback=[])
    ),
    "cell 2 printed a warning: UserWarning": lambda nb: add_output(
        nb, v4.new_output("stream", name="stderr", text="UserWarning: x\n")
    ),
    "cell 2 shows '0x7f3a12345678'": lambda nb: add_output(
        nb, v4.new_output("display_data", {"text/plain": "<X at 0x7f3a12345678>"})
    ),
    "cell 2 shows '/home/anna'": lambda nb: add_output(
        nb, v4.new_output("stream", name="stdout", text="see /home/anna/x\n")
    ),
    "state of widgets": lambda nb: nb.metadata.update(widgets={}),
    "more than 500,000": lambda nb: add_output(nb, v4.new_output("display_data", {"text/plain": "x" * 500_000})),
    "it is not normalised": lambda nb: nb.cells[0].update(id="mine"),
    "cell 3 is empty": lambda nb: nb.cells.append(v4.new_code_cell("")),
}


@pytest.mark.parametrize("sentence", MISTAKES)
def test_every_mistake_is_found(sentence, tmp_path):
    assert sentence in "\n".join(form.problems(committed(tmp_path, MISTAKES[sentence])))


def test_prose_may_change_without_a_new_run(tmp_path):
    assert form.problems(committed(tmp_path, lambda nb: nb.cells[0].update(source="# Better title"))) == []


# --- comparing


def test_other_numbers_are_a_difference_unless_the_cell_is_volatile():
    old, new = form.normalise(run_of(11)), form.normalise(run_of(11))
    assert form.differences(old, new) == []
    new.cells[1].outputs[2].data["text/plain"] = "7.00"
    assert form.differences(old, new) == ["cell 2: text/plain was '6.93', now '7.00'"]
    old.cells[1].metadata["tags"] = ["volatile"]
    assert form.differences(old, new) == []
    new.cells[1].outputs.pop()
    assert "the types of its outputs were" in form.differences(old, new)[0]


def test_pictures_count_only_by_being_there():
    old, new = form.normalise(run_of(11)), form.normalise(run_of(11))
    new.cells[1].outputs[1].data["image/png"] = "AAAA\n"
    assert form.differences(old, new) == []


# --- solutions

STUB = """import math

# The rate of one step.
def rate(step: int) -> float:
    ...  # your turn

other = 3
rate = check("04.2", rate)
rate(other);"""

FOLDED = """<details><summary>Hint</summary>

```python
not_this = 1
```
</details>
<details><summary>Solution</summary>

```python
def rate(step: int) -> float:
    return step / 10
```
Many people write `step`.

```python
nor_this = 1
```
</details>
"""

SOLVED = """import math

def rate(step: int) -> float:
    return step / 10

other = 3
rate = check("04.2", rate)
rate(other);"""


def test_the_solution_is_the_first_python_block_of_its_details():
    assert tool.solution_of(FOLDED) == "def rate(step: int) -> float:\n    return step / 10"
    assert tool.solution_of("no details") is None


def test_the_solution_takes_the_place_of_what_it_defines():
    assert tool.solve_cell(STUB, tool.solution_of(FOLDED)) == SOLVED


@pytest.mark.parametrize(
    ("stub", "solution", "expected"),
    [
        ('guess = ...\ncheck("02.1", guess)', "guess = 6.93", 'guess = 6.93\ncheck("02.1", guess)'),
        ('a, b = ..., ...\ncheck("02.1", (a, b))', "a, b = 1, 2", 'a, b = 1, 2\ncheck("02.1", (a, b))'),
        ('def f():\n    ...\ncheck("02.1", f)', "def g():\n    pass\ndef f():\n    return g()", None),
        ('f = ...\nf = check("02.1", f)', 'f = check("02.1", len)', 'f = check("02.1", len)'),
    ],
)
def test_values_helpers_and_whole_cells_are_solved_too(stub, solution, expected):
    assert tool.solve_cell(stub, solution) == (expected or f'{solution}\ncheck("02.1", f)')


def test_a_solution_of_something_else_is_refused():
    with pytest.raises(ValueError, match="the stub defines none of other"):
        tool.solve_cell('f = ...\ncheck("02.1", f)', "other = 3")


def lesson() -> nbformat.NotebookNode:
    cell = v4.new_code_cell(STUB, metadata={"tags": ["exercise"]})
    return v4.new_notebook(cells=[cell, v4.new_markdown_cell(FOLDED)])


def test_solving_a_notebook_leaves_the_original_alone():
    notebook = lesson()
    before = copy.deepcopy(notebook)
    assert tool.solved(notebook).cells[0].source == SOLVED
    assert notebook == before


def test_an_exercise_without_solution_is_named():
    notebook = lesson()
    notebook.cells.pop()
    with pytest.raises(ValueError, match="the exercise in cell 1 has no solution"):
        tool.solved(notebook)


# --- commands


def workshop(*words: str, cwd: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, str(TOOLS / "notebooks.py"), *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_execute_makes_a_notebook_that_check_accepts_and_compare_confirms(tmp_path):
    path = tmp_path / "01_tiny.ipynb"
    cells = [v4.new_markdown_cell("# Tiny"), v4.new_code_cell("import os\nprint(os.environ['WORKSHOP_PROFILE'])")]
    nbformat.write(v4.new_notebook(cells=cells), path)
    assert "never executed" in workshop("check", path.name, cwd=tmp_path).stdout
    assert workshop("execute", path.name, cwd=tmp_path).returncode == 0
    assert workshop("check", path.name, cwd=tmp_path).returncode == 0
    assert "pocket" in path.read_text()
    compared = workshop("compare", path.name, cwd=tmp_path)
    assert compared.stdout == "every output is the same again\n"


def test_a_notebook_that_fails_is_not_written(tmp_path):
    path = tmp_path / "01_bad.ipynb"
    nbformat.write(v4.new_notebook(cells=[v4.new_code_cell("1 / 0")]), path)
    before = path.read_bytes()
    done = workshop("execute", path.name, cwd=tmp_path)
    assert done.returncode == 1
    assert "cell 1 failed with ZeroDivisionError" in done.stderr
    assert path.read_bytes() == before


def test_an_unknown_lesson_is_one_line(tmp_path):
    done = workshop("check", "77", cwd=tmp_path)
    assert done.returncode != 0
    assert done.stderr.startswith("there is no lesson '77'")
    assert done.stderr.count("\n") == 1
