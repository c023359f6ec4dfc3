"""Sample size: the number of episodes that a comparison needs, before any is played.

A baseline is compared with a candidate, on the same episodes (paired) or each on its own (unpaired). The test
is to show that the candidate is not worse by `margin`; with a margin of 0, that it is worse at all. Both have
one formula. With V1 the true variance of the difference, and V0 its variance if the difference were at the
border: n = ((z_alpha sqrt(V0) + z_power sqrt(V1)) / distance to the border)^2, rounded up.

Paired: J. Nam, Establishing equivalence of two treatments and sample size requirements in matched-pairs
design, Biometrics 53 (1997), for Tango's score test; with a margin of 0 it is R. J. Connor, Sample size for
testing differences in proportions for the paired-sample design, Biometrics 43 (1987). Unpaired: C. P.
Farrington and G. Manning, Statistics in Medicine 9 (1990).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import NormalDist

from rtbench.core.errors import RtbenchError
from rtbench.stats import Pairs, inferiority

MOST = 10_000_000
"""Most episodes of a plan."""
EXACT = 500
"""Pairs up to which the gate's power is summed, in seconds. Beyond, the formula is right to a point."""


class PlanError(RtbenchError):
    """Assumptions that contradict each other, or that no number of episodes can answer."""


@dataclass(frozen=True)
class Odds:
    """Assumed rates of baseline and candidate."""

    rate: float = 0.9
    """Success rate of the baseline."""
    flips: float = 0.05
    """Share of the episodes that flip by chance in each direction."""
    drop: float = 0.0
    """True drop: the baseline's rate less the candidate's."""

    @property
    def losses(self) -> float:
        """Share of the episodes in which the baseline alone succeeds."""
        return self.flips + max(self.drop, 0.0)

    @property
    def wins(self) -> float:
        """Share of the episodes in which the candidate alone succeeds."""
        return self.flips + max(-self.drop, 0.0)

    @property
    def room(self) -> float:
        """Greatest possible share of flips each way at that rate and drop; below 0 for an impossible drop."""
        return min(self.rate - max(self.drop, 0.0), 1 - self.rate - max(-self.drop, 0.0))

    def check(self) -> None:
        """Refuse impossible assumptions.

        Raises:
            PlanError: more losses than successes, or more wins than failures.
        """
        if self.flips <= self.room + 1e-9:
            return
        told = f"a success rate of {100 * self.rate:.4g} % and a drop of {100 * self.drop:.4g} points"
        if self.room < 0:
            raise PlanError(f"{told} cannot both be: the candidate's rate would not be from 0 to 100 %.")
        most = f"{math.floor(1e4 * self.room + 1e-6) / 100:g}pp"
        given = f"{100 * self.flips:.4g}pp"
        raise PlanError(f"{told} leave room for flips of {most} each way, not {given}; give --flips {most}.")


@dataclass(frozen=True)
class Risk:
    """Accepted error rate and power of a test."""

    alpha: float = 0.05
    """One-sided error rate: chance to show a difference that does not exist."""
    power: float = 0.8
    """Power: chance to show a difference that exists."""

    def check(self) -> None:
        """Refuse values out of range.

        Raises:
            PlanError: alpha or power out of range.
        """
        if not 0 < self.alpha <= 0.5:
            raise PlanError(f"--alpha {self.alpha:g}: expected a chance above 0 and up to 0.5, such as 0.05.")
        if not 0.5 <= self.power < 1:
            raise PlanError(f"--power {self.power:g}: expected a chance from 0.5 to below 1, such as 0.8.")

    @property
    def z(self) -> tuple[float, float]:
        """Quantiles of the standard normal distribution for 1 - alpha and for power [1]."""
        normal = NormalDist()
        return normal.inv_cdf(1 - self.alpha), normal.inv_cdf(self.power)


@dataclass(frozen=True)
class Plan:
    """Episodes that a comparison needs; each run plays as many."""

    margin: float
    """Margin of the gate."""
    odds: Odds
    """Assumed rates of the runs."""
    risk: Risk
    """Alpha and power."""
    gate: int
    """Pairs for the gate's right verdict: a pass, or with a drop above the margin a regression."""
    power: float | None
    """The gate's power with these pairs; None where it was not summed."""
    gate_unpaired: int
    """The same on different episodes."""
    detect: int
    """Pairs that show a drop of the margin's size to be one."""
    detect_unpaired: int
    """The same on different episodes."""


def plan(odds: Odds, margin: float, risk: Risk) -> Plan:
    """The episodes that a comparison needs.

    Raises:
        PlanError: odds that contradict each other, a margin or risk out of range, or a true drop so near the
            margin that no number of episodes would tell the side.
    """
    odds.check()
    risk.check()
    if not 0 < margin < 1:
        raise PlanError(f"--margin: {100 * margin:.4g} points decide nothing; give some, such as 5pp.")
    dropped = replace(odds, drop=margin)
    if margin > odds.rate:
        raise PlanError(
            f"--margin: a baseline that succeeds in {100 * odds.rate:.4g} % cannot drop by "
            f"{100 * margin:.4g} points, so that every candidate would pass; give less."
        )
    dropped.check()
    pairs, reached = gated(odds, margin, risk)
    return Plan(
        margin=margin,
        odds=odds,
        risk=risk,
        gate=pairs,
        power=reached,
        gate_unpaired=unpaired(odds, margin, risk),
        detect=paired(dropped, 0.0, risk),
        detect_unpaired=unpaired(dropped, 0.0, risk),
    )


