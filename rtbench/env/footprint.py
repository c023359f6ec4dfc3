"""Footprints of objects on a counter, as discs, and how much room they leave each other."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtbench.task.object_entry import ObjectEntry

LONG = 1.5
"""Footprints with a larger ratio of length to width are covered by three discs."""


@dataclass(frozen=True)
class Disc:
    """Part of an object's footprint."""

    name: str
    """Of the object."""
    center: tuple[float, float]
    """In the counter's frame [m]."""
    radius: float
    """[m]."""
    height: float
    """Of the object's top above what it stands on [m]."""


def outline(obj: ObjectEntry, *, lying: bool) -> tuple[float, float, float]:
    """Half its length along x, half its width along y, and the height of an object as it starts [m]."""
    x, y, z = obj.half.tolist()
    return (z, y, 2 * x) if lying else (x, y, 2 * z)


def cover(obj: ObjectEntry, center: NDArray[np.float64], yaw: float, *, lying: bool) -> list[Disc]:
    """Discs that cover an object's footprint: one for compact things, three for long ones, four for mats.

    Args:
        obj: The object.
        center: Middle of the footprint in the counter's frame, float64[2] [m].
        yaw: Of the object's x axis in that frame [rad].
        lying: Whether it is on its side.
    """
    length, width, height = outline(obj, lying=lying)
    columns, rows = 1, 1
    if obj.platform:
        columns, rows = 2, 2
    elif length >= LONG * width:
        columns = 3
    whole = columns == rows == 1 and length == width
    radius = length if whole else math.hypot(length / columns, width / rows)
    c, s = math.cos(yaw), math.sin(yaw)
    spots = itertools.product(_middles(length, columns), _middles(width, rows))
    return [
        Disc(obj.name, (float(center[0] + c * u - s * v), float(center[1] + s * u + c * v)), radius, height)
        for u, v in spots
    ]


def _middles(half: float, count: int) -> list[float]:
    """Middles of that many equal pieces of a line from -half to half."""
    return [half * (2 * (k + 0.5) / count - 1) for k in range(count)]


def overhang(obj: ObjectEntry, yaw: float, *, lying: bool) -> float:
    """How far a footprint reaches towards -x from its middle [m]."""
    length, width, _ = outline(obj, lying=lying)
    return length * abs(math.cos(yaw)) + width * abs(math.sin(yaw))


def shortage(
    discs: Iterable[Disc], others: Iterable[Disc], room: Callable[[Disc, Disc], float]
) -> tuple[float, str]:
    """How much room [m] is missing where it is tightest, and beside which object; negative where all fits.

    Args:
        discs: Those of one object.
        others: Those of all that is there already.
        room: Free distance that two discs need between them [m].
    """
    pairs = itertools.product(discs, list(others))
    gaps = ((a.radius + b.radius + room(a, b) - math.dist(a.center, b.center), b.name) for a, b in pairs)
    return max(gaps, default=(-math.inf, ""))
