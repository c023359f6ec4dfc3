"""Variants of a scene: other surfaces or light, a camera or a robot that stands elsewhere, a hidden target.

A variant changes a stage's own model in place and never its shape, so that it costs neither a compilation nor
an upload to the renderer. Sizes of a variant are exact and the seed decides the signs: all its episodes are
equally hard, and no two need look the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import mujoco
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from rtbench.core.errors import UnknownNameError
from rtbench.core.rotation import from_rotation_vector, multiply
from rtbench.env.material import Surface, Texture, material, surface_of
from rtbench.env.room import LIGHT
from rtbench.task.yaml_loader import Entry, read_folder

FOLDER = "envs/variants"
HEAD = "head"
"""Name of the head camera."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LightSpec(_Model):
    """The light of a room."""

    ambient: float = Field(ge=0.05, le=0.9)
    """What lights all sides alike: the headlight, grey, 0 to 1."""
    diffuse: tuple[float, float, float]
    """Colour of the ceiling's light, RGB, 0 to 1."""
    direction: tuple[float, float, float]
    """Where the ceiling's light shines to, in the world; downwards."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not all(0 <= channel <= 1 for channel in self.diffuse):
            raise ValueError(f"colours of light are between 0 and 1, got {list(self.diffuse)}")
        if self.direction[2] >= 0:
            raise ValueError(f"a ceiling's light shines downwards, got the direction {list(self.direction)}")
        return self


class CameraSpec(_Model):
    """How far the head camera is from its place; the seed draws the sign of each number."""

    shift: tuple[float, float, float]
    """Forwards, to the left and up [m], in the base frame."""
    turn: tuple[float, float, float]
    """Tilt, pan and roll: a rotation vector in the picture's axes right, up and backwards [degrees]."""


class RobotSpec(_Model):
    """How far the robot starts from its station; the seed draws the sign of each number."""

    back: float = Field(ge=0)
    """Backwards [m]; always backwards, for there is a counter in front."""
    aside: float = Field(ge=0)
    """[m]"""
    turn: float = Field(ge=0)
    """Degrees."""


class Variation(Entry):
    """One variant, as written in envs/variants/*.yaml; what it does not name stays as it is."""

    surfaces: dict[Surface, Texture] = Field(default_factory=dict)
    """Kind of surface -> texture that it shows instead."""
    light: LightSpec | None = None
    camera: CameraSpec | None = None
    robot: RobotSpec | None = None
    visible: tuple[float, float] | None = None
    """Least and greatest share of the first object that shows at the start: a distractor hides the rest."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.visible is not None and not 0 < self.visible[0] < self.visible[1] <= 1:
            raise ValueError(f"visible is [least, greatest] between 0 and 1, got {list(self.visible)}")
        return self

    def start(self, station: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        """Where the robot starts instead of at a station: x, y [m], yaw [rad], float64[3]."""
        if self.robot is None:
            return station
        left, turn = _signs(rng, 2) * (self.robot.aside, math.radians(self.robot.turn))
        x, y, yaw = station
        c, s = math.cos(yaw), math.sin(yaw)
        return np.array([x - c * self.robot.back - s * left, y - s * self.robot.back + c * left, yaw + turn])

    def apply(self, model: mujoco.MjModel, rng: np.random.Generator) -> None:
        """Write surfaces, light and camera into a model that is as compiled.

        MuJoCo wants `mj_resetData` afterwards: it works out what stands still only once where bodies sleep.
        """
        self._dress(model)
        if self.light is not None:
            number = model.light(LIGHT).id
            direction = np.array(self.light.direction)
            model.vis.headlight.ambient[:] = self.light.ambient
            model.light_diffuse[number] = self.light.diffuse
            model.light_dir[number] = direction / np.linalg.norm(direction)
        if self.camera is not None:
            number = model.camera(HEAD).id
            model.cam_pos[number] += _signs(rng, 3) * self.camera.shift
            turn = from_rotation_vector(np.radians(_signs(rng, 3) * self.camera.turn))
            model.cam_quat[number] = multiply(model.cam_quat[number], turn)

    def _dress(self, model: mujoco.MjModel) -> None:
        for geom in range(model.ngeom):
            number = model.geom_matid[geom]
            surface = surface_of(model.mat(number).name) if number >= 0 else ""
            if surface in self.surfaces:
                model.geom_matid[geom] = model.mat(material(surface, self.surfaces[surface])).id


def restore(model: mujoco.MjModel, whole: mujoco.MjModel) -> None:
    """Undo any variant: surfaces, light and camera as the scene was compiled."""
    model.geom_matid[:] = whole.geom_matid
    model.vis.headlight.ambient[:] = whole.vis.headlight.ambient
    model.light_diffuse[:], model.light_dir[:] = whole.light_diffuse, whole.light_dir
    model.cam_pos[:], model.cam_quat[:] = whole.cam_pos, whole.cam_quat


def load_variation(name: str, extra: Sequence[Path] = ()) -> Variation:
    """The variant of that name; '' is the one that changes nothing.

    Raises:
        UnknownNameError: there is none of that name.
        ContentError: a file that cannot be used.
    """
    if not name:
        return Variation(name="")
    known = read_folder(FOLDER, Variation, extra)
    if name not in known:
        raise UnknownNameError("variant", name, known)
    return known[name]


def _signs(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """float64[count] of -1 and 1."""
    return 2.0 * rng.integers(0, 2, count) - 1.0
