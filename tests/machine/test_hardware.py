"""What the machine has, and whether the hub answers: with servers, folders and containers that each test makes."""

from __future__ import annotations

import http.server
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from workshop_utils.machine import hardware
from workshop_utils.machine.hub import hub_reachable, take_colab_secrets
from workshop_utils.machine.record import stamp


@pytest.fixture
def server(monkeypatch) -> Iterator[SimpleNamespace]:
    """The hub, played by a web server on this machine; a test says with what it answers to HEAD, and when."""
    answer = SimpleNamespace(status=200, when=threading.Event())
    answer.when.set()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            answer.when.wait()
            self.send_response(answer.status)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        monkeypatch.delenv("HF_HUB_OFFLINE")
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{served.server_port}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield answer
        answer.when.set()
        served.shutdown()


def test_a_hub_that_answers_is_reachable_and_one_that_refuses_or_is_silent_is_not(server):
    assert hub_reachable()[0]
    server.status = 503
    reachable, reason = hub_reachable()
    assert not reachable
    assert "503" in reason
    server.when.clear()
    reachable, reason = hub_reachable(timeout=0.2)  # returns although the server never answers
    assert not reachable
    assert reason


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "no address at all", "https://example.invalid"])
def test_no_hub_at_all_is_a_reason_and_no_exception(address, monkeypatch):
    assert hub_reachable() == (False, "HF_HUB_OFFLINE=1 closes the hub")  # believed without asking
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("HF_ENDPOINT", address)
    reachable, reason = hub_reachable(timeout=1.0)
    assert not reachable
    assert address in reason


def test_secrets_of_colab_reach_the_environment_and_a_missing_token_is_named(monkeypatch, capsys):
    class Missing(Exception):
        pass

    def get(name):
        if name != "OPENAI_API_KEY":
            raise Missing
        return "secret\n"

    userdata = SimpleNamespace(get=get, SecretNotFoundError=Missing, NotebookAccessError=PermissionError)
    for module in ("google.colab", "google.colab.userdata"):
        monkeypatch.setitem(sys.modules, module, userdata)
    for name in ("HF_TOKEN", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    take_colab_secrets()
    assert os.environ["OPENAI_API_KEY"] == "secret"
    assert "HF_TOKEN" not in os.environ
    said = capsys.readouterr().out
    assert "no secret HF_TOKEN" in said
    assert "secret" not in said.replace("no secret", "")


def test_home_is_named_by_the_variable_the_checkout_or_the_user_and_made_by_make_home(monkeypatch, tmp_path):
    monkeypatch.setenv("WORKSHOP_HOME", str(tmp_path / "a" / "b"))
    assert hardware.home() == tmp_path / "a" / "b"
    assert not hardware.home().exists()
    assert hardware.make_home().is_dir()
    monkeypatch.delenv("WORKSHOP_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(hardware, "checkout", lambda: None)
    assert hardware.home() == tmp_path / "slm-workshop"
    assert hardware.short_path(hardware.home()) == "~/slm-workshop"
    monkeypatch.setattr(hardware, "checkout", lambda: tmp_path / "clone")
    assert hardware.home() == tmp_path / "clone" / "build" / "home"
    assert hardware.short_path(hardware.home()) == "build/home"


def test_a_container_has_the_cores_and_the_memory_of_its_share(monkeypatch, tmp_path):
    monkeypatch.setattr(hardware, "CGROUP", tmp_path)
    whole = hardware.cores()
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    (tmp_path / "memory.max").write_text("100000000\n")
    (tmp_path / "memory.current").write_text("40000000\n")
    assert (hardware.cores(), hardware.free_memory_bytes()) == (1, 60_000_000)
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert hardware.cores() == whole
    assert hardware.free_memory_bytes() > 60_000_000


def test_free_disk_of_a_folder_or_a_drive_that_is_not_there(monkeypatch, tmp_path):
    assert hardware.free_disk_bytes(tmp_path / "a" / "b") > 0
    monkeypatch.setattr(Path, "exists", lambda self: False)  # as for every folder of a drive Z: without a Z:
    assert hardware.free_disk_bytes("/nowhere/at/all") > 0


def test_peaks_are_those_of_the_device_and_dtype(monkeypatch):
    assert hardware.peak_flops("Tesla T4", "float16") == 65e12
    assert hardware.peak_flops("Tesla T4", "bfloat16") is None  # emulated: a share of nothing
    assert hardware.peak_flops("NVIDIA H100 PCIe", "bfloat16") == 756e12
    assert hardware.peak_flops("NVIDIA H100 80GB HBM3", "bfloat16") == 989e12
    assert hardware.peak_flops("AMD EPYC", "float32") is None
    monkeypatch.setattr(hardware, "find_gpu", lambda: hardware.Gpu("Tesla T4", (7, 5), 16))
    assert hardware.peak_flops("cuda", "float16") == 65e12


def test_the_stamp_says_profile_machine_versions_and_date(capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    stamp()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["profile", "machine", "versions", "date"]
    assert "torch 2." in lines[2]
