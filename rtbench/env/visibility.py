"""Visible share of an object in the head camera, by ray casting: fast enough to check every reset."""

from __future__ import annotations

import math
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from rtbench.core.episode import IMAGE_HEIGHT, IMAGE_WIDTH
from rtbench.core.rotation import rotate
from rtbench.core.vector import turned
from rtbench.core.world import Pose
from rtbench.env.object import COLLISION_GROUP
from rtbench.task.object_entry import ObjectEntry

Array = NDArray[np.float64]

_GRID = np.linspace(-0.85, 0.85, 5)
_ONLY_SOLID = np.array([g == COLLISION_GROUP for g in range(6)], dtype=np.uint8)


def visible_share(
    model: mujoco.MjModel, data: mujoco.MjData, obj: ObjectEntry, camera: str = "head"
) -> float:
    """Share of an object, 0 to 1, in a camera's picture that neither another object nor the robot hides.

    Rays run from the camera to points inside the object. A point is hidden if its ray meets another body
    first. Counters and drawers are left out, because an object in a drawer is hidden on purpose.
    """
    body, number = model.body(obj.name).id, model.camera(camera).id
    eye = data.cam_xpos[number]
    hit = np.zeros(1, dtype=np.int32)
    points = data.xpos[body] + turned(data.xmat[body].reshape(3, 3), _inner_points(obj))
    shown = in_picture(points, eye, data.cam_xmat[number].reshape(3, 3), float(model.cam_fovy[number]))
    seen = 0
    for point in points[np.isfinite(shown).all(axis=1)]:
        mujoco.mj_ray(model, data, eye, point - eye, _ONLY_SOLID, 1, -1, hit)
        # A ray that meets nothing passed through a gap in the object's own collision shapes.
        seen += hit[0] < 0 or model.geom_bodyid[hit[0]] == body
    return seen / len(points)


def in_picture(points: Array, eye: Array, axes: Array, fovy: float) -> Array:
    """Positions of points in a camera's picture, float64[n, 2]: x and y, 0 to 1, from the upper left.

    Args:
        points: float64[n, 3] [m], world; NaN for none.
        eye: Position of the camera, float64[3] [m], world.
        axes: Rotation of world_T_camera, float64[3, 3]: its axes as columns; it looks along its -z.
        fovy: Height of the picture [degrees].

    Returns:
        NaN for points that are NaN, behind the camera or outside the picture.
    """
    x, y, z = turned(axes.T, points - eye).T
    tall = 2 * math.tan(math.radians(fovy) / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.stack([0.5 - x / z / tall * IMAGE_HEIGHT / IMAGE_WIDTH, 0.5 + y / z / tall], axis=1)
        inside = (z < 0) & ((found >= 0) & (found <= 1)).all(axis=1)
    return np.where(inside[:, None], found, np.nan)


@dataclass(frozen=True)
class Sight:
    """Camera position and required visible share of an object at the start."""

    eye: Array
    """Position of the head camera, float64[3] [m], world."""
    least: float
    """Least visible share."""
    most: float
    """Greatest visible share."""

    def fits(self, hidden: float) -> bool:
        """Whether a hidden share meets the requirement, with a margin for changes while settling."""
        margin = (self.most - self.least) / 6
        return self.least + margin <= 1 - hidden <= self.most - margin

    @staticmethod
    def points(obj: ObjectEntry, pose: Pose) -> Array:
        """Points inside an object at a pose, float64[n, 3] [m], world."""
        found: Array = pose.position + [rotate(pose.quaternion, point) for point in _inner_points(obj)]
        return found


@dataclass(frozen=True)
class Cylinder:
    """An upright cylinder on a counter that approximates an object."""

    middle: Array
    """float64[2] [m], world."""
    radius: float
    """Radius [m]."""
    top: float
    """Height of its upper face [m], world; it reaches down below all points of interest."""


def share_behind(eye: Array, points: Array, column: Cylinder) -> float:
    """Share of points, 0 to 1, that a column hides from an eye.

    Args:
        eye: float64[3] [m], world.
        points: float64[n, 3] [m], world.
        column: The cylinder that may stand between.
    """
    ways = points - eye
    flat = ways[:, :2]
    # Where each ray enters and leaves the column's circle, from 0 at the eye to 1 at the point.
    a = np.einsum("ij,ij->i", flat, flat)
    b = (flat * (eye[:2] - column.middle)).sum(axis=1)
    c = float(np.sum((eye[:2] - column.middle) ** 2)) - column.radius**2
    root = b**2 - a * c
    leave = (-b + np.sqrt(np.maximum(root, 0.0))) / np.maximum(a, 1e-12)
    enter = (-b - np.sqrt(np.maximum(root, 0.0))) / np.maximum(a, 1e-12)
    # Rays go down, so each is lowest within the circle where it leaves it.
    lowest = eye[2] + np.minimum(leave, 1.0) * ways[:, 2]
    return float(np.mean((root > 0) & (enter > 0) & (enter < 1) & (lowest < column.top)))


def _inner_points(obj: ObjectEntry) -> Array:
    """Points float64[n, 3] in the body frame, inside the object: two crossed upright grids."""
    u, v = (grid.ravel() for grid in np.meshgrid(_GRID, _GRID))
    zero = np.zeros_like(u)
    across, along = np.stack([u, zero, v], axis=1), np.stack([zero, u, v], axis=1)
    points: Array = np.concatenate([across, along]) * obj.half
    return points
