"""How much of an object the head camera sees, by rays: fast enough to check every reset."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from rtbench.env.object import COLLISION_GROUP, ObjectSpec

Array = NDArray[np.float64]

_GRID = np.linspace(-0.85, 0.85, 5)
_ONLY_SOLID = np.array([g == COLLISION_GROUP for g in range(6)], dtype=np.uint8)


def visible_share(model: mujoco.MjModel, data: mujoco.MjData, obj: ObjectSpec, camera: str = "head") -> float:
    """Share of an object that neither another object nor the robot hides from a camera, 0 to 1.

    Rays run from the camera to points inside the object; one that meets something else first is hidden.
    Counters and drawers are left out: what lies in a drawer is hidden on purpose.
    """
    body = model.body(obj.name).id
    eye = data.cam_xpos[model.camera(camera).id]
    hit = np.zeros(1, dtype=np.int32)
    points = data.xpos[body] + _inner_points(obj) @ data.xmat[body].reshape(3, 3).T
    seen = 0
    for point in points:
        mujoco.mj_ray(model, data, eye, point - eye, _ONLY_SOLID, 1, -1, hit)
        # A ray that meets nothing passed through a gap in the object's own collision shapes.
        seen += hit[0] < 0 or model.geom_bodyid[hit[0]] == body
    return seen / len(points)


def _inner_points(obj: ObjectSpec) -> Array:
    """Points float64[n, 3] in the body frame, inside the object: two crossed upright grids."""
    u, v = (grid.ravel() for grid in np.meshgrid(_GRID, _GRID))
    zero = np.zeros_like(u)
    across, along = np.stack([u, zero, v], axis=1), np.stack([zero, u, v], axis=1)
    points: Array = np.concatenate([across, along]) * obj.half
    return points
