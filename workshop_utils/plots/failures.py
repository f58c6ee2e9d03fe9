"""Pictures of lesson 05, the failure lab: memory under a limit, rates, checkpoints, leaks, gradients in 16 bits.

Data in, a matplotlib Figure out, like basics.py, whose colours they share.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workshop_utils.plots import basics as plots
from workshop_utils.plots.basics import PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor

    from workshop_utils.lessons.failures import Around, Attempt

STYLES = ("-", "--", "-.", ":")
HALF_BITS = {"smallest": 2.0**-24, "largest": 65504.0}  # of float16, subnormal numbers included


def memory(attempts: Mapping[str, Attempt], limit: int) -> Figure:
    """What each way of training takes at most, against a limit; behind each bar what it needs and how long it takes.

    Args:
        attempts: from failures.attempts, the first one on top.
        limit: in bytes.

    Raises:
        ValueError: there is no attempt.
    """
    if not attempts:
        raise ValueError("there is no attempt to draw: try some settings first")
    figure, (ax,) = plots._figure("Two steps of training, under a limit", height=1.3 + 0.36 * len(attempts))
    sizes = [attempt.peak / 1e6 for attempt in attempts.values()]
    fits = [not attempt.stopped and attempt.peak <= limit for attempt in attempts.values()]
    colours = [PALETTE[0] if good else PALETTE[5] for good in fits]
    bars = ax.barh(list(attempts), sizes, color=colours, height=0.7)
    told = [
        f"{size:,.0f} MB" + (f", {attempt.seconds:.1f} s" if good and attempt.seconds is not None else ", does not fit")
        for size, good, attempt in zip(sizes, fits, attempts.values(), strict=True)
    ]
    ax.bar_label(bars, told, padding=4, fontsize="small")
    ax.axvline(limit / 1e6, color="black", linestyle=":", label=f"limit, {limit / 1e6:,.0f} MB")
    ax.set(xlabel="peak of the second step (MB); time of that step", ylabel="settings")
    ax.margins(x=0.25)
    ax.grid(False, axis="y")
    ax.invert_yaxis()
    figure.legend(loc="outside lower center", frameon=False, fontsize="small")
    return figure


def loss_and_gradient(runs: Mapping[str, Sequence[Mapping[str, Any]]], title: str) -> Figure:
    """Loss above, length of the gradient below, over the same steps.

    Args:
        runs: histories with step, loss and grad_norm, by name.
        title: of the figure.

    Raises:
        ValueError: a run has no losses.
    """
    _check(runs)
    figure, (top, bottom) = plots._figure(title, rows=2, height=2.5)
    bottom.sharex(top)
    losses: dict[str, list[float]] = {}
    for (name, history), colour, style in zip(runs.items(), PALETTE, STYLES * 2, strict=False):
        entries = [entry for entry in history if "loss" in entry]
        steps, losses[name] = [entry["step"] for entry in entries], [entry["loss"] for entry in entries]
        top.plot(steps, losses[name], color=colour, linestyle=style, label=name)
        bottom.plot(steps, [entry["grad_norm"] for entry in entries], color=colour, linestyle=style)
    highest, first = max(map(max, losses.values())), max(curve[0] for curve in losses.values())
    top.set(ylabel="loss (nats a token)")
    end = min(1.05 * highest, 1.5 * first)  # a run that explodes leaves the picture, the others stay in it
    lowest = min(map(min, losses.values()))
    top.set_ylim(lowest - 0.05 * (end - lowest), end)
    bottom.set(xlabel="step", ylabel="length of the gradient", yscale="log")
    _plain_ticks(bottom)
    figure.legend(loc="outside lower center", ncols=len(runs), frameon=False, fontsize="small")
    return figure


def schedules(runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """The learning rate of each step on the left, and the loss along it on the right.

    Args:
        runs: histories with step, lr and loss, by name.

    Raises:
        ValueError: a run has no losses.
    """
    _check(runs)
    figure, (left, right) = plots._figure("The schedule as it was meant, and as it ran", columns=2, width=9.0)
    for (name, history), colour, style in zip(runs.items(), PALETTE, STYLES, strict=False):
        entries = [entry for entry in history if "loss" in entry]
        steps = [entry["step"] for entry in entries]
        left.plot(steps, [entry["lr"] for entry in entries], color=colour, linestyle=style, label=name)
        right.plot(steps, [entry["loss"] for entry in entries], color=colour, linestyle=style)
    left.set(xlabel="step", ylabel="learning rate", ylim=(0, None))
    right.set(xlabel="step", ylabel="loss (nats a token)")
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize="small")
    return figure


def checkpoint_interval(
    cost: float, between: float, best: float, played: Mapping[float, float], steps: Mapping[str, float] | None = None
) -> Figure:
    """How much time is no progress, over the time between two checkpoints: what saving takes, what failures take.

    Args:
        cost: seconds that writing one takes.
        between: mean time between two failures, in seconds.
        best: the interval that is called best, in seconds.
        played: what runs that were played through wasted: share by interval in seconds.
        steps: further intervals to mark, by name, in seconds.

    Raises:
        ValueError: a time is not above 0.
    """
    if min(cost, between, best) <= 0:
        raise ValueError(f"cost {cost}, between {between}, best {best}: all of them are times above 0 seconds")
    figure, (ax,) = plots._figure("How often should a run be saved?", height=3.6)
    low, high = min([best / 100, *played, *(steps or {}).values()]), min(between, max([best * 100, *played]))
    intervals = [low * (high / low) ** (i / 100) for i in range(101)]
    saving = [100 * cost / (interval + cost) for interval in intervals]
    losing = [100 * min(1.0, interval / 2 / between) for interval in intervals]
    ax.plot(intervals, saving, color=PALETTE[1], linestyle="--", label="spent on saving")
    ax.plot(intervals, losing, color=PALETTE[4], linestyle="-.", label="lost in failures")
    ax.plot(intervals, [min(100, a + b) for a, b in zip(saving, losing, strict=True)], color=PALETTE[0], label="both")
    ax.plot(list(played), [100 * share for share in played.values()], "o", color="black", label="played with dice")
    ax.axvline(best, color=PALETTE[5], linestyle=":", label=f"Young's formula, {_time(best)}")
    for (name, at), colour in zip((steps or {}).items(), PALETTE[2:], strict=False):
        ax.axvline(at, color=colour, linewidth=1, label=f"{name}, {_time(at)}")
    ax.set(
        xscale="log", yscale="log", xlabel="work between two checkpoints (seconds)", ylabel="time without progress (%)"
    )
    ax.set_ylim(max(0.001, min(a + b for a, b in zip(saving, losing, strict=True)) / 3), 130)
    ax.yaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_major_formatter("{x:g}")
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize="small")
    return figure


def scores(losses: Mapping[str, Mapping[str, float]], title: str) -> Figure:
    """Losses of several models on several texts: a group of bars a model.

    Args:
        losses: nats a token by text, by model.
        title: of the figure.

    Raises:
        ValueError: there is no model, or they were not measured on the same texts.
    """
    texts = list(next(iter(losses.values()), {}))
    if not texts or any(list(found) != texts for found in losses.values()):
        raise ValueError("every model must be measured on the same texts, and there must be at least one of each")
    figure, (ax,) = plots._figure(title)
    width = 0.8 / len(texts)
    for k, (text, colour) in enumerate(zip(texts, (PALETTE[4], PALETTE[0], PALETTE[5]), strict=False)):
        places = [i + (k - (len(texts) - 1) / 2) * width for i in range(len(losses))]
        bars = ax.bar(places, [found[text] for found in losses.values()], width * 0.92, color=colour, label=text)
        ax.bar_label(bars, fmt="%.2f", fontsize="small")
    ax.set_xticks(range(len(losses)), list(losses))
    ax.set(ylabel="loss (nats a token)", xlabel="model")
    ax.margins(y=0.12)
    figure.legend(loc="outside lower center", ncols=len(texts), frameon=False, fontsize="small", title="measured on")
    return figure


def gradients_in_half(gradients: Tensor, scale: float) -> Figure:
    """How large gradients are, as they come and multiplied by a scale, and what float16 can hold.

    Args:
        gradients: any shape, in float32; zeros are left out.
        scale: of a GradScaler.

    Raises:
        ValueError: all of them are 0.
    """
    sizes = gradients.detach().float().abs().flatten().cpu()
    sizes = sizes[sizes > 0]
    if not sizes.numel():
        raise ValueError("all gradients are 0: there is nothing to draw")
    powers, shift = sizes.log2(), math.log2(scale)
    low = math.floor(float(powers.kthvalue(1 + powers.numel() // 1000).values))  # but for the last thousandth
    high = math.ceil(float(powers.max()) + shift) + 1
    figure, (ax,) = plots._figure("Real gradients, and the window of float16")
    both = ((powers, PALETTE[1], "as they come"), (powers + shift, PALETTE[0], f"times {scale:,.0f}"))
    for values, colour, name in both:
        share = values.histc(high - low, low, high) * (100 / sizes.numel())
        ax.stairs(share.tolist(), range(low, high + 1), fill=True, color=colour, alpha=0.65, label=name)
    window = [math.log2(limit) for limit in HALF_BITS.values()]
    ax.axvspan(*window, color=PALETTE[2], alpha=0.12, label="what float16 can hold")
    for edge, name in zip(window, ("0 below", "inf above"), strict=True):
        ax.axvline(edge, color="black", linestyle=":")
        ax.annotate(
            name, (edge, 1), (3, -9), xycoords=("data", "axes fraction"), textcoords="offset points", fontsize="small"
        )
    ticks = range(10 * (low // 10), max(high, 17) + 1, 10)
    ax.set_xticks(list(ticks), [f"$2^{{{tick}}}$" for tick in ticks])
    ax.set(xlabel="size of a gradient", ylabel="share of the numbers (%)")
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize="small")
    return figure


def stuck(shares: Mapping[str, Mapping[float, float]]) -> Figure:
    """Which share of the weights does not move, over the learning rate, in each dtype that they are stored in.

    Args:
        shares: 0 to 1 by learning rate, by dtype.

    Raises:
        ValueError: there is nothing to draw.
    """
    if not shares or not all(shares.values()):
        raise ValueError("there must be at least one dtype, and at least one learning rate in each")
    figure, (ax,) = plots._figure("Weights that an update does not move")
    for (name, found), colour, marker in zip(shares.items(), PALETTE, "os^D", strict=False):
        ax.plot(list(found), [100 * share for share in found.values()], marker=marker, color=colour, label=name)
    ax.set(xscale="log", xlabel="learning rate (about the size of Adam's update)", ylabel="weights that stay put (%)")
    ax.set_ylim(-5, 105)
    figure.legend(
        loc="outside lower center", ncols=len(shares), frameon=False, fontsize="small", title="weights stored in"
    )
    return figure


def resumed(whole: Sequence[Mapping[str, Any]], second: Sequence[Mapping[str, Any]], saved: int, killed: int) -> Figure:
    """A run that was never killed, and one that was, with the steps that were lost and done again.

    Args:
        whole: history of the first.
        second: history of the other one, as it stands after it was resumed.
        saved: the step of the last checkpoint before the kill.
        killed: the last step that was done before it.

    Raises:
        ValueError: a run has no losses.
    """
    _check({"whole": whole, "second": second})
    figure, (ax,) = plots._figure("Killed, and resumed")
    for history, colour, width, style, name in (
        (whole, PALETTE[4], 4.0, "-", "never killed"),
        (second, PALETTE[0], 1.3, "--", "killed and resumed"),
    ):
        entries = [entry for entry in history if "loss" in entry]
        steps, losses = [entry["step"] for entry in entries], [entry["loss"] for entry in entries]
        ax.plot(steps, losses, color=colour, linewidth=width, linestyle=style, label=name)
    ax.axvspan(saved, killed, color=PALETTE[1], alpha=0.3, label="done twice")
    ax.axvline(killed, color=PALETTE[5], linestyle=":", label="SIGKILL")
    ax.set(xlabel="step", ylabel="loss (nats a token)")
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize="small")
    return figure


def around_generate(found: Mapping[str, Around]) -> Figure:
    """The length of each adapter matrix's gradient before and after a generate(): on the diagonal nothing has changed.

    Args:
        found: from failures.around_generate, by name.

    Raises:
        ValueError: there is nothing to draw.
    """
    if not found:
        raise ValueError("there is nothing to compare: take gradients before and after first")
    figure, (ax,) = plots._figure(
        "The same batch, before and after the model has said something", height=4.2, width=6.5
    )
    seen: list[float] = []
    for (name, one), colour, marker in zip(found.items(), (PALETTE[5], PALETTE[0]), "xo", strict=False):
        pairs = [(a, b) for a, b in one.norms.values() if a and b]
        seen += [a for a, _ in pairs]
        gone = f", {one.missing} gone" if one.missing else ""
        ax.plot([a for a, _ in pairs], [b for _, b in pairs], marker, color=colour, fillstyle="none", label=name + gone)
    ends = [min(seen, default=0.1) / 1.5, max(seen, default=1.0) * 1.5]
    ax.plot(ends, ends, color="black", linestyle=":", label="unchanged")
    ax.set(xscale="log", yscale="log", xlabel="length of a matrix's gradient before", ylabel="and after")
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize="small")
    return figure


def _check(runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    if not runs or not all(any("loss" in entry for entry in history) for history in runs.values()):
        raise ValueError("there must be at least one run, and each with a loss: was it trained?")


def _plain_ticks(ax: Axes) -> None:
    """Numbers as people write them on a logarithmic axis, a few a decade where it shows few decades."""
    low, high = ax.get_ylim()
    decades = math.log10(high / low)
    steps = (1, 2, 5) if decades < 3 else (1,)
    ticks = [step * 10.0**power for power in range(-8, 12) for step in steps]
    ax.set_yticks([tick for tick in ticks if low <= tick <= high])
    ax.yaxis.set_major_formatter("{x:g}")
    ax.minorticks_off()


def _time(seconds: float) -> str:
    """A time in the unit that people would use."""
    for size, unit in ((3600.0, "h"), (60.0, "min"), (1.0, "s")):
        if seconds >= size:
            return f"{seconds / size:.2g} {unit}" if seconds / size < 100 else f"{seconds / size:,.0f} {unit}"
    return f"{1000 * seconds:.2g} ms"
