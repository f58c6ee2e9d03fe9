"""Two processes do what one does, whatever happens to them. Real processes under torchrun, some five seconds each."""

from __future__ import annotations

import json
import math
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import stream_child
import torch
from corpus import byte_encoding, quick, small_gpt
from numbered_rows import drain, expected, found, same, write

from workshop_utils.command import cli, own_text
from workshop_utils.machine.profiles import choose
from workshop_utils.text.corpus import write_token_file
from workshop_utils.text.tokenizer import save_tokenizer
from workshop_utils.training import processes as distributed
from workshop_utils.training import shards
from workshop_utils.training import torchrun as launch
from workshop_utils.training.checkpoints import load_model, read
from workshop_utils.training.loop import Loop
from workshop_utils.training.processes import DistributedError, World
from workshop_utils.training.run_folder import CheckpointError, step_folders
from workshop_utils.training.train import train

STEPS = 50
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
    "checkpoint_every": 10,
    "eval_every": 10,
    "eval_batches": 2,
    "keep": 9,
    "device": "cpu",
    "dtype": "float32",
}
HALF = {"batch_size": 4}  # for each of two processes


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a text, token files and a corpus to stream, whose documents differ much in length.

    A mean of means would show.
    """
    base = tmp_path_factory.mktemp("distributed")
    rng = random.Random(0)
    words = ["the", "cat", "sat", "on", "mat", "and", "dog", "ran", "far", "away", "from", "house", "sun", "tree"]
    documents = [" ".join(rng.choices(words, k=rng.choice((1, 2, 12)))) for _ in range(200)]
    (base / "text.txt").write_text("\n".join(documents))
    (base / "corpus").mkdir()
    for i in range(3):
        pq.write_table(pa.table({"text": documents[i::3]}), base / "corpus" / f"{i}.parquet")
    save_tokenizer(byte_encoding(), base / "tokenizer.json")
    for split in ("train", "val"):
        write_token_file(documents[split == "val" :: 2], base / f"{split}.tokens", byte_encoding(), workers=1)
    return base


def run_file(base: Path, name: str, parallel: str = "ddp", data: str = "tokens", **changes: object) -> str:
    """The file of a run that writes to base/name."""
    where = {
        "tokens": {s: str(base / f"{s}.tokens") for s in ("train", "val")},
        "text": {"text": str(base / "text.txt")},
        "stream": {
            "stream": {"source": str(base / "corpus"), "shuffle_buffer": 30, "val_percent": 10, "val_blocks": 5},
            "tokenizer": str(base / "tokenizer.json"),
        },
    }
    training = TRAINING | {"rows": "rows" if data == "tokens" else "windows"} | changes
    gpt = GPT | ({"vocab_size": 300} if data == "text" else {})
    values = {"gpt": gpt, "training": training, "data": where[data], "out": str(base / name), "parallel": parallel}
    path = base / f"{name}.json"
    path.write_text(json.dumps(values))
    return str(path)


def alone(path: str, resume: bool = False) -> None:
    assert cli.execute(["train", "--config", path, *["--resume"] * resume]) == 0


def two(path: str, *more: str, **options: object) -> list[str]:
    environment = {"OMP_NUM_THREADS": "1"}
    arguments = ["train", "--config", path, *more]
    return launch.launch(2, arguments, timeout=300, on_line=lambda _: None, environment=environment, **options)


def history(out: Path) -> dict[int, dict[str, float]]:
    return {entry["step"]: entry for entry in read(step_folders(out)[-1])["run"]["history"]}


def difference(a: Path, b: Path, since: int = 1) -> float:
    """The largest difference between two runs' training and validation losses."""
    theirs = history(b)
    mine = {step: entry for step, entry in history(a).items() if step >= since}
    assert set(mine) == {step for step in theirs if step >= since} == set(range(since, STEPS + 1))
    names = ("loss", "val_loss")
    return max(abs(e[name] - theirs[step][name]) for step, e in mine.items() for name in names if name in e)


@pytest.fixture(scope="module")
def one(base: Path) -> Path:
    alone(run_file(base, "one"))
    return base / "one"


@pytest.fixture(scope="module")
def fsdp(base: Path) -> Path:
    two(run_file(base, "fsdp", "fsdp", **HALF))
    return base / "fsdp"


def forget_after(out: Path, step: int) -> None:
    for folder in step_folders(out):
        if int(folder.name[5:]) > step:
            shutil.rmtree(folder)


