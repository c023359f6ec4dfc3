"""Exact unconditional tests: probability of a result at least as extreme, at the worst nuisance parameter.

Both designs, pairs and independent samples, have two counts (x, y). A smaller x or a larger y is evidence for
a larger difference. So the results at least as extreme are given by the smallest such y for each x.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NUISANCE = 24
"""Number of nuisance parameters tried. Ten times as many move a bound by less than 0.01 points."""
LARGE = 5000
"""Trials from which a quarter of them is enough, because the p value varies little with the parameter."""
REACH = 7.5
"""Standard deviations (of a binomial count) beyond which outcomes are not summed: some 1e-13 in all."""


def thresholds(
    statistic: Callable[[Floats, Floats], Floats], x: Floats, top: Floats, observed: float
) -> Floats:
    """For each x the smallest y whose statistic reaches `observed`, float64[k]; top + 1 where none does.

    Args:
        statistic: function of x and y, increasing in y.
        x: counts, float64[k].
        top: the largest y for each x, float64[k].
        observed: the statistic of the observed result.
    """
    # Results that tie with the observed one must count, whatever the rounding.
    observed -= 1e-9 * max(1.0, abs(observed))
    low, high = np.zeros_like(x), top + 1
    while (low < high).any():
        y = np.floor((low + high) / 2)
        reached = (statistic(x, np.minimum(y, top)) >= observed) & (y <= top)
        low, high = np.where(reached, low, np.minimum(y + 1, high)), np.where(reached, y, high)
    return high


def nuisance(likely: tuple[float, float], least: float, most: float, n: int) -> Floats:
    """Values of a nuisance parameter to try, float64[k], evenly spaced over its likely and possible range.

    Args:
        likely: its confidence interval, low and high end.
        least: the smallest value that is possible under the hypothesis.
        most: the largest such value.
        n: number of trials.
    """
    low, high = (min(max(end, least), most) for end in likely)
    return np.linspace(low, high, NUISANCE if n < LARGE else NUISANCE // 4)


def reach(rates: Floats, n: int) -> Floats:
    """Counts of successes in n trials, float64[k], that are likely at one of the rates float64[m]."""
    deviation = math.sqrt(n * (rates * (1 - rates)).max())
    # The square is for rates near 0 and 1, where a count has the long tail of Poisson's distribution.
    beyond = REACH * deviation + REACH**2 / 2
    below, above = math.floor(n * rates.min() - beyond), math.ceil(n * rates.max() + beyond)
    return np.arange(max(0, below), min(n, above) + 1, dtype=np.float64)


def binomial(k: Floats, n: Floats | float, p: Floats) -> Floats:
    """P(k successes of n) at rate p, float64, all arrays broadcast together."""
    from scipy.special import gammaln, xlog1py, xlogy

    log = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1) + xlogy(k, p) + xlog1py(n - k, -p)
    found: Floats = np.exp(log)
    return found


def at_least(k: Floats, n: Floats | float, p: Floats) -> Floats:
    """P(k or more successes of n) at rate p, float64, all arrays broadcast together; 0 where k > n."""
    from scipy.special import betainc

    inside = (k > 0) & (k <= n)
    tail: Floats = betainc(np.where(inside, k, 1), np.where(inside, n - k + 1, 1), p)
    return np.where(inside, tail, (k <= 0).astype(np.float64))


def lowest(p_value: Callable[[float], float], start: float, step: float, alpha: float) -> float:
    """The largest difference that is refuted, with all below it: the lower bound.

    Args:
        p_value: of the hypothesis "the difference is this or less".
        start: first guess of the bound.
        step: first width of the search around it.
        alpha: p values up to it refute.
    """
    low = high = start
    if p_value(start) <= alpha:
        while high < 1 and p_value(high) <= alpha:
            low, high, step = high, min(1.0, high + step), 2 * step
    else:
        while low > -1 and p_value(low) > alpha:
            high, low, step = low, max(-1.0, low - step), 2 * step
    if low <= -1:
        return -1.0
    while high - low > 1e-5:
        middle = (low + high) / 2
        low, high = (middle, high) if p_value(middle) <= alpha else (low, middle)
    return low
