"""Oracle motions of the base: to a station, or near enough to an object for the arm."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rtbench.core.rotation import wrap
from rtbench.core.vector import length
from rtbench.policy.oracle.motion import View, drive_step, move

Array = NDArray[np.float64]

APRON = 0.35
"""This far behind a station [m] the robot may turn on the spot without touching a counter."""
CLOSE = (0.03, 0.04)
"""Errors at which the base has arrived [m, rad]."""


def drive_to(view: View, pose: Array, close: tuple[float, float] = CLOSE) -> Array | None:
    """Action float64[11] that drives the base to a pose; None once it is there.

    Args:
        view: The present state.
        pose: Wanted base pose, float64[3]: x, y [m], yaw [rad], world.
        close: Errors [m, rad] at which the base has arrived.
    """
    offset = np.asarray(pose) - view.base
    distance, turn = length(offset[:2]), abs(wrap(float(offset[2])))
    if distance <= close[0] and turn <= close[1]:
        return None
    tuck = _tuck(view, far=distance > 0.3 or turn > 0.5)
    if tuck is not None:
        return tuck
    forward = np.array([math.cos(pose[2]), math.sin(pose[2])])
    aside = abs(float(offset[0] * forward[1] - offset[1] * forward[0]))
    if turn < 0.3 and (distance < 0.3 or aside < 0.06):
        return drive_step(view, pose)
    back = _back_off(view)
    if back is not None:
        return drive_step(view, back)
    apron = np.array([*(pose[:2] - APRON * forward), pose[2]])
    return drive_step(view, apron)


def come_near(view: View, point: Array) -> Array | None:
    """Action float64[11] that drives the base nearer to a point; None if the arm reaches it.

    `point` is float64[2]: x, y [m], world.
    """
    c, s = math.cos(view.base[2]), math.sin(view.base[2])
    axis = view.base[:2] + view.ahead * np.array([c, s])
    d = point - axis
    ahead, left = float(c * d[0] + s * d[1]), float(-s * d[0] + c * d[1])
    near, far = view.reach
    if near <= math.hypot(ahead, left) <= far and abs(math.atan2(left, ahead)) < math.radians(75):
        return None
    return drive_to(view, _workplace(view, point))


def _workplace(view: View, point: Array) -> Array:
    """Base pose [m, m, rad] from which the arm reaches a point on the nearest counter."""
    spec = view.world.scene.spec
    near = min(spec.counters, key=lambda c: length(view.world.surface(c).center[:2] - point))
    station = view.world.station(near)
    c, s = math.cos(station[2]), math.sin(station[2])
    d = point - station[:2]
    ahead, left = c * d[0] + s * d[1] - view.ahead, -s * d[0] + c * d[1]
    shift_left = left - float(np.clip(left, *view.robot.base.sides))
    least, most = view.robot.arm.nearer
    shift_ahead = float(np.clip(ahead - least, 0.0, view.robot.base.approach)) if ahead > most else 0.0
    station[:2] += [c * shift_ahead - s * shift_left, s * shift_ahead + c * shift_left]
    return station


def _tuck(view: View, *, far: bool) -> Array | None:
    """Raise the hand before driving, and draw it in before driving far; None once that is so."""
    local = view.world.to_base(view.hand).position
    goal, tucked = local.copy(), view.robot.arm.tucked
    if local[2] < tucked[2] - 0.09:
        goal[2] = tucked[2]
        if local[2] < tucked[2] - 0.2:
            return _move_in_base(view, goal)
    if far and (math.hypot(local[0] - tucked[0], local[1] - tucked[1]) > 0.06 or goal[2] != local[2]):
        goal[:2] = tucked[:2]
        return _move_in_base(view, goal)
    return None if goal[2] == local[2] else _move_in_base(view, goal)


def _move_in_base(view: View, goal: Array) -> Array:
    world = view.in_world(goal)
    carrying = view.carried() is not None
    return move(
        view,
        world,
        view.hand.quaternion if carrying else view.straightened(view.hand_yaw),
        0.0 if carrying else view.wide,
    )


def _back_off(view: View) -> Array | None:
    """A pose straight behind, while the robot stands too near a counter to turn; None when it may turn."""
    c, s = math.cos(view.base[2]), math.sin(view.base[2])
    for name in view.world.scene.spec.counters:
        region = view.world.surface(name)
        local = region.local(np.array([*view.base[:2], 0.0]))
        gap = length(np.maximum(np.abs(local[:2]) - region.half[:2], 0.0))
        ahead = region.center[:2] - view.base[:2]
        if gap < view.robot.base.to_counter + view.ahead + APRON - 0.08 and float(ahead @ [c, s]) > 0:
            return np.array([view.base[0] - 0.3 * c, view.base[1] - 0.3 * s, view.base[2]])
    return None
