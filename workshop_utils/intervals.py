"""How far a measured share can be trusted."""

from __future__ import annotations

import math


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
