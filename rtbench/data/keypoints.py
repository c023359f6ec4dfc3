"""Keypoints in the image and numbers about the hand, which demonstrations record beside actions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from rtbench.env.sim_world import SimWorld
    from rtbench.task.task import Task

POINTS = 4
"""The task's first object, its second, its drawer, and the gripper."""


GRIP = 4
"""Numbers about the grip of an object; see `Demonstration.grips`."""


HAND = 13
"""Numbers about the hand; see `hand_pose`."""


FINE = 0.02
"""Length [m] below which an offset of the hand is scaled linearly, and above which logarithmically."""


def keypoint_places(task: Task, world: SimWorld) -> NDArray[np.float64]:
    """Places of the keypoints now, float64[POINTS, 3] [m], world; NaN for those that the task has not."""
    places = np.full((POINTS, 3), math.nan)
    for number, name in enumerate(task.objects[: POINTS - 2]):
        places[number] = world.pose(name).position
    if drawers := task_drawers(task, world):
        places[-2] = world.pose(drawers[0]).position
    places[-1] = world.gripper().position
    return places


def hand_pose(proprio: NDArray[np.float32], grips: NDArray[np.float32]) -> NDArray[np.float32]:
    """Targets of the keypoint loss about the hand, float32[T, HAND].

    They are its position in the base frame and its opening [m]; cosine and sine of its heading h; of twice
    the heading g of a grip, since half a turn makes no difference; of the angle to turn, twice g - h; and the
    offset of the object from the hand as asinh(offset / FINE), since a centimetre matters only near the
    object.

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


def task_drawers(task: Task, world: SimWorld) -> list[str]:
    """Drawers of the task's goal, or in which its objects begin."""
    named = [name for leaf in task.goal.leaves() for name in leaf.arguments]
    named += task.start.place.values()
    return [name for name in named if name in world.scene.spec.drawers]
