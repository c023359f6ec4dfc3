"""Variants of a scene, as written in envs/variants/*.yaml.

Other surfaces or light, a camera or a robot that stands elsewhere, a hidden target.
`rtbench.env.perturbation` applies them.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rtbench.task.appearance import Surface, Texture
from rtbench.task.yaml_loader import Entry

Shift = Annotated[float, Field(ge=-0.5, le=0.5)]
"""Of the camera [m]: further away it sees no counter."""
Turn = Annotated[float, Field(ge=-45, le=45)]
"""Of the camera [degrees]."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LightEntry(_Model):
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


class CameraEntry(_Model):
    """How far the head camera is from its place; the seed draws the sign of each number."""

    shift: tuple[Shift, Shift, Shift]
    """Forwards, to the left and up [m], in the base frame."""
    turn: tuple[Turn, Turn, Turn]
    """Tilt, pan and roll: a rotation vector in the picture's axes right, up and backwards [degrees]."""


class RobotEntry(_Model):
    """How far the robot starts from its station; the seed draws the sign of each number."""

    back: float = Field(ge=0, le=0.5)
    """Backwards [m]; always backwards, for there is a counter in front."""
    aside: float = Field(ge=0, le=0.5)
    """[m]"""
    turn: float = Field(ge=0, le=90)
    """Degrees."""


class VariantEntry(Entry):
    """One variant, as written in envs/variants/*.yaml; what it does not name stays as it is."""

    surfaces: dict[Surface, Texture] = Field(default_factory=dict)
    """Kind of surface -> texture that it shows instead."""
    light: LightEntry | None = None
    camera: CameraEntry | None = None
    robot: RobotEntry | None = None
    visible: tuple[float, float] | None = None
    """Least and greatest share of the first object that shows at the start: a distractor hides the rest."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.visible is not None and not 0 < self.visible[0] < self.visible[1] <= 1:
            raise ValueError(f"visible is [least, greatest] between 0 and 1, got {list(self.visible)}")
        return self
