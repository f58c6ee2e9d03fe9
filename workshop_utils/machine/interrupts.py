"""Ctrl-C, Jupyter's stop button, as a request that long work honours when it can."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interrupts() -> Iterator[list[int]]:
    """Turn the first Ctrl-C into a note, so that a step is never cut in half; the list is empty until then."""
    noted: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield noted  # signals only reach the main thread
        return
    before = signal.getsignal(signal.SIGINT)

    def note(number: int, frame: object) -> None:
        noted.append(number)
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, before)
