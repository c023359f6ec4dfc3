"""Tests that may be looked at after every episode: what they promise, and how soon they decide."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from rtbench.core.seeding import generator
from rtbench.stats import Sequential, robbins
from rtbench.stats.sequential import log_above, log_worse

PAIRS = 500
MARGIN = 0.05
LIMIT = math.log(20)
COUNTS = st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40))
"""Wins, losses, and pairs that agree."""


def played(wins, losses, agree, margin=MARGIN, alpha=0.05):
    test = Sequential(margin, alpha)
    for first, second, times in ((False, True, wins), (True, False, losses), (True, True, agree)):
        for _ in range(times):
            test.add(first, second)
    return test


@given(COUNTS)
def test_worse_is_the_integral_of_the_sign_test(counts):
    wins, losses, _ = counts
    area, _ = quad(lambda p: p**losses * (1 - p) ** wins, 0.5, 1)
    assert played(*counts).worse == pytest.approx(2 ** (wins + losses + 1) * area, rel=1e-6)


@given(COUNTS, st.sampled_from([0.0, 0.02, 0.05, 0.3]))
def test_holds_is_the_mixture_over_bets(counts, margin):
    wins, losses, agree = counts

    def product(share):
        bet = share / (1 - margin)
        return (
            (1 + bet * (1 + margin)) ** wins
            * (1 - bet * (1 - margin)) ** losses
            * (1 + bet * margin) ** agree
        )

    area, _ = quad(product, 0, 1, limit=200)
    assert played(*counts, margin=margin).holds == pytest.approx(area, rel=1e-5)


@given(COUNTS)
def test_both_bets_are_the_same_seen_from_either_side(counts):
    """At margin 0 `holds` is `worse` of the runs turned round: two formulas, one number."""
    wins, losses, agree = counts
    turned = played(losses, wins, agree)
    assert played(*counts, margin=0.0).holds == pytest.approx(turned.worse, rel=1e-6)


@given(COUNTS, st.floats(0, 0.5), st.floats(0, 0.5), st.sampled_from([0.0, 0.05, 0.2]))
def test_neither_can_be_expected_to_grow_while_its_hypothesis_holds(counts, win, loss, margin):
    """The supermartingale: from any state, the mean over the next pair is no more than now."""
    wins, losses, agree = counts
    n = wins + losses + agree + 1
    # A drop of at least the margin for `holds`, of at most nothing for `worse`.
    lose = max(loss, min(win + margin, 1 - win))
    if lose - win >= margin:
        after = log_above(n, [wins + 1, wins, wins], [losses, losses + 1, losses], -margin)
        mean = np.exp(after) @ [win, lose, 1 - win - lose]
        assert mean <= np.exp(log_above(n - 1, wins, losses, -margin)) * (1 + 1e-9)
    gain = max(win, loss)
    after = log_worse([wins + 1, wins, wins], [losses, losses + 1, losses])
    mean = np.exp(after) @ [gain, loss, 1 - gain - loss]
    assert mean <= np.exp(log_worse(wins, losses)) * (1 + 1e-9)


@given(COUNTS, st.sampled_from([0.0, 0.02, 0.05, 0.3]))
def test_no_tie_of_pass_and_regression(counts, margin):
    test = played(*counts, margin=margin)
    if test.n and Fraction(test.wins - test.losses, test.n) <= -Fraction(str(margin)):
        assert test.holds <= 1 + 1e-9


def test_a_start_decides_nothing():
    test = Sequential(MARGIN)
    assert (test.n, test.difference, test.verdict) == (0, None, "")
    assert (test.worse, test.holds) == pytest.approx((1.0, 1.0))
    assert test.interval() == (-1.0, 1.0)


def test_a_verdict_stays():
    test = played(0, 12, 0)
    assert test.verdict == "regression"
    for _ in range(400):
        test.add(first=False, second=True)
    assert test.verdict == "regression"
    assert test.n == 412
    assert played(0, 0, 120).verdict == "pass"
    assert played(0, 0, 60).verdict == ""


def test_a_loss_within_the_margin_is_no_regression():
    """However sure it is: the drop is 3 points, the margin 5."""
    test = Sequential(MARGIN, alpha=1e-6)
    for index in range(1000):
        test.add(first=True, second=index % 100 < 97)
    assert test.worse > 20
    assert test.difference == pytest.approx(-0.03)
    assert test.verdict == ""


@pytest.mark.parametrize(
    ("margin", "alpha"), [(-0.1, 0.05), (1, 0.05), (math.nan, 0.05), (0.05, 0), (0.05, 1)]
)
def test_nonsense_is_refused(margin, alpha):
    with pytest.raises(ValueError):
        Sequential(margin, alpha)


def test_a_hundred_thousand_pairs_are_no_overflow():
    for wins, losses in ((0, 100_000), (100_000, 0), (50_000, 50_000), (0, 0)):
        test = Sequential(MARGIN)
        test.n, test.wins, test.losses = 100_000, wins, losses
        assert all(math.isfinite(x) for x in (test.worse, test.holds, *test.interval()))
        assert min(test.worse, test.holds) >= 0
    assert log_worse(0, 100_000) == pytest.approx(100_001 * math.log(2) - math.log(100_001), rel=1e-9)


@given(COUNTS)
def test_the_interval_agrees_with_the_bets_and_turns(counts):
    wins, losses, agree = counts
    test, turned = played(*counts), played(losses, wins, agree)
    low, high = test.interval()
    assert turned.interval() == pytest.approx((-high, -low))
    if not test.n:
        return
    assert -1 <= low <= test.difference <= high <= 1
    assert (low > -MARGIN) == (test.holds >= 20)
    assert (high < 0) == (test.worse >= 20)


def walks(runs, win, loss, *names):
    """Wins and losses so far, int[runs, PAIRS]; `win` and `loss` are rates, or one for each pair."""
    drawn = generator("test sequential", *names).random((runs, PAIRS))
    return np.cumsum(drawn < win, axis=1), np.cumsum(1 - drawn <= loss, axis=1)


def verdicts(wins, losses):
    """The pair at which each walk passes, or is called a regression; PAIRS + 1 where it never is."""
    n = np.arange(1, PAIRS + 1)
    codes, where = np.unique((n * 1000 + wins) * 1000 + losses, return_inverse=True)
    n, w, l = codes // 1_000_000, codes // 1000 % 1000, codes % 1000
    reached = log_above(n, w, l, -MARGIN) >= LIMIT, (log_worse(w, l) >= LIMIT) & (w - l < -MARGIN * n)
    found = (r[where].reshape(wins.shape) for r in reached)
    return [np.where(r.any(axis=1), r.argmax(axis=1) + 1, PAIRS + 1) for r in found]


def test_the_walks_judge_as_the_test_does():
    wins, losses = walks(20, 0.05, 0.12, "alike")
    passes, regressions = verdicts(wins, losses)
    for run in range(20):
        test = Sequential(MARGIN)
        won, lost = (np.diff(x[run], prepend=0) for x in (wins, losses))
        for win, loss in zip(won, lost, strict=True):
            test.add(first=bool(loss), second=bool(win))
            if test.verdict:
                break
        assert test.n == min(passes[run], regressions[run], PAIRS)
        assert test.verdict == (
            "pass" if passes[run] < regressions[run] else "regression" if test.verdict else ""
        )


UNEQUAL = np.tile([0.3, -0.1, 0.2, -0.2, 0.0, -0.2], 84)[:PAIRS]
"""Tasks that take turns: the candidate is better at some, worse at others, equal on the whole."""


@pytest.mark.parametrize(
    ("win", "loss"),
    [(0.02, 0.02), (0.1, 0.1), (0.5, 0.5), (0.05 + np.maximum(UNEQUAL, 0), 0.05 + np.maximum(-UNEQUAL, 0))],
)
def test_a_candidate_as_good_is_rarely_called_a_regression(win, loss):
    """A look after every pair; benchmarks/stopping.py has the 10,000 runs."""
    _, regressions = verdicts(*walks(1000, win, loss, "equal", str(np.sum(win))))
    assert (regressions <= PAIRS).mean() <= 0.05


@pytest.mark.parametrize("win", [0.0, 0.02, 0.1, 0.45, 0.05 + np.maximum(UNEQUAL, 0)])
def test_a_drop_of_the_margin_rarely_passes(win):
    loss = win + MARGIN if isinstance(win, float) else 0.05 + MARGIN + np.maximum(-UNEQUAL, 0)
    passes, _ = verdicts(*walks(1000, win, loss, "margin", str(np.sum(win))))
    assert (passes <= PAIRS).mean() <= 0.05


@pytest.mark.parametrize("flips", [0.02, 0.05])
@pytest.mark.parametrize(("drop", "target"), [(0.1, 150), (0.2, 60)])
def test_a_drop_is_found_soon(drop, target, flips):
    """On average; a run that finds nothing counts with all its pairs."""
    _, regressions = verdicts(*walks(400, flips, flips + drop, "drop"))
    assert np.minimum(regressions, PAIRS).mean() <= target


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_robbins_sequence_ends_where_the_bet_is_lost(counts):
    k, n = counts
    low, high = robbins(k, n)
    assert 0 <= low <= k / n <= high <= 1
    logs = [math.lgamma(1 + k) + math.lgamma(1 + n - k) - math.lgamma(n + 2)]
    for p in (low, high):
        if 0 < p < 1:
            e = logs[0] - k * math.log(p) - (n - k) * math.log1p(-p)
            assert e == pytest.approx(LIMIT, abs=1e-6)
    assert (low == 0) == (k == 0)
    assert (high == 1) == (k == n)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.95])
def test_robbins_sequence_holds_at_all_looks_together(p):
    """The chance that it ever excludes the truth in 200 looks, exactly: surviving paths are passed on."""
    alive = np.array([1.0])
    for n in range(1, 201):
        alive = np.append(alive * (1 - p), 0) + np.append(0, alive * p)
        for k in np.flatnonzero(alive > 1e-9):
            low, high = robbins(int(k), n)
            alive[k] *= low <= p <= high
    assert alive.sum() >= 0.95
