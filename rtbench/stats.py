"""Statistics of rates and times, in closed form."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np


@dataclass(frozen=True)
class Pairs:
    """How often each of two trials succeeded, for trials that come in pairs."""

    both: int = 0
    """Pairs in which both succeeded."""
    first_only: int = 0
    """Pairs in which the first alone did."""
    second_only: int = 0
    """Pairs in which the second alone did."""
    neither: int = 0
    """Pairs in which none did."""

    @classmethod
    def count(cls, outcomes: Iterable[tuple[bool, bool]]) -> Pairs:
        """The counts of pairs (first succeeded, second succeeded)."""
        found = Counter((bool(a), bool(b)) for a, b in outcomes)
        return cls(found[True, True], found[True, False], found[False, True], found[False, False])

    @property
    def n(self) -> int:
        """Pairs."""
        return self.both + self.first_only + self.second_only + self.neither

    @property
    def first(self) -> int:
        """Successes of the first."""
        return self.both + self.first_only

    @property
    def second(self) -> int:
        """Successes of the second."""
        return self.both + self.second_only


def wilson(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a rate: k successes of n.

    E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927). Unlike
    the textbook interval it holds at rates near 0 and 1 and for small n. With n = 0 it is (0, 1).

    Raises:
        ValueError: not 0 <= k <= n, or a confidence that is not between 0 and 1.
    """
    if not 0 <= k <= n:
        raise ValueError(f"{k} successes of {n}; expected 0 <= k <= n.")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; expected a number between 0 and 1.")
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    p, zz = k / n, z * z / n
    middle = (p + zz / 2) / (1 + zz)
    half = math.sqrt(zz * (p * (1 - p) + zz / 4)) / (1 + zz)
    # At the ends the two terms are equal; rounding must not leave 1e-17 between them.
    return (0.0 if k == 0 else middle - half), (1.0 if k == n else middle + half)


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value below which that share of them lies, linearly interpolated; None of no values."""
    return float(np.quantile(np.asarray(values, dtype=np.float64), share)) if len(values) else None


def rate(k: int, n: int) -> float | None:
    """The rate k / n; None where n is 0, for nothing is known then."""
    return k / n if n else None


def macro(rates: Iterable[float | None]) -> float | None:
    """Mean of the rates that are known: each group counts once, whatever its size."""
    known = [r for r in rates if r is not None]
    return sum(known) / len(known) if known else None


def newcombe_paired(pairs: Pairs, confidence: float = 0.95) -> tuple[float, float]:
    """Newcombe's score interval of the difference between two rates of the same pairs, first less second.

    R. G. Newcombe, Improved confidence intervals for the difference between binomial proportions based on
    paired data, Statistics in Medicine 17 (1998) 2635-2650, method 10: two Wilson intervals, put together by
    the correlation of the pairs, which is corrected for continuity where it is positive. Pairs that agree
    narrow it. With no pairs it is (-1, 1).

    Raises:
        ValueError: a negative count, or a confidence that is not between 0 and 1.
    """
    n, first, second = pairs.n, pairs.first, pairs.second
    l1, u1 = wilson(first, n, confidence)
    l2, u2 = wilson(second, n, confidence)
    if n == 0:
        return -1.0, 1.0
    p1, p2, phi = first / n, second / n, _correlation(pairs)
    below, above = (p1 - l1, u2 - p2), (u1 - p1, p2 - l2)
    down, up = (math.sqrt(max(0.0, a * a - 2 * phi * a * b + b * b)) for a, b in (below, above))
    return max(-1.0, p1 - p2 - down), min(1.0, p1 - p2 + up)


def mcnemar(pairs: Pairs) -> float:
    """Both-sided exact p of McNemar's test that the two rates of the pairs are equal; 1 where none differ.

    Q. McNemar, Psychometrika 12 (1947): of the pairs that differ, as many should do so in either direction.
    """
    differ = pairs.first_only + pairs.second_only
    rarer = min(pairs.first_only, pairs.second_only)
    tail = sum(math.comb(differ, k) for k in range(rarer + 1))
    return min(1.0, 2 * tail / (1 << differ))


def _correlation(pairs: Pairs) -> float:
    """Phi of the four counts, 0 where it is not defined."""
    n, first, second = pairs.n, pairs.first, pairs.second
    margins = first * (n - first) * second * (n - second)
    if margins == 0:
        return 0.0
    excess = pairs.both * pairs.neither - pairs.first_only * pairs.second_only
    return (max(excess - n / 2, 0.0) if excess > 0 else excess) / math.sqrt(margins)
