"""The command line, as a person meets it: what it does, and that nothing typed wrongly ends in a traceback."""

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
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workshop_utils.command import cli
from workshop_utils.text.corpus import BINARY

WORDS = "the cat sat on a mat and a dog ran far away from the house over hills with sun moon star tree river"
SMALL = {
    "gpt": {"block_size": 32, "n_layer": 2, "n_head": 2, "n_embd": 32, "vocab_size": 300, "attention": "sdpa"},
    "training": {"batch_size": 4, "country": "", "checkpoint_every": 2, "eval_every": 2, "eval_batches": 2},
}


@pytest.fixture
def text(tmp_path: Path) -> Path:
    rng = random.Random(0)
    path = tmp_path / "text.txt"
    path.write_text("\n".join(" ".join(rng.choices(WORDS.split(), k=9)) + "." for _ in range(300)))
    return path


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "small.json"
    path.write_text(json.dumps(SMALL))
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of six steps that tests may read; those that damage it copy it."""
    folder = tmp_path_factory.mktemp("trained")
    rng = random.Random(0)
    (folder / "text.txt").write_text("\n".join(" ".join(rng.choices(WORDS.split(), k=9)) + "." for _ in range(300)))
    (folder / "small.json").write_text(json.dumps(SMALL))
    arguments = [
        "--text",
        folder / "text.txt",
        "--out",
        folder / "run",
        "--steps",
        "6",
        "--config",
        folder / "small.json",
    ]
    assert cli.execute(["train", *map(str, arguments)]) == 0
    return folder


def complaint(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 2) -> str:
    """Run a command that must fail, and return the one line that it says."""
    capsys.readouterr()
    assert cli.execute([str(argument) for argument in arguments]) == code
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("workshop: ")
    return lines[0]


# --- wrong usage ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Missing command"),
        (["fly"], "fly"),
        (["--fast"], "--fast"),
        (["doctor", "--yaml"], "--yaml"),
        (["train"], "--text"),
        (["train", "--text", "a.txt"], "--out"),
        (["train", "--text", "a.txt", "--out", "b", "--steps", "many"], "--steps"),
        (["train", "--text", "a.txt", "--out", "b", "--steps", "0"], "--steps"),
        (["train", "--text", "a.txt", "--out", "b", "--steps", "-5"], "--steps"),
        (["train", "--text", "nowhere.txt", "--out", "b"], "nowhere.txt"),
        (["train", "--text", ".", "--out", "b"], "no text file"),
        (["sample"], "DIR"),
        (["sample", "nowhere"], "--prompt"),
        (["sample", "nowhere", "--prompt", "a"], "nowhere"),
        (["sample", ".", "--prompt", "a"], "no run"),
        (["sample", ".", "--prompt", "a", "--temperature", "-1"], "--temperature"),
        (["sample", ".", "--prompt", "a", "--top-k", "0"], "--top-k"),
        (["sample", ".", "--prompt", "a", "--tokens", "1.5"], "--tokens"),
        (["sample", ".", "--prompt", ""], "empty"),
        (["sample", ".", "--prompt", "a", "--seed", str(2**63)], "--seed"),
        (["sample", ".", "--prompt", "a\udcff"], "no valid Unicode"),
        (["train", "--text", "two  blanks.txt", "--out", "b"], "two  blanks.txt"),
        (["train", "--text", os.devnull, "--out", "b"], "no text file"),
        (["train", "--text", "-", "--out", "b"], "no text file at -"),
        (["sample", "", "--prompt", "a"], "'' is no path"),
        (["train", "--text", "a.txt", "--out", ""], "'' is no path"),
        (["train", "--text", "a\nb.txt", "--out", "b"], "is no path"),
        (["run", "--profile", "huge"], "huge"),
        (["run", "77"], "77"),
        (["run", "nowhere.ipynb"], "nowhere.ipynb"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(arguments, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert said in complaint(capsys, *arguments)
    assert not list(tmp_path.iterdir()), "something was made before the mistake was found"


def test_wrong_settings_are_told_before_any_lesson_runs(capsys, monkeypatch, tmp_path):
    def run(*_):
        pytest.fail("lessons were run")

    monkeypatch.setattr("workshop_utils.command.run_lessons.run", run)
    monkeypatch.setenv("WORKSHOP_PROFILE", "nonsense")
    monkeypatch.setenv("WORKSHOP_HUB", str(tmp_path / "nowhere"))
    said = complaint(capsys, "run", "00")
    assert "nonsense" in said
    assert "nowhere" in said
    assert "nonsense" not in complaint(capsys, "run", "00", "--profile", "pocket")  # goes before the variable


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"]])
def test_help_is_no_mistake(arguments, capsys):
    assert cli.execute(arguments) == 0
    assert "Usage" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"caf\xe9 au lait", "Windows-1252"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"much too short", "too short"),
        (b"a", "too short"),
        (b"<|endoftext|>\n" * 9, "holds no text"),
        (b"\xef\xbb\xbf", "holds no text"),
        ("\u00a0".encode() * 50_000, "bad.txt holds no text"),
    ],
)
def test_a_text_that_cannot_be_used_is_one_line(content, said, capsys, tmp_path, config):
    (tmp_path / "bad.txt").write_bytes(content)
    out = tmp_path / "out"
    assert said in complaint(capsys, "train", "--text", tmp_path / "bad.txt", "--out", out, "--config", config)
    assert not out.exists(), "a later run would find a useless tokenizer there"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "JSON"),
        ("[]", '"gpt"'),
        ('{"n_layer": 3}', '"gpt"'),
        ('{"gpt": 3}', '"gpt"'),
        ('{"gpt": {"layers": 3}}', "layers"),
        ('{"gpt": {"n_embd": 33}}', "n_embd"),
        ('{"gpt": {"n_layer": "3"}}', "without quotes"),
        ('{"training": {"steps": "10"}}', "steps"),
        ('{"training": {"learning_rate": -1}}', "learning_rate"),
        ('{"training": {"learning_rate": null}}', "learning_rate is None"),
        ('{"training": {"schedule": "wavy"}}', "wavy"),
    ],
)
def test_a_config_that_makes_no_sense_is_one_line(content, said, capsys, tmp_path, text):
    (tmp_path / "config.json").write_text(content)
    out = tmp_path / "out"
    assert said in complaint(capsys, "train", "--text", text, "--out", out, "--config", tmp_path / "config.json")
    assert not out.exists()


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("train.tokens", "--text"),
        ("config.json", "--text"),
        ("config.json", "--config"),
        ("run.json", "--config"),
        ("train.tokens", None),
        ("val.tokens", None),
        ("best.json", None),
    ],
)
def test_nothing_of_other_people_is_written_over(name, option, capsys, tmp_path, text, config):
    out = tmp_path / "out"
    out.mkdir()
    options = {"--text": text, "--config": config, "--steps": 1, "--out": out}
    shutil.copy(options.get(option, text), out / name)
    before = (out / name).read_bytes()
    if option:
        options[option] = out / name
    said = complaint(capsys, "train", *(word for pair in options.items() for word in pair))
    assert f"already holds {name}" in said
    assert ("--resume" in said) == (name == "config.json")
    assert [(path.name, path.read_bytes()) for path in out.iterdir()] == [(name, before)]


def test_the_tokenizer_of_other_people_is_not_written_over(trained, capsys, tmp_path):
    data = {"train": str(trained / "run" / "train.tokens"), "tokenizer": str(trained / "run" / "tokenizer.json")}
    (tmp_path / "c.json").write_text(json.dumps(SMALL | {"data": data}))
    out = tmp_path / "out"
    out.mkdir()
    (out / "tokenizer.json").write_text("{}")
    said = complaint(capsys, "train", "--config", tmp_path / "c.json", "--out", out)
    assert "already holds tokenizer.json" in said
    assert (out / "tokenizer.json").read_text() == "{}"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_the_gpu_that_is_asked_for_nothing_is_laid_out(capsys, tmp_path, text):
    """The tokenizer of this text was left, and another text was trained with it later."""
    (tmp_path / "c.json").write_text(json.dumps(SMALL | {"training": {"device": "cuda"}}))
    out = tmp_path / "out"
    assert "no GPU" in complaint(capsys, "train", "--text", text, "--out", out, "--config", tmp_path / "c.json")
    assert not out.exists()


def test_a_folder_that_cannot_be_made_is_one_line(capsys, text):
    said = complaint(capsys, "train", "--text", text, "--out", text / "run")
    assert re.search(r"text.txt.run cannot be made \(.*\): choose another", said)
    assert "Errno" not in said


def test_a_folder_that_is_a_file_is_one_line(capsys, text):
    assert "is a file" in complaint(capsys, "train", "--text", text, "--out", text)


# --- train and sample -----------------------------------------------------------------------------------------------


def test_train_leaves_everything_that_sample_needs(trained, capsys):
    run = trained / "run"
    names = {path.name for path in run.iterdir()}
    assert {"tokenizer.json", "train.tokens", "val.tokens", "config.json", "step-000006"} <= names
    settings = json.loads((run / "config.json").read_text())
    assert settings["training"]["steps"] == 6
    assert settings["gpt"]["vocab_size"] == 320  # 300 tokens, padded to a multiple of 64
    arguments = ["sample", str(run), "--prompt", "the cat", "--tokens", "20", "--top-k", "5"]
    texts = []
    for seed in ("1", "1", "2"):
        assert cli.execute([*arguments, "--seed", seed]) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0].startswith("the cat")
    assert texts[0] == texts[1] != texts[2]


def documents(run: Path, split: str) -> list[str]:
    """What lies in a token file of a run, as text."""
    from workshop_utils.text.token_file import TokenFile
    from workshop_utils.text.tokenizer import load_tokenizer

    file, encoding = TokenFile(run / f"{split}.tokens"), load_tokenizer(run / "tokenizer.json")
    return [encoding.decode(file.document(i).tolist()) for i in range(file.n_documents)]


def test_nothing_of_the_validation_part_is_trained_on(trained):
    text = (trained / "text.txt").read_text()
    train, val = documents(trained / "run", "train"), documents(trained / "run", "val")
    assert len(train) == len(val) + 1 > 2
    assert "".join(piece for pair in zip(train, [*val, ""], strict=True) for piece in pair) == text
    assert sum(map(len, val)) == pytest.approx(len(text) / 10, rel=0.15)


def train_on(tmp_path: Path, content: str | bytes, steps: int, *arguments: str, **settings: object) -> Path:
    """A run on a text, small; with a name as people give them."""
    text, config, out = tmp_path / "mein Büchlein.txt", tmp_path / "c.json", tmp_path / "out put"
    text.write_bytes(content if isinstance(content, bytes) else content.encode())
    config.write_text(json.dumps(SMALL | {"training": SMALL["training"] | settings}))
    train = ["train", "--text", text, "--out", out, "--config", config, "--steps", steps, *arguments]
    assert cli.execute([str(argument) for argument in train]) == 0
    return out


def test_end_of_text_markers_make_documents(tmp_path, capsys):
    """TinyStories' own format: whole stories are held out, and the model learns where one ends."""
    rng = random.Random(0)
    stories = [f"{i} cats {rng.choice(['sat', 'ran', 'ate'])} on a mat.\nThat is all." for i in range(100, 300)]
    content = "".join(f"{story}\r\n<|endoftext|>\r\n" for story in stories)
    run = train_on(tmp_path, content, 60, eval_every=30, checkpoint_every=30, batch_size=8, learning_rate=1e-2)
    said = capsys.readouterr().out
    train, val = documents(run, "train"), documents(run, "val")
    assert sorted(train + val) == stories
    assert f"200 documents, cut at <|endoftext|>; held out for validation: {len(val)} whole documents, 10%" in said
    assert cli.execute(["sample", str(run), "--prompt", "17", "--tokens", "200", "--temperature", "0"]) == 0
    written = capsys.readouterr().out
    assert "endoftext" not in written
    assert len(written) < 100, "generation does not stop at the end of a document"


