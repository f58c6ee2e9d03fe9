"""The command line, as a person meets it: what it does, and that nothing typed wrongly ends in a traceback.

tests/text has the reading and splitting of texts, tests of the config the fields of a run file.
"""

from __future__ import annotations

import io
import json
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_models

from workshop_utils.command import cli, own_text, run_lessons
from workshop_utils.text.corpus import TokenFile
from workshop_utils.text.tokenizer import load_tokenizer
from workshop_utils.training.run import TrainingStopped

WORDS = "the cat sat on a mat and a dog ran far away from the house over hills with sun moon star tree river"
SMALL = {
    "gpt": {"block_size": 32, "n_layer": 2, "n_head": 2, "n_embd": 32, "vocab_size": 300, "attention": "sdpa"},
    "training": {"batch_size": 4, "country": "", "checkpoint_every": 2, "eval_every": 2, "eval_batches": 2},
}
WEIGHTS = Path("step-000006", "model.safetensors")


def run(*arguments: object) -> int:
    return cli.execute([str(argument) for argument in arguments])


def config(folder: Path, data: dict[str, str] | None = None, **training: object) -> Path:
    values = SMALL | {"training": SMALL["training"] | training} | ({"data": data} if data else {})
    (folder / "small.json").write_text(json.dumps(values))
    return folder / "small.json"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of six steps that tests may read; those that damage it copy it."""
    folder = tmp_path_factory.mktemp("trained")
    rng = random.Random(0)
    (folder / "text.txt").write_text("\n".join(" ".join(rng.choices(WORDS.split(), k=9)) + "." for _ in range(300)))
    text, out = folder / "text.txt", folder / "run"
    assert run("train", "--text", text, "--out", out, "--steps", 6, "--config", config(folder)) == 0
    return folder


@pytest.fixture
def copy(trained: Path, tmp_path: Path) -> Path:
    return shutil.copytree(trained / "run", tmp_path / "run")


@pytest.fixture
def complaint(capsys: pytest.CaptureFixture[str]):
    def complaint(*arguments: object, code: int = 2) -> str:
        """Run a command that must fail, and return the one line that it says."""
        capsys.readouterr()
        assert run(*arguments) == code
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("workshop: ")
        return line

    return complaint


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Missing command"),
        (["train", "--steps", "0"], "--steps"),
        (["train", "--text", "a.txt"], "--out"),
        (["train", "--text", "no  where.txt", "--out", "b"], "no  where.txt"),
        (["train", "--text", "short.txt", "--out", "b"], "too short"),
        (["train", "--text", "blank.txt", "--out", "b"], "blank.txt is empty"),
        (["train", "--text", "short.txt", "--out", "short.txt"], "is a file"),
        (["train", "--text", "short.txt", "--out", "short.txt/b"], r"cannot be made \([^E]"),  # without Errno
        (["train", "--config", "brace.json"], "no valid JSON"),
        (["train", "--text", "short.txt", "--out", "b", "--config", "layers.json"], "layers"),
        (["sample", ".", "--prompt", "a"], "no run"),
        (["sample", ".", "--prompt", "a", "--temperature", "-1"], "--temperature"),
        (["run", "77"], "77"),
        (["chat", "--model", "no/such", "hi"], "no/such"),
    ],
)
def test_wrong_usage_is_one_line_and_nothing_is_made(arguments, said, complaint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORKSHOP_HUB", str(tmp_path))
    (tmp_path / "short.txt").write_text("a word")
    (tmp_path / "blank.txt").write_text(" \n" * 9)
    (tmp_path / "brace.json").write_text("{")
    (tmp_path / "layers.json").write_text('{"gpt": {"layers": 3}}')
    before = sorted(tmp_path.iterdir())
    assert re.search(said, complaint(*arguments))
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["train.tokens", "val.tokens", "tokenizer.json", "best.json", "config.json"])
def test_nothing_of_other_people_is_written_over(name, trained, complaint, tmp_path):
    (tmp_path / "out").mkdir()
    path = tmp_path / "out" / name
    path.write_text("theirs")
    said = complaint("train", "--text", trained / "text.txt", "--out", tmp_path / "out", "--config", config(tmp_path))
    assert f"already holds {name}" in said
    assert [(path.name, path.read_text()) for path in (tmp_path / "out").iterdir()] == [(name, "theirs")]


# --- train and sample


def documents(run: Path, split: str) -> list[str]:
    """What lies in a token file of a run, as text."""
    file, encoding = TokenFile(run / f"{split}.tokens"), load_tokenizer(run / "tokenizer.json")
    return [encoding.decode(file.document(i).tolist()) for i in range(file.n_documents)]


def test_train_leaves_what_sample_needs_and_trains_on_nothing_of_the_validation_part(trained, capsys):
    settings = json.loads((trained / "run" / "config.json").read_text())
    assert settings["training"]["steps"] == 6
    assert settings["gpt"]["vocab_size"] == 320  # 300 tokens, padded to a multiple of 64
    texts = []
    for seed in ("1", "1", "2"):
        assert run("sample", trained / "run", "--prompt", "the cat", "--tokens", 20, "--top-k", 5, "--seed", seed) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0].startswith("the cat")
    assert texts[0] == texts[1] != texts[2]
    text, train, val = (trained / "text.txt").read_text(), *(documents(trained / "run", s) for s in ("train", "val"))
    assert "".join(piece for pair in zip(train, [*val, ""], strict=True) for piece in pair) == text
    assert sum(map(len, val)) == pytest.approx(len(text) / 10, rel=0.15)


def test_end_of_text_markers_make_documents_and_generation_stops_there(tmp_path, capsys):
    """TinyStories' own format, under names as people give them."""
    rng = random.Random(0)
    stories = [f"{i} cats {rng.choice(['sat', 'ran', 'ate'])} on a mat.\nThat is all." for i in range(100, 300)]
    text, out = tmp_path / "mein Büchlein.txt", tmp_path / "out put"
    text.write_text("".join(f"{story}\r\n<|endoftext|>\r\n" for story in stories))
    settings = config(tmp_path, eval_every=30, checkpoint_every=30, batch_size=8, learning_rate=1e-2, rows="rows")
    assert run("train", "--text", text, "--out", out, "--config", settings, "--steps", 60) == 0
    train, val = documents(out, "train"), documents(out, "val")
    assert sorted(train + val) == stories
    assert f"held out for validation: {len(val)} whole documents, 10%" in capsys.readouterr().out
    assert run("sample", out, "--prompt", "17", "--tokens", 200, "--temperature", 0) == 0
    written = capsys.readouterr().out
    assert "endoftext" not in written
    assert len(written) < 100


