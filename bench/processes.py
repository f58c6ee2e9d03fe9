"""Two processes under torchrun against one with the same global batch: what is left between them, killed or not.

DDP and FSDP with gloo on the CPU, float32, on the package's own stories. The same runs as those of the tests, measured.
"""

from __future__ import annotations

import json
import signal
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from common import options, report, row

from workshop_utils.command import cli
from workshop_utils.lessons.torchrun import launch
from workshop_utils.pocket import stories
from workshop_utils.training.checkpoints import read
from workshop_utils.training.run_folder import step_folders

SHAPE = {"block_size": 48, "n_layer": 2, "n_head": 2, "n_embd": 32, "vocab_size": 320, "attention": "sdpa"}
PATIENCE = 300  # seconds for a run
BATCH = 8  # rows of a micro-batch, of all processes together


def run_file(folder: Path, name: str, steps: int, n: int, parallel: str = "ddp") -> str:
    """The file of a run of n processes that writes to folder/name."""
    training: dict[str, Any] = {"steps": steps, "batch_size": BATCH // n, "grad_accum_steps": 2, "learning_rate": 3e-3}
    training |= {"rows": "windows", "log_every": 1, "checkpoint_every": steps // 5, "eval_every": steps // 5}
    training |= {"eval_batches": 2, "country": "", "device": "cpu", "dtype": "float32"}
    values = {"gpt": SHAPE, "training": training, "data": {"text": str(folder / "text.txt")}}
    path = folder / f"{name}.json"
    path.write_text(json.dumps(values | {"out": str(folder / name), "parallel": parallel}))
    return str(path)


def together(path: str, restarts: int = 0) -> list[str]:
    """Run a file in two processes of one thread each; returns what they said."""
    environment = {"OMP_NUM_THREADS": "1"}
    return launch(2, ["train", "--config", path, "--resume"], restarts, lambda _: None, environment)


def kill_second(config: str, when: Path) -> None:
    """SIGKILL for the second process of the run in this file, as soon as a checkpoint is there."""
    end = time.monotonic() + PATIENCE
    while not when.exists() and time.monotonic() < end:
        time.sleep(0.01)
    for process in psutil.Process().children(recursive=True):  # others of them may have a rank, too
        with suppress(psutil.Error):  # it has ended
            if config in process.cmdline() and process.environ().get("RANK") == "1":
                process.send_signal(signal.SIGKILL)


def losses(out: Path) -> dict[tuple[int, str], float]:
    """Training and validation losses of a finished run, by step."""
    history = read(step_folders(out)[-1])["run"]["history"]
    return {(e["step"], name): e[name] for e in history for name in ("loss", "val_loss") if name in e}


def difference(a: Path, b: Path) -> float:
    """The largest difference between the losses of two runs."""
    one, two = losses(a), losses(b)
    assert one.keys() == two.keys(), "the runs have not made the same steps"
    return max(abs(value - two[key]) for key, value in one.items())


def main() -> None:
    """Measure and report."""
    args = options(__doc__).parse_args()
    steps = 10 if args.quick else 50
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "text.txt").write_text("\n".join(stories.texts(200, seed=0)), encoding="utf-8")
        if cli.execute(["train", "--config", run_file(folder, "one", steps, n=1)]):
            raise SystemExit("the run in one process failed: its message stands above")
        rows = []
        for parallel in ("ddp", "fsdp"):
            print(f"two processes, {parallel}")
            together(run_file(folder, parallel, steps, 2, parallel))
            rest = difference(folder / "one", folder / parallel)
            rows.append(row(f"largest difference of losses, {steps} steps, {parallel}", rest, goal="ours <= 1e-4"))
        print("two processes, one of them killed")
        config = run_file(folder, "killed", steps, 2)
        killer = threading.Thread(target=kill_second, args=(config, folder / "killed" / f"step-{2 * steps // 5:06}"))
        killer.start()
        said = together(config, restarts=1)
        killer.join()
        if not any("resumed after step" in line for line in said):
            raise SystemExit("the run was over before the blow fell: nothing was measured, run it again")
        rest = difference(folder / "ddp", folder / "killed")
        rows.append(row(f"the same, ddp, killed after step {2 * steps // 5}, or not", rest, goal="ours <= 1e-3"))
    notes = f"One process against two, each with half of {BATCH} rows, twice an update; gloo, float32, CPU."
    report("processes", rows, args, notes)


if __name__ == "__main__":
    main()
