"""Collision shapes of objects: a few convex primitives, flat where the object rests and is gripped.

They are computed without the simulator, so that listing content can refuse objects that the gripper cannot
hold.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rtbench.core.vector import turned

Array = NDArray[np.float64]
Size = tuple[float, ...]
Span = tuple[float, float]
"""Start and end of an interval on a line [m]; empty if the start is greater than the end."""

Form = Literal["box", "cylinder", "capsule", "ellipsoid"]

BOTTLE_CAP = 0.44
"""Width of a bottle's cap as a share of the bottle's."""
BOWL_BOXES = 12
"""Collision boxes around a bowl."""
BOWL_FLOOR = 0.005
"""Thickness of a bowl's floor [m]."""

_NOWHERE: Span = (math.inf, -math.inf)
_EVERYWHERE: Span = (-math.inf, math.inf)


@dataclass(frozen=True)
class Cavity:
    """The inside of a bowl, a cone frustum in the body frame [m]."""

    radius: float
    """Inner radius at the rim."""
    floor_radius: float
    """Inner radius at the floor."""
    floor: float
    """z of the floor's upper face."""
    rim: float
    """z of the rim."""


@dataclass(frozen=True)
class Primitive:
    """One collision geom in the body frame."""

    form: Form
    size: tuple[float, float, float]
    """MuJoCo's geom size [m]: half sizes of a box, (radius, half height, 0) of a cylinder or, without its
    caps, of a capsule, radii of an ellipsoid."""
    pos: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """[m]."""
    quat: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)
    """wxyz."""

    @cached_property
    def rotation(self) -> Array:
        """Rotation matrix float64[3, 3]: its axes in the body frame as columns."""
        w, x, y, z = self.quat
        # Sums in the order of MuJoCo's mju_quat2Mat, so that both give the same bits.
        return np.array(
            [
                [w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)],
                [2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x)],
                [2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z],
            ]
        )

    @property
    def reach(self) -> Array:
        """Half extents float64[3] [m] of its bounding box, aligned with the body frame."""
        reach: Array
        if self.form == "box":
            reach = turned(np.abs(self.rotation), self.size)
        elif self.form == "ellipsoid":
            reach = np.sqrt(turned(self.rotation**2, np.array(self.size) ** 2))
        else:
            radius, half, _ = self.size
            axis = np.abs(self.rotation[:, 2])
            across = 1.0 if self.form == "capsule" else np.sqrt(np.maximum(0.0, 1.0 - axis**2))
            reach = half * axis + radius * across
        return reach

    def span(self, x: float, z: float) -> Span:
        """Interval [m] along y on the line at body x and z [m]; empty where the line misses it."""
        start = turned(self.rotation.T, np.array([x, 0.0, z]) - self.pos)
        along = self.rotation.T[:, 1]
        if self.form == "box":
            return _common(*(_between(s, a, h) for s, a, h in zip(start, along, self.size, strict=True)))
        if self.form == "ellipsoid":
            return _in_ball(start / self.size, along / self.size)
        radius, half, _ = self.size
        tube = _common(_in_ball(start[:2] / radius, along[:2] / radius), _between(start[2], along[2], half))
        if self.form == "cylinder":
            return tube
        cap = np.array([0.0, 0.0, half])
        ends = [_in_ball((start + side * cap) / radius, along / radius) for side in (-1, 1)]
        return min(tube[0], *(e[0] for e in ends)), max(tube[1], *(e[1] for e in ends))


def width(parts: Sequence[Primitive], z: float, pad: float = 0.0) -> float:
    """Distance [m] between fingers that close along y on primitives at body height z; 0 where nothing is.

    Args:
        parts: Collision geoms of the gripped object, in its body frame.
        z: Height in the body frame [m].
        pad: Half width of the finger pads along x [m].
    """
    spans = [part.span(x, z) for part in parts for x in (-pad, 0.0, pad)]
    return max(0.0, max(high for _, high in spans) - min(low for low, _ in spans))


def _between(start: float, along: float, half: float) -> Span:
    """Interval of a line between two planes at -half and half."""
    if abs(along) < 1e-9:
        return _EVERYWHERE if abs(start) <= half else _NOWHERE
    ends = ((-half - start) / along, (half - start) / along)
    return min(ends), max(ends)


def _dot(a: Array, b: Array) -> float:
    """Product of two vectors float64[3] without BLAS, whose last bit depends on the processor."""
    return float((a * b).sum())


