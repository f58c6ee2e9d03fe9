"""The portable cells of a lesson, pasted into one program that runs where workshop_utils cannot be imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BEFORE = {"04": "03"}  # whose portable cells are pasted before those of a lesson
BLOCKED = """
import sys


class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "workshop_utils":
            raise ModuleNotFoundError("portable cells use nothing of workshop_utils")


sys.meta_path.insert(0, Blocked())
"""


def portable(number: str) -> list[str]:
    """The sources of a lesson's portable cells, in order."""
    (path,) = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if "portable" in cell["metadata"].get("tags", [])]


def program(number: str, settings: str) -> str:
    """A lesson's portable cells after the settings that they need."""
    earlier = portable(BEFORE[number]) if number in BEFORE else []
    return "\n\n".join([BLOCKED, *earlier, settings, *portable(number)])


def alone(
    code: str, folder: Path, python: str | Path = sys.executable, seconds: float = 120, **options: str
) -> subprocess.CompletedProcess[str]:
    """Run code in a new process, in an empty folder, without a network.

    Args:
        code: of a program.
        folder: where it runs and its file is put.
        python: who runs it.
        seconds: that it may take.
        options: environment variables.
    """
    (folder / "code.py").write_text(code, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests" / "offline"), **options}
    command = [python, "code.py"]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=seconds, check=False
    )
