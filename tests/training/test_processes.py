"""Two processes do what one does, whatever happens to them. Real processes under torchrun: the three slow tests."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from corpus import byte_encoding, quick, small_gpt

from workshop_utils.command import cli
from workshop_utils.gpt.config import TrainConfig
from workshop_utils.lessons import torchrun
from workshop_utils.machine.profiles import choose
from workshop_utils.text.token_file import TokenFile, write_token_file
from workshop_utils.training import checkpoints, processes
from workshop_utils.training.checkpoints import load_model
from workshop_utils.training.processes import DistributedError, World
from workshop_utils.training.run_folder import CheckpointError, read, step_folders
from workshop_utils.training.train import estimate_loss, train

STEPS = 30
GPT = {"block_size": 48, "n_layer": 2, "n_head": 2, "n_embd": 32, "attention": "sdpa"}
TRAINING = {
    "steps": STEPS,
    "batch_size": 8,
    "grad_accum_steps": 2,
    "learning_rate": 3e-3,
    "country": "",
    "log_every": 1,
}
TRAINING |= {
    "device": "cpu",
    "dtype": "float32",
    "checkpoint_every": 10,
    "eval_every": 10,
    "eval_batches": 2,
    "keep": 9,
    "rows": "rows",
}
HALF = {"batch_size": 4}  # for each of two processes


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with token files of documents that differ much in length: a mean of means would show."""
    base, rng = tmp_path_factory.mktemp("processes"), random.Random(0)
    words = ["the", "cat", "sat", "on", "mat", "and", "dog", "ran", "far", "away", "from", "house", "sun", "tree"]
    documents = [" ".join(rng.choices(words, k=rng.choice((1, 2, 12)))) for _ in range(200)]
    for split in ("train", "val"):
        write_token_file(documents[split == "val" :: 2], base / f"{split}.tokens", byte_encoding(), workers=1)
    return base


def run_file(base: Path, name: str, parallel: str = "ddp", **changes: object) -> str:
    """The file of a run that writes to base/name."""
    data = {split: str(base / f"{split}.tokens") for split in ("train", "val")}
    values = {"gpt": GPT, "training": TRAINING | changes, "data": data, "out": str(base / name), "parallel": parallel}
    path = base / f"{name}.json"
    path.write_text(json.dumps(values))
    return str(path)


def alone(path: str, resume: bool = False) -> None:
    assert cli.execute(["train", "--config", path, *["--resume"] * resume]) == 0


def two(path: str, *more: str, **options: object) -> list[str]:
    arguments = ["train", "--config", path, *more]
    return torchrun.launch(2, arguments, on_line=lambda _: None, environment={"OMP_NUM_THREADS": "1"}, **options)


def difference(a: Path, b: Path, since: int = 1) -> float:
    """The largest difference between two runs' training and validation losses."""
    mine, theirs = (
        {e["step"]: e for e in read(step_folders(out)[-1])["run"]["history"] if e["step"] >= since} for out in (a, b)
    )
    assert set(mine) == set(theirs) == set(range(since, STEPS + 1))
    names = ("loss", "val_loss")
    return max(abs(e[name] - theirs[step][name]) for step, e in mine.items() for name in names if name in e)


@pytest.fixture(scope="module")
def one(base: Path) -> Path:
    alone(run_file(base, "one"))
    return base / "one"


def begun_as(base: Path, run: Path, name: str, step: int) -> Path:
    """A copy of a run up to one of its steps."""
    shutil.copytree(run, base / name)
    for folder in step_folders(base / name):
        if int(folder.name[5:]) > step:
            shutil.rmtree(folder)
    return base / name


# Before a step, process 1 is killed; only the first time, not after the restart.
DEADLY = """
import os, signal
if os.environ.get("RANK") == "1" and os.environ.get("TORCHELASTIC_RESTART_COUNT") == "0":
    from workshop_utils.training import run
    update = run.Progress.update
    def deadly(self, *values):
        update(self, *values)
        if self.run.steps_done == 15:
            os.kill(os.getpid(), signal.SIGKILL)
    run.Progress.update = deadly
"""


