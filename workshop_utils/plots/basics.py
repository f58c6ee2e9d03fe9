"""What every lesson draws, and what its figures are made of: bars, lines, runs of training, bars of memory.

Data in, a matplotlib Figure out: nothing in this folder trains, measures or reads files. Colours are Okabe and Ito's,
which colour-blind readers can tell apart, and never alone: a hatch, a dash or a marker goes with each. A notebook gets
each figure with a text for people who do not see it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from workshop_utils.evaluate.intervals import wilson

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
STYLES: tuple[Any, ...] = (
    "-", (0, (4, 3)), "-.", ":", (0, (9, 2)), (0, (1, 3)), (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2, 2, 2)),
)  # fmt: skip
HATCHES = ("", "//", "..", "xx", "\\\\", "++", "oo", "--", "|")
MARKERS = "os^Dv<>P"
GREY = "#6B6B6B"  # of what could not be measured

BELOW = {"lr": "learning rate", "grad_norm": "length of the gradient"}

History = Sequence[Mapping[str, Any]]  # entries of a run: step, loss and more
Curve = Sequence[float] | Mapping[float, float]  # values from place 0 on, or by where they are
Levels = Mapping[str, float]  # values to compare with, by what they mean
Marks = Mapping[str, Sequence[float]]  # places on the x axis, by what they mean


# --- parts of figures


def frame(
    title: str, rows: int = 1, columns: int = 1, width: float = 8.0, height: float = 3.2, sharex: bool = False
) -> tuple[Figure, list[Axes]]:
    """An empty figure with a title and rows x columns axes, each `height` inches high and `width` wide together."""
    import matplotlib.pyplot as plt

    size = (width, height * rows)
    figure, axes = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False, sharex=sharex)
    figure.suptitle(title)
    for ax in axes.flat:
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(alpha=0.25)
    plt.close(figure)  # shown once, by the cell that returns it, and not a second time by the notebook's own drawing
    # What IPython asks for beside the picture itself.
    figure._repr_mimebundle_ = lambda **_: ({}, {"image/png": {"alt": described(figure)}})  # type: ignore[attr-defined]
    return figure, list(axes.flat)


def described(figure: Figure, limit: int = 600) -> str:
    """A figure in words, for people who do not see it: its title, its axes, and what is written in it."""
    from matplotlib.ticker import FixedLocator

    said = [figure.get_suptitle()]
    for ax in figure.axes:
        words = [text.get_text() for text in ax.texts]
        if words and isinstance(ax.yaxis.get_major_locator(), FixedLocator):
            names = [label.get_text() for label in ax.get_yticklabels()]
            if len(words) % len(names) == 0:  # bars, with their values behind them
                words = [f"{name}: {', '.join(words[i :: len(names)])}" for i, name in enumerate(names)]
        series = dict.fromkeys(ax.get_legend_handles_labels()[1])
        parts = {"across": ax.get_xlabel(), "upwards": ax.get_ylabel(), "shown": ", ".join(series)}
        said += [ax.get_title() or ax.get_title(loc="left")]
        said += ["; ".join(f"{name}: {text}" for name, text in parts.items() if text), "; ".join(words)]
    parted = [" ".join(part.split()).rstrip(".") for part in said if part.strip()]
    text = " ".join(part if part.endswith("?") else f"{part}." for part in parted)
    return text if len(text) <= limit else text[: limit - 2].rsplit(" ", 1)[0] + " …"


def ink_on(colour: Any) -> str:
    """Black or white, whichever reads better on a colour: the contrast is at least 4.5 on any."""
    from matplotlib.colors import to_rgb

    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return "black" if 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > 0.179 else "white"


def legend(figure: Figure) -> None:
    """One legend below the figure, each label once, in as many columns as its width allows."""
    pairs = [pair for ax in figure.axes for pair in zip(*ax.get_legend_handles_labels(), strict=True)]
    shown = {label: handle for handle, label in pairs}
    for columns in range(len(shown), 0, -1):
        for earlier in list(figure.legends):
            earlier.remove()
        style: dict[str, Any] = {"loc": "outside lower center", "ncols": columns, "frameon": False}
        drawn = figure.legend(list(shown.values()), list(shown), **style)
        if drawn.get_window_extent().width < figure.bbox.width:
            return


@dataclass(frozen=True)
class Bar:
    """A bar, in the unit of its axis.

    Attributes:
        value: its length; None draws no bar, only the words.
        words: what is written behind it.
        ends: of its 95% interval.
        colour: instead of the colour of its series.
    """

    value: float | None
    words: str = ""
    ends: tuple[float, float] | None = None
    colour: str = ""


def share(hits: int, n: int) -> Bar:
    """A share in percent, with its count and its 95% interval (Wilson)."""
    if not 0 <= hits <= n or n < 1:
        raise ValueError(f"{hits} of {n} is no share: count hits among at least one try")
    low, high = wilson(hits / n, n)
    return Bar(100 * hits / n, f"{hits} of {n}", (100 * low, 100 * high))


def rounded(value: float) -> str:
    """A value with three digits, or all of its whole ones."""
    return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def byte_unit(largest: float) -> tuple[float, str]:
    """The unit in which bars of up to so many bytes are drawn: its bytes and its name."""
    return (1e9, "GB") if largest >= 1e9 else (1e6, "MB") if largest >= 1e6 else (1e3, "kB")


def draw_bars(ax: Axes, names: Sequence[str], series: Mapping[str, Sequence[Bar]]) -> None:
    """Draw horizontal bars in groups, the first one on top."""
    thick = 0.8 / len(series)
    for k, (label, row) in enumerate(series.items()):
        for group, bar in enumerate(row):
            at, end = group + (k - (len(series) - 1) / 2) * thick, bar.value or 0.0
            if bar.value is not None:
                drawn = ax.barh(at, bar.value, 0.92 * thick, color=bar.colour or PALETTE[k], label=label)
                hatched(drawn, k)
            if bar.ends:
                ax.plot(bar.ends, [at] * 2, "-|", color="black", linewidth=1)
                end = bar.ends[1]
            words = ax.annotate(bar.words, (end, at), (5, 0), textcoords="offset points", va="center", parse_math=False)
            words.set_color(GREY if bar.value is None else "black")
    ax.set_yticks(range(len(names)), [drawable(name) for name in names], parse_math=False)
    ax.yaxis.grid(False)
    ax.set_ylim(len(names) - 0.4, -0.6)


def hatched(drawn: Iterable[Any], number: int) -> None:
    """Give bars the hatch of their series, so that a print without colours tells them apart."""
    for patch in drawn:
        patch.set(hatch=HATCHES[number % len(HATCHES)], edgecolor="white", linewidth=0)


def plain_ticks(axis: Axis) -> None:
    """Numbers as people write them on a logarithmic axis, more of them where it spans little."""
    from matplotlib.ticker import LogLocator, NullLocator

    low, high = axis.get_view_interval()
    if high > 1e6 * low:
        return  # powers of ten read better
    subs = (1, 1.5, 2, 3, 4, 5, 6, 8) if high < 10 * low else (1, 2, 5) if high < 1000 * low else (1,)
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter("{x:,g}")
    axis.set_minor_locator(NullLocator())


def drawable(text: str) -> str:
    """Write the characters that matplotlib's font has no picture of as their numbers, instead of empty boxes."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    known = get_font(findfont(FontProperties())).get_charmap()
    return "".join(c if ord(c) in known or c == "\n" else f"‹{ord(c):x}›" for c in text)