def test_a_licence_at_the_end_is_a_part_of_what_is_held_out(tmp_path):
    """It was all of it, so that the checkpoint called best was the one that knew least of the book."""
    book = "".join(f"{WORDS}, {i}.\n" for i in range(450))
    licence = "".join(f"Section {i}: permission is granted to copy.\n" for i in range(100))
    held_out = "".join(documents(train_on(tmp_path, book + licence, 1), "val"))
    assert 0 < held_out.count("Section") < held_out.count("sun moon")


def test_rows_that_would_leave_most_of_the_text_unread_are_refused(tmp_path, text, capsys):
    config, out = tmp_path / "rows.json", tmp_path / "out"
    config.write_text(json.dumps(SMALL | {"training": SMALL["training"] | {"rows": "rows"}}))
    said = complaint(capsys, "train", "--text", text, "--out", out, "--config", config)
    assert re.search(r'first 32 tokens .*, which are \d+% of this text: set "rows": "windows"', said)
    assert not (out / "config.json").exists()
    assert not (out / "tokenizer.json").exists(), "a later run would find it there"


def test_rows_are_taken_where_they_are_the_text(tmp_path):
    stories = "\n<|endoftext|>\n".join(f"{i} cats sat on a mat." for i in range(100, 200))
    run = train_on(tmp_path, stories, 1, rows="rows")
    assert json.loads((run / "config.json").read_text())["training"]["rows"] == "rows"


