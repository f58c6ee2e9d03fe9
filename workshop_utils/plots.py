"""Every figure of the lessons, one function each: data in, a matplotlib Figure (or HTML for coloured text) out.

Nothing here trains, measures or reads files. Colours are Okabe and Ito's, which colour-blind readers can tell apart.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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


# --- lesson 04: training


def one_batch(losses: list[float]) -> Figure:
    """The loss of a model that sees one batch again and again: losses in nats a token, one a step."""
    figure, (ax,) = _figure("One batch, learned by heart")
    ax.plot(range(1, len(losses) + 1), losses, color=PALETTE[0])
    ax.set(xlabel="step", ylabel="loss (nats a token)", ylim=(0, None))
    return figure


def compare_losses(histories: dict[str, list[dict[str, Any]]], title: str) -> Figure:
    """Training losses of several runs over the same steps, each curve named at its end."""
    figure, (ax,) = _figure(title)
    for (name, history), colour, style in zip(histories.items(), PALETTE, ("-", "--", "-.", ":") * 2, strict=False):
        steps, losses = [e["step"] for e in history if "loss" in e], [e["loss"] for e in history if "loss" in e]
        ax.plot(steps, losses, color=colour, linestyle=style, label=name)
    ax.set(xlabel="step", ylabel="loss (nats a token)")
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
        low, high = zip(*(_wilson(share, n) for share in shares), strict=True)
        error = [[s - a for s, a in zip(shares, low, strict=True)], [b - s for s, b in zip(shares, high, strict=True)]]
        places = [i + (k - (len(scores) - 1) / 2) * width for i in range(len(checks))]
        ax.bar(places, shares, width * 0.92, yerr=error, capsize=2, color=colour, label=name)
    ax.set_xticks(range(len(checks)), list(checks.values()))
    ax.set(ylabel="share of stories that are right", ylim=(0, 1.05), xlabel="what is checked")
    ax.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _wilson(share: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """The 95% interval of a share that was seen in n draws (Wilson's, which stays inside 0 to 1)."""
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return min(centre - half, share), max(centre + half, share)