# --- two processes


def test_two_processes_with_ddp_learn_what_one_learns(base, one):
    lines = two(run_file(base, "ddp", **HALF))
    assert difference(one, base / "ddp") < 1e-5
    assert sum("finished" in line for line in lines) == 1  # rank 0 alone prints
    runs = [json.loads((out / "run.json").read_text()) for out in (one, base / "ddp")]
    assert runs[0]["tokens"] == runs[1]["tokens"]  # of all processes
    assert {path.name for path in step_folders(base / "ddp")[-1].iterdir()} == {
        "model.safetensors",
        "training.safetensors",
        "state.json",
    }


def test_two_processes_with_fsdp_learn_what_one_learns_and_write_slices(one, fsdp):
    assert difference(one, fsdp) < 1e-5
    last = step_folders(fsdp)[-1]
    assert len(list((last / shards.SLICES).iterdir())) == 2
    assert not list(fsdp.glob(".writing-*"))
    for a, b in zip(load_model(one, "last").parameters(), load_model(fsdp, "last").parameters(), strict=True):
        assert torch.allclose(a, b, atol=2e-3)


def test_a_damaged_slice_is_noticed(fsdp, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(fsdp, out)
    slice_file = next((step_folders(out)[-1] / shards.SLICES).iterdir())
    content = bytearray(slice_file.read_bytes())
    content[-5] ^= 1
    slice_file.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"slices/shard.* is not what was written"):
        read(step_folders(out)[-1])


def test_one_process_goes_on_with_what_two_sharded(base, one, fsdp):
    shutil.copytree(fsdp, base / "two-to-one")
    forget_after(base / "two-to-one", 30)
    alone(run_file(base, "two-to-one"), resume=True)
    assert difference(one, base / "two-to-one", since=31) < 1e-4


def test_two_shards_go_on_with_what_one_process_began_with_muon_too(base):
    muon = {"optimizer": "muon", "muon_lr": 0.01}
    alone(run_file(base, "muon", **muon))
    shutil.copytree(base / "muon", base / "one-to-two")
    forget_after(base / "one-to-two", 40)
    lines = two(run_file(base, "one-to-two", "fsdp", **HALF, **muon), "--resume")
    assert any("resumed after step 40" in line for line in lines)
    assert difference(base / "muon", base / "one-to-two", since=41) < 1e-3  # Muon computes in bfloat16


def test_a_resumed_run_keeps_its_global_batch(base, fsdp, capsys):
    shutil.copytree(fsdp, base / "smaller")
    forget_after(base / "smaller", 30)
    assert cli.execute(["train", "--config", run_file(base, "smaller", batch_size=4), "--resume"]) == 2
    assert "batch_size * grad_accum_steps * processes: 16 then, 8 now" in capsys.readouterr().err


def kill_rank(rank: int, when: Path) -> None:
    """SIGKILL for one of the processes that this one's torchrun started, as soon as a path is there."""
    end = time.monotonic() + 120
    while not when.exists() and time.monotonic() < end:
        time.sleep(0.01)
    for process in psutil.Process().children(recursive=True):
        if process.environ().get("RANK") == str(rank):
            process.send_signal(signal.SIGKILL)


def test_a_process_is_killed_and_the_run_ends_as_if_nothing_had_happened(base):
    alone(run_file(base, "unkilled", data="text"))
    killer = threading.Thread(target=kill_rank, args=(1, base / "killed" / "step-000020"))
    killer.start()
    lines = two(run_file(base, "killed", data="text", **HALF), max_restarts=1)
    killer.join()
    assert any("resumed after step" in line for line in lines), lines
    assert sum("step 50/50" in line for line in lines) == 1
    assert difference(base / "unkilled", base / "killed") < 1e-5
    assert not list((base / "killed").glob(".writing-*"))


