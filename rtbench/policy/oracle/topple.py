"""Oracle motions that knock a standing can or bottle over."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtbench.core.rotation import rotate, wrap
from rtbench.core.vector import length
from rtbench.core.world import Pose
from rtbench.policy.oracle.grasp import crowding
from rtbench.policy.oracle.motion import View, counter_of, move, stay, travel

Array = NDArray[np.float64]

FELLED = math.radians(60)
"""Tilt from which an object falls by itself [rad]."""
BELOW_TOP = 0.020
"""The fingers push this far below the top [m]."""
SQUAT = 1.5
"""An object whose height is less than this times its width slides when it is pushed level, because friction
of the fingers holds its near side down. The fingers begin lower and lift that side as they go on."""
SQUAT_BELOW_TOP = 0.035
"""The fingers push squat objects this far below the top [m]."""
RISE = 0.6
"""Rise of the fingers per advance, for squat objects [1]."""
BESIDE = 0.025
"""Fingers whose middle is this near to the side of an object push it [m]: they are 1 cm thick."""
SLIDE = 0.06
"""Distance over which an object may be pushed before it falls [m]."""
STEP = 0.05
"""Advance of the push in a step [m]."""
RUN_UP = 0.035
"""The push starts this far before the object's side [m]."""
FALL_ROOM = 0.10
"""Room kept beyond where the top comes to lie [m]: cans roll a little."""


@dataclass(frozen=True)
class _Push:
    """Parameters of a push."""

    direction: Array
    """Unit vector float64[2], world."""
    start: Array
    """Grip point from which the push starts [m], world."""
    quaternion: Array
    """Orientation of the hand, wxyz, world."""
    top: float
    """Height of the object's top [m]."""


def knock_over(view: View, name: str) -> Array | None:
    """Action float64[11] that pushes an object over; None once it is falling or lies."""
    if rotate(view.world.pose(name).quaternion, [0.0, 0.0, 1.0])[2] < math.cos(FELLED):
        return None
    if view.world.held(name):
        return stay(view, view.wide)
    onwards = _under_way(view, name)
    if onwards is not None:
        rise = RISE if _squat(view, name) else 0.0
        return move(view, view.hand.position + STEP * np.array([*onwards, rise]), view.hand.quaternion, 0.0)
    push = _push(view, name)
    off = view.hand.position - push.start
    along = float(off[:2] @ push.direction)
    across = abs(float(off[0] * push.direction[1] - off[1] * push.direction[0]))
    if across < 0.015 and abs(off[2]) < 0.02 and -0.05 < along < 0.12 and view.opening < 0.01:
        place = view.hand.position[:2] + STEP * push.direction
        return move(view, np.array([*place, push.start[2]]), push.quaternion, 0.0)
    aside = length(off[:2])
    over = view.hand.position[2] - view.shape.tip > push.top + 0.01
    if aside < (0.015 if over else 0.03):
        return move(view, push.start, push.quaternion, 0.0)
    above = np.array([*push.start[:2], push.top + view.shape.tip + 0.03])
    return travel(view, above, push.quaternion, 0.0)


def _push(view: View, name: str) -> _Push:
    obj, pose = view.world.scene.objects[name], view.world.pose(name)
    axis = rotate(pose.quaternion, [0.0, 0.0, 1.0])
    low, high = view.world.box(name)
    direction = _fall(view, name)
    height = (
        float(high[2]) - _below_top(view, name)
        if axis[2] > 0.98
        else max(float(high[2]) - 0.03, float(low[2]) + 0.06)
    )
    radius = obj.width_at(float(obj.half[2]) - 0.03) / 2
    top = pose.position[:2] + axis[:2] * float(obj.half[2])
    start = np.array([*(top - (radius + RUN_UP) * direction), height])
    return _Push(direction, start, view.straightened(_push_yaw(view, direction)), float(high[2]))


def _push_yaw(view: View, direction: Array) -> float:
    """Heading of the hand in the base frame [rad]: along the push, as the wrist is at ease."""
    yaw = wrap(math.atan2(direction[1], direction[0]) - float(view.base[2]))
    return yaw if abs(yaw) <= math.pi / 2 else wrap(yaw + math.pi)


