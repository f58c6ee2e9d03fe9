"""The interval of a share is the one that textbooks print."""

import pytest

from workshop_utils.intervals import wilson


@pytest.mark.parametrize(
    ("share", "n", "expected"),
    [(0.5, 100, (0.404, 0.596)), (0.0, 10, (0.0, 0.278)), (1.0, 10, (0.722, 1.0)), (0.9, 200, (0.851, 0.934))],
)
def test_known_intervals(share, n, expected):
    assert wilson(share, n) == pytest.approx(expected, abs=1e-3)