def _in_ball(start: Array, along: Array) -> Span:
    """Interval of a line inside the unit ball."""
    a, b, c = _dot(along, along), _dot(start, along), _dot(start, start) - 1.0
    if a < 1e-9:
        return _EVERYWHERE if c <= 0 else _NOWHERE
    root = b * b - a * c
    if root < 0:
        return _NOWHERE
    return (-b - math.sqrt(root)) / a, (-b + math.sqrt(root)) / a


def _common(*spans: Span) -> Span:
    low, high = max(s[0] for s in spans), min(s[1] for s in spans)
    return (low, high) if low <= high else _NOWHERE


def bowl_cavity(size: Size) -> Cavity:
    """The inside of a bowl of diameter, height, base diameter and wall thickness [m]."""
    diameter, height, base, wall = size
    return Cavity(diameter / 2 - wall, base / 2 - wall, BOWL_FLOOR - height / 2, height / 2)


def _can(size: Size) -> tuple[Primitive, ...]:
    diameter, height = size
    return (Primitive("cylinder", (diameter / 2, height / 2, 0)),)


def _cup(size: Size) -> tuple[Primitive, ...]:
    """Solid: nothing is put into a cup, and it grips like a can."""
    diameter, height, base = size
    return (Primitive("cylinder", ((diameter + base) / 4, height / 2, 0)),)


def _bottle(size: Size) -> tuple[Primitive, ...]:
    """Body and neck; the shoulder, from 0.66 to 0.84 of the height, is a step at 0.70."""
    radius, half = size[0] / 2, size[1] / 2
    body = 0.70 * half
    return (
        Primitive("cylinder", (radius, body, 0), (0, 0, body - half)),
        Primitive("cylinder", (BOTTLE_CAP * radius, half - body, 0), (0, 0, body)),
    )


def _fruit(size: Size) -> tuple[Primitive, ...]:
    diameter, height = size
    return (Primitive("ellipsoid", (diameter / 2, diameter / 2, height / 2)),)


def _bag(size: Size) -> tuple[Primitive, ...]:
    """A waist to pinch and a belly to lie on; the crimped seams carry nothing."""
    x, y, z = (length / 2 for length in size)
    return (Primitive("box", (0.86 * x, y, 0.75 * z)), Primitive("box", (0.68 * x, 0.8 * y, z)))


def _block(size: Size) -> tuple[Primitive, ...]:
    x, y, z = (length / 2 for length in size)
    return (Primitive("box", (x, y, z)),)


def _bowl(size: Size) -> tuple[Primitive, ...]:
    """A floor and a ring of leaning boxes whose inner faces follow the inside of the wall."""
    _, height, base, wall = size
    cavity = bowl_cavity(size)
    floor = Primitive("cylinder", (base / 2, BOWL_FLOOR / 2, 0), (0, 0, (BOWL_FLOOR - height) / 2))
    run, rise = cavity.radius - cavity.floor_radius, cavity.rim - cavity.floor
    lean = float(np.arctan2(run, rise))
    out = (cavity.radius + cavity.floor_radius + wall * float(np.cos(lean))) / 2
    up = (cavity.rim + cavity.floor - wall * float(np.sin(lean))) / 2
    half = (wall / 2, cavity.radius * float(np.tan(np.pi / BOWL_BOXES)), float(np.hypot(run, rise)) / 2)
    boxes = []
    for yaw in (2 * np.pi * np.arange(BOWL_BOXES) / BOWL_BOXES).tolist():
        c, s = float(np.cos(yaw / 2)), float(np.sin(yaw / 2))
        d, t = float(np.cos(lean / 2)), float(np.sin(lean / 2))
        quat = (c * d, -s * t, c * t, s * d)  # leaning about y, then turned about z
        pos = (out * float(np.cos(yaw)), out * float(np.sin(yaw)), up)
        boxes.append(Primitive("box", half, pos, quat))
    return (floor, *boxes)


PRIMITIVES: dict[str, Callable[[Size], tuple[Primitive, ...]]] = {
    "can": _can,
    "bottle": _bottle,
    "cup": _cup,
    "ball": _fruit,
    "apple": _fruit,
    "bag": _bag,
    "block": _block,
    "mat": _block,
    "bowl": _bowl,
}
"""Collision shapes by kind of object, of its sizes [m]."""
