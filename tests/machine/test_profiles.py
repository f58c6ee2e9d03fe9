"""The choice of profile, device and dtype, on machines that are faked: this one has neither a T4 nor an A100."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest
import torch

from workshop_utils.machine import hardware, hub, profiles
from workshop_utils.text.tokenizer import padded_vocab_size, pocket_tokenizer

T4 = ("Tesla T4", (7, 5), 15.8)


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
        monkeypatch.setattr(hardware, "_gpu_problem", lambda: problem)
        monkeypatch.setattr(hub, "hub_reachable", lambda: (True, "https://huggingface.co answers"))

    return put


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


# --- which profile


@pytest.mark.parametrize(
    ("card", "name", "device", "dtype", "because"),
    [
        (T4, "t4", "cuda", "float16", "16 GB"),  # though torch calls bf16 supported there
        (("NVIDIA A100-SXM4-40GB", (8, 0), 42.3), "big", "cuda", "bfloat16", "capability 8.0"),
        (("Quadro RTX 8000", (7, 5), 50.9), "t4", "cuda", "float16", "51 GB"),  # much memory alone is not big
        (("NVIDIA GeForce RTX 3060", (8, 6), 12.6), "t4", "cuda", "bfloat16", "13 GB"),
        (("NVIDIA GeForce RTX 4060", (8, 9), 8.2), "pocket", "cpu", None, "8.2 GB of memory and not the 12 GB"),
        (("Tesla P100", (6, 0), 17.0, "no kernel image is available"), "pocket", "cpu", None, "no kernel image"),
    ],
)
def test_the_largest_profile_that_the_gpu_can_carry_and_why(card, name, device, dtype, because, gpu):
    gpu(*card)
    profile = profiles.setup(quiet=True)
    assert (profile.name, profile.device) == (name, device)
    assert dtype in (None, profile.dtype)
    assert profile.training.dtype == profile.dtype
    assert because in profile.reason


def test_an_unreachable_hub_means_pocket_and_a_local_copy_stands_in_for_it(gpu, monkeypatch, tmp_path):
    gpu(*T4)
    monkeypatch.setattr(hub, "hub_reachable", lambda: (False, "the hub did not answer within 3 s"))
    assert profiles.choose().name == "pocket"
    assert "did not answer" in profiles.choose().reason
    monkeypatch.setenv("WORKSHOP_HUB", str(tmp_path))
    assert profiles.choose().name == "t4"
    assert "WORKSHOP_HUB" in profiles.choose().describe()


def test_the_argument_goes_before_the_variable_and_the_variable_before_the_machine(gpu, monkeypatch):
    gpu(*T4)
    monkeypatch.setenv("WORKSHOP_PROFILE", " Pocket ")  # capitals and blanks are forgiven
    assert profiles.choose().name == "pocket"
    assert profiles.choose("t4").name == "t4"
    big = profiles.choose("big")
    assert (big.name, big.dtype) == ("big", "float16")
    assert "40 GB" in big.reason


def test_no_gpu_means_pocket_and_what_is_asked_for_is_given_even_where_it_will_be_slow(no_gpu):
    assert (profiles.choose().name, profiles.choose().text) == ("pocket", "stories")
    profile = profiles.choose("t4")
    assert (profile.name, profile.device) == ("t4", "cpu")
    assert "hours" in profile.reason
    assert profile.dtype != "float16"  # TrainConfig refuses it on a CPU


@pytest.mark.parametrize(
    ("variable", "value", "call", "words"),
    [
        ("WORKSHOP_PROFILE", "T5", profiles.choose, "there is no profile 't5': choose pocket, t4 or big"),
        ("WORKSHOP_COUNTRY", "Germany", profiles.choose, "'Germany' is no country code"),
        ("WORKSHOP_HOME", f"{__file__}/home", profiles.setup, "nothing can be written into the folder .*WORKSHOP_HOME"),
        ("WORKSHOP_HUB", "/no/where", hub.hub_folder, "there is no such folder"),
    ],
)
def test_a_variable_that_makes_no_sense_is_one_sentence(variable, value, call, words, no_gpu, monkeypatch):
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValueError, match=words):
        call()


# --- in which numbers


@pytest.mark.parametrize(
    ("device", "found", "dtype"),
    [
        ("cuda", (6, 1), "float32"),
        ("cuda", (7, 5), "float16"),  # nothing but the capability decides
        ("cuda", (8, 0), "bfloat16"),
        ("cpu", 1.1, "float32"),
        ("cpu", 3.9, "bfloat16"),
    ],
)
def test_bf16_is_for_gpus_that_have_it_and_for_cpus_where_it_is_faster(device, found, dtype, monkeypatch):
    monkeypatch.setattr(profiles, "cpu_bf16_speedup", lambda: found)
    assert profiles.choose_dtype(device, found if device == "cuda" else None)[0] == dtype


# --- what a profile brings


@pytest.mark.parametrize(("name", "low", "high"), [("pocket", 0.8e6, 2.1e6), ("t4", 25e6, 35e6), ("big", 1.2e8, 1.3e8)])
def test_every_profile_has_a_model_of_the_promised_size_and_a_training(name, low, high, no_gpu):
    profile = profiles.choose(name)
    gpt = profile.gpt
    assert low <= 12 * gpt.n_layer * gpt.n_embd**2 + (gpt.vocab_size + gpt.block_size) * gpt.n_embd <= high
    assert gpt.vocab_size == (padded_vocab_size(pocket_tokenizer()) if name == "pocket" else -(-50_257 // 64) * 64)
    assert (profile.training.device, profile.training.country) == (profile.device, profile.country)


def test_hurry_shrinks_trainings_and_the_models_of_a_gpu(monkeypatch, no_gpu):
    pocket, t4 = profiles.choose("pocket"), profiles.choose("t4")
    calm, gpt, calm_t4 = pocket.training, pocket.gpt, t4.gpt
    monkeypatch.setenv("WORKSHOP_HURRY", "1")
    assert pocket.training.steps <= 50 < calm.steps
    assert (pocket.training.learning_rate, pocket.gpt) == (calm.learning_rate, gpt)
    assert t4.gpt.n_embd < calm_t4.n_embd / 3
    assert (t4.gpt.n_layer, t4.gpt.n_head, t4.gpt.vocab_size) == (6, 6, 50_304)
    assert t4.training.batch_size * t4.gpt.block_size < 200


def test_pocket_and_a_local_copy_close_the_hub_and_another_profile_opens_it_again(monkeypatch, tmp_path, no_gpu):
    profiles.setup("pocket", quiet=True)
    profiles.setup("t4", quiet=True)
    assert os.environ["HF_HUB_OFFLINE"] == "1"  # conftest had set it: a switch of the user is never taken back
    for name in profiles.OFFLINE:
        monkeypatch.delenv(name)
    for name, copy in (("pocket", ""), ("t4", str(tmp_path))):
        monkeypatch.setenv("WORKSHOP_HUB", copy)
        profiles.setup(name, quiet=True)
        assert os.environ["HF_HUB_OFFLINE"] == os.environ["HF_DATASETS_OFFLINE"] == "1"
        monkeypatch.delenv("WORKSHOP_HUB")
        profiles.setup("t4", quiet=True)
        assert "HF_HUB_OFFLINE" not in os.environ
