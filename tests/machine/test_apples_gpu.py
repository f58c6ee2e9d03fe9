"""Apple's GPU, played by the CPU: what would fail on a real one, of which this project has none, raises here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from corpus import byte_encoding, quick, small_gpt, token_file
from torch.overrides import TorchFunctionMode

from workshop_utils.chat import models
from workshop_utils.command import doctor
from workshop_utils.gpt import TrainConfig, generate_text
from workshop_utils.machine import hardware, profiles
from workshop_utils.training import load_model, train
from workshop_utils.tuning import trainer


class ApplesGpu(TorchFunctionMode):
    """Computes on the CPU whatever asks for "mps", and refuses the numbers that it does not have or we do not use."""

    placed = 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        asked = [str(one) for one in (*args, *kwargs.values()) if isinstance(one, str | torch.device)]
        args = tuple("cpu" if isinstance(one, str | torch.device) and str(one) == "mps" else one for one in args)
        kwargs = {name: "cpu" if str(value) == "mps" else value for name, value in kwargs.items()}
        result = function(*args, **kwargs)
        if "mps" in asked:
            self.placed += 1
            parts = [result.dtype] if isinstance(result, torch.Tensor) else result  # or what Module.to() was asked for
            assert not {torch.float64, torch.float16} & set(parts), f"{function} puts {parts} there"
        return result


@pytest.fixture
def apple(monkeypatch: pytest.MonkeyPatch) -> Iterator[ApplesGpu]:
    def never(*args: object, **kwargs: object) -> None:
        raise AssertionError("CUDA was asked for")

    class Autocast(torch.autocast):
        def __init__(self, device_type: str, *args: object, **settings: object) -> None:
            assert device_type != "mps" or settings.get("enabled") is False
            super().__init__(device_type, *args, **settings)

    real = torch.Generator

    class Generator(real):
        def __new__(cls, device: str = "cpu") -> torch.Generator:
            return super().__new__(real, "cpu")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "_lazy_init", never)
    monkeypatch.setattr(torch.Tensor, "cuda", never)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch, "autocast", Autocast)
    monkeypatch.setattr(torch, "Generator", Generator)
    hardware.has_mps.cache_clear()
    with ApplesGpu() as played:
        yield played
    hardware.has_mps.cache_clear()


def test_the_pocket_profile_stays_on_the_cpu_and_the_others_take_it_in_float32(apple, monkeypatch):
    monkeypatch.delenv("WORKSHOP_PROFILE", raising=False)
    pocket, t4 = profiles.choose(), profiles.choose("t4")
    assert (pocket.name, pocket.device) == ("pocket", "cpu")
    assert "only Apple's GPU" in pocket.reason
    assert (t4.device, t4.dtype, t4.training.device) == ("mps", "float32", "mps")
    assert "which nobody has tried yet" in t4.reason
    assert trainer.precision_flags(t4) == {"bf16": False, "fp16": False, "use_cpu": False}
    (found,) = [finding for finding in doctor.check_device(pocket) if finding.name == "gpu"]
    assert (found.status, found.found.split(";")[0]) == ("note", "Apple's (mps)")


def test_mixed_precision_and_a_machine_without_it_are_sentences(monkeypatch):
    with pytest.raises(ValueError, match="Apple's GPU: use float32"):
        TrainConfig(device="mps", dtype="bfloat16")
    monkeypatch.setattr(profiles, "has_mps", lambda: False)
    with pytest.raises(ValueError, match='device is "mps", and torch finds no GPU here'):
        profiles.for_this_machine(TrainConfig(device="mps"), resume=False)
    assert profiles.for_this_machine(TrainConfig(device="mps"), resume=True).device == "cpu"


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_gpt_trains_goes_on_and_writes_without_cuda_float64_or_mixed_precision(optimizer, apple, tmp_path):
    data = token_file(tmp_path / "a.tokens")
    config = quick(steps=4, device="mps", optimizer=optimizer)
    run = train(small_gpt(dropout=0.1), data, data, config, tmp_path / "run", quiet=True)
    assert run.steps_done == 4
    again = train(small_gpt(dropout=0.1), data, data, config, tmp_path / "run", resume=True, quiet=True)
    assert [entry["loss"] for entry in again.history] == [entry["loss"] for entry in run.history]
    model = load_model(tmp_path / "run", encoding=byte_encoding()).to("mps")
    assert len(generate_text(model, byte_encoding(), "Mia", 5, temperature=0.8, top_k=5, n=2, seed=1)) == 2
    assert apple.placed > 10


def test_a_model_of_transformers_answers(apple):
    profile = profiles.replace(profiles.choose("pocket"), device="mps", dtype="float32")
    before = apple.placed
    assert models.load("pocket-instruct", profile).reply("Hello!", 5, temperature=0.7)
    assert apple.placed > before
