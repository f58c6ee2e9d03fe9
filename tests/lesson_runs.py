"""Executes whole lessons for the tests, each once, in processes of their own beside the other tests.

There are three ways: "t4" as on a machine with one T4, with other right answers than the package's; "qwen" untouched,
for somebody who has not accepted Gemma's licence; and "solved" in the pocket profile, again with other answers.
"""

from __future__ import annotations

import json
import os
import re
import signal
import tempfile
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest import mock

import nbformat
import tiny_hub
from filelock import FileLock
from nbformat import v4
from other_answers import IMPORTS, OTHER

import notebooks as tool
from workshop_utils.command import kernel
from workshop_utils.machine import profiles

ROOT = Path(__file__).resolve().parents[1]
LESSONS = {path.name[:2]: path for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}
OFFLINE = str(ROOT / "tests" / "offline")  # no network; and a GPU, where it is asked for
LONGEST = ("07", "06", "04", "05")  # are begun first; 07 has 09 and 10 behind it
Ask = tuple[str, str]  # the way and the number of a lesson

# What is long in a lesson although WORKSHOP_HURRY is set: fewer updates, shorter replies, no other cell. `make
# workshop` runs all of it at full length.
SHORTER: dict[str, dict[str, str]] = {
    "04": {
        "max_new_tokens=255": "max_new_tokens=40",
        "range(70)": "range(8)",
        "steps=60, warmup": "steps=40, warmup",  # the rate of .3 overflows at step 23
        "step == 30": "step == 6",
        "steps=40, checkpoint_every=10": "steps=8, checkpoint_every=2",
    },
    "05": {"model.generate(asked, 40)": "model.generate(asked, 8)"},
    "06": {"RATE = 200, 128": "RATE = 10, 32", "steps=300, batch": "steps=10, batch", "_batches=40": "_batches=2"},
    "07": {", 80, temperature=0.6": ", 12, temperature=0.6"},
    "08": {"tokens=80": "tokens=24"},
    "09": {
        "table_size(profile)": "TableSize(20, 12, 8, 8, 8)",
        '"repeats": 2': '"repeats": 1',
        "learnt[:32]": "learnt[:4]",
    },
    "10": {
        "tokens=80)": "tokens=12)",
        "requests], 200)": "requests], 40)",
        "* N, 240": "* N, 40",
        "=200)": "=40)",
        "STEPS, folder": "STEPS, 300, 50, folder",
        '"chats": 2_000': '"chats": 300',
        '_tokens": 100': '_tokens": 9',
        "[ids], 100": "[ids], 9",
        "(ids, 100)": "(ids, 9)",
    },
    "11": {
        "TRAIN_SECONDS = 2": "TRAIN_SECONDS = 1",
        "texts(120, seed": "texts(24, seed",
        'kinds("train", 320)': 'kinds("train", 40)',
        'kinds("test", 200)': 'kinds("test", 40)',
        '"train", 2560)': '"train", 160)',
        '"test", 150': '"test", 30',
        "pairs(1600), steps=50": "pairs(200), steps=6",
    },
}

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


@dataclass
class Executed:
    """What came of a lesson.

    Attributes:
        outcome: of its execution, without the notebook.
        cells: the tags of each cell of code, and what it printed.
        refused: hosts that it asked for.
        figures: title and labels of each picture.
    """

    outcome: kernel.Outcome
    cells: list[tuple[list[str], str]]
    refused: set[str]
    figures: list[dict[str, Any]]

    def passed(self, max_peak_mb: float) -> None:
        """See that no cell failed, and that memory was enough."""
        assert self.outcome.status == "passed", f"cell {self.outcome.cell}: {self.outcome.error}"
        assert self.outcome.peak_mb < max_peak_mb

    def solved(self) -> None:
        """See that each exercise was right, and that pictures have titles and labels."""
        for tags, shown in self.cells:
            assert "exercise" not in tags or " right: " in shown, shown
        for figure in self.figures:
            assert figure["title"], f"a figure without a title: {figure}"
            assert all(x and y for x, y in figure["labels"]), f"a figure without labels: {figure}"


class Lessons:
    """The lessons that a session of pytest asks for, two at a time; the other tests go first where both could run."""

    def __init__(self, wanted: Iterable[Ask]) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="workshop-lessons-", ignore_cleanup_errors=True)
        chains: dict[Ask, list[Ask]] = {}
        for ask in sorted(wanted):
            chains.setdefault(_home_of(ask), []).append(ask)
        # Processes that begin now: whatever a test does to its own does not reach them.
        self.pool = ProcessPoolExecutor(2, get_context("spawn"), _begin)
        self.running = {
            home: self.pool.submit(_run_chain, home, chains[home], Path(self.folder.name))
            for home in sorted(chains, key=lambda home: (*LONGEST, home[1]).index(home[1]))
        }

    def result(self, way: str, number: str) -> Executed:
        """Wait for a lesson."""
        done: dict[Ask, Executed] = self.running[_home_of((way, number))].result()
        return done[way, number]

    def close(self) -> list[str]:
        """Stop what still runs; return a line about each lesson that has ended."""
        if not all(running.done() for running in self.running.values()):
            for process in self.pool._processes.values():  # terminate_workers() from Python 3.14 on
                process.terminate()
        self.pool.shutdown(cancel_futures=True)
        self.folder.cleanup()
        ended = [one for one in self.running.values() if one.done() and not (one.cancelled() or one.exception())]
        done = [(ask, one.outcome) for running in ended for ask, one in running.result().items()]
        return [
            f"lesson {'-'.join(ask)}: {it.seconds:.0f} s, {it.peak_mb:,.0f} MB" for ask, it in sorted(done, key=str)
        ]


