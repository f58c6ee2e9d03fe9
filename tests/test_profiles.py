"""The choice of profile, device and dtype, on machines that are faked: this one has neither a T4 nor an A100."""

from __future__ import annotations

import http.server
import os
import sys
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import torch

from workshop_utils.machine import hardware as machine
from workshop_utils.machine import profiles

REACHED = (True, "https://huggingface.co answers")


@pytest.fixture
def gpu(monkeypatch):
    """Put a CUDA device into the machine, with a hub that answers."""

    def put(name: str, capability: tuple[int, int], gigabytes: float, problem: str = "") -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda index=0: name)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index=0: capability)
        memory = SimpleNamespace(total_memory=int(gigabytes * 1e9))
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index=0: memory)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *args, **kwargs: True)  # as torch says on a T4 too
        monkeypatch.setattr(machine, "_gpu_problem", lambda: problem)
        monkeypatch.setattr(profiles, "hub_reachable", lambda timeout=3.0: REACHED)

    return put


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture
def cpu(monkeypatch):
    """Say how much faster than float32 this CPU is in bf16."""

    def gain(speedup: float) -> None:
        monkeypatch.setattr(profiles, "cpu_bf16_speedup", lambda: speedup)

    return gain


# --- which profile --------------------------------------------------------------------------------------------------


def test_no_gpu_means_pocket(no_gpu):
    profile = profiles.setup(quiet=True)
    assert (profile.name, profile.device, profile.text) == ("pocket", "cpu", "stories")
    assert "no CUDA device" in profile.reason


def test_a_t4_computes_in_float16_though_torch_calls_bf16_supported(gpu):
    gpu("Tesla T4", (7, 5), 15.8)
    profile = profiles.setup(quiet=True)
    assert (profile.name, profile.device, profile.dtype) == ("t4", "cuda", "float16")
    assert "7.5" in profile.dtype_reason
    assert "emulated" in profile.dtype_reason
    assert profile.training.dtype == "float16"


def test_an_a100_gets_the_big_profile_in_bf16(gpu):
    gpu("NVIDIA A100-SXM4-40GB", (8, 0), 42.3)
    profile = profiles.setup(quiet=True)
    assert (profile.name, profile.dtype, profile.text) == ("big", "bfloat16", "HuggingFaceFW/fineweb-edu")


def test_much_memory_alone_is_not_big(gpu):
    gpu("Quadro RTX 8000", (7, 5), 50.9)
    profile = profiles.setup(quiet=True)
    assert (profile.name, profile.dtype) == ("t4", "float16")


def test_a_12_gb_card_counts_as_12_gb(gpu):
    gpu("NVIDIA GeForce RTX 3060", (8, 6), 12.6)
    assert profiles.setup(quiet=True).name == "t4"


def test_a_small_gpu_means_pocket_and_says_why(gpu):
    gpu("NVIDIA GeForce RTX 4060", (8, 9), 8.2)
    profile = profiles.setup(quiet=True)
    assert (profile.name, profile.device) == ("pocket", "cpu")
    for said in ("RTX 4060", "8.2 GB", "12 GB"):
        assert said in profile.reason


def test_a_gpu_that_torch_cannot_use_means_pocket_and_says_why(gpu):
    gpu("Tesla P100-PCIE-16GB", (6, 0), 17.0, problem="CUDA error: no kernel image is available")
    profile = profiles.setup(quiet=True)
    assert (profile.name, profile.device) == ("pocket", "cpu")
    assert "no kernel image" in profile.reason


def test_an_unreachable_hub_means_pocket_and_offers_the_cure(gpu, monkeypatch):
    gpu("Tesla T4", (7, 5), 15.8)
    monkeypatch.setattr(profiles, "hub_reachable", lambda timeout=3.0: (False, "the hub did not answer within 3 s"))
    profile = profiles.setup(quiet=True)
    assert profile.name == "pocket"
    assert "did not answer" in profile.reason
    assert "WORKSHOP_HUB" in profile.reason


