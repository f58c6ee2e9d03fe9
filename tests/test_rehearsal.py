"""Every lesson as on a machine with one T4, on a CPU: in float16, with a small copy of the hub beside it.

Sizes are those of WORKSHOP_HURRY, the GPU is that of offline/one_gpu.py. What only a chip shows is not seen here: its
memory, its kernels, Unsloth.
"""

import re
import socket
from pathlib import Path

import nbformat
import pytest
import tiny_hub
from nbformat import v4
from test_notebooks_run import LESSONS, ROOT, shown

from workshop_utils.command import kernel
from workshop_utils.machine import profiles
from workshop_utils.text import corpus as data
from workshop_utils.text import tokenizer as tokens

pytestmark = [pytest.mark.rehearsal, pytest.mark.lessons]

QWEN = profiles.PAIRS["t4"]
MAX_PEAK_MB = 12_000  # what Colab leaves beside a T4
# What setup() prints on such a machine.
CHOSEN = [
    r"^profile  t4, because Tesla T4 has 16 GB",
    r"^device   cuda: Tesla T4,",
    r"^numbers  float16, because its capability is 7\.5",
]
# What a lesson prints when it has taken the t4 path; a lesson whose path is the same everywhere is not in here.
SIGNS = {
    "01": [r"google/gemma-2-2b: [\d,]+ parameters", r"google/gemma-2-2b-it: ", "<start_of_turn>user\n"],
    "02": ["GPT-2's tokenizer is here, 50,257 tokens", r"documents, uint16, tokenizer gpt2 of 50,257"],
    "03": [r"largest difference: \de-0[5-9]\nThe most important thing about a small language model is"],
    "04": [
        r"tokenizer gpt2 of 50,257",
        r"log\(50,304\)",
        "TinyStories has no answer key",
        r"0\.3: the loss \(now nan\) or its gradient is not finite at step",  # float16 overflows; the lesson goes on
        "optimizer +adamw",
        "every bit the same: True",
    ],
    "05": [r"limit [\d,]+ MB\nout of memory with batch_size 16"],
    "06": ["both runs compute on cpu in float32: 2 processes need a GPU each, and this machine has 1"],
    "07": [
        "backend  transformers",
        r"\d+ pairs to train on",
        "batch_size=2, grad_accum_steps=4, learning_rate=0.0002",
        "the same words as the model that we trained: True",
        "refused: the adapter in .* was trained on google/gemma-2-2b-it with other weights",
    ],
    "09": [
        "adapter from lesson 07's run on this machine|its run comes first",
        "written by hand: 0 runs",
        "left out: float32 .*GGUF Q8_0, .*gemma2",
    ],
}


# Looked at behind the last cell: where a lesson keeps a model of transformers.
MODELS_KEPT = {"01": "instruct", "09": "model"}
LOADED_AS = "print('loaded as', {0}.model.dtype, 'attention', {0}.model.config._attn_implementation)"


@pytest.fixture(scope="module")
def hub(tmp_path_factory) -> Path:
    return tiny_hub.build(tmp_path_factory.mktemp("hub"), profiles.GEMMA, QWEN)


@pytest.fixture(scope="module")
def without_gemma(hub, tmp_path_factory) -> Path:
    """The same hub for somebody who has not accepted Gemma's licence."""
    folder = tmp_path_factory.mktemp("hub-without-gemma")
    for owner in hub.iterdir():
        if owner.name != "google":
            (folder / owner.name).symlink_to(owner)
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """One home for all lessons, as on a machine: lesson 09 finds the adapter of lesson 07."""
    return tmp_path_factory.mktemp("t4-home")


def rehearse(path: Path, hub: Path, home: Path, tmp_path: Path, monkeypatch) -> str:
    """Run a lesson with the hub open, though nothing may ask it, and return all that it printed."""
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    refused = tmp_path / "refused.txt"
    monkeypatch.delenv("WORKSHOP_PROFILE", raising=False)  # the machine decides, as in Colab
    env = {
        "ONE_GPU": "1",
        "PYTHONPATH": str(ROOT / "tests" / "offline"),
        "WORKSHOP_HOME": str(home),
        "WORKSHOP_HURRY": "1",
        "WORKSHOP_HUB": str(hub),
        "TIKTOKEN_CACHE_DIR": str(tmp_path / "nothing"),
        "REFUSED": str(refused),
    }
    lesson = nbformat.read(path, as_version=4)
    if kept := MODELS_KEPT.get(path.stem[:2]):
        lesson.cells.append(v4.new_code_cell(LOADED_AS.format(kept)))
    outcome = kernel.execute(lesson, None, tmp_path, env)
    assert outcome.status == "passed", f"cell {outcome.cell}: {outcome.error}"
    assert outcome.peak_mb < MAX_PEAK_MB
    asked = set(refused.read_text().split()) if refused.is_file() else set()
    assert asked <= {repr(socket.gethostname())}  # torchrun looks up what this machine is called
    said = "".join(shown(cell) for cell in outcome.notebook.cells if cell.cell_type == "code")
    for line in CHOSEN:
        assert re.search(line, said, re.MULTILINE), line
    assert "1,000 documents of roneneldan/TinyStories, from WORKSHOP_HUB" in said
    assert "HELD OUT" not in said
    return said


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_runs_along_the_path_of_a_t4(path, hub, home, tmp_path, monkeypatch):
    said = rehearse(path, hub, home, tmp_path, monkeypatch)
    assert f"models   {' and '.join(profiles.GEMMA)}\n" in said
    for sign in SIGNS.get(path.stem[:2], []):
        assert re.search(sign, said), sign
    if path.stem[:2] in MODELS_KEPT:
        assert "loaded as torch.float16 attention eager\n" in said  # SDPA cannot soft-cap


@pytest.mark.parametrize("number", ["01", "07"])
def test_without_a_licence_it_is_qwen(number, without_gemma, tmp_path, monkeypatch):
    (path,) = [path for path in LESSONS if path.name.startswith(number)]
    said = rehearse(path, without_gemma, tmp_path, tmp_path, monkeypatch)
    assert f"models   {' and '.join(QWEN)}\n" in said
    assert "<|im_start|>user\n" in said


def test_the_copy_of_the_hub_is_laid_out_as_the_lessons_look_for_it(hub, monkeypatch):
    monkeypatch.setenv("WORKSHOP_HUB", str(hub))
    assert tokens.gpt2().n_vocab == 50_257
    for name, n in (("t4", tiny_hub.N_STORIES), ("big", 2 * tiny_hub.N_PAGES)):
        found = list(data.documents(profiles.choose(name), limit=10**6))
        assert len(found) == n
        assert not any("HELD OUT" in text for text in found)
