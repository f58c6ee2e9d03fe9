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
from workshop_utils.machine.sentences import without_secrets


def png(text: str) -> str:
    """A one-pixel picture with a text chunk, as matplotlib writes its version."""
    info, stream = PngImagePlugin.PngInfo(), io.BytesIO()
    info.add_text("Software", text)
    Image.new("RGB", (1, 1)).save(stream, "png", pnginfo=info)
    return base64.b64encode(stream.getvalue()).decode()


def run_of(seed: int) -> nbformat.NotebookNode:
    """What two runs of the same notebook look like before they are normalised: they differ wherever they can."""
    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": str(seed)}, "text/plain": f"IntSlider({seed})"}
    figure = {"image/png": png(f"version {seed}"), "text/plain": "<Figure>"}
    folder = f"{form.notebooks_folder()}/x, {Path.home()}/data"
    outputs = [
        v4.new_output("stream", name="stdout", text="Training on "),
        v4.new_output("stream", name="stdout", text=f"{folder}\nstep 1\rstep 2\rdone\n"),
        v4.new_output("stream", name="stderr", text=f"\r 10%|#  | {seed}it/s\r100%|###| {seed}it/s\n"),
        v4.new_output("display_data", figure, metadata={"a": seed}),
        v4.new_output("display_data", widget),
        v4.new_output("execute_result", {"text/plain": "6.93"}, execution_count=seed),
    ]
    code = v4.new_code_cell("x = 1  \nx", outputs=outputs, execution_count=seed, metadata={"trusted": bool(seed % 2)})
    code.metadata["tags"] = ["setup", "predict"]
    notebook = v4.new_notebook(cells=[v4.new_markdown_cell("# Title"), code])
    notebook.metadata = nbformat.NotebookNode(
        kernelspec={"name": f"env{seed}", "display_name": "mine"},
        language_info={"name": "python", "version": f"3.{seed}"},
        widgets={"state": {}},
        colab={"gpuType": "T4"},
    )
    return notebook


def test_two_runs_are_the_same_bytes_once_normalised_and_a_second_time_changes_nothing():
    once = form.dump(form.normalise(run_of(11)))
    assert form.dump(form.normalise(run_of(12))) == once
    assert form.dump(form.normalise(nbformat.reads(once, as_version=4))) == once


def test_what_a_reader_looks_at_stays():
    notebook = form.normalise(run_of(11))
    code = notebook.cells[1]
    stream, figure, result = code.outputs
    assert stream.text == "Training on slm-workshop/notebooks/x, ~/data\ndone\n"
    assert Image.open(io.BytesIO(base64.b64decode(figure.data["image/png"]))).size == (1, 1)
    assert (code.metadata, code.execution_count, result.execution_count) == ({"tags": ["predict", "setup"]}, 1, 1)
    assert notebook.metadata["colab"] == {"gpuType": "T4"}
    nbformat.validate(notebook)
    never_ran = form.normalise(v4.new_notebook(cells=[v4.new_code_cell("2")]))
    assert never_ran.cells[0].execution_count is None


def add_output(notebook, *what, **more):
    notebook.cells[1].outputs.append(v4.new_output(*what, **more))


