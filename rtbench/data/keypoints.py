"""Keypoints in the picture and numbers about the hand that demonstrations record beside actions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

POINTS = 4
"""The task's first object, its second, its drawer, and the gripper."""


GRIP = 4
"""Numbers about how an object is gripped; see `Demonstration.grips`."""


HAND = 13
"""Numbers about the hand; see `hand_pose`."""


FINE = 0.02
"""Offsets of the hand are told the finer the smaller they are, from about here on [m]."""


def hand_pose(proprio: NDArray[np.float32], grips: NDArray[np.float32]) -> NDArray[np.float32]:
    """What is to be known of the hand, float32[T, HAND].

    Its position in the base frame and its opening [m]; cosine and sine of its heading h; of twice the heading
    g at which it grips, for half a turn makes no difference; of what it has to turn, twice g - h; and where
    the object is from it, as asinh(offset / FINE): a centimetre counts when the fingers go down, not before.

    Args:
        proprio: float32[T, 15]; see `rtbench.core.episode.Observation`.
        grips: float32[T, GRIP]; see `Demonstration.grips`. What follows from NaN is NaN.
    """
    w, x, y, z = proprio[:, 10:14].T
    heading = np.arctan2(2 * (x * y + w * z), 1 - 2 * (y * y + z * z))
    angles = np.stack([heading, 2 * grips[:, 3], 2 * (grips[:, 3] - heading)], axis=1)
    turned = np.stack([np.cos(angles), np.sin(angles)], axis=2).reshape(len(angles), -1)
    offset = np.arcsinh(grips[:, :3] / FINE)
    found: NDArray[np.float32] = np.concatenate([proprio[:, [7, 8, 9, 14]], turned, offset], axis=1)
    return found.astype(np.float32)
