"""Pictures of lesson 09, which measures: quality against bytes, memory and speed, scores, errors, judges.

Rows of the table in, a matplotlib Figure out, like basics.py, whose colours they share.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from textwrap import fill
from typing import TYPE_CHECKING, Any

from workshop_utils.evaluate import intervals
from workshop_utils.plots import basics as plots
from workshop_utils.plots.basics import PALETTE
from workshop_utils.plots.tuning import UNITS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation
    from matplotlib.transforms import Bbox
    from torch import Tensor

Row = Mapping[str, Any]
Point = tuple[float, float]

MISSING = "#777777"  # grey: of what could not be measured
BYTES = "bytes"  # a column whose name has this in it holds bytes, and is drawn in MB or GB
# Where a label may stand, in points from its point and by its corner: right, left, above, below, then further away.
PLACES = [(8, 0), (-8, 0), (0, 8), (0, -8), (6, 7), (-6, 7), (6, -7), (-6, -7)]
PLACES += [(2 * x, 2 * y) for x, y in PLACES] + [(3 * x, 3 * y) for x, y in PLACES]


# --- the table


def pareto(
    rows: Sequence[Row],
    x: str = "bytes",
    y: str = "score",
    interval: tuple[str, str] = ("low", "high"),
    title: str = "Quality against size",
    xlabel: str = "size",
    ylabel: str = "",
    lower_is_better: bool = False,
) -> Figure:
    """Quality against size, with the front: the methods that no other one beats in both.

    Args:
        rows: of the table, each with "name"; where x or y is None or missing, the name is told below the picture.
        x: the column of the size; smaller is better. Bytes, if that is part of its name, are drawn in their unit.
        y: the column of the quality.
        interval: the columns of its 95% interval; drawn where a row has both.
        title: of the figure.
        xlabel: what x is; the unit of bytes is added.
        ylabel: what y is, with its unit; y itself if empty.
        lower_is_better: of y, as for a perplexity.

    Raises:
        ValueError: no row has both numbers, or a size is not above 0.
    """
    known, missing = _parted(rows, [x, y])
    if not all(row[x] > 0 for row in known):
        raise ValueError(f"the sizes in {x!r} go down to {min(row[x] for row in known)}: they must be above 0")
    scale, unit = _unit(x, [row[x] for row in known])
    points = [(row[x] / scale, float(row[y])) for row in known]
    best = set(_front(points, lower_is_better))
    note = f"not measured here: {', '.join(missing)}" if missing else ""
    figure, (ax,) = plots._figure(title, height=4.2)
    for row, (at, _) in zip(known, points, strict=True):
        low, high = (row.get(end) for end in interval)
        if low is not None and high is not None:
            ax.plot([at, at], [low, high], "-_", color="#999999", linewidth=1, zorder=1)
    steps = sorted(points[i] for i in best)
    ax.step(*zip(*steps, strict=True), where="post", color=PALETTE[5], linewidth=1.2, zorder=2, label="the front")
    for on_it, colour, marker, name in ((True, PALETTE[5], "D", "on the front"), (False, PALETTE[0], "o", "beaten")):
        chosen = [point for i, point in enumerate(points) if (i in best) == on_it]
        if chosen:
            ax.plot(*zip(*chosen, strict=True), marker, color=colour, markersize=7, zorder=3, label=name)
    ax.set(xlabel=f"{xlabel}{unit}", ylabel=ylabel or y, xscale="log")
    _plain_ticks(ax, [at for at, _ in points])
    ax.margins(x=0.12, y=0.12)
    ax.legend(frameon=False, fontsize="small", ncols=3, loc="lower left", bbox_to_anchor=(0, 1))
    _below(figure, note)
    _label(figure, ax, [str(row["name"]) for row in known], points, steps)
    return figure


def bars(
    rows: Sequence[Row],
    values: Mapping[str, str],
    title: str,
    xlabel: str,
    interval: tuple[str, str] | None = None,
    reference: str | None = None,
) -> Figure:
    """Memory or speed of each method as bars, with the reason in the place of a bar that could not be measured.

    Args:
        rows: of the table, each with "name"; the first one on top. A row whose value is None may have a "reason".
        values: the columns to draw and what to call them, as in {"disk_bytes": "on disk", "bytes": "in memory"}.
        title: of the figure.
        xlabel: what the values are, with their unit; the unit of bytes is added.
        interval: the columns of the interval of a single value's column.
        reference: the name of a row; behind each bar stands what share of its value it has.

    Raises:
        ValueError: no row has a number, or the reference is none of the names.
    """
    numbers = [row[column] for row in rows for column in values if row.get(column) is not None]
    if not numbers:
        raise ValueError(f"no row has a number in {', '.join(values)}: there is nothing to draw")
    base = next((row for row in rows if row["name"] == reference), None)
    if reference is not None and base is None:
        raise ValueError(f"reference is {reference!r}, and there are only {', '.join(str(r['name']) for r in rows)}")
    scale, unit = _unit(next(iter(values)), numbers)
    most = max([*numbers, *(row[interval[1]] for row in rows if interval and row.get(interval[1]) is not None)]) / scale
    figure, (ax,) = plots._figure(title, height=1.3 + (0.18 + 0.2 * len(values)) * len(rows))
    width = 0.8 / len(values)
    for k, (column, name) in enumerate(values.items()):
        drawn = False
        for place, row in enumerate(rows):
            at, value = place + (k - (len(values) - 1) / 2) * width, row.get(column)
            if value is None:
                if k == 0:
                    told = f"not measured: {row.get('reason') or 'no reason given'}"
                    ax.text(0.01 * most, place, fill(told, 72), va="center", fontsize="small", color=MISSING)
                continue
            ax.barh(at, value / scale, height=0.9 * width, color=PALETTE[k], label=None if drawn else name)
            drawn, end = True, value / scale
            if interval and row.get(interval[0]) is not None and row.get(interval[1]) is not None:
                low, high = (row[column_of] / scale for column_of in interval)
                ax.errorbar(end, at, xerr=[[end - low], [high - end]], color="black", capsize=3, linewidth=1)
                end = high
            text = f"{value / scale:,.3g}" if value / scale < 1000 else f"{value / scale:,.0f}"
            if base is not None and base.get(column) and row is not base:
                text += f"  ({value / base[column]:.2g}x)"
            ax.annotate(text, (end, at), (5, 0), textcoords="offset points", va="center", fontsize="small")
    ax.set_yticks(range(len(rows)), [str(row["name"]) for row in rows], parse_math=False)
    told = f"; in brackets: times {reference}" if reference else ""
    ax.set(xlabel=f"{xlabel}{unit}{told}", ylabel="method", xlim=(0, 1.22 * most))
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.grid(False, axis="y")
    if len(values) > 1:
        figure.legend(loc="outside lower center", ncols=len(values), frameon=False, fontsize="small")
    return figure


# --- scores, errors, judges


def score_distributions(
    scores: Mapping[str, Sequence[float]], title: str, xlabel: str = "score", seed: int = 0
) -> Figure:
    """Every score as a dot, equal ones beside each other, and under them the mean with its 95% interval.

    Args:
        scores: one for each item, by the name of a method; the first one on top.
        title: of the figure.
        xlabel: what a score is, with its unit.
        seed: of the bootstrap behind the interval.

    Raises:
        ValueError: there is no method, or one has no scores.
    """
    if not scores or not all(len(values) for values in scores.values()):
        raise ValueError("there must be at least one method, and each with at least one score")
    everything = [value for values in scores.values() for value in values]
    step = (max(everything) - min(everything)) / 60 or 1.0
    most = 1 + max(number for values in scores.values() for number in _numbers(values, step))
    columns = math.ceil(most / 10)  # where many are equal, they stand a few abreast
    tallest = math.ceil(most / columns)
    figure, (ax,) = plots._figure(title, height=1.2 + 0.75 * len(scores))
    for place, values in enumerate(scores.values()):
        numbers, colour = _numbers(values, step), PALETTE[place % len(PALETTE)]
        heights = [place - 0.08 - 0.4 * (number // columns) / tallest for number in numbers]
        beside = [(number % columns + 1) // 2 * (-1) ** (number % columns) for number in numbers]  # 0, -1, 1, -2, ...
        dots = [value + 0.8 * step * shift for value, shift in zip(values, beside, strict=True)]
        ax.plot(dots, heights, "o", color=colour, markersize=4, alpha=0.6)
        mean, (low, high) = sum(values) / len(values), intervals.bootstrap(values, seed)
        ax.plot([low, high], [place + 0.12] * 2, "-|", color="black")
        ax.plot(mean, place + 0.12, "D", color="black", markersize=5)
        told = f"{mean:.3g} ({low:.3g} to {high:.3g}), n = {len(values)}"
        ax.annotate(told, (high, place + 0.12), (8, 0), textcoords="offset points", va="center", fontsize="small")
    ax.set_yticks(range(len(scores)), list(scores), parse_math=False)
    ax.set(xlabel=f"{xlabel} (diamond: mean, line: 95% interval)", ylabel="method", ylim=(len(scores) - 0.6, -0.6))
    ax.margins(x=0.05)
    ax.grid(False, axis="y")
    return figure


def error_histogram(
    errors: Mapping[str, Sequence[float] | Tensor],
    title: str = "What rounding does to the weights",
    xlabel: str = "error of a weight",
    bins: int = 81,
) -> Figure:
    """How often each size of error occurs, on a logarithmic axis, so that the rare large ones are seen.

    Args:
        errors: restored minus original value of each weight, by the name of a method.
        title: of the figure.
        xlabel: what an error is, with its unit.
        bins: of the histogram, over all methods the same.

    Raises:
        ValueError: there is no method, one has no errors, or an error is not a finite number.
    """
    import numpy as np

    found = {name: np.asarray(values, np.float64).ravel() for name, values in errors.items()}
    if not found or not all(len(values) and np.isfinite(values).all() for values in found.values()):
        raise ValueError("there must be at least one method, and each with errors that are finite numbers")
    most = max(float(np.abs(values).max()) for values in found.values()) or 1.0
    edges = np.linspace(-most, most, bins + 1)
    figure, (ax,) = plots._figure(title, height=3.6)
    for (name, values), colour, style in zip(found.items(), PALETTE, ("-", "--", "-.", ":") * 2, strict=False):
        told = f"{name}: typical {_rms(values):.2g}, largest {np.abs(values).max():.2g}"
        counts, _ = np.histogram(values, edges)
        ax.stairs(counts, edges, color=colour, linestyle=style, linewidth=1.4, label=told)
    ax.set(xlabel=xlabel, ylabel="number of weights", yscale="log")
    ax.set_ylim(0.7, None)
    figure.legend(loc="outside lower center", ncols=min(2, len(found)), frameon=False, fontsize="small")
    return figure


def agreement(kappas: Sequence[Sequence[float]], names: Sequence[str], title: str = "Do the judges agree?") -> Figure:
    """Cohen's kappa of each pair of judges as a coloured table.

    Args:
        kappas: a row and a column for each judge, -1 to 1; nan where it is undefined, as when a judge never varies.
        names: of the judges.
        title: of the figure.

    Raises:
        ValueError: it is not a square table for these names, or a number is no kappa.
    """
    if not names or any(len(line) != len(names) for line in [kappas, *kappas]):
        raise ValueError(f"there are {len(names)} names: kappas needs a row and a column for each, and at least one")
    if any(abs(value) > 1 + 1e-9 for line in kappas for value in line):
        raise ValueError("a kappa lies outside of -1 to 1: these numbers are something else")
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("kappa", [PALETTE[5], "#FFFFFF", PALETTE[0]]).with_extremes(bad="#DDD")
    side = 1.8 + 0.85 * len(names)
    figure, (ax,) = plots._figure(title, width=side + 2.2, height=max(3.0, side))
    drawn = ax.imshow([list(line) for line in kappas], cmap=colours, vmin=-1, vmax=1)
    for row, line in enumerate(kappas):
        for column, value in enumerate(line):
            text, dark = ("–", False) if math.isnan(value) else (f"{value:.2f}", abs(value) > 0.75)
            ax.text(column, row, text, ha="center", va="center", color="white" if dark else "black")
    ax.set_xticks(range(len(names)), [fill(name, 12) for name in names], parse_math=False)
    ax.set_yticks(range(len(names)), [fill(name, 14) for name in names], parse_math=False)
    ax.set(xlabel="judge", ylabel="judge")
    ax.grid(False)
    figure.colorbar(drawn, ax=ax, label="Cohen's kappa\n(1: always agree, 0: as by chance)", shrink=0.8)
    return figure


# --- parts


def _parted(rows: Sequence[Row], columns: Sequence[str]) -> tuple[list[Row], list[str]]:
    """The rows that have a number in all columns, and the names of the others."""
    known = [row for row in rows if all(row.get(column) is not None for column in columns)]
    if not known:
        raise ValueError(f"no row has numbers in {' and '.join(columns)}: there is nothing to draw")
    return known, [str(row["name"]) for row in rows if row not in known]


def _unit(column: str, values: Sequence[float]) -> tuple[float, str]:
    """What to divide a column by, and its unit in brackets; 1 and nothing for what is no number of bytes."""
    if BYTES not in column:
        return 1.0, ""
    scale, name = next((one for one in UNITS if max(values) >= one[0]), UNITS[-1])
    return scale, f" ({name})"


def _front(points: Sequence[Point], lower_is_better: bool) -> list[int]:
    """The numbers of the points that no other one beats: none is as small and as good, and better in one of both."""
    sign = 1 if lower_is_better else -1
    keys = [(x, sign * y) for x, y in points]
    return [i for i, (x, y) in enumerate(keys) if not any(a <= x and b <= y and (a, b) != (x, y) for a, b in keys)]


def _numbers(values: Sequence[float], step: float) -> list[int]:
    """How many of about the same value came before each, which it stands on."""
    seen: dict[int, int] = {}
    found = []
    for value in values:
        place = round(value / step)
        found.append(seen.get(place, 0))
        seen[place] = found[-1] + 1
    return found


def _rms(values: Any) -> float:
    return float((values**2).mean() ** 0.5)


def _plain_ticks(ax: Axes, values: Sequence[float]) -> None:
    """Numbers such as 2, 5 and 10 on a logarithmic x axis, instead of powers."""
    from matplotlib.ticker import LogLocator, NullFormatter

    narrow = max(values) < 8 * min(values)
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 4, 5, 6, 8) if narrow else (1, 2, 5)))
    ax.xaxis.set_major_formatter("{x:,g}")
    ax.xaxis.set_minor_formatter(NullFormatter())


def _below(figure: Figure, note: str) -> None:
    if note:
        figure.supxlabel(fill(note, 110), fontsize="small", color=MISSING)


def _label(figure: Figure, ax: Axes, names: Sequence[str], points: Sequence[Point], line: Sequence[Point]) -> None:
    """Write names beside points where they cover neither each other nor a point nor the line, if there is room."""
    from matplotlib.patheffects import withStroke
    from matplotlib.transforms import Bbox

    figure.draw_without_rendering()  # so that places in the picture are known
    taken = [_around(ax, point, point, 6) for point in points]
    for (x, y), (next_x, next_y) in pairwise(line):
        taken += [_around(ax, (x, y), (next_x, y), 1), _around(ax, (next_x, y), (next_x, next_y), 1)]
    inside = ax.get_window_extent()
    for name, point in zip(names, points, strict=True):
        label = ax.annotate(name, point, (0, 0), textcoords="offset points", fontsize="small", parse_math=False)
        label.set(in_layout=False, path_effects=[withStroke(linewidth=2.5, foreground="white")])

        def cost(place: Point, label: Annotation = label) -> float:
            box = _at(label, place)
            shared = [Bbox.intersection(box, other) for other in taken]
            visible = Bbox.intersection(box, inside)
            outside = _area(box) - (_area(visible) if visible else 0)
            return sum(_area(one) for one in shared if one) + 3 * outside + 0.2 * math.hypot(*place)

        taken.append(_at(label, min(PLACES, key=cost)))


def _at(label: Annotation, place: Point) -> Bbox:
    """Put a label to a place; returns the pixels that it covers."""
    x, y = place
    label.set(
        position=place,
        ha="left" if x > 0 else "right" if x < 0 else "center",
        va="bottom" if y > 0 else "top" if y < 0 else "center",
    )
    return label.get_window_extent()


def _around(ax: Axes, one: Point, other: Point, pixels: float) -> Bbox:
    """The box in pixels from one point of the axes to another, a little larger."""
    from matplotlib.transforms import Bbox

    (x, y), (a, b) = ax.transData.transform([one, other])
    return Bbox.from_extents(min(x, a) - pixels, min(y, b) - pixels, max(x, a) + pixels, max(y, b) + pixels)


def _area(box: Bbox) -> float:
    return float(box.width * box.height)
