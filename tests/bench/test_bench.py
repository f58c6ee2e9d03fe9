"""Every bench runs, quickly and on any machine, and writes the agreed JSON. Nothing here is timed: figures vary."""

from __future__ import annotations

import ast
import builtins
import importlib.util
import json
import math
import os
import shutil
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import tiny_models
import torch
from nbformat import v4, write

from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.command import cli
from workshop_utils.gpt import GPT
from workshop_utils.lessons import teach_to_answer
from workshop_utils.lessons.stoic_run import SHIPPED

BENCH = Path(__file__).resolve().parents[2] / "bench"
sys.path.append(str(BENCH))

import common  # noqa: E402
import gpu_parts  # noqa: E402

SHARED = {"common", "peers", "gpu_parts", "run_all", "fault_parts"}
FOR_A_GPU = {"gpu"}  # `make gpu`, and its own tests below
BENCHES = sorted(path.stem for path in BENCH.glob("*.py") if path.stem not in SHARED | FOR_A_GPU)
WITH_NANOGPT = {"train_throughput"}  # the others fall back to the plain loop
# The least that a nanoGPT checkout's model.py must have, so that the way through --nanogpt is walked too.
STAND_IN = """
from types import SimpleNamespace as GPTConfig

import torch


class GPT(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        self.table = torch.nn.Embedding(config.vocab_size, config.vocab_size)
        torch.nn.init.normal_(self.table.weight, std=0.02)

    def forward(self, idx, targets=None):
        logits = self.table(idx)
        return logits, torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())

    def configure_optimizers(self, weight_decay, learning_rate, betas, device_type):
        return torch.optim.AdamW(self.parameters(), lr=learning_rate)

    def generate(self, idx, max_new_tokens):
        return torch.cat([idx, idx.new_zeros(len(idx), max_new_tokens)], dim=1)
"""


def in_one_process(path: str, restarts: int = 0) -> list[str]:
    """Instead of launching a run in two."""
    assert cli.execute(["train", "--config", path]) == 0
    return ["resumed after step 4"]


TINY = {"block_size": 32, "vocab_size": 64, "n_layer": 1, "n_head": 1, "n_embd": 16, "attention": "sdpa"}


def not_run(code: str, folder: Path, **options: Any) -> SimpleNamespace:
    """Instead of running portable cells, as test_portable.py does: do the settings give all names that they read?"""
    nodes = list(ast.walk(ast.parse(code)))
    made = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    made |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    made |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    made |= {(node.asname or node.name).split(".")[0] for node in nodes if isinstance(node, ast.alias)}
    assert {node.id for node in nodes if isinstance(node, ast.Name)} <= made | set(dir(builtins))
    shutil.copytree(SHIPPED, folder / "out")
    return SimpleNamespace(returncode=0, stdout="", stderr="")


def of_few_rows(*args: Any, **settings: Any) -> Any:
    """Instead of drawing from thousands of conversations."""
    return teach_to_answer(*args, **{"chats": 100, "rehearsed": 20} | settings)


# What starts processes or is large, and what is done instead.
PROCESSES: dict[str, dict[str, Any]] = {
    "budget": {
        "measured": lambda name, how, no_gaps=True: sys.modules["bench_budget"].run_gpt(name) or 1e6,
        "BASE": TINY,
    },
    "tokenise": {"peak_gigabytes": lambda *command: 1.0},
    "streaming": {"peak_megabytes": lambda *paths: 1.0},
    "stoic_tuning": {"reload_difference": lambda *args: 0.0},
    "processes": {"together": in_one_process},
    "portable": {"alone": not_run},
    "own_gpt": {"teach_to_answer": of_few_rows},
    "scaling": {"WIDTHS": (16, 32, 48)},
    "lesson04_settings": {"RATES": (1e-3,), "BATCHES": (4,)},
    "web_page": {
        "browser": SimpleNamespace(missing=lambda: ""),
        "measured": lambda rounds: defaultdict(lambda: [1.0], {"elsewhere": [[]]}),
    },
}


