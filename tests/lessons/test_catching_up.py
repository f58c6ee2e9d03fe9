"""catch_up: what a lesson takes from earlier ones is found or made, and what a learner made is kept."""

from __future__ import annotations

import hashlib
import json

import pytest

from workshop_utils.command import cli
from workshop_utils.command.doctor import LESSONS
from workshop_utils.lessons import catch_up, catching_up
from workshop_utils.machine import profiles
from workshop_utils.text.tokenizer import pocket_tokenizer


@pytest.fixture
def at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKSHOP_HOME", str(tmp_path))
    monkeypatch.setenv("WORKSHOP_PROFILE", "pocket")
    monkeypatch.setenv("WORKSHOP_HURRY", "1")
    pocket_tokenizer.cache_clear()  # it remembers the home of another test
    yield tmp_path
    pocket_tokenizer.cache_clear()


def test_every_lesson_is_known_and_every_model_of_the_package_has_its_hash():
    assert list(catching_up.NEEDS) == [needs.lesson for needs in LESSONS]
    folder = catching_up.MODELS
    expected = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*.safetensors")
    }
    text = (folder.parents[1] / "data_files" / "models.json").read_text()
    assert json.loads(text) == expected, f"write this into data_files/models.json: {json.dumps(expected, indent=1)}"
    assert catching_up.damaged() == []


def test_what_lesson_04_needs_is_made_once_and_then_kept(at_home, capsys):
    catch_up(4)
    said = capsys.readouterr().out
    assert "1,024 tokens: made" in said
    assert said.strip().endswith("tokens: made")
    (file,) = at_home.glob("data/*/train.tokens")
    before = file.read_bytes(), file.stat().st_mtime_ns
    catch_up("04")
    assert capsys.readouterr().out.count("here, and kept") == 2
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before


def test_the_package_stands_in_for_an_adapter_and_a_learners_own_is_kept(at_home, capsys):
    assert cli.execute(["catch-up", "9"]) == 0
    assert "the package's own, whole (its SHA-256 is right)" in capsys.readouterr().out
    assert not (at_home / "runs").exists()  # or the lesson would call it the learner's
    mine = at_home / "runs" / "lesson07" / "workshop.json"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    assert cli.execute(["catch-up", "9"]) == 0
    assert "yours from lesson 07" in capsys.readouterr().out
    assert mine.read_text() == "mine"
    assert list(mine.parent.iterdir()) == [mine]


def test_a_damaged_package_and_a_lesson_that_is_not_there_are_sentences(at_home, tmp_path, monkeypatch, capsys):
    for name in json.loads((catching_up.MODELS.parents[1] / "data_files" / "models.json").read_text()):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("version https://git-lfs")
    monkeypatch.setattr(catching_up, "MODELS", tmp_path)
    assert cli.execute(["catch-up", "09"]) == 2
    assert "stoic/adapter_model.safetensors of the package is damaged" in capsys.readouterr().err
    assert cli.execute(["catch-up", "42"]) == 2
    assert "there is no lesson '42': choose one of 00, 01" in capsys.readouterr().err


def test_a_lesson_that_needs_nothing_says_so_and_a_gpu_profile_tunes_its_own(at_home, capsys):
    catch_up(7)
    assert "takes nothing from earlier ones" in capsys.readouterr().out
    catch_up(9, profiles.choose("t4"))
    assert "the lesson tunes it first" in capsys.readouterr().out
    catch_up(8)
    assert "lesson 08's run makes it" in capsys.readouterr().out
