"""What happens to laptops must not happen to models: kill, truncate, flip, fill the disk, swap the tokenizer."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from corpus import byte_encoding, quick, small_gpt, token_file
from safetensors.torch import load_file

from workshop_utils.checkpoints import CheckpointError, load_model, newest, read, step_folders
from workshop_utils.train import train

HERE = Path(__file__).parent

CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, {here!r})
import torch; torch.set_num_threads(1)
from corpus import quick, small_gpt, token_file
from workshop_utils.train import train
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
    from workshop_utils.tokens import fingerprint

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
from workshop_utils.checkpoints import CheckpointError
from workshop_utils.train import train
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


def test_the_state_is_plain_json_that_another_program_can_read(trained):
    _, out = trained
    text = (step_folders(out)[-1] / "state.json").read_text()
    assert json.loads(text)["run"]["steps_done"] == 12
    assert "Infinity" not in text
    assert "NaN" not in text


def test_energy_is_labelled_and_added_up(monkeypatch):
    from workshop_utils.energy import Energy, track_energy

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


def test_a_broken_tracker_breaks_nothing(monkeypatch):
    from workshop_utils.energy import track_energy

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

    from workshop_utils.energy import track_energy

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
