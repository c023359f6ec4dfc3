"""Composite objects made of a few coloured primitives: scissors, a hammer, a stapler.

They look the way they collide. The parts stand in any frame; the assembly moves them so that the
origin is in the middle of their bounding box.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal, Self

import mujoco
import numpy as np
from numpy.typing import NDArray
from PIL import ImageColor
from pydantic import BaseModel, ConfigDict, Field, model_validator

from rtbench.core.rotation import about_z, multiply
from rtbench.env.collision import Primitive
from rtbench.env.color import ColorName
from rtbench.env.mesh import Mesh, block, capsule, ellipsoid, rod

Array = NDArray[np.float64]

MOST_PARTS = 8
SWATCH = 8
"""Side of a colour's square in the texture [pixels]: wide enough that filtering mixes no colours."""
_FORMS = ("box", "cylinder", "capsule", "ellipsoid")
_UPRIGHT = (1.0, 0.0, 0.0, 0.0)
_LYING = {
    "x": (math.sqrt(0.5), 0.0, math.sqrt(0.5), 0.0),
    "y": (math.sqrt(0.5), -math.sqrt(0.5), 0.0, 0.0),
    "z": _UPRIGHT,
}
"""Axis -> unit quaternion (wxyz) that rotates body z to it."""


class PartSpec(BaseModel):
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
        """Its collision geom, in the frame of the content file."""
        kind = mujoco.mjtGeom
        w, x, y, z = multiply(about_z(math.radians(self.turn)), np.array(_LYING[self.axis])).tolist()
        solid = self.box or self.ellipsoid
        if solid:
            a, b, c = (length / 2 for length in solid)
            form = kind.mjGEOM_BOX if self.box else kind.mjGEOM_ELLIPSOID
            return Primitive(form, (a, b, c), self.at, (w, x, y, z))
        diameter, length = self.cylinder or self.capsule or (0.0, 0.0)
        caps = diameter if self.capsule else 0.0
        form = kind.mjGEOM_CAPSULE if self.capsule else kind.mjGEOM_CYLINDER
        return Primitive(form, (diameter / 2, (length - caps) / 2, 0.0), self.at, (w, x, y, z))

    def mesh(self) -> Mesh:
        """Its visual mesh, in its own frame: upright, the origin in the middle."""
        if self.box:
            return block(*self.box)
        if self.ellipsoid:
            return ellipsoid(*self.ellipsoid)
        return capsule(*self.capsule) if self.capsule else rod(*(self.cylinder or (0.0, 0.0)))


@dataclass(frozen=True)
class Assembly:
    """An object made of parts, in the body frame."""

    primitives: tuple[Primitive, ...]
    """Its collision geoms."""
    half: Array
    """Half extents of the bounding box, float64[3] [m]; read only."""
    mesh: Mesh
    """Its visual mesh: the parts' surfaces, not joined."""
    pixels: NDArray[np.uint8]
    """Its texture, uint8[SWATCH, SWATCH * parts, 3]: a square of colour for each part."""

    def inertia(self, mass: float) -> tuple[Array, Array]:
        """Centre of mass float64[3] [m] and inertia float64[3, 3] [kg m2]: those of its bounding box."""
        square = self.half**2
        return np.zeros(3), np.diag(np.round(mass / 3 * (square.sum() - square), 12))


@cache
def assemble(parts: tuple[PartSpec, ...]) -> Assembly:
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
    mesh = _joined([part.mesh() for part in parts], centered)
    swatches = [np.full((SWATCH, SWATCH, 3), ImageColor.getrgb(part.color)[:3], np.uint8) for part in parts]
    return Assembly(tuple(centered), half, mesh, np.concatenate(swatches, axis=1))


def _joined(meshes: list[Mesh], placed: list[Primitive]) -> Mesh:
    """All parts' meshes as one, each where its primitive is and in the colour of its square."""
    counts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    vertices = [m.vertices @ p.rotation.T + p.pos for m, p in zip(meshes, placed, strict=True)]
    normals = [m.normals @ p.rotation.T for m, p in zip(meshes, placed, strict=True)]
    texcoords = [
        np.full((len(mesh.vertices), 2), ((index + 0.5) / len(meshes), 0.5))
        for index, mesh in enumerate(meshes)
    ]
    return Mesh(
        vertices=np.concatenate(vertices).astype(np.float32),
        faces=np.concatenate([m.faces + n for m, n in zip(meshes, counts, strict=False)]).astype(np.int32),
        texcoords=np.concatenate(texcoords).astype(np.float32),
        normals=np.concatenate(normals).astype(np.float32),
    )