def test_a_local_copy_stands_in_for_the_hub(gpu, monkeypatch, tmp_path):
    gpu("Tesla T4", (7, 5), 15.8)
    monkeypatch.setattr(profiles, "hub_reachable", lambda timeout=3.0: (False, "the hub did not answer"))
    monkeypatch.setenv("WORKSHOP_HUB", str(tmp_path))
    profile = profiles.setup(quiet=True)
    assert profile.name == "t4"
    assert "WORKSHOP_HUB" in profile.describe()


def test_the_argument_wins_over_the_variable_and_the_variable_over_the_machine(gpu, monkeypatch):
    gpu("Tesla T4", (7, 5), 15.8)
    monkeypatch.setenv("WORKSHOP_PROFILE", "pocket")
    assert profiles.choose().name == "pocket"
    assert profiles.choose("t4").name == "t4"


def test_a_profile_asked_for_is_given_even_where_it_will_be_slow(no_gpu):
    profile = profiles.choose("t4")
    assert (profile.name, profile.device) == ("t4", "cpu")
    assert "hours" in profile.reason
    assert profile.dtype != "float16"  # TrainConfig refuses it on a CPU


def test_big_asked_for_on_a_t4_keeps_float16_and_warns(gpu):
    gpu("Tesla T4", (7, 5), 15.8)
    profile = profiles.choose("big")
    assert (profile.name, profile.dtype) == ("big", "float16")
    assert "40 GB" in profile.reason


@pytest.mark.parametrize("name", ["gpu", "T5"])
def test_an_unknown_profile_is_one_sentence(name, monkeypatch):
    monkeypatch.setenv("WORKSHOP_PROFILE", name)
    with pytest.raises(ValueError, match=r"there is no profile .*WORKSHOP_PROFILE.*: choose pocket, t4 or big"):
        profiles.setup(quiet=True)


def test_capitals_and_spaces_are_forgiven(monkeypatch, no_gpu):
    monkeypatch.setenv("WORKSHOP_PROFILE", " Pocket ")
    assert profiles.choose().name == "pocket"


@pytest.mark.parametrize("country", ["Germany", "UK", ""])
def test_a_wrong_country_is_one_sentence(country, monkeypatch, no_gpu):
    monkeypatch.setenv("WORKSHOP_COUNTRY", country)
    with pytest.raises(ValueError, match=f"^WORKSHOP_COUNTRY is '{country}': use the three letters"):
        profiles.choose()


# --- in which numbers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("capability", "dtype"),
    [((6, 1), "float32"), ((7, 0), "float16"), ((7, 5), "float16"), ((8, 0), "bfloat16"), ((12, 0), "bfloat16")],
)
def test_only_the_capability_decides_on_cuda(capability, dtype):
    assert profiles.choose_dtype("cuda", capability)[0] == dtype


@pytest.mark.parametrize(("speedup", "dtype"), [(0.0, "float32"), (1.1, "float32"), (3.9, "bfloat16")])
def test_a_cpu_takes_bf16_only_where_it_is_faster(speedup, dtype, cpu):
    cpu(speedup)
    assert profiles.choose_dtype("cpu")[0] == dtype


def test_a_cpu_without_bf16_is_not_even_measured(monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False, raising=False)
    monkeypatch.setattr(machine.time, "perf_counter", lambda: pytest.fail("measured"))
    assert machine.cpu_bf16_speedup.__wrapped__() == 0.0


def test_the_measurement_is_quick(monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True, raising=False)
    start = time.perf_counter()
    assert machine.cpu_bf16_speedup.__wrapped__() > 0
    assert time.perf_counter() - start < 2


# --- what a profile brings ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", profiles.NAMES)
def test_every_profile_has_a_model_and_a_training(name, no_gpu):
    profile = profiles.choose(name)
    assert profile.training.device == profile.device
    assert profile.training.country == profile.country
    assert profile.gpt.vocab_size % 64 == 0


