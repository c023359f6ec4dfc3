"""Sequential tests, valid after every episode: of one rate, and of two runs of the same episodes.

An e-value is the wealth of a gambler who began with one unit and bet against a hypothesis at fair or worse
odds. If the hypothesis is true, the chance that it ever reaches 1 / alpha is at most alpha (J. Ville 1939),
at any number of looks and any time of stopping.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtbench.stats.rates import check_confidence, check_counts

Floats = NDArray[np.float64]

BETS = 64
"""Bets in the mixture. With ten times as many no verdict comes earlier within 500 pairs."""
LARGEST = 700.0
"""Largest log of a returned e-value: exp overflows a little beyond."""


@dataclass
class Sequential:
    """Is the second run (the candidate) worse than the first (the baseline)? Asked after every pair.

    Two e-values grow with the pairs. X is 1 where the candidate alone succeeds (a win), -1 where the baseline
    alone does (a loss), else 0.

    `worse` bets against "the candidate is at least as good": the mixture over bets b, uniform from 0 to 1, of
    the products of 1 - b X. A win and a loss make it 2^(m + 1) times the integral of p^losses (1 - p)^wins
    over p from 1/2 to 1, m = wins + losses: the sign test's e-process.

    `holds` bets against "the candidate is worse by the margin or more": the mixture over bets b between 0 and
    1 / (1 - margin) of the products of 1 + b (X + margin).

    Both are nonnegative supermartingales under what they bet against, by construction: no factor is negative;
    where the next X has mean 0 or more (at most -margin), the factor of each fixed bet has mean 1 or less;
    and a mixture with fixed weights inherits both. Bets are fixed beforehand, not adapted, for one more
    reason: episodes have unequal tasks, so one pair's mean may lie on the wrong side though the average does
    not. The product of the factors' means is at most the power of their average (arithmetic and geometric
    means), so at any look whose prefix has the tasks in proportion the expectation is 1 or less all the same.
    Order the episodes so.

    A verdict stays once it is reached: "regression" where worse >= 1 / alpha and the measured difference lies
    below -margin, "pass" where holds >= 1 / alpha. Both at once cannot be: where the measured difference is
    -margin or less, no product of `holds` exceeds 1, again by the two means. What alpha bounds is the chance
    that a candidate as good is called a regression, and that one worse by the margin or more passes. One that
    is worse by less may be called a regression where the measured difference says so.
    """

    margin: float
    """By how much the candidate's rate may be lower, from 0 to below 1."""
    alpha: float = 0.05
    """Chance of a wrong verdict at any look, for each of the two."""
    n: int = field(default=0, init=False)
    """Pairs so far."""
    wins: int = field(default=0, init=False)
    """Pairs in which the candidate alone succeeded."""
    losses: int = field(default=0, init=False)
    """Pairs in which the baseline alone did."""
    verdict: str = field(default="", init=False)
    """'pass', 'regression', or '' while neither is reached."""

    def __post_init__(self) -> None:
        """Refuse a margin or alpha out of range."""
        if not 0 <= self.margin < 1:
            raise ValueError(f"margin is {self.margin}; expected a rate from 0 to below 1.")
        check_confidence(1 - self.alpha)

    def add(self, first: bool, second: bool) -> None:
        """Count one more pair: did the baseline succeed, and did the candidate?"""
        self.n += 1
        self.wins += bool(second) and not first
        self.losses += bool(first) and not second
        if not self.verdict:
            self.verdict = self._decide()

    @property
    def difference(self) -> float | None:
        """Measured difference of the rates, candidate less baseline; None of no pairs."""
        return (self.wins - self.losses) / self.n if self.n else None

    @property
    def worse(self) -> float:
        """The e-value against "the candidate is at least as good"."""
        return _value(log_worse(self.wins, self.losses))

    @property
    def holds(self) -> float:
        """The e-value against "the candidate is worse by the margin or more"."""
        return _value(log_above(self.n, self.wins, self.losses, -self.margin))

    def interval(self) -> tuple[float, float]:
        """Interval (low, high), each -1 to 1, of candidate less baseline, that holds at all looks together.

        Each end alone holds with 1 - alpha, like a verdict, so both do with 1 - 2 alpha: the differences
        against which neither bet has reached 1 / alpha. A verdict of "pass" means that the lower end has been
        above -margin, one of "regression" that the upper has been below 0.
        """
        low = _end(self.n, self.wins, self.losses, self.alpha)
        return low, -_end(self.n, self.losses, self.wins, self.alpha)

    def _decide(self) -> str:
        enough = -math.log(self.alpha)
        # Each needs the measured difference on its side: that spares the sums most of the time.
        if self.wins - self.losses < -self.margin * self.n:
            return "regression" if log_worse(self.wins, self.losses) >= enough else ""
        return "pass" if log_above(self.n, self.wins, self.losses, -self.margin) >= enough else ""


