"""Pieces of the robot's geometry: merged by colour, decimated, fitted with capsules."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Part:
    """A visual or collision piece of a source body, in that body's frame."""

    vertices: Array
    faces: NDArray[np.int64]
    rgba: tuple[float, ...]


def cylinder(radius: float, half: float, sides: int = 24) -> tuple[Array, NDArray[np.int64]]:
    """Vertices float64[n, 3] [m] and faces int64[m, 3] of an upright cylinder about the origin."""
    angle = np.arange(sides) * (2 * np.pi / sides)
    ring = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    low, high = np.insert(ring, 2, -half, axis=1), np.insert(ring, 2, half, axis=1)
    i, j = np.arange(sides), (np.arange(sides) + 1) % sides
    side = np.concatenate([np.stack([i, j, sides + j], 1), np.stack([i, sides + j, sides + i], 1)])
    cap = np.stack([np.full(sides, 2 * sides), sides + i, sides + j], 1)
    return np.concatenate([low, high, [[0, 0, half]]]), np.concatenate([side, cap])


def merge(parts: list[Part]) -> Part:
    """One part of several of the same colour."""
    offsets = np.cumsum([0] + [len(p.vertices) for p in parts[:-1]])
    faces = np.concatenate([p.faces + o for p, o in zip(parts, offsets, strict=True)])
    return Part(np.concatenate([p.vertices for p in parts]), faces, parts[0].rgba)


def decimate(part: Part, target: int) -> Part:
    """The part with about `target` faces, or as it is if it has no more."""
    import fast_simplification

    if target >= len(part.faces):
        return part
    # Weld first: decimation cannot close cracks between vertices that only look the same. CAD parts of many
    # loose pieces (the base's 65,000 faces of screws and slots) resist it until nearby vertices are one.
    for grid in (1e-5, 2e-3, 5e-3, 1e-2, 1.5e-2):
        _, first, inverse = np.unique(
            np.round(part.vertices / grid), axis=0, return_index=True, return_inverse=True
        )
        faces = inverse.reshape(-1)[part.faces]
        faces = faces[
            (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 0] != faces[:, 2])
        ]
        _, unique = np.unique(np.sort(faces, axis=1), axis=0, return_index=True)
        faces = faces[np.sort(unique)]
        vertices = part.vertices[first]
        if len(faces) > target:
            vertices, faces = fast_simplification.simplify(
                vertices.astype(np.float32), faces.astype(np.int32), target_count=target, agg=6
            )
        if len(faces) <= 1.3 * target:
            break
    return Part(vertices.astype(np.float64), faces.astype(np.int64), part.rgba)


def write_obj(path: Path, part: Part) -> None:
    """Wavefront OBJ, vertices to a hundredth of a millimetre."""
    lines = [f"v {x:.5f} {y:.5f} {z:.5f}" for x, y, z in part.vertices]
    lines += [f"f {a + 1} {b + 1} {c + 1}" for a, b, c in part.faces]
    path.write_text("\n".join(lines) + "\n")


def fit_capsule(vertices: Array) -> tuple[Array, Array, float]:
    """Capsule (start, end, radius) [m] along the longest principal axis that covers most of a link."""
    centre = vertices.mean(0)
    _, _, axes = np.linalg.svd(vertices - centre, full_matrices=False)
    along = (vertices - centre) @ axes[0]
    radius = float(np.quantile(np.linalg.norm((vertices - centre) - np.outer(along, axes[0]), axis=1), 0.7))
    low, high = along.min() + radius, along.max() - radius
    if low >= high:
        low = high = (low + high) / 2
        high += 1e-3
    return centre + low * axes[0], centre + high * axes[0], radius
