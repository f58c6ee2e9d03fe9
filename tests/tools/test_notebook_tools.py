"""tools/notebooks.py: what it normalises, what it finds, and how it swaps stubs for solutions."""

import base64
import copy
import io
from pathlib import Path

import nbformat
import notebook_format as form
import pytest
import typer
from nbformat import v4
from PIL import Image, PngImagePlugin

import notebooks as tool

WIDGET = "application/vnd.jupyter.widget-view+json"


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
        v4.new_output("display_data", {WIDGET: {"model_id": str(seed)}, "text/plain": f"IntSlider({seed})"}),
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


# --- normalising


def test_two_runs_are_the_same_bytes_once_normalised_and_a_second_time_changes_nothing():
    once = form.dump(form.normalise(run_of(11)))
    assert form.dump(form.normalise(run_of(12))) == once
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


def committed(tmp_path: Path, change) -> Path:
    notebook = form.normalise(run_of(11))
    notebook.metadata["workshop"] = {"digest": form.digest(notebook)}
    form.normalise(notebook)
    change(notebook)
    path = tmp_path / "lesson.ipynb"
    path.write_text(form.dump(notebook), encoding="utf-8")
    return path


def add_output(notebook, *what, **more):
    notebook.cells[1].outputs.append(v4.new_output(*what, **more))


MISTAKES = {
    "": lambda nb: None,
    # prose may change without a new run
    "\n": lambda nb: nb.cells[0].update(source="# Better title"),
    "code has changed since": lambda nb: nb.cells[1].update(source="x = 2"),
    "cell 2 was never executed": lambda nb: nb.cells[1].update(execution_count=None),
    "cell 2 ended in an error: ValueError": lambda nb: add_output(nb, "error", ename="ValueError", traceback=[]),
    "cell 2 printed a warning: UserWarning": lambda nb: add_output(nb, "stream", name="stderr", text="UserWarning: x"),
    "cell 2 shows '0x7f3a12345678'": lambda nb: add_output(nb, "display_data", {"text/plain": "<X at 0x7f3a12345678>"}),
    "cell 2 shows '/home/anna'": lambda nb: add_output(nb, "stream", text="see /home/anna/x\n"),
    "state of widgets": lambda nb: nb.metadata.update(widgets={}),
    "more than 500,000": lambda nb: add_output(nb, "display_data", {"text/plain": "x" * 500_000}),
    "it is not normalised": lambda nb: nb.cells[0].update(id="mine"),
    "cell 3 is empty": lambda nb: nb.cells.append(v4.new_code_cell("")),
}


@pytest.mark.parametrize("sentence", MISTAKES)
def test_every_mistake_is_found_and_nothing_else(sentence, tmp_path):
    found = "\n".join(form.problems(committed(tmp_path, MISTAKES[sentence])))
    assert sentence in found if sentence.strip() else not found


# --- comparing


def test_other_numbers_are_a_difference_unless_the_cell_is_volatile_and_pictures_count_by_being_there():
    old, new = form.normalise(run_of(11)), form.normalise(run_of(11))
    new.cells[1].outputs[1].data["image/png"] = "AAAA\n"
    assert form.differences(old, new) == []
    new.cells[1].outputs[2].data["text/plain"] = "7.00"
    assert form.differences(old, new) == ["cell 2: text/plain was '6.93', now '7.00'"]
    old.cells[1].metadata["tags"] = ["volatile"]
    assert form.differences(old, new) == []
    new.cells[1].outputs.pop()
    assert "the types of its outputs were" in form.differences(old, new)[0]


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


def test_the_first_python_block_of_the_solution_takes_the_place_of_what_it_defines():
    assert tool.solution_of(FOLDED) == "def rate(step: int) -> float:\n    return step / 10"
    assert tool.solution_of("no details") is None
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


def test_solving_a_notebook_leaves_the_original_alone_and_names_an_exercise_without_solution():
    cell = v4.new_code_cell(STUB, metadata={"tags": ["exercise"]})
    notebook = v4.new_notebook(cells=[cell, v4.new_markdown_cell(FOLDED)])
    before = copy.deepcopy(notebook)
    assert tool.solved(notebook).cells[0].source == SOLVED
    assert notebook == before
    notebook.cells.pop()
    with pytest.raises(ValueError, match="cell 1"):
        tool.solved(notebook)


# --- commands


def test_execute_makes_a_notebook_that_check_accepts_and_compare_confirms(tmp_path, capsys):
    path = tmp_path / "01_tiny.ipynb"
    cells = [v4.new_markdown_cell("# Tiny"), v4.new_code_cell("import os\nprint(os.environ['WORKSHOP_PROFILE'])")]
    nbformat.write(v4.new_notebook(cells=cells), path)
    assert any("never executed" in problem for problem in form.problems(path))
    tool.execute_command([str(path)])
    assert form.problems(path) == []
    assert "pocket" in path.read_text()
    with pytest.raises(typer.Exit) as ended:
        tool.compare_command([str(path)])
    assert ended.value.exit_code == 0
    assert capsys.readouterr().out == "every output is the same again\n"


def test_a_notebook_that_fails_is_not_written(tmp_path, capsys):
    path = tmp_path / "01_bad.ipynb"
    nbformat.write(v4.new_notebook(cells=[v4.new_code_cell("1 / 0")]), path)
    before = path.read_bytes()
    with pytest.raises(typer.Exit):
        tool.execute_command([str(path)])
    assert "cell 1 failed with ZeroDivisionError" in capsys.readouterr().err
    assert path.read_bytes() == before
