"""Find the lessons, run them, one after the other or several at a time, and leave their pages and a report.

`workshop run` and `make workshop` call run().
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from workshop_utils.machine.hardware import checkout, cores

if TYPE_CHECKING:
    from workshop_utils.command.kernel import Outcome

STOPPED = "stopped with Ctrl-C"
AFTER = {"09": {"07"}, "10": {"04", "07"}}  # lessons that take what another one of the same run leaves
ALONE = {"06", "09"}  # they compare speeds


def notebooks_folder() -> Path:
    """Return the folder of the lessons in the checkout that this package runs from.

    Raises:
        FileNotFoundError: the package was installed without a checkout.
    """
    root = checkout()
    if root is None:
        raise FileNotFoundError(
            "the lessons are files of the project's repository, not of the installed package: clone it and run "
            "`make workshop` there, or give the path of a notebook"
        )
    return root / "notebooks"


def find(names: Sequence[str | Path] = ()) -> list[Path]:
    """Find lessons by number, by name or by path.

    Args:
        names: as in "3", "03", "03_build_a_gpt" or "somewhere/lesson.ipynb"; all lessons if empty.

    Returns:
        The notebooks, in the order of the names, or of the numbers for all.

    Raises:
        ValueError: no lesson goes by a name.
        FileNotFoundError: there is no folder of lessons, or no file at a path.
    """
    return [_find_one(str(name)) for name in names] if names else sorted(notebooks_folder().glob("*.ipynb"))


def run(lessons: Sequence[str | Path] = (), out: Path | None = None, jobs: int = 1) -> int:
    """Run lessons and write their pages, index.html and report.json.

    A lesson that fails stops itself, not the others. Ctrl-C stops the run and writes the report so far.

    Args:
        lessons: names as find() takes them; all lessons if empty.
        out: folder for the report; build/workshop in the checkout unless told.
        jobs: how many run at a time, each on its share of the cores; those that compare speeds run last and alone.

    Returns:
        0 if every lesson passed, else 1.

    Raises:
        ValueError: no lesson goes by one of the names.
        FileNotFoundError: there is no folder of lessons.
        ModuleNotFoundError: what runs notebooks is not installed.
    """
    from rich.console import Console

    from workshop_utils.command import report

    for package in ("nbclient", "nbconvert", "ipykernel"):
        if find_spec(package) is None:
            raise ModuleNotFoundError(f"{package} is missing, which runs notebooks: pip install 'slm-workshop[lab]'")
    paths = find(lessons)
    out = out or (checkout() or Path.cwd()) / "build" / "workshop"
    out.mkdir(parents=True, exist_ok=True)
    outcomes: list[Outcome] = []
    console = Console(stderr=True, highlight=False)
    with console.status("") as status:
        at: dict[str, str] = {}

        def show(lesson: str, number: int, cells: int) -> None:
            at[lesson] = f"{lesson}  cell {number} of {cells}"
            status.update("   ".join(at.values()))

        for outcome in _run_many(paths, jobs, show) if jobs > 1 else (_run_one(path, show) for path in paths):
            at.pop(outcome.lesson, None)
            outcomes.append(outcome)
            outcomes.sort(key=lambda one: [path.stem for path in paths].index(one.lesson))
            report.write_lesson(outcome, out)
            report.write_report(outcomes, out)  # after each lesson, so that there is always one to look at
            took = f"{outcome.seconds / 60:.1f} min, {outcome.peak_mb:.0f} MB at most"
            line = f"{outcome.status}  {outcome.lesson}  {took}"
            if outcome.error:
                line += f"\n        {f'in cell {outcome.cell}: ' if outcome.cell else ''}{outcome.error}"
            console.print(line, style="red" if outcome.error else "green", markup=False)
            if outcome.error == STOPPED and jobs == 1:  # several end by themselves
                break
    console.print(f"The lessons with their outputs: {out / 'index.html'}", soft_wrap=True)
    return 0 if [outcome.status for outcome in outcomes] == ["passed"] * len(paths) else 1


def _find_one(name: str) -> Path:
    path = Path(name)
    if path.suffix == ".ipynb":
        if not path.is_file():
            raise FileNotFoundError(f"there is no notebook at {path}: check the path, or give a lesson's number")
        return path.resolve()
    known = find()
    number = f"{int(name):02d}" if name.isdecimal() else name
    for notebook in known:
        if name == notebook.stem or number == notebook.stem.split("_")[0]:
            return notebook
    raise ValueError(f"there is no lesson {name!r}: choose from {', '.join(notebook.stem for notebook in known)}")


def _run_many(paths: Sequence[Path], jobs: int, show: Callable[[str, int, int], None]) -> Iterator[Outcome]:
    """Execute some lessons at a time; yields each as it ends. Ctrl-C stops those that run."""
    threads = str(max(1, cores() // jobs))
    env = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", threads)}
    stop, waiting = Event(), list(paths)
    running: dict[Future[Outcome], Path] = {}
    with ThreadPoolExecutor(jobs) as pool:
        try:
            while waiting or running:
                unfinished = {_number(path) for path in (*waiting, *running.values())}
                for path in [*waiting]:
                    number = _number(path)
                    together = number not in ALONE and not AFTER.get(number, set()) & unfinished
                    last = not running and all(_number(other) in ALONE for other in waiting)
                    if len(running) < jobs and (together or last):
                        waiting.remove(path)
                        running[pool.submit(_run_one, path, show, stop, {} if last else env)] = path
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    del running[future]
                    yield future.result()
        except KeyboardInterrupt:
            stop.set()
            yield from (future.result() for future in running)
        finally:
            stop.set()  # whoever reads this may be stopped, too


def _number(path: Path) -> str:
    return path.stem.partition("_")[0]


def _run_one(
    path: Path,
    show: Callable[[str, int, int], None],
    stop: Event | None = None,
    env: dict[str, str] | None = None,
) -> Outcome:
    """Execute a lesson; Ctrl-C and a file that is no notebook end it like an error."""
    from workshop_utils.command.kernel import Outcome, execute

    try:
        return execute(path, on_cell=partial(show, path.stem), stop=stop, env=env)
    except KeyboardInterrupt:
        return Outcome(path.stem, status="failed", error=STOPPED)
    except ValueError as error:  # the file is no notebook
        return Outcome(path.stem, status="failed", error=str(error))