def log_worse(wins: ArrayLike, losses: ArrayLike) -> Floats:
    """Log of the e-value against mean 0 or more, for counts of wins and losses of any one shape.

    2^(m + 1) B(losses + 1, wins + 1) times the share of that beta distribution above 1/2, which is the
    regularised incomplete beta function.
    """
    from scipy.special import betainc, betaln

    w, l = (np.asarray(counts, dtype=np.float64) for counts in (wins, losses))
    share = np.maximum(betainc(w + 1, l + 1, 0.5), np.finfo(np.float64).tiny)
    found: Floats = np.asarray((w + l + 1) * math.log(2) + betaln(l + 1, w + 1) + np.log(share))
    return found


def log_above(n: ArrayLike, wins: ArrayLike, losses: ArrayLike, difference: float) -> Floats:
    """Log of the e-value against "the mean is `difference` or less", for counts of any one shape.

    A mixture over `BETS` bets, at the nodes and with the weights of Gauss and Legendre's rule from 0 to
    1 / (1 + difference), beyond which a loss would cost more than all.

    Args:
        n: pairs.
        wins: of these, pairs with X = 1.
        losses: of these, pairs with X = -1.
        difference: from above -1 to 1.
    """
    nodes, weights = _rule()
    n, w, l = (np.asarray(counts, dtype=np.float64)[..., None] for counts in (n, wins, losses))
    bets = nodes / (1 + difference)
    logs = w * np.log1p(bets * (1 - difference)) + l * np.log1p(-bets * (1 + difference))
    logs = logs + (n - w - l) * np.log1p(-bets * difference)
    # SciPy's logsumexp takes 20 times as long for one short row, and this runs after every episode.
    top: Floats = logs.max(axis=-1, keepdims=True)
    found: Floats = top[..., 0] + np.log(np.exp(logs - top) @ weights)
    return found


def robbins(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Confidence sequence of one rate: intervals after 1, 2, ... n episodes that all hold together.

    The one after n episodes with k successes is (low, high), each 0 to 1.

    H. Robbins, Statistical methods related to the law of the iterated logarithm, Annals of Mathematical
    Statistics 41 (1970): the rates p at which B(1 + k, 1 + n - k) / (p^k (1 - p)^(n - k)) < 1 / alpha. With n
    = 0 it is (0, 1).

    Raises:
        ValueError: not 0 <= k <= n, or a confidence that is not between 0 and 1.
    """
    from scipy.optimize import brentq
    from scipy.special import betaln, xlog1py, xlogy

    check_counts(k, n)
    check_confidence(confidence)
    enough = float(betaln(1 + k, 1 + n - k)) + math.log1p(-confidence)

    def inside(p: float) -> float:
        return float(xlogy(k, p) + xlog1py(n - k, -p)) - enough

    if n == 0:
        return 0.0, 1.0
    # Near 0 a rate that is off by 1e-12, as SciPy's own tolerance allows, is off by a millionth of itself.
    low = float(brentq(inside, 1e-300, k / n, xtol=1e-16)) if k else 0.0
    return low, float(brentq(inside, k / n, 1 - 1e-16, xtol=1e-16)) if k < n else 1.0


def _end(n: int, wins: int, losses: int, alpha: float) -> float:
    """The largest difference that is refuted from above, with all below it: the lower end."""
    low, high = -1.0, (wins - losses) / n if n else -1.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        refuted = log_above(n, wins, losses, middle) >= -math.log(alpha)
        low, high = (middle, high) if refuted else (low, middle)
    return low


@cache
def _rule() -> tuple[Floats, Floats]:
    """Nodes between 0 and 1, and weights that sum to 1."""
    from scipy.special import roots_legendre

    nodes, weights = roots_legendre(BETS)
    return (nodes + 1) / 2, weights / 2


def _value(log: Floats) -> float:
    return math.exp(min(float(log), LARGEST))
