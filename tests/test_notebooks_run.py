"""All committed lessons, executed in the pocket profile without a network: untouched, then with right answers."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import tiny_models
from nbformat import v4
from other_answers import OTHER
from page_requests import external_requests

from workshop_utils.command import kernel
from workshop_utils.command import run_lessons as lessons
from workshop_utils.machine import profiles

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import notebooks as tool  # noqa: E402

LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MAX_PEAK_MB = 3000

# Before a figure is turned into a picture, note its titles and labels.
RECORDER = """
import json, os
from IPython.core import pylabtools
_print_figure = pylabtools.print_figure

def _recorded(figure, *args, **kwargs):
    axes = [axis for axis in figure.axes if axis.get_visible() and axis.axison]
    def shared(axis, which):
        group = getattr(axis, f"get_shared_{which}_axes")().get_siblings(axis)
        return max(getattr(other, f"get_{which}label")() for other in group)
    labels = [(shared(axis, "x") or figure.get_supxlabel(), shared(axis, "y") or figure.get_supylabel())
              for axis in axes if axis.get_label() != "<colorbar>"]
    titles = [axis.get_title(where) for axis in axes for where in ("left", "center", "right")]
    title = figure.get_suptitle() or max(titles, default="")
    with open(os.environ["FIGURES"], "a") as file:
        file.write(json.dumps({"title": title, "labels": labels}) + "\\n")
    return _print_figure(figure, *args, **kwargs)

pylabtools.print_figure = _recorded
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory) -> dict:
    """A machine without a network, a home of its own for the workshop, and a folder that is not the notebooks'."""
    tmp = tmp_path_factory.mktemp("machine")
    (tmp / "elsewhere").mkdir()
    env = {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT / "tests" / "offline"), os.environ.get("PYTHONPATH")])),
        "WORKSHOP_HOME": str(tmp / "home"),
        "WORKSHOP_HURRY": "1",
        "FIGURES": str(tmp / "figures.jsonl"),
    }
    return {"cwd": tmp / "elsewhere", "env": env}


def shown(cell: nbformat.NotebookNode) -> str:
    return "".join(output.get("text", "") for output in cell.outputs)


def execute(content: nbformat.NotebookNode, machine: dict) -> kernel.Outcome:
    """Run a lesson that must pass."""
    outcome = kernel.execute(content, "pocket", machine["cwd"], machine["env"])
    assert outcome.status == "passed", f"cell {outcome.cell}: {outcome.error}"
    assert outcome.peak_mb < MAX_PEAK_MB
    return outcome


@pytest.mark.parametrize(
    "attempt",
    [
        "import socket; socket.create_connection(('192.0.2.1', 80), timeout=1)",
        "import socket; socket.socket().connect_ex(('192.0.2.1', 80))",
        "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
        "import socket; socket.getaddrinfo('huggingface.co', 443)",
        "import socket; socket.gethostbyname('huggingface.co')",
        "import urllib.request; urllib.request.urlopen('https://huggingface.co', timeout=1)",
        "import requests; requests.get('http://192.0.2.1', timeout=1)",
        "import asyncio; asyncio.run(asyncio.open_connection('192.0.2.1', 80))",
    ],
)
def test_the_machine_without_a_network_refuses(attempt, machine):
    env = {**os.environ, **machine["env"]}
    done = subprocess.run([sys.executable, "-c", attempt], env=env, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "refused by the test" in done.stderr


def test_the_machine_without_a_network_still_talks_to_itself(machine):
    code = (
        "import socket; s = socket.create_server(('127.0.0.1', 0)); "
        "socket.create_connection(('localhost', s.getsockname()[1])); socket.getaddrinfo('::1', 1)"
    )
    subprocess.run([sys.executable, "-c", code], env={**os.environ, **machine["env"]}, check=True)


def test_a_kernel_has_no_network_either(machine):
    content = v4.new_notebook(cells=[v4.new_code_cell("import socket\nsocket.gethostbyname('huggingface.co')")])
    outcome = kernel.execute(content, "pocket", machine["cwd"], machine["env"])
    assert "refused by the test" in outcome.error


def solved_otherwise(path: Path) -> nbformat.NotebookNode:
    """Read a lesson with right answers in another form than the package's own (test_exercises: the printed ones)."""
    notebook = nbformat.read(path, as_version=4)
    for i, _ in tool.exercises(notebook):
        source = notebook.cells[i].source
        notebook.cells[i].source = tool.solve_cell(source, OTHER[re.search(r'check\("([\d.]+)"', source)[1]].strip())
    return notebook


@pytest.mark.lessons
@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_runs_with_its_exercises_untouched_and_again_with_them_solved(path, machine):
    untouched = nbformat.read(path, as_version=4)
    done = execute(untouched, machine)
    for i, _ in tool.exercises(untouched):
        assert "not attempted yet" in shown(done.notebook.cells[i]), f"cell {i + 1}"

    Path(machine["env"]["FIGURES"]).write_text("")
    solved = solved_otherwise(path)
    solved.cells.insert(
        0, v4.new_code_cell(RECORDER)
    )  # the same home as before: nothing may stumble over what is there
    done = execute(solved, machine)
    for i, cell in enumerate(done.notebook.cells):
        if "exercise" in tool.tags(cell):
            assert " right: " in shown(cell), f"cell {i}: {shown(cell)}"
    for line in Path(machine["env"]["FIGURES"]).read_text().splitlines():
        figure = json.loads(line)
        assert figure["title"], f"a figure without a title: {figure}"
        assert all(x and y for x, y in figure["labels"]), f"a figure without labels: {figure}"


@pytest.mark.lessons
@pytest.mark.parametrize(
    ("number", "profile", "family", "names"),
    [
        ("07", "big", "qwen2", profiles.PAIRS["big"]),
        ("09", "big", "qwen2", profiles.PAIRS["big"]),
    ],
)
def test_a_lesson_runs_along_the_path_of_a_gpu_on_models_from_a_local_folder(
    number, profile, family, names, machine, tmp_path
):
    # The real architectures, templates and roles with random weights: what is said is noise, but every cell runs.
    for name in names:
        templated = name.lower().endswith(("-it", "-instruct"))
        tiny_models.save(tmp_path / name, family, template=templated, max_position_embeddings=1024)
    (path,) = [path for path in LESSONS if path.name.startswith(number)]
    env = machine["env"] | {"WORKSHOP_HUB": str(tmp_path)}
    outcome = kernel.execute(nbformat.read(path, as_version=4), profile, machine["cwd"], env)
    assert outcome.status == "passed", f"cell {outcome.cell}: {outcome.error}"
    assert " and ".join(names) in shown(outcome.notebook.cells[2])


@pytest.mark.lessons
def test_the_report_of_the_first_lesson_fetches_nothing(tmp_path, monkeypatch, machine):
    for name, value in (machine["env"] | {"WORKSHOP_PROFILE": "pocket"}).items():
        monkeypatch.setenv(name, value)
    assert lessons.run(LESSONS[:1], out=tmp_path) == 0
    for page in tmp_path.glob("*.html"):
        assert external_requests(page.read_text()) == []