# --- bars

Value = float | tuple[int, int] | Bar  # a pair is hits and tries
Values = Mapping[str, Value] | Mapping[str, Mapping[str, Value]]


def bars(
    values: Values, title: str, xlabel: str, ylabel: str = "", log: bool = False, levels: Levels | None = None
) -> Figure:
    """Horizontal bars, each with its value behind it, one for each label or a group of several.

    Args:
        values: by label, the first one on top; or for each series such values. A pair is hits and tries, and drawn in
            percent with its 95% interval.
        title: of the figure.
        xlabel: what the values are, with their unit.
        ylabel: what the labels are.
        log: on a logarithmic axis.
        levels: a dotted line each, or its name alone where it lies far outside.

    Raises:
        ValueError: a pair is no share.
    """
    nested = all(isinstance(value, Mapping) for value in values.values())
    series: dict[str, dict[str, Value]] = dict(values) if nested else {"": values}  # type: ignore[arg-type, dict-item]
    drawn = {name: [_bar(value) for value in row.values()] for name, row in series.items()}
    everything = [bar for row in drawn.values() for bar in row]
    names = list(next(iter(series.values())))
    figure, (ax,) = frame(title, height=1 + (0.16 + 0.22 * len(series)) * len(names) + 0.2 * bool(nested or levels))
    draw_bars(ax, names, drawn)
    interval = " (line: 95% interval)" if any(bar.ends for bar in everything) else ""
    ax.set(xlabel=xlabel + interval, ylabel=ylabel, xscale="log" if log else "linear")
    longest = end = max(max(bar.value or 0.0, *(bar.ends or (0.0,))) for bar in everything)
    for (name, level), colour, style in zip((levels or {}).items(), PALETTE[5:], (":", "--", "-."), strict=False):
        if level <= 3 * longest:
            ax.axvline(level, linestyle=style, color=colour, label=name)
            end = max(end, level)
        else:
            ax.plot(
                [], [], linestyle=style, color=colour, label=f"{name}: {level / longest:,.0f} times the longest bar"
            )
    if not log:
        ax.set_xlim(0, 1.17 * end)
    legend(figure)
    return figure