@pytest.mark.parametrize(("device", "gpus", "found"), [("cuda", 2, "cuda"), ("cuda", 1, "cpu"), ("cpu", 2, "cpu")])
def test_processes_compute_on_the_cpu_where_there_is_no_gpu_for_each(device, gpus, found, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    got, reason = launch.device_for(2, replace(choose("pocket"), device=device))
    assert got == found
    assert (f"this machine has {gpus}" in reason) == (device == "cuda")


def test_a_failed_launch_says_what_the_process_said(tmp_path):
    with pytest.raises(
        DistributedError, match=r"(?s)process 0 ended with code 2.*there is no config file at .*no\.json"
    ):
        launch.launch(1, ["train", "--config", str(tmp_path / "no.json")], on_line=print)
    with pytest.raises(ValueError, match="n_processes is 0"):
        launch.launch(0, [])


DIED = """\
W1121 18:03:44.1 19310 torch/distributed/elastic/multiprocessing/api.py:1029] Sending process 5 closing signal SIGTERM
[rank0]: RuntimeError: Connection closed by peer
Traceback (most recent call last):
  File "/x/torch/distributed/run.py", line 1032, in <module>
    main()
torch.distributed.elastic.multiprocessing.errors.ChildFailedError:
Root Cause (first observed failure):
[0]:
  time      : 2026-11-21_18:03:44
  host      : localhost
  rank      : 1 (local_rank: 1)
  exitcode  : -9 (pid: 19596)
"""


def test_a_killed_process_is_named_and_torchruns_own_traceback_left_out():
    said = launch._what_failed(2, 1, DIED.splitlines(keepends=True))
    assert "2 processes failed because process 1 was killed by SIGKILL" in said
    assert said.endswith("It said last:\nRuntimeError: Connection closed by peer")


# --- streams in two processes


def test_two_processes_share_the_rows_of_a_stream_and_one_dies(tmp_path):
    """With two workers each: every step after the restart gets the rows that it would have got."""
    write(tmp_path / "corpus", 3)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "--max-restarts=1"]
    command += [stream_child.__file__, str(tmp_path), "2"]
    environment = launch._environment(2) | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "SIGKILL" in done.stderr or "exitcode: -9" in done.stderr
    trained, everything = [], []
    for rank in (0, 1):
        steps = [torch.load(path) for path in sorted((tmp_path / "notes").glob(f"{rank}-0*.pt"))]
        assert len(steps) == stream_child.STEPS
        left = torch.load(tmp_path / "notes" / f"{rank}-left.pt")
        assert same(steps + left, drain(stream_child.stream_of(tmp_path / "corpus", World(rank, 2), workers=2)))
        trained.append(found(steps))
        everything += steps + left
    assert found(everything) == expected()
    assert len(trained[0] | trained[1]) == len(trained[0]) + len(trained[1]) > 100  # no row in both


def test_a_streams_run_file_in_two_processes_killed_or_not(base, capsys):
    two(run_file(base, "streamed", data="stream", **HALF))
    killer = threading.Thread(target=kill_rank, args=(1, base / "streamed-killed" / "step-000020"))
    killer.start()
    lines = two(run_file(base, "streamed-killed", data="stream", **HALF), max_restarts=1)
    killer.join()
    assert any("resumed after step" in line for line in lines), lines
    a, b = base / "streamed", base / "streamed-killed"
    assert difference(a, b) == 0
    assert (a / f"step-{STEPS:06d}" / "model.safetensors").read_bytes() == (
        b / f"step-{STEPS:06d}" / "model.safetensors"
    ).read_bytes()
    places = read(step_folders(a)[-1])["data"]
    assert [place["settings"]["readers"] for place in places] == [[0], [1]]
    assert all(place["readers"][str(rank)]["epoch"] > 1 for rank, place in enumerate(places))
    # One process with all rows of a batch learns other rows at each step, and in the end as much.
    alone(run_file(base, "streamed-alone", data="stream"))
    losses = [history(base / name)[STEPS]["val_loss"] for name in ("streamed", "streamed-alone")]
    assert losses[0] < history(a)[10]["val_loss"] < history(a)[1]["loss"]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)
    # Rows that were divided between two cannot go on in one.
    forget_after(a, 30)
    capsys.readouterr()
    assert cli.execute(["train", "--config", run_file(base, "streamed", data="stream"), "--resume"]) == 2
    assert "split between 2 processes, and now there are 1: go on with 2 processes" in capsys.readouterr().err


# --- one process


def test_alone_nothing_of_torch_distributed_is_touched(tmp_path, base, monkeypatch):
    import torch.distributed as dist

    def touched(*arguments: object, **options: object) -> None:
        raise AssertionError("a process on its own needs no others")

    for name in ("init_process_group", "all_reduce", "broadcast_object_list", "all_gather_object", "rendezvous"):
        monkeypatch.setattr(dist, name, touched)
    train(small_gpt(), Stream(), Stream(), quick(), tmp_path / "run", quiet=True, parallel="fsdp")
    assert not dist.is_initialized()
    assert not (tmp_path / "run" / distributed.MARK).exists()
    with pytest.raises(ValueError, match="parallel is 'tp': choose one of ddp, fsdp"):
        train(small_gpt(), Stream(), None, quick(), quiet=True, parallel="tp")


