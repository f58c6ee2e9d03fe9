"""Every figure of the lessons, one function each: data in, a matplotlib Figure (or HTML for coloured text) out.

Nothing here trains, measures or reads files. Colours are Okabe and Ito's, which colour-blind readers can tell apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workshop_utils.evaluate.intervals import wilson
from workshop_utils.plots.coloured import TINTS, ColouredText, parts_of

if TYPE_CHECKING:
    import tiktoken
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")


def _figure(
    title: str, rows: int = 1, columns: int = 1, width: float = 8.0, height: float = 3.2
) -> tuple[Figure, list[Axes]]:
    """An empty figure with a title and rows x columns axes, each `height` inches high and `width` wide together."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(rows, columns, figsize=(width, height * rows), layout="constrained", squeeze=False)
    figure.suptitle(title)
    for ax in axes.flat:
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(alpha=0.25)
    plt.close(figure)  # shown once, by the cell that returns it, and not a second time by the notebook's own drawing
    return figure, list(axes.flat)


# --- lessons 00 and 02: sizes, tokens, batches


def tokens_in_colour(ids: Iterable[int], encoding: tiktoken.Encoding, show_spaces: bool = False) -> ColouredText:
    """A text as the model sees it, each token on a colour of its own, special tokens on grey."""
    return ColouredText({"": parts_of(ids, encoding)}, show_spaces)


def parts_in_colour(lines: Mapping[str, Sequence[bytes | str]], show_spaces: bool = True) -> ColouredText:
    """Several lines of parts, each with a label and the number of its parts: one text in several tokenizers."""
    return ColouredText(lines, show_spaces)


def bars(values: Mapping[str, float], title: str, xlabel: str, ylabel: str = "", log: bool = False) -> Figure:
    """Horizontal bars, one for each label, with the value written behind it.

    Args:
        values: by label, the first one on top.
        title: of the figure.
        xlabel: what the values are, with their unit.
        ylabel: what the labels are.
        log: on a logarithmic axis.
    """
    figure, (ax,) = _figure(title, height=0.9 + 0.3 * len(values))
    drawn = ax.barh(list(values), list(values.values()), color=PALETTE[0])
    ax.bar_label(drawn, [f"{value:.2g}" if value < 10 else f"{value:,.0f}" for value in values.values()], padding=4)
    ax.set(xlabel=xlabel, ylabel=ylabel, xscale="log" if log else "linear")
    ax.margins(x=0.15)
    ax.invert_yaxis()
    return figure


def merge_counts(merges: Sequence[tuple[bytes, int]], title: str) -> Figure:
    """How often a pair occurred when it was merged: bars for a few merges, a line on logarithmic axes for many.

    Args:
        merges: the new token and how often its pair occurred, in the order of learning.
        title: of the figure.
    """
    names = [token.decode(errors="replace").replace(" ", "·") for token, _ in merges]
    counts, order = [count for _, count in merges], range(1, len(merges) + 1)
    figure, (ax,) = _figure(title)
    if len(merges) <= 40:
        ax.bar(order, counts, color=PALETTE[0])
        ax.set_xticks(order, names, rotation=60, ha="right", fontsize="small")
        ax.set(xlabel="new token, in the order of learning (· is a space)", ylabel="times the pair occurred")
        ax.locator_params(axis="y", integer=True)
        return figure
    ax.plot(order, counts, color=PALETTE[0])
    for place in sorted({round(len(merges) ** (k / 8)) for k in range(9)}):
        ax.plot(place, counts[place - 1], "o", color=PALETTE[5], markersize=4)
        ax.annotate(names[place - 1], (place, counts[place - 1]), (3, 5), textcoords="offset points", fontsize="small")
    ax.set(xscale="log", yscale="log", xlabel="merge number (· is a space)", ylabel="times the pair occurred")
    return figure


