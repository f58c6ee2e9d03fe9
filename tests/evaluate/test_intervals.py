"""Intervals of shares and means are those of the textbooks."""

import random

import pytest

from workshop_utils.evaluate import bootstrap, paired, wilson


@pytest.mark.parametrize(
    ("share", "n", "expected"),
    [(0.5, 100, (0.404, 0.596)), (0.0, 10, (0.0, 0.278)), (1.0, 10, (0.722, 1.0)), (0.9, 200, (0.851, 0.934))],
)
def test_known_intervals(share, n, expected):
    assert wilson(share, n) == pytest.approx(expected, abs=1e-3)


def test_the_bootstrap_agrees_with_the_textbook_on_a_normal_mean():
    rng = random.Random(0)
    values = [rng.gauss(10, 2) for _ in range(400)]
    low, high = bootstrap(values)
    assert low < sum(values) / len(values) < high
    assert high - low == pytest.approx(2 * 1.96 * 2 / 20, rel=0.15)
    assert bootstrap(values) == (low, high) != bootstrap(values, seed=1)
    assert bootstrap([3.0] * 5) == (3.0, 3.0)
    with pytest.raises(ValueError, match="no value"):
        bootstrap([])


def test_a_paired_difference_is_surer_than_the_two_means():
    rng = random.Random(1)
    before = [rng.gauss(0, 10) for _ in range(60)]
    after = [value + 1 + rng.gauss(0, 0.2) for value in before]  # items differ far more than the change does
    found = paired(before, after)
    assert 0.8 < found.low < found.mean < found.high < 1.2
    assert found.mean == pytest.approx(sum(after) / 60 - sum(before) / 60)
    assert paired(after, before).high < 0
    with pytest.raises(ValueError, match="3 values before and 2 after"):
        paired([1, 2, 3], [1, 2])


def test_a_difference_without_spread_says_what_may_still_differ():
    assert str(paired([1.0] * 36, [1.0] * 36)) == "+0 (all 36 alike, others up to 8%)"  # the rule of three
    assert str(paired([0.0, 1.0], [1.0, 3.0])).startswith("+1.5 (+1 to +2")