def paired(odds: Odds, margin: float, risk: Risk) -> int:
    """Number of pairs that show on which side of the margin the true drop lies.

    Raises:
        PlanError: the true drop is the margin, or so near that more than MOST pairs are needed.
    """
    losses, wins = odds.losses, odds.wins
    differ, difference = losses + wins, wins - losses
    # At the border losses are wins + margin; the likeliest share of wins there is a root of this quadratic.
    b, c = margin * (2 + difference) - differ, -wins * margin * (1 - margin)
    at_border = (math.sqrt(max(b * b - 8 * c, 0.0)) - b) / 4
    null = 2 * at_border + margin - margin * margin
    return _episodes(odds, margin, risk, (null, differ - difference * difference))


def unpaired(odds: Odds, margin: float, risk: Risk) -> int:
    """Number of episodes of each run that show on which side of the margin the true drop lies.

    Raises:
        PlanError: the true drop is the margin, or so near that more than MOST episodes are needed.
    """
    first, second = odds.rate, odds.rate - odds.drop
    border = _border(first, second, margin)
    null = border * (1 - border) + (border + margin) * (1 - border - margin)
    return _episodes(odds, margin, risk, (null, first * (1 - first) + second * (1 - second)))


def gated(odds: Odds, margin: float, risk: Risk) -> tuple[int, float | None]:
    """Number of pairs for which the gate gives the right verdict with the wanted power, and that power.

    The gate decides by an exact test, which may need a few more pairs than the formula. Up to EXACT pairs its
    power is summed over all outcomes; beyond, the formula is used and the power is None.

    Raises:
        PlanError: see `paired`.
    """
    n = paired(odds, margin, risk)
    if n > EXACT:
        return n, None
    while (reached := power(n, odds, margin, risk.alpha)) < risk.power:
        n += max(1, n // 100)
    return n, reached


def power(n: int, odds: Odds, margin: float, alpha: float) -> float:
    """Chance that the gate gives the right verdict after `n` pairs: a sum over all likely outcomes.

    The right verdict is to pass where the true drop is below the margin, else a regression.
    """
    from scipy.stats import binom

    passing = odds.drop < margin
    # A regression mirrors a pass: losses take the place of wins, and the border is above.
    harm, help_ = (odds.losses, odds.wins) if passing else (odds.wins, odds.losses)
    tail = 1e-4
    most = int(binom.isf(tail, n, harm))
    total, needed = 0.0, 0
    for against in range(most + 1):
        while needed <= n - against and not _decides(n, against, needed, _Rule(passing, margin, alpha)):
            needed += 1
        given = help_ / (1 - harm) if harm < 1 else 0.0
        total += float(binom.pmf(against, n, harm) * binom.sf(needed - 1, n - against, given))
    return total


@dataclass(frozen=True)
class _Rule:
    passing: bool
    margin: float
    alpha: float


def _decides(n: int, against: int, for_: int, rule: _Rule) -> bool:
    losses, wins = (against, for_) if rule.passing else (for_, against)
    lower, upper = inferiority(Pairs(0, losses, wins, n - losses - wins), rule.alpha)
    return lower > -rule.margin if rule.passing else upper < -rule.margin


def smallest_drop(n: int, odds: Odds, risk: Risk, needs: Callable[[Odds, float, Risk], int]) -> float | None:
    """The smallest drop that `n` episodes detect with the wanted power; None where there is none.

    Args:
        n: Pairs, or episodes of each run.
        odds: Assumed rates; their drop is not used.
        risk: Alpha and power.
        needs: `paired` or `unpaired`.
    """
    low, high = 0.0, odds.rate - odds.flips
    if high <= 0 or needs(replace(odds, drop=high), 0.0, risk) > n:
        return None
    while high - low > 1e-5:
        middle = (low + high) / 2
        enough = _enough(replace(odds, drop=middle), n, risk, needs)
        low, high = (low, middle) if enough else (middle, high)
    return high


def _enough(odds: Odds, n: int, risk: Risk, needs: Callable[[Odds, float, Risk], int]) -> bool:
    try:
        return needs(odds, 0.0, risk) <= n
    except PlanError:
        return False


def _border(first: float, second: float, margin: float) -> float:
    """The candidate's rate that is likeliest where it lies `margin` below the baseline's."""
    from scipy.optimize import minimize_scalar
    from scipy.special import xlog1py, xlogy

    def unlikely(rate: float) -> float:
        fit = xlogy(second, rate) + xlog1py(1 - second, -rate)
        return -float(fit + xlogy(first, rate + margin) + xlog1py(1 - first, -rate - margin))

    return float(minimize_scalar(unlikely, bounds=(0.0, 1 - margin), options={"xatol": 1e-10}).x)


def _episodes(odds: Odds, margin: float, risk: Risk, variances: tuple[float, float]) -> int:
    distance = abs(margin - odds.drop)
    at_null, at_truth = (math.sqrt(max(v, 0.0)) for v in variances)
    z_alpha, z_power = risk.z
    needed = max(z_alpha * at_null + z_power * at_truth, 0.0)
    if distance == 0 or needed > math.sqrt(MOST) * distance:
        raise PlanError(
            f"a true drop of {100 * odds.drop:.4g} points is the margin of {100 * margin:.4g} points, or so "
            f"near it that {MOST:,} episodes would not tell the side; give another --margin or --drop."
        )
    return max(1, math.ceil((needed / distance) ** 2))