MISTAKES = {
    "": lambda nb: nb.cells[0].update(source="# Better title"),  # prose may change without a new run
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
    notebook = form.normalise(run_of(11))
    notebook.metadata["workshop"] = {"digest": tool.digest(notebook)}
    MISTAKES[sentence](form.normalise(notebook))
    path = tmp_path / "lesson.ipynb"
    path.write_text(form.dump(notebook), encoding="utf-8")
    found = "\n".join(form.problems(path))
    assert sentence in found if sentence else not found


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
rate = check("04.2", rate)"""
SOLUTION = "def rate(step: int) -> float:\n    return step / 10"
FOLDED = f"""<details><summary>Hint</summary>

```python
not_this = 1
```
</details>
<details><summary>Solution</summary>

```python
{SOLUTION}
```

```python
nor_this = 1
```
</details>
"""
SOLVED = f'import math\n\n{SOLUTION}\n\nother = 3\nrate = check("04.2", rate)'


@pytest.mark.parametrize(
    ("stub", "solution", "expected"),
    [
        (STUB, tool.solution_of(FOLDED), SOLVED),
        ('guess = ...\ncheck("02.1", guess)', "guess = 6.93", 'guess = 6.93\ncheck("02.1", guess)'),
        ('a, b = ..., ...\ncheck("02.1", (a, b))', "a, b = 1, 2", 'a, b = 1, 2\ncheck("02.1", (a, b))'),
        ('f = ...\nf = check("02.1", f)', 'f = check("02.1", len)', 'f = check("02.1", len)'),
    ],
)
def test_functions_values_helpers_and_whole_cells_are_solved(stub, solution, expected):
    assert tool.solve_cell(stub, solution) == expected


def test_solving_a_notebook_leaves_the_original_alone_and_names_what_has_no_solution():
    cell = v4.new_code_cell(STUB, metadata={"tags": ["exercise"]})
    notebook = v4.new_notebook(cells=[cell, v4.new_markdown_cell(FOLDED)])
    before = copy.deepcopy(notebook)
    assert tool.solved(notebook).cells[0].source == SOLVED
    assert notebook == before
    notebook.cells.pop()
    with pytest.raises(ValueError, match="cell 1"):
        tool.solved(notebook)
    with pytest.raises(ValueError, match="the stub defines none of other"):
        tool.solve_cell('f = ...\ncheck("02.1", f)', "other = 3")


# --- commands


@pytest.mark.parametrize("where", ["source", "prose", "stream", "html", "deep", "error", "metadata"])
@pytest.mark.parametrize(
    ("secret", "what"),
    [
        ("hf_" + "aB3" * 11, "token of the Hugging Face hub"),
        ("sk-proj-" + "aB3_" + "cD4" * 8, "key of OpenAI or the like"),
        ("ghp_" + "aB3" * 12, "token of GitHub"),
        ("github_pat_" + "aB3" * 12, "token of GitHub"),
        ("AKIA" + "AB12" * 4, "key of AWS"),
        ("-----BEGIN RSA " + "PRIVATE KEY-----", "private key"),
        ("https://ada:" + "lovelace@example.org/x", "password in an address"),
    ],
)
def test_a_secret_is_found_wherever_it_is_and_not_repeated(secret, what, where, tmp_path, capsys):
    notebook = form.normalise(run_of(11))
    text = f"key:\n{secret}\n"
    if where in ("source", "prose"):
        notebook.cells[where == "source"].source = text
    elif where == "metadata":
        notebook.metadata["colab"] = {"name": text}
    else:
        made = {
            "stream": lambda: v4.new_output("stream", text=text),
            "html": lambda: v4.new_output("display_data", {"text/html": f"<b>{secret}</b>"}),
            "deep": lambda: v4.new_output("display_data", {"application/json": {"a": [{secret: 1}]}}),
            "error": lambda: v4.new_output("error", ename="ValueError", evalue="x", traceback=["x", f"\x1b[0m {text}"]),
        }
        notebook.cells[1].outputs.append(made[where]())
    path = tmp_path / "lesson.ipynb"
    path.write_text(form.dump(notebook), encoding="utf-8")
    with pytest.raises(typer.Exit) as ended:
        tool.check_command([str(path)])
    said = capsys.readouterr().out
    place = {"prose": "cell 1", "metadata": "its metadata"}.get(where, "cell 2")
    assert (ended.value.exit_code, secret in said) == (1, False)
    assert f"lesson.ipynb: {place} shows what looks like a {what}: take it out" in said
    assert said.count("looks like") == 1
    assert what == "private key" or secret not in without_secrets(
        text
    )  # of messages: they know what a notebook may not


def test_placeholders_and_names_are_no_secrets():
    words = "hf_hub_download, sk-container-id-1-of-an-estimator, http://{user}:{password}@host, gh_pages, your HF_TOKEN"
    words += ", https://example.org:8080/a@b, s3://***:***@bucket, private keys"
    assert list(tool.secrets(v4.new_notebook(cells=[v4.new_markdown_cell(words)]))) == []


def test_execute_makes_a_notebook_that_check_accepts_and_compare_confirms_and_writes_no_failure(tmp_path, capsys):
    path = tmp_path / "01_tiny.ipynb"
    cells = [v4.new_markdown_cell("# Tiny"), v4.new_code_cell("import os\nprint(os.environ['WORKSHOP_PROFILE'])")]
    nbformat.write(v4.new_notebook(cells=cells), path)
    tool.execute_command([str(path)])
    assert form.problems(path) == []
    assert "pocket" in path.read_text()
    with pytest.raises(typer.Exit) as ended:
        tool.compare_command([str(path)])
    assert (ended.value.exit_code, capsys.readouterr().out) == (0, "every output is the same again\n")
    printed = v4.new_code_cell("print('hf_' + 40 * 'a')")
    nbformat.write(v4.new_notebook(cells=[printed]), path)
    before = path.read_bytes()
    with pytest.raises(typer.Exit):
        tool.execute_command([str(path)])
    assert "cell 1 shows what looks like a token of the Hugging Face hub" in capsys.readouterr().err
    assert path.read_bytes() == before
    nbformat.write(v4.new_notebook(cells=[v4.new_code_cell("1 / 0")]), path)
    before = path.read_bytes()
    with pytest.raises(typer.Exit):
        tool.execute_command([str(path)])
    assert "cell 1 failed with ZeroDivisionError" in capsys.readouterr().err
    assert path.read_bytes() == before
