"""Two independent samples against statsmodels and scipy; the gate's bounds against the error they promise."""

import math
from functools import partial
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, boschloo_exact, fisher_exact, multinomial, norm
from statsmodels.stats.proportion import confint_proportions_2indep

from rtbench.stats import Pairs, boschloo, exact, inferiority, inferiority_independent, newcombe
from rtbench.stats.score import farrington_manning, tango

SAMPLES = st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
FEW = st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
PAIRS = st.builds(Pairs, *[st.integers(0, 60)] * 4).filter(lambda pairs: pairs.n > 0)


@given(SAMPLES, SAMPLES, st.sampled_from([0.8, 0.95, 0.99]))
def test_newcombe_agrees_with_statsmodels(first, second, confidence):
    expected = confint_proportions_2indep(*first, *second, method="newcomb", alpha=1 - confidence)
    assert newcombe(first, second, confidence) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [((56, 70), (48, 80), 0.0524, 0.3339), ((9, 10), (3, 10), 0.1705, 0.8090)],  # Newcombe 1998, tables I, II
)
def test_newcombe_as_published(first, second, low, high):
    assert newcombe(first, second) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("n", [10, 40])
def test_newcombe_holds_the_difference_as_often_as_it_says(n):
    """Summed over all outcomes, on average over a grid of rates."""
    low, high = np.moveaxis(
        np.array([[newcombe((a, n), (b, n)) for b in range(n + 1)] for a in range(n + 1)]), 2, 0
    )
    coverage = []
    for p, q in product(np.linspace(0.05, 0.95, 10), repeat=2):
        chances = np.outer(*(binom.pmf(np.arange(n + 1), n, rate) for rate in (p, q)))
        coverage.append((chances * (low <= p - q) * (p - q <= high)).sum())
    assert np.mean(coverage) >= 0.94
    assert min(coverage) >= 0.91


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((7, 12), (2, 15)),
        ((27, 30), (20, 30)),
        ((88, 100), (79, 100)),
        ((1, 1), (0, 1)),
        ((50, 50), (45, 50)),
    ],
)
def test_boschloo_agrees_with_scipy_and_turns(first, second):
    table = np.array([[first[0], second[0]], [first[1] - first[0], second[1] - second[0]]])
    expected = boschloo_exact(table).pvalue
    assert boschloo(first, second) == pytest.approx(expected, abs=1e-9)
    assert boschloo(second, first) == pytest.approx(expected, abs=1e-6)


def test_large_tables_get_fishers_p_which_is_never_smaller(monkeypatch):
    first, second = (88, 100), (79, 100)
    exactly = boschloo(first, second)
    monkeypatch.setattr("rtbench.stats.independent.EXACT", 0)
    sides = [fisher_exact([[88, 79], [12, 21]], side).pvalue for side in ("less", "greater")]
    assert boschloo(first, second) == pytest.approx(2 * min(sides), rel=1e-9)
    assert exactly <= boschloo(first, second) < 1.6 * exactly
    assert boschloo((90_000, 100_000), (89_000, 100_000)) < 1e-9


@pytest.mark.parametrize("counts", [((0, 0), (3, 5)), ((5, 5), (7, 7)), ((0, 5), (0, 7))])
def test_where_nothing_can_differ_p_is_1(counts):
    assert boschloo(*counts) == 1.0


@pytest.mark.parametrize("function", [newcombe, boschloo, inferiority_independent])
@pytest.mark.parametrize("sample", [(-1, 3), (4, 3)])
def test_nonsense_is_refused(function, sample):
    with pytest.raises(ValueError):
        function(sample, (1, 2))
    with pytest.raises(ValueError):
        function((1, 2), sample)


@pytest.mark.parametrize("alpha", [0, 1, math.nan, -0.1])
def test_an_alpha_outside_0_and_1_is_refused(alpha):
    with pytest.raises(ValueError):
        inferiority(Pairs(both=3), alpha)
    with pytest.raises(ValueError):
        inferiority_independent((1, 2), (1, 2), alpha)


