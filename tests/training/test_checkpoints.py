"""What happens to laptops must not happen to models: kill, truncate, flip, fill the disk, swap the tokenizer."""

import errno
import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch
from corpus import byte_encoding, quick, small_gpt, token_file
from safetensors.torch import load_file, save_file

from workshop_utils.command.own_text import train_on_text
from workshop_utils.text.tokenizer import fingerprint
from workshop_utils.training import checkpoints, run, run_folder
from workshop_utils.training.checkpoints import BEST, load_model
from workshop_utils.training.run_folder import LOCK, CheckpointError, newest, only_run, read, step_folders
from workshop_utils.training.train import train

HERE = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return token_file(tmp_path_factory.mktemp("data") / "train.bin")


@pytest.fixture(scope="module")
def made(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "run"
    train(small_gpt(), data, data, quick(keep=3), out, quiet=True)
    return out


@pytest.fixture
def out(made, tmp_path):
    """The folder of a run of 12 steps, to be damaged."""
    shutil.copytree(made, tmp_path / "run")
    return tmp_path / "run"


def resume(data, out, model=None, **changes):
    return train(model or small_gpt(), data, data, quick(**{"keep": 3} | changes), out, resume=True, quiet=True)


def final_weights(out):
    loaded = load_file(step_folders(out)[-1] / "model.safetensors")
    return {name: tensor.clone() for name, tensor in loaded.items()}  # no longer mapped to a file that is damaged next


CHILD = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {here!r})
import torch; torch.set_num_threads(1)
from corpus import quick, small_gpt, token_file
from workshop_utils.training import run_folder
from workshop_utils.training.train import train
data = token_file(Path(sys.argv[1]) / "data.bin")
write = run_folder.save_file
def die(content, path):
    write(content, path)
    if "writing-000016" in str(path):
        os.kill(os.getpid(), signal.SIGKILL)  # in the middle of a checkpoint
run_folder.save_file = die
config = quick(steps=20, optimizer="muon", checkpoint_every=2, eval_every=10)
train(small_gpt(dropout=0.1), data, data, config, Path(sys.argv[1]) / "run", quiet=True)
"""


def test_killed_while_it_writes_and_resumed_ends_in_the_same_bits(data, tmp_path):
    killed = subprocess.run([sys.executable, "-c", CHILD.format(here=str(HERE)), str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert list((tmp_path / "run").glob(".writing-*"))  # half a folder, never taken for a checkpoint
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    changes = {"steps": 20, "optimizer": "muon", "checkpoint_every": 2, "eval_every": 10, "keep": 2}
    again = resume(data, tmp_path / "run", small_gpt(dropout=0.1), **changes)
    whole = train(small_gpt(dropout=0.1), data, data, quick(**changes), quiet=True)
    torch.set_num_threads(threads)
    assert [e["loss"] for e in again.history] == [e["loss"] for e in whole.history]
    assert all(torch.equal(a, b) for a, b in zip(again.model.parameters(), whole.model.parameters(), strict=True))


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path):
    path.write_bytes(path.read_bytes()[:-7])


def deep(path):
    path.write_text("[" * 100_000)


@pytest.mark.parametrize("file", ["model.safetensors", "training.safetensors", "state.json"])
@pytest.mark.parametrize("damage", [flip, cut, deep, Path.unlink])
def test_a_damaged_checkpoint_is_noticed_and_the_one_before_is_used(out, capsys, file, damage):
    before, last = step_folders(out)[-2:]
    damage(last / file)
    folder, state = newest(out)
    assert (folder, state["step"]) == (before, int(before.name[5:]))
    said = capsys.readouterr().out
    assert "step-000012 is damaged" in said
    assert "going back to the one before" in said


def test_a_run_resumes_from_the_one_before_and_ends_in_the_same_bits(data, out):
    expected = final_weights(out)
    flip(step_folders(out)[-1] / "model.safetensors")
    assert resume(data, out).steps_done == 12
    assert all(torch.equal(expected[name], tensor) for name, tensor in final_weights(out).items())


def test_a_checkpoint_of_another_tokenizer_is_refused_with_both_fingerprints(data, out, tmp_path):
    other = byte_encoding("other", start=1)
    both = f"(?s){data.fingerprint}.*{fingerprint(other)}"
    with pytest.raises(CheckpointError, match=both):
        load_model(out, encoding=other)
    with pytest.raises(CheckpointError, match=both):
        resume(token_file(tmp_path / "other.bin", other), out)
    assert load_model(out, encoding=byte_encoding()).config.vocab_size == 320


def all_damaged(data, out):
    for folder in step_folders(out):
        flip(folder / "model.safetensors")
    newest(out)


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda data, out: resume(data, out, learning_rate=1e-3), r"learning_rate: 0.003 then, 0.001 now"),
        (lambda data, out: resume(data, out, small_gpt(n_layer=3)), "gpt"),
        (lambda data, out: train(small_gpt(), data, data, quick(), out, quiet=True), "already holds checkpoints"),
        (lambda data, out: load_model(out / "nowhere"), "holds no checkpoint"),
        (lambda data, out: load_model(out, step=5), "no checkpoint of step 5: it has"),
        (lambda data, out: only_run(out / "run.json").__enter__(), "is a file"),
        (all_damaged, "no checkpoint in"),
    ],
)
def test_what_cannot_be_resumed_or_loaded_is_a_sentence(data, out, attempt, words):
    with pytest.raises(CheckpointError, match=words):
        attempt(data, out)


FULL_DISK = """
import resource, sys
from pathlib import Path
sys.path.insert(0, {here!r})
from corpus import quick, small_gpt, token_file
from workshop_utils.training.run_folder import CheckpointError
from workshop_utils.training.train import train
base = Path(sys.argv[1])
data = token_file(base / "train.bin")
def fill(done, model, history):
    if done == 4:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))  # as if the disk were full