def test_two_processes_learn_what_one_learns_though_one_of_them_is_killed(base, one, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(DEADLY)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    lines = two(run_file(base, "ddp", **HALF), "--resume", max_restarts=1)
    assert sum("resumed after step 10" in line for line in lines) == 1  # rank 0 alone prints
    assert sum("finished after" in line for line in lines) == 1
    assert difference(one, base / "ddp") < 1e-5
    runs = [json.loads((out / "run.json").read_text()) for out in (one, base / "ddp")]
    assert runs[0]["tokens"] == runs[1]["tokens"]  # of all processes
    assert not list((base / "ddp").glob(".writing-*"))


def test_two_processes_with_slices_go_on_with_what_one_began_with_muon_and_one_with_theirs(base, capsys):
    muon = {"optimizer": "muon", "muon_lr": 0.01}
    alone(run_file(base, "muon", **muon))
    fsdp = begun_as(base, base / "muon", "fsdp", 10)
    lines = two(run_file(base, "fsdp", "fsdp", **HALF, **muon), "--resume")
    assert any("resumed after step 10" in line for line in lines)
    assert difference(base / "muon", fsdp, since=11) < 1e-3  # Muon computes in bfloat16
    state = read(step_folders(fsdp)[-1])  # its weights are whole, and those that the two evaluated
    val, config = TokenFile(base / "val.tokens"), TrainConfig.from_dict(state["training"] | {"batch_size": 8})
    found = estimate_loss(load_model(fsdp, "last"), val, config)
    assert found == pytest.approx(state["run"]["history"][-1]["val_loss"], abs=1e-5)
    back = begun_as(base, fsdp, "back", 20)
    alone(run_file(base, "back", **muon), resume=True)
    assert difference(base / "muon", back, since=21) < 1e-3
    begun_as(base, fsdp, "smaller", 20)
    capsys.readouterr()
    assert cli.execute(["train", "--config", run_file(base, "smaller", batch_size=4, **muon), "--resume"]) == 2
    assert "batch_size * grad_accum_steps * processes: 16 then, 8 now" in capsys.readouterr().err


@pytest.mark.parametrize(("device", "gpus", "found"), [("cuda", 2, "cuda"), ("cuda", 1, "cpu"), ("cpu", 2, "cpu")])
def test_processes_compute_on_the_cpu_where_there_is_no_gpu_for_each(device, gpus, found, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    got, reason = torchrun.device_for(2, replace(choose("pocket"), device=device))
    assert got == found
    assert (f"this machine has {gpus}" in reason) == (device == "cuda")


def test_a_failed_launch_says_what_the_process_said(tmp_path):
    with pytest.raises(
        DistributedError, match=r"(?s)process 0 ended with code 2.*there is no config file at .*no\.json"
    ):
        torchrun.launch(1, ["train", "--config", str(tmp_path / "no.json")], on_line=print)


DIED = """\
W1121 18:03:44.1 19310 torch/distributed/elastic/multiprocessing/api.py:1029] Sending process 5 closing signal SIGTERM
[rank0]: RuntimeError: Connection closed by peer
Traceback (most recent call last):
  File "/x/torch/distributed/run.py", line 1032, in <module>
    main()
torch.distributed.elastic.multiprocessing.errors.ChildFailedError:
Root Cause (first observed failure):
[0]:
  rank      : 1 (local_rank: 1)
  exitcode  : -9 (pid: 19596)
"""


def test_a_killed_process_is_named_and_torchruns_own_traceback_left_out():
    said = torchrun._what_failed(2, 1, DIED.splitlines(keepends=True))
    assert "2 processes failed because process 1 was killed by SIGKILL" in said
    assert said.endswith("It said last:\nRuntimeError: Connection closed by peer")


# --- one process


class Stream:
    """Rows that come one after the other and never again; its place is a number, in a tensor too."""

    fingerprint, vocab_size, world_size = "stream", 257, 1

    def __init__(self) -> None:
        self.place = 0

    def batch(self, how: str, batch_size: int, block_size: int, generator: object) -> tuple[torch.Tensor, torch.Tensor]:
        start = torch.arange(self.place, self.place + batch_size)[:, None]
        self.place += batch_size
        rows = (start * 7 + torch.arange(block_size + 1) * (1 + start % 3)) % 250
        return rows[:, :-1], rows[:, 1:]

    def state_dict(self) -> dict[str, object]:
        return {"place": self.place, "buffer": torch.tensor([self.place])}

    def load_state_dict(self, state: dict[str, object]) -> None:
        self.place = state["place"]
        assert state["buffer"].item() == self.place


def test_alone_nothing_of_torch_distributed_is_touched(tmp_path, monkeypatch):
    import torch.distributed as dist

    def touched(*arguments: object, **options: object) -> None:
        raise AssertionError("a process on its own needs no others")

    for name in ("init_process_group", "all_reduce", "broadcast_object_list", "all_gather_object", "rendezvous"):
        monkeypatch.setattr(dist, name, touched)
    train(small_gpt(), Stream(), Stream(), quick(), tmp_path, quiet=True, parallel="fsdp")
    assert not dist.is_initialized()


def test_each_start_has_a_name_of_its_own_and_half_set_variables_are_a_sentence(monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "2")
    assert processes._round() == "start 2"
    monkeypatch.setenv("GROUP_WORLD_SIZE", "2")
    assert processes._round() == "start 0"
    processes.world.cache_clear()
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(DistributedError, match="WORLD_SIZE is 2, but RANK is not set"):
        processes.world()


def test_rows_of_a_batch_are_shared_out_and_none_twice():
    batch = torch.arange(24).view(8, 3)
    assert torch.equal(torch.cat([World(rank, 4).rows(batch, 4) for rank in range(4)]), batch)
    assert World(2, 4).rows(batch, 1) is batch
    split = Stream()
    split.world_size, split.rank = 4, 3
    assert (World(3, 4).shares(split), World(0, 4).shares(Stream()), World().shares(Stream())) == (1, 4, 1)
    for here in (World(3, 2), World(0, 4)):  # another number of processes, another process's share
        with pytest.raises(DistributedError, match=r"share 3 of 4.*read twice or never"):
            here.shares(split)


def test_a_stream_goes_on_where_it_was_and_evaluations_do_not_move_it(tmp_path):
    class Killed(Exception):
        pass

    def kill(step: int, model: object, history: object) -> None:
        if step == 8:  # the last checkpoint is that of step 6
            raise Killed

    whole, val, broken, again = Stream(), Stream(), Stream(), Stream()
    expected = train(small_gpt(attention="auto"), whole, val, quick(), tmp_path / "whole", quiet=True)
    assert (whole.place, val.place) == (12 * 4, 0)
    config = quick(eval_every=100, checkpoint_every=3)
    with pytest.raises(Killed):
        train(small_gpt(attention="auto"), broken, None, config, tmp_path / "run", quiet=True, on_step=kill)
    run = train(small_gpt(attention="auto"), again, None, config, tmp_path / "run", resume=True, quiet=True)
    assert again.place == whole.place
    assert [e["loss"] for e in run.history] == pytest.approx([e["loss"] for e in expected.history])


def test_a_stream_that_was_split_needs_as_many_processes_again(tmp_path, monkeypatch):
    """The state of the checkpoint as two processes with a share each write it."""
    train(small_gpt(), Stream(), None, quick(), tmp_path, quiet=True)
    folder = step_folders(tmp_path)[-1]
    state = read(folder)
    monkeypatch.setattr(checkpoints, "newest", lambda _: (folder, state | {"data": state["data"] * 2}))
    with pytest.raises(CheckpointError, match="split between 2 processes, and now there are 1"):
        train(small_gpt(), Stream(), None, quick(), tmp_path, resume=True, quiet=True)


@pytest.mark.parametrize(("size", "ended"), [("2", [2]), ("1", [])])
def test_one_of_several_processes_ends_before_python_cleans_up(size, ended, monkeypatch):
    codes = []

    def end(code: int) -> None:
        codes.append(code)
        raise SystemExit(code)

    monkeypatch.setattr("os._exit", end)
    monkeypatch.setenv("WORLD_SIZE", size)
    monkeypatch.setattr("sys.argv", ["workshop", "train"])  # no text and no file: refused, with code 2
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert (caught.value.code, codes) == (2, ended)


def test_a_script_of_ones_own_runs_in_each_process(tmp_path):
    script = tmp_path / "own.py"
    script.write_text("import os, sys\nprint(sys.argv[1], os.environ['WORLD_SIZE'])\n")
    assert torchrun.launch(1, [script, "given"], on_line=lambda _: None) == ["given 1"]
