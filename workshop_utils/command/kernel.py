"""Execute one notebook in a clean kernel of the running Python, and measure its time and memory."""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from workshop_utils.machine.sentences import one_line, without_secrets

if TYPE_CHECKING:
    from nbformat import NotebookNode

CELL_SECONDS = 20 * 60  # that a cell may take


@dataclass
class Outcome:
    """How a lesson went."""

    lesson: str  # the notebook's name without its ending, as in "04_train_a_gpt"
    status: str = "passed"  # or "failed"
    seconds: float = 0.0  # from the start of the kernel to its end
    peak_mb: float = 0.0  # most memory that the kernel and its children held at once, in MB (10**6 bytes)
    notebook: NotebookNode | None = field(default=None, repr=False)  # with its outputs, up to the cell that failed
    cell: int | None = None  # number of the cell that failed, counted from 1
    error: str = ""  # the last line of the error, as in "ValueError: ..."


def execute(
    notebook: Path | NotebookNode,
    profile: str | None = None,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    on_cell: Callable[[int, int], None] | None = None,
    seconds: float = math.inf,
    stop: Event | None = None,
) -> Outcome:
    """Execute one notebook in a fresh kernel of the Python that is running, up to its first error.

    Args:
        notebook: its file, or its content (which is then filled with outputs).
        profile: handed on as WORKSHOP_PROFILE.
        cwd: where the kernel starts; beside the notebook unless told, as in JupyterLab.
        env: further environment variables of the kernel.
        on_cell: called with the cell's number and the number of cells.
        seconds: that all cells together may take.
        stop: once it is set, the kernel is killed and KeyboardInterrupt raised, as by Ctrl-C in the main thread.

    Returns:
        How it went; errors of the notebook are in there, not raised.

    Raises:
        ValueError: the file holds no notebook.
    """
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient

    path = notebook if isinstance(notebook, Path) else Path("notebook")
    content = _read(path) if isinstance(notebook, Path) else notebook
    outcome, start = Outcome(path.stem, notebook=content), time.perf_counter()

    def cell_starts(cell: Any, cell_index: int) -> None:
        outcome.cell = cell_index + 1
        if on_cell:
            on_cell(cell_index + 1, len(content.cells))

    client = NotebookClient(
        content,
        # without folders of kernels there is only the one of sys.executable, whatever the user has installed
        km=AsyncKernelManager(kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[])),
        timeout_func=lambda _: max(0.001, min(CELL_SECONDS, start + seconds - time.perf_counter())),  # 0 is no limit
        resources={"metadata": {"path": str(cwd or path.parent)}},
        extra_arguments=["--log-level=ERROR"],  # it warns about plain TCP, which stays on this machine
        on_cell_start=cell_starts,
    )
    with tempfile.TemporaryDirectory(prefix="workshop-kernel-", ignore_cleanup_errors=True) as scratch:
        # A kernel without the user's own start-up files and settings, which a lesson must not depend on.
        environment = {**os.environ, **(env or {}), "IPYTHONDIR": scratch}
        environment.pop("MPLBACKEND", None)  # or figures would not be shown in the notebook
        if profile:
            environment["WORKSHOP_PROFILE"] = profile
        error, peak_bytes = _watched(client, environment, stop)
    outcome.seconds = round(time.perf_counter() - start, 1)
    outcome.peak_mb = round(peak_bytes / 1e6, 1)
    if error is None:
        outcome.cell = None
    else:
        outcome.status, outcome.error = "failed", _last_line(error)
    return outcome


def _read(path: Path) -> NotebookNode:
    """Read a notebook as far as running and showing it needs; what scripts and converters leave out matters nothing."""
    import nbformat

    try:
        content = nbformat.read(path, as_version=4)
        for cell in content.cells:
            if cell.cell_type not in ("code", "markdown", "raw") or not isinstance(cell.source, str):
                raise ValueError("a cell has another kind, or no source")
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        if not all(isinstance(part.metadata, dict) for part in (content, *content.cells)):
            raise ValueError("its metadata are none")
    except Exception as error:  # for JSON that is no notebook nbformat raises nearly anything
        raise ValueError(
            f"{path.name} is no notebook ({' '.join(one_line(error).split())[:200]}): open it in JupyterLab, or copy "
            "it again"
        ) from error
    return content


def _watched(client: Any, environment: dict[str, str], stop: Event | None = None) -> tuple[BaseException | None, int]:
    """Run a client in a thread, so that Ctrl-C ends us at once and leaves no kernel behind.

    Returns:
        What it raised, and the most bytes that the kernel and its children held at once.
    """
    import psutil

    def processes() -> list[psutil.Process]:
        pid = getattr(getattr(client.km, "provisioner", None), "pid", None)
        return [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)] if pid else []

    peak = 0
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(client.execute, env=environment, cleanup_kc=True)
        try:
            while not wait([running], 0.1).done:
                if stop is not None and stop.is_set():
                    raise KeyboardInterrupt
                with suppress(psutil.Error):  # one of them has just ended
                    peak = max(peak, sum(process.memory_info().rss for process in processes()))
        except KeyboardInterrupt:
            while not wait([running], 0.1).done:  # again and again: the kernel may be about to start
                with suppress(psutil.Error):
                    for process in reversed(processes()):
                        process.kill()
            raise
        return running.exception(), peak


def _last_line(error: BaseException) -> str:
    """Put the error that ended a notebook into one line."""
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    if isinstance(error, CellTimeoutError):
        return "the cell was stopped, since its time was over"
    if isinstance(error, DeadKernelError):
        return "the kernel died: most often the machine ran out of memory"
    if isinstance(error, CellExecutionError):
        return without_secrets(f"{error.ename}: {' '.join(error.evalue.split())}")[:300]
    return one_line(error)