def vocabulary_sizes(
    sizes: Sequence[int], characters: Mapping[str, Sequence[float]], shares: Sequence[float]
) -> Figure:
    """What a larger vocabulary buys and what it costs.

    Args:
        sizes: of the vocabularies, in tokens.
        characters: for each kind of text, characters a token at each size.
        shares: of the model's parameters that the embedding table takes at each size, 0 to 1.
    """
    figure, (left, right) = _figure("What a larger vocabulary buys, and what it costs", columns=2, width=9.5)
    for (name, values), colour, marker in zip(characters.items(), PALETTE, "os^D", strict=False):
        left.plot(sizes, values, marker=marker, color=colour, label=name)
    left.set(xlabel="vocabulary (tokens)", ylabel="characters a token", ylim=(0, None))
    left.legend(frameon=False, fontsize="small")
    right.plot(sizes, [100 * share for share in shares], marker="o", color=PALETTE[5])
    right.set(xlabel="vocabulary (tokens)", ylabel="table's share of the model (%)", ylim=(0, None))
    for ax in (left, right):
        ax.xaxis.set_major_formatter("{x:,.0f}")
        ax.set_xlim(0, None)
    return figure


def shifted_by_one(x: Sequence[int], y: Sequence[int], encoding: tiktoken.Encoding) -> Figure:
    """One row of a batch as two rows of boxes: what the model reads, and what it should answer at each place."""
    figure, (ax,) = _figure("One row: below each token the one that should come next", width=9.5, height=1.3)
    for row, ids in enumerate((x, y)):
        for column, id in enumerate(ids):
            text = "-1" if id < 0 else "end" if id == encoding.eot_token else encoding.decode([id]).replace(" ", "·")
            idle = y[column] < 0
            colour = "#DDDDDD" if idle else (TINTS[0], TINTS[1])[row]
            box = {"boxstyle": "round,pad=0.25", "facecolor": colour, "edgecolor": "white"}
            ax.text(column, -row, text, ha="center", va="center", bbox=box, color="#888888" if idle else "black")
    for row, name in enumerate(("x, read", "y, answer")):
        ax.text(-1, -row, name, ha="center", va="center", weight="bold")
    ax.set(xlim=(-1.6, len(x) - 0.4), ylim=(-1.5, 0.5))
    ax.axis("off")
    return figure


def batches(kinds: Mapping[str, tuple[Any, Any]], eot_token: int) -> Figure:
    """Batches as pictures: a line a row, a colour a document, black where one ends, grey where nothing is learned.

    Args:
        kinds: x and y, both (B, T), by the name of how they were drawn.
        eot_token: the id that ends a document.
    """
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    colours = ListedColormap([PALETTE[4], PALETTE[1], PALETTE[2], "#000000", "#DDDDDD"])
    figure, axes = _figure("Two ways to fill a batch", rows=len(kinds), width=9.5, height=2.0)
    for ax, (name, (x, y)) in zip(axes, kinds.items(), strict=True):
        ends = x == eot_token
        number = ends.cumsum(1)  # of the document in its row; 0 has begun before the row
        kind = (number > 0) * (2 - number % 2)
        kind[ends] = 3
        kind[y == -1] = 4
        ax.imshow(kind, cmap=colours, vmin=0, vmax=4, aspect="auto", interpolation="nearest")
        ax.set_title(name, loc="left", fontsize="medium")
        ax.set(ylabel="row of the batch", xlabel="place in the row (tokens)")
        ax.grid(False)
    names = ("began before the row", "a document from its start", "another one", "end-of-text token", "padding")
    patches = [Patch(color=colours(place / 4), label=name) for place, name in enumerate(names)]
    figure.legend(handles=patches, loc="outside lower center", ncols=5, frameon=False, fontsize="small")
    return figure


# --- lesson 04: training


def one_batch(losses: list[float]) -> Figure:
    """The loss of a model that sees one batch again and again: losses in nats a token, one a step."""
    figure, (ax,) = _figure("One batch, learned by heart")
    ax.plot(range(1, len(losses) + 1), losses, color=PALETTE[0])
    ax.set(xlabel="step", ylabel="loss (nats a token)", ylim=(0, None))
    return figure


