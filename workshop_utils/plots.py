"""Every figure of the lessons, one function each: data in, a matplotlib Figure (or HTML for coloured text) out.

Nothing here trains, measures or reads files. Colours are Okabe and Ito's, which colour-blind readers can tell apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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