try:
    train(small_gpt(), data, data, quick(), base / "run", quiet=True, on_step=fill)
except CheckpointError as error:
    print(error)
    sys.exit(3)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits exist on Unix only")
def test_no_space_left_keeps_the_earlier_checkpoint(tmp_path):
    command = [sys.executable, "-c", FULL_DISK.format(here=str(HERE)), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert "could not be written" in done.stdout
    assert "resume=True" in done.stdout
    assert [read(folder)["step"] for folder in step_folders(tmp_path / "run")] == [3]
    assert not list((tmp_path / "run").glob(".writing-*"))


@pytest.mark.parametrize("full", [BEST, "run.json"])
def test_no_space_for_a_note_loses_no_checkpoint(data, tmp_path, monkeypatch, capsys, full):
    def no_space(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoints if full == BEST else run, "write_text_atomically", no_space)
    if full == BEST:
        with pytest.raises(CheckpointError, match=r"best.json could not be written: .*No space left.*resume=True"):
            train(small_gpt(), data, data, quick(), tmp_path, quiet=True)
    else:
        assert train(small_gpt(), data, data, quick(), tmp_path, quiet=True).steps_done == 12
        assert "run.json was not written: [Errno 28] No space left on device" in capsys.readouterr().out
    monkeypatch.undo()
    assert resume(data, tmp_path, keep=2).steps_done == 12


# --- folders of all kinds


@pytest.mark.parametrize(("number", "bad"), [(errno.EINVAL, False), (errno.ENOTSUP, False), (errno.EIO, True)])
def test_a_share_that_cannot_flush_folders_is_good_enough_and_a_failing_disk_is_not(
    data, tmp_path, monkeypatch, number, bad
):
    flush = os.fsync

    def fsync(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    if bad:
        with pytest.raises(CheckpointError):
            train(small_gpt(), data, data, quick(), tmp_path, quiet=True)
    else:
        train(small_gpt(), data, data, quick(), tmp_path, quiet=True)
        assert read(step_folders(tmp_path)[-1])["step"] == 12


HOLDER = """
import sys
from pathlib import Path
from workshop_utils.training.run_folder import only_run
with only_run(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_start_is_refused_before_it_writes_and_a_killed_one_is_not_in_the_way(data, tmp_path):
    out = tmp_path / "run"
    (tmp_path / "book.txt").write_text("The fox and the owl went home. " * 200)
    arguments = [sys.executable, "-c", HOLDER, str(out)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        for start in (lambda: resume(data, out), lambda: train_on_text(tmp_path / "book.txt", out, steps=2)):
            with pytest.raises(CheckpointError, match=f"another run is writing to {out}: wait until it ends"):
                start()
        assert [path.name for path in out.iterdir()] == [LOCK]
        holder.kill()
    assert resume(data, out).steps_done == 12
    assert LOCK not in {path.name for path in out.iterdir()}


def test_the_lock_of_one_folder_is_taken_again_by_the_same_run_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with only_run(tmp_path / "run"), only_run(Path("run")):
        assert (tmp_path / "run" / LOCK).exists()
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_written_is_said_before_the_first_step(data, out, monkeypatch, capsys):
    def refuse(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(run_folder.FileLock, "acquire", refuse)
    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    assert resume(data, out).steps_done == 12  # finished: only read
    assert "cannot be locked (PermissionError" in capsys.readouterr().out
    shutil.rmtree(step_folders(out)[-1])
    with pytest.raises(CheckpointError, match=r"nothing can be written to .*Permission denied.*another folder"):
        resume(data, out)


def test_what_other_programs_leave_in_a_folder_is_no_checkpoint(data, out):
    last = step_folders(out)[-1]
    for name in ("step-000012 (1)", "step-000012.sync-conflict-20261126", "step-"):
        shutil.copytree(last, out / name)
    for folder in (out, last):
        for name in (".DS_Store", "desktop.ini", "._model.safetensors", "model (1).safetensors"):
            (folder / name).write_bytes(b"\0\1")
    (out / "step-000013").touch()
    assert newest(out)[0] == last
    assert resume(data, out).steps_done == 12
    for step in (999_999, 1_000_000):
        (out / f"step-{step:06d}").mkdir()
    assert [folder.name for folder in step_folders(out)[-2:]] == ["step-999999", "step-1000000"]


@pytest.mark.parametrize("content", ["{", "[]", '{"step": Infinity}', '{"step": null}'])
def test_damaged_notes_beside_the_checkpoints_are_said_and_passed_over(data, out, capsys, content):
    (out / BEST).write_text(content)
    load_model(out)
    assert "best.json is damaged" in capsys.readouterr().out
    (out / "run.json").write_text(content.replace("step", "steps_done"))
    assert resume(data, out).steps_done == 12


def test_the_last_checkpoint_takes_the_place_of_a_best_one_that_is_gone(out, capsys):
    (out / BEST).write_text('{"step": 5, "val_loss": 0.1}')
    load_model(out)
    assert "step 5, is gone: the last one" in capsys.readouterr().out


def test_a_run_of_a_gpu_goes_on_without_one(data, out, monkeypatch, capsys):
    """Its checkpoint is that of a CPU with the settings of a GPU, and the random numbers of both."""
    shutil.rmtree(step_folders(out)[-1])
    folder, state = newest(out)
    state["training"] |= {"device": "cuda", "dtype": "float16"}
    state["scaler"] = {"scale": 65536.0, "growth_factor": 2.0, "backoff_factor": 0.5, "growth_interval": 2000}
    state["scaler"]["_growth_tracker"] = 0
    path = folder / "training.safetensors"
    tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}
    save_file(tensors | {"rng.cuda": torch.zeros(16, dtype=torch.uint8)}, path)
    state["sha256"][path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    state["sha256"]["state"] = run_folder.state_digest(state)
    (folder / "state.json").write_text(json.dumps(state))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    done = resume(data, out, device="cuda", dtype="float16")
    assert (done.steps_done, done.config.device, done.config.dtype) == (12, "cpu", "float32")
    assert "torch finds no GPU here: on the CPU in float32 instead of float16" in capsys.readouterr().out
    with pytest.raises(CheckpointError, match="dtype: float32 then, bfloat16 now"):  # on one machine it stays the same
        resume(data, out, dtype="bfloat16")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions")
def test_a_checkpoint_is_plain_files_that_whoever_may_read_one_may_read(made):
    last = step_folders(made)[-1]
    assert {path.name for path in last.iterdir()} == {"model.safetensors", "training.safetensors", "state.json"}
    assert len({path.stat().st_mode for path in last.iterdir()}) == 1
    text = (last / "state.json").read_text()
    assert json.loads(text)["run"]["steps_done"] == 12
    assert "Infinity" not in text
    assert "NaN" not in text
