"""Predicted world: the present one with everything at rest and one object moved."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from rtbench.core.world import Pose, Vector, World
from rtbench.task.predicate import evaluate
from rtbench.task.task import Goal


class _Imagined:
    """A world with everything at rest and one object shifted; all else is read from the real world."""

    def __init__(self, world: World, name: str, shift: Vector) -> None:
        self._world, self._name, self._shift = world, name, shift

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._world, attribute)

    def speed(self, name: str) -> float:
        del name
        return 0.0

    def pose(self, name: str) -> Pose:
        pose = self._world.pose(name)
        return Pose(pose.position + self._shift, pose.quaternion) if name == self._name else pose

    def box(self, name: str) -> tuple[Vector, Vector]:
        low, high = self._world.box(name)
        return (low + self._shift, high + self._shift) if name == self._name else (low, high)


def done(world: World, goal: Goal) -> bool:
    """Whether a goal holds as soon as everything is at rest.

    An object in a drawer moves while the drawer is pushed shut. It need not be put in again.
    """
    return evaluate(goal, cast("World", _Imagined(world, "", np.zeros(3))))


def would_hold(world: World, goal: Goal, name: str, shift: Vector) -> bool:
    """Whether a goal would hold if an object were at rest and shifted by `shift` float64[3] [m], world."""
    return evaluate(goal, cast("World", _Imagined(world, name, shift)))
