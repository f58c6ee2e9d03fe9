"""The runner of the lessons, on tiny notebooks that each test writes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from workshop_utils.command import kernel, report
from workshop_utils.command import run_lessons as lessons
from workshop_utils.machine import record


def write(path: Path, *cells: str) -> Path:
    """Write a notebook: cells that start with # and a space are Markdown."""
    made = [v4.new_markdown_cell(cell) if cell.startswith("# ") else v4.new_code_cell(cell) for cell in cells]
    nbformat.write(v4.new_notebook(cells=made), path)
    return path


def shown(outcome: kernel.Outcome) -> str:
    return "".join(output.get("text", "") for cell in outcome.notebook.cells for output in cell.get("outputs", []))


# --- execute


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """One notebook, executed once for several tests, as if the user had a kernel and start-up files of their own."""
    tmp = tmp_path_factory.mktemp("execute")
    trap = tmp / "jupyter" / "kernels" / "python3"
    trap.mkdir(parents=True)
    (trap / "kernel.json").write_text(
        json.dumps({"argv": ["/bin/false"], "display_name": "trap", "language": "python"})
    )
    startup = tmp / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "trap.py").write_text("from_startup = 1")
    path = write(
        tmp / "01_tiny.ipynb",
        "# A tiny lesson\n## Where am I?",
        "import os, sys\nprint(sys.executable, os.getcwd(), os.environ['WORKSHOP_PROFILE'], os.environ['MARK'])",
        "print('from_startup' in globals())",
        "import time\nheld = bytearray(300_000_000)\ntime.sleep(0.5)\ndel held",
        "import subprocess\nchild = 'import time; x = bytearray(500_000_000); time.sleep(0.7)'\n"
        "done = subprocess.run([sys.executable, '-c', child])",
    )
    seen = []
    cwd = tmp / "elsewhere"
    cwd.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(tmp / "jupyter"))
        patch.setenv("IPYTHONDIR", str(tmp / "ipython"))
        outcome = kernel.execute(path, "pocket", cwd, {"MARK": "marked"}, on_cell=lambda *where: seen.append(where))
    return outcome, cwd, seen


def test_a_lesson_runs_in_this_python_wherever_it_is_started(executed):
    outcome, cwd, _ = executed
    assert (outcome.lesson, outcome.status, outcome.cell, outcome.error) == ("01_tiny", "passed", None, "")
    assert f"{sys.executable} {cwd.resolve()} pocket marked" in shown(outcome)


def test_the_users_own_startup_files_are_not_run(executed):
    assert "False" in shown(executed[0])


def test_the_peak_memory_is_that_of_the_kernel_and_its_children(executed):
    outcome = executed[0]
    assert 540 < outcome.peak_mb < 2000  # the child's 500 MB and the kernel itself
    assert outcome.seconds > 1.2


def test_progress_names_the_cell_and_the_heading(executed):
    assert executed[2] == [(number, 5, "Where am I?") for number in (1, 2, 3, 4, 5)]


def test_a_failing_lesson_names_its_cell_and_the_last_line(tmp_path):
    path = write(tmp_path / "02_bad.ipynb", "# Bad", "x = 1", "raise ValueError('not\\nlike this')", "print('after')")
    outcome = kernel.execute(path)
    assert (outcome.status, outcome.cell, outcome.error) == ("failed", 3, "ValueError: not like this")
    assert "after" not in shown(outcome)


