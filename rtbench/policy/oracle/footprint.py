"""The ground that a thing covers, as a rectangle or disc."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtbench.geometry import rotate
from rtbench.policy.oracle.hand import View

Array = NDArray[np.float64]

LEVEL = 0.15
"""An axis this near to the horizontal, or to the vertical, is taken to lie or stand [sine]."""


@dataclass(frozen=True)
class Footprint:
    """A rectangle, or a disc, on the ground."""

    center: Array
    """float64[2] [m], world."""
    half: Array
    """Half sizes along its own axes float64[2] [m]; a disc has its radius twice."""
    yaw: float
    """Of its own axes [rad], world."""
    round: bool

    def distance(self, point: Array) -> float:
        """Of a point float64[2] from its edge [m]; negative within."""
        d = point - self.center
        if self.round:
            return float(np.hypot(*d)) - float(self.half[0])
        c, s = math.cos(self.yaw), math.sin(self.yaw)
        over = np.abs([c * d[0] + s * d[1], c * d[1] - s * d[0]]) - self.half
        return float(np.hypot(*np.maximum(over, 0.0))) + min(0.0, float(np.max(over)))

    def gap(self, other: Footprint) -> float:
        """Distance to another one's edge [m], at most what it is; negative where they overlap."""
        if self.round:
            return other.distance(self.center) - float(self.half[0])
        if other.round:
            return self.distance(other.center) - float(other.half[0])
        d = other.center - self.center
        gaps = []
        for axis in (*self.axes, *other.axes):
            reach = sum(float(f.half @ np.abs(f.axes @ axis)) for f in (self, other))
            gaps.append(abs(float(d @ axis)) - reach)
        return max(gaps)

    @property
    def axes(self) -> Array:
        """Its own axes in the world, unit rows float64[2, 2]."""
        c, s = math.cos(self.yaw), math.sin(self.yaw)
        return np.array([[c, s], [-s, c]])


def footprint(view: View, name: str) -> Footprint:
    """What an object covers now: as it stands or lies, else its bounding box."""
    obj, pose = view.world.scene.objects[name], view.world.pose(name)
    low, high = view.world.box(name)
    center = (low[:2] + high[:2]) / 2
    axis = rotate(pose.quaternion, [0.0, 0.0, 1.0])
    standing, lying = math.hypot(axis[0], axis[1]) < LEVEL, abs(axis[2]) < LEVEL
    if obj.round and standing:
        return Footprint(center, obj.half[:2].copy(), 0.0, round=True)
    if obj.round and lying:
        return Footprint(center, obj.half[[2, 0]], math.atan2(axis[1], axis[0]), round=False)
    if standing:
        x = rotate(pose.quaternion, [1.0, 0.0, 0.0])
        return Footprint(center, obj.half[:2].copy(), math.atan2(x[1], x[0]), round=False)
    return Footprint(center, (high[:2] - low[:2]) / 2, 0.0, round=False)
