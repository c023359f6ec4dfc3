"""Actions of a policy, decoded from the tokens of its records, for the report's figures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtbench.core.action import (
    BASE_SLICE,
    BINS,
    GRIPPER,
    MODE,
    REACH_HIGH,
    REACH_LOW,
    Convention,
    Mode,
    convention,
)
from rtbench.result.record import Record


@dataclass(frozen=True)
class Motion:
    """Steps of some episodes, one after the other, in the order of `rtbench.core.action.DIMENSIONS`."""

    convention: Convention
    """Convention of the tokens."""
    tokens: NDArray[np.int64]
    """int64[steps, 11], by dimension."""
    first: NDArray[np.bool_]
    """bool[steps], whether a step is the first of its episode."""

    @property
    def modes(self) -> NDArray[np.int64]:
        """int64[steps], as in `rtbench.core.action.Mode`."""
        return np.take(np.array(self.convention.modes, dtype=np.int64), self.tokens[:, MODE])

    @property
    def widths(self) -> NDArray[np.float64]:
        """float64[10], distance between the values of two neighbouring tokens [m, rad, or 1]."""
        return np.subtract(self.convention.high, self.convention.low) / (BINS - 1)

    @property
    def values(self) -> NDArray[np.float64]:
        """float64[steps, 10], values of the tokens [m, rad, or 1], without the mode."""
        return np.add(self.convention.low, self.tokens[:, :MODE] * self.widths)

    def used(self, dimension: int) -> NDArray[np.bool_]:
        """bool[steps], whether a dimension acts: the arm's in arm mode, the base's in base mode."""
        if dimension == MODE:
            return np.ones(len(self.tokens), dtype=bool)
        return np.equal(self.modes, Mode.ARM if dimension <= GRIPPER else Mode.BASE)

    @property
    def idle(self) -> NDArray[np.bool_]:
        """bool[steps], whether a step moves nothing.

        All displacements that its mode uses are within half a bin of zero, and in arm mode the gripper's
        token is that of the step before.
        """
        still = np.abs(self.values) <= self.widths / 2 + 1e-9
        grip = self.tokens[:, GRIPPER]
        same = np.concatenate([[False], grip[1:] == grip[:-1]]) & ~self.first
        arm = still[:, :GRIPPER].all(axis=1) & same
        base = still[:, BASE_SLICE].all(axis=1)
        return np.where(self.modes == Mode.ARM, arm, base & (self.modes == Mode.BASE))

    @property
    def within_reach(self) -> NDArray[np.int64]:
        """int64[10], number of the 256 values of a dimension that one control step can reach."""
        values = np.array(self.convention.low)[:, None] + np.arange(BINS) * self.widths[:, None]
        # The simulator's own slack when it counts what it clipped.
        slack = (REACH_HIGH - REACH_LOW)[:, None] / (BINS - 1) / 2
        inside = (values >= REACH_LOW[:, None] - slack) & (values <= REACH_HIGH[:, None] + slack)
        return np.asarray(inside.sum(axis=1), dtype=np.int64)


def motion(records: Iterable[Record]) -> Motion | None:
    """Actions of all episodes with an outcome; None where there are none.

    An episode with tokens that its convention lacks is left out, because no environment has acted on them.

    Raises:
        UnknownNameError: a convention that this rtbench does not know.
    """
    acted = [record for record in records if record.outcome and record.tokens]
    if not acted:
        return None
    how = convention(acted[0].convention)
    most = how.tokens_per_dimension
    rows = [tokens for record in acted if ((tokens := record.token_rows) < most).all()]
    if not rows:
        return None
    tokens = np.concatenate(rows)[:, np.argsort(how.order)]
    starts = np.cumsum([0, *(len(row) for row in rows[:-1])])
    first = np.zeros(len(tokens), dtype=bool)
    first[starts] = True
    return Motion(how, tokens, first)


def travel(record: Record) -> float:
    """Length [m] of the commanded path of gripper and base, each step clipped to its reach."""
    steps = motion([record])
    if steps is None:
        return 0.0
    values = np.clip(steps.values, REACH_LOW, REACH_HIGH)
    hand = np.linalg.norm(values[:, :3], axis=1)[steps.modes == Mode.ARM]
    base = np.linalg.norm(values[:, BASE_SLICE][:, :2], axis=1)[steps.modes == Mode.BASE]
    return round(float(hand.sum() + base.sum()), 3)