def compare_losses(histories: dict[str, list[dict[str, Any]]], title: str) -> Figure:
    """Training losses of several runs over the same steps; a curve that ends before the others is marked there.

    Args:
        histories: name -> as `train.Run.history`, or as `TrainingStopped.history` of a run that broke.
        title: of the figure.
    """
    figure, (ax,) = _figure(title)
    entries = {name: [e for e in history if "loss" in e] for name, history in histories.items()}
    end = max(e["step"] for found in entries.values() for e in found)
    for (name, found), colour, style in zip(entries.items(), PALETTE, ("-", "--", "-.", ":") * 2, strict=False):
        steps, losses = [e["step"] for e in found], [e["loss"] for e in found]
        broke = not steps or steps[-1] < end
        ax.plot(steps, losses, color=colour, linestyle=style, label=f"{name} (stopped)" if broke else name)
        if broke and steps:
            ax.plot(steps[-1], losses[-1], "X", color=colour, markersize=9)
            ax.annotate(
                "stopped", (steps[-1], losses[-1]), (8, 0), textcoords="offset points", va="center", color=colour
            )
    ax.set(xlabel="step", ylabel="loss (nats a token)", yscale="log")
    ax.set_yticks([1, 2, 3, 4, 5, 6, 7, 10, 15, 20, 30, 50])
    low, high = min(e["loss"] for found in entries.values() for e in found), ax.get_ylim()[1]
    ax.set_ylim(low * 0.95, high)
    ax.yaxis.set_major_formatter("{x:g}")
    ax.minorticks_off()
    ax.legend(title="learning rate", frameon=False)
    return figure


def schedule(rates: list[float]) -> Figure:
    """The learning rate of every step."""
    figure, (ax,) = _figure("The schedule: warm up, then decay to 0", height=2.4)
    ax.plot(rates, color=PALETTE[1])
    ax.set(xlabel="step", ylabel="learning rate", ylim=(0, None))
    return figure


def loss_and_rate(history: list[dict[str, Any]], floor: float | None = None) -> Figure:
    """Training and validation loss above, the learning rate below, over the same steps.

    Args:
        history: as `train.Run.history`: entries with step, loss, lr and here and there val_loss.
        floor: a bound that no model can beat on average, in nats a token, drawn as a dotted line.
    """
    figure, (top, bottom) = _figure("Loss, and the learning rate under it", rows=2, height=2.6)
    bottom.sharex(top)
    entries = [e for e in history if "loss" in e]
    steps, losses = [e["step"] for e in entries], [e["loss"] for e in entries]
    width = max(1, len(losses) // 30)
    mean = [sum(losses[max(0, i - width) : i + 1]) / len(losses[max(0, i - width) : i + 1]) for i in range(len(losses))]
    top.plot(steps, losses, color=PALETTE[4], alpha=0.45, linewidth=0.8, label="practice, each batch")
    top.plot(steps, mean, color=PALETTE[0], label="practice, running mean")
    looks = [e for e in history if "val_loss" in e]
    if looks:
        top.plot([e["step"] for e in looks], [e["val_loss"] for e in looks], "o", color=PALETTE[5], label="held out")
    if floor is not None:
        top.axhline(floor, color="black", linestyle=":", label="the generator's own dice")
    top.set(ylabel="loss (nats a token)", yscale="log")
    top.set_yticks([tick for tick in (0.3, 0.5, 1, 2, 4, 7) if tick <= max(losses) * 1.2])
    top.yaxis.set_major_formatter("{x:g}")
    top.minorticks_off()
    top.legend(frameon=False, fontsize="small")
    bottom.plot(steps, [e["lr"] for e in entries], color=PALETTE[1])
    bottom.set(xlabel="step", ylabel="learning rate", ylim=(0, None))
    return figure


def coherence(scores: dict[str, dict[str, float]], n: int) -> Figure:
    """How often stories keep their word: one group of bars a check, one bar a model, with 95% intervals.

    Args:
        scores: what `pocket.stories.score_many` found, by the name of the model.
        n: how many texts each share was taken over.
    """
    checks = {"pronoun": "pronoun", "name": "name", "object": "object", "all": "everything\ntogether"}
    figure, (ax,) = _figure(f"Does a story keep its word? ({n} stories each)")
    width = 0.8 / len(scores)
    for k, ((name, found), colour) in enumerate(zip(scores.items(), PALETTE, strict=False)):
        shares = [found[check] for check in checks]
        low, high = zip(*(wilson(share, n) for share in shares), strict=True)
        error = [[s - a for s, a in zip(shares, low, strict=True)], [b - s for s, b in zip(shares, high, strict=True)]]
        places = [i + (k - (len(scores) - 1) / 2) * width for i in range(len(checks))]
        ax.bar(places, shares, width * 0.92, yerr=error, capsize=2, color=colour, label=name)
    ax.set_xticks(range(len(checks)), list(checks.values()))
    ax.set(ylabel="share of stories that are right", ylim=(0, 1.05), xlabel="what is checked")
    ax.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
    return figure
