"""Footprints of objects for the oracle's search, as rectangles or discs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtbench.core.rotation import rotate
from rtbench.policy.oracle.motion import View

Array = NDArray[np.float64]

LEVEL = 0.15
"""Sine of the angle up to which an axis counts as horizontal, or as vertical."""


@dataclass(frozen=True)
class Footprint:
    """A rectangle or a disc on the ground; or many of one size, each at its own place and heading."""

    center: Array
    """float64[..., 2] [m], world."""
    half: Array
    """Half sizes along its own axes float64[2] [m]; a disc has its radius twice."""
    yaw: Array | float
    """Yaw of its own axes [rad], world; float64[...], or one for all."""
    round: bool

    def distance(self, point: Array) -> Array:
        """Distance float64[...] [m] of points float64[..., 2] [m], world, from its edge; negative within."""
        if self.round:
            return _length(point - self.center) - self.radius
        over = np.abs(self.local(point)) - self.half
        distance: Array = _length(np.maximum(over, 0.0)) + np.minimum(0.0, over.max(axis=-1))
        return distance

    def gap(self, other: Footprint) -> Array:
        """Lower bound float64[...] [m] of the distance to another's edge; negative where they overlap."""
        if self.round:
            return other.distance(self.center) - self.radius
        if other.round:
            return self.distance(other.center) - other.radius
        along = np.abs(self.local(other.center)) - self.half - other.reach(self.yaw)
        across = np.abs(other.local(self.center)) - other.half - self.reach(other.yaw)
        gap: Array = np.maximum(along, across).max(axis=-1)
        return gap

    def local(self, point: Array) -> Array:
        """Points float64[..., 2] [m], world, relative to its middle and along its own axes."""
        local: Array = np.einsum("...ij,...j->...i", self.axes, point - self.center)
        return local

    def reach(self, yaw: Array | float) -> Array:
        """Reach float64[..., 2] [m] from its middle along axes with a yaw [rad], float64[...], world."""
        if self.round:
            return self.half
        c, s = np.abs(np.cos(self.yaw - yaw)), np.abs(np.sin(self.yaw - yaw))
        return np.stack([c * self.half[0] + s * self.half[1], s * self.half[0] + c * self.half[1]], axis=-1)

    @property
    def radius(self) -> float:
        """Radius of a disc [m]."""
        return float(self.half[0])

    @property
    def axes(self) -> Array:
        """Its own axes in the world frame, unit rows float64[..., 2, 2]."""
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        axes: Array = np.stack([c, s, -s, c], axis=-1).reshape(*np.shape(c), 2, 2)
        return axes


def _length(vector: Array) -> Array:
    """Length of vectors float64[..., 2]."""
    length: Array = np.hypot(vector[..., 0], vector[..., 1])
    return length


def footprint(view: View, name: str) -> Footprint:
    """Present footprint of an object, as it stands or lies; at other tilts that of its bounding box."""
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
