"""Success rates and their intervals (Wilson, Clopper-Pearson), macro averages and percentiles."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import NormalDist

import numpy as np


def rate(k: int, n: int) -> float | None:
    """The rate k / n, 0 to 1; None where n is 0."""
    return k / n if n else None


def macro(rates: Iterable[float | None]) -> float | None:
    """Mean of the known rates, 0 to 1: each group counts once, whatever its size."""
    known = [r for r in rates if r is not None]
    return sum(known) / len(known) if known else None


def percentile(values: Sequence[float], share: float) -> float | None:
    """Percentile of float values, in their unit: linearly interpolated; None of no values.

    `share` is the share of values below it, 0 to 1.
    """
    return float(np.quantile(np.asarray(values, dtype=np.float64), share)) if len(values) else None


def wilson(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval (low, high), each 0 to 1, of the rate of k successes of n.

    E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927). Unlike
    the textbook interval it holds at rates near 0 and 1 and for small n. With n = 0 it is (0, 1).

    Raises:
        ValueError: not 0 <= k <= n, or a confidence that is not between 0 and 1.
    """
    check_counts(k, n)
    z = quantile(confidence)
    if n == 0:
        return 0.0, 1.0
    p, zz = k / n, z * z / n
    middle = (p + zz / 2) / (1 + zz)
    half = math.sqrt(zz * (p * (1 - p) + zz / 4)) / (1 + zz)
    # At the ends the two terms are equal; rounding must not leave 1e-17 between them.
    return (0.0 if k == 0 else middle - half), (1.0 if k == n else middle + half)


def clopper_pearson(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Clopper and Pearson's exact interval (low, high), each 0 to 1, of the rate of k successes of n.

    C. J. Clopper and E. S. Pearson, Biometrika 26 (1934): the rates at which neither tail of k is rarer than
    (1 - confidence) / 2. Its coverage is at least `confidence` at any rate, so it is wider than Wilson's.
    With n = 0 it is (0, 1).

    Raises:
        ValueError: not 0 <= k <= n, or a confidence that is not between 0 and 1.
    """
    from scipy.special import betaincinv

    check_counts(k, n)
    check_confidence(confidence)
    tail = (1 - confidence) / 2
    low = float(betaincinv(k, n - k + 1, tail)) if k else 0.0
    return low, float(betaincinv(k + 1, n - k, 1 - tail)) if k < n else 1.0


def quantile(confidence: float) -> float:
    """Number of standard deviations to both sides of the mean that cover that share of a normal distribution.

    Raises:
        ValueError: a confidence that is not between 0 and 1.
    """
    check_confidence(confidence)
    return NormalDist().inv_cdf((1 + confidence) / 2)


def check_counts(k: int, n: int) -> None:
    """Raise ValueError unless 0 <= k <= n."""
    if not 0 <= k <= n:
        raise ValueError(f"{k} successes of {n}; expected 0 <= k <= n.")


def check_confidence(confidence: float) -> None:
    """Raise ValueError unless 0 < confidence < 1."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; expected a number between 0 and 1.")
