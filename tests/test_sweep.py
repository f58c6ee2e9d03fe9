"""A sweep runs each cell once, survives failures and interruptions, and names the best; the range test climbs."""

from __future__ import annotations

import json
import os
import signal

import pytest
import torch
from corpus import quick, small_gpt, token_file

from workshop_utils.training import rate_sweep as sweep_module
from workshop_utils.training.checkpoints import load_model
from workshop_utils.training.rate_sweep import Sweep, lr_range_test, sweep
from workshop_utils.training.train import TrainingStopped, estimate_loss, train

GRID = {"learning_rate": [1e-6, 6e-3], "weight_decay": [0.0, 0.1]}


@pytest.fixture
def data(tmp_path):
    return token_file(tmp_path / "train.bin")


@pytest.fixture
def runs(monkeypatch):
    """How often train() was called."""
    called = []

    def counted(*args, **options):
        called.append(args[3])
        return train(*args, **options)

    monkeypatch.setattr(sweep_module, "train", counted)
    return called


def swept(data, folder, grid=None, config=None, **options):
    config = config or quick(steps=20, eval_every=10, checkpoint_every=0)
    return sweep(small_gpt, data, data, config, grid or GRID, folder, quiet=True, **options)


def test_every_combination_is_trained_and_the_best_is_kept(data, tmp_path, runs):
    found = swept(data, tmp_path / "s")
    assert [cell.settings for cell in found.cells] == [
        {"learning_rate": rate, "weight_decay": decay} for rate in GRID["learning_rate"] for decay in (0.0, 0.1)
    ]
    assert len(runs) == 4
    assert found.best.settings["learning_rate"] == 6e-3
    assert found.best.val_loss == min(cell.val_loss for cell in found.cells)
    noted = json.loads((tmp_path / "s" / "best.json").read_text())
    assert noted["settings"] == found.best.settings
    model = load_model(tmp_path / "s" / noted["folder"])
    assert estimate_loss(model, data, quick()) == pytest.approx(noted["val_loss"], abs=1e-5)
    alone = train(
        small_gpt(), data, data, quick(steps=20, eval_every=10, learning_rate=6e-3, weight_decay=0.0), quiet=True
    )
    assert found.cells[2].val_loss == pytest.approx(alone.best_val_loss)


def test_a_gradient_that_overflowed_in_float16_is_left_out_of_the_report(data, tmp_path, monkeypatch):
    def overflowing(*args, **options):
        run = train(*args, **options)
        run.history.insert(0, {"step": 0, "loss": 5.0, "grad_norm": float("inf")})
        return run

    monkeypatch.setattr(sweep_module, "train", overflowing)
    (cell,) = swept(data, tmp_path / "s", {"learning_rate": [1e-3]}).cells
    assert 0 < cell.grad_norm < float("inf")
    (noted,) = (tmp_path / "s").rglob("cell.json")
    assert "Infinity" not in noted.read_text()  # which is no JSON


def test_finished_cells_are_not_run_again_and_a_grid_can_grow(data, tmp_path, runs):
    first = swept(data, tmp_path / "s")
    assert swept(data, tmp_path / "s").cells == first.cells
    assert len(runs) == 4
    grown = swept(data, tmp_path / "s", {"learning_rate": [1e-6, 6e-3, 3e-3], "weight_decay": [0.0, 0.1]})
    assert len(runs) == 6
    assert grown.cells[:4] == first.cells


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"config": quick(steps=21, eval_every=10)}, "steps: 20 then, 21 now"),
        ({"grid": {"learning_rate": [1e-3]}}, "grid: "),
        ({"config": quick(steps=20, eval_every=10, seed=1)}, "seed: 0 then, 1 now"),
        ({"same_tokens": False}, "same_tokens: True then, False now"),
    ],
)
def test_another_sweep_is_refused_in_the_same_folder(data, tmp_path, changes, match):
    grid = {"learning_rate": [1e-3], "weight_decay": [0.0]}
    swept(data, tmp_path / "s", grid)
    with pytest.raises(ValueError, match=match):
        swept(data, tmp_path / "s", **{"grid": grid} | changes)


