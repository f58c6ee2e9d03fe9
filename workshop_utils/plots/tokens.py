"""The figures of lesson 02: what merges teach, and what a batch looks like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workshop_utils.plots.basics import PALETTE, frame, legend
from workshop_utils.plots.coloured import TINTS

if TYPE_CHECKING:
    import tiktoken
    from matplotlib.figure import Figure


def merge_counts(merges: Sequence[tuple[bytes, int]], title: str) -> Figure:
    """How often a pair occurred when it was merged: bars for a few merges, a line on logarithmic axes for many.

    Args:
        merges: the new token and how often its pair occurred, in the order of learning.
        title: of the figure.
    """
    names = [token.decode(errors="replace").replace(" ", "·") for token, _ in merges]
    counts, order = [count for _, count in merges], range(1, len(merges) + 1)
    figure, (ax,) = frame(title)
    ax.set_ylabel("times the pair occurred")
    if len(merges) <= 40:
        ax.bar(order, counts, color=PALETTE[0])
        ax.set_xticks(order, names, rotation=60, ha="right", rotation_mode="anchor")
        ax.set_xlabel("new token, in the order of learning (· is a space)")
        ax.locator_params(axis="y", integer=True)
        return figure
    ax.plot(order, counts, color=PALETTE[0])
    for place in sorted({round(len(merges) ** (k / 8)) for k in range(9)}):
        ax.plot(place, counts[place - 1], "o", color=PALETTE[5], markersize=4)
        ax.annotate(names[place - 1], (place, counts[place - 1]), (3, 5), textcoords="offset points")
    ax.set(xscale="log", yscale="log", xlabel="merge number (· is a space)")
    return figure


def shifted_by_one(x: Sequence[int], y: Sequence[int], encoding: tiktoken.Encoding) -> Figure:
    """One row of a batch as two rows of boxes: what the model reads, and what it should answer at each position."""
    figure, (ax,) = frame("One row: below each token the one that should come next", width=9.5, height=1.3)
    for row, (name, ids) in enumerate({"x, read": x, "y, answer": y}.items()):
        ax.text(-1, -row, name, ha="center", va="center", weight="bold")
        for column, id in enumerate(ids):
            text = "-1" if id < 0 else "end" if id == encoding.eot_token else encoding.decode([id]).replace(" ", "·")
            face, ink = ("#DDDDDD", "#555555") if y[column] < 0 else (TINTS[row], "black")
            box = {"boxstyle": "round,pad=0.25", "facecolor": face, "edgecolor": "white"}
            ax.text(column, -row, text, ha="center", va="center", bbox=box, color=ink)
    ax.set(xlim=(-1.6, len(x) - 0.4), ylim=(-1.5, 0.5))
    ax.axis("off")
    return figure


def batches(kinds: Mapping[str, tuple[Any, Any]], eot_token: int) -> Figure:
    """Batches as pictures: a line for each row, a colour for each document, black where one ends, white for padding.

    Args:
        kinds: x and y, both (B, T), by the name of how they were drawn.
        eot_token: the id that ends a document.
    """
    from matplotlib.colors import ListedColormap

    names = ("began before the row", "a document from its start", "another one", "end-of-text token", "padding")
    colours = (PALETTE[4], PALETTE[6], "#007A59", "#000000", "#FFFFFF")  # as different without colours: by lightness
    figure, axes = frame("Two ways to fill a batch", rows=len(kinds), width=9.5, height=2.0)
    for ax, (name, (x, y)) in zip(axes, kinds.items(), strict=True):
        ends = x == eot_token
        number = ends.cumsum(1)  # of the document in its row; 0 has begun before the row
        kind = (number > 0) * (2 - number % 2)
        kind[ends] = 3
        kind[y == -1] = 4
        ax.imshow(kind.tolist(), cmap=ListedColormap(colours), vmin=0, vmax=4, aspect="auto", interpolation="nearest")
        ax.set_title(name, loc="left", fontsize="medium")
        ax.set(ylabel="row", xlabel="position in the row (tokens)")
        ax.grid(False)
        for label, colour in zip(names, colours, strict=True):  # for the legend
            ax.plot([], [], "s", color=colour, markeredgecolor="#555555", label=label)
    legend(figure)
    return figure
