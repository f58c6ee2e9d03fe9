"""What the machine has, and whether the hub answers: with servers, folders and containers that each test makes."""

from __future__ import annotations

import http.server
import os
import sys
import threading
from types import SimpleNamespace

import pytest

from workshop_utils.gpt.config import TrainConfig
from workshop_utils.machine import compiling, hardware
from workshop_utils.machine.hub import hub_reachable, take_colab_secrets


def test_a_hub_that_answers_is_reachable_and_one_that_refuses_or_is_silent_is_not(monkeypatch):
    class Hub(http.server.BaseHTTPRequestHandler):
        status, may_answer = 200, threading.Event()

        def do_HEAD(self) -> None:
            self.may_answer.wait()
            self.send_response(self.status)
            self.end_headers()

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        monkeypatch.delenv("HF_HUB_OFFLINE")
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{served.server_port}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert not hub_reachable(timeout=0.2)[0]  # returns although nobody answers
        Hub.may_answer.set()
        assert hub_reachable()[0]
        Hub.status = 503
        assert "503" in hub_reachable()[1]
        served.shutdown()


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "no address at all", "https://example.invalid"])
def test_no_hub_at_all_is_a_reason_and_no_exception(address, monkeypatch):
    assert hub_reachable() == (False, "HF_HUB_OFFLINE=1 closes the hub")  # believed without asking
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("HF_ENDPOINT", address)
    reachable, reason = hub_reachable(timeout=1.0)
    assert not reachable
    assert address in reason


def test_secrets_of_colab_reach_the_environment_and_a_missing_token_is_named(monkeypatch, capsys):
    def get(name):
        return {"OPENAI_API_KEY": "secret\n"}[name]

    userdata = SimpleNamespace(get=get, SecretNotFoundError=KeyError, NotebookAccessError=PermissionError)
    for module in ("google.colab", "google.colab.userdata"):
        monkeypatch.setitem(sys.modules, module, userdata)
    for name in ("HF_TOKEN", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    take_colab_secrets()
    assert (os.environ["OPENAI_API_KEY"], os.environ.get("HF_TOKEN")) == ("secret", None)
    assert "no secret HF_TOKEN" in capsys.readouterr().out


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


@pytest.mark.parametrize(
    ("gpu", "changes", "flops", "pays", "words"),
    [
        (None, {"device": "cpu"}, 1e20, False, ""),
        (("Tesla T4", (7, 5)), {"dtype": "float16"}, 1e20, False, "below capability 8.0"),
        (("NVIDIA L4", (8, 9)), {"rows": "rows"}, 1e20, False, "rows are of many lengths"),
        (("NVIDIA L4", (8, 9)), {}, 1e15, False, "about 0.5 minutes of computation are ahead, and it pays from 4 on"),
        (("NVIDIA L4", (8, 9)), {"compile": "off"}, 1e20, False, "the config says so"),
        (("Tesla T4", (7, 5)), {"compile": "on", "rows": "rows"}, 1, True, "says so, though each new length"),
        (("NVIDIA H200", (9, 0)), {}, 4.5e17, True, "about 25.3 minutes"),
        (("a new one", (12, 0)), {}, 1e17, True, "about 55.6 minutes"),
    ],
)
def test_compiling_pays_on_newer_gpus_and_in_longer_runs(gpu, changes, flops, pays, words, monkeypatch):
    monkeypatch.setattr(compiling, "find_gpu", lambda: gpu and hardware.FoundGpu(*gpu, bytes=16))
    monkeypatch.setattr(compiling.importlib.util, "find_spec", lambda name: name)
    config = TrainConfig(**{"device": "cuda", "dtype": "bfloat16", "rows": "windows"} | changes)
    found, reason = compiling.compiling_pays(config, flops)
    assert found is pays
    assert words in reason


def test_peaks_are_those_of_the_device_and_dtype(monkeypatch):
    assert hardware.peak_flops("Tesla T4", "float16") == 65e12
    assert hardware.peak_flops("Tesla T4", "bfloat16") is None  # emulated: a share of nothing
    assert hardware.peak_flops("NVIDIA H100 PCIe", "bfloat16") == 756e12
    assert hardware.peak_flops("NVIDIA H100 80GB HBM3", "bfloat16") == 989e12
    monkeypatch.setattr(hardware, "find_gpu", lambda: hardware.FoundGpu("Tesla T4", (7, 5), 16))
    assert hardware.peak_flops("cuda", "float16") == 65e12