@pytest.fixture
def fresh_world(monkeypatch):
    distributed.world.cache_clear()
    yield monkeypatch
    distributed.world.cache_clear()


def test_half_set_variables_are_a_sentence(fresh_world):
    fresh_world.setenv("WORLD_SIZE", "2")
    fresh_world.delenv("RANK", raising=False)
    with pytest.raises(DistributedError, match="WORLD_SIZE is 2, but RANK is not set"):
        distributed.world()


def test_a_restart_on_several_machines_asks_for_a_new_store(monkeypatch):
    monkeypatch.setenv("GROUP_WORLD_SIZE", "2")
    monkeypatch.setenv("TORCHELASTIC_MAX_RESTARTS", "3")
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "True")
    with pytest.raises(DistributedError, match="TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1"):
        distributed._round()
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "False")
    assert distributed._round() == "start 0"
    monkeypatch.setenv("GROUP_WORLD_SIZE", "1")
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "2")
    assert distributed._round() == "start 2"
    assert launch.MULTI_NODE.count("TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1") == 2


def test_only_the_torchrun_that_began_a_run_goes_on_unasked(tmp_path, monkeypatch):
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    distributed.mark(tmp_path)
    assert not list(tmp_path.iterdir())
    for name in ("job-7", "none"):  # "none": torchrun without --standalone; its process number counts then
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", name)
        assert not distributed.restarted(tmp_path)
        distributed.mark(tmp_path)
        assert distributed.restarted(tmp_path)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "job-8")
    assert not distributed.restarted(tmp_path)


def test_rows_of_a_batch_are_shared_out_and_none_twice():
    batch = torch.arange(24).view(8, 3)
    parts = [World(rank, 4).rows(batch, 4) for rank in range(4)]
    assert torch.equal(torch.cat(parts), batch)
    assert World(2, 4).rows(batch, 1) is batch
    split = Stream()
    split.world_size = 4
    assert (World(0, 4).shares(split), World(0, 4).shares(Stream()), World().shares(Stream())) == (1, 4, 1)
    with pytest.raises(DistributedError, match="split between 4 processes and 2 are training"):
        World(0, 2).shares(split)
    split.rank = 3
    assert World(3, 4).shares(split) == 1
    with pytest.raises(DistributedError, match="process 0 was given the share of process 3, whose rows would be read"):
        World(0, 4).shares(split)

    class Silent:
        state_dict = load_state_dict = None

    with pytest.raises(DistributedError, match="does not say between how many of the 2 processes"):
        World(0, 2).shares(Silent())


# --- streams


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


def test_a_stream_goes_on_where_it_was(tmp_path):
    class Killed(Exception):
        pass

    def kill(step: int, model: object, history: object) -> None:
        if step == 8:  # the last checkpoint is that of step 6
            raise Killed

    whole, broken = Stream(), Stream()
    expected = train(small_gpt(), whole, Stream(), quick(), tmp_path / "whole", quiet=True)
    assert whole.place == 12 * 4
    config = quick(eval_every=100, checkpoint_every=3)
    with pytest.raises(Killed):
        train(small_gpt(), broken, None, config, tmp_path / "run", quiet=True, on_step=kill)
    again = Stream()
    run = train(small_gpt(), again, None, config, tmp_path / "run", resume=True, quiet=True)
    assert again.place == whole.place
    assert [e["loss"] for e in run.history] == [e["loss"] for e in expected.history]


def test_looking_at_a_stream_does_not_move_it(tmp_path):
    seen, val = Stream(), Stream()
    train(small_gpt(attention="auto"), seen, val, quick(), quiet=True)
    assert (seen.place, val.place) == (12 * 4, 0)


def test_a_stream_that_was_split_needs_as_many_processes_again(tmp_path):
    loop = Loop(small_gpt(), Stream(), quick(), tmp_path, True)
    with pytest.raises(CheckpointError, match="split between 2 processes, and now there are 1"):
        loop.restore_data([{"place": 1}, {"place": 2}], {})
    loop.restore_data([{"place": 5}], {"data.0.buffer": torch.tensor([5])})
    assert [state["place"] for state in loop.data_states()] == [5]


