"""Non-inferiority bounds of a gate: one-sided exact bounds of a candidate's rate less the baseline's."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from rtbench.stats import exact
from rtbench.stats.pairs import Pairs
from rtbench.stats.rates import check_confidence, check_counts, clopper_pearson
from rtbench.stats.score import farrington_manning, tango

Floats = NDArray[np.float64]

GAMMA = 0.02
"""Share of alpha that is spent on the interval of the nuisance parameter."""


def inferiority(pairs: Pairs, alpha: float = 0.05) -> tuple[float, float]:
    """One-sided bounds of the second rate less the first, for pairs; each holds with 1 - alpha.

    Lower: the largest difference that an exact unconditional test refutes together with all below it; upper:
    its mirror image. The statistic is the score of T. Tango, Statistics in Medicine 17 (1998) 891-908, its
    probability a sum over all outcomes of the pairs, and of the nuisance parameter, the share of pairs that
    differ, the worst value is taken in an interval that misses it with probability alpha / 50, which is added
    (R. L. Berger and D. D. Boos, JASA 89 (1994) 1012-1016). With no pairs the bounds are (-1, 1).

    Raises:
        ValueError: an alpha that is not between 0 and 1.
    """
    check_confidence(1 - alpha)
    return (
        _lower_paired(pairs.n, pairs.first_only, pairs.second_only, alpha),
        -_lower_paired(pairs.n, pairs.second_only, pairs.first_only, alpha),
    )


def inferiority_independent(
    first: tuple[int, int], second: tuple[int, int], alpha: float = 0.05
) -> tuple[float, float]:
    """One-sided bounds of the second rate less the first, for independent samples (k of n) each.

    As for pairs, with the score of C. P. Farrington and G. Manning, Statistics in Medicine 9 (1990)
    1447-1454, and one sample's rate as the nuisance parameter: the first's for the lower bound, the second's
    for the upper. Where either sample is empty the bounds are (-1, 1).

    Raises:
        ValueError: not 0 <= k <= n, or an alpha that is not between 0 and 1.
    """
    check_confidence(1 - alpha)
    check_counts(*first)
    check_counts(*second)
    return _lower_independent(first, second, alpha), -_lower_independent(second, first, alpha)


@lru_cache(maxsize=4096)
def _lower_paired(n: int, losses: int, wins: int, alpha: float) -> float:
    """The lower bound of wins less losses, a pair."""
    if n == 0:
        return -1.0
    gamma = GAMMA * alpha
    discordance = clopper_pearson(wins + losses, n, 1 - gamma)

    def p_value(difference: float) -> float:
        # Shares of losses and of wins: they sum to the discordance and differ by the difference.
        shares = exact.nuisance(discordance, abs(difference), 1.0, n)
        lose, win = (shares - difference) / 2, (shares + difference) / 2
        x = exact.reach(lose, n)

        def statistic(x: Floats, y: Floats) -> Floats:
            return tango(x, y, n, difference)

        observed = statistic(np.array(losses), np.array(wins)).item()
        y = exact.thresholds(statistic, x, n - x, observed)
        given = np.clip(win / np.maximum(1 - lose, 1e-300), 0, 1)[:, None]
        tails = exact.binomial(x, n, lose[:, None]) * exact.at_least(y, n - x, given)
        return float(tails.sum(axis=1).max()) + gamma

    error = math.sqrt(wins + losses + 1) / n
    start = (wins - losses) / n - NormalDist().inv_cdf(1 - alpha) * error
    return exact.lowest(p_value, max(-1.0, start), error / 8, alpha)


@lru_cache(maxsize=4096)
def _lower_independent(first: tuple[int, int], second: tuple[int, int], alpha: float) -> float:
    """The lower bound of the second rate less the first."""
    (k1, n1), (k2, n2) = first, second
    if n1 == 0 or n2 == 0:
        return -1.0
    gamma = GAMMA * alpha
    likely = clopper_pearson(k1, n1, 1 - gamma)

    def p_value(difference: float) -> float:
        rates = exact.nuisance(likely, max(0.0, -difference), min(1.0, 1 - difference), n1)
        x = exact.reach(rates, n1)

        def statistic(x: Floats, y: Floats) -> Floats:
            return farrington_manning(x, n1, y, n2, difference)

        observed = statistic(np.array(k1), np.array(k2)).item()
        y = exact.thresholds(statistic, x, np.full_like(x, n2), observed)
        second_rates = np.clip(rates + difference, 0, 1)[:, None]
        tails = exact.binomial(x, n1, rates[:, None]) * exact.at_least(y, n2, second_rates)
        return float(tails.sum(axis=1).max()) + gamma

    error = math.sqrt((k1 * (n1 - k1) + 1) / n1**3 + (k2 * (n2 - k2) + 1) / n2**3)
    start = k2 / n2 - k1 / n1 - NormalDist().inv_cdf(1 - alpha) * error
    return exact.lowest(p_value, max(-1.0, start), error / 8, alpha)
