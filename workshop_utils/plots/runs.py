"""The figures of lessons 05 to 07 about runs: what they need, what they cost, what they read and how they fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from workshop_utils.budget.estimates import Budget, devices
from workshop_utils.plots.basics import PALETTE, Bar, bars, frame, legend, memory, plain_ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from workshop_utils.lessons.failures import Around, Attempt

# The part that grows with the batch is orange, what is there from the beginning blue and green.
COLOURS = {
    "weights": PALETTE[0],
    "adapter": "#9AC7E3",
    "optimiser": PALETTE[4],
    "gradients": PALETTE[2],
    "copies in 16 bits": "#B7E0D2",
    "activations": PALETTE[1],
    "logits": PALETTE[6],
    "gathered": PALETTE[3],
    "a layer unpacked": PALETTE[3],
    "at work": "#999999",
}


def device_memory(budgets: Mapping[str, Budget]) -> Figure:
    """A stacked bar for each budget, part by part, and on it a mark for the memory of its device.

    Args:
        budgets: by what they are called; the first one on top.
    """
    rows = {
        f"{name}\n{devices(one.gpu, one.n_gpus)}: {'fits' if one.fits else 'does not fit'}": one.parts
        for name, one in budgets.items()
    }
    there = [budget.gpu.bytes for budget in budgets.values()]
    title = "What one device must hold, at the fullest moment of a step"
    return memory({"": rows}, title, there, "memory there", COLOURS)


def training_memory(costs: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Figure:
    """What a way of training keeps in memory, part by part, beside a T4: a panel for each model, a bar for each way.

    Args:
        costs: bytes by part, by way of training, by model.
    """
    return memory(costs, "What training keeps in memory", [16e9] * max(map(len, costs.values())), "a T4, 16 GB")


def orders(found: Mapping[str, Sequence[int | None]]) -> Figure:
    """Where each block stood in the corpus against when it was read, a panel for each way of shuffling.

    Args:
        found: positions in the order of reading, by the name of a way; None for a block that was nowhere.
    """
    figure, axes = frame("Where in the corpus did each block come from?", columns=len(found), width=10)
    for ax, (name, positions) in zip(axes, found.items(), strict=True):
        seen = [(when, position) for when, position in enumerate(positions) if position is not None]
        ax.plot(*zip(*seen, strict=True), ".", markersize=1.5, color=PALETTE[0])
        ax.set(title=name, xlabel="read as number", ylabel="position in the corpus (blocks)")
    return figure


def attempts(found: Mapping[str, Attempt], limit: int) -> Figure:
    """What each way of training takes at most, against a limit; behind each bar what it needs and how long it takes.

    Args:
        found: from failures.attempts, the first one on top.
        limit: in bytes.
    """
    row = {}
    for name, one in found.items():
        fits, peak = not one.stopped and one.peak <= limit, one.peak / 1e6
        words = f"{peak:,.0f} MB, " + (f"{one.seconds:.1f} s" if fits else "does not fit")
        if one.stopped and one.peak <= limit:  # the limit is on what is reserved, and the peak on what is used
            peak, words = limit / 1e6, "stopped at the limit"
        row[name] = Bar(peak, words, colour=PALETTE[0] if fits else PALETTE[5])
    levels = {f"limit, {limit / 1e6:,.0f} MB": limit / 1e6}
    xlabel = "peak of the second step (MB); time of that step"
    figure = bars(row, "Two steps of training, under a limit", xlabel, "settings", levels=levels)
    figure.axes[0].set_xlim(right=1.5 * max(one.peak for one in found.values()) / 1e6)
    for text in figure.axes[0].texts:  # readable where the line of the limit crosses it
        text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1})
    return figure


def around_generate(found: Mapping[str, Around]) -> Figure:
    """The length of each adapter matrix's gradient before and after a generate(): on the diagonal nothing has changed.

    Args:
        found: from failures.around_generate, by name.
    """
    title = "The same batch, before and after the model has said something"
    figure, (ax,) = frame(title, height=4.4, width=6.5)
    for (name, one), colour, marker in zip(found.items(), (PALETTE[5], PALETTE[0]), "xo", strict=False):
        before, after = zip(*one.norms.values(), strict=True)
        label = f"{name}, {one.missing} gone" if one.missing else name
        ax.plot(before, after, marker, color=colour, fillstyle="none", label=label)
    lengths = [before for one in found.values() for before, _ in one.norms.values() if before]
    ax.plot(*[(min(lengths), max(lengths))] * 2, ":", color="black", label="unchanged")
    ax.set(xscale="log", yscale="log", xlabel="length of a matrix's gradient before", ylabel="and after")
    plain_ticks(ax.xaxis)
    legend(figure)
    return figure
