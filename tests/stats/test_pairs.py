"""Two trials of the same episodes: tests and intervals against scipy, statsmodels and published values."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, multinomial
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.proportion import proportion_confint

from rtbench.stats import Pairs, mcnemar, mcnemar_many, newcombe_paired, newcombe_paired_many, wilson

PAIRS = st.builds(Pairs, *[st.integers(0, 60)] * 4).filter(lambda pairs: pairs.n > 0)


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        ((59, 6, 16, 80), -0.1186, -0.0046),  # Cavo 2012, in Fagerland, Lydersen and Laake's book, ch. 8
        ((1, 1, 7, 12), -0.507, -0.026),  # Bentur 2009, same place
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


def by_definition(a, b, c, d, confidence):
    """Newcombe's interval once more, as the length of a vector sum with phi as the cosine between the two."""
    n = a + b + c + d
    p, q = (
        proportion_confint(a + b, n, 1 - confidence, "wilson"),
        proportion_confint(a + c, n, 1 - confidence, "wilson"),
    )
    x, y = np.repeat([1, 1, 0, 0], (a, b, c, d)), np.repeat([1, 0, 1, 0], (a, b, c, d))
    cosine = 0.0
    if 0 < x.sum() < n and 0 < y.sum() < n:
        cosine = np.corrcoef(x, y)[0, 1]
        shift = 0.5 / (n * x.std() * y.std())  # n / 2 off the determinant
        cosine = max(cosine - shift, 0.0) if cosine > 0 else cosine
    other = np.array([cosine, math.sqrt(max(0.0, 1 - cosine**2))])
    down = np.linalg.norm((x.mean() - p[0]) * np.array([1, 0]) - (q[1] - y.mean()) * other)
    up = np.linalg.norm((p[1] - x.mean()) * np.array([1, 0]) - (y.mean() - q[0]) * other)
    return max(-1.0, x.mean() - y.mean() - down), min(1.0, x.mean() - y.mean() + up)


@given(PAIRS, st.sampled_from([0.8, 0.95, 0.99]))
def test_newcombes_interval_agrees_with_a_second_derivation(pairs, confidence):
    counts = (pairs.both, pairs.first_only, pairs.second_only, pairs.neither)
    assert newcombe_paired(pairs, confidence) == pytest.approx(by_definition(*counts, confidence), abs=1e-9)


@given(st.lists(PAIRS, min_size=1, max_size=5), st.sampled_from([0.8, 0.95]))
def test_many_at_once_are_the_same(many, confidence):
    table = np.array([(p.both, p.first_only, p.second_only, p.neither) for p in many])
    low, high = newcombe_paired_many(*table.T, confidence=confidence)
    one = [newcombe_paired(pairs, confidence) for pairs in many]
    assert list(zip(low, high, strict=True)) == one
    assert mcnemar_many(table[:, 1], table[:, 2]).tolist() == [mcnemar(pairs) for pairs in many]


@pytest.mark.parametrize("shares", [(0.85, 0.05, 0.05, 0.05), (0.6, 0.2, 0.05, 0.15), (0.9, 0.02, 0.0, 0.08)])
def test_newcombes_interval_holds_the_difference_as_often_as_it_says(shares):
    """Summed over all outcomes of 40 pairs."""
    counts = np.array([c for c in product(range(41), repeat=3) if sum(c) <= 40])
    counts = np.column_stack([counts, 40 - counts.sum(axis=1)])
    low, high = newcombe_paired_many(*counts.T)
    inside = (low <= shares[1] - shares[2]) & (shares[1] - shares[2] <= high)
    assert (multinomial.pmf(counts, 40, shares) * inside).sum() >= 0.94


def test_a_negative_count_is_refused():
    with pytest.raises(ValueError, match="negative"):
        newcombe_paired(Pairs(both=3, neither=-1))


@given(PAIRS)
def test_mcnemar_agrees_with_statsmodels(pairs):
    table = [[pairs.both, pairs.first_only], [pairs.second_only, pairs.neither]]
    expected = statsmodels_mcnemar(table, exact=True).pvalue if pairs.first_only + pairs.second_only else 1.0
    assert mcnemar(pairs) == pytest.approx(expected, rel=1e-9)


@given(PAIRS)
def test_mcnemar_agrees_with_scipy(pairs):
    differ = pairs.first_only + pairs.second_only
    expected = binomtest(pairs.first_only, differ).pvalue if differ else 1.0
    assert mcnemar(pairs) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_of_many_pairs_is_no_overflow():
    assert mcnemar(Pairs(first_only=3000, second_only=2000)) < 1e-40
    assert mcnemar(Pairs(first_only=50_100, second_only=49_900)) == pytest.approx(
        binomtest(50_100, 100_000).pvalue, rel=1e-9
    )
    assert mcnemar(Pairs(both=9)) == 1.0


def test_pairs_are_counted_in_order():
    found = Pairs.count([(True, True), (True, False), (True, False), (False, True), (False, False)] * 2)
    assert found == Pairs(both=2, first_only=4, second_only=2, neither=2)
    assert (found.n, found.first, found.second) == (10, 6, 4)
    assert newcombe_paired(Pairs()) == (-1.0, 1.0)
