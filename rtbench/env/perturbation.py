"""Variants of a scene: other surfaces or light, a camera or a robot that stands elsewhere, a hidden target.

A variant changes a stage's own model in place and never its shape, so that it costs neither a compilation nor
an upload to the renderer. Sizes of a variant are exact and the seed decides the signs: all its episodes are
equally hard, and no two need look the same.
"""

from __future__ import annotations

import math

import mujoco
import numpy as np
from numpy.typing import NDArray

from rtbench.core.rotation import from_rotation_vector, multiply
from rtbench.core.vector import length
from rtbench.env.material import material, surface_of
from rtbench.env.room import LIGHT
from rtbench.task.variant_entry import VariantEntry

HEAD = "head"
"""Name of the head camera."""


def start(
    station: NDArray[np.float64], variant: VariantEntry, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Where the robot starts instead of at a station: x, y [m], yaw [rad], float64[3]."""
    if variant.robot is None:
        return station
    left, turn = _signs(rng, 2) * (variant.robot.aside, math.radians(variant.robot.turn))
    x, y, yaw = station
    c, s = math.cos(yaw), math.sin(yaw)
    return np.array(
        [x - c * variant.robot.back - s * left, y - s * variant.robot.back + c * left, yaw + turn]
    )


def vary(model: mujoco.MjModel, variant: VariantEntry, rng: np.random.Generator) -> None:
    """Write surfaces, light and camera into a model that is as compiled.

    MuJoCo wants `mj_resetData` afterwards: it works out what stands still only once where bodies sleep.
    """
    _dress(variant, model)
    if variant.light is not None:
        number = model.light(LIGHT).id
        direction = np.array(variant.light.direction)
        model.vis.headlight.ambient[:] = variant.light.ambient
        model.light_diffuse[number] = variant.light.diffuse
        model.light_dir[number] = direction / length(direction)
    if variant.camera is not None:
        number = model.camera(HEAD).id
        model.cam_pos[number] += _signs(rng, 3) * variant.camera.shift
        turn = from_rotation_vector(np.radians(_signs(rng, 3) * variant.camera.turn))
        model.cam_quat[number] = multiply(model.cam_quat[number], turn)


def _dress(variant: VariantEntry, model: mujoco.MjModel) -> None:
    for geom in range(model.ngeom):
        number = model.geom_matid[geom]
        surface = surface_of(model.mat(number).name) if number >= 0 else ""
        if surface in variant.surfaces:
            model.geom_matid[geom] = model.mat(material(surface, variant.surfaces[surface])).id


def restore(model: mujoco.MjModel, whole: mujoco.MjModel) -> None:
    """Undo any variant: surfaces, light and camera as the scene was compiled."""
    model.geom_matid[:] = whole.geom_matid
    model.vis.headlight.ambient[:] = whole.vis.headlight.ambient
    model.light_diffuse[:], model.light_dir[:] = whole.light_diffuse, whole.light_dir
    model.cam_pos[:], model.cam_quat[:] = whole.cam_pos, whole.cam_quat


def _signs(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """float64[count] of -1 and 1."""
    signs: NDArray[np.float64] = 2.0 * rng.integers(0, 2, count).astype(np.float64) - 1.0
    return signs