def _begin() -> None:
    """Let the tests go first, print nothing between their lines, and leave Ctrl-C to them."""
    os.nice(10)
    signal.signal(signal.SIGINT, lambda *_: None)  # SIG_IGN would be handed on to the kernels
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)


def _home_of(ask: Ask) -> Ask:
    """A home for each lesson; but 09 and 10 take the adapter that 07 leaves."""
    return (ask[0], "07") if ask[1] in ("09", "10") else ask


def _run_chain(home: Ask, asks: list[Ask], work: Path) -> dict[Ask, Executed]:
    """Execute the lessons of a home, one after the other."""
    return {ask: execute(*ask, work, work / f"home-{'-'.join(home)}") for ask in asks}


def execute(way: str, number: str, work: Path, home: Path) -> Executed:
    """Execute one lesson.

    Args:
        way: "t4", "qwen" or "solved".
        number: of the lesson.
        work: folder of all lessons, for the copy of the hub.
        home: the workshop's, for this lesson.
    """
    elsewhere = work / f"{way}-{number}"  # a folder that is not the notebooks'
    elsewhere.mkdir()
    refused, figures = elsewhere / "refused.txt", elsewhere / "figures.jsonl"
    env = {"PYTHONPATH": OFFLINE, "WORKSHOP_HOME": str(home), "WORKSHOP_HURRY": "1", "REFUSED": str(refused)}
    env["OMP_NUM_THREADS"] = "1"  # two lessons run at a time
    lesson = shortened(nbformat.read(LESSONS[number], as_version=4), SHORTER.get(number, {}))
    if way != "qwen":
        lesson = solved_otherwise(lesson)
        env["FIGURES"] = str(figures)
    if way == "solved":
        outcome = kernel.execute(lesson, "pocket", elsewhere, env)
    else:
        env |= {"ONE_GPU": "1", "WORKSHOP_HUB": str(hub(work, way))}
        if kept := MODELS_KEPT.get(number):
            lesson.cells.append(v4.new_code_cell(LOADED_AS.format(kept)))
        with mock.patch.dict(os.environ):
            for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_TOKEN"):  # the hub is open, and nobody may ask it
                os.environ.pop(name, None)
            outcome = kernel.execute(lesson, None, elsewhere, env)  # the machine decides, as in Colab
    lines = figures.read_text().splitlines() if figures.is_file() else []
    asked = set(refused.read_text().split()) if refused.is_file() else set()
    cells = [
        (list(tool.tags(cell)), "".join(output.get("text", "") for output in cell.outputs))
        for cell in lesson.cells
        if cell.cell_type == "code"
    ]
    return Executed(replace(outcome, notebook=None), cells, asked, [json.loads(line) for line in lines])


def shortened(lesson: nbformat.NotebookNode, changes: dict[str, str]) -> nbformat.NotebookNode:
    """Replace in a lesson's code what takes long."""
    for old, new in changes.items():
        cells = [cell for cell in lesson.cells if cell.cell_type == "code" and old in cell.source]
        assert cells, f"no cell has {old!r} any more: SHORTER makes nothing shorter"
        for cell in cells:
            cell.source = cell.source.replace(old, new)
    return lesson


def solved_otherwise(lesson: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Put right answers of another form than the package's own into a lesson (test_exercises: the printed ones)."""
    for i, _ in tool.exercises(lesson):
        source = lesson.cells[i].source
        answer = OTHER[re.search(r'check\("([\d.]+)"', source)[1]].strip()
        lesson.cells[i].source = f"{IMPORTS}\n{tool.solve_cell(source, answer)}"
    lesson.cells.insert(0, v4.new_code_cell(RECORDER))
    return lesson


# Looked at behind the last cell: where a lesson keeps a model of transformers.
MODELS_KEPT = {"01": "instruct", "09": "model"}
LOADED_AS = "print('loaded as', {0}.model.dtype, 'attention', {0}.model.config._attn_implementation)"


def hub(work: Path, way: str) -> Path:
    """The small copy of the hub, built by the first lesson that needs it; for "qwen" without Gemma."""
    whole, without = work / "hub", work / "hub-without-gemma"
    with FileLock(work / "hub.lock"):
        if not without.exists():
            tiny_hub.build(whole, profiles.GEMMA, profiles.PAIRS["t4"])
            without.mkdir()
            for owner in whole.iterdir():
                if owner.name != "google":
                    (without / owner.name).symlink_to(owner)
    return without if way == "qwen" else whole
