"""The loop learns, and does so in the right units: every trick is compared with the plain way."""

import contextlib
import importlib
import inspect
import json
import math
import os
import signal
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest
import torch
from corpus import quick, small_gpt, token_file

from workshop_utils.gpt.config import TrainConfig
from workshop_utils.lessons.range_test import lr_range_test, steepest
from workshop_utils.machine.energy import Energy
from workshop_utils.machine.hardware import fastest_attention
from workshop_utils.training import processes
from workshop_utils.training.batches import Feed, precision
from workshop_utils.training.checkpoints import load_model
from workshop_utils.training.optimizers import make_optimizers
from workshop_utils.training.run import Progress, Run, TrainingStopped, run_dir
from workshop_utils.training.run_folder import step_folders
from workshop_utils.training.train import estimate_loss, rate_share, train

train_module = importlib.import_module("workshop_utils.training.train")  # its function has the same name


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return token_file(tmp_path_factory.mktemp("data") / "train.bin")


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def train_quietly(data, config=None, out_dir=None, model=None, **options):
    config = config or quick()
    return train(model or small_gpt(), data, data, config, out_dir, quiet=True, **options)


def press_at(when):
    """Ctrl-C after a step."""
    return lambda step, *_: os.kill(os.getpid(), signal.SIGINT) if step == when else None


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("rows", ["rows", "windows"])
def test_the_loss_falls_below_what_letter_frequencies_allow(data, optimizer, rows):
    run = train_quietly(data, quick(steps=150, optimizer=optimizer, rows=rows, learning_rate=6e-3, eval_every=50))
    assert run.history[0]["loss"] == pytest.approx(math.log(320), abs=0.3)
    assert run.best_val_loss < 1.5  # the entropy of the letters alone is above 2.5 nats
    assert run.stopped == "finished"


@pytest.mark.parametrize(
    ("schedule", "shares"),
    [
        ("linear", {0: 0, 5: 0.5, 10: 1, 55: 0.5 + 0.05, 99: 0.1 + 0.9 / 90}),
        ("cosine", {0: 0, 10: 1, 55: 0.55, 100: 0.1}),
        ("constant", {5: 0.5, 10: 1, 99: 1}),
    ],
)
def test_the_schedule_meets_its_corners_and_the_optimiser(data, schedule, shares):
    config = TrainConfig(steps=100, warmup=0.1, schedule=schedule, min_lr_ratio=0.1)
    assert {step: rate_share(step, config) for step in shares} == pytest.approx(shares)
    config = quick(schedule=schedule, learning_rate=0.5, warmup=0.25)
    rates = [entry["lr"] for entry in train_quietly(data, config).history if "lr" in entry]
    assert rates == [0.5 * rate_share(step, config) for step in range(12)]


class Parts:
    """The same eight rows, as one batch of eight or as two of four with very different numbers of tokens."""

    def __init__(self, data, size):
        self.fingerprint, self.vocab_size = data.fingerprint, data.vocab_size
        x, y = data.rows(8, 64, torch.Generator().manual_seed(3))
        y[:4, 5:] = -1
        self.parts = [(x[i : i + size], y[i : i + size]) for i in range(0, 8, size)] * 2  # two updates

    def batch(self, how, batch_size, block_size, generator):
        return self.parts.pop(0)


def test_accumulated_gradients_equal_those_of_the_whole_batch(data):
    settings = {"steps": 2, "warmup": 0.0, "weight_decay": 0.0}
    whole = train(small_gpt(), Parts(data, 8), None, quick(batch_size=8, **settings), quiet=True)
    parts = train(small_gpt(), Parts(data, 4), None, quick(batch_size=4, grad_accum_steps=2, **settings), quiet=True)
    for a, b in zip(whole.history, parts.history, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-5)
        assert a["grad_norm"] == pytest.approx(b["grad_norm"], rel=1e-4)


TOLERANCE = {(None, "float32"): 1e-6, ("aot_eager", "float32"): 1e-3, ("aot_eager", "bfloat16"): 2e-2}


