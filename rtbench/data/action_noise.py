"""Noise on actions: demonstrations then show the way back from states that a trained policy drifts to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtbench.core.action import ARM_SLICE, BASE_SLICE, MODE, Convention, Mode

ARM_STD = np.array([0.02] * 3 + [0.1] * 3)
"""Standard deviations of a disturbed arm action, xyz [m] and rotation [rad]: a quarter of a step's reach."""
BASE_STD = np.array([0.05, 0.05, 0.12])
"""Standard deviations of a disturbed base action, xy [m] and yaw [rad]."""


def perturb(
    tokens: NDArray[np.int64],
    spec: Convention,
    share: float,
    random: np.random.Generator,
    *,
    wider: float = 1.0,
) -> NDArray[np.int64]:
    """The tokens int64[11], or in a share of the calls those of a disturbed action.

    The gripper is never disturbed, since a dropped object may roll out of reach; nor is the end of an
    episode.

    Args:
        tokens: The tokens of the intended action.
        spec: Their convention.
        share: Share of the calls that disturb, 0 to 1.
        random: The episode's own stream.
        wider: Factor of the standard deviations.
    """
    action = spec.decode(tokens)
    mode = Mode(int(action[MODE]))
    if random.random() >= share or mode is Mode.TERMINATE:
        return tokens
    part, std = (BASE_SLICE, BASE_STD) if mode is Mode.BASE else (ARM_SLICE, ARM_STD)
    action[part] += random.normal(0.0, wider * std)
    return spec.encode(action)
