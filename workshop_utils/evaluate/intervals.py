"""How far a measured share or mean can be trusted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

RESAMPLES = 2000


def wilson(share: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """The interval of a share that was seen in n independent draws.

    Args:
        share: what was seen, 0 to 1.
        n: number of draws, at least 1.
        z: width in standard deviations; 1.96 covers 95%.

    Returns:
        low and high, which stay inside 0 to 1 and hold the share.

    Source: Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927.
    """
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, min(centre - half, share)), min(1.0, max(centre + half, share))


@dataclass(frozen=True)
class Difference:
    """What a change did, over n items before and after: the mean, and its 95% interval from low to high.

    Where no two items differ the bootstrap has nothing to draw from. Then the text says up to which share of other
    items may change: the rule of three (Hanley and Lippman-Hand, "If Nothing Goes Wrong, Is Everything All Right?",
    1983).
    """

    mean: float
    low: float
    high: float
    n: int = 0

    def __str__(self) -> str:
        if self.low == self.high:
            return f"{self.mean:+.3g} (all {self.n} alike, others up to {min(1, 3 / max(1, self.n)):.0%})"
        return f"{self.mean:+.3g} ({self.low:+.3g} to {self.high:+.3g})"


def bootstrap(values: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """The 95% interval of a mean, from drawing the same values again and again with replacement.

    Args:
        values: one for each item, such as a score for each prompt.
        seed: of the draws.

    Returns:
        low and high; both are the value itself where all are the same.

    Raises:
        ValueError: there is no value.

    Source: Efron, "Bootstrap Methods: Another Look at the Jackknife", 1979; scipy.stats.bootstrap, percentile method.
    """
    import numpy as np
    from scipy import stats

    if not len(values):
        raise ValueError("there is no value, so nothing can be drawn from them: measure at least one item")
    data = np.asarray(values, np.float64)
    if np.ptp(data) == 0:
        return float(data[0]), float(data[0])
    found = stats.bootstrap((data,), np.mean, n_resamples=RESAMPLES, method="percentile", rng=seed)
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def paired(before: Sequence[float], after: Sequence[float], seed: int = 0) -> Difference:
    """The mean paired difference and its 95% interval.

    Args:
        before: a value for each item.
        after: of the same items, in the same order.
        seed: of the draws.

    Raises:
        ValueError: there are no items, or not equally many.
    """
    if len(before) != len(after) or not len(before):
        raise ValueError(f"{len(before)} values before and {len(after)} after: both sides need the same items")
    differences = [b - a for a, b in zip(before, after, strict=True)]
    return Difference(sum(differences) / len(differences), *bootstrap(differences, seed), len(differences))