@pytest.mark.parametrize(("backend", "dtype"), TOLERANCE)
def test_fifty_steps_lose_what_a_plain_loop_loses(data, monkeypatch, capsys, backend, dtype):
    """Compiled as on a GPU, with the loss in pieces and the figures read late, or as on a CPU."""
    config = quick(
        steps=50, rows="windows", log_every=1, eval_every=50, compile="on" if backend else "off", dtype=dtype
    )
    plain, batches, losses = small_gpt(), torch.Generator().manual_seed(config.seed), []
    (optimizer,) = make_optimizers(plain, config)
    for step in range(config.steps):
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * rate_share(step, config)
        with precision(config):
            loss = plain(*data.batch("windows", config.batch_size, 64, batches))[1]
        loss.backward()
        torch.nn.utils.clip_grad_norm_(plain.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    if backend:
        compile_ = torch.compile
        monkeypatch.setattr(torch, "compile", lambda model: compile_(model, backend=backend))
        monkeypatch.setattr("workshop_utils.gpt.model.LOGITS", 50 * 4 * 320)
    run = train(small_gpt(), data, None, config)
    assert [entry["loss"] for entry in run.history] == pytest.approx(losses, rel=TOLERANCE[backend, dtype])
    assert ("compiling the model: it took" in capsys.readouterr().out) is bool(backend)


def test_a_model_that_cannot_be_compiled_is_trained_as_it_is(data, monkeypatch, capsys):
    def broken(model):
        raise RuntimeError("no compiler\nfound")

    monkeypatch.setattr(torch, "compile", broken)
    run = train(small_gpt(), data, None, quick(compile="on"))
    assert "compiling the model: that failed: RuntimeError: no compiler\n" in capsys.readouterr().out
    assert torch.equal(weights(run.model), weights(train_quietly(data).model))


def test_batches_drawn_ahead_keep_their_order_also_for_a_run_that_goes_on(data, monkeypatch):
    model, config = small_gpt(), TrainConfig(device="cuda", grad_accum_steps=2)

    def on_the_cpu(data, model, config, generator):
        return data.batch("rows", 4, 64, generator)

    monkeypatch.setattr("workshop_utils.training.batches.next_batch", on_the_cpu)
    plain, ahead, resumed = (Feed(data, model, config) for _ in range(3))
    expected = [plain.next() for _ in range(8)]
    for i, (x, y) in enumerate(expected):
        if i in (2, 4):
            resumed.set_state(ahead.get_state())
            assert torch.equal(resumed.next()[0], x)
        assert torch.equal(torch.cat(ahead.next()), torch.cat([x, y]))
        if i % 2:  # after the two parts of an update
            ahead.draw_ahead()


def test_what_a_gpu_computes_is_read_when_it_is_logged_or_saved_and_names_the_step_that_broke():
    run = Run(small_gpt(), TrainConfig(device="cuda", steps=9, log_every=4))
    progress = Progress(run, processes.World(), quiet=True)
    progress.opened(None)
    for loss in (5.0, 4.0, 3.0, 2.0, float("nan"), float("nan")):
        progress.note(torch.tensor(loss), torch.tensor(1.0), 0.1)
        progress.update(64)
    assert [(entry["step"], entry["loss"]) for entry in run.history] == [(1, 5.0), (4, 2.0)]
    with pytest.raises(TrainingStopped, match="not finite at step 5, where"):  # before a checkpoint
        progress.read()


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


def test_weight_decay_spares_norms_and_biases_and_muon_takes_the_matrices_inside_the_blocks_only():
    model = small_gpt()
    (alone,) = make_optimizers(model, quick())
    decays = {id(p): group["weight_decay"] for group in alone.param_groups for p in group["params"]}
    assert decays == {id(p): 0.1 if p.dim() == 2 else 0.0 for p in model.parameters()}
    adamw, muon = make_optimizers(model, quick(optimizer="muon"))
    names = {id(p): name for name, p in model.named_parameters()}
    inside = {names[id(p)] for group in muon.param_groups for p in group["params"]}
    assert inside == {n for n, p in model.named_parameters() if n.startswith("transformer.h.") and p.dim() == 2}
    rest = {names[id(p)] for group in adamw.param_groups for p in group["params"]}
    assert inside | rest == set(names.values())


@pytest.mark.parametrize("overflows", ["transformer.wte.weight", "transformer.h.1.mlp.c_fc.weight"])
@pytest.mark.parametrize("clip", [1.0, 0.0])
def test_in_float16_what_overflows_in_one_optimiser_breaks_nothing_in_the_other(data, clip, overflows):
    model = small_gpt()
    optimizers = make_optimizers(model, quick(optimizer="muon", device="cuda", dtype="float16"))
    scaler = torch.amp.GradScaler("cpu")
    scaler.scale(model(*data.batch("rows", 2, 64, torch.Generator()))[1]).backward()
    dict(model.named_parameters())[overflows].grad[:2] = torch.tensor([[math.inf], [math.nan]])
    for optimizer in optimizers:
        scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_(model.parameters(), clip or math.inf)  # as in train
    for optimizer in optimizers:
        scaler.step(optimizer)
    assert weights(model).isfinite().all()


def test_neither_an_evaluation_nor_the_callers_random_numbers_change_the_training(data):
    before = torch.get_rng_state()
    model = small_gpt(dropout=0.1)
    plain = train_quietly(data, quick(eval_every=1000), model=model)
    model, before = small_gpt(dropout=0.1), torch.get_rng_state()
    watched = train_quietly(data, quick(eval_every=1), model=model, on_step=lambda step, *_: torch.rand(step))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(weights(plain.model), weights(watched.model))


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
    def poison(step, model, history):
        if step == 7:
            with torch.no_grad():
                model.lm_head.weight[5] = float("nan")

    said = r"not finite at step 8, where the learning rate was .*step-000006"
    with pytest.raises(TrainingStopped, match=said) as stopped:
        train_quietly(data, out_dir=tmp_path, on_step=poison)
    assert [entry["step"] for entry in stopped.value.history] == list(range(1, 8))  # the curve up to the break
    assert torch.isfinite(weights(load_model(tmp_path, "last"))).all()


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA"), RuntimeError("you can't allocate memory: 8 bytes")])
def test_out_of_memory_says_what_to_halve(data, monkeypatch, error):
    def full(*args, **kwargs):
        raise error

    model = small_gpt()
    monkeypatch.setattr(model, "forward", full)
    with pytest.raises(TrainingStopped, match="batch_size=2 and grad_accum_steps=2"):
        train_quietly(data, model=model)


def test_what_cannot_be_trained_is_a_sentence_and_makes_no_folder(data, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="257 tokens and the model 64"):
        train_quietly(data, model=small_gpt(vocab_size=64))
    with pytest.raises(ValueError, match="parallel is 'tp': choose one of ddp, fsdp"):
        train_quietly(data, parallel="tp")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match=r'torch finds no GPU here: set device="cpu"'):
        train_quietly(data, quick(device="cuda"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_ctrl_c_saves_and_returns_and_the_run_can_go_on(data, tmp_path):
    before = signal.getsignal(signal.SIGINT)  # ignored where a shell has put the tests in the background
    run = train_quietly(data, out_dir=tmp_path, on_step=press_at(5))
    assert (run.stopped, run.steps_done) == ("interrupted", 5)
    assert signal.getsignal(signal.SIGINT) is before
    rest = train_quietly(data, out_dir=tmp_path, resume=True)
    assert (rest.stopped, rest.steps_done) == ("finished", 12)
    assert torch.equal(weights(rest.model), weights(train_quietly(data).model))


def test_a_finished_run_is_loaded_and_not_trained_again(data, tmp_path, capsys):
    first = train_quietly(data, out_dir=tmp_path)
    again = train(small_gpt(9), data, data, quick(), tmp_path, resume=True)
    assert "already finished: step 12 of 12" in capsys.readouterr().out
    assert torch.equal(weights(first.model), weights(again.model))
    assert [e["loss"] for e in again.history] == [e["loss"] for e in first.history]


def test_a_run_that_goes_on_keeps_the_energy_of_what_was_done_before(data, tmp_path, monkeypatch):
    @contextlib.contextmanager
    def one_kilowatt_hour(country):
        energy = Energy()
        yield energy
        energy.kwh, energy.kind = 1.0, "estimated"  # filled in at the end, as the real one is

    monkeypatch.setattr(train_module, "track_energy", one_kilowatt_hour)
    assert train_quietly(data, out_dir=tmp_path, on_step=press_at(6)).stopped == "interrupted"
    assert train_quietly(data, out_dir=tmp_path, resume=True).energy.kwh == 2.0
    assert train_quietly(data, out_dir=tmp_path, resume=True).energy.kwh == 2.0  # only loaded


def test_best_last_and_milestones_are_kept_and_the_rest_is_deleted(data, tmp_path, monkeypatch):
    losses = iter([3.0, 1.0, 2.0])
    monkeypatch.setattr(train_module, "estimate_loss", lambda *_: next(losses))
    run = train_quietly(data, quick(keep=1, checkpoint_every=1, milestones=(0.1, 0.5)), tmp_path)
    assert [f.name for f in step_folders(tmp_path)] == ["step-000001", "step-000006", "step-000008", "step-000012"]
    assert (run.best_step, run.best_val_loss) == (8, 1.0)
    best, last, early = load_model(tmp_path), load_model(tmp_path, "last"), load_model(tmp_path, step=1)
    assert torch.equal(weights(last), weights(run.model))
    assert not torch.equal(weights(best), weights(last))
    assert not torch.equal(weights(early), weights(best))
    assert json.loads((tmp_path / "run.json").read_text())["best_step"] == 8


def test_a_run_finds_its_folder_again_and_another_run_never_does(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKSHOP_HOME", str(tmp_path))
    gpt = small_gpt().config
    assert run_dir("a", gpt, quick()) == run_dir("a", gpt, quick())
    folders = {run_dir("a", gpt, quick()), run_dir("a", gpt, quick(seed=1)), run_dir("a", gpt, quick(), "other")}
    assert len(folders) == 3


def test_attention_is_measured_once_and_kept(data):
    run = train_quietly(data, quick(steps=2), model=small_gpt(attention="auto"))
    assert {block.attn.kind for block in run.model.blocks} == {run.model.config.attention} < {"written", "sdpa"}
    assert fastest_attention(run.model.config, (4, 64), "cuda", "float16")[0] == "sdpa"


# --- rates of one's own


def test_training_follows_any_rates(data):
    model = small_gpt()
    before = weights(model)
    train(model, data, None, quick(steps=2), quiet=True, rates=[0.0, 0.0])
    assert torch.equal(weights(model), before)  # a rate of 0 moves nothing, so the rates are really used
    history = train(model, data, None, quick(steps=3), quiet=True, rates=[1e-3, 5e-3, 1e-2]).history
    assert [entry["lr"] for entry in history] == pytest.approx([1e-3, 5e-3, 1e-2])
    with pytest.raises(TrainingStopped):
        train(model, data, None, quick(steps=3), quiet=True, rates=[float("inf")] * 3)


def test_the_rate_climbs_and_the_suggestion_learns(data):
    found = lr_range_test(small_gpt, data, quick(batch_size=8), low=1e-5, high=10.0, steps=60)
    assert found.rates[0] == pytest.approx(1e-5)
    ratios = [b / a for a, b in pairwise(found.rates)]
    assert ratios == pytest.approx([1e6 ** (1 / 59)] * len(ratios))
    assert len(found.losses) == len(found.smoothed) == len(found.grad_norms) == len(found.rates)

    def loss_at(rate):
        config = quick(steps=40, learning_rate=rate, batch_size=8, eval_every=40)
        return train(small_gpt(), data, data, config, quiet=True).best_val_loss

    assert loss_at(found.suggestion) < min(loss_at(found.suggestion / 30), loss_at(found.suggestion * 30))


def test_the_suggestion_is_the_steepest_point_and_not_the_rate_at_the_lowest_loss(data):
    assert steepest([1.0, 2.0, 4.0, 8.0, 16.0], [6.9, 6.8, 6.0, 5.9, 7.9]) == 2.0
    found = lr_range_test(small_gpt, data, quick(batch_size=8), low=1e-5, high=10.0, steps=60)
    assert found.suggestion == steepest(found.rates, found.smoothed) < found.lowest
    assert str(found).startswith(f"the loss fell fastest at a rate of {found.suggestion:.1e}: start with it")


def test_it_stops_where_the_loss_explodes_or_is_no_number_any_more(data):
    found = lr_range_test(small_gpt, data, quick(grad_clip=0.0), low=1e-4, high=1e6, steps=80)
    assert "1.5 times as large" in found.stopped
    assert found.smoothed[-1] > 1.5 * min(found.smoothed)
    assert found.smoothed[-2] <= 1.5 * min(found.smoothed[:-1])
    found = lr_range_test(small_gpt, data, quick(grad_clip=0.0), low=1e-4, high=1e30, steps=30, explode=1e9)
    assert "not finite any more" in found.stopped
    assert all(map(math.isfinite, found.losses))


def test_muons_rate_keeps_its_ratio_and_the_configs_own_rates_play_no_part(data):
    model = small_gpt()
    config = quick(learning_rate=0.1, optimizer="muon", muon_lr=0.1)
    lr_range_test(lambda: model, data, config, 1e-12, 1e-11, 12)
    for before, after in zip(small_gpt().parameters(), model.parameters(), strict=True):
        assert torch.allclose(before, after, atol=1e-8)


@pytest.mark.parametrize("options", [{"low": 1.0, "high": 0.1}, {"steps": 3}])
def test_a_range_that_makes_no_sense_is_refused(data, options):
    with pytest.raises(ValueError, match=r"must rise|fewer than 10"):
        lr_range_test(small_gpt, data, quick(), **options)


def test_an_update_is_the_one_that_lesson_04_shows_in_the_same_order():
    (path,) = (Path(__file__).parents[2] / "notebooks").glob("04_*.ipynb")
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    (shown,) = [source for source in cells if "scaler.unscale_" in source]
    order = ['group["lr"] =', "parts = [", "tokens = [", "scaler.scale(", ".backward()", "scaler.unscale_("]
    order += ["clip_grad_norm_(", "scaler.step(optimizer)", "scaler.update()", "zero_grad(set_to_none=True)"]
    for source in (shown, inspect.getsource(train)):
        places = [source.index(step) for step in order]
        assert places == sorted(places)
