"""Every bench runs, quickly and on any machine, and writes the agreed JSON. Nothing here is timed: figures vary."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

BENCH = Path(__file__).resolve().parent.parent / "bench"
SHARED = {"common", "peers"}
BENCHES = sorted(path.stem for path in BENCH.glob("*.py") if path.stem not in SHARED)
WITH_NANOGPT = {"train_throughput"}  # the others fall back to the plain loop
# The least that a nanoGPT checkout's model.py must have, so that the way through --nanogpt is walked too.
STAND_IN = """
from dataclasses import dataclass

import torch


@dataclass
class GPTConfig:
    block_size: int = 64
    vocab_size: int = 65
    n_layer: int = 1
    n_head: int = 1
    n_embd: int = 8
    dropout: float = 0.0
    bias: bool = False


class GPT(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        self.table = torch.nn.Embedding(config.vocab_size, config.vocab_size)
        print("number of parameters: few")

    def forward(self, idx, targets=None):
        logits = self.table(idx)
        return logits, torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())

    def configure_optimizers(self, weight_decay, learning_rate, betas, device_type):
        return torch.optim.AdamW(self.parameters(), lr=learning_rate)
"""


def run(name: str, out: Path, *arguments: str) -> dict:
    """Run a bench as people do, and read what it wrote."""
    command = [sys.executable, str(BENCH / f"{name}.py"), "--quick", "--out", str(out), *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # two threads take turns when other tests use the second core
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"## {name}" in (out / "RESULTS.md").read_text(encoding="utf-8")
    return json.loads((out / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", BENCHES)
def test_every_bench_writes_the_agreed_json(name: str, tmp_path: Path) -> None:
    arguments = []
    if name in WITH_NANOGPT:
        (tmp_path / "model.py").write_text(STAND_IN)
        arguments = ["--nanogpt", str(tmp_path)]
    result = run(name, tmp_path, *arguments)
    assert set(result) == {"name", "machine", "versions", "command", "rows"}
    assert result["name"] == name
    assert {"cpu", "cores", "ram_gb", "date"} <= set(result["machine"])
    assert {"python", "torch"} <= set(result["versions"])
    shown = f"python bench/{name}.py --quick --out PATH" + (" --nanogpt PATH" if arguments else "")
    assert result["command"] == shown  # nobody's folders
    assert ("Peer: nanoGPT." in (tmp_path / "RESULTS.md").read_text(encoding="utf-8")) == bool(arguments)
    assert result["rows"]
    for row in result["rows"]:
        assert {"what", "ours", "peer", "ratio"} <= set(row)
        assert isinstance(row["ours"], int | float)


def test_make_bench_knows_every_bench() -> None:
    lines = (BENCH.parent / "Makefile").read_text(encoding="utf-8").splitlines()
    listed = next(line for line in lines if line.startswith("BENCHES ?="))
    assert sorted(listed.split("=")[1].split()) == BENCHES


@pytest.fixture
def common(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCH))
    import common

    return common


@pytest.fixture
def peers(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(BENCH))
    import peers

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield peers
    torch.set_num_threads(threads)


def test_a_ratio_above_one_is_always_better(common: ModuleType) -> None:
    assert common.row("speed", 20.0, 10.0)["ratio"] == 2
    assert common.row("loss", 1.0, 2.0, better="lower")["ratio"] == 2
    assert common.row("alone", 1.0)["ratio"] is None
    assert common.rounds_row("speed", [1.0, 3.0, 9.0], [1.0, 1.0, 3.0])["ratio"] == 3


def test_goals_are_met_or_missed(common: ModuleType) -> None:
    assert common.row("loss", 1.56, goal="ours <= 1.56")["met"]
    assert not common.row("loss", 1.57, goal="ours <= 1.56")["met"]
    assert common.row("speed", 16.0, 10.0, goal="ratio >= 1.6")["met"]
    assert not common.row("nobody to compare with", 16.0, goal="ratio >= 1.6")["met"]


def test_a_new_section_takes_the_place_of_the_old_one(common: ModuleType) -> None:
    page = common.with_section("", "b", "## b\n\nold figures\n")
    page = common.with_section(page, "a", "## a\n\nothers\n")
    page = common.with_section(page, "b", "## b\n\nnew figures\n")
    assert "old figures" not in page
    assert page.index("## a") < page.index("others") < page.index("## b") < page.index("new figures")
    assert common.with_section(page, "b", "## b\n\nnew figures\n") == page


def test_the_peer_learns_what_it_is_shown(peers: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("abcdefgh\n" * 400)
    text = peers.characters(path, tmp_path)
    assert text.encoding.decode(text.train.tokens[:9].tolist()) == "abcdefgh\n"
    assert np.array_equal(np.fromfile(text.train_bin, np.uint16), text.train.tokens[:-1])
    assert len(text.val) == 360  # the last tenth
    torch.manual_seed(0)
    model = peers.train_as_nanogpt(peers.Plain(), text, steps=12)
    assert peers.whole_loss(model, text.val) < peers.whole_loss(peers.Plain().model(9), text.val) - 0.1


def test_a_folder_without_nanogpt_gets_a_sentence(peers: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"no model\.py"):
        peers.choose_peer(tmp_path)
