"""Counts of the numbers that were clipped, by dimension: a wrong unit shows there."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtbench.core.action import BASE_SLICE, DIMENSIONS, GRIPPER, MODE, Mode


def used_dimensions(action: NDArray[np.float64]) -> NDArray[np.bool_]:
    """bool[10]: dimensions of an action float64[11] that its mode uses."""
    used = np.zeros(MODE, dtype=bool)
    if action[MODE] == Mode.ARM:
        used[: GRIPPER + 1] = True
    elif action[MODE] == Mode.BASE:
        used[BASE_SLICE] = True
    return used


class ClipCounter:
    """Counts of one episode."""

    def __init__(self) -> None:
        self._numbers = np.zeros(MODE, dtype=np.int64)
        self._clipped = np.zeros(MODE, dtype=np.int64)
        self._low, self._high = np.full(MODE, np.inf), np.full(MODE, -np.inf)

    def add(self, action: NDArray[np.float64], limited: NDArray[np.bool_]) -> None:
        """Note an action float64[11] before clipping, and which of its dimensions, bool[10], were clipped."""
        used = used_dimensions(action)
        self._numbers += used
        self._clipped += limited & used
        self._low = np.where(used, np.minimum(self._low, action[:MODE]), self._low)
        self._high = np.where(used, np.maximum(self._high, action[:MODE]), self._high)

    def report(self) -> dict[str, dict[str, Any]]:
        """By dimension that was used: 'n' numbers, 'clipped' of them, 'low' and 'high' before clipping."""
        return {
            name: {
                "n": int(self._numbers[i]),
                "clipped": int(self._clipped[i]),
                "low": round(float(self._low[i]), 6),
                "high": round(float(self._high[i]), 6),
            }
            for i, name in enumerate(DIMENSIONS[:MODE])
            if self._numbers[i]
        }
