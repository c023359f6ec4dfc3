"""Visual meshes and textures of composite objects, made of the coloured primitives that they collide as."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import ImageColor

from rtbench.core.vector import turned
from rtbench.env.mesh import Mesh, block, capsule, ellipsoid, rod
from rtbench.task.object_parts import PartEntry, assemble
from rtbench.task.object_shape import Primitive

SWATCH = 8
"""Side of a colour's square in the texture [pixels]: wide enough that filtering mixes no colours."""


@dataclass(frozen=True)
class Composite:
    """Visual mesh and texture of an object made of parts, in the body frame."""

    mesh: Mesh
    """The parts' surfaces, not joined."""
    pixels: NDArray[np.uint8]
    """Its texture, uint8[SWATCH, SWATCH * parts, 3]: a square of colour for each part."""
    half: NDArray[np.float64]
    """Half extents of the bounding box, float64[3] [m]."""

    def inertia(self, mass: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Centre of mass float64[3] [m] and inertia float64[3, 3] [kg m2]: those of its bounding box."""
        square = self.half**2
        return np.zeros(3), np.diag(np.round(mass / 3 * (square.sum() - square), 12))


@cache
def compose(parts: tuple[PartEntry, ...]) -> Composite:
    """Visual mesh and texture of some parts; the same object each time."""
    assembly = assemble(parts)
    mesh = _joined([part_mesh(part) for part in parts], assembly.primitives)
    swatches = [np.full((SWATCH, SWATCH, 3), ImageColor.getrgb(part.color)[:3], np.uint8) for part in parts]
    return Composite(mesh, np.concatenate(swatches, axis=1), assembly.half)


def part_mesh(part: PartEntry) -> Mesh:
    """Visual mesh of a part, in its own frame: upright, the origin in the middle."""
    if part.box:
        return block(*part.box)
    if part.ellipsoid:
        return ellipsoid(*part.ellipsoid)
    return capsule(*part.capsule) if part.capsule else rod(*(part.cylinder or (0.0, 0.0)))


def _joined(meshes: list[Mesh], placed: tuple[Primitive, ...]) -> Mesh:
    """All parts' meshes as one, each where its primitive is and in the colour of its square."""
    counts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    vertices = [turned(p.rotation, m.vertices) + p.pos for m, p in zip(meshes, placed, strict=True)]
    normals = [turned(p.rotation, m.normals) for m, p in zip(meshes, placed, strict=True)]
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
