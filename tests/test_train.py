"""The loop learns, and does so in the right units: every trick is compared with the plain way."""

import contextlib
import dataclasses
import importlib
import json
import math
import os
import signal

import pytest
import torch
from corpus import quick, small_gpt, token_file

from workshop_utils.gpt.config import TrainConfig
from workshop_utils.gpt.model import fastest_attention
from workshop_utils.training.checkpoints import load_model
from workshop_utils.training.run_folder import step_folders
from workshop_utils.training.train import TrainingStopped, estimate_loss, lr_at, run_dir, train

train_module = importlib.import_module("workshop_utils.training.train")  # its function has the same name


@pytest.fixture
def data(tmp_path):
    return token_file(tmp_path / "train.bin")


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def train_quietly(data, config=None, out_dir=None, model=None, **options):
    config = config or quick()
    return train(model or small_gpt(), data, data, config, out_dir, quiet=True, **options)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("rows", ["rows", "windows"])
def test_the_loss_falls_below_what_letter_frequencies_allow(data, optimizer, rows):
    run = train_quietly(data, quick(steps=150, optimizer=optimizer, rows=rows, learning_rate=6e-3, eval_every=50))
    assert run.history[0]["loss"] == pytest.approx(math.log(320), abs=0.3)
    assert run.best_val_loss < 1.5  # the entropy of the letters alone is above 2.5 nats
    assert run.stopped == "finished"


def test_the_schedule_meets_its_corners():
    config = TrainConfig(steps=100, learning_rate=0.5, warmup=0.1)
    assert lr_at(0, config) == 0
    assert lr_at(5, config) == pytest.approx(0.25)
    assert lr_at(10, config) == pytest.approx(0.5)
    assert lr_at(55, config) == pytest.approx(0.25)
    assert lr_at(99, config) == pytest.approx(0.5 / 90)
    cosine = dataclasses.replace(config, schedule="cosine", min_lr_ratio=0.1)
    assert lr_at(10, cosine) == pytest.approx(0.5)
    assert lr_at(55, cosine) == pytest.approx(0.275)
    assert lr_at(100, cosine) == pytest.approx(0.05)
    assert lr_at(99, dataclasses.replace(config, schedule="constant")) == 0.5


@pytest.fixture
def no_validation(monkeypatch):
    """Tests whose batches run out must not be looked at as well."""
    monkeypatch.setattr(train_module, "estimate_loss", lambda *_: 0.0)


@pytest.mark.usefixtures("no_validation")
def test_accumulated_gradients_equal_those_of_the_whole_batch(data):
    class Halves:
        """The same eight rows, as one batch of eight or as two of four with very different numbers of tokens."""

        fingerprint, vocab_size = data.fingerprint, data.vocab_size

        def __init__(self, size):
            x, y = data.rows(8, 64, torch.Generator().manual_seed(3))
            y[:4, 5:] = -1
            self.parts = [(x[i : i + size], y[i : i + size]) for i in range(0, 8, size)] * 2  # two updates

        def batch(self, how, batch_size, block_size, generator):
            return self.parts.pop(0)

    settings = {"steps": 2, "warmup": 0.0, "weight_decay": 0.0}
    whole = train_quietly(Halves(8), quick(batch_size=8, **settings), model=small_gpt())
    parts = train_quietly(Halves(4), quick(batch_size=4, grad_accum_steps=2, **settings), model=small_gpt())
    for a, b in zip(whole.history, parts.history, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-5)
        assert a["grad_norm"] == pytest.approx(b["grad_norm"], rel=1e-4)


def test_clipping_shortens_the_gradient_and_reports_its_true_length(data, monkeypatch):
    applied = []
    step = torch.optim.AdamW.step

    def remember(self, *args, **kwargs):
        parameters = [p for group in self.param_groups for p in group["params"]]
        applied.append(torch.cat([p.grad.flatten() for p in parameters]).norm().item())
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.AdamW, "step", remember)
    run = train_quietly(data, quick(steps=2, grad_clip=0.01))
    assert applied == pytest.approx([0.01, 0.01], rel=1e-3)
    assert run.history[0]["grad_norm"] > 0.1


