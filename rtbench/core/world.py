"""`World`, the protocol between predicates, oracle and simulator, with poses and regions.

Frames: world is x, y horizontal, z up, metres. Poses are positions float64[3] with quaternions float64[4]
in wxyz order. `rtbench.env.sim_world.SimWorld` implements it; tests use small fakes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Pose:
    """A rigid pose in the world frame."""

    position: Vector
    """float64[3] [m]."""
    quaternion: Vector
    """float64[4], wxyz, unit."""


@dataclass(frozen=True)
class Region:
    """An upright box or cylinder that something can stand on (a surface) or lie in (a cavity)."""

    center: Vector
    """float64[3] [m], world; for a surface the middle of its top face."""
    half: Vector
    """float64[3] half sizes [m] along the region's own axes; a cylinder has half[0] == half[1] == radius."""
    yaw: float = 0.0
    """Rotation about world z [rad]."""
    round: bool = False
    """True for a cylinder."""

    def local(self, point: Vector) -> Vector:
        """A world point float64[3] in the region's axes, relative to its center [m]."""
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        d = np.asarray(point, dtype=np.float64) - self.center
        return np.array([c * d[0] + s * d[1], -s * d[0] + c * d[1], d[2]])

    def covers(self, point: Vector, margin: float = 0.0) -> bool:
        """Whether the point lies over the region's footprint, `margin` [m] inside its edge."""
        x, y, _ = self.local(point)
        if self.round:
            return bool(np.hypot(x, y) <= self.half[0] - margin)
        return bool(abs(x) <= self.half[0] - margin and abs(y) <= self.half[1] - margin)


class World(Protocol):
    """Privileged state of one environment. Names are of objects, drawers, sinks, surfaces and stations."""

    def names(self) -> tuple[str, ...]:
        """Objects present, in episode order."""
        ...

    def pose(self, name: str) -> Pose:
        """Pose of an object's body frame (its centre of volume; local z is up when it stands upright)."""
        ...

    def speed(self, name: str) -> float:
        """Speed of an object's fastest surface point, about |v| + radius * |w| [m/s]."""
        ...

    def box(self, name: str) -> tuple[Vector, Vector]:
        """World-aligned bounding box of an object: low and high corners float64[3] [m]."""
        ...

    def touching(self, a: str, b: str) -> bool:
        """Whether two objects, or an object and a surface, drawer or 'robot', are in contact."""
        ...

    def held(self, name: str) -> bool:
        """Whether both fingers press on the object."""
        ...

    def opening(self, drawer: str) -> float:
        """Distance by which a drawer is drawn out [m], 0 when shut."""
        ...

    def surfaces(self) -> tuple[str, ...]:
        """Surfaces that objects can stand on: all counters, then the platforms present, such as mats."""
        ...

    def surface(self, name: str) -> Region:
        """Top face of a counter or platform, at its present pose."""
        ...

    def counter(self, name: str) -> str:
        """The counter that an object stands on, or is nearest to.

        A robot at its station faces along the yaw of its surface: ahead is the surface's own x, left its y.
        """
        ...

    def cavity(self, name: str) -> Region:
        """Inside of a bowl, drawer or sink, at its present pose; a drawer's whole inside, open or shut."""
        ...

    def base(self) -> Vector:
        """Pose of the robot's base, float64[3]: x, y [m], yaw [rad], world frame."""
        ...

    def station(self, name: str) -> Vector:
        """Base pose for work at a counter, float64[3]: x, y [m], yaw [rad], world frame."""
        ...

    def notes(self, leaf: str) -> dict[str, float]:
        """What a predicate with a memory keeps, by the leaf's text; empty before the first observation."""
        ...

    def gripper(self) -> Pose:
        """Pose of the point between the fingertips; local z points out of the hand, y along the opening."""
        ...

    def gripper_opening(self) -> float:
        """Distance between the finger pads [m], 0 to 0.08."""
        ...