def test_of_nothing_all_is_possible():
    assert (
        inferiority(Pairs()) == inferiority_independent((0, 0), (3, 5)) == newcombe((3, 5), (0, 0)) == (-1, 1)
    )


@given(st.integers(1, 80), st.floats(-0.99, 0.99), st.data())
def test_the_scores_rise_with_wins_and_fall_with_losses(n, difference, data):
    """The tail of an exact test is found by that."""
    losses = data.draw(st.integers(0, n))
    wins = np.arange(n - losses + 1.0)
    paired = tango(np.full_like(wins, losses), wins, n, difference)
    assert (np.diff(paired) >= -1e-9).all()
    k = np.arange(n + 1.0)
    grid = farrington_manning(k[:, None], n, k, n, difference)
    assert (np.diff(grid, axis=1) >= -1e-9).all()
    assert (np.diff(grid, axis=0) <= 1e-9).all()


@given(st.integers(1, 60), st.floats(-0.95, 0.95), st.data())
def test_tangos_score_takes_the_likeliest_share(n, d, data):
    """Against a search: no share of losses under that difference is likelier than the formula's."""
    b = data.draw(st.integers(0, n))
    c = data.draw(st.integers(0, n - b))
    q = np.linspace(max(0, -d), (1 - d) / 2, 2001)[1:-1]
    likelihood = multinomial.logpmf([b, c, n - b - c], n, np.stack([q, q + d, 1 - 2 * q - d], axis=1))
    best = q[likelihood.argmax()]
    step = q[1] - q[0]
    around = np.clip([best - step, best + step], max(0, -d), (1 - d) / 2)
    scores = (c - b - n * d) / np.sqrt(np.maximum(n * (2 * around + d - d * d), 1e-18))
    assert min(scores) - 1e-6 <= tango(np.array(b), np.array(c), n, d) <= max(scores) + 1e-6


@given(FEW, FEW, st.floats(-0.9, 0.9))
def test_farrington_and_mannings_score_solves_its_equation(first, second, d):
    """Against a search, as for Tango's."""
    (k1, n1), (k2, n2) = first, second
    p = np.linspace(max(0, -d), min(1, 1 - d), 2001)[1:-1]
    best = p[(binom.logpmf(k1, n1, p) + binom.logpmf(k2, n2, p + d)).argmax()]
    around = np.clip([best - (p[1] - p[0]), best + (p[1] - p[0])], max(0, -d), min(1, 1 - d))
    variance = around * (1 - around) / n1 + (around + d) * (1 - around - d) / n2
    scores = (k2 / n2 - k1 / n1 - d) / np.sqrt(np.maximum(variance, 1e-18))
    # Between the two the variance may have its peak.
    slack = 1e-4 * (1 + abs(scores).max())
    assert (
        min(scores) - slack
        <= farrington_manning(np.array(k1), n1, np.array(k2), n2, d)
        <= max(scores) + slack
    )


def error(n, cells, bound, difference):
    """How often the lower bound lies above the true difference, summed over all outcomes of pairs."""
    lose, win = cells
    return sum(
        multinomial.pmf([b, c, n - b - c], n, [lose, win, max(0.0, 1 - lose - win)])
        for b, c in product(range(n + 1), repeat=2)
        if b + c <= n and bound(b, c) > difference
    )


@pytest.mark.parametrize("margin", [0.02, 0.1])
@pytest.mark.parametrize("chance", [0.0, 0.03, 0.2])
def test_bounds_of_pairs_err_with_alpha_at_most(chance, margin):
    """Where the true difference is the margin: a false pass, and a false regression."""
    n = 16

    def lower(b, c):
        return inferiority(Pairs(n - b - c, b, c))[0]

    assert error(n, (chance + margin, chance), lower, -margin) <= 0.05
    assert error(n, (chance, chance + margin), lower, margin) <= 0.05