def _bar(value: Value) -> Bar:
    if isinstance(value, Bar):
        return value
    return share(*value) if isinstance(value, tuple) else Bar(value, rounded(value))


def histogram(
    values: Mapping[str, Any], title: str, xlabel: str, marks: Marks | None = None, log: bool = False
) -> Figure:
    """How often each size occurs, over 81 bins that all have in common.

    Args:
        values: arrays or tensors of any shape, by what the legend calls them; what is not finite is left out.
        title: of the figure.
        xlabel: what the values are, with their unit.
        marks: places to draw a line at.
        log: numbers on a logarithmic axis, so that rare sizes are seen.
    """
    import numpy as np
    import torch

    arrays = {name: torch.as_tensor(array).detach().double().cpu().flatten().numpy() for name, array in values.items()}
    finite = {name: array[np.isfinite(array)] for name, array in arrays.items()}
    edges = np.histogram_bin_edges(np.concatenate(list(finite.values())), 81)
    figure, (ax,) = frame(title, height=3.6)
    for (name, array), colour, style in zip(finite.items(), PALETTE, STYLES, strict=False):
        counts = np.histogram(array, edges)[0]
        if not log:
            ax.stairs(counts, edges, fill=True, alpha=0.5, color=colour)
        ax.stairs(counts, edges, linewidth=1.4, color=colour, label=name, linestyle=style)
    _mark(ax, marks)
    ax.set(xlabel=xlabel, ylabel="count", yscale="log" if log else "linear", ylim=(0.7 if log else 0, None))
    ax.yaxis.set_major_formatter("{x:,.0f}")
    legend(figure)
    return figure


# --- memory, part by part


