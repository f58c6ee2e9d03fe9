"""A training beside a lesson: begun, stopped, gone on with, and the same as without all that."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from workshop_utils.gpt import GPT, GPTConfig, TrainConfig
from workshop_utils.lessons import background
from workshop_utils.text import pocket_tokenizer
from workshop_utils.text.token_file import write_token_file
from workshop_utils.training import step_folders, train

SHAPE = GPTConfig(block_size=32, n_layer=1, n_head=2, n_embd=32, attention="sdpa")
CONFIG = TrainConfig(steps=800, batch_size=2, country="", checkpoint_every=20, rows="windows", eval_every=800)


@pytest.fixture
def data(tmp_path):
    return write_token_file(
        [f"Story {i} about a fox." for i in range(200)], tmp_path / "all.tokens", pocket_tokenizer()
    )


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def wait_for_a_step(folder):
    limit = time.monotonic() + 60
    while not step_folders(folder):
        assert time.monotonic() < limit
        time.sleep(0.05)


@pytest.mark.usefixtures("two_threads")
def test_what_was_begun_is_taken_over(tmp_path, data):
    folder = tmp_path / "run"
    assert "1 of 2 threads" in background.begin(SHAPE, CONFIG, data, data, folder)
    assert torch.get_num_threads() == 1
    assert "already" in background.begin(SHAPE, CONFIG, data, data, folder)
    wait_for_a_step(folder)
    background.end(folder)
    background.end(folder)  # nothing is left to end
    assert torch.get_num_threads() == 2
    done = int(step_folders(folder)[-1].name[5:])
    assert 20 <= done < CONFIG.steps
    run = train(GPT(SHAPE), data, data, CONFIG, folder, resume=True, quiet=True)
    assert [entry["step"] for entry in run.history][:2] == [1, 10]  # from the first step on
    assert run.steps_done == CONFIG.steps
    assert "finished" in background.begin(SHAPE, CONFIG, data, data, folder)


@pytest.mark.usefixtures("two_threads")
def test_it_ends_with_the_process_that_began_it(tmp_path, data):
    folder = tmp_path / "run"
    code = f"""
import os, time, torch
torch.set_num_threads(2)
from pathlib import Path
from workshop_utils.lessons import background
from workshop_utils.text.token_file import TokenFile
from test_background import CONFIG, SHAPE, wait_for_a_step
data = TokenFile({str(data.path)!r})
print(background.begin(SHAPE, CONFIG, data, data, Path({str(folder)!r})))
wait_for_a_step(Path({str(folder)!r}))
print(background._running[Path({str(folder)!r})][0].pid, flush=True)
os._exit(0)
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    pid, limit = int(said.split()[-1]), time.monotonic() + 30
    while os.path.exists(f"/proc/{pid}") and time.monotonic() < limit:
        time.sleep(0.1)
    assert not os.path.exists(f"/proc/{pid}")


def test_a_gpu_is_not_shared(tmp_path, data):
    said = background.begin(SHAPE, replace(CONFIG, device="cuda"), data, data, tmp_path / "run")
    assert "in its own cell" in said
    assert not background._running
