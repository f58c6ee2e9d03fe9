"""workshop progress: what check() leaves, and what a learner and an instructor see of it."""

from __future__ import annotations

import json
import os

import pytest

import notebooks as tool
from workshop_utils import exercises
from workshop_utils.command import cli
from workshop_utils.command import progress as shown
from workshop_utils.exercises.checks import check
from workshop_utils.machine import progress
from workshop_utils.machine.progress import Tried


@pytest.fixture(autouse=True)
def at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKSHOP_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def test_titles_and_importances_are_those_of_the_lessons():
    assert shown.exercises() == tool.headings(), "run python tools/notebooks.py exercises"
    assert set(shown.exercises()) == {one.id for number in exercises.lessons() for one in exercises.of_lesson(number)}


def test_check_leaves_a_line_for_each_try_until_it_passes_and_none_for_a_stub(at_home, capsys):
    def stub(loss):
        raise NotImplementedError

    check("04.1", stub)
    assert progress.tried() == {}
    check("04.1", lambda loss: loss)
    check("04.1", lambda loss: -loss)
    assert progress.tried() == {"04.1": Tried(2, False)}
    right = exercises.find("04.1").reference
    for _ in range(3):  # a lesson that is run again
        check("04.1", right)
    assert progress.tried() == {"04.1": Tried(3, True)}
    assert "lambda" not in (at_home / progress.FILE).read_text()
    capsys.readouterr()
    assert cli.execute(["progress"]) == 0
    said = capsys.readouterr().out
    assert "04.1  perplexity" in said
    assert "essential  passed, 3 tries" in said
    assert "lesson 04: 1 of 7 passed" in said
    assert "essential  not attempted" in said


def test_torn_lines_are_passed_over_and_a_home_that_is_not_writable_stops_nothing(at_home, monkeypatch):
    progress.note("04.1", "not yet")
    with open(at_home / progress.FILE, "a") as file:
        file.write('{"exercise": "04.2", "sta')  # killed in the middle of a line
    progress.note("04.3", "right")
    with open(at_home / progress.FILE, "ab") as file:
        file.write(b"\xff\n[]\n7\n{}\n" + b"[" * 100_000 + b"\n")
    assert progress.tried() == {"04.1": Tried(1, False), "04.3": Tried(1, True)}
    monkeypatch.setenv("WORKSHOP_HOME", str(at_home / "not" / "there"))
    progress.note("04.1", "right")
    assert progress.tried() == {}


def learner(folder, home, monkeypatch, name, *ended):
    monkeypatch.setenv("WORKSHOP_HOME", str(home))
    home.mkdir(exist_ok=True)
    for exercise, state in ended:
        progress.note(exercise, state)
    return cli.execute(["progress", "--share", str(folder), *(["--name", name] if name else [])])


def test_a_room_shows_who_is_stuck_where_and_names_only_who_gave_one(tmp_path, monkeypatch, capsys):
    room, wrong, right = tmp_path / "room", ("04.2", "not yet"), ("04.2", "right")
    room.mkdir()
    assert learner(room, tmp_path / "a", monkeypatch, "", wrong, wrong, wrong) == 0
    assert learner(room, tmp_path / "b", monkeypatch, "Ada\x1b[31m", wrong, wrong, wrong, wrong) == 0
    assert learner(room, tmp_path / "c", monkeypatch, "", wrong, right, ("07.1", "not yet")) == 0
    assert learner(room, tmp_path / "c", monkeypatch, "") == 0  # again: over the first one
    assert len(list(room.iterdir())) == 3
    content = "".join(path.read_text() for path in room.iterdir())
    for secret in (os.environ.get("USER") or "root", str(tmp_path), os.uname().nodename):
        assert secret not in content
    (room / "progress-x.json").write_text("{")
    (room / "progress-y.json").write_text(json.dumps({"name": "z", "tried": {"04.2": 3}}))
    (room / "progress-z.json").write_text("[" * 100_000)
    (room / "progress-0.json").write_text('{"name": "a", "tried": {"04.2": [1e999, false]}}')
    capsys.readouterr()
    assert cli.execute(["progress", "--room", str(room)]) == 0
    said = capsys.readouterr().out
    assert "3 have shared" in said
    (line,) = [line for line in said.splitlines() if line.startswith("04.2")]
    assert line.split("essential" if "essential" in line else "useful")[-1].split() == ["1", "0", "2", "Ada[31m"]
    assert "\x1b" not in said
    (line,) = [line for line in said.splitlines() if line.startswith("07.1")]
    assert line.split()[-3:] == ["0", "1", "0"]
    for name in "0xyz":
        assert f"passed over: progress-{name}.json holds no progress" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--share", "nowhere"], "there is no folder"),
        (["--room", "nowhere"], "there is no folder"),
        (["--name", "Ada"], "--share DIR may have a --name"),
        (["--room", ".", "--share", "."], "--room DIR stands alone"),
    ],
)
def test_wrong_usage_is_one_sentence(arguments, said, capsys):
    assert cli.execute(["progress", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_folder_without_anything_says_what_learners_do(tmp_path, capsys):
    assert cli.execute(["progress", "--room", str(tmp_path)]) == 2
    assert "workshop progress --share, by each learner" in capsys.readouterr().err
