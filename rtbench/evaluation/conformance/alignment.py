"""How a policy's actions lie to the right ones: correlations by dimension, with intervals over episodes.

Steps of one episode resemble each other, so intervals come from a bootstrap of whole episodes. Everything
here is computed from actions float64[steps, 11] of several episodes, the policy's and the oracle's. A
correlation follows from sums over episodes, so that 200 resampled sets cost one product of matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

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

    @classmethod
    def of(cls, drawn: Array) -> Interval:
        """Of float64[1 + RESAMPLES]: the value itself, then those of resampled sets."""
        low, high = np.quantile(drawn[1:], (0.025, 0.975))
        return cls(float(drawn[0]), float(low), float(high))


@dataclass(frozen=True)
class Alignment:
    """A policy's actions beside the right ones, episode by episode."""

    given: tuple[Array, ...]
    """The policy's, float64[steps, 11] each."""
    right: tuple[Array, ...]
    """The oracle's, likewise."""

    def correlation(self, given: int, right: int, mode: Mode = Mode.ARM) -> Interval:
        """Pearson's r of a dimension of the policy with one of the oracle, in steps of the oracle's mode."""
        having = np.array([(rows[:, MODE] == mode).any() for rows in self.right], dtype=bool)
        return Interval.of(self._drawn(self._kept(mode), given, right, having))

    def agreement(self) -> float:
        """How well the policy does what is right, whatever the sign and order of its axes: 0 to 1.

        The mean over `LATELY` of the largest correlation, in size, with an axis of its kind.
        """
        return float(self._agreements[0])

    def gain_over(self, other: Alignment) -> Interval:
        """By how much this agrees better than another, of the same episodes."""
        return Interval.of(self._agreements - other._agreements)

    def lagged(self, lag: int) -> Interval:
        """Mean correlation over `LATELY` with the right actions of `lag` steps later, less that without."""
        return Interval.of(self._lagged(lag) - self._lagged(0))

    def spread(self, dimensions: Sequence[int]) -> float:
        """How far the policy's numbers spread (root mean square), by how far the right ones do."""
        chosen = list(dimensions)
        given, right = (side[:, chosen] for side in self.in_mode(Mode.ARM))
        usual = float(np.sqrt((right**2).mean()))
        return float(np.sqrt((given**2).mean())) / usual if usual else 1.0

    def saturation(self, dimensions: Sequence[int]) -> float:
        """Of the steps with a motion, the share at a bound in a dimension, less the oracle's share."""
        chosen = list(dimensions)
        low, high = REACH_LOW[chosen], REACH_HIGH[chosen]
        shares = []
        for side in self.in_mode(Mode.ARM):
            numbers = side[:, chosen]
            moving = np.asarray((np.abs(numbers) > MOVES * high).any(axis=1))
            at_bound = np.asarray(((numbers <= low + 1e-6) | (numbers >= high - 1e-6)).any(axis=1))
            shares.append(float(at_bound[moving].mean()) if moving.any() else 0.0)
        return shares[0] - shares[1]

    def in_mode(self, mode: Mode) -> tuple[Array, Array]:
        """Rows float64[n, 11] of both sides in steps of which the oracle's mode is that one."""
        pairs = self._kept(mode)
        return np.concatenate([a for a, _ in pairs]), np.concatenate([b for _, b in pairs])

    def _kept(self, mode: Mode) -> list[tuple[Array, Array]]:
        return [
            (mine[by[:, MODE] == mode], by[by[:, MODE] == mode])
            for mine, by in zip(self.given, self.right, strict=True)
        ]

    def _drawn(
        self, pairs: Sequence[tuple[Array, Array]], a: int, b: int, having: NDArray[np.bool_] | None = None
    ) -> Array:
        """Pearson's r float64[1 + RESAMPLES] of all episodes, and of resampled sets of them."""
        sums = np.array([_sums(mine[:, a], theirs[:, b]) for mine, theirs in pairs]).reshape(-1, 6)
        if having is not None:
            sums = sums[having]
        return pearson_of_sums(_weights(len(sums)) @ sums) if len(sums) else np.zeros(1 + RESAMPLES)

    @cached_property
    def _agreements(self) -> Array:
        pairs = self._kept(Mode.ARM)
        best = []
        for dimension in LATELY:
            alike = next((group for group in AXES.values() if dimension in group), (dimension,))
            best.append(np.max([np.abs(self._drawn(pairs, i, dimension)) for i in alike], axis=0))
        return np.asarray(np.mean(best, axis=0))

    def _lagged(self, lag: int) -> Array:
        edge = max(LAGS)
        pairs = []
        for mine, by in zip(self.given, self.right, strict=True):
            end = max(len(mine) - edge, edge)
            # The same steps of the policy for every lag.
            arm = by[edge:end, MODE] == Mode.ARM
            pairs.append((mine[edge:end][arm], by[edge + lag : end + lag][arm]))
        return np.asarray(np.mean([np.abs(self._drawn(pairs, i, i)) for i in LATELY], axis=0))


def pearson_of_sums(sums: Array) -> Array:
    """Pearson's r float64[n], 0 of constants, of float64[n, 6]: count, sums of a, b, a a, b b and a b."""
    count, a, b, aa, bb, ab = sums.T
    count = np.maximum(count, 1.0)
    spread_a, spread_b = aa - a * a / count, bb - b * b / count
    # Of equal numbers, rounding leaves a little.
    constant = (spread_a <= 1e-12 * np.maximum(aa, 1e-12)) | (spread_b <= 1e-12 * np.maximum(bb, 1e-12))
    product = np.sqrt(np.where(constant, 1.0, spread_a * spread_b))
    return np.where(constant | (count < 3), 0.0, (ab - a * b / count) / product)


def name(dimension: int) -> str:
    """Name of a dimension of an action."""
    return DIMENSIONS[dimension]


@lru_cache(maxsize=8)
def _weights(episodes: int) -> Array:
    """float64[1 + RESAMPLES, episodes]: how often each counts; all once, then drawn with replacement."""
    drawn = generator("conformance", "bootstrap").integers(0, episodes, (RESAMPLES, episodes))
    counts = [np.bincount(row, minlength=episodes) for row in drawn]
    return np.array([np.ones(episodes), *counts], dtype=np.float64)


def _sums(a: Array, b: Array) -> Array:
    return np.array([len(a), a.sum(), b.sum(), a @ a, b @ b, a @ b])
