"""The failure lab breaks what it says, for the reason it says, and leaves the rest of the machine whole."""

import random
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
import tiny_models
import torch

from workshop_utils.chat import template
from workshop_utils.exercises.lesson05 import diagnose
from workshop_utils.lessons import failures, failures_process
from workshop_utils.machine.profiles import choose
from workshop_utils.training import step_folders, train
from workshop_utils.tuning import lora


@pytest.fixture(scope="module")
def lab():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKSHOP_HURRY", "1")
        return failures.lab(choose("pocket"))


@pytest.fixture
def small(lab):
    """Few, short steps."""
    return replace(lab.training, steps=9, batch_size=2, dtype="float32", checkpoint_every=3, optimizer="adamw")


def test_the_lab_is_the_same_on_every_machine_and_hurries(lab, monkeypatch):
    monkeypatch.setenv("WORKSHOP_HURRY", "1")
    assert lab.config(steps=60).steps == failures.HURRIED_STEPS
    assert lab.config(steps=3).steps == 3
    t4 = failures.lab(choose("t4"))
    assert (t4.gpt, t4.train.fingerprint) == (lab.gpt, lab.train.fingerprint)
    state = torch.get_rng_state()
    first, second = lab.model(), lab.model()
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first.lm_head.weight, second.lm_head.weight)
    assert lab.model(n_layer=1).config.n_layer == 1


def test_fresh_stories_are_in_no_split_and_a_token_file_is_written_over(lab, tmp_path):
    fresh, path = failures.fresh_stories(20), tmp_path / "new" / "x.tokens"
    known = {lab.encoding.decode(split.document(i)) for split in (lab.train, lab.val) for i in range(split.n_documents)}
    assert len(set(fresh)) == 20
    assert not known & set(fresh)
    assert failures.token_file(fresh[:2], path, lab.encoding).n_documents == 2
    assert failures.token_file(fresh[:1], path, lab.encoding).n_documents == 1
    assert failures.bytes_of(tmp_path) == sum(file.stat().st_size for file in (tmp_path / "new").iterdir())


def test_simulated_runs_agree_with_young_and_a_typical_step_is_the_median():
    history = [{"seconds": at} for at in (1.0, 1.1, 1.2, 9.0, 9.1)] + [{"val_loss": 1.0}]
    assert failures.step_seconds(history) == pytest.approx(0.1)
    cost, between, rng = 10.0, 10_000.0, random.Random(1)
    best = (2 * cost * between) ** 0.5
    wasted = {k: failures.wasted_share(best * k, cost, between, 300 * between, rng) for k in (0.1, 1, 10)}
    assert min(wasted, key=wasted.__getitem__) == 1
    assert wasted[1] == pytest.approx(cost / best + best / 2 / between, rel=0.15)
    for endless in (0.0, 20.0):
        with pytest.raises(ValueError, match="interval is"):
            failures.wasted_share(endless, 1.0, 1.0, 1e6, rng)


def test_what_sixteen_bits_lose():
    values = torch.tensor([1e-9, 1.0, 70_000.0, 0.0])
    assert failures.lost_share(values, torch.float16) == pytest.approx((1 / 3, 1 / 3))
    assert failures.lost_share(values, torch.bfloat16) == (0, 0)
    assert failures.lost_share(values, torch.float16, 2.0**16) == pytest.approx((0, 2 / 3))
    weights = torch.tensor([1.0, 0.001])
    assert failures.stuck_share(weights, 1e-3, torch.bfloat16) == 0.5
    assert failures.stuck_share(weights, 1e-3, torch.float32) == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux enforces a limit on private memory")
def test_a_real_limit_stops_what_does_not_fit_and_nothing_else(lab, small):
    sizes = {"large": {"batch_size": 24}, "small": {"batch_size": 2, "grad_accum_steps": 12}}
    tried = failures.attempts(sizes, lab.gpt, small, lab.train, 100_000_000)
    assert "set batch_size=12 and grad_accum_steps=2" in tried["large"].stopped
    assert tried["large"].peak > 150_000_000  # measured again without the limit
    assert (tried["small"].stopped, tried["small"].provoked) == ("", True)
    assert 0 < tried["small"].peak < 50_000_000
    with pytest.raises(TypeError, match="bach_size"):
        failures.attempts({"x": {"bach_size": 2}}, lab.gpt, small, lab.train)


