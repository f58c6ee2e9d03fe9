"""The figures of lessons 04 to 07 about runs: what they need, what they cost, what they read and how they fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workshop_utils.budget.estimates import Budget, devices
from workshop_utils.plots.basics import PALETTE, STYLES, Bar, bars, frame, legend, memory, plain_ticks

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


def rates_and_warmups(runs: Sequence[Mapping[str, Any]], rate: float, warmup: float, each: int = 5) -> Figure:
    """Short runs with several rates and warm-ups, one of them in colour: its loss, and where all of them ended.

    Args:
        runs: with rate, warmup, curve (the loss over the steps) and held_out (the loss on held-out text at the end).
        rate: of the run in colour.
        warmup: of the run in colour, a share of the steps.
        each: steps of a point of a curve.

    Raises:
        StopIteration: there is no such run.
    """
    chosen = next(run for run in runs if (run["rate"], run["warmup"]) == (rate, warmup))
    title = f"Rate {rate:g}, warm-up {warmup:.0%}: held-out loss {chosen['held_out']:.2f}"
    figure, (left, right) = frame(title, columns=2, width=9.5)
    for run in [*runs, chosen]:
        style: dict[str, Any] = (
            {"color": PALETTE[5], "linewidth": 2.5} if run is chosen else {"color": "#C9C9C9", "linewidth": 0.8}
        )
        steps = [each * i for i in range(1, len(run["curve"]) + 1)]
        left.plot(steps, run["curve"], **style, label="this run" if run is chosen else "the other runs")
    left.set(xlabel="step", ylabel="loss (nats per token)")
    for number, share in enumerate(sorted({run["warmup"] for run in runs})):
        ends = sorted((run["rate"], run["held_out"]) for run in runs if run["warmup"] == share)
        style = {"color": PALETTE[number], "linestyle": STYLES[number % 4], "marker": "osD^"[number % 4]}
        right.plot(*zip(*ends, strict=True), **style, label=f"warm-up {share:.0%}")
    right.plot(rate, chosen["held_out"], "o", markersize=14, fillstyle="none", color=PALETTE[5], markeredgewidth=2.5)
    right.set(xscale="log", xlabel="learning rate", ylabel="held-out loss\n(nats per token)")
    plain_ticks(right.xaxis)
    legend(figure)
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