def test_token_files_that_rows_would_leave_unread_are_refused_too(trained, tmp_path, capsys):
    data = {"train": str(trained / "run" / "train.tokens"), "tokenizer": str(trained / "run" / "tokenizer.json")}
    config = tmp_path / "c.json"
    config.write_text(json.dumps(SMALL | {"training": SMALL["training"] | {"rows": "rows"}, "data": data}))
    assert "of this text" in complaint(capsys, "train", "--config", config, "--out", tmp_path / "out")


def test_few_steps_for_a_long_text_are_told(trained, tmp_path, capsys):
    train_on(tmp_path, (trained / "text.txt").read_bytes(), 1)
    assert re.search(r"1 steps read [\d.]+% of the text; [\d,]+ would read it once", capsys.readouterr().out)
    (tmp_path / "again").mkdir()
    train_on(tmp_path / "again", (trained / "text.txt").read_bytes(), 20)
    assert "would read it once" not in capsys.readouterr().out


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_are_no_part_of_the_text(trained, tmp_path, end, capsys):
    """A run goes on with the same text after a way through Windows, and refuses another."""
    content = (trained / "text.txt").read_text()
    run = train_on(tmp_path, content, 2)
    path = tmp_path / "mein Büchlein.txt"
    path.write_bytes(content.replace("\n", end).encode("utf-8-sig"))
    resume = ["train", "--text", str(path), "--out", str(run), "--resume"]
    assert cli.execute(resume) == 0
    assert "already finished" in capsys.readouterr().out
    path.write_bytes((content + "x").encode())
    assert "is not the text" in complaint(capsys, *resume)


