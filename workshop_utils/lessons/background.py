"""A training that goes on beside a lesson: begun in an early cell, taken over by a later one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from workshop_utils.gpt import GPT, GPTConfig, TrainConfig
from workshop_utils.text.token_file import TokenFile
from workshop_utils.training.run_folder import step_folders, step_of
from workshop_utils.training.train import train

GRACE = 60  # seconds for the process to save
_running: dict[Path, tuple[subprocess.Popen[bytes], int]] = {}  # and how many threads this process had before


def begin(gpt: GPTConfig, config: TrainConfig, data: TokenFile, val: TokenFile, folder: Path) -> str:
    """Start `train` in a process of its own with half of the cores; this process keeps the other half until `end`.

    It saves and ends by itself when this process ends. `train(..., folder, resume=True)` goes on with what it has done.

    Returns:
        what was done, in a sentence: nothing on a GPU or a single core, which the two would have to share.
    """
    if (steps := step_folders(folder)) and step_of(steps[-1]) >= config.steps:
        return "the training is finished: its cell will load it"
    if folder in _running and _running[folder][0].poll() is None:
        return "the training is running already"
    threads = torch.get_num_threads()
    if config.device != "cpu" or threads < 2 or os.name == "nt":
        return "the training will begin in its own cell: there is nothing that could train meanwhile"
    own = threads // 2
    job = json.dumps([gpt.to_dict(), config.to_dict(), str(data.path), str(val.path), str(folder), own, os.getpid()])
    process = subprocess.Popen(
        [sys.executable, "-c", f"from {__name__} import _work; _work()", job],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # whatever goes wrong goes wrong again where the training is awaited
        start_new_session=True,  # the stop button of another cell is not meant for it
    )
    _running[folder] = process, threads
    torch.set_num_threads(threads - own)
    return f"the training has begun, in a process of its own with {own} of {threads} threads"


def end(folder: Path) -> None:
    """Stop what `begin` started for this folder: it saves first. Give this process its threads back."""
    process, threads = _running.pop(folder, (None, 0))
    if process is None:
        return
    torch.set_num_threads(threads)
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _work() -> None:
    gpt, training, data, val, folder, threads, parent = json.loads(sys.argv[1])

    def stop_with_parent(*_: Any) -> None:
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGINT)

    torch.set_num_threads(threads)
    config = TrainConfig.from_dict(training)
    torch.manual_seed(config.seed)  # the first weights
    model = GPT(GPTConfig.from_dict(gpt))
    train(model, TokenFile(data), TokenFile(val), config, folder, True, quiet=True, on_step=stop_with_parent)
