"""What happens to laptops must not happen to models: kill, truncate, flip, fill the disk, swap the tokenizer."""

import errno
import hashlib
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import torch
from corpus import byte_encoding, quick, small_gpt, token_file
from safetensors.torch import load_file, save_file

from workshop_utils.command.own_text import train_on_text
from workshop_utils.training import checkpoints, loop, run_folder
from workshop_utils.training.checkpoints import BEST, load_model, load_training, newest, read
from workshop_utils.training.run_folder import LOCK, CheckpointError, only_run, step_folders
from workshop_utils.training.train import train

HERE = Path(__file__).parent

CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, {here!r})
import torch; torch.set_num_threads(1)
from corpus import quick, small_gpt, token_file
from workshop_utils.training.train import train
base = Path(sys.argv[1])
data = token_file(base / f"data-{{sys.argv[2]}}.bin")
config = quick(steps=60, optimizer="muon", checkpoint_every=2, eval_every=10)
step = lambda done, model, history: (base / "progress").write_text(str(done))
train(small_gpt(dropout=0.1), data, data, config, base / sys.argv[2], resume=True, quiet=True, on_step=step)
"""


def child(base, name):
    return subprocess.Popen([sys.executable, "-c", CHILD.format(here=str(HERE)), str(base), name])


def final_weights(out):
    loaded = load_file(step_folders(out)[-1] / "model.safetensors")
    return {name: tensor.clone() for name, tensor in loaded.items()}  # no longer mapped to a file that is damaged next


def test_killed_three_times_and_resumed_ends_in_the_same_bits(tmp_path):
    assert child(tmp_path, "whole").wait(120) == 0
    for kill_after in (5, 17, 40):
        (tmp_path / "progress").write_text("0")
        process = child(tmp_path, "killed")
        deadline = time.time() + 60
        while int((tmp_path / "progress").read_text() or 0) < kill_after and time.time() < deadline:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        assert process.wait(20) == -signal.SIGKILL
    assert child(tmp_path, "killed").wait(120) == 0
    whole, killed = final_weights(tmp_path / "whole"), final_weights(tmp_path / "killed")
    assert all(torch.equal(whole[name], killed[name]) for name in whole)
    states = [read(step_folders(tmp_path / name)[-1])["run"] for name in ("whole", "killed")]
    assert [e["loss"] for e in states[0]["history"]] == [e["loss"] for e in states[1]["history"]]


@pytest.fixture
def trained(tmp_path):
    data = token_file(tmp_path / "train.bin")
    out = tmp_path / "run"
    train(small_gpt(), data, data, quick(keep=3), out, quiet=True)
    return data, out


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path):
    path.write_bytes(path.read_bytes()[:-7])


@pytest.mark.parametrize("file", ["model.safetensors", "training.safetensors", "state.json"])
@pytest.mark.parametrize("damage", [flip, cut, Path.unlink])
def test_a_damaged_checkpoint_is_noticed_and_the_one_before_is_used(trained, capsys, file, damage):
    _, out = trained
    before, last = step_folders(out)[-2:]
    damage(last / file)
    with pytest.raises(CheckpointError, match="step-000012 is damaged"):
        read(last)
    folder, state = newest(out)
    assert (folder, state["step"]) == (before, int(before.name[5:]))
    said = capsys.readouterr().out
    assert "step-000012 is damaged" in said
    assert "going back to the one before" in said


def test_a_run_resumes_from_the_one_before_and_ends_in_the_same_bits(trained):
    data, out = trained
    expected = final_weights(out)
    flip(step_folders(out)[-1] / "model.safetensors")
    run = train(small_gpt(), data, data, quick(keep=3), out, resume=True, quiet=True)
    assert run.steps_done == 12
    assert all(torch.equal(expected[name], tensor) for name, tensor in final_weights(out).items())


def test_when_every_checkpoint_is_damaged_it_says_so(trained):
    _, out = trained
    for folder in step_folders(out):
        flip(folder / "model.safetensors")
    with pytest.raises(CheckpointError, match="no checkpoint in"):
        newest(out)


def test_a_checkpoint_of_another_tokenizer_is_refused_with_both_fingerprints(trained, tmp_path):
    from workshop_utils.text.tokenizer import fingerprint

    data, out = trained
    other = byte_encoding("other", start=1)
    both = f"(?s){data.fingerprint}.*{fingerprint(other)}"
    with pytest.raises(CheckpointError, match=both):
        load_model(out, encoding=other)
    theirs = token_file(tmp_path / "other.bin", other)
    with pytest.raises(CheckpointError, match=both):
        train(small_gpt(), theirs, theirs, quick(keep=3), out, resume=True, quiet=True)
    assert load_model(out, encoding=byte_encoding()).config.vocab_size == 320


def test_other_settings_are_refused_by_name(trained):
    data, out = trained
    with pytest.raises(CheckpointError, match=r"learning_rate: 0.003 then, 0.001 now"):
        train(small_gpt(), data, data, quick(keep=3, learning_rate=1e-3), out, resume=True, quiet=True)
    with pytest.raises(CheckpointError, match="gpt"):
        train(small_gpt(n_layer=3), data, data, quick(keep=3), out, resume=True, quiet=True)


def test_an_earlier_run_is_not_written_over(trained):
    data, out = trained
    with pytest.raises(CheckpointError, match="already holds checkpoints"):
        train(small_gpt(), data, data, quick(), out, quiet=True)


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
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK.format(here=str(HERE)), str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 3, done.stderr
    assert "could not be written" in done.stdout
    assert "resume=True" in done.stdout
    out = tmp_path / "run"
    assert [folder.name for folder in step_folders(out)] == ["step-000003"]
    assert read(step_folders(out)[-1])["step"] == 3
    assert not list(out.glob(".writing-*"))


def no_space(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("full", ["best.json", "run.json"])
def test_no_space_for_a_note_loses_no_checkpoint(tmp_path, monkeypatch, capsys, full):
    data, out = token_file(tmp_path / "train.bin"), tmp_path / "run"
    monkeypatch.setattr(checkpoints if full == BEST else loop, "write_text_atomically", no_space)
    if full == BEST:
        with pytest.raises(CheckpointError, match=r"best.json could not be written: .*No space left.*resume=True"):
            train(small_gpt(), data, data, quick(), out, quiet=True)
    else:
        assert train(small_gpt(), data, data, quick(), out, quiet=True).steps_done == 12
        assert "run.json was not written: [Errno 28] No space left on device" in capsys.readouterr().out
    monkeypatch.undo()
    assert train(small_gpt(), data, data, quick(), out, resume=True, quiet=True).steps_done == 12


# --- folders of all kinds -------------------------------------------------------------------------------------------


def refusing_folders(number):
    """os.fsync on a share that cannot flush folders."""
    flush = os.fsync

    def fsync(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        flush(descriptor)

    return fsync


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_a_folder_that_cannot_be_flushed_is_good_enough(tmp_path, monkeypatch, number):
    data = token_file(tmp_path / "train.bin")
    monkeypatch.setattr(os, "fsync", refusing_folders(number))
    assert train(small_gpt(), data, data, quick(), tmp_path / "run", quiet=True).steps_done == 12
    assert read(step_folders(tmp_path / "run")[-1])["step"] == 12


def test_a_folder_with_a_failing_disk_is_not(tmp_path, monkeypatch):
    data = token_file(tmp_path / "train.bin")
    monkeypatch.setattr(os, "fsync", refusing_folders(errno.EIO))
    with pytest.raises(CheckpointError, match=os.strerror(errno.EIO)):
        train(small_gpt(), data, data, quick(), tmp_path / "run", quiet=True)


HOLDER = """
import sys, time
from pathlib import Path
from workshop_utils.training.run_folder import only_run
with only_run(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that has the folder `run` to itself."""
    arguments = [sys.executable, "-c", HOLDER, str(tmp_path / "run")]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_start_is_refused_before_it_writes_and_a_killed_one_is_not_in_the_way(holder, tmp_path):
    data, out = token_file(tmp_path / "train.bin"), tmp_path / "run"
    (tmp_path / "book.txt").write_text("The fox and the owl went home. " * 200)
    for start in (
        lambda: train(small_gpt(), data, data, quick(), out, resume=True, quiet=True),
        lambda: train_on_text(tmp_path / "book.txt", out, steps=2),
    ):
        with pytest.raises(CheckpointError, match=f"another run is writing to {out}: wait until it ends"):
            start()
    assert [path.name for path in out.iterdir()] == [LOCK]
    holder.kill()
    holder.wait(20)
    assert train(small_gpt(), data, data, quick(), out, resume=True, quiet=True).steps_done == 12
    assert LOCK not in {path.name for path in out.iterdir()}


def test_the_lock_of_one_folder_is_taken_again_by_the_same_run_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with only_run(tmp_path / "run"), only_run(Path("run")):
        assert (tmp_path / "run" / LOCK).exists()
    assert not (tmp_path / "run").exists()
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match="is a file"), only_run(tmp_path / "file"):
        pass


def test_a_folder_that_cannot_be_written_is_said_before_the_first_step(trained, monkeypatch, capsys):
    data, out = trained

    def refuse(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(run_folder.FileLock, "acquire", refuse)
    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    assert train(small_gpt(), data, data, quick(keep=3), out, resume=True).steps_done == 12  # finished: only read
    assert "cannot be locked (PermissionError" in capsys.readouterr().out
    shutil.rmtree(step_folders(out)[-1])
    with pytest.raises(CheckpointError, match=r"nothing can be written to .*Permission denied.*another folder"):
        train(small_gpt(), data, data, quick(keep=3), out, resume=True, quiet=True)


def test_what_other_programs_leave_in_a_folder_is_no_checkpoint(trained):
    data, out = trained
    last = step_folders(out)[-1]
    for name in ("step-000012 (1)", "step-000012.sync-conflict-20261126", "step-000099 copy", "step-"):
        shutil.copytree(last, out / name)
    for folder in (out, last):
        for name in (".DS_Store", "desktop.ini", "Thumbs.db", "._model.safetensors", "model (1).safetensors"):
            (folder / name).write_bytes(b"\0\1")
    (out / "step-000013").touch()
    assert load_model(out).config == small_gpt().config
    assert newest(out)[0] == last
    run = train(small_gpt(), data, data, quick(keep=3), out, resume=True, quiet=True)
    assert run.steps_done == 12


def test_after_a_million_steps_the_last_one_is_still_the_last(trained):
    _, out = trained
    for step in (999_999, 1_000_000):
        (out / f"step-{step:06d}").mkdir()
    assert [folder.name for folder in step_folders(out)[-2:]] == ["step-999999", "step-1000000"]


@pytest.mark.parametrize("content", ["{", "[]", '{"step": Infinity}', '{"step": null}'])
def test_damaged_notes_beside_the_checkpoints_are_said_and_passed_over(trained, capsys, content):
    data, out = trained
    (out / BEST).write_text(content)
    load_model(out)
    assert "best.json is damaged" in capsys.readouterr().out
    (out / "run.json").write_text(content.replace("step", "steps_done"))
    assert train(small_gpt(), data, data, quick(keep=3), out, resume=True).steps_done == 12


def test_a_run_of_a_gpu_goes_on_without_one(tmp_path, monkeypatch, capsys):
    """Its checkpoint is that of a CPU with the settings of a GPU, and the random numbers of both."""
    data, out = token_file(tmp_path / "train.bin"), tmp_path / "run"
    train(small_gpt(), data, data, quick(), out, quiet=True)
    shutil.rmtree(step_folders(out)[-1])
    folder, state = newest(out)
    state["training"] |= {"device": "cuda", "dtype": "float16"}
    state["scaler"] = {"scale": 65536.0, "growth_factor": 2.0, "backoff_factor": 0.5, "growth_interval": 2000}
    state["scaler"]["_growth_tracker"] = 0
    tensors = load_training(folder) | {"rng.cuda": torch.zeros(16, dtype=torch.uint8)}
    save_file(tensors, folder / "training.safetensors")
    state["sha256"]["training.safetensors"] = hashlib.sha256((folder / "training.safetensors").read_bytes()).hexdigest()
    state["sha256"]["state"] = run_folder.state_digest(state)
    (folder / "state.json").write_text(json.dumps(state))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    run = train(small_gpt(), data, data, quick(device="cuda", dtype="float16"), out, resume=True)
    assert (run.steps_done, run.config.device, run.config.dtype) == (12, "cpu", "float32")
    assert "torch finds no GPU here: on the CPU in float32 instead of float16" in capsys.readouterr().out
    with pytest.raises(CheckpointError, match="dtype: float32 then, bfloat16 now"):  # on one machine it stays the same
        train(small_gpt(), data, data, quick(dtype="bfloat16"), out, resume=True, quiet=True)


def test_nothing_executable_is_stored(trained):
    _, out = trained
    names = {path.name for folder in step_folders(out) for path in folder.iterdir()}
    assert names == {"model.safetensors", "training.safetensors", "state.json"}


def test_a_half_written_folder_is_never_taken_for_a_checkpoint(trained):
    _, out = trained
    (out / ".writing-000099").mkdir()
    assert newest(out)[1]["step"] == 12


def test_missing_checkpoints_are_sentences(trained, tmp_path):
    _, out = trained
    with pytest.raises(CheckpointError, match="holds no checkpoint"):
        load_model(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match="no checkpoint of step 5: it has"):
        load_model(out, step=5)


def test_the_last_checkpoint_takes_the_place_of_a_best_one_that_is_gone(trained, capsys):
    _, out = trained
    (out / "best.json").write_text('{"step": 5, "val_loss": 0.1}')
    load_model(out)
    assert "step 5, is gone: the last one" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions")
def test_whoever_may_read_the_state_may_read_the_weights(trained):
    _, out = trained
    last = step_folders(out)[-1]
    assert len({path.stat().st_mode for path in last.iterdir()}) == 1


def test_the_state_is_plain_json_that_another_program_can_read(trained):
    _, out = trained
    text = (step_folders(out)[-1] / "state.json").read_text()
    assert json.loads(text)["run"]["steps_done"] == 12
    assert "Infinity" not in text
    assert "NaN" not in text


def test_energy_is_labelled_and_added_up(monkeypatch):
    from workshop_utils.machine.energy import Energy, track_energy

    with track_energy("GBR") as energy:
        end = time.process_time() + 0.3
        while time.process_time() < end:
            pass
    assert energy.kind in ("measured", "estimated")
    assert energy.kwh > 0
    assert energy.kg_co2e / energy.kwh == pytest.approx(0.2376, rel=0.2)  # Great Britain, not Quebec's 0.002
    assert energy.kind in str(energy)
    both = energy + Energy(1.0, 2.0, 3.0, "measured")
    assert (both.kwh, both.kind) == (energy.kwh + 1.0, energy.kind)
    assert (Energy() + energy).kwh == energy.kwh
    with pytest.raises(ValueError, match="'XYZ' is no country code"), track_energy("XYZ"):
        pass
    with track_energy("") as nothing:
        pass
    assert "unavailable" in str(nothing)


def test_energy_that_is_not_tracked_says_who_switched_it_off():
    from workshop_utils.machine.energy import track_energy

    with track_energy("") as energy:
        pass
    assert str(energy) == 'energy unavailable (switched off by country "")'


def test_a_broken_tracker_breaks_nothing(monkeypatch):
    from workshop_utils.machine.energy import track_energy

    monkeypatch.setitem(sys.modules, "codecarbon", None)
    with track_energy("GBR") as energy:
        pass
    assert energy.kind == "unavailable"
    assert "codecarbon" in energy.note
    assert "unavailable" in str(energy)
    assert energy.seconds > 0


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ("pue = abc", "it did not start"),
        ("output_dir = /nowhere", "it did not start"),
        ("force_ram_power = inf", "it counted inf kWh"),
        ("garbage", ""),
        ("allow_multiple_runs = false", None),  # figures, although another run's lock file lies there
    ],
)
def test_the_settings_of_codecarbon_that_lie_about_break_nothing(settings, reason, tmp_path, monkeypatch):
    import codecarbon.lock

    from workshop_utils.machine.energy import track_energy

    (tmp_path / ".codecarbon.config").write_text(f"[codecarbon]\n{settings}\n")
    (tmp_path / "stale.lock").touch()
    monkeypatch.setattr(codecarbon.lock, "LOCKFILE", str(tmp_path / "stale.lock"))
    monkeypatch.chdir(tmp_path)
    with track_energy("GBR") as energy:
        time.sleep(0.05)
    assert energy.seconds > 0
    if reason is None:
        assert energy.kwh > 0
    else:
        assert re.match(rf"energy unavailable \(CodeCarbon gave no figures, .*{reason}.*{tmp_path}", str(energy))
        assert energy.kwh == 0