def test_rows_that_would_leave_most_of_the_text_unread_are_refused_and_few_steps_named(
    trained, tmp_path, complaint, capsys
):
    tokens = {"train": str(trained / "run" / "train.tokens"), "tokenizer": str(trained / "run" / "tokenizer.json")}
    for arguments in (
        ("--text", trained / "text.txt", "--config", config(tmp_path, rows="rows")),
        ("--config", config(tmp_path, tokens, rows="rows")),
    ):
        said = complaint("train", *arguments, "--out", tmp_path / "out")
        assert re.search(r'first 32 tokens .*, which are \d+% of this text: set "rows": "windows"', said)
        assert not (tmp_path / "out").exists()
    assert run("train", "--config", config(tmp_path, tokens), "--out", tmp_path / "out", "--steps", 1) == 0
    assert re.search(r"1 steps read [\d.]+% of the text; [\d,]+ would read it once", capsys.readouterr().out)


def test_output_that_knows_few_characters_loses_no_text(trained, monkeypatch):
    """Such as a console of Windows, or a pipe there."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr(sys, "stdout", out)
    sample = ["sample", str(trained / "run"), "--prompt", "ein Bär, 猫", "--tokens", "9"]
    monkeypatch.setattr(sys, "argv", ["workshop", *sample])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    out.flush()
    assert ended.value.code == 0
    assert out.buffer.getvalue().startswith("ein Bär, ?".encode("cp1252"))


@pytest.mark.parametrize("lost", [["step-000006"], ["step-*", "best.json"]])
def test_resume_ends_in_the_weights_of_an_unbroken_run(lost, trained, copy):
    """As if the process had been killed after step 4, or before its first checkpoint."""
    for pattern in lost:
        for path in copy.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert run("train", "--text", trained / "text.txt", "--out", copy, "--resume") == 0
    assert (copy / WEIGHTS).read_bytes() == (trained / "run" / WEIGHTS).read_bytes()


def test_resume_takes_the_same_text_with_other_line_ends_or_none_and_refuses_another_run(
    trained, copy, tmp_path, complaint, capsys
):
    content, path = (trained / "text.txt").read_text(), tmp_path / "text.txt"
    path.write_bytes(content.replace("\n", "\r\n").encode("utf-8-sig"))
    for text in (["--text", path], []):
        assert run("train", *text, "--out", copy, "--resume") == 0
        assert "already finished" in capsys.readouterr().out
    same = ["train", "--resume", "--out", copy, "--text", path]
    assert "steps: 6 then, 9 now" in complaint(*same, "--steps", 9)
    assert "seed: 0 then, 1 now" in complaint(*same, "--config", config(tmp_path, seed=1))
    path.write_text(content + " and more")
    assert "not the text" in complaint(*same)
    assert "--resume" in complaint("train", "--out", copy, "--text", path)  # a run is never written over


@pytest.mark.parametrize("name", ["tokenizer.json", "config.json", "step-000006/model.safetensors"])
def test_a_run_that_lacks_or_damaged_a_file_is_one_line(name, trained, copy, complaint):
    for path in (copy / "best.json", *copy.glob("step-00000[24]")):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    (copy / name).write_bytes((copy / name).read_bytes()[:100])
    said = complaint("sample", copy, "--prompt", "the")
    assert Path(name).name in said or "no checkpoint" in said
    (copy / name).unlink()
    assert re.search(r"no tokenizer|no run|whole", complaint("sample", copy, "--prompt", "the"))


# --- run, chat, and the process itself


def test_run_hands_the_lessons_on_and_wrong_settings_are_named_before_any_runs(monkeypatch, tmp_path, complaint):
    seen = []

    def handed(lessons: list[str], jobs: int) -> int:
        seen.append((lessons, jobs, os.environ["WORKSHOP_PROFILE"]))
        return 1

    monkeypatch.setattr(run_lessons, "run", handed)
    monkeypatch.setenv("WORKSHOP_PROFILE", "nonsense")
    monkeypatch.setenv("WORKSHOP_HUB", str(tmp_path / "nowhere"))
    assert re.search("nonsense.*nowhere", complaint("run", "00"))
    assert "nonsense" not in complaint("run", "00", "--profile", "pocket")  # goes before the variable
    monkeypatch.delenv("WORKSHOP_HUB")
    assert run("run", "02", "notes.ipynb", "--profile", "Pocket", "--jobs", "2") == 1
    assert seen == [(["02", "notes.ipynb"], 2, "pocket")]


def test_training_that_cannot_go_on_is_one_line_and_a_bug_keeps_its_traceback(monkeypatch, complaint):
    def ends(error: Exception) -> None:
        monkeypatch.setattr(own_text, "train_on_text", lambda *_: (_ for _ in ()).throw(error))

    ends(TrainingStopped("the loss is not finite\nat step 3"))
    assert complaint("train", code=1) == "workshop: the loss is not finite at step 3"
    ends(KeyboardInterrupt())
    assert "Ctrl-C" in complaint("train", code=130)
    ends(RuntimeError("shapes cannot be multiplied"))
    with pytest.raises(RuntimeError):
        run("train")


def test_the_installed_command_says_one_line_too_and_help_is_no_mistake():
    command = Path(sys.executable).with_name("workshop")
    done = subprocess.run([command, "train", "--txt", "a"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, len(done.stderr.splitlines()), done.stdout) == (2, 1, "")
    assert run("train", "--help") == 0


def test_chat_answers_one_prompt_or_a_conversation_from_a_pipe(tmp_path, monkeypatch, capsys):
    tiny_models.save(tmp_path / "some" / "model")
    monkeypatch.setenv("WORKSHOP_HUB", str(tmp_path))
    chat, said = ["chat", "--model", "some/model", "--tokens", "5"], []
    capsys.readouterr()
    for _ in range(2):
        assert run(*chat, "A banana") == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1] != "\n"  # the same seed
    monkeypatch.setattr("sys.stdin", io.StringIO("A banana\nyellow\n/bye\n"))
    assert run(*chat) == 0
    assert capsys.readouterr().out.startswith(said[0])  # no prompts and no help where nobody is typing