def _fall(view: View, name: str) -> Array:
    """Unit vector float64[2], world: where the object falls clear of others and stays on the counter."""
    angles = np.arange(16) * (2 * math.pi / 16)
    directions = [np.array([math.cos(a), math.sin(a)]) for a in angles]
    return min(directions, key=lambda direction: _fall_cost(view, name, direction))


def _fall_cost(view: View, name: str, direction: Array) -> float:
    pose, obj = view.world.pose(name), view.world.scene.objects[name]
    length, radius = float(2 * obj.half[2]), float(obj.half[0])
    cost = 0.0
    for other in view.world.names():
        if other != name:
            low, high = view.world.box(other)
            size = float(np.max(high[:2] - low[:2])) / 2
            gap = _from_strip((low[:2] + high[:2]) / 2 - pose.position[:2], direction, length)
            cost += 10 * max(0.0, radius + size + 0.03 - gap)
    region = view.world.surface(counter_of(view, name))
    end = region.local(np.array([*(pose.position[:2] + (length + FALL_ROOM) * direction), 0.0]))
    cost += 60 * max(0.0, float(np.max(np.abs(end[:2]) - region.half[:2])) + 0.02)
    for ahead, most in ((-0.08, view.reach[1] - 0.01), (SLIDE, view.reach[1] + 0.01)):
        place = np.array([*(pose.position[:2] + ahead * direction), 1.0])
        local = view.world.to_base(Pose(place, pose.quaternion)).position
        cost += 10 * max(0.0, math.hypot(local[0] - view.ahead, local[1]) - most)
    # The hand itself, where the push begins and ends.
    places = pose.position[:2] + np.outer([-obj.half[0] - RUN_UP, length / 2], direction)
    height = float(pose.position[2] + obj.half[2]) - _below_top(view, name)
    cost += 10 * float(crowding(view, name, places, height, _push_yaw(view, direction)).sum())
    # What leans already is pushed on the same way; else the side that the hand is on is preferred.
    lean = rotate(pose.quaternion, [0.0, 0.0, 1.0])[:2]
    hand = view.hand.position[:2] - pose.position[:2]
    return cost - 3.0 * float(lean @ direction) + 0.05 * float(hand @ direction)


def _under_way(view: View, name: str) -> Array | None:
    """The direction float64[2] of a push that has begun; None where none has, or where it leads nowhere.

    A squat object slides before it tips, so a push that was planned anew in each step would never topple it.
    """
    pose, obj = view.world.pose(name), view.world.scene.objects[name]
    away = pose.position[:2] - view.hand.position[:2]
    distance = length(away)
    low = view.hand.position[2] - view.shape.tip < view.world.box(name)[1][2] - 0.004
    beside = distance < float(obj.half[0]) + BESIDE
    if not (low and beside and view.opening < 0.01 and view.leaning < 0.15) or distance < 0.005:
        return None
    direction: Array = away / distance
    region = view.world.surface(view.world.counter(name))
    ahead = np.array([*(pose.position[:2] + (float(obj.half[2]) + FALL_ROOM) * direction), 0.0])
    reach = length(view.world.to_base(pose).position[:2] - [view.ahead, 0.0])
    return direction if region.covers(ahead) and reach < view.reach[1] + 0.03 else None


def _squat(view: View, name: str) -> bool:
    half = view.world.scene.objects[name].half
    return bool(half[2] < SQUAT * half[0])


def _below_top(view: View, name: str) -> float:
    """Distance below its top at which an object is pushed [m]."""
    return SQUAT_BELOW_TOP if _squat(view, name) else BELOW_TOP


def _from_strip(point: Array, direction: Array, length: float) -> float:
    """Distance [m] of a point from the line of the push, from 9 cm before the object to its far end."""
    along, across = float(point @ direction), abs(float(point[0] * direction[1] - point[1] * direction[0]))
    return math.hypot(across, max(0.0, -along - 0.09, along - length - 0.09))
