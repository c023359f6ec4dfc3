"""Intervals against scipy and published values."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from rtbench.stats import macro, percentile, rate, wilson

COUNTS = st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(COUNTS, st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99]))
def test_wilson_agrees_with_scipy(counts, confidence):
    k, n = counts
    expected = binomtest(k, n).proportion_ci(confidence, method="wilson")
    assert wilson(k, n, confidence) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize(
    ("n", "low", "high"),
    [(10, 59.6, 98.2), (50, 78.6, 95.7), (100, 82.6, 94.5), (200, 85.1, 93.4), (500, 87.1, 92.3)],
)
def test_wilson_at_ninety_percent(n, low, high):
    found = wilson(round(0.9 * n), n)
    assert [round(100 * bound, 1) for bound in found] == [low, high]


@given(COUNTS)
def test_wilson_is_a_symmetric_interval_around_the_rate(counts):
    k, n = counts
    low, high = wilson(k, n)
    assert 0 <= low <= k / n <= high <= 1
    mirror = wilson(n - k, n)
    assert (1 - mirror[1], 1 - mirror[0]) == pytest.approx((low, high), abs=1e-12)


@given(COUNTS)
def test_more_confidence_is_wider_and_more_data_is_narrower(counts):
    k, n = counts
    low, high = wilson(k, n, 0.9)
    wide = wilson(k, n, 0.99)
    more = wilson(4 * k, 4 * n, 0.9)
    assert wide[0] <= low <= high <= wide[1]
    assert more[1] - more[0] < high - low


def test_nothing_known_is_everything_possible():
    assert wilson(0, 0) == (0.0, 1.0)
    assert rate(0, 0) is None
    assert macro([]) is None
    assert percentile([], 0.5) is None


@pytest.mark.parametrize(
    ("k", "n", "confidence"), [(-1, 3, 0.95), (4, 3, 0.95), (1, 2, 0), (1, 2, 1), (1, 2, math.nan)]
)
def test_nonsense_is_refused(k, n, confidence):
    with pytest.raises(ValueError):
        wilson(k, n, confidence)


def test_the_macro_mean_weighs_groups_not_episodes():
    assert macro([rate(90, 100), rate(0, 2), None]) == pytest.approx(0.45)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 1))
def test_a_percentile_lies_among_the_values_and_rises(values, share):
    found = percentile(values, share)
    assert min(values) <= found <= max(values)
    assert percentile(values, share / 2) <= found