def test_another_model_is_refused_in_the_same_folder(data, tmp_path):
    swept(data, tmp_path / "s", {"learning_rate": [1e-3]})
    with pytest.raises(ValueError, match="gpt: "):
        sweep(lambda: small_gpt(n_layer=3), data, data, quick(steps=20, eval_every=10), {"learning_rate": [1e-3]},
              tmp_path / "s", quiet=True)  # fmt: skip


def test_a_failed_cell_is_written_down_and_the_next_one_begins(data, tmp_path, runs, capsys):
    class Poisoned:
        """Rows as they are, but a failure where the batch is large."""

        fingerprint, vocab_size = data.fingerprint, data.vocab_size

        def batch(self, how, batch_size, block_size, generator):
            if batch_size > 4:
                raise MemoryError
            return data.batch(how, batch_size, block_size, generator)

    grid = {"batch_size": [8, 4]}
    config = quick(steps=10, eval_every=10)
    found = sweep(small_gpt, Poisoned(), data, config, grid, tmp_path / "s")
    failed, good = found.cells
    assert failed.val_loss is None
    assert "out of memory with batch_size 8" in failed.error
    assert good.val_loss is not None
    assert found.best is good
    assert "failed" in found.table()
    assert found.table().splitlines()[-1].split()[0] == "8"  # failed ones last
    assert "out of memory" in capsys.readouterr().out
    sweep(small_gpt, Poisoned(), data, config, grid, tmp_path / "s", quiet=True)
    assert len(runs) == 2  # believed
    sweep(small_gpt, Poisoned(), data, config, grid, tmp_path / "s", quiet=True, retry_failed=True)
    assert len(runs) == 3


def test_where_every_cell_fails_there_is_no_best(data, tmp_path):
    found = swept(data, tmp_path / "s", {"learning_rate": [1e30]}, quick(grad_clip=0.0, warmup=0.0, eval_every=12))
    assert found.cells[0].error
    assert not (tmp_path / "s" / "best.json").exists()
    with pytest.raises(ValueError, match="no cell of this sweep finished"):
        _ = found.best


def test_every_cell_sees_as_many_rows(data, tmp_path):
    config = quick(steps=20, batch_size=4, eval_every=10)
    cells = swept(data, tmp_path / "s", {"batch_size": [2, 4, 8]}, config).cells
    assert [cell.steps for cell in cells] == [40, 20, 10]
    assert [cell.settings for cell in cells] == [{"batch_size": 2}, {"batch_size": 4}, {"batch_size": 8}]
    cells = swept(data, tmp_path / "t", {"batch_size": [2, 8]}, config, same_tokens=False).cells
    assert [cell.steps for cell in cells] == [20, 20]


def test_a_stopped_sweep_goes_on_from_the_checkpoint(data, tmp_path, monkeypatch):
    whole = swept(data, tmp_path / "whole", {"learning_rate": [1e-3, 6e-3]})

    def interrupted(*args, **options):
        def press(steps_done, model, history):
            if args[3].learning_rate == 6e-3 and steps_done == 7:
                os.kill(os.getpid(), signal.SIGINT)

        return train(*args, **options, on_step=press)

    monkeypatch.setattr(sweep_module, "train", interrupted)
    part = swept(data, tmp_path / "s", {"learning_rate": [1e-3, 6e-3]})
    assert len(part.cells) == 1
    assert "1 cells are still to be run" in part.table()
    monkeypatch.undo()
    rest = swept(data, tmp_path / "s", {"learning_rate": [1e-3, 6e-3]})
    assert [cell.val_loss for cell in rest.cells] == pytest.approx([cell.val_loss for cell in whole.cells], abs=1e-6)


def test_a_stream_begins_anew_for_every_cell(data, tmp_path):
    class Stream:
        """Remembers how many batches it gave out, and says which one it starts with."""

        fingerprint, vocab_size = data.fingerprint, data.vocab_size
        given, starts = 0, ()

        def batch(self, how, batch_size, block_size, generator):
            self.given += 1
            self.starts += (self.given,)
            return data.batch(how, batch_size, block_size, torch.Generator().manual_seed(self.given))

        def state_dict(self):
            return {"given": self.given}

        def load_state_dict(self, state):
            self.given = state["given"]

    stream = Stream()
    stream.given = 5
    found = sweep(small_gpt, stream, data, quick(steps=4), {"weight_decay": [0.0, 0.1]}, tmp_path / "s", quiet=True)
    assert len(found.cells) == 2
    assert stream.starts == (6, 7, 8, 9) * 2
    assert stream.given == 5


