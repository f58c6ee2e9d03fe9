"""The figures of lesson 03: what a GPT is made of, where attention looks, and what it bets on. See basics.py.

Tensors in, a matplotlib Figure out; nothing here computes a model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workshop_utils.plots import basics as plots
from workshop_utils.plots.basics import PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyBboxPatch
    from torch import Tensor

BOX = {"boxstyle": "round,pad=0.4,rounding_size=0.15", "edgecolor": "none"}


def _figure(title: str, rows: int = 1, columns: int = 1, **size: float) -> tuple[Figure, list[Axes]]:
    """As in basics.py, but shown as a PNG of 256 colours: a third of the bytes, and a lesson holds a dozen."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from numpy import asarray
    from PIL import Image

    class SmallCanvas(FigureCanvasAgg):
        def print_png(self, filename_or_obj: Any, *, metadata: Any = None, pil_kwargs: Any = None, **_: Any) -> None:
            self.draw()
            picture = Image.fromarray(asarray(self.buffer_rgba())).convert("RGB")
            picture.quantize(256, dither=Image.Dither.NONE).save(filename_or_obj, "PNG", optimize=True)

    figure, axes = plots._figure(title, rows, columns, **size)
    SmallCanvas(figure)
    return figure, axes


def blueprint() -> Figure:
    """The way of a token through a GPT, from its id at the bottom to the next id at the top, and round again."""
    figure, (ax,) = _figure("A GPT: token ids in, bets on the next token out", width=8.5, height=5.2)
    stations = (  # height, what it says, colour, what it does
        (0.0, "token ids", "#DDDDDD", "text, cut into numbers (lesson 02)"),
        (1.0, "token + place table", PALETTE[4], "an id becomes a vector: what it is, and where it stands"),
        (2.5, "norm, then attention", PALETTE[1], "look back: which earlier tokens matter here?"),
        (3.5, "norm, then MLP", PALETTE[2], "think: every position on its own"),
        (5.0, "norm, then the table again", PALETTE[4], "the head: a score for every token that could come next"),
        (6.0, "bets", "#DDDDDD", "softmax turns scores into probabilities; draw one"),
    )
    ax.plot((0, 0), (0.2, 5.8), color="#888888", linewidth=6, solid_capstyle="butt", zorder=0)
    for height, name, colour, what in stations:
        inside = 2 < height < 4
        place = 1.45 if inside else 0.0
        ax.text(place, height, name, ha="center", va="center", bbox=BOX | {"facecolor": colour}, fontsize=10)
        ax.text(2.9, height, what, va="center", fontsize=9, color="#333333")
        if inside:  # reads from the stream below, adds to it above
            line = {"arrowstyle": "-|>", "color": "#555555"}
            ax.annotate("", (0.62, height - 0.08), (0.04, height - 0.4), arrowprops=line)
            ax.annotate("", (0.04, height + 0.4), (0.62, height + 0.08), arrowprops=line)
            ax.text(-0.1, height + 0.36, "+", ha="right", va="center", fontsize=13, color="#555555")
    ax.add_patch(_frame(-0.75, 1.85, 3.35, 2.35))
    ax.text(2.55, 4.08, "a block; n_layer of them", va="center", ha="right", fontsize=8, color="#555555")
    ax.plot((-0.4, -1.5, -1.5), (6, 6, 0), color=PALETTE[5])
    ax.annotate("", (-0.55, 0), (-1.5, 0), arrowprops={"arrowstyle": "-|>", "color": PALETTE[5], "shrinkA": 0})
    ax.text(-1.75, 3, "append the token, ask again", rotation=90, va="center", ha="center", color=PALETTE[5])
    ax.set(xlim=(-2.1, 7.2), ylim=(-0.5, 6.5))
    ax.axis("off")
    return figure


def _frame(x: float, y: float, width: float, height: float) -> FancyBboxPatch:
    from matplotlib.patches import FancyBboxPatch

    shape = "round,pad=0.05,rounding_size=0.1"
    return FancyBboxPatch(
        (x, y), width, height, boxstyle=shape, facecolor="#F5F5F5", edgecolor="#BBBBBB", linestyle="--", zorder=-1
    )


