"""Pictures of lesson 06, which streams and shares: where blocks came from, and one run beside two.

Data in, a matplotlib Figure out, like basics.py, whose colours they share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from workshop_utils.plots import basics as plots
from workshop_utils.plots.basics import PALETTE

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def orders(found: Mapping[str, Sequence[int | None]]) -> Figure:
    """Where each block stood in the corpus against when it was read, a panel for each way of shuffling.

    Args:
        found: places in the order of reading, by the name of a way; None for a block that was nowhere.

    Raises:
        ValueError: there is no way, or one read nothing.
    """
    if not found or not all(len(places) for places in found.values()):
        raise ValueError("there must be at least one order, and each with at least one block")
    figure, axes = plots._figure("Where in the corpus did each block come from?", columns=len(found), width=10)
    for ax, (name, places) in zip(axes, found.items(), strict=True):
        seen = [(when, place) for when, place in enumerate(places) if place is not None]
        ax.plot([when for when, _ in seen], [place for _, place in seen], ".", markersize=1.5, color=PALETTE[0])
        ax.set(title=name, xlabel="read as number", ylabel="place in the corpus (blocks)")
    return figure


def side_by_side(losses: Mapping[str, Sequence[float]]) -> Figure:
    """Losses of runs on one scale; the later ones as dots on the line of the first, so that equal ones lie on it.

    Args:
        losses: a value a step, by run.

    Raises:
        ValueError: there is no run, or one has no losses.
    """
    if not losses or not all(len(values) for values in losses.values()):
        raise ValueError("there must be at least one run, and each with at least one loss")
    figure, (ax,) = plots._figure("The same training, divided differently")
    for number, (name, values) in enumerate(losses.items()):
        steps = range(1, len(values) + 1)
        ax.plot(steps, list(values), "-" if number == 0 else "o", color=PALETTE[(0, 5, 2, 3)[number % 4]],
                markersize=3.5, fillstyle="none", label=name)  # fmt: skip
    ax.set(xlabel="step", ylabel="loss (nats a token)")
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize="small")
    return figure