def test_weight_decay_spares_norms_and_biases():
    from workshop_utils.training.optimizers import make_optimizers

    model = small_gpt()
    (adamw,) = make_optimizers(model, quick())
    decays = {id(p): group["weight_decay"] for group in adamw.param_groups for p in group["params"]}
    assert len(decays) == len(list(model.parameters()))
    assert all(decays[id(p)] == (0.1 if p.dim() == 2 else 0.0) for p in model.parameters())


def test_muon_takes_the_matrices_inside_the_blocks_only():
    from workshop_utils.training.optimizers import make_optimizers

    model = small_gpt()
    adamw, muon = make_optimizers(model, quick(optimizer="muon"))
    names = {id(p): name for name, p in model.named_parameters()}
    inside = {names[id(p)] for group in muon.param_groups for p in group["params"]}
    assert inside == {n for n, p in model.named_parameters() if n.startswith("transformer.h.") and p.dim() == 2}
    rest = {names[id(p)] for group in adamw.param_groups for p in group["params"]}
    assert inside | rest == set(names.values())


def test_looking_at_the_loss_changes_nothing(data):
    often = train_quietly(data, quick(eval_every=1), model=small_gpt(dropout=0.1))
    never = train_quietly(data, quick(eval_every=1000), model=small_gpt(dropout=0.1))
    assert torch.equal(weights(often.model), weights(never.model))


def test_random_numbers_of_the_caller_and_of_the_run_are_apart(data):
    def noise(step, model, history):
        torch.rand(step)

    model, before = small_gpt(dropout=0.1), torch.get_rng_state()
    plain = train_quietly(data, model=model)
    assert torch.equal(torch.get_rng_state(), before)
    disturbed = train_quietly(data, model=small_gpt(dropout=0.1), on_step=noise)
    assert torch.equal(weights(plain.model), weights(disturbed.model))


def test_estimate_loss_is_the_same_every_time_and_counts_tokens(data):
    model = small_gpt(dropout=0.5).train()
    assert estimate_loss(model, data, quick()) == estimate_loss(model, data, quick())
    assert model.training
    exact = quick(batch_size=60, eval_batches=1)
    x, y = data.batch("rows", 60, 64, torch.Generator().manual_seed(1_000_003))
    model.eval()
    assert estimate_loss(model, data, exact) == pytest.approx(model(x, y)[1].item(), rel=1e-5)


def test_bfloat16_trains_like_float32(data):
    exact = train_quietly(data, quick(steps=30))
    mixed = train_quietly(data, quick(steps=30, dtype="bfloat16"))
    assert mixed.model.lm_head.weight.dtype == torch.float32
    assert mixed.best_val_loss == pytest.approx(exact.best_val_loss, abs=0.05)
    assert not torch.equal(weights(exact.model), weights(mixed.model))


def test_a_loss_that_is_not_finite_stops_with_step_and_rate(data, tmp_path):
    out = tmp_path / "run"

    def poison(step, model, history):
        if step == 7:
            with torch.no_grad():
                model.lm_head.weight[5] = float("nan")

    said = r"not finite at step 8, where the learning rate was .*step-000006"
    with pytest.raises(TrainingStopped, match=said) as stopped:
        train_quietly(data, out_dir=out, on_step=poison)
    assert [entry["step"] for entry in stopped.value.history] == list(range(1, 8))  # the curve up to the break
    assert torch.isfinite(weights(load_model(out, "last"))).all()


def test_out_of_memory_says_what_to_halve(data, monkeypatch):
    def full(*args, **kwargs):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3.07 GiB")

    model = small_gpt()
    monkeypatch.setattr(model, "forward", full)
    with pytest.raises(TrainingStopped, match="batch_size=2 and grad_accum_steps=2"):
        train_quietly(data, model=model)


def test_a_tokenizer_larger_than_the_model_is_refused(data):
    with pytest.raises(ValueError, match="257 tokens and the model 64"):
        train_quietly(data, model=small_gpt(vocab_size=64))


def test_ctrl_c_saves_and_returns_and_the_run_can_go_on(data, tmp_path):
    out = tmp_path / "run"

    def press(step, model, history):
        if step == 5:
            os.kill(os.getpid(), signal.SIGINT)

    run = train_quietly(data, out_dir=out, on_step=press)
    assert (run.stopped, run.steps_done) == ("interrupted", 5)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    rest = train_quietly(data, out_dir=out, resume=True)
    assert (rest.stopped, rest.steps_done) == ("finished", 12)
    assert torch.equal(weights(rest.model), weights(train_quietly(data).model))