def attention_maps(maps: Mapping[str, Tensor], text: Sequence[str], title: str = "Who looks at whom") -> Figure:
    """Attention weights as squares: a row looks at the columns; the darker, the more. Grey lies in the future.

    Args:
        maps: weights (T, T) by the name of the head.
        text: the T tokens.
        title: of the figure.
    """
    from matplotlib.colors import PowerNorm

    columns = min(4, len(maps))
    rows = -(-len(maps) // columns)
    side = 3.6 if columns <= 2 else 9.6 / columns
    figure, axes = _figure(title, rows, columns, width=side * columns + 0.4, height=side + 0.3)
    for ax in axes[len(maps) :]:
        ax.set_visible(False)
    for ax, (name, weights) in zip(axes, maps.items(), strict=False):
        T, numbers = len(text), weights.detach().numpy()
        ax.imshow(numbers, cmap="Blues", norm=PowerNorm(0.6, 0, 1))  # one scale for all maps, kind to small weights
        _shade_future(ax, numbers)
        size = "medium" if T <= 12 else "small" if side > 3 else "x-small"
        ax.set_xticks(range(T), list(text), fontsize=size, family="monospace")
        ax.set_yticks(range(T), list(text), fontsize=size, family="monospace")
        ax.set_title(name, fontsize="medium")
        ax.set(xlabel="looked at", ylabel="looking")
        ax.grid(False)
        for i, j in zip(*numbers.nonzero(), strict=True) if T <= 10 else ():
            colour = "white" if numbers[i, j] > 0.5 else "black"
            ax.text(j, i, f"{numbers[i, j]:.2f}", ha="center", va="center", fontsize=6.5, color=colour)
    return figure


def _shade_future(ax: Axes, weights: Any) -> None:
    """Grey where a mask has left nothing; a map that does look ahead keeps its blue."""
    for i in range(len(weights)):
        if i + 1 < len(weights) and not (weights[i, i + 1 :] > 0).any():
            ax.axhspan(i - 0.5, i + 0.5, (i + 1) / len(weights), 1, color="#E8E8E8", zorder=1)


def looking_back(texts: Mapping[str, Tensor], start: int, least: float = 0.15) -> Figure:
    """Arcs from each written character to the earlier ones that it was made from, a colour a head.

    Args:
        texts: attention weights (n_head, T, T) by their text of T + 1 characters.
        start: the place of the first written character; looks at the one before it are drawn dotted.
        least: weights below this are not drawn.
    """
    from matplotlib.lines import Line2D

    figure, axes = _figure("Which character was looked at, to write which?", rows=len(texts), width=8.0, height=2.3)
    colours = [PALETTE[k] for k in (0, 5, 2, 3)]
    heads = 0
    for ax, (text, maps) in zip(axes, texts.items(), strict=True):
        heads = len(maps)
        for head, weights in enumerate(maps):
            for place in range(start, len(text)):
                for source, weight in enumerate(weights[place - 1, :place].tolist()):
                    if weight > least:
                        _arc(ax, source, place, weight, colours[head % 4], parked=source == start - 1)
        for place, character in enumerate(text):
            style: dict[str, Any] = {"weight": "bold"} if place >= start else {"color": "#555555"}
            ax.text(place, -0.7, character, ha="center", va="center", family="monospace", fontsize=15, **style)
        ax.set(xlim=(-0.7, len(text) - 0.3), ylim=(-1.3, len(text) / 2 + 0.3))
        ax.axis("off")
    handles = [Line2D([], [], color=colours[head % 4], label=f"head {head}") for head in range(heads)]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False)
    return figure


def _arc(ax: Axes, source: int, place: int, weight: float, colour: str, parked: bool) -> None:
    """Half a circle over two places, the stronger the weight."""
    import numpy as np

    angle = np.linspace(0, np.pi, 40)
    middle, radius = (source + place) / 2, (place - source) / 2
    style = ":" if parked else "-"
    width = 1.0 if parked else 0.5 + 2.5 * weight
    ax.plot(middle + radius * np.cos(angle), radius * np.sin(angle), style, color=colour, linewidth=width)