def test_a_killed_kernel_is_told_from_an_error(tmp_path):
    path = write(tmp_path / "03_dead.ipynb", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    outcome = kernel.execute(path)
    assert (outcome.status, outcome.cell) == ("failed", 1)
    assert "the kernel died" in outcome.error


def test_a_cell_that_never_ends_is_stopped(tmp_path):
    outcome = kernel.execute(write(tmp_path / "04_slow.ipynb", "while True: pass"), seconds=1)
    assert outcome.status == "failed"
    assert "longer than" in outcome.error


def test_a_lesson_that_takes_too_long_is_stopped_though_each_of_its_cells_is_quick(tmp_path):
    path = write(tmp_path / "04_long.ipynb", *["import time\ntime.sleep(0.6)"] * 9)
    outcome = kernel.execute(path, seconds=1)
    assert (outcome.status, outcome.error) == ("failed", "the cell was stopped: the lesson took longer than 1 s")
    assert 1 <= outcome.cell < 9


# --- find


def test_lessons_are_found_by_number_name_and_path(tmp_path, monkeypatch):
    for name in ("00_start", "03_build", "11_other"):
        write(tmp_path / f"{name}.ipynb", "# Title")
    monkeypatch.setattr(lessons, "notebooks_folder", lambda: tmp_path)
    names = [path.stem for path in lessons.find(["3", "03", "03_build", "11", str(tmp_path / "00_start.ipynb")])]
    assert names == ["03_build", "03_build", "03_build", "11_other", "00_start"]
    assert [path.stem for path in lessons.find()] == ["00_start", "03_build", "11_other"]
    with pytest.raises(ValueError, match=r"there is no lesson '07': choose from 00_start, 03_build, 11_other"):
        lessons.find(["07"])
    with pytest.raises(FileNotFoundError, match="there is no notebook at"):
        lessons.find(["nowhere/03.ipynb"])


def test_without_a_checkout_a_sentence_says_where_the_lessons_are(monkeypatch):
    monkeypatch.setattr(lessons, "checkout", lambda: None)
    with pytest.raises(FileNotFoundError, match="Clone the repository"):
        lessons.find()


def test_without_what_runs_notebooks_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setattr(lessons, "find_spec", lambda package: None)
    with pytest.raises(ModuleNotFoundError, match=r"nbclient is missing.*pip install 'slm-workshop\[lab\]'"):
        lessons.run()


# --- run


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A run of three lessons: the first fails, the second is no notebook, the third shows a picture and a badge."""
    tmp = tmp_path_factory.mktemp("run")
    badge = "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/x)"
    bad = write(tmp / "01_bad.ipynb", "# Bad <one>", "raise KeyError('<b>x</b>')")
    broken = tmp / "02_broken.ipynb"
    broken.write_text("{")
    picture = "import matplotlib.pyplot as plt\nfig, ax = plt.subplots(figsize=(1, 1))"
    html = "from IPython.display import HTML\nHTML('<b>coloured</b>')"
    slider = "import ipywidgets\nipywidgets.IntSlider()"
    fine = write(
        tmp / "03_fine.ipynb", f"# Fine\n{badge}\n<img src='https://x.org/a.png' alt='A hat'>", picture, html, slider
    )
    code = lessons.run([bad, broken, fine], profile="pocket", out=tmp / "out", quiet=True)
    return code, tmp / "out"


def test_a_failing_lesson_stops_only_itself_and_fails_the_run(ran):
    code, out = ran
    rows = json.loads((out / "report.json").read_text())
    assert code == 1
    assert [(row["lesson"], row["status"]) for row in rows] == [
        ("01_bad", "failed"),
        ("02_broken", "failed"),
        ("03_fine", "passed"),
    ]
    assert all(set(row) == {"lesson", "status", "seconds", "peak_mb"} for row in rows)
    assert rows[2]["seconds"] > 0
    assert rows[2]["peak_mb"] > 10


def test_the_index_links_the_pages_and_says_what_failed(ran):
    page = (ran[1] / "index.html").read_text()
    for expected in (
        'href="01_bad.html"',
        'href="03_fine.html"',
        "Bad &lt;one&gt;",
        "stopped in cell 2",
        "KeyError: &#39;&lt;b&gt;x&lt;/b&gt;&#39;",
        "no notebook",
        "2 failed",
        "pocket",
        "Python 3.",
    ):
        assert expected in page
    assert 'href="02_broken.html"' not in page


def test_the_pages_fetch_nothing_and_still_show_everything(ran):
    out = ran[1]
    for page in out.glob("*.html"):
        assert report.external_requests(page.read_text()) == []
    page = (out / "03_fine.html").read_text()
    assert "data:image/png;base64," in page
    assert 'alt="Figure of the section “Fine”"' in page
    assert "<b>coloured</b>" in page
    assert ">Open in Colab</a>" in page
    assert "A hat" in page
    assert "jupyter.widget" not in page
    assert (out / "03_fine.ipynb").exists()


def test_the_page_shows_the_last_state_of_a_line_of_progress():
    states = [v4.new_output("stream", name="stdout", text=f"step {n}, loss 3.{n}\r") for n in range(1, 4)]
    cell = v4.new_code_cell("train()", outputs=[*states, v4.new_output("stream", name="stdout", text="step 4\ndone\n")])
    page = report.lesson_page(v4.new_notebook(cells=[cell]), "a lesson")
    assert "step 4\ndone" in page
    assert "step 3" not in page
    assert len(cell.outputs) == 4  # the notebook stays as it ran


def test_the_page_shows_the_error(ran):
    assert "KeyError" in (ran[1] / "01_bad.html").read_text()


@pytest.mark.parametrize(
    "page",
    [
        '<script src="https://cdn.org/a.js"></script>',
        "<script src=https://cdn.org/a.js></script>",
        '<link rel="stylesheet" href="//fonts.org/a.css">',
        "<img alt='x' src='http://x.org/a.png'>",
        "<style>@import 'https://x.org/a.css'</style>",
        "<style>a { background: url(https://x.org/a.png) }</style>",
    ],
)
def test_external_requests_are_seen(page):
    assert report.external_requests(page)


def test_links_to_click_on_are_no_requests():
    assert report.external_requests('<a href="https://x.org">x</a><img src="data:image/png;base64,AA">') == []


def test_ctrl_c_writes_the_report_so_far(tmp_path):
    first = write(tmp_path / "01_first.ipynb", "# First", "print(1)")
    second = write(tmp_path / "02_second.ipynb", "# Second", "import time\ntime.sleep(600)")
    third = write(tmp_path / "03_third.ipynb", "# Third")
    out = tmp_path / "out"
    paths = [str(first), str(second), str(third)]
    program = f"from workshop_utils.command.run_lessons import run; raise SystemExit(run({paths}, out={str(out)!r}))"
    with subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not (out / "01_first.html").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(1.5)  # into the second lesson
        os.kill(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    rows = json.loads((out / "report.json").read_text())
    assert process.returncode == 1
    assert [(row["lesson"], row["status"]) for row in rows] == [("01_first", "passed"), ("02_second", "failed")]
    assert "stopped with Ctrl-C" in errors
    assert "stopped with Ctrl-C" in (out / "index.html").read_text()


def test_every_kind_of_end_has_a_cure():
    errors = (
        "ModuleNotFoundError: No module named 'trl'",
        "the kernel died: ... out of memory",
        "stopped with Ctrl-C",
        "",
    )
    assert len({report.cure(error) for error in errors}) == 4


def test_the_stamp_says_profile_machine_versions_and_date(capsys):
    pytest.importorskip("workshop_utils.machine.profiles")
    record.stamp()
    lines = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert lines == ["profile", "machine", "versions", "date"]
