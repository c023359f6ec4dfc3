"""One rate: intervals against scipy and statsmodels, their coverage."""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest
from statsmodels.stats.proportion import proportion_confint

from rtbench.stats import clopper_pearson, macro, percentile, rate, robbins, wilson
from tests.helpers.paths import ROOT

COUNTS = st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(COUNTS, st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99]))
def test_wilson_agrees_with_scipy(counts, confidence):
    k, n = counts
    expected = binomtest(k, n).proportion_ci(confidence, method="wilson")
    assert wilson(k, n, confidence) == pytest.approx((expected.low, expected.high), abs=1e-9)


@given(COUNTS, st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99]))
def test_clopper_and_pearson_agree_with_scipy(counts, confidence):
    k, n = counts
    expected = binomtest(k, n).proportion_ci(confidence, method="exact")
    assert clopper_pearson(k, n, confidence) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.999])
@pytest.mark.parametrize("n", [1, 2, 10, 57, 1000])
@pytest.mark.parametrize(("ours", "theirs"), [(wilson, "wilson"), (clopper_pearson, "beta")])
def test_one_rate_agrees_with_statsmodels(ours, theirs, n, confidence):
    k = np.unique(np.linspace(0, n, 12).round().astype(int))
    expected = np.array(proportion_confint(k, n, 1 - confidence, method=theirs)).T
    expected = np.where(np.isnan(expected), [0.0, 1.0], expected)  # Clopper-Pearson at 0 and at n
    assert np.array([ours(int(each), n, confidence) for each in k]) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("n", [10, 30, 100])
@pytest.mark.parametrize(("interval", "mean", "worst"), [(wilson, 0.94, 0.9), (clopper_pearson, 0.95, 0.95)])
def test_an_interval_holds_the_rate_as_often_as_it_says(interval, mean, worst, n):
    """Summed over all outcomes; Wilson's average is kept, its worst is at rates near 0 and 1."""
    rates = np.linspace(0.01, 0.99, 99)[:, None]
    low, high = np.array([interval(k, n) for k in range(n + 1)]).T
    inside = (low <= rates) & (rates <= high)
    coverage = (binom.pmf(np.arange(n + 1), n, rates) * inside).sum(axis=1)
    assert coverage.mean() >= mean
    assert coverage.min() >= worst


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
    assert wilson(0, 0) == clopper_pearson(0, 0) == robbins(0, 0) == (0.0, 1.0)
    assert rate(0, 0) is None
    assert macro([]) is None
    assert percentile([], 0.5) is None


@pytest.mark.parametrize(
    ("k", "n", "confidence"), [(-1, 3, 0.95), (4, 3, 0.95), (1, 2, 0), (1, 2, 1), (1, 2, math.nan)]
)
@pytest.mark.parametrize("interval", [wilson, clopper_pearson, robbins])
def test_nonsense_is_refused(interval, k, n, confidence):
    with pytest.raises(ValueError):
        interval(k, n, confidence)


def test_the_macro_mean_weighs_groups_not_episodes():
    assert macro([rate(90, 100), rate(0, 2), None]) == pytest.approx(0.45)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 1))
def test_a_percentile_lies_among_the_values_and_rises(values, share):
    found = percentile(values, share)
    assert min(values) <= found <= max(values)
    assert percentile(values, share / 2) <= found


def test_importing_statistics_leaves_scipy_alone():
    """Every worker and the command line's help import them."""
    code = "import sys, rtbench.stats; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