def memory(
    panels: Mapping[str, Mapping[str, Mapping[str, float]]],
    title: str,
    there: Sequence[float],
    name: str,
    colours: Mapping[str, str] | None = None,
) -> Figure:
    """Stacked bars of bytes: a panel for each model, in its own unit, and in it a bar for each way of training.

    Args:
        panels: bytes by part, by way of training, by model.
        title: of the figure.
        there: bytes of the device of each bar, from the top; marked where they are near enough to be compared.
        name: of that mark.
        colours: of the parts, in the order in which they are stacked.
    """
    parts = dict.fromkeys(part for ways in panels.values() for way in ways.values() for part in way)
    colours = colours or dict(zip(parts, PALETTE, strict=False))
    high = max(sum(1 + 0.8 * way.count("\n") for way in ways) for ways in panels.values())
    figure, axes = frame(title, rows=len(panels), width=9, height=0.9 + 0.28 * high)
    for ax, (model, ways) in zip(axes, panels.items(), strict=True):
        totals = [sum(way.values()) for way in ways.values()]
        scale, unit = byte_unit(max(totals))
        stack(ax, {way: {part: size / scale for part, size in sizes.items()} for way, sizes in ways.items()}, colours)
        for place, (total, limit) in enumerate(zip(totals, there, strict=False)):
            end = limit if total < limit < total + 0.15 * max(totals) else total  # not across the mark
            words = f"{total / scale:.3g} {unit}"
            ax.annotate(words, (end / scale, place), (5, 0), textcoords="offset points", va="center")
            if limit <= 3 * max(totals):
                ax.plot([limit / scale] * 2, [place - 0.45, place + 0.45], "black", linewidth=2.5, label=name)
        ax.set_title(model, loc="left", fontsize="medium")
        ax.set(xlabel=unit, ylabel="training")
        ax.margins(x=0.14)
    legend(figure)
    return figure


def stack(ax: Axes, rows: Mapping[str, Mapping[str, float]], colours: Mapping[str, str]) -> None:
    """Draw horizontal bars that consist of parts, the first bar on top, the parts in the order of their colours."""
    left = [0.0] * len(rows)
    for part, colour in colours.items():
        sizes = [row.get(part, 0.0) for row in rows.values()]
        if any(sizes):
            hatched(ax.barh(range(len(rows)), sizes, 0.65, left, color=colour, label=part), list(colours).index(part))
        left = [a + b for a, b in zip(left, sizes, strict=True)]
    ax.set_yticks(range(len(rows)), list(rows), parse_math=False)
    ax.yaxis.grid(False)
    ax.invert_yaxis()


# --- curves


def lines(
    curves: Mapping[str, Curve],
    title: str,
    xlabel: str,
    ylabel: str,
    levels: Levels | None = None,
    log: str = "",
    marks: Marks | None = None,
    below: tuple[str, Curve] | None = None,
) -> Figure:
    """Curves on one scale, with lines to compare them with, and another curve over the same axis below them.

    Args:
        curves: by name, values from place 0 on, or values by where they are; up to twenty are marked as points.
        title: of the figure.
        xlabel: what is counted.
        ylabel: what the values are, with their unit.
        levels: heights of dotted lines.
        log: the axes that are logarithmic: "x", "y" or "xy", and "b" for the height of the curve below.
        marks: places of vertical lines.
        below: what the values of the curve below are, and the curve.
    """
    figure, (ax, *more) = frame(title, rows=1 + bool(below), height=2.6 if below else 3.2, sharex=True)
    for number, (name, curve) in enumerate(curves.items()):
        ax.plot(*_points(curve), label=name, **_style(number, len(curves)), marker="o" if len(curve) <= 20 else "")
    _mark(ax, marks)
    _scale(ax, "y" in log, levels)
    ax.set_ylabel(ylabel)
    if "x" in log:
        ax.set_xscale("log")
        plain_ticks(ax.xaxis)
    for under in more:
        under_label, curve = below or ("", ())
        under.plot(*_points(curve), color=PALETTE[5], marker="o" if len(curve) <= 20 else "")
        _mark(under, marks)
        _scale(under, "b" in log)
        under.set_ylabel(under_label)
    figure.axes[-1].set_xlabel(xlabel)
    legend(figure)
    return figure