# --- the file of a run


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"data": {"text": "a.txt"}}, "no folder to write to"),
        ({"out": "b"}, "nothing to learn from"),
        ({"out": "b", "data": {"texts": "a.txt"}}, '"data" of'),
        ({"out": "b", "data": {"text": "a.txt", "train": "a.tokens"}}, 'either "text", "train" or "stream"'),
        ({"out": "b", "data": {"val": "a.tokens"}}, 'either "text", "train" or "stream"'),
        ({"out": "b", "data": {"stream": "a.parquet"}}, 'is "a.parquet": write an object'),
        ({"out": "b", "data": {"stream": {"source": "a.parquet"}}}, 'must have "tokenizer" beside "stream"'),
        ({"out": "b", "data": {"stream": {}, "tokenizer": "t.json"}}, 'must have a "source"'),
        ({"out": "b", "data": {"stream": {"source": 3}, "tokenizer": "t.json"}}, "source is 3"),
        ({"out": "b", "data": {"stream": {"source": "a", "workers": -1}, "tokenizer": "t.json"}}, "workers is -1"),
        ({"out": "b", "data": {"stream": {"source": "a", "shuffle": 1}, "tokenizer": "t.json"}}, "no field shuffle"),
        ({"out": "b", "data": {"stream": {"source": "a"}, "tokenizer": "t.json"}}, "t.json"),
        ({"out": "b", "data": "a.txt"}, '"data" of run.json is "a.txt": write an object'),
        ({"out": 3, "data": {"text": "a.txt"}}, "is 3: write a string"),
        ({"out": "b", "data": {"text": "a.txt"}, "parallel": "zero"}, "'zero': choose one of ddp, fsdp"),
        ({"out": "b", "data": {"text": "a.txt"}}, "a.txt"),
        ({"out": "b", "data": {"train": "a.tokens"}}, "a.tokens"),
    ],
)
def test_a_run_file_that_makes_no_sense_is_one_line(values, said, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("run.json").write_text(json.dumps(values))
    assert cli.execute(["train", "--config", "run.json"]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1
    assert not Path("b").exists()


def test_token_files_need_no_validation_and_no_tokenizer(base, tmp_path, capsys):
    values = {"gpt": GPT, "training": TRAINING | {"steps": 2}, "data": {"train": str(base / "train.tokens")}}
    path, out = tmp_path / "run.json", tmp_path / "run"
    path.write_text(json.dumps(values | {"out": str(out)}))
    assert cli.execute(["train", "--config", str(path)]) == 0
    assert "no validation" in capsys.readouterr().out
    assert json.loads((out / "config.json").read_text())["gpt"]["vocab_size"] == 320
    save_tokenizer(byte_encoding("other", start=1), tmp_path / "other.json")
    values["data"]["tokenizer"] = str(tmp_path / "other.json")
    path.write_text(json.dumps(values | {"out": str(tmp_path / "another")}))
    assert cli.execute(["train", "--config", str(path)]) == 2
    assert "was made with the tokenizer" in capsys.readouterr().err


def test_a_whole_run_file_resumes_with_what_it_says_now(base, tmp_path):
    values = json.loads(Path(run_file(base, "again", steps=4, checkpoint_every=2, log_every=1)).read_text())
    path = tmp_path / "again.json"
    values["out"] = str(tmp_path / "again")
    path.write_text(json.dumps(values))
    alone(str(path))
    shutil.rmtree(tmp_path / "again" / "step-000004")
    alone(str(path), resume=True)
    assert own_text.Settings.load(tmp_path / "again").training.steps == 4
    assert math.isfinite(read(tmp_path / "again" / "step-000004")["run"]["history"][-1]["loss"])


@pytest.mark.parametrize(("size", "left"), [("2", 2), ("1", None)])
def test_one_of_several_processes_ends_before_python_cleans_up(size, left, monkeypatch):
    ended = []

    def end(code: int) -> None:
        ended.append(code)
        raise SystemExit(code)

    monkeypatch.setattr("os._exit", end)
    monkeypatch.setenv("WORLD_SIZE", size)
    monkeypatch.setattr("sys.argv", ["workshop", "train"])  # no text and no file: refused, with code 2
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 2
    assert ended == ([] if left is None else [left])
