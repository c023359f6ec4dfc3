"""Noise on what is acted: demonstrations then show the way back from where a copy of the oracle drifts to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtbench.core.action import ARM_SLICE, BASE_SLICE, MODE, Convention, Mode

ARM_SPREAD = np.array([0.02] * 3 + [0.1] * 3)
"""Standard deviations of a disturbed arm action, xyz [m] and rotation [rad]: a quarter of a step's reach."""
BASE_SPREAD = np.array([0.05, 0.05, 0.12])
"""Likewise of the base, xy [m] and yaw [rad]."""


def perturb(
    tokens: NDArray[np.int64],
    spec: Convention,
    share: float,
    random: np.random.Generator,
    *,
    wider: float = 1.0,
) -> NDArray[np.int64]:
    """The tokens int64[11], or in a share of all calls those of an action that was disturbed.

    The gripper is left alone, for what is dropped may roll out of reach; so is the end of an episode.

    Args:
        tokens: What was to be acted.
        spec: Their convention.
        share: Of the calls that disturb, 0 to 1.
        random: The episode's own stream.
        wider: Factor of the spreads.
    """
    action = spec.decode(tokens)
    mode = Mode(int(action[MODE]))
    if random.random() >= share or mode is Mode.TERMINATE:
        return tokens
    part, spread = (BASE_SLICE, BASE_SPREAD) if mode is Mode.BASE else (ARM_SLICE, ARM_SPREAD)
    action[part] += random.normal(0.0, wider * spread)
    return spec.encode(action)