def test_vocabularies_are_the_tokenizers_padded(no_gpu):
    from workshop_utils.text.tokenizer import padded_vocab_size, pocket_tokenizer

    assert profiles.choose("pocket").gpt.vocab_size == padded_vocab_size(pocket_tokenizer())
    assert profiles.choose("t4").gpt.vocab_size == -(-50_257 // 64) * 64  # GPT-2's 50,257 tokens


@pytest.mark.parametrize(("name", "low", "high"), [("pocket", 0.8e6, 2.1e6), ("t4", 25e6, 35e6), ("big", 1.2e8, 1.3e8)])
def test_the_models_have_the_size_that_the_lessons_promise(name, low, high, no_gpu):
    gpt = profiles.choose(name).gpt
    parameters = 12 * gpt.n_layer * gpt.n_embd**2 + (gpt.vocab_size + gpt.block_size) * gpt.n_embd
    assert low <= parameters <= high


def test_hurry_shrinks_the_training_only(monkeypatch, no_gpu):
    profile = profiles.choose("pocket")
    calm = profile.training
    monkeypatch.setenv("WORKSHOP_HURRY", "1")
    hurried = profile.training
    assert hurried.steps <= 50 < calm.steps
    assert hurried.learning_rate == calm.learning_rate
    assert profiles.choose("pocket").gpt == profile.gpt


def test_hurry_makes_the_model_of_a_gpu_one_that_a_cpu_can_train(monkeypatch, no_gpu):
    profile = profiles.choose("t4")
    calm = profile.gpt
    monkeypatch.setenv("WORKSHOP_HURRY", "1")
    assert profile.gpt.n_embd < calm.n_embd / 3
    assert (profile.gpt.n_layer, profile.gpt.n_head, profile.gpt.vocab_size) == (6, 6, 50_304)
    assert profile.training.batch_size * profile.gpt.block_size < 200
    assert profiles.choose("big").gpt.n_layer == 12


def test_setup_prints_a_few_lines_and_no_more(no_gpu, capsys):
    profiles.setup()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["profile", "device", "numbers", "models", "text", "files"]
    profiles.setup(quiet=True)
    assert not capsys.readouterr().out


def test_pocket_closes_the_hub_and_another_profile_opens_it_again(monkeypatch, no_gpu):
    monkeypatch.delenv("HF_HUB_OFFLINE")
    profiles.setup("pocket", quiet=True)
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    profiles.setup("t4", quiet=True)
    assert "HF_HUB_OFFLINE" not in os.environ


def test_a_local_copy_of_the_hub_closes_the_hub(monkeypatch, tmp_path, no_gpu):
    for name in profiles.OFFLINE:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WORKSHOP_HUB", str(tmp_path))
    profiles.setup("t4", quiet=True)
    assert os.environ["HF_HUB_OFFLINE"] == os.environ["HF_DATASETS_OFFLINE"] == "1"
    monkeypatch.delenv("WORKSHOP_HUB")
    profiles.setup("t4", quiet=True)
    assert "HF_HUB_OFFLINE" not in os.environ


def test_an_offline_switch_of_the_user_is_never_taken_back(no_gpu):
    profiles.setup("pocket", quiet=True)  # conftest had set it before
    profiles.setup("t4", quiet=True)
    assert os.environ["HF_HUB_OFFLINE"] == "1"


# --- what the machine has -------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[tuple[str, type]]:
    """A web server on this machine, whose answer to HEAD a test may change."""

    class Handler(http.server.BaseHTTPRequestHandler):
        status, wait = 200, 0.0

        def do_HEAD(self) -> None:
            time.sleep(self.wait)
            self.send_response(self.status)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{served.server_port}", Handler
        served.shutdown()


@pytest.fixture
def hub(server, monkeypatch) -> type:
    """The hub, played by that server."""
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("HF_ENDPOINT", server[0])
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return server[1]


def test_a_hub_that_answers_is_reachable(hub):
    assert profiles.hub_reachable()[0]


def test_a_hub_that_refuses_is_not(hub):
    hub.status = 503
    reachable, reason = profiles.hub_reachable()
    assert not reachable
    assert "503" in reason


def test_a_silent_hub_costs_no_more_than_the_timeout(hub):
    hub.wait = 1.0
    start = time.perf_counter()
    reachable, reason = profiles.hub_reachable(timeout=0.2)
    assert not reachable
    assert time.perf_counter() - start < 0.8
    assert reason


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "no address at all", "https://example.invalid"])
def test_no_hub_at_all_is_a_reason_not_an_exception(address, monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("HF_ENDPOINT", address)
    reachable, reason = profiles.hub_reachable(timeout=1.0)
    assert not reachable
    assert address in reason


def test_offline_mode_is_believed_without_asking():
    assert profiles.hub_reachable() == (False, "HF_HUB_OFFLINE=1 closes the hub")


def test_a_hub_folder_that_is_missing_is_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("WORKSHOP_HUB", str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match="there is no such folder"):
        profiles.hub_folder()


def test_home_is_made(monkeypatch, tmp_path):
    monkeypatch.setenv("WORKSHOP_HOME", str(tmp_path / "a" / "b"))
    assert profiles.home() == tmp_path / "a" / "b"
    assert profiles.home().is_dir()


def test_a_home_that_cannot_be_made_is_one_sentence(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("WORKSHOP_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(ValueError, match="set WORKSHOP_HOME"):
        profiles.home()


def test_home_without_the_variable_is_in_the_checkout_or_the_users_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("WORKSHOP_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(machine, "checkout", lambda: None)
    assert profiles.home() == tmp_path / "slm-workshop"
    assert profiles.short_path(profiles.home()) == "~/slm-workshop"
    monkeypatch.setattr(machine, "checkout", lambda: tmp_path / "clone")
    assert profiles.home() == tmp_path / "clone" / "build" / "home"
    assert profiles.short_path(profiles.home()) == "build/home"


def test_a_container_has_the_cores_and_the_memory_of_its_share(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    free = profiles.cores(), profiles.free_memory_bytes()
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    (tmp_path / "memory.max").write_text("100000000\n")
    (tmp_path / "memory.current").write_text("40000000\n")
    assert (profiles.cores(), profiles.free_memory_bytes()) == (1, 60_000_000)
    for name in ("cpu.max", "memory.max"):
        (tmp_path / name).write_text("max 100000\n" if name == "cpu.max" else "max\n")
    assert profiles.cores() == free[0]
    assert profiles.free_memory_bytes() == pytest.approx(free[1], rel=0.5)


def test_free_disk_of_a_folder_that_is_not_there_yet(tmp_path):
    assert profiles.free_disk_bytes(tmp_path / "a" / "b") > 0


def test_peaks_are_those_of_the_device_and_dtype(gpu):
    assert profiles.peak_flops("Tesla T4", "float16") == 65e12
    assert profiles.peak_flops("Tesla T4", "bfloat16") is None  # emulated: a share of nothing
    assert profiles.peak_flops("NVIDIA H100 PCIe", "bfloat16") < profiles.peak_flops(
        "NVIDIA H100 80GB HBM3", "bfloat16"
    )
    assert profiles.peak_flops("AMD EPYC", "float32") is None
    gpu("Tesla T4", (7, 5), 15.8)
    assert profiles.peak_flops("cuda", "float16") == 65e12


def test_secrets_of_colab_reach_the_environment_and_a_missing_token_is_told(monkeypatch, capsys):
    class Missing(Exception):
        pass

    def get(name):
        if name != "OPENAI_API_KEY":
            raise Missing
        return "secret"

    userdata = SimpleNamespace(get=get, SecretNotFoundError=Missing, NotebookAccessError=PermissionError)
    monkeypatch.setitem(sys.modules, "google.colab", userdata)
    monkeypatch.setitem(sys.modules, "google.colab.userdata", userdata)
    for name in ("HF_TOKEN", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    machine.take_colab_secrets()
    assert os.environ["OPENAI_API_KEY"] == "secret"
    assert "HF_TOKEN" not in os.environ
    said = capsys.readouterr().out
    assert "no secret HF_TOKEN" in said
    assert "secret" not in said.replace("no secret", "")


def test_a_drive_that_is_not_there_ends_the_search_for_a_folder(monkeypatch):
    from pathlib import Path

    from workshop_utils.machine import hardware as machine

    monkeypatch.setattr(Path, "exists", lambda self: False)  # as for every folder of a drive Z: without a Z:
    assert machine.free_disk_bytes("/nowhere/at/all") > 0
