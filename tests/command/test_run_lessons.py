"""The runner of the lessons, on tiny notebooks that each test writes."""

import json
import math
import sys
import threading
import time
from pathlib import Path

import nbformat
import pytest
from nbformat import v4
from page_requests import external_requests

from workshop_utils.command import kernel, report, run_lessons


def write(path: Path, *cells: str) -> Path:
    """Write a notebook: cells that start with # and a space are Markdown."""
    made = [v4.new_markdown_cell(cell) if cell.startswith("# ") else v4.new_code_cell(cell) for cell in cells]
    nbformat.write(v4.new_notebook(cells=made), path)
    return path


def shown(outcome: kernel.Outcome) -> str:
    return "".join(output.get("text", "") for cell in outcome.notebook.cells for output in cell.get("outputs", []))


def test_a_lesson_runs_in_this_python_without_the_users_own_kernels_and_files_and_its_memory_is_seen(
    tmp_path, monkeypatch
):
    trap, startup = tmp_path / "kernels" / "python3", tmp_path / "ipython" / "profile_default" / "startup"
    for folder in (trap, startup, tmp_path / "elsewhere"):
        folder.mkdir(parents=True)
    spec = {"argv": ["/bin/false"], "display_name": "trap", "language": "python"}
    (trap / "kernel.json").write_text(json.dumps(spec))
    (startup / "trap.py").write_text("from_startup = 1")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    where = "print(sys.executable, os.getcwd(), os.environ['WORKSHOP_PROFILE'], os.environ['MARK'])"
    path = write(
        tmp_path / "01_tiny.ipynb",
        "# A tiny lesson",
        f"import os, subprocess, sys\n{where}\nprint('from_startup' in globals())",
        "child = 'import time; x = bytearray(500_000_000); time.sleep(0.7)'\n"
        "done = subprocess.run([sys.executable, '-c', child])",
    )
    seen = []
    outcome = kernel.execute(
        path, "pocket", tmp_path / "elsewhere", {"MARK": "marked"}, on_cell=lambda *where: seen.append(where)
    )
    assert (outcome.lesson, outcome.status, outcome.cell, outcome.error) == ("01_tiny", "passed", None, "")
    assert f"{sys.executable} {(tmp_path / 'elsewhere').resolve()} pocket marked\nFalse" in shown(outcome)
    assert 540 < outcome.peak_mb < 2000  # the child's 500 MB and the kernel itself
    assert seen == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("cells", "cell", "error"),
    [
        (["x = 1", "raise ValueError('not\\nlike this')", "print('after')"], 2, "ValueError: not like this"),
        (["import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"], 1, "the kernel died"),
        (["while True: pass"], 1, "its time was over"),
    ],
)
def test_a_lesson_that_fails_names_its_cell_and_the_last_line(cells, cell, error, tmp_path):
    outcome = kernel.execute(write(tmp_path / "02_bad.ipynb", *cells), seconds=2 if "while" in cells[0] else math.inf)
    assert (outcome.status, outcome.cell) == ("failed", cell)
    assert error in outcome.error
    assert "after" not in shown(outcome)