@pytest.mark.parametrize("rate", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("difference", [-0.1, -0.02, 0.01])
def test_bounds_of_samples_err_with_alpha_at_most(rate, difference):
    n, m = 12, 10
    chances = np.outer(
        binom.pmf(np.arange(n + 1), n, rate), binom.pmf(np.arange(m + 1), m, min(1, rate + difference))
    )
    lower = np.array(
        [[inferiority_independent((a, n), (b, m))[0] for b in range(m + 1)] for a in range(n + 1)]
    )
    assert (chances * (lower > difference)).sum() <= 0.05


def test_the_score_alone_would_err_more():
    """Why the bounds are exact: with Tango's own normal approximation a gate errs with 8.7 % at n = 30."""
    n, margin, z = 30, 0.1, norm.ppf(0.95)

    def refutes(b, c):
        return float(tango(np.array(b), np.array(c), n, margin) >= z)

    assert error(n, (0.03, 0.13), refutes, 0.5) > 0.08


@settings(max_examples=25)
@given(PAIRS, st.sampled_from([0.01, 0.05, 0.2]))
def test_bounds_enclose_the_difference_and_turn_with_the_runs(pairs, alpha):
    difference = (pairs.second - pairs.first) / pairs.n
    low, high = inferiority(pairs, alpha)
    assert -1 <= low <= difference <= high <= 1
    turned = Pairs(pairs.both, pairs.second_only, pairs.first_only, pairs.neither)
    assert inferiority(turned, alpha) == (-high, -low)
    wide = inferiority(pairs, alpha / 5)
    assert wide[0] <= low + 1e-4
    assert high <= wide[1] + 1e-4


@settings(max_examples=25)
@given(FEW, FEW)
def test_bounds_of_samples_enclose_the_difference_and_turn(first, second):
    low, high = inferiority_independent(first, second)
    assert -1 <= low <= second[0] / second[1] - first[0] / first[1] <= high <= 1
    assert inferiority_independent(second, first) == (-high, -low)


@pytest.mark.parametrize("n", [1, 30, 1000])
@pytest.mark.parametrize("counts", [(0, 0), (1, 0), (0, 1), (0.5, 0.5), (1.0, 0.0)])
def test_bounds_of_the_ends(n, counts):
    losses, wins = (round(c * n) if isinstance(c, float) else c for c in counts)
    low, high = inferiority(Pairs(n - losses - wins, losses, wins) if losses + wins <= n else Pairs(n))
    assert -1 <= low < high <= 1


def test_bounds_of_many_pairs_are_tangos():
    """The exact test tends to the score's normal approximation, here by inverting that."""
    b, c, n = 5000, 5200, 100_000
    grid = np.linspace(-0.01, 0.01, 20_001)
    z = np.array([tango(np.array(b), np.array(c), n, d) for d in grid])
    low, high = inferiority(Pairs(n - b - c, b, c))
    assert low == pytest.approx(grid[z >= norm.ppf(0.95)][-1], abs=1e-4)
    assert high == pytest.approx(grid[z <= -norm.ppf(0.95)][0], abs=1e-4)


@pytest.mark.parametrize("pairs", [Pairs(23, 5, 2), Pairs(92, 5, 3), Pairs(980, 12, 8), Pairs(4900, 60, 40)])
def test_a_finer_search_of_the_nuisance_parameter_finds_no_more(pairs, monkeypatch):
    coarse = inferiority(pairs, 0.049)
    monkeypatch.setattr(exact, "NUISANCE", 400)
    assert inferiority(pairs, 0.0490001) == pytest.approx(coarse, abs=1e-4)


@given(st.integers(0, 50), st.integers(0, 50), st.floats(1e-9, 1))
def test_tails_agree_with_scipy(k, n, p):
    call = partial(np.array, dtype=float)
    assert exact.at_least(call(k), call(n), call(p)) == pytest.approx(binom.sf(k - 1, n, p), abs=1e-12)
    if k <= n:
        assert exact.binomial(call(k), call(n), call(p)) == pytest.approx(binom.pmf(k, n, p), abs=1e-12)


@given(st.sampled_from([1, 30, 1000, 100_000]), st.floats(0, 1) | st.sampled_from([1e-6, 1e-4, 0.999]))
def test_what_is_out_of_reach_hardly_happens(n, p):
    x = exact.reach(np.array([p]), n)
    assert binom.cdf(x[0] - 1, n, p) + binom.sf(x[-1], n, p) < 1e-11