def training(
    runs: Mapping[str, History],
    title: str,
    below: str = "",
    log: bool = False,
    levels: Levels | None = None,
    marks: Marks | None = None,
) -> Figure:
    """The loss of one run or several over the same steps, and under it another value of each step.

    Args:
        runs: by name, histories as train's and finetune's: entries with step, loss, lr, grad_norm, and here and there
            val_loss or held_out. A run that ends before the others is marked where it stopped.
        title: of the figure.
        below: "lr" or "grad_norm"; nothing if empty.
        log: the loss on a logarithmic axis.
        levels: losses to compare with, in nats per token.
        marks: steps of vertical lines.
    """
    figure, (ax, *more) = frame(title, rows=1 + bool(below), height=2.6 if below else 3.2, sharex=True)
    end = max(step for history in runs.values() for step in over_steps(history)[0])
    for number, (name, history) in enumerate(runs.items()):
        style, (steps, losses) = _style(number, len(runs)), over_steps(history)
        if len(runs) == 1:
            width = max(1, len(losses) // 20)
            mean = [fmean(losses[max(0, i + 1 - width) : i + 1]) for i in range(len(losses))]
            ax.plot(steps, losses, color=PALETTE[4], linewidth=0.8, alpha=0.6, label="training, each step")
            ax.plot(steps, mean, color=PALETTE[0], label="training, running mean")
            name, style = "", {"color": PALETTE[5]}
        else:
            stopped = end not in steps
            ax.plot(steps, losses, **style, label=f"{name} (stopped)" if stopped else name)
            ax.plot(steps[-1:], losses[-1:], "X" if stopped else "", color=style["color"], markersize=9)
        for key in ("val_loss", "held_out"):
            if any(key in entry for entry in history):
                label = f"{name}, held out".removeprefix(", ")
                dots = {"marker": MARKERS[number % len(MARKERS)], "linestyle": ":", "color": style["color"]}
                ax.plot(*over_steps(history, key), **dots, label=label)
        for under in more:
            under.plot(*over_steps(history, below), **style)
    _mark(ax, marks)
    _scale(ax, log, levels)
    ax.set_ylabel("loss (nats per token)")
    for under in more:
        _scale(under, below == "grad_norm")
        under.set_ylabel(BELOW[below])
    figure.axes[-1].set_xlabel("step")
    legend(figure)
    return figure


def over_steps(history: History, key: str = "loss") -> tuple[list[float], list[float]]:
    """The steps at which a run has noted a value, and the values."""
    found = [entry for entry in history if key in entry]
    return [entry["step"] for entry in found], [entry[key] for entry in found]


def _points(curve: Curve) -> tuple[list[float], list[float]]:
    points = curve if isinstance(curve, Mapping) else dict(enumerate(curve))
    return list(points), list(points.values())


def _style(number: int, of: int) -> dict[str, Any]:
    """Colour and line of a curve; the first of several is thick, so that one that lies on it leaves both to be seen."""
    style = {"color": PALETTE[number % len(PALETTE)], "linestyle": STYLES[number % len(STYLES)]}
    return style | ({"linewidth": 4, "alpha": 0.6} if of > 1 and number == 0 else {})


def _mark(ax: Axes, marks: Marks | None) -> None:
    for (name, places), colour, style in zip(
        (marks or {}).items(), (PALETTE[5], "black", PALETTE[3]), (":", "-.", "--"), strict=False
    ):
        for place in places:
            ax.axvline(place, color=colour, linestyle=style, linewidth=1.4, label=name)


def _scale(ax: Axes, log: bool, levels: Levels | None = None) -> None:
    """Dotted lines across, and an axis that is logarithmic, or that begins at 0 where that is near."""
    for name, level in (levels or {}).items():
        ax.axhline(level, color="black", linestyle=":", linewidth=1)
        ax.text(1.01, level, name, transform=ax.get_yaxis_transform(), va="center")
    low, high = ax.dataLim.intervaly
    if log:
        ax.set_yscale("log")
        plain_ticks(ax.yaxis)
    elif 0 <= low < high / 2:
        ax.set_ylim(bottom=0)