def test_output_that_knows_few_characters_loses_no_text(trained, monkeypatch):
    """Such as a console of Windows, or a pipe there."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(
        sys, "argv", ["workshop", "sample", str(trained / "run"), "--prompt", "ein Bär, 猫", "--tokens", "9"]
    )
    with pytest.raises(SystemExit) as ended:
        cli.main()
    out.flush()
    assert ended.value.code == 0
    assert out.buffer.getvalue().startswith("ein Bär, ?".encode("cp1252"))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=200)
    | st.builds(bytes.__add__, st.sampled_from([start for start, *_ in BINARY]), st.binary(max_size=40))
    | st.text(max_size=60).map(lambda text: text.encode("utf-16"))
    | st.text(max_size=60).map(lambda text: (text + "<|endoftext|>" + text).encode("utf-8", "replace"))
)
def test_any_bytes_as_a_text_are_one_line_and_exit_code_2(tmp_path, config, capsys, content):
    """tests/text/test_documents.py tries many more of them on the reader alone."""
    (tmp_path / "any.txt").write_bytes(content)
    complaint(capsys, "train", "--text", tmp_path / "any.txt", "--out", tmp_path / "out", "--config", config)
    assert not (tmp_path / "out").exists()


def test_a_run_is_never_written_over(trained, capsys):
    said = complaint(capsys, "train", "--text", trained / "text.txt", "--out", trained / "run")
    assert "--resume" in said


def test_resume_ends_in_the_weights_of_an_unbroken_run(trained, tmp_path, capsys):
    """The run is cut after step 4 by deleting what came later, as if the process had been killed there."""
    run = tmp_path / "run"
    shutil.copytree(trained / "run", run)
    shutil.rmtree(run / "step-000006")
    assert cli.execute(["train", "--text", str(trained / "text.txt"), "--out", str(run), "--resume"]) == 0
    assert "resumed after step 4" in capsys.readouterr().out
    name = Path("step-000006") / "model.safetensors"
    assert (run / name).read_bytes() == (trained / "run" / name).read_bytes()


def test_a_run_that_was_cut_before_its_first_checkpoint_resumes_from_the_start(trained, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained / "run", run, ignore=shutil.ignore_patterns("step-*", "best.json"))
    assert cli.execute(["train", "--text", str(trained / "text.txt"), "--out", str(run), "--resume"]) == 0
    name = Path("step-000006") / "model.safetensors"
    assert (run / name).read_bytes() == (trained / "run" / name).read_bytes()


@pytest.mark.parametrize("name", ["train.tokens", "val.tokens"])
@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"x" * 2000)])
def test_damaged_token_files_are_made_again_from_the_text(name, damage, trained, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(trained / "run", run)
    damage(run / name)
    assert cli.execute(["train", "--text", str(trained / "text.txt"), "--out", str(run), "--resume"]) == 0
    assert "already finished" in capsys.readouterr().out
    assert (run / name).read_bytes() == (trained / "run" / name).read_bytes()


def test_resume_needs_no_text_where_the_token_files_are(trained, capsys):
    assert cli.execute(["train", "--out", str(trained / "run"), "--resume"]) == 0
    assert "already finished" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "resumed", "begun"),
    [
        ("config.json", "checkpoints and no config.json.*or start anew", "step-.*: choose another folder"),
        ("tokenizer.json", "no tokenizer .*copy it there", "step-.*by --resume"),
    ],
)
def test_what_is_missing_in_a_run_leads_into_no_circle(name, resumed, begun, trained, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(trained / "run", run)
    (run / name).unlink()
    train = ["train", "--text", trained / "text.txt", "--out", run]
    assert re.search(resumed, complaint(capsys, *train, "--resume"))
    assert re.search(begun, complaint(capsys, *train))


def test_resume_refuses_what_would_make_it_another_run(trained, tmp_path, capsys, text):
    same = ["train", "--resume", "--out", trained / "run", "--text", trained / "text.txt"]
    assert "6 steps" in complaint(capsys, *same, "--steps", 9)
    assert "--config" in complaint(capsys, *same, "--config", trained / "small.json")
    text.write_text(text.read_text() + " and more")
    assert "not the text" in complaint(capsys, "train", "--resume", "--out", trained / "run", "--text", text)
    assert "no run" in complaint(capsys, "train", "--resume", "--out", tmp_path / "new", "--text", text)


def test_a_tokenizer_in_the_folder_is_used(trained, tmp_path, text, config, capsys):
    out = tmp_path / "out"
    out.mkdir()
    shutil.copy(trained / "run" / "tokenizer.json", out)
    arguments = ["train", "--text", text, "--out", out, "--config", config, "--steps", 1]
    assert cli.execute([str(argument) for argument in arguments]) == 0
    assert "found there" in capsys.readouterr().out
    assert (out / "tokenizer.json").read_bytes() == (trained / "run" / "tokenizer.json").read_bytes()


@pytest.mark.parametrize("name", ["tokenizer.json", "config.json", "step-000006/model.safetensors"])
def test_a_damaged_run_is_one_line(name, trained, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(trained / "run", run, ignore=shutil.ignore_patterns("best.json", "step-000004", "step-000002"))
    (run / name).write_bytes((run / name).read_bytes()[:100])
    said = complaint(capsys, "sample", run, "--prompt", "the")
    assert Path(name).name in said or "step-000006" in said or "whole" in said


def test_the_tokenizer_of_another_run_is_refused_with_both_fingerprints(trained, tmp_path, capsys):
    from workshop_utils.text.tokenizer import fingerprint, load_tokenizer, save_tokenizer, train_bpe

    run = tmp_path / "run"
    shutil.copytree(trained / "run", run)
    other = train_bpe(["a quite different text, a quite different text"], 270)
    known = fingerprint(load_tokenizer(run / "tokenizer.json"))
    save_tokenizer(other, run / "tokenizer.json")
    said = complaint(capsys, "sample", run, "--prompt", "the")
    assert fingerprint(other) in said
    assert known in said


# --- doctor, run, and the process itself ----------------------------------------------------------------------------


def test_doctor_prints_json_that_a_program_can_read(capsys, monkeypatch):
    monkeypatch.setenv("WORKSHOP_PROFILE", "pocket")
    code = cli.execute(["doctor", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert {finding["name"] for finding in report["findings"]} >= {"python", "profile", "disk", "hub", "lesson 04"}
    assert code == any(finding["status"] == "problem" for finding in report["findings"])


def test_run_hands_the_lessons_on_and_returns_their_verdict(monkeypatch):
    from workshop_utils.command import run_lessons as lessons

    seen = []
    monkeypatch.setattr(lessons, "run", lambda *arguments: seen.append(arguments) or 1)
    assert cli.execute(["run", "02", "notes.ipynb", "--profile", "Pocket"]) == 1
    assert cli.execute(["run"]) == 1
    assert seen == [(["02", "notes.ipynb"], "pocket"), ([], None)]


def test_training_that_cannot_go_on_is_one_line_and_exit_code_1(monkeypatch, capsys, text, tmp_path):
    from workshop_utils.command import own_text
    from workshop_utils.training.run import TrainingStopped

    def diverge(*arguments: object) -> None:
        raise TrainingStopped("the loss is not finite\nat step 3")

    monkeypatch.setattr(own_text, "train_on_text", diverge)
    said = complaint(capsys, "train", "--text", text, "--out", tmp_path / "out", code=1)
    assert said == "workshop: the loss is not finite at step 3"


def test_a_bug_keeps_its_traceback(monkeypatch, text, tmp_path):
    from workshop_utils.command import own_text

    def bug(*arguments: object) -> None:
        raise RuntimeError("shapes cannot be multiplied")

    monkeypatch.setattr(own_text, "train_on_text", bug)
    with pytest.raises(RuntimeError, match="shapes"):
        cli.execute(["train", "--text", str(text), "--out", str(tmp_path / "out")])


def test_the_installed_command_says_one_line_too():
    command = [Path(sys.executable).with_name("workshop"), "train", "--txt", "a"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ, timeout=60)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert not done.stdout


# --- workshop chat


@pytest.fixture
def chat_hub(tmp_path, monkeypatch):
    tiny_models.save(tmp_path / "some" / "model")
    monkeypatch.setenv("WORKSHOP_HUB", str(tmp_path))


def test_chat_answers_one_prompt_and_ends(chat_hub, capsys):
    assert cli.execute(["chat", "--model", "some/model", "--tokens", "5", "A banana"]) == 0
    first = capsys.readouterr().out
    assert cli.execute(["chat", "--model", "some/model", "--tokens", "5", "A banana"]) == 0
    assert capsys.readouterr().out == first  # the same seed
    assert first.endswith("\n")


def test_chat_reads_a_conversation_from_a_pipe(chat_hub, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("A banana\nyellow\n/bye\n"))
    assert cli.execute(["chat", "--model", "some/model", "--tokens", "5"]) == 0
    out = capsys.readouterr().out
    assert len(out.split("\n")) >= 3
    assert "/bye" not in out  # no prompts and no help where nobody is typing


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "no/such", "hi"], "holds no no/such"),
        (["--model", "some/model", "--top-p", "3", "hi"], "top_p is 3"),
        (["--model", "some/model", "--temperature", "-1", "hi"], "temperature"),
    ],
)
def test_what_goes_wrong_in_chat_is_one_line(chat_hub, capsys, arguments, said):
    assert cli.execute(["chat", *arguments]) == 2
    error = capsys.readouterr().err.strip()
    assert said in error
    assert len([line for line in error.splitlines() if line.startswith("workshop:")]) == 1


def test_chat_with_a_hub_model_leaves_the_hub_open(monkeypatch, capsys):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(
        "workshop_utils.chat.models.load", lambda name, profile: (_ for _ in ()).throw(ValueError("enough"))
    )
    assert cli.execute(["chat", "--model", "some/model", "hi"]) == 2
    assert "HF_HUB_OFFLINE" not in os.environ