def test_a_finished_run_is_loaded_and_not_trained_again(data, tmp_path, capsys):
    out = tmp_path / "run"
    first = train_quietly(data, out_dir=out)
    again = train(small_gpt(9), data, data, quick(), out, resume=True)
    assert "already finished: step 12 of 12" in capsys.readouterr().out
    assert torch.equal(weights(first.model), weights(again.model))
    assert [e["loss"] for e in again.history] == [e["loss"] for e in first.history]


def test_a_run_that_goes_on_keeps_the_energy_of_what_was_done_before(data, tmp_path, monkeypatch):
    from workshop_utils.machine.energy import Energy

    @contextlib.contextmanager
    def one_kilowatt_hour(country):
        energy = Energy()
        yield energy
        energy.kwh, energy.kind = 1.0, "estimated"  # filled in at the end, as the real one is

    def interrupt(step, model, history):
        if step == 6:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(train_module, "track_energy", one_kilowatt_hour)
    assert train_quietly(data, out_dir=tmp_path, on_step=interrupt).stopped == "interrupted"
    assert train_quietly(data, out_dir=tmp_path, resume=True).energy.kwh == 2.0
    assert train_quietly(data, out_dir=tmp_path, resume=True).energy.kwh == 2.0  # only loaded


def test_best_last_and_milestones_are_kept_and_the_rest_is_deleted(data, tmp_path, monkeypatch):
    losses = iter([3.0, 1.0, 2.0])
    monkeypatch.setattr(train_module, "estimate_loss", lambda *_: next(losses))
    out = tmp_path / "run"
    run = train_quietly(data, quick(keep=1, checkpoint_every=1, milestones=(0.1, 0.5)), out)
    assert [folder.name for folder in step_folders(out)] == ["step-000001", "step-000006", "step-000008", "step-000012"]
    assert (run.best_step, run.best_val_loss) == (8, 1.0)
    best, last, early = load_model(out), load_model(out, "last"), load_model(out, step=1)
    assert torch.equal(weights(last), weights(run.model))
    assert not torch.equal(weights(best), weights(last))
    assert not torch.equal(weights(early), weights(best))
    assert json.loads((out / "run.json").read_text())["best_step"] == 8


def test_a_run_finds_its_folder_again_and_another_run_never_does(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKSHOP_HOME", str(tmp_path))
    gpt = small_gpt().config
    assert run_dir("a", gpt, quick()) == run_dir("a", gpt, quick())
    folders = {run_dir("a", gpt, quick()), run_dir("a", gpt, quick(seed=1)), run_dir("a", gpt, quick(), "other")}
    assert len(folders) == 3


def test_attention_is_measured_once_and_kept(data):
    run = train_quietly(data, quick(steps=2), model=small_gpt(attention="auto"))
    assert run.model.config.attention in ("written", "sdpa")
    assert {block.attn.kind for block in run.model.blocks} == {run.model.config.attention}
    kind, reason = fastest_attention(run.model.config, (4, 64), "cpu", "float32")
    assert kind in ("written", "sdpa")
    assert "4 x 64 tokens: written" in reason
    assert fastest_attention(run.model.config, (4, 64), "cuda", "float16")[0] == "sdpa"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0"),
        ({"warmup": 60}, "warmup is 60: choose a share"),
        ({"optimizer": "adam"}, "choose one of adamw, muon"),
        ({"dtype": "float16"}, "float16 on a CPU"),
        ({"milestones": (1.5,)}, "milestones"),
        ({"batch_size": 2.5}, "batch_size is 2.5"),
    ],
)
def test_a_training_that_makes_no_sense_is_a_sentence(change, words):
    with pytest.raises(ValueError, match=words):
        TrainConfig(**change)


def test_a_gpu_that_is_not_there_is_a_sentence(data, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match=r'torch finds no GPU here: set device="cpu"'):
        train_quietly(data, quick(device="cuda"), tmp_path / "run")
    assert not (tmp_path / "run").exists()
