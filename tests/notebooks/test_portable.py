"""The portable cells of a lesson do its whole job without this package, as a learner would paste them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60  # a lesson's cells take at most 20 s on a quiet machine

# What the cell before them sets, here with a small text and few steps: by the lesson's number.
SETTINGS: dict[str, str] = {
    "04": """
import numpy as np

DATA = {"train": np.arange(5_000, dtype=np.uint16) % 60, "val": np.arange(700, dtype=np.uint16) % 60}
CONFIG = GPTConfig(block_size=32, vocab_size=64, n_layer=1, n_head=2, n_embd=32)
DEVICE, DTYPE, COUNTRY, FOLDER = "cpu", "bfloat16", "GBR", "out"
STEPS, BATCH, PARTS, RATE = 20, 2, 2, 3e-3
""",
}
# Whose portable cells are pasted before those of a lesson.
BEFORE = {"04": "03"}
# Where lesson 03 has no portable cells yet.
GPT = """
from types import SimpleNamespace as GPTConfig
import torch


class GPT(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        self.table = torch.nn.Embedding(config.vocab_size, config.vocab_size)
        self.shift = torch.nn.Parameter(torch.zeros(config.vocab_size))

    def forward(self, x, y):
        logits = self.table(x) + self.shift
        return logits, torch.nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten())
"""

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
    cells = nbformat.read(path, as_version=4).cells
    return [cell.source for cell in cells if "portable" in cell.metadata.get("tags", [])]


def alone(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run code in a new process, in an empty folder, without workshop_utils and without a network."""
    (folder / "code.py").write_text(code)
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests" / "offline")}
    command = [sys.executable, "code.py"]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )


def test_the_package_cannot_be_had_in_there(tmp_path):
    assert "portable cells use nothing" in alone(BLOCKED + "import workshop_utils.gpt", tmp_path).stderr


@pytest.mark.parametrize("number", sorted(SETTINGS))
def test_portable_cells_run_alone(number, tmp_path):
    cells = portable(number)
    assert cells, "no cell is tagged portable"
    before = BEFORE.get(number, "")
    earlier = [SETTINGS[before], *portable(before)] if before in SETTINGS else [GPT] if before else []
    done = alone("\n\n".join([BLOCKED, *earlier, SETTINGS[number], *cells]), tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert not any(re.search(r"\bprofile\b", cell) for cell in cells)


def test_every_lesson_with_portable_cells_is_tried():
    lessons = {path.name[:2] for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert {number for number in lessons if portable(number)} == set(SETTINGS)