def test_lessons_are_found_by_number_name_and_path(tmp_path, monkeypatch):
    for name in ("00_start", "03_build", "11_other"):
        write(tmp_path / f"{name}.ipynb", "# Title")
    monkeypatch.setattr(run_lessons, "notebooks_folder", lambda: tmp_path)
    names = [path.stem for path in run_lessons.find(["3", "03", "03_build", "11", str(tmp_path / "00_start.ipynb")])]
    assert names == ["03_build", "03_build", "03_build", "11_other", "00_start"]
    assert [path.stem for path in run_lessons.find()] == ["00_start", "03_build", "11_other"]


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A run of three lessons: the first fails, the second is no notebook, the third shows a picture and a badge."""
    tmp = tmp_path_factory.mktemp("run")
    badge = (
        "[![Open in Colab](https://colab.research.google.com/assets/badge.svg)](https://colab.research.google.com/x)"
    )
    bad = write(tmp / "01_bad.ipynb", "# Bad <one>", "raise KeyError('<b>x</b>')")
    broken = tmp / "02_broken.ipynb"
    broken.write_text("{")
    picture = "import matplotlib.pyplot as plt\nfig, ax = plt.subplots(figsize=(1, 1))"
    html = "from IPython.display import HTML\nHTML('<b>coloured</b>')"
    progress = "for n in range(3):\n    print(f'step {n}', end='\\r')\nprint('step 3\\ndone')"
    ours = "from workshop_utils.plots.basics import frame\nframe('Two bars')[0]"
    cells = [f"# Fine\n{badge}", picture, ours, html, progress, "import ipywidgets\nipywidgets.IntSlider()"]
    code = run_lessons.run([bad, broken, write(tmp / "03_fine.ipynb", *cells)], out=tmp / "out")
    return code, tmp / "out"


def test_a_lesson_that_fails_stops_only_itself_and_fails_the_run(ran):
    code, out = ran
    rows = json.loads((out / "report.json").read_text())
    assert code == 1
    assert [(row["lesson"], row["status"]) for row in rows] == [
        ("01_bad", "failed"),
        ("02_broken", "failed"),
        ("03_fine", "passed"),
    ]
    assert rows[2]["seconds"] > 0
    assert rows[2]["peak_mb"] > 10
    page = (out / "index.html").read_text()
    for expected in ('href="01_bad.html"', "Bad &lt;one&gt;", "in cell 2", "KeyError: &#39;&lt;b&gt;", "no notebook"):
        assert expected in page
    assert "2 failed" in page
    assert 'href="02_broken.html"' not in page
    assert "KeyError" in (out / "01_bad.html").read_text()


NO_NOTEBOOKS = [
    *("", "[]", "5", "null", "[" * 100_000, "\xff", '{"nbformat": 4}', '{"nbformat": []}', '{"nbformat": 99}'),
    '{"nbformat": 1, "cells": [{"cell_type": "x"}]}',
    '{"cells": [1], "nbformat": 4, "nbformat_minor": 5, "metadata": {}}',
    '{"cells": 5, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}',
    '{"cells": [], "nbformat": 4, "nbformat_minor": "x", "metadata": {}}',
    '{"cells": [{"cell_type": "markdown", "id": "a", "metadata": {}, "source": 5}], "metadata": {}, "nbformat": 4, '
    '"nbformat_minor": 5}',
]


def test_a_file_that_is_no_notebook_is_a_sentence_and_the_others_go_on(tmp_path):
    paths = [tmp_path / f"{i:02d}.ipynb" for i in range(len(NO_NOTEBOOKS))]
    for path, content in zip(paths, NO_NOTEBOOKS, strict=True):
        path.write_text(content, encoding="latin-1")
    assert run_lessons.run(paths, out=tmp_path / "out") == 1
    assert {row["status"] for row in json.loads((tmp_path / "out" / "report.json").read_text())} == {"failed"}
    page = (tmp_path / "out" / "index.html").read_text()
    assert all(page.count(f"{path.name} is no notebook (") == 1 for path in paths)


def test_what_scripts_leave_out_of_a_notebook_is_not_missed(tmp_path):
    cells = [{"cell_type": "code", "metadata": {"tags": ["a,b", "a,b"]}, "source": "print(1 + 1)"}]
    cells += [{"cell_type": "markdown", "metadata": {}, "source": "Two."}]
    content = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": {}, "language_info": {}}, "cells": cells}
    (tmp_path / "a.ipynb").write_text(json.dumps(content))
    done = kernel.execute(tmp_path / "a.ipynb", "pocket", tmp_path)
    assert (done.status, done.notebook.cells[0].outputs[0].text) == ("passed", "2\n")


def test_the_pages_fetch_nothing_and_still_show_everything(ran):
    for page in ran[1].glob("*.html"):
        assert external_requests(page.read_text()) == []
    page = (ran[1] / "03_fine.html").read_text()
    for expected in (
        "data:image/png;base64,",
        'alt="Figure of the section “Fine”"',
        'alt="Two bars."',
        "<b>coloured</b>",
    ):
        assert expected in page
    assert ">Open in Colab</a>" in page
    assert "step 3\ndone" in page
    assert "step 2" not in page  # of a line of progress the last state
    assert "jupyter.widget" not in page
    assert (ran[1] / "03_fine.ipynb").exists()


def test_ctrl_c_writes_the_report_so_far(tmp_path, monkeypatch):
    def execute(path: Path, **_: object) -> kernel.Outcome:
        if path.stem == "02":
            raise KeyboardInterrupt
        return kernel.Outcome(path.stem, notebook=nbformat.read(path, 4))

    monkeypatch.setattr(kernel, "execute", execute)
    paths = [write(tmp_path / f"{name}.ipynb", f"# Lesson {name}") for name in ("01", "02", "03")]
    assert run_lessons.run(paths, out=tmp_path) == 1
    rows = json.loads((tmp_path / "report.json").read_text())
    assert [(row["lesson"], row["status"]) for row in rows] == [("01", "passed"), ("02", "failed")]
    assert "stopped with Ctrl-C" in (tmp_path / "index.html").read_text()
    assert report.cure("stopped with Ctrl-C") != report.cure("the kernel died: no memory")


def lessons_of(tmp_path, *names):
    return [write(tmp_path / f"{name}_x.ipynb", f"# Lesson {name}") for name in names]


def test_two_lessons_at_a_time_but_those_that_compare_speeds_alone_and_none_before_what_it_takes(tmp_path, monkeypatch):
    said, lock = [], threading.Lock()

    def execute(path: Path, env: dict[str, str], **_: object) -> kernel.Outcome:
        with lock:
            said.append(("begins", path.stem[:2], env.get("OMP_NUM_THREADS")))
        time.sleep(0.2 if path.stem[:2] == "04" else 0.05)
        with lock:
            said.append(("ends", path.stem[:2], None))
        return kernel.Outcome(path.stem)

    monkeypatch.setattr(kernel, "execute", execute)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(run_lessons, "cores", lambda: 4)
    assert run_lessons.run(lessons_of(tmp_path, "04", "06", "07", "09", "10"), out=tmp_path, jobs=2) == 0
    order = [(what, number) for what, number, _ in said]
    assert order[:2] == [("begins", "04"), ("begins", "07")]
    assert order.index(("begins", "10")) > max(order.index(("ends", "04")), order.index(("ends", "07")))
    assert order[6:] == [("begins", "06"), ("ends", "06"), ("begins", "09"), ("ends", "09")]
    threads = {number: count for what, number, count in said if what == "begins"}
    assert threads == {"04": "2", "07": "2", "10": "2", "06": None, "09": None}
    rows = json.loads((tmp_path / "report.json").read_text())
    assert [row["lesson"][:2] for row in rows] == ["04", "06", "07", "09", "10"]  # not as they ended


def test_ctrl_c_stops_all_that_run_at_a_time(tmp_path, monkeypatch):
    both = threading.Barrier(3)

    def execute(path: Path, stop: threading.Event, **_: object) -> kernel.Outcome:
        both.wait(20)
        assert stop.wait(20)
        raise KeyboardInterrupt

    def wait(*_: object, **__: object) -> None:
        both.wait(20)
        raise KeyboardInterrupt

    monkeypatch.setattr(kernel, "execute", execute)
    monkeypatch.setattr(run_lessons, "wait", wait)
    assert run_lessons.run(lessons_of(tmp_path, "01", "02", "03"), out=tmp_path, jobs=2) == 1
    rows = json.loads((tmp_path / "report.json").read_text())
    assert [(row["lesson"], row["status"]) for row in rows] == [("01_x", "failed"), ("02_x", "failed")]


@pytest.mark.parametrize("by", ["ctrl-c", "an event"])
def test_ctrl_c_leaves_no_kernel_behind(by, tmp_path, monkeypatch):
    """It is stopped while its only cell runs without end."""
    real, stop = kernel.wait, threading.Event()

    def wait(running, seconds):
        if (tmp_path / "pid").exists() and not (tmp_path / "stopped").exists():
            (tmp_path / "stopped").touch()
            if by == "ctrl-c":
                raise KeyboardInterrupt
            stop.set()
        return real(running, seconds)

    monkeypatch.setattr(kernel, "wait", wait)
    cell = "import os, pathlib\npathlib.Path('pid').write_text(str(os.getpid()))\nwhile True: pass"
    with pytest.raises(KeyboardInterrupt):
        kernel.execute(write(tmp_path / "01_endless.ipynb", cell), stop=stop)
    import psutil

    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))
