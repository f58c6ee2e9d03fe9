"""Run queries that a model wrote, which are not to be trusted, against a fresh database in a process of its own.

Query -> worker.py: read-only, one SELECT, limits of time, rows and memory -> rows, or why there are none.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from workshop_utils.gpt.config import Size, checked

WORKER = Path(__file__).with_name("worker.py")
GRACE = 0.7  # seconds beyond its limit before the process is killed
LINE = 20_000_000  # characters of an answer at most

# Nothing of the environment goes along, such as a token; Windows starts no process without this variable.
_ENVIRONMENT = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}

Value = int | float | str | bytes | None


@dataclass(frozen=True)
class Result:
    """What a query gave.

    Attributes:
        columns: their names.
        rows: each a tuple of values as SQLite holds them.
        error: why there are no rows, as a clause; "" if it ran.
        changed: whether the database is another one than before, which must not happen.
    """

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Value, ...], ...] = ()
    error: str = ""
    changed: bool = False


class Sandbox:
    """A process that runs queries, started when it is first needed and again whenever it had to be killed.

    Use it as a context, or close it: `with Sandbox() as sandbox: sandbox.run(schema, query)`.
    """

    def __init__(self, seconds: float = 2.0, rows: int = 1000, megabytes: int = 256) -> None:
        """Set the limits.

        Args:
            seconds: that a query may take.
            rows: that it may give.
            megabytes: of memory that the process may take, where the system can limit it (not on Windows).
        """
        self.seconds, self.rows, self.megabytes = seconds, checked("rows", rows, Size), megabytes
        self._process: subprocess.Popen[str] | None = None

    def run(self, schema: str, query: str) -> Result:
        """Run a query in a fresh database in memory.

        Args:
            schema: statements that make the tables and fill them.
            query: one SELECT.

        Returns:
            what came of it; whatever the query does, nothing is raised.
        """
        process = self._process
        if process is None or process.poll() is not None:
            command = [sys.executable, "-I", "-S", str(WORKER), str(self.megabytes)]
            pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
            process = self._process = subprocess.Popen(command, text=True, encoding="utf-8", env=_ENVIRONMENT, **pipes)
        request = {"schema": schema, "query": query, "seconds": self.seconds, "rows": self.rows}
        late = threading.Timer(self.seconds + GRACE, process.kill)
        late.start()
        try:
            process.stdin.write(json.dumps(request) + "\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
            line = process.stdout.readline(LINE)  # type: ignore[union-attr]
        except OSError:
            line = ""
        finally:
            late.cancel()
        if not line.endswith("\n"):
            self.close()
            return Result(error=f"stopped: it took more than {self.seconds:g} s, or more memory than allowed")
        return _result(json.loads(line))

    def close(self) -> None:
        """End the process; the next query starts another."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _result(found: dict[str, Any]) -> Result:
    rows = tuple(tuple(_value(value) for value in row) for row in found.get("rows", ()))
    return Result(tuple(found.get("columns", ())), rows, found.get("error", ""), found.get("changed", False))


def _value(value: Any) -> Value:
    return bytes.fromhex(value["hex"]) if isinstance(value, dict) else value
