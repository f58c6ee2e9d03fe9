"""Pictures of lesson 07, which fine-tunes a model: memory, four bits, runs, before and after.

Data in, a matplotlib Figure out, like basics.py, whose colours they share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from workshop_utils.evaluate.intervals import wilson
from workshop_utils.plots import basics as plots
from workshop_utils.plots.basics import PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "bytes"))


def memory(costs: Mapping[str, Mapping[str, Mapping[str, float]]], limit: float = 16e9, name: str = "a T4") -> Figure:
    """What a way of training keeps in memory, part by part: a panel a model, a bar a way, each panel in its own unit.

    Args:
        costs: bytes by part, by way of training, by model.
        limit: memory of a GPU in bytes; drawn where it is near enough to be compared.
        name: of that GPU.

    Raises:
        ValueError: there is no model, or a number is negative.
    """
    parts = list(dict.fromkeys(part for ways in costs.values() for way in ways.values() for part in way))
    if not parts or any(size < 0 for ways in costs.values() for way in ways.values() for size in way.values()):
        raise ValueError("costs must hold at least one model with sizes of 0 bytes or more")
    most = max(map(len, costs.values()))
    figure, axes = plots._figure("What training keeps in memory", rows=len(costs), height=0.75 + 0.28 * most)
    for ax, (model, ways) in zip(axes, costs.items(), strict=True):
        totals = [sum(way.values()) for way in ways.values()]
        scale, unit = next((one for one in UNITS if max(totals) >= one[0]), UNITS[-1])
        left = [0.0] * len(ways)
        for part, colour in zip(parts, PALETTE, strict=False):
            sizes = [way.get(part, 0.0) / scale for way in ways.values()]
            ax.barh(list(ways), sizes, left=left, color=colour, label=part, height=0.65)
            left = [a + b for a, b in zip(left, sizes, strict=True)]
        for place, total in enumerate(totals):
            ax.annotate(_size(total), (total / scale, place), (4, 0), textcoords="offset points", va="center")
        if limit <= 3 * max(totals):
            ax.axvline(limit / scale, color="black", linestyle=":", label=f"{name}, {_size(limit)}")
        ax.set_title(model, loc="left", fontsize="medium")
        ax.set(xlabel=unit, ylabel="way of training")
        ax.grid(False, axis="y")
        ax.margins(x=0.14)
        ax.invert_yaxis()
    shown = {label: handle for ax in axes for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(shown.values(), shown.keys(), loc="outside lower center", ncols=3, frameon=False, fontsize="small")
    return figure


def _size(size: float) -> str:
    scale, unit = next((one for one in UNITS if size >= one[0]), UNITS[-1])
    return f"{size / scale:.3g} {unit}"


def four_bits(scaled: Sequence[float], levels: Sequence[float]) -> Figure:
    """Where weights lie after division by the largest of their block, and the levels that are left of them.

    Args:
        scaled: weights divided by the largest magnitude of their block, from -1 to 1.
        levels: the values that can be stored, from -1 to 1.

    Raises:
        ValueError: there are no weights or no levels, or a number lies outside of -1 to 1.
    """
    if not len(scaled) or not len(levels) or max(abs(value) for values in (scaled, levels) for value in values) > 1.001:
        raise ValueError("weights and levels must lie between -1 and 1: divide each block by its largest magnitude")
    figure, (ax,) = plots._figure(f"{len(levels)} levels, close together where the weights are")
    ax.hist(list(scaled), bins=101, range=(-1, 1), color=PALETTE[4], label="weights")
    for number, level in enumerate(levels):
        ax.axvline(level, color=PALETTE[5], linewidth=1, label="levels" if number == 0 else None)
    ax.set(xlabel="weight, as a share of the largest in its block", ylabel="number of weights")
    ax.yaxis.set_major_formatter("{x:,.0f}")
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize="small")
    return figure


def curves(runs: Mapping[str, Sequence[Mapping[str, float]]], title: str) -> Figure:
    """Losses of runs side by side on one scale: what is learnt as a line, what is held out as points.

    Args:
        runs: by name, entries with step and loss, and here and there held_out.
        title: of the figure.

    Raises:
        ValueError: there is no run, or one of them has no losses.
    """
    if not runs or not all(any("loss" in entry for entry in history) for history in runs.values()):
        raise ValueError("there must be at least one run, and each with a loss: was it trained?")
    columns = len(runs)
    figure, axes = plots._figure(title, columns=columns, width=7.5 if columns == 1 else 3.4 * columns)
    for ax, (name, history) in zip(axes, runs.items(), strict=True):
        _curve(ax, history)
        ax.sharey(axes[0])
        ax.set(xlabel="step", title=name if columns > 1 else "")
    axes[0].set_ylabel("loss (nats a token)")
    axes[0].set_ylim(0, None)
    shown = {label: handle for ax in axes for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(shown.values(), shown.keys(), loc="outside lower center", ncols=3, frameon=False, fontsize="small")
    return figure


def _curve(ax: Axes, history: Sequence[Mapping[str, float]]) -> None:
    steps = [entry["step"] for entry in history if "loss" in entry]
    losses = [entry["loss"] for entry in history if "loss" in entry]
    width = max(1, len(losses) // 10)
    mean = [sum(losses[max(0, i - width + 1) : i + 1]) / min(width, i + 1) for i in range(len(losses))]
    ax.plot(steps, losses, color=PALETTE[4], linewidth=0.8, alpha=0.6, label="learnt from, each step")
    ax.plot(steps, mean, color=PALETTE[0], label=f"learnt from, mean of {width}")
    looks = [entry for entry in history if "held_out" in entry]
    if looks:
        places = [entry["step"] for entry in looks]
        ax.plot(places, [entry["held_out"] for entry in looks], "o--", color=PALETTE[5], label="held out")


def before_and_after(counts: Mapping[str, tuple[int, int, int]], title: str) -> Figure:
    """Shares before and after a change, a pair of bars each with its 95% interval and the count behind it.

    Args:
        counts: hits before, hits after and tries, by what a hit is; the first one on top.
        title: of the figure.

    Raises:
        ValueError: there were no tries, or fewer than hits.
    """
    for what, (before, after, n) in counts.items():
        if n < 1 or not 0 <= min(before, after) <= max(before, after) <= n:
            raise ValueError(f"{what!r}: {before} and {after} of {n} are no shares; count hits among at least one try")
    figure, (ax,) = plots._figure(title, height=1.1 + 0.6 * len(counts))
    for which, (name, colour) in enumerate((("before", PALETTE[1]), ("after", PALETTE[0]))):
        for place, (*hits, n) in enumerate(counts.values()):
            share, (low, high) = hits[which] / n, wilson(hits[which] / n, n)
            at = place + (which - 0.5) * 0.36
            ax.barh(at, 100 * share, color=colour, height=0.32, label=name if place == 0 else None)
            error = [[100 * (share - low)], [100 * (high - share)]]
            ax.errorbar(100 * share, at, xerr=error, color="black", capsize=2, linewidth=0.8)
            ax.annotate(f"{hits[which]} of {n}", (100 * high, at), (5, 0), textcoords="offset points", va="center")
    ax.set_yticks(range(len(counts)), list(counts), parse_math=False)
    ax.set(xlabel="share of the replies (%; the line: 95% interval)", ylabel="what was counted", xlim=(0, 118))
    ax.set_xticks(range(0, 101, 20))
    ax.grid(False, axis="y")
    ax.invert_yaxis()
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize="small")
    return figure
