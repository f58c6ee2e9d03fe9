"""workshop doctor --room: each trouble of a room is made here on purpose."""

from __future__ import annotations

import json
import socket

import pytest
import torch

from workshop_utils.command import cli, kit, room
from workshop_utils.machine import profiles


@pytest.fixture(autouse=True)
def pocket(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert profiles.choose().name == "pocket"


def found(check, *arguments):
    (finding,) = check(*arguments)
    assert bool(finding.cure) == (finding.status != "fine"), finding
    return finding


def test_a_good_room_is_one_table_with_exit_0_and_each_check_once(monkeypatch, capsys):
    monkeypatch.setattr(room, "diagnose_machine", lambda: [room.Finding("imports", "fine", "of every lesson")])
    monkeypatch.setattr(room, "SLOW", 1000)
    monkeypatch.setattr(room, "LESSONS", room.LESSONS[:1])  # importing what they all need takes 20 s
    assert cli.execute(["doctor", "--room", "--kits", "2"]) == 0
    said = capsys.readouterr().out
    for name in ("pocket models", "speed", "kit", "space", "jupyterlab"):
        assert sum(line[9:].startswith(f"{name} ") for line in said.splitlines()) == 1, name
    assert "packages that the lessons need" in said
    assert "of every lesson" not in said


def test_a_kit_that_is_torn_is_a_problem_and_one_that_is_none(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WORKSHOP_HUB", str(tmp_path))
    path = tmp_path / "a" / "b" / "x.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x" * 5)
    row = {"repo": "a/b", "kind": "model", "revision": "", "path": "x.json", "size": 5, "hash": "git:" + "0" * 40}
    (tmp_path / kit.MANIFEST).write_text(json.dumps({"files": [row]}))
    finding = found(room.check_kit)
    assert (finding.status, finding.found.split("; ")[1]) == ("problem", "a/b/x.json has other bytes than the hub's")
    (tmp_path / kit.MANIFEST).unlink()
    (finding,) = room.looked_at(room.check_kit)
    assert finding.status == "problem"
    assert "is no kit" in finding.found
    monkeypatch.setattr(room, "diagnose_machine", lambda: [finding])
    monkeypatch.setattr(room, "check_models", lambda: iter(()))
    monkeypatch.setattr(room, "check_speed", lambda: iter(()))
    assert cli.execute(["doctor", "--room"]) == 1


def test_too_little_disk_for_the_room_a_slow_machine_and_taken_ports(monkeypatch):
    assert found(room.check_space, 1).status == "fine"
    finding = found(room.check_space, 10**6)
    assert finding.status == "problem"
    assert finding.cure.startswith("free ")
    monkeypatch.setattr(room, "SLOW", 0)
    assert found(room.check_speed).status == "note"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        monkeypatch.setattr(room, "PORTS", range(port, port + 1))
        assert found(room.check_ports).status == "problem"
    assert found(room.check_ports).status == "fine"