def lines(
    curves: Mapping[str, Sequence[float]],
    title: str,
    xlabel: str,
    ylabel: str,
    levels: Mapping[str, float] | None = None,
    log: bool = False,
) -> Figure:
    """Curves over the same steps, and horizontal lines to compare them with.

    Args:
        curves: values by the name of the curve, the first at place 0.
        title: of the figure.
        xlabel: what is counted.
        ylabel: what the values are, with their unit.
        levels: heights of dotted lines, by what they mean.
        log: on a logarithmic axis.
    """
    figure, (ax,) = _figure(title)
    for (name, values), colour, style in zip(curves.items(), PALETTE, ("-", "--", "-.", ":") * 2, strict=False):
        ax.plot(values, color=colour, linestyle=style, label=name)
    for name, level in (levels or {}).items():
        ax.axhline(level, color="black", linestyle=":", linewidth=1)
        ax.text(1.01, level, name, transform=ax.get_yaxis_transform(), va="center", fontsize="small")
    ax.set(xlabel=xlabel, ylabel=ylabel, yscale="log" if log else "linear")
    ax.legend(frameon=False, fontsize="small")
    return figure


def parameters(models: Mapping[str, Mapping[str, int]]) -> Figure:
    """Where the parameters sit: a bar a model, a colour a part, with the share of each part that is large enough.

    Args:
        models: for each model, the number of parameters by part; the same parts in all of them.
    """
    figure, (ax,) = _figure("Where the parameters sit", width=9.0, height=1.3 + 0.5 * len(models))
    parts = list(next(iter(models.values())))
    names = [f"{name}\n{_large(sum(counts.values()))}" for name, counts in models.items()]
    left = [0.0] * len(models)
    for part, colour in zip(parts, PALETTE, strict=False):
        shares = [100 * counts[part] / sum(counts.values()) for counts in models.values()]
        drawn = ax.barh(names, shares, left=left, color=colour, label=part, height=0.7)
        dark = colour in (PALETTE[0], PALETTE[2], PALETTE[5])
        words = [f"{share:.0f}%" if share > 5 else "" for share in shares]
        ax.bar_label(drawn, words, label_type="center", fontsize="small", color="white" if dark else "black")
        left = [a + b for a, b in zip(left, shares, strict=True)]
    ax.set(xlabel="share of the parameters (%)", ylabel="model", xlim=(0, 100))
    ax.invert_yaxis()
    ax.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _large(number: float) -> str:
    for unit, size in (("billion", 1e9), ("million", 1e6), ("thousand", 1e3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.0f}"


def bets(
    rows: Mapping[str, Tensor], names: Sequence[str], truth: Tensor | None = None, most: int = 14, title: str = ""
) -> Figure:
    """Probabilities of the next token as bars, several distributions under each other, in the order of the first.

    Args:
        rows: probabilities (V,) by their name.
        names: of the V tokens.
        truth: probabilities (V,) to mark on the first row.
        most: how many of the likeliest tokens to show.
        title: of the figure.
    """
    first = next(iter(rows.values()))
    order = first.argsort(descending=True)[:most].tolist()
    figure, axes = _figure(
        title or "Bets on the next token", rows=len(rows), width=8.0, height=1.25 if len(rows) > 1 else 2.2
    )
    highest = 105 * max(float(probs.max()) for probs in rows.values())
    for ax, (name, probs), colour in zip(axes, rows.items(), PALETTE * 2, strict=False):
        ax.bar(range(len(order)), [100 * float(probs[i]) for i in order], color=colour)
        if truth is not None and ax is axes[0]:
            marks = [100 * float(truth[i]) for i in order]
            ax.plot(range(len(order)), marks, "_", color="black", markersize=16, label="the dice")
            ax.legend(frameon=False, fontsize="small")
        ax.set_xticks(range(len(order)), [names[i] for i in order], family="monospace")
        ax.set_title(name, loc="left", fontsize="medium")
        ax.set(ylabel="%", ylim=(0, highest))
        ax.grid(False, axis="x")
    axes[-1].set_xlabel("next token")
    for ax in axes[:-1]:
        ax.sharex(axes[-1])
        ax.tick_params(labelbottom=False)
    return figure
