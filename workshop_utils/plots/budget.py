"""Pictures of lessons 05 and 06: what a training keeps in memory and when, what it costs, and which settings are best.

Budgets, sweeps and range tests in, a matplotlib Figure out, like basics.py, whose colours they share.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from workshop_utils.budget.estimates import Budget, devices, duration, money, size
from workshop_utils.budget.memory import moments
from workshop_utils.plots import basics as plots
from workshop_utils.plots.basics import PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from workshop_utils.training.rate_sweep import Cell, RangeTest, Sweep

PARTS = (
    "weights",
    "adapter",
    "optimiser",
    "gradients",
    "copies in 16 bits",
    "activations",
    "logits",
    "gathered",
    "a layer unpacked",
    "at work",
)
# The part that grows with the batch is orange, what is there from the beginning blue and green.
COLOURS = dict(zip(PARTS, ("#0072B2", "#9AC7E3", "#56B4E9", "#009E73", "#B7E0D2", "#E69F00", "#F0E442"), strict=False))
COLOURS |= {"gathered": "#CC79A7", "a layer unpacked": "#CC79A7", "at work": "#999999"}


def memory(budgets: Mapping[str, Budget], title: str = "What one device must hold") -> Figure:
    """A stacked bar for each budget, part by part, and a line in each for the memory of its device.

    Args:
        budgets: by what they are called; the first one on top.
        title: of the figure.

    Raises:
        ValueError: there are none.
    """
    if not budgets:
        raise ValueError("there is no budget to draw: estimate() makes one")
    figure, (ax,) = plots._figure(title, width=9, height=1.5 + 0.5 * len(budgets))
    most = max(budget.needed for budget in budgets.values())
    for place, budget in enumerate(budgets.values()):
        left = _stack(partial(ax.barh, place, height=0.6), ("width", "left"), budget.parts)
        there = budget.gpu.bytes
        end = there if left < there < left + 0.13 * most else left  # not across the line
        ax.annotate(size(left), (end / 1e9, place), (5, 0), textcoords="offset points", va="center")
        if there <= 2.5 * most:
            ax.plot([there / 1e9] * 2, [place - 0.42, place + 0.42], color="black", linewidth=2.5, label="memory there")
    ax.set_yticks(range(len(budgets)), [f"{name}\n{_where(budget)}" for name, budget in budgets.items()])
    ax.set(xlabel="GB on each device, at the fullest moment of a step", ylabel="training")
    ax.margins(x=0.12)
    ax.grid(False, axis="y")
    ax.invert_yaxis()
    _legend(figure, ax, order=[*PARTS, "memory there"])
    return figure


def _stack(draw: Callable[..., Any], names: tuple[str, str], parts: Mapping[str, float]) -> float:
    """Draw the parts of a bar one behind the other, in GB; returns all their bytes.

    Args:
        draw: ax.bar or ax.barh, at its place.
        names: what it calls the length of a piece, and where a piece begins.
        parts: bytes by name.
    """
    length, begin = names
    total = 0.0
    for part in PARTS:
        if parts.get(part):
            draw(**{length: parts[part] / 1e9, begin: total / 1e9}, color=COLOURS[part], label=part)
            total += parts[part]
    return total


def _where(budget: Budget) -> str:
    return f"{devices(budget.gpu, budget.n_gpus)}: {'fits' if budget.fits else 'does not fit'}"


def through_a_step(budget: Budget) -> Figure:
    """What is in memory from the end of the forward pass to the update: activations go, gradients come."""
    found = moments(budget.shape, budget.plan, budget.n_gpus, budget.gpu.cuda)
    figure, (ax,) = plots._figure(f"Memory through one step: {budget.shape.name}", width=9, height=3.6)
    for place, (moment, parts) in enumerate(found.items()):
        below = _stack(partial(ax.bar, place, width=0.7), ("height", "bottom"), parts)
        weight = "bold" if moment == budget.moment else "normal"
        ax.annotate(size(below), (place, below / 1e9), (0, 3), textcoords="offset points", ha="center", weight=weight)
    if budget.gpu.bytes <= 2.5 * budget.needed:
        label = f"memory of {devices(budget.gpu, 1)}"
        ax.axhline(budget.gpu.bytes / 1e9, color="black", linewidth=2, linestyle=":", label=label)
    ax.set_xticks(range(len(found)), [moment.replace(" of the ", "\nof the ") for moment in found], fontsize="small")
    ax.set(ylabel="GB on each device", xlabel="moment of the step")
    ax.margins(y=0.12)
    ax.grid(False, axis="x")
    _legend(figure, ax, order=[*PARTS])
    return figure


def bill(budgets: Mapping[str, Budget], title: str = "What it costs") -> Figure:
    """Time, money and electricity of several trainings, a bar each, on logarithmic axes.

    Args:
        budgets: by what they are called; the first one on top.
        title: of the figure.

    Raises:
        ValueError: there are none.
    """
    if not budgets:
        raise ValueError("there is no budget to draw: estimate() makes one")
    columns: list[tuple[str, Callable[[Budget], float], Callable[[float], str]]] = [
        ("hours", lambda one: one.hours, duration),
        ("US dollars", lambda one: one.dollars, money),
        ("kWh", lambda one: one.kwh, lambda value: f"{value:,.0f}" if value >= 10 else f"{value:.2g}"),
    ]
    figure, axes = plots._figure(title, columns=3, width=11, height=1.4 + 0.4 * len(budgets))
    for ax, colour, (xlabel, of, told) in zip(axes, (PALETTE[0], PALETTE[1], PALETTE[2]), columns, strict=True):
        values = [of(budget) for budget in budgets.values()]
        shown = [value for value in values if value > 0]
        ax.barh(range(len(values)), [max(value, 1e-12) for value in values], color=colour, height=0.6)
        low, high = (min(shown), max(shown)) if shown else (1.0, 10.0)
        ax.set(xscale="log", xlabel=xlabel, xlim=(low / 3, high * (high / low) ** 0.45 * 8))
        for place, value in enumerate(values):
            at = value if value > 0 else low / 3
            ax.annotate(told(value), (at, place), (4, 0), textcoords="offset points", va="center", fontsize="small")
        ax.set_yticks(range(len(values)), list(budgets) if ax is axes[0] else [""] * len(values))
        ax.grid(False, axis="y")
        ax.invert_yaxis()
        ax.set_ylabel("training")
    return figure


def sweep(found: Sweep, x: str = "", title: str = "Which settings are best?") -> Figure:
    """Validation loss against one setting, a line for each combination of the others; failed cells as crosses on top.

    Args:
        found: what sweep() gave back.
        x: the setting of the horizontal axis; the one with the most values if empty.
        title: of the figure.

    Raises:
        ValueError: there are no cells, or x is none of their settings.
    """
    if not found.cells:
        raise ValueError("the sweep has no cells yet: run it first")
    names = list(found.cells[0].settings)
    if x and x not in names:
        raise ValueError(f"{x!r} is no setting of this sweep: {', '.join(names)}")
    x = x or max(names, key=lambda name: len({str(cell.settings[name]) for cell in found.cells}))
    groups: dict[str, list[Cell]] = {}
    for cell in found.cells:
        others = ", ".join(f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
                           for name, value in cell.settings.items() if name != x)  # fmt: skip
        groups.setdefault(others, []).append(cell)
    figure, (ax,) = plots._figure(title)
    losses = [cell.val_loss for cell in found.cells if cell.val_loss is not None]
    top = max(losses, default=1.0) + 0.08 * (max(losses, default=1.0) - min(losses, default=0.0) or 1.0)
    values = [cell.settings[x] for cell in found.cells]
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    places: dict[Any, float] = {v: v if numbers else place for place, v in enumerate(dict.fromkeys(values))}
    for (others, cells), colour, marker in zip(groups.items(), PALETTE * 8, "os^Dv<>p" * 8, strict=False):
        done = sorted((places[cell.settings[x]], cell.val_loss) for cell in cells if cell.val_loss is not None)
        ax.plot(*zip(*done, strict=True) if done else ([], []), color=colour, marker=marker, label=others or None)
        failed = [places[cell.settings[x]] for cell in cells if cell.val_loss is None]
        ax.plot(failed, [top] * len(failed), "x", color=colour, markersize=9, markeredgewidth=2.5)
    if losses:
        ax.plot(places[found.best.settings[x]], min(losses), "*", color="black", markersize=15, zorder=5, label="best")
    if any(cell.val_loss is None for cell in found.cells):
        ax.plot([], [], "x", color="black", markersize=9, markeredgewidth=2.5, linestyle="", label="failed")
    if numbers and min(places.values()) > 0:
        ax.set_xscale("log")
    ax.set_xticks(list(places.values()), [f"{value:g}" if numbers else str(value) for value in places])
    ax.minorticks_off()
    ax.set(xlabel=x.replace("_", " "), ylabel="validation loss (nats a token)")
    _legend(figure, ax, columns=3)
    return figure


def range_test(found: RangeTest) -> Figure:
    """Loss and gradient norm against the rate, with the rate to start a training with."""
    figure, (top, bottom) = plots._figure("How high a rate can this model bear?", rows=2, height=2.5)
    bottom.sharex(top)
    top.plot(found.rates, found.losses, color=PALETTE[4], linewidth=0.8, alpha=0.7, label="each step")
    top.plot(found.rates, found.smoothed, color=PALETTE[0], label="running mean")
    bottom.plot(found.rates, found.grad_norms, color=PALETTE[1])
    for ax in (top, bottom):
        ax.axvline(found.suggestion, color=PALETTE[2], linestyle="--", label=f"start with {found.suggestion:.1e}")
        ax.axvline(found.lowest, color=PALETTE[5], linestyle=":", label=f"lowest loss at {found.lowest:.1e}")
    low = min(found.losses)
    top.set(ylabel="loss (nats a token)", xscale="log", ylim=(low * 0.95, min(max(found.losses), 4 * low) * 1.03))
    wide = max(found.grad_norms) > 20 * min(found.grad_norms)
    bottom.set(xlabel="learning rate", ylabel="gradient norm", yscale="log" if wide else "linear")
    _legend(figure, top, columns=4)
    return figure


def _legend(figure: Figure, ax: Axes, order: Sequence[str] = (), columns: int = 4) -> None:
    """One legend below the picture, each label once, in the given order."""
    shown = {label: handle for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    labels = sorted(shown, key=lambda label: order.index(label) if label in order else len(order))
    if labels:
        handles = [shown[label] for label in labels]
        figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False, fontsize="small")
