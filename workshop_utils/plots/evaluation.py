"""The figures of lesson 09, which measures: quality against bytes, memory and speed, scores, errors, judges."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any

from workshop_utils.evaluate import intervals
from workshop_utils.plots import basics
from workshop_utils.plots.basics import GREY, PALETTE, Bar, byte_unit, frame, ink_on, plain_ticks, rounded

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

Row = Mapping[str, Any]
Point = tuple[float, float]


# --- the table


def pareto(
    rows: Sequence[Row],
    y: str = "score",
    title: str = "Quality against size",
    xlabel: str = "size",
    ylabel: str = "",
    lower_is_better: bool = False,
) -> Figure:
    """Quality against size, with the front: the methods that no other one beats in both.

    Args:
        rows: of the table, each with "name" and "bytes", and perhaps with "low" and "high", the 95% interval of y.
            Where bytes or y is None or missing, the name is written below the picture.
        y: the column of the quality.
        title: of the figure.
        xlabel: what the bytes are; their unit is added.
        ylabel: what y is, with its unit; y itself if empty.
        lower_is_better: of y, as for a perplexity.

    Raises:
        ValueError: no row has both numbers.
    """
    known = [row for row in rows if row.get("bytes") is not None and row.get(y) is not None]
    missing = [str(row["name"]) for row in rows if row not in known]
    if not known:
        raise ValueError(f"no row has numbers in bytes and {y}: there is nothing to draw")
    scale, unit = byte_unit(max(row["bytes"] for row in known))
    points = [(row["bytes"] / scale, float(row[y])) for row in known]
    sign = 1 if lower_is_better else -1  # a point is beaten by another one that is as small, as good, and not the same
    front = sorted(p for p in points if not any(q != p and q[0] <= p[0] and sign * q[1] <= sign * p[1] for q in points))
    figure, (ax,) = frame(title, height=4.4)
    for row, (at, _) in zip(known, points, strict=True):
        if row.get("low") is not None and row.get("high") is not None:
            ax.plot([at, at], [row["low"], row["high"]], "-_", color="#BBBBBB", linewidth=1, zorder=1)
    ax.step(*zip(*front, strict=True), where="post", color=PALETTE[5], linewidth=1.2, zorder=2, label="the front")
    beaten = [point for point in points if point not in front]
    for chosen, colour, marker, name in ((front, PALETTE[5], "D", "on the front"), (beaten, PALETTE[0], "o", "beaten")):
        if chosen:
            ax.plot(*zip(*chosen, strict=True), marker, color=colour, markersize=7, zorder=3, label=name)
    ax.set(xlabel=f"{xlabel} ({unit})", ylabel=ylabel or y, xscale="log")
    plain_ticks(ax.xaxis)
    ax.margins(x=0.12, y=0.12)
    ax.legend(frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1))
    if missing:
        figure.supxlabel(fill(f"not measured here: {', '.join(missing)}", 100), fontsize=10, color=GREY)
    _name(figure, ax, [str(row["name"]) for row in known], points)
    return figure


def methods(rows: Sequence[Row], values: Mapping[str, str], title: str, xlabel: str, reference: str = "") -> Figure:
    """Memory or speed of each method as bars, with the reason in the place of a bar that could not be measured.

    Args:
        rows: of the table, each with "name"; the first one on top. A row whose value is None may have a "reason".
        values: the columns to draw and what to call them, as in {"disk_bytes": "on disk", "bytes": "in memory"}.
        title: of the figure.
        xlabel: what the values are, with their unit; the unit of bytes is added.
        reference: the name of a row; behind each bar is written how many times its value it has.

    Raises:
        ValueError: no row has a number.
    """
    numbers = [row[column] for row in rows for column in values if row.get(column) is not None]
    if not numbers:
        raise ValueError(f"no row has a number in {', '.join(values)}: there is nothing to draw")
    scale, unit = byte_unit(max(numbers)) if "bytes" in next(iter(values)) else (1.0, "")
    base = next((row for row in rows if row["name"] == reference), {})
    series: dict[str, dict[str, Bar]] = {name: {} for name in values.values()}
    for row in rows:
        reason = fill(f"not measured: {row.get('reason') or 'no reason given'}", 64)
        for column, name in values.items():
            value = row.get(column)
            if value is None:
                series[name][row["name"]], reason = Bar(None, reason), ""
                continue
            times = f"  ({value / base[column]:.2g}x)" if base.get(column) and row is not base else ""
            series[name][row["name"]] = Bar(value / scale, rounded(value / scale) + times)
    note = f"; in brackets: times {reference}" if base else ""
    drawn = next(iter(series.values())) if len(series) == 1 else series
    return basics.bars(drawn, title, f"{xlabel} ({unit}){note}" if unit else xlabel, "method")


def _name(figure: Figure, ax: Axes, names: Sequence[str], points: Sequence[Point]) -> None:
    """Write names beside points, as near as no two cover each other or a point; a line leads to those further off."""
    figure.draw_without_rendering()  # so that places in the picture are known
    dots, inside = ax.transData.transform(points), ax.get_window_extent()
    taken: list[Bbox] = []
    for name, point in sorted(zip(names, points, strict=True), key=lambda pair: pair[1]):
        label = ax.annotate(name, point, (0, 0), textcoords="offset points", va="center", parse_math=False, zorder=4)
        label.set(in_layout=False, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.8})
        for step in range(40):  # right of the point and left of it, then a line higher, a line lower, two lines higher
            place = ((9, -9)[step % 2], 14 * ((step + 2) // 4) * (-1) ** (step // 2))
            label.set(position=place, ha=("left", "right")[step % 2])
            box = label.get_window_extent().padded(2)
            within = inside.x0 < box.x0 and box.x1 < inside.x1 and inside.y0 < box.y0 and box.y1 < inside.y1
            if within and not any(box.overlaps(one) for one in taken) and not box.count_contains(dots):
                break
        taken.append(box)
        if place[1]:
            line = {"arrowstyle": "-", "color": "#888888", "linewidth": 0.7, "shrinkA": 0, "shrinkB": 0}
            ax.annotate("", point, place, textcoords="offset points", arrowprops=line, in_layout=False)


# --- scores, errors, judges


def score_distributions(scores: Mapping[str, Sequence[float]], title: str, xlabel: str = "score") -> Figure:
    """Every score as a dot, equal ones beside each other, and under them the mean with its 95% interval.

    Args:
        scores: one for each item, by the name of a method; the first one on top.
        title: of the figure.
        xlabel: what a score is, with its unit.
    """
    everything = [value for values in scores.values() for value in values]
    step = (max(everything) - min(everything)) / 60 or 1.0
    figure, (ax,) = frame(title, height=1.2 + 0.75 * len(scores))
    for place, (values, colour) in enumerate(zip(scores.values(), PALETTE, strict=False)):
        seen, dots = Counter[int](), list[Point]()
        for value in values:  # equal ones are five abreast, those of the next five above them
            row, column = divmod(seen[round(value / step)], 5)
            seen[round(value / step)] += 1
            height = place - 0.08 - 0.4 * row / max(6, len(values) / 5)
            dots.append((value + 0.8 * step * (0, -1, 1, -2, 2)[column], height))
        ax.plot(*zip(*dots, strict=True), "o", color=colour, markersize=4, alpha=0.6)
        mean, (low, high) = sum(values) / len(values), intervals.bootstrap(values)
        ax.plot([low, mean, high], [place + 0.14] * 3, "-D", color="black", markevery=[1], markersize=5)
        interval = f"({low:.3g} to {high:.3g})" if low < high else "(all equal)"
        words, right = f"{mean:.3g} {interval}, n = {len(values)}", high < max(everything) - 20 * step
        side: dict[str, Any] = {"xytext": (8, 0), "ha": "left"} if right else {"xytext": (-8, 0), "ha": "right"}
        ax.annotate(words, (high if right else low, place + 0.14), textcoords="offset points", va="center", **side)
    ax.set_yticks(range(len(scores)), list(scores), parse_math=False)
    ax.set(xlabel=f"{xlabel} (diamond: mean, line: 95% interval)", ylabel="method", ylim=(len(scores) - 0.6, -0.6))
    ax.margins(x=0.05)
    ax.grid(False, axis="y")
    return figure


def agreement(kappas: Sequence[Sequence[float]], names: Sequence[str]) -> Figure:
    """Cohen's kappa of each pair of judges as a coloured table.

    Args:
        kappas: a row and a column for each judge, -1 to 1; nan where it is undefined, as when a judge never varies.
        names: of the judges.
    """
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("kappa", [PALETTE[5], "#FFFFFF", PALETTE[0]]).with_extremes(bad="#DDD")
    side = 1.8 + 0.85 * len(names)
    figure, (ax,) = frame("Do the judges agree?", width=side + 2.2, height=max(3.0, side))
    drawn = ax.imshow([list(line) for line in kappas], cmap=colours, vmin=-1, vmax=1)
    for row, line in enumerate(kappas):
        for column, value in enumerate(line):
            text, at = ("–", 0.5) if math.isnan(value) else (f"{value:.2f}", (value + 1) / 2)
            ax.text(column, row, text, ha="center", va="center", color=ink_on(colours(at)[:3]))
    ax.set_xticks(range(len(names)), [fill(name, 12) for name in names], parse_math=False)
    ax.set_yticks(range(len(names)), [fill(name, 14) for name in names], parse_math=False)
    ax.set(xlabel="judge", ylabel="judge")
    ax.grid(False)
    figure.colorbar(drawn, ax=ax, label="Cohen's kappa\n(1: always agree, 0: as by chance)", shrink=0.8)
    return figure
