"""Execute one notebook in a clean kernel of the running Python, and measure its time and memory.

Used by run_lessons.py, by tools/notebooks.py and by the tests of the lessons.
"""

from __future__ import annotations

import math
import os
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psutil
    from nbformat import NotebookNode

CELL_TIMEOUT_SECONDS = 20 * 60


@dataclass
class Outcome:
    """How a lesson went.

    Attributes:
        lesson: the notebook's name without its ending, as in "04_train_a_gpt".
        status: "passed" or "failed".
        seconds: from the start of the kernel to its end.
        peak_mb: most memory that the kernel and its children held at once, in MB (10**6 bytes).
        notebook: the notebook with its outputs, up to the cell that failed.
        cell: number of the cell that failed, counted from 1; None if none did.
        error: the last line of the error, as in "ValueError: ...".
        interrupted: whether Ctrl-C ended it.
    """

    lesson: str
    status: str = "passed"
    seconds: float = 0.0
    peak_mb: float = 0.0
    notebook: NotebookNode | None = field(default=None, repr=False)
    cell: int | None = None
    error: str = ""
    interrupted: bool = False


def execute(
    notebook: Path | NotebookNode,
    profile: str | None = None,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    on_cell: Callable[[int, int, str], None] | None = None,
    timeout: int = CELL_TIMEOUT_SECONDS,
    seconds: float | None = None,
) -> Outcome:
    """Execute one notebook in a fresh kernel of the Python that is running, up to its first error.

    Args:
        notebook: its file, or its content (which is then filled with outputs).
        profile: handed on as WORKSHOP_PROFILE.
        cwd: where the kernel starts; beside the notebook unless told, as in JupyterLab.
        env: further environment variables of the kernel.
        on_cell: called with the cell's number, the number of cells, and the heading above it.
        timeout: seconds that a cell may take.
        seconds: that all cells together may take, counted from now; None sets no limit.

    Returns:
        How it went; errors of the notebook are in there, not raised.
    """
    import nbformat
    from nbclient import NotebookClient

    name = notebook.stem if isinstance(notebook, Path) else "notebook"
    if isinstance(notebook, Path):
        cwd = cwd or notebook.parent
        content = nbformat.read(notebook, as_version=4)
    else:
        content = notebook
    outcome = Outcome(name, notebook=content)
    headings = _headings(content)
    meter = _MemoryMeter()

    def cell_starts(cell: Any, cell_index: int) -> None:
        outcome.cell = cell_index + 1
        if on_cell:
            on_cell(cell_index + 1, len(headings), headings[cell_index])

    def kernel_started(**_: Any) -> None:
        meter.follow(getattr(getattr(client.km, "provisioner", None), "pid", None))

    start = time.perf_counter()

    def longest(_: Any) -> float:
        """Seconds for the next cell, never 0: nbclient takes that for no limit."""
        left = math.inf if seconds is None else start + seconds - time.perf_counter()
        return max(0.001, min(timeout, left))

    client = NotebookClient(
        content,
        km=_kernel_of_this_python(),
        timeout_func=longest,
        resources={"metadata": {"path": str(cwd or Path.cwd())}},
        extra_arguments=["--log-level=ERROR"],  # it warns about plain TCP, which stays on this machine
        on_notebook_start=kernel_started,
        on_cell_start=cell_starts,
    )
    with tempfile.TemporaryDirectory(prefix="workshop-kernel-", ignore_cleanup_errors=True) as scratch:
        # A kernel without the user's own start-up files and settings, which a lesson must not depend on.
        environment = {**os.environ, **(env or {}), "IPYTHONDIR": scratch}
        environment.pop("MPLBACKEND", None)  # or figures would not be shown in the notebook
        if profile:
            environment["WORKSHOP_PROFILE"] = profile
        error = _in_a_thread(lambda: client.execute(env=environment, cleanup_kc=True), meter)
    outcome.seconds = round(time.perf_counter() - start, 1)
    outcome.peak_mb = round(meter.peak_bytes / 1e6, 1)
    if error is None:
        outcome.cell = None
    else:
        limit = f"it took longer than {timeout / 60:.0f} minutes"
        if seconds is not None and outcome.seconds >= seconds:
            limit = f"the lesson took longer than {seconds:.0f} s"
        outcome.status, outcome.error = "failed", _last_line(error, limit)
    return outcome


def _kernel_of_this_python() -> Any:
    """Make a kernel manager that starts sys.executable, whatever kernels the user has installed."""
    from ipykernel.kernelspec import get_kernel_dict
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    class ThisPython(KernelSpecManager):
        def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
            return KernelSpec(resource_dir="", **get_kernel_dict())

    return AsyncKernelManager(kernel_name="python3", kernel_spec_manager=ThisPython())


class _MemoryMeter:
    """Watches how much memory a process and its children hold."""

    def __init__(self) -> None:
        self.peak_bytes = 0
        self._process: psutil.Process | None = None

    def follow(self, pid: int | None) -> None:
        import psutil

        self._process = psutil.Process(pid) if pid else None

    def processes(self) -> list[psutil.Process]:
        import psutil

        try:
            return [self._process, *self._process.children(recursive=True)] if self._process else []
        except psutil.Error:  # it has ended
            return []

    def sample(self) -> None:
        import psutil

        held = 0
        for process in self.processes():
            try:
                held += process.memory_info().rss
            except psutil.Error:  # it ended between the two questions
                continue
        self.peak_bytes = max(self.peak_bytes, held)

    def kill(self) -> None:
        import psutil

        for process in reversed(self.processes()):
            try:
                process.kill()
            except psutil.Error:
                continue


def _in_a_thread(work: Callable[[], Any], meter: _MemoryMeter) -> Exception | None:
    """Run work beside the memory meter, so that Ctrl-C reaches us at once; return the exception that it raised."""
    errors: list[Exception] = []

    def catching() -> None:
        try:
            work()
        except Exception as error:  # reported as the lesson's outcome
            errors.append(error)

    thread = threading.Thread(target=catching, daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(0.1)
            meter.sample()
    except KeyboardInterrupt:
        meter.kill()
        thread.join(10)
        raise
    return errors[0] if errors else None


def _last_line(error: Exception, limit: str) -> str:
    """Put the error that ended a notebook into one line."""
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    if isinstance(error, CellExecutionError):
        return f"{error.ename}: {' '.join(error.evalue.split())}"[:300]
    if isinstance(error, CellTimeoutError):
        return f"the cell was stopped: {limit}"
    if isinstance(error, DeadKernelError):
        return "the kernel died: most often the machine ran out of memory"
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]


def _headings(notebook: NotebookNode) -> list[str]:
    """Return for every cell the last Markdown heading at or above it."""
    headings, last = [], ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            titles = [line.lstrip("# ") for line in cell.source.splitlines() if line.startswith("#")]
            last = titles[-1] if titles else last
        headings.append(last)
    return headings
