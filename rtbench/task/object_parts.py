"""Things put together from a few coloured primitives, as content says: scissors, a hammer, a stapler.

The parts stand in any frame; putting them together moves them so that the origin is in the middle of their
bounding box. They are drawn as what they collide as; `rtbench.env.composite` does it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from rtbench.task.appearance import ColorName
from rtbench.task.object_shape import Primitive

MOST_PARTS = 8
_FORMS = ("box", "cylinder", "capsule", "ellipsoid")
_UPRIGHT = (1.0, 0.0, 0.0, 0.0)
_LYING = {
    "x": (math.sqrt(0.5), 0.0, math.sqrt(0.5), 0.0),
    "y": (math.sqrt(0.5), -math.sqrt(0.5), 0.0, 0.0),
    "z": _UPRIGHT,
}
"""wxyz of what brings body z to an axis."""


class PartEntry(BaseModel):
    """One primitive of an assembly, as written in envs/objects/*.yaml; of exactly one of four forms."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    box: tuple[float, float, float] | None = None
    """Length, width, height [m]."""
    cylinder: tuple[float, float] | None = None
    """Diameter, length [m]."""
    capsule: tuple[float, float] | None = None
    """Diameter, length with its round ends [m]."""
    ellipsoid: tuple[float, float, float] | None = None
    """Length, width, height [m]."""
    at: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Its middle [m]."""
    axis: Literal["x", "y", "z"] = "z"
    """Where the length of a cylinder or capsule points."""
    turn: float = Field(default=0.0, ge=-180, le=180)
    """Turned about z, counter-clockwise from above [degrees]."""
    color: ColorName

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        given = [form for form in _FORMS if getattr(self, form) is not None]
        if len(given) != 1:
            raise ValueError(
                f"a part is exactly one of {', '.join(_FORMS)}; got {' and '.join(given) or 'none'}"
            )
        size = getattr(self, given[0])
        if not all(0.002 <= length <= 0.4 for length in size):
            raise ValueError(f"sizes are metres between 0.002 and 0.4, got {list(size)}")
        if self.capsule is not None and self.capsule[0] >= self.capsule[1]:
            raise ValueError("a capsule is longer than its diameter; use an ellipsoid for a ball")
        if self.axis != "z" and (self.box or self.ellipsoid):
            raise ValueError(
                f"'axis' belongs to cylinders and capsules; order the sizes of a {given[0]} instead"
            )
        return self

    def primitive(self) -> Primitive:
        """As a collision shape, in the frame in which it is written."""
        # Products in the order of MuJoCo's mju_mulQuat, with `turn` about z first; see `_LYING`.
        half, (w, x, y, _) = math.radians(self.turn) / 2, _LYING[self.axis]
        c, s = math.cos(half), math.sin(half)
        quat = (c * w, c * x - s * y, c * y + s * x, s * w)
        solid = self.box or self.ellipsoid
        if solid:
            a, b, c = (length / 2 for length in solid)
            return Primitive("box" if self.box else "ellipsoid", (a, b, c), self.at, quat)
        diameter, length = self.cylinder or self.capsule or (0.0, 0.0)
        caps = diameter if self.capsule else 0.0
        size = (diameter / 2, (length - caps) / 2, 0.0)
        return Primitive("capsule" if self.capsule else "cylinder", size, self.at, quat)


@dataclass(frozen=True)
class Assembly:
    """Parts put together, in the body frame."""

    primitives: tuple[Primitive, ...]
    """One for each part, in their order."""
    half: NDArray[np.float64]
    """Half extents of the bounding box, float64[3] [m]; read only."""


@cache
def assemble(parts: tuple[PartEntry, ...]) -> Assembly:
    """The assembly of some parts; the same object each time."""
    placed = [part.primitive() for part in parts]
    low = np.min([p.pos - p.reach for p in placed], axis=0)
    high = np.max([p.pos + p.reach for p in placed], axis=0)
    # Rounded, because matrix products differ in their last bits between processors.
    middle, half = (low + high) / 2, np.round((high - low) / 2, 9)
    half.flags.writeable = False
    centered = []
    for primitive in placed:
        x, y, z = np.round(np.array(primitive.pos) - middle, 9).tolist()
        centered.append(replace(primitive, pos=(x, y, z)))
    return Assembly(tuple(centered), half)
