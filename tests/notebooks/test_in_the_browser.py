"""Lessons in real browsers: JupyterLab and Notebook 7 in Chromium, and a program that shows no widgets.

One cell of lesson 04 in JupyterLab is tried always, whole lessons by `make browsers`, in the sizes of WORKSHOP_HURRY.
Screenshots are kept in build/browsers. No page may ask another host, but for the badge in a lesson's first cell, which
is not let through.
"""

from __future__ import annotations

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Thread

import browser
import nbformat
import pytest
import slide_decks
from lesson_runs import LESSONS, OFFLINE, ROOT
from nbformat.v4 import new_notebook

import slides
from workshop_utils.command import kernel
from workshop_utils.plots.sliders import WIDGET

PICTURES = ROOT / "build" / "browsers"
BADGE = "https://colab.research.google.com/assets/colab-badge.svg"
ERRORS = f"{browser.OUTPUTS}.flat().filter((o) => o.output_type === 'error').map((o) => o.evalue)"
PICTURE = ".jp-OutputArea-output:is(.jp-RenderedImage, .jp-RenderedHTMLCommon)"
SHOWN = f"document.querySelector('.jp-OutputArea:has(.noUi-handle) {PICTURE}').innerHTML"
WITH_A_KNOB = f"{browser.CELLS}.findIndex((c) => c.model.sharedModel.getSource().includes('plots.live('))"
needs_browser = pytest.mark.skipif(bool(slides.missing()), reason=slides.missing())
needs_notebook = pytest.mark.skipif(not find_spec("notebook"), reason="Jupyter Notebook is not installed")


def fresh(lesson: nbformat.NotebookNode, path: Path) -> None:
    """Write a lesson without outputs and execution counts."""
    for cell in lesson.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(lesson, path)


def one_cell() -> nbformat.NotebookNode:
    """The cell of lesson 04 with its two sliders; it needs no other."""
    lesson = nbformat.read(LESSONS["04"], as_version=4)
    return new_notebook(cells=[cell for cell in lesson.cells if "plots.live(" in cell.source], metadata=lesson.metadata)


