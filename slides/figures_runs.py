"""The pictures of the decks 05 and 06, about large runs: how they fail, what they read and what they cost.

python slides/make_figures.py 06_memory      draw it
python slides/figures_runs.py --record 05   play this lesson, some minutes, and keep what its pictures need

As in figures_lessons.py, whose tools are used here, no number is typed in. Budgets are computed by the package with the
settings of the lesson's own cells; what was trained or measured is kept in figures/values.json.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import figures_lessons as lessons
import torch
from figures_lessons import STYLE, WIDTH, drawing, notebook, played, shown, sized, values
from matplotlib import pyplot as plt
from matplotlib import rc_context
from matplotlib.patches import FancyBboxPatch

from workshop_utils import budget, exercises, plots
from workshop_utils.lessons import failures
from workshop_utils.lessons.range_test import steepest
from workshop_utils.plots.coloured import TINTS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# --- 05: the failure lab


@drawing
def figure_05_health() -> Figure:
    """Loss and gradient of a good run."""
    with rc_context(STYLE):
        return _stacked(plots.training({"healthy": values("05 health")}, "", "grad_norm"))


def _stacked(figure: Figure, below: str = "gradient") -> Figure:
    """Two panels over the same axis in the size of a slide, with short labels."""
    top, bottom = sized(figure, 4.1).axes
    top.set_ylabel("loss")
    bottom.set_ylabel(below)
    return figure


@drawing
def figure_05_memory() -> Figure:
    """Two steps of training under a limit, done in seven ways."""
    kept = values("05 memory")
    tried = {name: failures.Attempt(**one) for name, one in kept["tried"].items()}
    with rc_context(STYLE):
        return sized(plots.attempts(tried, kept["limit"]), 4.0)


@drawing
def figure_05_rates() -> Figure:
    """Loss and gradient at three rates."""
    with rc_context(STYLE):
        return _stacked(plots.training(values("05 rates"), "", "grad_norm", log=True))


@drawing
def figure_05_range() -> Figure:
    """One short run from far too low a rate to far too high."""
    found = values("05 range")
    curves = {
        name: dict(zip(found["rates"], found[name], strict=True)) for name in ("smoothed", "losses", "grad_norms")
    }
    start = steepest(found["rates"], found["smoothed"])
    marks = {f"falls fastest at {start:.1e}": [start], f"lowest loss at {found['lowest']:.1e}": [found["lowest"]]}
    losses, below = {"running mean": curves["smoothed"], "each step": curves["losses"]}, ("", curves["grad_norms"])
    with rc_context(STYLE):
        return _stacked(plots.lines(losses, "", "learning rate", "", log="xb", marks=marks, below=below))


@drawing
def figure_05_template() -> Figure:
    """The same answers behind four beginnings."""
    with rc_context(STYLE):
        return sized(plots.bars(values("05 template"), "", "loss of the answers (nats per token)", "beginning"), 2.9)


@drawing
def figure_05_interval() -> Figure:
    """What saving and failures take, over the time between two checkpoints."""
    known = {"plots": plots, "failures": failures, "checklist": [], "save_every": exercises.find("05.7").reference}
    names = only("05", "cost, between, step", **known)
    with rc_context(STYLE):
        return sized(plots.lines(names["curves"], "", *names["labels"], log="xy", marks=names["marks"]), 4.0)


@drawing
def figure_05_scores() -> Figure:
    """Three models on what they learnt, on the test, and on stories that nobody has seen."""
    with rc_context(STYLE):
        return sized(plots.bars(values("05 scores"), "", "loss (nats per token)", "measured on"), 4.0)


@drawing
def figure_05_float16() -> Figure:
    """Real gradients, and the window of float16."""
    with rc_context(STYLE):
        powers = torch.tensor(values("05 gradients")).log2()
        sizes = {"as they come": powers, "times 65,536": powers + 16}
        window = {"float16: 0 below": [-25], "float16: inf above": [16]}
        return sized(plots.histogram(sizes, "", "size of a gradient (powers of two)", marks=window), 3.6)


@drawing
def figure_05_stuck() -> Figure:
    """Weights that an update does not move, in three dtypes."""
    shares = {name: {rate: share for rate, share in found} for name, found in values("05 stuck").items()}
    with rc_context(STYLE):
        return sized(plots.lines(shares, "", "learning rate", "share that stays put", log="x"), 4.0)


@drawing
def figure_05_schedules() -> Figure:
    """A schedule that climbs, and what the loss makes of it."""
    with rc_context(STYLE):
        return _stacked(plots.training(values("05 schedules"), "", "lr"), "learning rate")


@drawing
def figure_05_killed() -> Figure:
    """A run that was never killed, and one that was."""
    with rc_context(STYLE):
        kept = values("05 killed")
        runs = {"never killed": kept["whole"], "killed and resumed": kept["second"]}
        marks = {"last checkpoint": [kept["saved"]], "SIGKILL": [kept["killed"]]}
        return sized(plots.training(runs, "", marks=marks), 3.8)


@drawing
def figure_05_around() -> Figure:
    """Gradients of one batch before and after the model has said something."""
    with rc_context(STYLE):
        around = {name: failures.Around(**one) for name, one in values("05 around").items()}
        return sized(plots.around_generate(around), 4.0, 7.0)


# --- 06: scale up


@drawing
def figure_06_stream() -> Figure:
    """The way of the text: read, tokenise, pack, mix, train, and what is forgotten behind it."""
    stations = {
        "files": "thousands,\nnever all here",
        "documents": "one after\nthe other",
        "tokens": "two bytes\neach",
        "blocks": "packed,\nall full",
        "buffer": "some thousand\nblocks, mixed",
        "batch": "trained on,\nforgotten",
    }
    figure, ax = plt.subplots(figsize=(WIDTH, 1.75), layout="constrained")
    plt.close(figure)
    step, width = 10.0, 8.2
    for number, (name, what) in enumerate(stations.items()):
        x = number * step
        colour = TINTS[number % len(TINTS)]
        ax.add_patch(FancyBboxPatch((x, 0), width, 3.2, boxstyle="round,pad=0,rounding_size=0.6", color=colour))
        ax.text(x + width / 2, 1.6, name, ha="center", va="center", fontsize=14, weight="bold")
        ax.text(x + width / 2, -0.6, what, ha="center", va="top", fontsize=13)
        if number:
            lessons._way(ax, [(x - step + width + 0.1, 1.6), (x - 0.1, 1.6)], "#555555")
    ax.set(xlim=(-0.6, step * len(stations) - 1.6), ylim=(-3.6, 3.4))
    ax.axis("off")
    return figure


@drawing
def figure_06_orders() -> Figure:
    """Where each block came from, with three sizes of the buffer."""
    figure = sized(shown("06", "plots.orders(orders)"), 3.5)
    for ax in figure.axes[1:]:
        ax.set_ylabel("")
    figure.axes[0].set_ylabel("position in the corpus")
    return figure


@drawing
def figure_06_two() -> Figure:
    """One process, and two with half of the batch each."""
    with rc_context(STYLE):
        return sized(plots.lines(values("06 losses"), "", "step", "loss (nats per token)"), 3.9)


@cache
def plans_06() -> dict[str, Any]:
    """The model of the talk, and where it might be trained, as lesson 06 sets them."""
    from workshop_utils import setup

    known = {"budget": budget, "steps_for": lambda *_: (0, 0), "profile": setup("pocket", quiet=True)}
    return only("06", "talk = GPTConfig(", "places = {", **known)


def only(lesson: str, *codes: str, **known: Any) -> dict[str, Any]:
    """Play only those cells of a lesson that hold some code, and return the names that they leave behind."""
    names: dict[str, Any] = {"__name__": "lesson", "display": lambda *_: None, **known}
    for cell in notebook(lesson)["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code" and any(code in source for code in codes):
            with rc_context(STYLE), contextlib.redirect_stdout(io.StringIO()):
                exec(compile(source, lesson, "exec"), names)
    return names


@drawing
def figure_06_memory() -> Figure:
    """What the model of the talk needs, and three GPUs have."""
    with rc_context(STYLE):
        return sized(plots.device_memory(plans_06()["places"]), 3.8)


# --- keeping what takes minutes

# The cells of lesson 05 that its pictures need, in order: the first ones up to the three rates, and those after them.
FIRST_05 = (
    "profile = setup()",
    "lab = failures.lab(profile)",
    "healthy = train(",
    "as_it_was = failures.attempts(",
    "limit = int(0.75",
    "cures = {",
    "def constant(",
)
THEN_05 = (
    "test = lr_range_test(",
    "formats = {",
    "texts = failures.fresh_stories(120)",
    "profiles.choose_dtype",
    "(gradients,) = torch",
    "rates = [3e-6",
    "def cosine(",
    "killed = failures.kill_at(",
    "around = {}",
)


def record(lesson: str) -> dict[str, Any]:
    """Play a lesson in WORKSHOP_HOME, or those cells of it that its pictures need, and return what these show.

    Args:
        lesson: 05 or 06.
    """
    if lesson == "06":
        losses = played("06", "plots.lines(losses").names["losses"]
        return {"06 losses": _rounded(losses)}
    from workshop_utils.training.checkpoints import load_model

    first = only("05", *FIRST_05)
    rates = {name: _short(run) for name, run in first["runs"].items()}  # a later cell uses the name again
    then = only("05", *THEN_05, **first, load_model=load_model)
    gradients = then["gradients"].abs().flatten()
    gradients = gradients[gradients > 0].sort().values
    found = {
        "05 health": _short(first["healthy"].history),
        "05 memory": {"limit": first["limit"], "tried": {name: vars(one) for name, one in first["tried"].items()}},
        "05 rates": rates,
        "05 range": vars(then["test"]),
        "05 template": then["losses"],
        "05 scores": then["measured"],
        "05 gradients": gradients[:: len(gradients) // 1000].tolist(),
        "05 stuck": {name: list(shares.items()) for name, shares in then["stuck"].items()},
        "05 schedules": {name: _short(run) for name, run in then["along"].items()},
        "05 killed": {
            "whole": _short(then["whole"].history),
            "second": _short(then["resumed"].history),
            "saved": then["config"].checkpoint_every,
            "killed": then["killed"],
        },
        "05 around": {name: vars(one) for name, one in then["around"].items()},
    }
    return {name: _rounded(value) for name, value in found.items()}


def _short(history: Sequence[Mapping[str, Any]]) -> list[dict[str, float]]:
    keys = ("step", "loss", "lr", "grad_norm")
    return [{key: entry[key] for key in keys if key in entry} for entry in history if "loss" in entry]


def _rounded(value: Any) -> Any:
    """All numbers in lists and dictionaries with five digits."""
    if isinstance(value, Mapping):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value]
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 1e9 else float(f"{value:.5g}")
    return value


def main(arguments: Sequence[str]) -> None:
    """Record."""
    if arguments[:1] != ["--record"] or not set(arguments[1:]) <= {"05", "06"}:
        sys.exit(__doc__)
    for lesson in arguments[1:]:
        lessons.keep(record(lesson))


if __name__ == "__main__":
    main(sys.argv[1:])
