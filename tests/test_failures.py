"""The failure lab breaks what it says, for the reason it says, and leaves the rest of the machine whole."""

import math
import os
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import tiny_models
import torch

from workshop_utils.chat import template as chat
from workshop_utils.lessons import failures, failures_child, failures_process
from workshop_utils.machine.profiles import choose
from workshop_utils.training.run import TrainingStopped
from workshop_utils.training.run_folder import step_folders
from workshop_utils.training.train import train
from workshop_utils.tuning import lora

OFFLINE = Path(__file__).parent / "offline"
LINUX = sys.platform.startswith("linux")


@pytest.fixture(scope="module")
def lab():
    os.environ["WORKSHOP_HURRY"] = "1"
    try:
        return failures.lab(choose("pocket"))
    finally:
        del os.environ["WORKSHOP_HURRY"]


@pytest.fixture
def small(lab):
    """Few, short steps."""
    return replace(lab.training, steps=9, batch_size=2, dtype="float32", checkpoint_every=3, optimizer="adamw")


# --- the lab


def test_the_lab_is_small_and_the_same_on_every_machine(lab, monkeypatch):
    assert lab.gpt.vocab_size >= lab.encoding.n_vocab
    assert lab.model().num_params() < 1_000_000
    assert lab.training.steps == failures.HURRIED_STEPS
    monkeypatch.setenv("WORKSHOP_HURRY", "1")
    assert lab.config(steps=60).steps == failures.HURRIED_STEPS
    assert lab.config(steps=3).steps == 3
    t4 = failures.lab(choose("t4"))
    assert (t4.gpt, t4.train.fingerprint) == (lab.gpt, lab.train.fingerprint)


def test_a_fresh_model_is_the_same_each_time_and_moves_no_dice(lab):
    state = torch.get_rng_state()
    first, second, third = lab.model(), lab.model(), lab.model(seed=1)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first.lm_head.weight, second.lm_head.weight)
    assert not torch.equal(first.lm_head.weight, third.lm_head.weight)
    assert lab.model(n_layer=1).config.n_layer == 1


def test_fresh_stories_are_in_no_split(lab):
    fresh = failures.fresh_stories(20)
    known = {lab.encoding.decode(lab.train.document(i)) for i in range(lab.train.n_documents)}
    known |= {lab.encoding.decode(lab.val.document(i)) for i in range(lab.val.n_documents)}
    assert len(set(fresh)) == 20
    assert not known & set(fresh)
    with pytest.raises(ValueError, match="seed 0"):
        failures.fresh_stories(3, seed=0)


def test_a_token_file_of_a_few_texts_is_written_over(lab, tmp_path):
    path = tmp_path / "new" / "x.tokens"
    assert failures.token_file(["One.", "Two."], path, lab.encoding).n_documents == 2
    assert failures.token_file(["Three."], path, lab.encoding).n_documents == 1


# --- rates, checkpoints, numbers


def test_training_follows_any_rates(lab, small):
    model = lab.model()
    before = model.lm_head.weight.detach().clone()
    history = failures.train_along(model, lab.train, small, [0.0, 0.0])
    assert torch.equal(model.lm_head.weight, before)  # a rate of 0 moves nothing, so the rates are really used
    history = failures.train_along(model, lab.train, small, [1e-3, 5e-3, 1e-2])
    assert [entry["lr"] for entry in history] == [1e-3, 5e-3, 1e-2]
    assert [entry["step"] for entry in history] == [1, 2, 3]
    assert history[-1]["loss"] < history[0]["loss"]
    assert all(entry["grad_norm"] > 0 for entry in history)
    assert not model.training
    with pytest.raises(TrainingStopped, match="not finite"):
        failures.train_along(lab.model(), lab.train, small, [float("inf")] * 3)


