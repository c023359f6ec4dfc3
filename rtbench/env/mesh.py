"""Meshes of everyday objects: surfaces of revolution, pillows and bevelled blocks.

Meshes are in metres, centred on their bounding box, z up, and closed: the surface bounds a volume, so that
`Mesh.inertia` needs no other description. They hold 40 to 400 faces each because a software renderer pays for
every one of them.

Texture coordinates follow one rule: u runs once around (or from left to right), v from the bottom up. Which
range of v a label may use is the shape's `Layout`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtbench.core.vector import length
from rtbench.task.object_shape import BOTTLE_CAP

CREASE = np.deg2rad(40.0)
"""Neighbouring strips of a profile that bend more than this keep separate normals [rad]."""

CUP_WALL = 0.003
"""Thickness of a cup's wall, half that of its floor [m]."""

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Mesh:
    """A closed triangle mesh; each vertex carries its normal and texture coordinate."""

    vertices: NDArray[np.float32]
    """float32[n, 3] [m]."""
    faces: NDArray[np.int32]
    """int32[m, 3], counter-clockwise seen from outside."""
    texcoords: NDArray[np.float32]
    """float32[n, 2]: u to the right, v up, both 0 to 1."""
    normals: NDArray[np.float32]
    """float32[n, 3], unit, outwards."""

    @property
    def half(self) -> Points:
        """Half extents of the bounding box, float64[3] [m]."""
        half: Points = np.abs(self.vertices.astype(np.float64)).max(axis=0)
        return half

    def inertia(self, mass: float) -> tuple[Points, Points]:
        """Centre of mass float64[3] [m] and inertia about it float64[3, 3] [kg m2] of a homogeneous solid.

        Sums the signed tetrahedra between the origin and each face; their second moments are
        det / 120 * (sum of vertices outer itself + sum of each vertex outer itself).
        """
        corners = self.vertices.astype(np.float64)[self.faces]
        a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
        det = (a * np.cross(b, c)).sum(axis=1)
        total = corners.sum(axis=1)
        volume = det.sum() / 6
        center = (det[:, None] * total).sum(axis=0) / (24 * volume)
        each = np.einsum("fki,fkj->fij", corners, corners) + np.einsum("fi,fj->fij", total, total)
        second = (det[:, None, None] * each).sum(axis=0) / (120 * volume) - np.outer(center, center)
        # Rounded far below any effect: sums differ in their last bits between CPUs, and so would states. A
        # sum that is zero but for these bits rounds to 0 or to -0. Adding 0 makes both of them 0.
        inertia = np.round(mass * (np.trace(second) * np.eye(3) - second), 12)
        return np.round(center, 9) + 0.0, inertia + 0.0


@dataclass(frozen=True)
class Layout:
    """Layout of a shape's texture."""

    width: int
    """Pixels across, power of two."""
    height: int
    """Pixels down, power of two."""
    faces: tuple[tuple[float, float], ...]
    """Ranges of v that show the label, each on one face of the shape."""
    repeats: int
    """Repetitions of the label along u, so that it is visible from any side."""
    lids: tuple[tuple[float, float], ...] = ()
    """Ranges of v of lid, cap or stem, where the shape has one."""
    lid_color: str | None = None
    """Colour of the lids where a label names none; None leaves them the label's ground colour."""
    recess: tuple[float, float] | None = None
    """Range of v of a sunken lid, drawn darker."""
    edge: tuple[float, float] | None = None
    """Range of v of the sides of a block."""


CAN_LAYOUT = Layout(
    256, 192, ((0.10, 0.80),), 2, lids=((0.0, 0.10), (0.80, 1.0)), lid_color="#c4c8ce", recess=(0.88, 1.0)
)
BOTTLE_LAYOUT = Layout(256, 256, ((0.12, 0.62),), 2, lids=((0.88, 1.0),))
FRUIT_LAYOUT = Layout(128, 64, ((0.0, 1.0),), 1, lids=((0.96, 1.0),))
BAG_LAYOUT = Layout(256, 128, ((0.0, 1.0),), 1)
BLOCK_LAYOUT = Layout(256, 256, ((0.0, 0.375), (0.625, 1.0)), 1, edge=(0.375, 0.625))
BOWL_LAYOUT = Layout(128, 64, ((0.1, 0.48),), 6)
CUP_LAYOUT = Layout(256, 128, ((0.06, 0.48),), 2, lids=((0.56, 1.0),))
MAT_LAYOUT = Layout(128, 256, ((0.5, 1.0),), 1, edge=(0.0, 0.5))
"""The face is square, so that a symbol keeps its shape."""