def test_on_a_gpu_the_limit_is_torchs_share(monkeypatch):
    asked = []
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", asked.append)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: 4_000)
    monkeypatch.setattr(failures_process, "find_gpu", lambda: SimpleNamespace(bytes=16_000))
    assert failures_process._limited("cuda", 4_000)
    assert not failures_process._limited("cuda", None)  # of an earlier job
    assert asked == [0.5, 1.0]


def test_recomputation_changes_no_gradient_and_keeps_less(lab):
    x, y = lab.train.windows(4, 128, torch.Generator().manual_seed(0))
    found, kept = [], []
    for change in (lambda model: None, failures_process.recompute):
        model, seen = lab.model(), {}
        change(model)

        def pack(tensor, seen=seen):
            seen[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            loss = model(x, y)[1]
        loss.backward()
        found.append([loss.detach(), *(parameter.grad for parameter in model.parameters())])
        kept.append(sum(seen.values()))
    assert all(torch.allclose(a, b, atol=1e-7) for a, b in zip(*found, strict=True))
    assert kept[1] < kept[0] / 2


def test_a_killed_run_comes_back_as_if_nothing_had_happened(lab, small, tmp_path):
    whole = train(lab.model(), lab.train, None, small, quiet=True)
    assert failures.kill_at(5, lab.gpt, small, lab.train, tmp_path / "run") == 5
    assert [folder.name for folder in step_folders(tmp_path / "run")] == ["step-000003"]
    resumed = train(lab.model(), lab.train, None, small, tmp_path / "run", resume=True, quiet=True)
    assert all(torch.equal(a, b) for a, b in zip(whole.model.parameters(), resumed.model.parameters(), strict=True))
    assert resumed.history[-1]["loss"] == whole.history[-1]["loss"]


def test_the_cure_keeps_the_gradients_and_its_absence_loses_them_where_it_can(tmp_path, monkeypatch):
    tiny_models.save(tmp_path / "some" / "model", "llama")
    monkeypatch.setenv("WORKSHOP_HUB", str(tmp_path))

    def around(cured: bool) -> failures.Around:
        model = lora.attach(lora.load_base("some/model", choose("pocket")), rank=4, dropout=0.0)
        talk = template.conversation("What colour is a banana?", "A banana is yellow.")
        return failures.around_generate(model, [template.encode(model.tokenizer, talk)], cured)

    cured, sick = around(True), around(False)
    assert cured.cosine == pytest.approx(1, abs=1e-4)
    assert cured.loss[0] == pytest.approx(cured.loss[1], abs=1e-5)
    assert (cured.provoked, cured.missing) == (False, 0)
    assert all(before > 0 for before, _ in cured.norms.values())
    assert sick.loss[0] == pytest.approx(cured.loss[0], abs=1e-5)
    assert abs(sick.loss[1] - sick.loss[0]) < 0.05 * sick.loss[0]  # it shows nothing
    assert (sick.missing > 0 or sick.cosine < 0.9) == sick.provoked
    assert failures.Around((1, 1), {"a": (1.0, None), "b": (1.0, 0.0), "c": (None, None)}, 0.0, True).missing == 1


def test_the_diagnosis_catches_a_rate_that_is_too_high_although_its_gradient_is_calm(lab):
    config = replace(lab.training, steps=60, grad_clip=0.0, optimizer="adamw", dtype="float32")
    history = train(lab.model(), lab.train, None, config, quiet=True, rates=[0.1] * config.steps).history
    shares = torch.bincount(torch.tensor(lab.train.tokens.astype("int64"))) / lab.train.n_tokens
    run = {name: [entry[name] for entry in history] for name in ("lr", "grad_norm", "loss")}
    run |= {"val_loss": run["loss"][-1:], "fresh_loss": run["loss"][-1:]}
    run["unigram_loss"] = float(-torch.xlogy(shares, shares).sum())
    assert max(run["grad_norm"][30:]) < 10 * run["grad_norm"][0]
    assert diagnose(run) == "rate"