def run_all_and_move(program: str, path: Path, home: Path, seconds: int) -> None:
    """Open a notebook, run all its cells by the menu, and move its first slider, if it has one, by the keyboard."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    kept = f"{PICTURES / path.stem}-{program}"
    refused = home / "refused.txt"
    env = {"PYTHONPATH": OFFLINE, "WORKSHOP_PROFILE": "pocket", "WORKSHOP_HOME": str(home / "workshop")}
    env |= {"WORKSHOP_HURRY": "1", "REFUSED": str(refused)}
    slider = "plots.live(" in path.read_text(encoding="utf-8")
    steps = [browser.READY_TO_RUN, *browser.RUN_ALL, browser.ALL_RUN, ["eval", f"{ERRORS}.join()"]]
    if slider:
        show = f"jupyterapp.shell.currentWidget.content.scrollToItem({WITH_A_KNOB}, 'start')"
        steps += [["eval", f"{show}.then(() => true)"], ["wait", "document.querySelector('.noUi-handle')"]]
        steps += [["picture", f"{kept}-before.png"], ["eval", f"globalThis.before = {SHOWN}, true"]]
        # Notebook 7 takes the arrow keys for itself, wherever the focus is.
        steps += [["key", ".noUi-handle", "ArrowLeft" if program == "lab" else "Home"]] * 2
        steps += [["wait", f"before.length > 1000 && {SHOWN} !== before"], ["eval", f"{ERRORS}.join()"]]
    steps.append(["picture", f"{kept}.png"])
    with browser.jupyter(program, path.parent, home, env) as at:
        seen = browser.drive(at.format(path.name), *steps, limit=2 * seconds, seconds=seconds, height=1100)
    said = [text for text in seen["steps"] if isinstance(text, str)]
    assert said == [""] * (1 + slider), said
    assert {url for url in seen["requests"] if not url.startswith((at[: at.index("/", 8)], "data:", "blob:"))} <= {
        BADGE
    }
    assert not refused.is_file(), refused.read_text()


@needs_browser
def test_a_slider_moves_a_picture_in_jupyterlab(tmp_path):
    lesson = tmp_path / "lessons" / "one_cell.ipynb"
    lesson.parent.mkdir()
    fresh(one_cell(), lesson)
    run_all_and_move("lab", lesson, tmp_path, 60)


@pytest.mark.browsers
@needs_browser
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("number", ["01", "02", "04", "07", "09"])
def test_a_lesson_runs_in_jupyterlab_and_its_slider_moves_the_picture(number, tmp_path):
    lesson = tmp_path / "lessons" / LESSONS[number].name
    lesson.parent.mkdir()
    fresh(nbformat.read(LESSONS[number], as_version=4), lesson)
    run_all_and_move("lab", lesson, tmp_path, 1500)


@pytest.mark.browsers
@needs_browser
@needs_notebook
def test_lesson_01_runs_in_notebook_7_and_its_slider_moves_the_picture(tmp_path):
    lesson = tmp_path / "lessons" / LESSONS["01"].name
    lesson.parent.mkdir()
    fresh(nbformat.read(LESSONS["01"], as_version=4), lesson)
    run_all_and_move("notebook", lesson, tmp_path, 600)


def shown(lesson: nbformat.NotebookNode) -> list[list[str]]:
    """For each cell, what it shows apart from widgets, as normalised notebooks keep it."""
    shown = [[out.get("data", {}) for out in cell.get("outputs", [])] for cell in lesson.cells]
    return [[" ".join(sorted(data)) for data in outputs if data and WIDGET not in data] for outputs in shown]


@pytest.mark.parametrize("widgets", ["ignored", "missing"])
def test_without_a_widget_manager_the_picture_is_there_and_a_sentence_in_place_of_the_sliders(widgets, tmp_path):
    lesson = one_cell()
    expected = shown(lesson)
    fresh(lesson, tmp_path / "one_cell.ipynb")
    env = {"PYTHONPATH": OFFLINE} | ({"NO_WIDGETS": "1"} if widgets == "missing" else {})
    done = kernel.execute(tmp_path / "one_cell.ipynb", "pocket", tmp_path, env)  # it answers no message of a widget
    assert done.status == "passed", done.error
    assert shown(done.notebook) == expected == [["image/png text/plain"]]
    sentences = [out.data["text/plain"] for out in done.notebook.cells[0].outputs if WIDGET in out.get("data", {})]
    assert all(text.startswith("(Where a program shows widgets, rate, warm-up") for text in sentences)
    assert len(sentences) == (widgets == "ignored")


@pytest.mark.browsers
@pytest.mark.parametrize("number", ["01", "02"])
def test_a_lesson_shows_all_its_pictures_where_ipywidgets_is_missing(number, tmp_path):
    lesson = nbformat.read(LESSONS[number], as_version=4)
    expected = shown(lesson)
    env = {"PYTHONPATH": OFFLINE, "NO_WIDGETS": "1", "WORKSHOP_HOME": str(tmp_path / "home"), "WORKSHOP_HURRY": "1"}
    done = kernel.execute(lesson, "pocket", tmp_path, env)
    assert done.status == "passed", f"cell {done.cell}: {done.error}"
    assert shown(done.notebook) == expected


@pytest.mark.browsers
@needs_browser
def test_slides_turn_by_the_keyboard(tmp_path):
    decks = slide_decks.find(["01"])
    slides.build(decks, tmp_path, pdf=False)
    turns = [("ArrowRight", 2), ("ArrowRight", 3), ("ArrowLeft", 2), ("End", len(decks[0].slides))]
    steps = [step for key, at in turns for step in (["press", key], ["wait", f"location.hash === '#{at}'"])]
    address = (tmp_path / f"{decks[0].name}.html").as_uri()
    PICTURES.mkdir(parents=True, exist_ok=True)
    seen = browser.drive(address, *steps, ["picture", str(PICTURES / "slides.png")])
    assert [url for url in seen["requests"] if not url.startswith(("file:", "data:", "blob:"))] == []


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@pytest.mark.browsers
@needs_browser
def test_the_search_of_the_site_finds_attention():
    site = ROOT / "build" / "site"
    if not (site / "search.html").is_file():
        pytest.skip("there is no site in build/site: make site")
    PICTURES.mkdir(parents=True, exist_ok=True)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site))) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        home = f"http://127.0.0.1:{server.server_address[1]}"
        found = (
            "[...document.querySelectorAll('#search-results li a')].map((a) => a.getAttribute('href').split('?')[0])"
        )
        seen = browser.drive(
            f"{home}/index.html",
            *(["press", "Control+k"], ["wait", "document.activeElement.type === 'search'"]),
            *(["fill", "input[type=search]:focus", "attention"], ["press", "Enter"]),
            ["wait", "location.pathname.endsWith('search.html') && document.querySelector('#search-results li a')"],
            *(["eval", found], ["picture", str(PICTURES / "search.png")]),
        )
        server.shutdown()
    assert any("lessons/03_build_a_gpt" in place for place in seen["said"][-1]), seen["said"]
    assert [url for url in seen["requests"] if not url.startswith((home, "data:", "blob:"))] == []