def can(diameter: float, height: float) -> Mesh:
    """An upright drinks can with bevelled ends and a recessed lid. Sizes in metres."""
    r, h, neck = diameter / 2, height / 2, 0.06 * height
    return revolve(
        [
            (0.0, -h, 0.0),
            (0.80 * r, -h, 0.05),
            (r, -h + neck, 0.10),
            (r, h - neck, 0.80),
            (0.84 * r, h, 0.86),
            (0.76 * r, h - 0.03 * height, 0.90),
            (0.0, h - 0.03 * height, 1.0),
        ],
        segments=20,
    )


def bottle(diameter: float, height: float) -> Mesh:
    """An upright bottle: body, shoulder, neck and cap. Sizes in metres."""
    shape = np.array(
        [
            (0.0, 0.0),
            (0.85, 0.0),
            (1.0, 0.03),
            (1.0, 0.66),
            (0.80, 0.75),
            (0.40, 0.84),
            (0.36, 0.88),
            (BOTTLE_CAP, 0.885),
            (BOTTLE_CAP, 0.99),
            (0.36, 1.0),
            (0.0, 1.0),
        ]
    )
    return revolve(np.column_stack([shape * (diameter / 2, height), shape[:, 1]]), segments=16)


def ball(diameter: float, height: float) -> Mesh:
    """A round fruit: a sphere, or an ellipsoid of revolution. Sizes in metres."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, 9)
    radius, z = np.cos(angle) * diameter / 2, np.sin(angle) * height / 2
    radius[[0, -1]] = 0.0
    return revolve(np.column_stack([radius, z, np.linspace(0, 1, 9)]), segments=16)


def apple(diameter: float, height: float) -> Mesh:
    """A round fruit with a dimple above and below. Sizes in metres."""
    shape = np.array(
        [
            (0.0, -0.84),
            (0.32, -1.0),
            (0.74, -0.74),
            (0.95, -0.28),
            (1.0, 0.18),
            (0.88, 0.68),
            (0.52, 1.0),
            (0.20, 0.90),
            (0.0, 0.66),
        ]
    )
    scaled = shape * (diameter / 2, height / 2)
    return revolve(np.column_stack([scaled, np.linspace(0, 1, len(shape))]), segments=16)


def bowl(size: Sequence[float], floor: float) -> Mesh:
    """An open bowl with a flat bottom.

    Args:
        size: diameter, height, diameter of the base it stands on, thickness of the wall [m].
        floor: thickness of the floor [m].
    """
    diameter, height, base, wall = size
    r, h, b = diameter / 2, height / 2, base / 2
    middle = 0.5 * (r + b) + 0.02 * r  # a little outside the chord: the wall bulges
    return revolve(
        [
            (0.0, -h, 0.0),
            (b, -h, 0.1),
            (middle, 0.0, 0.3),
            (r, h, 0.48),
            (r - wall, h, 0.52),
            (middle - wall, floor / 2, 0.7),
            (b - wall, -h + floor, 0.9),
            (0.0, -h + floor, 1.0),
        ],
        segments=24,
    )


def cup(diameter: float, height: float, base: float) -> Mesh:
    """An open cup that widens from its base to its rim. Sizes in metres."""
    r, h, b = diameter / 2, height / 2, base / 2
    return revolve(
        [
            (0.0, -h, 0.0),
            (b, -h, 0.06),
            (r, h, 0.48),
            (r - CUP_WALL, h, 0.56),
            (b - CUP_WALL, -h + 2 * CUP_WALL, 0.9),
            (0.0, -h + 2 * CUP_WALL, 1.0),
        ],
        segments=20,
    )


def rod(diameter: float, length: float) -> Mesh:
    """A cylinder along z. Sizes in metres."""
    r, h = diameter / 2, length / 2
    return revolve([(0.0, -h, 0.0), (r, -h, 0.2), (r, h, 0.8), (0.0, h, 1.0)], segments=16)


def capsule(diameter: float, length: float) -> Mesh:
    """A cylinder along z with round ends, which are part of its length. Sizes in metres."""
    angle = np.linspace(0, np.pi / 2, 4)
    radius, z = np.cos(angle) * diameter / 2, (length - diameter) / 2 + np.sin(angle) * diameter / 2
    radius[-1] = 0.0
    side = np.column_stack([radius, z])
    outline = np.concatenate([side[::-1] * (1, -1), side])
    return revolve(np.column_stack([outline, np.linspace(0, 1, len(outline))]), segments=12)


def ellipsoid(length: float, width: float, height: float) -> Mesh:
    """A ball stretched along x, y and z. Sizes in metres."""
    unit, scale = ball(1.0, 1.0), np.array([length, width, height])
    normals = unit.normals / scale
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return _mesh(unit.vertices * scale, unit.faces, unit.texcoords.astype(np.float64), normals)


def revolve(profile: Sequence[tuple[float, float, float]] | Points, segments: int) -> Mesh:
    """Turn an outline about z.

    Args:
        profile: [k, 3] of radius [m], z [m] and texture v, from the axis at the bottom along the outside to
            the axis again; for a hollow thing on along its inside. Radius 0 at both ends closes the surface.
        segments: faces around.
    """
    line = np.asarray(profile, dtype=np.float64)
    step = np.diff(line[:, :2], axis=0)
    slope = np.column_stack([step[:, 1], -step[:, 0]]) / np.linalg.norm(step, axis=1, keepdims=True)
    low, high = slope.copy(), slope.copy()  # normals at the two ends of each strip, in (r, z)
    for i in range(len(slope) - 1):
        if (slope[i] * slope[i + 1]).sum() > math.cos(CREASE):
            mean = slope[i] + slope[i + 1]
            high[i] = low[i + 1] = mean / length(mean)
    u = np.linspace(0, 1, segments + 1)
    around = np.column_stack([np.cos(2 * np.pi * u), np.sin(2 * np.pi * u)])
    around[-1] = around[0]  # sin(2 pi) is -2e-16, and the seam must close
    ring = segments + 1
    vertices, normals, texcoords, faces = [], [], [], []
    for i in range(len(step)):
        start = 2 * i * ring
        for (r, z, v), normal in ((line[i], low[i]), (line[i + 1], high[i])):
            vertices.append(np.column_stack([r * around, np.full(ring, z)]))
            normals.append(np.column_stack([normal[0] * around, np.full(ring, normal[1])]))
            texcoords.append(np.column_stack([u, np.full(ring, v)]))
        a = start + np.arange(segments)
        if line[i, 0] > 0:
            faces.append(np.column_stack([a, a + 1, a + ring]))
        if line[i + 1, 0] > 0:
            faces.append(np.column_stack([a + 1, a + 1 + ring, a + ring]))
    return _mesh(np.vstack(vertices), np.vstack(faces), np.vstack(texcoords), np.vstack(normals))


def pillow(length: float, width: float, thickness: float) -> Mesh:
    """A lying bag: plump in the middle, flat crimped seams at both ends of its length (x). Metres."""
    columns, rows = 11, 7
    x = np.concatenate([[-1.0], np.linspace(-0.88, 0.88, columns - 2), [1.0]])
    y = np.sin(np.linspace(-np.pi / 2, np.pi / 2, rows))  # denser where the sides curl in
    X, Y = np.meshgrid(x, y, indexing="ij")
    plump = np.clip(1 - (np.abs(X) / 0.88) ** 4, 0, None) ** 0.6 * np.clip(1 - Y**4, 0, None) ** 0.6
    seam = np.abs(X) >= 0.88
    waist = np.where(seam, 0.92, 1.0)  # the bag is drawn in where it is crimped
    flat = np.stack([X * length / 2, Y * waist * width / 2], axis=-1)
    Z = plump / plump.max() * thickness / 2 + 0.0006 * (np.abs(Y) < 1)
    Z *= (thickness / 2) / Z.max()
    top = np.concatenate([flat, Z[..., None]], axis=-1)
    normal = np.cross(np.gradient(top, axis=0), np.gradient(top, axis=1))
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    index = np.arange(columns * rows).reshape(columns, rows)
    a, b, c, d = (i.ravel() for i in (index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]))
    upper = np.vstack([np.column_stack([a, b, c]), np.column_stack([a, c, d])])
    ends = _rim(index)  # the sheets meet along the long sides but not across the ends
    flip = np.array([1.0, 1.0, -1.0])
    top, normal = top.reshape(-1, 3), normal.reshape(-1, 3)
    u, v = (X.ravel() + 1) / 2, (Y.ravel() + 1) / 2
    count = len(top)
    return _mesh(
        np.vstack([top, top * flip]),
        np.vstack([upper, upper[:, ::-1] + count, ends]),
        np.vstack([np.column_stack([u, v]), np.column_stack([1 - u, v])]),
        np.vstack([normal, normal * flip]),
    )


def _rim(index: NDArray[np.int_]) -> NDArray[np.int_]:
    """Faces that close the slit between the two sheets of a pillow at both ends of its length."""
    count = index.size
    strips = []
    for edge in (index[0, ::-1], index[-1]):
        a, b = edge[:-1], edge[1:]
        strips += [np.column_stack([a, a + count, b]), np.column_stack([b, a + count, b + count])]
    return np.vstack(strips)


def block(length: float, width: float, height: float) -> Mesh:
    """A box with bevelled edges. Sizes in metres; the label is on top and bottom, the edges around it."""
    half = np.array([length, width, height]) / 2
    bevel = 0.24 * half.min()
    signs = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=np.float64)
    # Corner c has three vertices, one in each of the faces that meet there: vertex 3 * c + axis.
    vertices = (signs * (half - bevel))[:, None, :] + bevel * signs[:, None, :] * np.eye(3)
    normals = np.broadcast_to(signs[:, None, :] * np.eye(3), vertices.shape)
    faces = _block_faces()
    flat = vertices.reshape(-1, 3)
    corners = flat[faces]
    outward = np.einsum("fi,fi->f", np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]),
                        corners.mean(axis=1))  # fmt: skip
    faces = np.where(outward[:, None] < 0, faces[:, ::-1], faces)
    return _mesh(flat, faces, _block_texcoords(flat / half, signs), normals.reshape(-1, 3))


def mat(length: float, width: float, thickness: float) -> Mesh:
    """A thin card that lies flat; only its top shows the label, whose upper edge is at +x. Metres."""
    form = block(length, width, thickness)
    top = form.normals[:, 2] > 0.99
    low, high = MAT_LAYOUT.faces[0]
    u = 0.5 - form.vertices[:, 1] / width
    v = low + (0.5 + form.vertices[:, 0] / length) * (high - low)
    texcoords = np.column_stack([u, np.where(top, v, low / 2)])
    return replace(form, texcoords=texcoords.astype(np.float32))


def _block_faces() -> NDArray[np.int_]:
    """Triangles of a bevelled box, int[44, 3], of either orientation; vertex 3 * corner + axis."""
    faces: list[tuple[int, int, int]] = []
    bits = (4, 2, 1)  # the bit of a corner's number that holds its side along x, y, z
    for axis in range(3):
        b, c = (bits[k] for k in range(3) if k != axis)
        for side in (0, bits[axis]):
            p, q, r, s = (3 * (side + k) + axis for k in (0, b, b + c, c))
            faces += [(p, q, r), (p, r, s)]
    for axis in range(3):  # bevels along each axis join the vertices of the other two
        j, k = (i for i in range(3) if i != axis)
        for corner in range(8):
            if not corner & bits[axis]:
                far = corner + bits[axis]
                p, q, r, s = 3 * corner + j, 3 * far + j, 3 * far + k, 3 * corner + k
                faces += [(p, q, r), (p, r, s)]
    faces += [(3 * corner, 3 * corner + 1, 3 * corner + 2) for corner in range(8)]
    return np.array(faces)


def _block_texcoords(unit: Points, signs: Points) -> Points:
    """Texture coordinates float64[24, 2] of a block's vertices, given in half extents."""
    low, high = BLOCK_LAYOUT.faces
    edge = BLOCK_LAYOUT.edge or (0.0, 0.0)
    u, v = (unit[:, 0] + 1) / 2, (unit[:, 1] + 1) / 2
    axis = np.tile(np.arange(3), 8)
    up = np.repeat(signs[:, 2] > 0, 3)
    face_v = np.where(up, high[0] + v * (high[1] - high[0]), low[0] + (1 - v) * (low[1] - low[0]))
    edge_v = edge[0] + (unit[:, 2] + 1) / 2 * (edge[1] - edge[0])
    side_u = np.where(axis == 0, v, u)
    return np.column_stack([np.where(axis == 2, u, side_u), np.where(axis == 2, face_v, edge_v)])


def _mesh(vertices: Points, faces: NDArray[np.integer[Any]], texcoords: Points, normals: Points) -> Mesh:
    center = (vertices.max(axis=0) + vertices.min(axis=0)) / 2
    return Mesh(
        vertices=(vertices - center).astype(np.float32),
        faces=faces.astype(np.int32),
        texcoords=texcoords.astype(np.float32),
        normals=normals.astype(np.float32),
    )
