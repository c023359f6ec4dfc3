"""How a policy's actions lie to the right ones: correlations by dimension, with intervals over episodes.

Steps of one episode resemble each other, so intervals come from a bootstrap of whole episodes. Everything here is
computed from actions float64[steps, 11] of several episodes, the policy's and the oracle's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rtbench.core.action import DIMENSIONS, GRIPPER, MODE, REACH_HIGH, REACH_LOW, Mode
from rtbench.core.seeding import generator

Array = NDArray[np.float64]

RESAMPLES = 200
MOVES = 0.02
"""Share of a dimension's bound above which a number moves the robot."""
LAGS = (-2, -1, 0, 1, 2)
"""Steps by which actions are shifted."""
LATELY = (0, 1, 2, 5, GRIPPER)
"""Dimensions by which whole policies are compared: x, y, z, yaw and gripper."""
AXES = {"position": (0, 1, 2), "rotation": (3, 4, 5)}
"""Dimensions that may be exchanged for each other."""


@dataclass(frozen=True)
class Interval:
    """A statistic, with bounds that 95 % of resampled sets of episodes keep to."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Alignment:
    """A policy's actions beside the right ones, episode by episode."""

    given: tuple[Array, ...]
    """The policy's, float64[steps, 11] each."""
    right: tuple[Array, ...]
    """The oracle's, likewise."""

    @cached_property
    def resampled(self) -> NDArray[np.int64]:
        """int64[RESAMPLES, episodes]: episodes drawn with replacement."""
        rng = generator("conformance", "bootstrap")
        return rng.integers(0, len(self.given), (RESAMPLES, len(self.given)))

    def interval(self, statistic: Callable[[Sequence[Array], Sequence[Array]], float]) -> Interval:
        """A statistic of (given, right), over all episodes and over resampled ones."""
        if not self.given:
            return Interval(0.0, 0.0, 0.0)
        drawn = [
            statistic([self.given[i] for i in chosen], [self.right[i] for i in chosen])
            for chosen in self.resampled
        ]
        low, high = np.quantile(drawn, (0.025, 0.975))
        return Interval(statistic(self.given, self.right), float(low), float(high))

    def correlation(self, given: int, right: int, mode: Mode = Mode.ARM) -> Interval:
        """Of one dimension of the policy with one of the oracle, in steps of the oracle's mode."""
        return self.having(mode).interval(lambda a, b: correlation(a, b, given, right, mode))

    def having(self, mode: Mode) -> Alignment:
        """The same of the episodes in which the oracle uses that mode."""
        kept = [i for i, rows in enumerate(self.right) if (rows[:, MODE] == mode).any()]
        return Alignment(tuple(self.given[i] for i in kept), tuple(self.right[i] for i in kept))

    def spread(self, dimensions: Sequence[int]) -> float:
        """How far the policy's numbers spread (root mean square), by how far the right ones do."""
        given, right = (in_mode(side, self.right, Mode.ARM)[:, dimensions] for side in (self.given, self.right))
        usual = float(np.sqrt((right**2).mean()))
        return float(np.sqrt((given**2).mean())) / usual if usual else 1.0

    def saturation(self, dimensions: Sequence[int]) -> float:
        """Of the steps with a motion, the share at a bound in a dimension, less the oracle's share."""
        chosen = list(dimensions)
        low, high = REACH_LOW[chosen], REACH_HIGH[chosen]
        shares = []
        for side in (self.given, self.right):
            numbers = in_mode(side, self.right, Mode.ARM)[:, chosen]
            moving = (np.abs(numbers) > MOVES * high).any(axis=1)
            at_bound = ((numbers <= low + 1e-6) | (numbers >= high - 1e-6)).any(axis=1)
            shares.append(float(at_bound[moving].mean()) if moving.any() else 0.0)
        return shares[0] - shares[1]

    def agreement(self) -> float:
        """How well the policy does what is right, whatever the sign and order of its axes: 0 to 1.

        The mean over `LATELY` of the largest correlation, in size, with an axis of its kind.
        """
        return agreement(self.given, self.right)

    def lagged(self, lag: int) -> Interval:
        """Mean correlation over `LATELY` with the right actions of `lag` steps later, less that without a lag."""

        def advantage(given: Sequence[Array], right: Sequence[Array]) -> float:
            return _lagged(given, right, lag) - _lagged(given, right, 0)

        return self.interval(advantage)


def in_mode(side: Sequence[Array], right: Sequence[Array], mode: Mode) -> Array:
    """Rows float64[n, 11] of one side in steps of which the oracle's mode is that one."""
    return np.concatenate([rows[by[:, MODE] == mode] for rows, by in zip(side, right, strict=True)])


def correlation(given: Sequence[Array], right: Sequence[Array], a: int, b: int, mode: Mode) -> float:
    """Pearson's r of dimension `a` of the policy with `b` of the oracle; 0 where one does not change."""
    return pearson(in_mode(given, right, mode)[:, a], in_mode(right, right, mode)[:, b])


def pearson(a: Array, b: Array) -> float:
    """Pearson's r; 0 where one of the two does not change, or of fewer than three pairs."""
    if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    a, b = a - a.mean(), b - b.mean()
    return float(np.dot(a, b) / np.sqrt(np.dot(a, a) * np.dot(b, b)))


def agreement(given: Sequence[Array], right: Sequence[Array]) -> float:
    """See `Alignment.agreement`."""
    mine, theirs = in_mode(given, right, Mode.ARM), in_mode(right, right, Mode.ARM)
    best = []
    for dimension in LATELY:
        alike = next((group for group in AXES.values() if dimension in group), (dimension,))
        best.append(max(abs(pearson(mine[:, i], theirs[:, dimension])) for i in alike))
    return float(np.mean(best))


def name(dimension: int) -> str:
    """Name of a dimension of an action."""
    return DIMENSIONS[dimension]


def _lagged(given: Sequence[Array], right: Sequence[Array], lag: int) -> float:
    edge = max(LAGS)
    pairs = [
        (mine[edge : len(mine) - edge], theirs[edge + lag : len(theirs) - edge + lag])
        for mine, theirs in zip(given, right, strict=True)
        if len(mine) > 2 * edge
    ]
    arm = [theirs[:, MODE] == Mode.ARM for _, theirs in pairs]
    mine = np.concatenate([a[keep] for (a, _), keep in zip(pairs, arm, strict=True)])
    theirs = np.concatenate([b[keep] for (_, b), keep in zip(pairs, arm, strict=True)])
    return float(np.mean([abs(pearson(mine[:, i], theirs[:, i])) for i in LATELY]))
