"""Recorded states of the simulator: the positions from which a frame can be drawn again.

Only what an episode has is stored: joints of the robot, of drawers, and poses of its objects. Objects of the
same sets that it does not use are parked and hidden. That is 0.7 KB a frame, a fifteenth of its image.
"""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np
from numpy.typing import NDArray

_POSE = 7
"""Numbers of a free joint: position [m] and quaternion."""


def addresses(model: mujoco.MjModel, objects: Sequence[str]) -> NDArray[np.int64]:
    """Where a recorded state's numbers are in `qpos`, int64[S].

    Args:
        model: The compiled scene.
        objects: Names of the episode's objects, in its order.

    Returns:
        Addresses of all joints that are not free, in the model's order, then of each object's pose.
    """
    free = mujoco.mjtJoint.mjJNT_FREE
    joints = [int(model.jnt_qposadr[j]) for j in range(model.njnt) if model.jnt_type[j] != free]
    for name in objects:
        first = int(model.joint(f"{name}:free").qposadr[0])
        joints += range(first, first + _POSE)
    return np.array(joints, dtype=np.int64)