@pytest.fixture(autouse=True)
def beside_the_benches(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Few new tokens, and afterwards as many threads as before."""
    threads, generate, stream = torch.get_num_threads(), LanguageModel.generate, GPT.stream

    def a_few(model: LanguageModel, rows: list, n: int, *further: Any, **settings: Any) -> list:
        return generate(model, rows, min(n, 8), *further, **settings)

    monkeypatch.setattr(LanguageModel, "generate", a_few)
    monkeypatch.setattr(GPT, "stream", lambda model, idx, n, **options: stream(model, idx, min(n, 8), **options))
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def loaded(name: str) -> ModuleType:
    """A script of bench/ as a module."""
    spec = importlib.util.spec_from_file_location(f"bench_{name}", BENCH / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


def run(name: str, out: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[dict, str]:
    """Run a bench as people do, but for its processes; return its JSON and its table."""
    module = loaded(name)
    for function, instead in PROCESSES.get(name, {}).items():
        monkeypatch.setattr(module, function, instead)
    monkeypatch.setattr(sys, "argv", [f"bench/{name}.py", "--quick", "--out", str(out), *arguments])
    module.main()
    return json.loads((out / f"{name}.json").read_text(encoding="utf-8")), (out / "RESULTS.md").read_text()


@pytest.mark.parametrize("name", BENCHES)
def test_every_bench_writes_the_agreed_json(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.py").write_text(STAND_IN)
    arguments = ["--nanogpt", str(tmp_path)] if name in WITH_NANOGPT else []
    result, page = run(name, tmp_path, monkeypatch, *arguments)
    assert set(result) == {"name", "machine", "versions", "command", "rows", "notes"}
    assert {"cpu", "cores", "ram_gb", "date"} <= set(result["machine"])
    shown = f"python bench/{name}.py --quick --out PATH" + (" --nanogpt PATH" if arguments else "")
    assert result["command"] == shown  # nobody's folders
    assert f"## {name}" in page
    assert ("Peer: nanoGPT." in page) == bool(arguments)
    assert result["rows"]
    for row in result["rows"]:
        assert {"what", "ours", "peer", "ratio"} <= set(row)
        assert isinstance(row["ours"], int | float)


def test_the_blow_of_processes_falls_on_its_own_run_alone(tmp_path: Path) -> None:
    waits = [sys.executable, "-c", "input()"]
    ranks = {"RANK": "1"}, {"RANK": "0"}, {"RANK": "1"}  # the last one belongs to another run
    configs = "mine.json", "mine.json", "other.json"
    children = [
        subprocess.Popen([*waits, config], env=os.environ | rank, stdin=subprocess.PIPE)
        for config, rank in zip(configs, ranks, strict=True)
    ]
    loaded("processes").kill_second("mine.json", tmp_path)
    for child in children:
        child.communicate(b"\n")
    assert [child.returncode for child in children] == [-signal.SIGKILL, 0, 0]


def test_make_bench_knows_every_bench() -> None:
    lines = (BENCH.parent / "Makefile").read_text(encoding="utf-8").splitlines()
    listed = next(line for line in lines if line.startswith("BENCHES ?="))
    assert sorted(listed.split("=")[1].split()) == BENCHES


def test_ratios_goals_and_sections() -> None:
    assert common.row("speed", 20.0, 10.0)["ratio"] == 2  # above 1 is always better
    assert common.row("loss", 1.0, 2.0, better="lower")["ratio"] == 2
    assert common.row("alone", 1.0)["ratio"] is None
    assert common.rounds_row("speed", [1.0, 3.0, 9.0], [1.0, 1.0, 3.0])["ratio"] == 3
    assert common.row("loss", 1.56, goal="ours <= 1.56")["met"]
    assert not common.row("loss", 1.57, goal="ours <= 1.56")["met"]
    assert not common.row("nobody to compare with", 16.0, goal="ratio >= 1.6")["met"]
    page = common.with_section(common.with_section("", "b", "## b\n\nold figures"), "a", "## a\n\nothers\n")
    page = common.with_section(page, "b", "## b\n\nnew figures\n")
    assert "old figures" not in page
    assert page.index("## a") < page.index("others") < page.index("## b") < page.index("new figures")


# --- bench/gpu.py


@pytest.mark.lessons
def test_the_bench_for_a_gpu_goes_on_after_a_part_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only = ["--only", "generation,qlora,unsloth,lessons", "--lessons", "00", "--minutes", "60"]
    result, page = run("gpu", tmp_path, monkeypatch, *only, "--nanogpt", str(tmp_path / "nowhere"))
    assert "generation failed (there is no model.py in NANOGPT: --nanogpt wants" in page
    assert page.count("failed") == 1
    assert "unsloth was left out: unsloth is not installed." in page
    assert str(tmp_path) not in page + json.dumps(result)  # nobody's folders
    parts = {row["part"]: row for row in reversed(result["rows"])}
    assert set(parts) == {"hub", "qlora", "lessons"}
    assert parts["qlora"]["ours"] > 0
    assert (parts["lessons"]["status"], parts["lessons"]["cell"], parts["lessons"]["error"]) == ("passed", None, "")
    assert parts["lessons"]["ram_gb"] > 0.1


def test_training_and_generation_are_compared_with_nanogpt(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(STAND_IN)
    job = gpu_parts.Job("trial", str(tmp_path), 60, tiny=True, nanogpt=str(tmp_path))
    gpu_parts.throughput(job)
    gpu_parts.ablations(job)
    gpu_parts.generation(job)
    assert json.loads((tmp_path / "trial.found.json").read_text())["rows"] == job.rows
    assert not job.notes  # of pieces that failed
    assert sum("peer: without" in row["what"] for row in job.rows) == 5 + 4 + 2  # also of the peak of memory
    losses = [row for row in job.rows if "loss after" in row["what"]]
    assert len(losses) == 2  # eager and compiled
    assert all(max(row["ours"], row["peer"]) < math.log(128) + 0.1 for row in losses)
    assert all(row["ratio"] > 0 for row in job.rows if row["peer"] and row not in losses)


@pytest.mark.parametrize(("family", "n"), [("gemma2", 2_614_341_888), ("qwen2", 1_543_714_304)])
def test_the_real_shapes_have_as_many_parameters_as_on_the_hub(family: str, n: int) -> None:
    shape = dict(gpu_parts.REAL[family])
    rows = shape.pop("tokens") + shape.pop("spare_rows")
    with torch.device("meta"):
        model = tiny_models.model(family, vocab_size=rows, tie_word_embeddings=True, **shape)
    assert model.num_parameters() == n


def test_a_tokenizer_of_a_real_size_still_knows_its_words() -> None:
    small, large = tiny_models.tokenizer("qwen2"), tiny_models.tokenizer("qwen2", size=20_000)
    text = "What colour is a banana?"
    assert large(text)["input_ids"] == small(text)["input_ids"]
    assert len(large) == 20_000
    for said in gpu_parts.conversations(large, 12):
        assert len(large.apply_chat_template(said, return_dict=False)) == gpu_parts.TUNED_LENGTH


@pytest.mark.parametrize(
    ("losses", "problem"),
    [
        ([math.nan, 4.0], "is not finite"),
        ([2.0, 1.0], "the first loss is 2.00 and not about 4.85"),
        ([4.85, 4.86], "the loss went from 4.8500 to 4.8600"),
        ([4.85, 1.0], "do not learn alike"),
    ],
)
def test_nobody_measures_a_broken_model(losses: list[float], problem: str) -> None:
    gpu_parts.check_losses({"ours": [4.9, 4.7], "peer": [4.8, 4.6]}, 128)
    with pytest.raises(ValueError, match=problem):
        gpu_parts.check_losses({"ours": [4.9, 4.7], "peer": losses}, 128)


def test_a_lesson_fails_is_stopped_or_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lesson(code: str, seconds: float) -> dict | None:
        path = tmp_path / "01_lesson.ipynb"
        write(v4.new_notebook(cells=[v4.new_code_cell(cell) for cell in code.split("\n")]), path)
        return gpu_parts.run_lesson(gpu_parts.Job("lessons", str(tmp_path), seconds), path)

    failed = lesson("print(1)\nraise ValueError('a | b')", 600)
    assert (failed["status"], failed["cell"], failed["error"]) == ("failed", 2, "ValueError: a | b")
    assert "minutes: **failed** in cell 2 (ValueError: a / b); 0.0 GB" in failed["what"]
    assert lesson("print(1)", 1) is None
    monkeypatch.setattr(gpu_parts, "LEAST", 0)
    assert "**stopped** in cell 1, when the time was over" in lesson("import time; time.sleep(60)", 2)["what"]


AS_T4 = """
import sitecustomize as t4, torch
from types import SimpleNamespace
asked = []
t4._properties = lambda device=None: SimpleNamespace(name="NVIDIA H100", total_memory=79_000_000_000, major=9)
t4._limit = lambda share, device=None: asked.append(share)
t4._forget_peak = lambda device=None: None
card = torch.cuda.get_device_properties(0)
assert (card.name, card.total_memory, card.major, card.minor) == ("NVIDIA H100", 15_800_000_000, 7, 5)
assert torch.cuda.get_device_capability() == (7, 5)
torch.cuda._queued_calls[-1][0]()  # what torch does when it starts CUDA
torch.cuda.set_per_process_memory_fraction(0.5)
assert [round(share * 79e9) for share in asked] == [15_000_000_000, 7_900_000_000]
torch.cuda.memory_reserved = lambda device=None: 5_000_000_000
assert torch.cuda.mem_get_info() == (10_000_000_000, 15_800_000_000)
for most in (3, 9, 1):  # the books are begun afresh after the second
    torch.cuda.max_memory_allocated = torch.cuda.max_memory_reserved = lambda most=most: most
    if most == 9:
        torch.cuda.reset_peak_memory_stats()
"""


def test_a_large_gpu_answers_as_a_t4(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(BENCH / "as_t4"), "GPU_PEAKS": str(tmp_path)}
    subprocess.run([sys.executable, "-c", AS_T4], env=environment, check=True)
    (book,) = tmp_path.glob("*.json")
    assert json.loads(book.read_text()) == {"allocated": 9, "reserved": 9}
