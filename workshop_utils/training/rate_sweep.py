"""Try settings instead of believing in them: a grid of short trainings, and the range of rates that a model bears.

sweep() runs train() once for each cell of a grid, writes every result down at once, and goes on where it was stopped.
lr_range_test(), in range_test.py, raises the rate from far too low to far too high within one short training.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import product
from pathlib import Path
from typing import Any

from workshop_utils.gpt.config import TrainConfig
from workshop_utils.gpt.model import GPT
from workshop_utils.machine.files import write_text_atomically
from workshop_utils.machine.sentences import differences
from workshop_utils.training.batches import Batches, unmoved
from workshop_utils.training.range_test import MakeModel
from workshop_utils.training.range_test import RangeTest as RangeTest
from workshop_utils.training.range_test import lr_range_test as lr_range_test
from workshop_utils.training.train import TrainingStopped, train

SETTINGS, RESULT, BEST = "sweep.json", "cell.json", "best.json"


@dataclass(frozen=True)
class Cell:
    """One training of a sweep.

    Attributes:
        settings: the fields of the grid, with this cell's values.
        steps: updates that it was to make.
        val_loss: the best validation loss in nats a token; None where the training failed.
        last_val_loss: the last one.
        tokens: that were trained on.
        seconds: that it took.
        grad_norm: the largest gradient norm that was noted.
        error: why it failed, "" if it did not.
        folder: its checkpoints, as seen from the sweep's folder.
    """

    settings: dict[str, Any]
    steps: int
    val_loss: float | None = None
    last_val_loss: float | None = None
    tokens: int = 0
    seconds: float = 0.0
    grad_norm: float = 0.0
    error: str = ""
    folder: str = ""

    @property
    def name(self) -> str:
        """Its settings in a few words."""
        return ", ".join(f"{name} {_short(value)}" for name, value in self.settings.items())


@dataclass
class Sweep:
    """The cells that are done, in the order of the grid."""

    cells: list[Cell] = field(default_factory=list)
    folder: Path | None = None
    planned: int = 0  # cells of the whole grid

    @property
    def best(self) -> Cell:
        """The cell with the lowest validation loss.

        Raises:
            ValueError: no cell finished.
        """
        done = [cell for cell in self.cells if cell.val_loss is not None]
        if not done:
            errors = "; ".join(cell.error for cell in self.cells[:1]) or "none has been run"
            raise ValueError(f"no cell of this sweep finished ({errors}): try lower rates or smaller batches")
        return min(done, key=lambda cell: cell.val_loss if cell.val_loss is not None else math.inf)

    def table(self) -> str:
        """The cells as lines of text, the best one first, the failed ones last."""
        if not self.cells:
            return "no cell has been run yet"
        names = list(self.cells[0].settings)
        rows = [[*names, "steps", "loss", "seconds", ""]]
        for cell in sorted(self.cells, key=lambda cell: math.inf if cell.val_loss is None else cell.val_loss):
            loss = "failed" if cell.val_loss is None else f"{cell.val_loss:.3f}"
            values = [_short(value) for value in cell.settings.values()]
            rows.append([*values, f"{cell.steps:,}", loss, f"{cell.seconds:.0f}", cell.error.partition(":")[0][:90]])
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
        lines = [
            "  ".join([*(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
            for row in rows
        ]
        missing = self.planned - len(self.cells)
        return "\n".join([*lines, *([f"{missing} cells are still to be run"] if missing > 0 else [])])

    def __str__(self) -> str:
        return self.table()


def sweep(
    make_model: MakeModel,
    train_data: Batches,
    val_data: Batches,
    config: TrainConfig,
    grid: Mapping[str, Sequence[Any]],
    out_dir: Path | str,
    same_tokens: bool = True,
    retry_failed: bool = False,
    quiet: bool = False,
) -> Sweep:
    """Train once for every combination of a grid, and remember each at once.

    Args:
        make_model: makes a fresh model, the same one each time: seed torch in it.
        train_data: batches to learn from. A stream starts each cell where it stands now.
        val_data: batches that decide; must be the same for all.
        config: everything that the grid does not change.
        grid: values to try, by field of TrainConfig, as in {"learning_rate": [1e-3, 3e-3], "batch_size": [4, 8]}.
        out_dir: a folder for the cells, sweep.json and best.json. Cells that are in it are not run again, so a grid can
            grow; a stopped cell goes on from its last checkpoint.
        same_tokens: where batch_size (or grad_accum_steps) is part of the grid, change the steps so that each cell
            sees as many rows as `config` would: a larger batch with equal steps wins only by reading more.
        retry_failed: run failed cells again instead of believing in their failure.
        quiet: print nothing.

    Returns:
        the Sweep; its cells are fewer than planned if Ctrl-C stopped one.

    Raises:
        ValueError: the grid names no field or is empty, a value makes no sense, or the folder holds another sweep.

    A cell whose training cannot go on is written down with its reason, and the next one begins.
    """
    cells = list(_cells(config, grid, same_tokens))
    out_dir = Path(out_dir)
    _same_sweep(out_dir, make_model(), train_data, val_data, config, grid, same_tokens)
    found = Sweep(folder=out_dir, planned=len(cells))
    for number, (settings, cell_config) in enumerate(cells, start=1):
        cell = _earlier(out_dir, cell_config)
        if cell is None or (cell.error and retry_failed):
            with unmoved(train_data):
                cell = _run(make_model, train_data, val_data, settings, cell_config, out_dir)
        if cell is None:
            _say(f"stopped in cell {number} of {len(cells)}: the same call goes on from its last checkpoint", quiet)
            break
        found.cells.append(cell)
        told = f"loss {cell.val_loss:.3f}" if cell.val_loss is not None else f"failed: {cell.error}"
        _say(f"{number:>3} of {len(cells)}  {cell.name}: {told}", quiet)
        _note_best(found)
    return found


def _cells(
    config: TrainConfig, grid: Mapping[str, Sequence[Any]], same_tokens: bool
) -> Iterator[tuple[dict[str, Any], TrainConfig]]:
    """Each combination, and its TrainConfig."""
    known = {one.name for one in fields(TrainConfig)}
    unknown = sorted(set(grid) - known)
    if unknown:
        raise ValueError(f"TrainConfig has no field {', '.join(unknown)}: a grid can change {', '.join(sorted(known))}")
    empty = [name for name, values in grid.items() if isinstance(values, str) or not len(values)]
    if empty or not grid:
        raise ValueError(f"the grid has no list of values for {', '.join(empty) or 'any field'}: [1e-3, 3e-3], say")
    for values in product(*grid.values()):
        settings = dict(zip(grid, values, strict=True))
        changed = replace(config, **settings)
        if same_tokens and "steps" not in grid:
            rows = config.steps * config.batch_size * config.grad_accum_steps
            changed = replace(changed, steps=max(1, round(rows / changed.batch_size / changed.grad_accum_steps)))
        yield settings, changed


def _run(
    make_model: MakeModel,
    train_data: Batches,
    val_data: Batches,
    settings: dict[str, Any],
    config: TrainConfig,
    out_dir: Path,
) -> Cell | None:
    """Train one cell and write down what came of it; None if Ctrl-C stopped it."""
    folder = out_dir / _folder(config)
    try:
        run = train(make_model(), train_data, val_data, config, folder, resume=True, quiet=True)
    except TrainingStopped as error:
        cell = Cell(settings, config.steps, error=str(error), folder=folder.name)
    else:
        if run.stopped != "finished":
            return None
        looks = [entry["val_loss"] for entry in run.history if "val_loss" in entry]
        norms = [entry["grad_norm"] for entry in run.history if "grad_norm" in entry]
        norm = max(filter(math.isfinite, norms), default=0.0)  # float16's first scales may overflow, and are skipped
        best = run.best_val_loss if math.isfinite(run.best_val_loss) else None
        error_ = "" if best is not None else "the validation loss is not finite"
        last = looks[-1] if math.isfinite(looks[-1]) else None
        cell = Cell(settings, config.steps, best, last, run.tokens, run.seconds, norm, error_, folder.name)
    folder.mkdir(parents=True, exist_ok=True)
    write_text_atomically(json.dumps({"config": config.to_dict()} | vars(cell), indent=1) + "\n", folder / RESULT)
    return cell


def _folder(config: TrainConfig) -> str:
    """A name for exactly these settings."""
    return "cell-" + hashlib.sha256(json.dumps(config.to_dict(), sort_keys=True).encode()).hexdigest()[:10]


def _earlier(out_dir: Path, config: TrainConfig) -> Cell | None:
    """What an earlier call found for these settings."""
    path = out_dir / _folder(config) / RESULT
    if not path.is_file():
        return None
    values = json.loads(path.read_text(encoding="utf-8"))
    return Cell(**{one.name: values[one.name] for one in fields(Cell)})


def _same_sweep(
    out_dir: Path,
    model: GPT,
    train_data: Batches,
    val_data: Batches,
    config: TrainConfig,
    grid: Mapping[str, Sequence[Any]],
    same_tokens: bool,
) -> None:
    """Note what all cells share, or make sure that it is what the folder's earlier cells shared."""
    free = {*grid, "log_every", "checkpoint_every", "keep", "country"}
    if same_tokens and {"batch_size", "grad_accum_steps"} & set(grid):
        rows: dict[str, Any] = {"rows": config.steps * config.batch_size * config.grad_accum_steps}
        free |= {"steps"}
    else:
        rows = {}
    settings: dict[str, Any] = {name: value for name, value in config.to_dict().items() if name not in free} | rows
    settings |= {"grid": sorted(grid), "same_tokens": same_tokens, "gpt": model.config.to_dict()}
    settings |= {"train_data": train_data.fingerprint, "val_data": val_data.fingerprint}
    settings = json.loads(json.dumps(settings))  # tuples come back from a file as lists
    path = out_dir / SETTINGS
    if path.is_file():
        changed = differences(json.loads(path.read_text(encoding="utf-8")), settings)
        if changed:
            raise ValueError(
                f"{out_dir} holds another sweep ({'; '.join(changed)}): cells of different sweeps cannot be compared. "
                "Change it back, or choose another folder"
            )
    write_text_atomically(json.dumps(settings, indent=1) + "\n", path)


def _note_best(found: Sweep) -> None:
    """Keep best.json up to date: the settings, the loss, and where the weights are."""
    assert found.folder is not None
    if all(cell.val_loss is None for cell in found.cells):
        return
    best = found.best
    values = {"settings": best.settings, "steps": best.steps, "val_loss": best.val_loss, "folder": best.folder}
    write_text_atomically(json.dumps(values | {"cells": len(found.cells)}, indent=1) + "\n", found.folder / BEST)


def _say(text: str, quiet: bool) -> None:
    if not quiet:
        print(text, flush=True)


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