def test_bytes_of_a_folder(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_bytes(b"12345")
    (tmp_path / "y").write_bytes(b"123")
    assert failures.bytes_of(tmp_path) == 8


def test_a_typical_step_is_the_median_and_not_the_one_that_waited():
    history = [{"seconds": at} for at in (1.0, 1.1, 1.2, 9.0, 9.1)] + [{"val_loss": 1.0}]
    assert failures.step_seconds(history) == pytest.approx(0.1)
    with pytest.raises(ValueError, match="at least 3"):
        failures.step_seconds(history[:2])


def test_played_runs_agree_with_young():
    cost, between = 10.0, 10_000.0
    best = (2 * cost * between) ** 0.5
    rng = random.Random(1)
    shares = {
        factor: failures.wasted_share(best * factor, cost, between, 300 * between, rng) for factor in (0.1, 1, 10)
    }
    assert min(shares, key=shares.__getitem__) == 1
    assert shares[1] == pytest.approx(cost / best + best / 2 / between, rel=0.15)
    assert failures.wasted_share(10.0, 0.0, 1e12, 100.0, rng) == 0  # no cost and no failure: nothing is lost
    with pytest.raises(ValueError, match="above 0"):
        failures.wasted_share(0.0, 1.0, 1.0, 1.0, rng)
    for endless in ((100.0, 1.0, 1.0, 1e6), (1.0, 50.0, 1.0, 1.0), (1e-9, 0.0, 1.0, 1e9)):
        with pytest.raises(ValueError, match=r"would take about .* attempts"):
            failures.wasted_share(*endless, rng)
    for number in (math.nan, math.inf):
        with pytest.raises(ValueError, match="must be above 0"):
            failures.wasted_share(1.0, 0.0, number, 1.0, rng)


def test_what_sixteen_bits_lose():
    values = torch.tensor([1e-9, 1.0, 70_000.0, 0.0])
    assert failures.lost_share(values, torch.float16) == pytest.approx((1 / 3, 1 / 3))
    assert failures.lost_share(values, torch.bfloat16) == (0, 0)
    assert failures.lost_share(values, torch.float16, 2.0**16) == pytest.approx((0, 2 / 3))
    with pytest.raises(ValueError, match="0 already"):
        failures.lost_share(torch.zeros(2), torch.float16)
    weights = torch.tensor([1.0, 0.001])
    assert failures.stuck_share(weights, 1e-3, torch.bfloat16) == 0.5
    assert failures.stuck_share(weights, 1e-3, torch.float32) == 0


# --- memory


@pytest.mark.skipif(not LINUX, reason="only Linux enforces a limit on private memory")
@pytest.mark.parametrize("forks", [True, False], ids=["one process that forks", "a process for each"])
def test_a_real_limit_stops_what_does_not_fit_and_nothing_else(forks, lab, small, monkeypatch):
    if not forks:
        monkeypatch.delattr(os, "fork")
    sizes = {"large": {"batch_size": 24}, "small": {"batch_size": 2, "grad_accum_steps": 12}}
    free = failures.attempts(sizes, lab.gpt, small, lab.train)
    assert not any(attempt.stopped or attempt.provoked for attempt in free.values())
    assert free["large"].peak > 1.5 * free["small"].peak
    limit = (free["large"].peak + free["small"].peak) // 2
    tried = failures.attempts(sizes, lab.gpt, small, lab.train, limit)
    assert "set batch_size=12 and grad_accum_steps=2" in tried["large"].stopped
    assert tried["large"].seconds is None
    assert tried["large"].peak == pytest.approx(free["large"].peak, rel=0.15)  # measured again without the limit
    assert (tried["small"].stopped, tried["small"].provoked) == ("", True)
    assert tried["small"].peak < limit
    assert tried["small"].seconds > 0


def test_recomputation_changes_no_gradient_and_keeps_less(lab):
    x, y = lab.train.windows(4, 128, torch.Generator().manual_seed(0))
    found, kept = [], []
    for again in (False, True):
        model = lab.model()
        if again:
            failures_child.recompute(model)
        seen: dict[int, int] = {}

        def pack(tensor, seen=seen):
            seen[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            loss = model(x, y)[1]
        loss.backward()
        found.append([loss.item(), *(parameter.grad for parameter in model.parameters())])
        kept.append(sum(seen.values()))
    assert found[0][0] == found[1][0]
    assert all(torch.allclose(a, b, atol=1e-7) for a, b in zip(found[0][1:], found[1][1:], strict=True))
    assert kept[1] < kept[0] / 2


def test_a_change_that_is_no_setting_is_named(lab, small):
    with pytest.raises(ValueError, match="bach_size"):
        failures.attempts({"x": {"bach_size": 2}}, lab.gpt, small, lab.train)


def test_a_process_that_fails_otherwise_is_reported(lab, small):
    missing = SimpleNamespace(path="/nowhere/x.tokens")
    with pytest.raises(RuntimeError, match="ended with"):
        failures.attempts({"one": {}, "two": {}}, lab.gpt, small, missing)


@pytest.mark.skipif(not LINUX, reason="the GPU is played by a CPU with Linux's books")
def test_one_process_does_all_tries_on_a_gpu_and_outlives_memory_that_ran_out(lab, small, monkeypatch):
    started, start = [], subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **kwargs: started.append(args) or start(*args, **kwargs))
    monkeypatch.setenv("ONE_GPU", "1")
    monkeypatch.setenv("PYTHONPATH", str(OFFLINE))
    failures_process._helper.cache_clear()
    on_gpu = replace(small, device="cuda")
    sizes = {"large": {"batch_size": 24}, "small": {"batch_size": 2, "grad_accum_steps": 12}}
    free = failures.attempts(sizes, lab.gpt, on_gpu, lab.train)
    assert not any(attempt.stopped or attempt.provoked for attempt in free.values())
    limit = (free["large"].peak + free["small"].peak) // 2
    tried = failures.attempts(sizes, lab.gpt, on_gpu, lab.train, limit)
    assert "out of memory" in tried["large"].stopped
    assert tried["large"].peak == pytest.approx(free["large"].peak, rel=0.15)  # measured again without the limit
    assert (tried["small"].stopped, tried["small"].provoked) == ("", True)
    assert len(started) == 1
    failures_process._helper()[0].kill()
    with pytest.raises(RuntimeError, match="ended with -9"):
        failures.attempts(sizes, lab.gpt, on_gpu, lab.train)
    assert failures_process._helper()[0].poll() is None  # the next try has a new one
    failures_process._helper()[0].kill()
    failures_process._helper.cache_clear()


def test_on_a_gpu_the_limit_is_torchs_share(monkeypatch):
    asked = []
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", asked.append)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: 4_000)
    monkeypatch.setattr("workshop_utils.machine.hardware.find_gpu", lambda: SimpleNamespace(bytes=16_000))
    assert failures_child._limited("cuda", 4_000)
    assert not failures_child._limited("cuda", None)  # of an earlier job
    assert asked == [0.5, 1.0]
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not failures_child._limited("cpu", 4_000)  # macOS enforces none, and says so by provoked=False


# --- killed


def test_a_killed_run_comes_back_as_if_nothing_had_happened(lab, small, tmp_path):
    whole = train(lab.model(), lab.train, None, small, quiet=True)
    assert failures.kill_at(5, lab.gpt, small, lab.train, tmp_path / "run") == 5
    assert [folder.name for folder in step_folders(tmp_path / "run")] == ["step-000003"]
    resumed = train(lab.model(), lab.train, None, small, tmp_path / "run", resume=True, quiet=True)
    assert resumed.steps_done == small.steps
    for a, b in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(a, b)
    assert resumed.history[-1]["loss"] == whole.history[-1]["loss"]


def test_a_run_that_ends_before_the_blow_is_told(lab, small, tmp_path):
    with pytest.raises(RuntimeError, match="ended by itself at step 9"):
        failures.kill_at(20, lab.gpt, small, lab.train, tmp_path / "run")


# --- quantised


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hub")
    tiny_models.save(folder / "some" / "model", "llama")
    return folder


def in_four_bits() -> tuple:
    model = lora.attach(lora.load_base("some/model", choose("pocket")), rank=4, dropout=0.0)
    talks = [chat.conversation("What colour is a banana?", "A banana is yellow.")]
    return model, [chat.encode(model.tokenizer, talk) for talk in talks]


def test_the_cure_keeps_the_gradients_and_its_absence_loses_them_where_it_can(hub, monkeypatch):
    monkeypatch.setenv("WORKSHOP_HUB", str(hub))
    cured = failures.around_generate(*in_four_bits(), cured=True)
    assert cured.cosine == pytest.approx(1, abs=1e-4)
    assert cured.loss[0] == pytest.approx(cured.loss[1], abs=1e-5)
    assert not cured.provoked
    assert cured.missing == 0
    assert all(before > 0 for before, _ in cured.norms.values())

    sick = failures.around_generate(*in_four_bits(), cured=False)
    from bitsandbytes import nn as bnb

    assert sick.provoked == bnb.Linear4bit(64, 64).support_avx512bf16_for_cpu
    if not sick.provoked:
        pytest.skip("this CPU has no avx512_bf16, so nothing is repacked")
    assert sick.loss[0] == pytest.approx(cured.loss[0], abs=1e-5)
    assert abs(sick.loss[1] - sick.loss[0]) < 0.05 * sick.loss[0]  # it shows nothing
    assert sick.missing or sick.cosine < 0.9


def test_a_missing_gradient_is_counted():
    around = failures.Around((1.0, 1.0), {"a": (1.0, None), "b": (1.0, 0.0), "c": (None, None)}, 0.0, True)
    assert around.missing == 1
