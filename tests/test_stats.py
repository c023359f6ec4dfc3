"""Intervals against scipy and published values."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from rtbench.stats import Pairs, macro, mcnemar, newcombe_paired, percentile, rate, wilson

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


PAIRS = st.builds(Pairs, *[st.integers(0, 60)] * 4).filter(lambda pairs: pairs.n > 0)


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        ((59, 6, 16, 80), -0.1186, -0.0046),  # Cavo 2012, in Fagerland, Lydersen and Laake's book, ch. 8
        ((1, 1, 7, 12), -0.507, -0.026),  # Bentur 2009, same place
        ((36, 12, 2, 0), 0.0569, 0.3404),  # Newcombe 1998, method 10
    ],
)
def test_newcombes_interval_of_pairs_as_published(counts, low, high):
    assert newcombe_paired(Pairs(*counts)) == pytest.approx((low, high), abs=5e-5 if low != -0.507 else 5e-4)


def test_newcombes_interval_by_hand():
    """10 pairs, 4 both, 3 first, 1 second, 2 neither: phi has an excess of 8 - 3 - 5 = 0, so it is 0."""
    (l1, u1), (l2, u2) = wilson(7, 10), wilson(5, 10)
    low = 0.2 - math.hypot(0.7 - l1, u2 - 0.5)
    high = 0.2 + math.hypot(u1 - 0.7, 0.5 - l2)
    assert newcombe_paired(Pairs(4, 3, 1, 2)) == pytest.approx((low, high))


@given(PAIRS, st.sampled_from([0.8, 0.95, 0.99]))
def test_newcombes_interval_holds_the_difference_and_turns_with_the_pairs(pairs, confidence):
    difference = (pairs.first - pairs.second) / pairs.n
    low, high = newcombe_paired(pairs, confidence)
    assert -1 <= low <= difference + 1e-12
    assert difference - 1e-12 <= high <= 1
    turned = Pairs(pairs.both, pairs.second_only, pairs.first_only, pairs.neither)
    assert newcombe_paired(turned, confidence) == pytest.approx((-high, -low), abs=1e-12)


@given(PAIRS)
def test_pairs_that_agree_narrow_the_interval(pairs):
    """The correlation of equal outcomes is what pairing is for: unrelated pairs are never narrower."""
    n = pairs.n
    same = newcombe_paired(Pairs(both=4 * n, neither=4 * n))
    unrelated = newcombe_paired(Pairs(2 * n, 2 * n, 2 * n, 2 * n))
    assert same[1] - same[0] < unrelated[1] - unrelated[0]


@given(PAIRS)
def test_mcnemar_agrees_with_scipy(pairs):
    differ = pairs.first_only + pairs.second_only
    expected = binomtest(pairs.first_only, differ).pvalue if differ else 1.0
    assert mcnemar(pairs) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_of_many_pairs_is_no_overflow():
    assert mcnemar(Pairs(first_only=3000, second_only=2000)) < 1e-40
    assert mcnemar(Pairs(both=9)) == 1.0


def test_pairs_are_counted_in_order():
    found = Pairs.count([(True, True), (True, False), (True, False), (False, True), (False, False)] * 2)
    assert found == Pairs(both=2, first_only=4, second_only=2, neither=2)
    assert (found.n, found.first, found.second) == (10, 6, 4)
    assert newcombe_paired(Pairs()) == (-1.0, 1.0)