def test_a_grid_that_makes_no_sense_gets_a_sentence(data, tmp_path):
    with pytest.raises(ValueError, match="no field lr: "):
        swept(data, tmp_path / "s", {"lr": [1e-3]})
    with pytest.raises(ValueError, match="no list of values for learning_rate"):
        swept(data, tmp_path / "s", {"learning_rate": []})
    with pytest.raises(ValueError, match="no list of values for schedule"):
        swept(data, tmp_path / "s", {"schedule": "linear"})
    with pytest.raises(ValueError, match="learning_rate is -1"):
        swept(data, tmp_path / "s", {"learning_rate": [-1]})
    assert not (tmp_path / "s").exists()
    assert str(Sweep()) == "no cell has been run yet"


# --- the range of rates


def test_the_rate_climbs_and_the_suggestion_learns(data):
    found = lr_range_test(small_gpt, data, quick(batch_size=8), low=1e-5, high=10.0, steps=60)
    assert found.rates[0] == pytest.approx(1e-5)
    ratios = [b / a for a, b in zip(found.rates, found.rates[1:], strict=False)]
    assert ratios == pytest.approx([1e6 ** (1 / 59)] * len(ratios))
    assert len(found.losses) == len(found.smoothed) == len(found.grad_norms) == len(found.rates)
    assert 1e-3 < found.suggestion < 0.2
    assert found.suggestion < found.lowest

    def loss_at(rate):
        config = quick(steps=40, learning_rate=rate, batch_size=8, eval_every=40)
        return train(small_gpt(), data, data, config, quiet=True).best_val_loss

    assert loss_at(found.suggestion) < loss_at(found.suggestion / 30)
    assert loss_at(found.suggestion) < loss_at(found.suggestion * 30)
    assert f"{found.suggestion:.1e}" in str(found)


def test_it_stops_where_the_loss_explodes(data):
    found = lr_range_test(small_gpt, data, quick(grad_clip=0.0), low=1e-4, high=1e6, steps=80)
    assert found.stopped
    assert len(found.rates) < 80
    assert "1.5 times as large" in found.stopped
    assert found.smoothed[-1] > 1.5 * min(found.smoothed)
    assert found.smoothed[-2] <= 1.5 * min(found.smoothed[:-1])
    assert all(map(torch.isfinite, torch.tensor(found.losses)))


def test_it_stops_where_the_loss_is_no_number_any_more(data):
    found = lr_range_test(small_gpt, data, quick(grad_clip=0.0), low=1e-4, high=1e30, steps=30, explode=1e9)
    assert "not finite any more" in found.stopped
    assert all(map(torch.isfinite, torch.tensor(found.losses)))


def test_the_first_rate_is_really_that_low(data):
    """At a rate of next to nothing, nothing is learnt: the rates of the config itself play no part."""
    found = lr_range_test(small_gpt, data, quick(learning_rate=0.1, optimizer="muon", muon_lr=0.1), 1e-12, 1e-11, 12)
    model = small_gpt()
    again = lr_range_test(lambda: model, data, quick(), 1e-12, 1e-11, 12)
    assert found.losses == pytest.approx(again.losses, abs=1e-4)
    for before, after in zip(small_gpt().parameters(), model.parameters(), strict=True):
        assert torch.allclose(before, after, atol=1e-8)


def test_a_failure_at_once_is_no_range(data):
    class Broken:
        fingerprint, vocab_size = data.fingerprint, data.vocab_size

        def batch(self, *_):
            raise MemoryError

    with pytest.raises(TrainingStopped, match="out of memory"):
        lr_range_test(small_gpt, Broken(), quick())
    with pytest.raises(ValueError, match="must rise"):
        lr_range_test(small_gpt, data, quick(), low=1.0, high=0.1)
    with pytest.raises(ValueError, match="fewer than 10"):
        lr_range_test(small_gpt, data, quick(), steps=3)
