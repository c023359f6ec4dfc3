"""Paired samples, two trials of the same episodes: counts, McNemar's test and Newcombe's interval."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtbench.stats.rates import quantile

Floats = NDArray[np.float64]


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
    """Pairs in which neither did."""

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


def mcnemar(pairs: Pairs) -> float:
    """Two-sided exact p of McNemar's test that the two rates of the pairs are equal; 1 where none differ.

    Q. McNemar, Psychometrika 12 (1947): of the pairs that differ, as many should do so in either direction.
    """
    return float(mcnemar_many(pairs.first_only, pairs.second_only))


def mcnemar_many(first_only: ArrayLike, second_only: ArrayLike) -> Floats:
    """McNemar's exact p of many comparisons at once.

    Args:
        first_only: pairs in which the first alone succeeded, integers of any shape.
        second_only: pairs in which the second alone did, of a shape that broadcasts with it.

    Returns:
        The p values, float64, of the shape of both together.
    """
    from scipy.special import betainc

    first, second = np.broadcast_arrays(np.asarray(first_only), np.asarray(second_only))
    rarer, commoner = np.minimum(first, second), np.maximum(first, second)
    # P(at most r of m) for a fair coin; twice that exceeds 1 where both are as common.
    tail: Floats = np.asarray(betainc(commoner, rarer + 1, 0.5), dtype=np.float64)
    return np.where(commoner == 0, 1.0, np.minimum(1.0, 2 * tail))


def newcombe_paired(pairs: Pairs, confidence: float = 0.95) -> tuple[float, float]:
    """Newcombe's score interval of the difference between two rates of the same pairs, first less second.

    R. G. Newcombe, Improved confidence intervals for the difference between binomial proportions based on
    paired data, Statistics in Medicine 17 (1998) 2635-2650, method 10: two Wilson intervals, put together by
    the correlation of the pairs, which is corrected for continuity where it is positive. Pairs that agree
    narrow it. With no pairs it is (-1, 1).

    Raises:
        ValueError: a negative count, or a confidence that is not between 0 and 1.
    """
    counts = (pairs.both, pairs.first_only, pairs.second_only, pairs.neither)
    low, high = newcombe_paired_many(*counts, confidence=confidence)
    return float(low), float(high)


def newcombe_paired_many(
    both: ArrayLike,
    first_only: ArrayLike,
    second_only: ArrayLike,
    neither: ArrayLike,
    *,
    confidence: float = 0.95,
) -> tuple[Floats, Floats]:
    """Newcombe's interval for many comparisons at once: the four counts, integers of any one shape.

    Returns:
        Low and high ends of first less second, float64, of that shape.

    Raises:
        ValueError: a negative count, or a confidence that is not between 0 and 1.
    """
    z = quantile(confidence)
    # float64 holds the counts exactly, and the product of four margins without overflow.
    a, b, c, d = (np.asarray(counts, dtype=np.float64) for counts in (both, first_only, second_only, neither))
    if any((counts < 0).any() for counts in (a, b, c, d)):
        raise ValueError("A count of pairs is negative; expected 0 or more.")
    n = a + b + c + d
    some = np.maximum(n, 1)
    p1, p2 = (a + b) / some, (a + c) / some
    (l1, u1), (l2, u2) = _wilson(p1, some, z), _wilson(p2, some, z)
    margins = (a + b) * (c + d) * (a + c) * (b + d)
    excess = a * d - b * c
    excess = np.where(excess > 0, np.maximum(excess - n / 2, 0), excess)
    phi = np.where(margins > 0, excess / np.sqrt(np.maximum(margins, 1)), 0.0)
    down, up = (
        np.sqrt(np.maximum(0, x * x - 2 * phi * x * y + y * y))
        for x, y in ((p1 - l1, u2 - p2), (u1 - p1, p2 - l2))
    )
    low = np.where(n > 0, np.maximum(-1, p1 - p2 - down), -1.0)
    return low, np.where(n > 0, np.minimum(1, p1 - p2 + up), 1.0)


def _wilson(p: Floats, n: Floats, z: float) -> tuple[Floats, Floats]:
    """Wilson's interval of rates p, each of n > 0 trials."""
    zz = z * z / n
    middle = (p + zz / 2) / (1 + zz)
    half = np.sqrt(zz * (p * (1 - p) + zz / 4)) / (1 + zz)
    return np.where(p == 0, 0.0, middle - half), np.where(p == 1, 1.0, middle + half)
