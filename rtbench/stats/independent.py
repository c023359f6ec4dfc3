"""Independent samples, which share no episodes: Newcombe's interval and Boschloo's test of two rates.

A sample is (k, n): k successes of n.
"""

from __future__ import annotations

import math

from rtbench.stats.rates import check_counts, wilson

EXACT = 20_000
"""Cells of the largest table for which Boschloo's p is computed; SciPy's cost grows with their number."""


def newcombe(
    first: tuple[int, int], second: tuple[int, int], confidence: float = 0.95
) -> tuple[float, float]:
    """Newcombe's score interval of the difference between two independent rates, first less second.

    R. G. Newcombe, Interval estimation for the difference between independent proportions: comparison of
    eleven methods, Statistics in Medicine 17 (1998) 873-890, method 10: two Wilson intervals, put together by
    Pythagoras. Where either sample is empty it is (-1, 1).

    Raises:
        ValueError: not 0 <= k <= n, or a confidence that is not between 0 and 1.
    """
    (l1, u1), (l2, u2) = wilson(*first, confidence), wilson(*second, confidence)
    if not (first[1] and second[1]):
        return -1.0, 1.0
    p1, p2 = first[0] / first[1], second[0] / second[1]
    return p1 - p2 - math.hypot(p1 - l1, u2 - p2), p1 - p2 + math.hypot(u1 - p1, p2 - l2)


def boschloo(first: tuple[int, int], second: tuple[int, int]) -> float:
    """Both-sided exact p that two independent rates are equal; 1 where either sample is empty.

    R. D. Boschloo, Statistica Neerlandica 24 (1970): Fisher's p as the statistic of an unconditional test.
    Both sides: twice the smaller one. Tables of more than `EXACT` cells get Fisher's p, doubled alike: it is
    never below Boschloo's, and at that size 1.2 to 1.5 times as large.

    Raises:
        ValueError: not 0 <= k <= n.
    """
    from scipy.stats import boschloo_exact, hypergeom

    (k1, n1), (k2, n2) = first, second
    check_counts(k1, n1)
    check_counts(k2, n2)
    k, n = k1 + k2, n1 + n2
    if min(n1, n2, k, n - k) == 0:
        return 1.0  # nothing was seen that could differ
    if (n1 + 1) * (n2 + 1) <= EXACT:
        return float(boschloo_exact([[k1, k2], [n1 - k1, n2 - k2]]).pvalue)
    tails = hypergeom.cdf(k1, n, k, n1), hypergeom.sf(k1 - 1, n, k, n1)
    return min(1.0, 2 * float(min(tails)))
