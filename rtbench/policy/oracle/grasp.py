"""Oracle motions for grasps from above: choice of the grasp, and the steps to it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rtbench.core.rotation import rotate, wrap
from rtbench.core.vector import length
from rtbench.policy.oracle.footprint import Footprint, footprint
from rtbench.policy.oracle.motion import View, move, settle, stay, travel
from rtbench.task.robot_entry import ShapeEntry

Array = NDArray[np.float64]

ALIGNED = (0.016, 0.02, 0.3)
"""Errors at which the fingers close: across [m], in height [m], in yaw [rad]. Twice as strict, it was no
better (95 of 100 disturbed episodes either way), and worse for training: a pixel is a centimetre wide."""
OVER = (0.022, 0.35)
"""Errors across [m] and in yaw [rad] at which the fingers begin to descend: half is corrected on the way."""
ROUND = 0.024
"""Error across at which the fingers continue down around the object [m]."""
DEEP = 0.015
"""Fingers that are this far below an object's top leave it straight upwards [m]."""
BESIDE = 0.06
"""Nearer than this across, the hand goes straight to where it hovers, whatever stands around [m]."""
HOVER = 0.045
"""Fingertips wait this far above the object's top [m]."""
TURNING = 0.008
"""Cost of turning [m / rad], as crowding: 45 degrees cost as much as a lack of the least air."""
YAW_RANGE = math.radians(115)
"""The wrist turns this far to each side of straight ahead."""
UPRIGHT, LEANING = 0.8, 0.6
"""Least z of the unit axis of an object that stands, and of one that is no longer about level."""
STRAIGHT = 0.15
"""A hand that leans less points down [rad]."""
SLACK = 0.006
"""Least air on each side of the object between open fingers [m]."""
YAWS = 24
"""Headings tried in a full turn."""
CLOSING = 0.012
"""Slow fingers that are less than this narrower than the object still close around it [m]."""
BLOCKED = 0.025
"""A hand that stands on a neighbour closes if it lacks no more height than this [m]."""
LONG, ASIDE = 0.04, 0.45
"""Objects longer than twice the first [m] may be gripped off the middle by that share of the half length."""


@dataclass(frozen=True)
class Grasp:
    """A grasp from above."""

    position: Array
    """Grip point, world, float64[3] [m]."""
    yaw: float
    """Heading of the gripper's x axis in the base frame [rad]; fingers open across it."""
    width: float
    """Width of the gripped part [m]."""
    top: float
    """Height of the object's top [m]."""


def reach_for(view: View, name: str, grasp: Grasp | None = None) -> Array | None:
    """Action float64[11] towards holding the object; None once it is held."""
    if view.world.held(name):
        return None
    other = view.carried()
    if other is not None and other != name:
        return put_back(view, other)
    grasp = grasp or best_grasp(view, name)
    across = length(grasp.position[:2] - view.hand.position[:2])
    above = float(view.hand.position[2] - grasp.position[2])
    turned = abs(wrap(grasp.yaw - view.hand_yaw))
    wide = view.opening > grasp.width + 0.003
    # Fingers that close within a step hold or have missed. Slow ones are opened again once they have missed.
    ready = wide or (view.soft and view.opening > grasp.width - CLOSING)
    straight = view.leaning < STRAIGHT
    quaternion = view.turned_down(grasp.yaw) if straight else None
    quaternion = view.straightened(grasp.yaw) if quaternion is None else quaternion
    deep = abs(above) < ALIGNED[1] or (0 < above < BLOCKED and view.pressing)
    if across < ALIGNED[0] and deep and turned < ALIGNED[2] and ready and straight:
        return stay(view, 0.0)
    below_top = view.hand.position[2] - view.shape.tip < grasp.top
    landed = below_top and above > ALIGNED[1] and name in view.world.touched()
    near = across < (ROUND if below_top else OVER[0]) and turned < OVER[1]
    if near and straight and wide and above > -ALIGNED[1] and not landed:
        return settle(view, grasp.position, quaternion, view.wide)
    return _hover(view, name, grasp, quaternion)


def _hover(view: View, name: str, grasp: Grasp, quaternion: Array) -> Array:
    """One step towards where the hand waits over a grasp, turned as it will grip, open."""
    across = length(grasp.position[:2] - view.hand.position[:2])
    hover = np.array([*grasp.position[:2], grasp.top + HOVER + view.shape.tip])
    if view.hand.position[2] - view.shape.tip < grasp.top - DEEP and across < 0.10:
        # The fingers are beside or around the object, but misaligned: straight up first.
        up = np.array([*view.hand.position[:2], hover[2]])
        return move(view, up, view.hand.quaternion if view.leaning > STRAIGHT else quaternion, view.wide)
    if across < BESIDE:
        return settle(view, hover, quaternion, view.wide)
    return travel(view, hover, quaternion, view.wide, ignore=(name,))


def put_back(view: View, name: str) -> Array:
    """Action float64[11] that releases an object that is in the way of the task, low over its place."""
    low = float(view.world.box(name)[0][2])
    ground = _support(view, name)
    if low > ground + 0.008:
        down = view.hand.position - np.array([0.0, 0.0, low - ground - 0.004])
        return move(view, down, view.hand.quaternion, view.opening - 0.01)
    return stay(view, view.wide)


def _support(view: View, name: str) -> float:
    """Height of the counter below an object [m]; the lowest counter's where there is none."""
    position = view.world.pose(name).position
    counters = [view.world.surface(c) for c in view.world.scene.spec.counters]
    below = [float(c.center[2]) for c in counters if c.covers(position)]
    return max(below, default=min(float(c.center[2]) for c in counters))


def best_grasp(view: View, name: str) -> Grasp:
    """The grasp with the most room for fingers and hand, nearest to how the hand is turned now."""
    candidates = _candidates(view, name)
    middle = view.world.pose(name).position[:2]
    aside = [0.3 * length(grasp.position[:2] - middle) for grasp in candidates]
    return easiest(view, name, candidates, aside)


def easiest(view: View, name: str, grasps: Sequence[Grasp], also: Sequence[float]) -> Grasp:
    """The grasp with the most room and the least turn.

    Args:
        view: The present state.
        name: The object.
        grasps: Candidates, all with one height of the grip point.
        also: Further cost of each candidate [m].
    """
    places = np.array([grasp.position[:2] for grasp in grasps])
    yaws = np.array([grasp.yaw for grasp in grasps])
    turns = np.array([abs(wrap(grasp.yaw - view.hand_yaw)) for grasp in grasps])
    crowded = crowding(view, name, places, float(grasps[0].position[2]), yaws)
    return grasps[int(np.argmin(crowded + TURNING * turns + np.array(also)))]


def gripped_along(view: View, name: str) -> float | None:
    """Heading of the gripper's x axis in the base frame [rad], or half a turn more, at which it grips.

    None where any will do: for round things that do not lie.
    """
    obj, axis = view.world.scene.objects[name], rotate(view.world.pose(name).quaternion, [0, 0, 1])
    if obj.round and (abs(axis[2]) > UPRIGHT or not obj.rest_lying):
        return None
    if obj.round:  # lying on its side: across its axis
        return wrap(math.atan2(axis[1], axis[0]) - float(view.base[2]))
    _, across = _level(view, name)[0]
    return wrap(math.atan2(across[1], across[0]) + math.pi / 2 - float(view.base[2]))


def _candidates(view: View, name: str) -> list[Grasp]:
    obj, pose = view.world.scene.objects[name], view.world.pose(name)
    low, high = view.world.box(name)
    height = grip_height(view.shape, float(low[2]), float(high[2]))
    position = np.array([*pose.position[:2], height])
    along = gripped_along(view, name)
    yaws = _yaws(view, along)
    if obj.round:
        width = obj.grasp_width
        if along is None:
            width = obj.width_at(float(height - pose.position[2])) or width
            yaws = [0.0] if _in_drawer(view, name) else yaws
        return [Grasp(position, y, width, float(high[2])) for y in yaws]
    level = _level(view, name)
    half = level[0][0]
    if _in_drawer(view, name):  # with the wrist on the robot's side, away from the handles above
        yaws = [min(yaws, key=abs)]
    # Long soft or even objects may be gripped off the middle where a tall one stands next to it.
    (reach, length), aside = level[-1], np.zeros(3)
    if obj.kind in {"bag", "block"} and reach > LONG:
        aside = ASIDE * reach * np.array([*length[:2], 0.0])
    places = [position] if not aside.any() else [position, position + aside, position - aside]
    return [Grasp(place, y, 2 * half, float(high[2])) for place in places for y in yaws]


def grip_height(shape: ShapeEntry, low: float, high: float) -> float:
    """Height of the grip point [m] for an object between two heights: low, but with the palm clear of it."""
    return max((low + high) / 2, high - shape.palm + 0.005, low + shape.tip + 0.004)


def _level(view: View, name: str) -> list[tuple[float, Array]]:
    """Half extents [m] and axes, float64[3], world, of a box or bag that are about level, narrowest first."""
    obj, quaternion = view.world.scene.objects[name], view.world.pose(name).quaternion
    axes = [rotate(quaternion, axis) for axis in np.eye(3)]
    level = [(float(half), axis) for half, axis in zip(obj.half, axes, strict=True) if abs(axis[2]) < LEANING]
    return sorted(level, key=lambda pair: pair[0])


def _yaws(view: View, along: float | None) -> list[float]:
    """Headings [rad], base frame, with the gripper's x axis along one; None: as it is now, or all round."""
    if along is None:
        return [view.hand_yaw, *(wrap(k * math.pi / YAWS * 2 - math.pi / 2) for k in range(YAWS // 2 + 1))]
    both = [along, wrap(along + math.pi)]
    return [y for y in both if abs(y) < YAW_RANGE] or [min(both, key=abs)]


def _in_drawer(view: View, name: str) -> bool:
    position = view.world.pose(name).position
    for drawer in view.world.scene.spec.drawers:
        cavity = view.world.drawn_out(drawer)
        if cavity.covers(position) and abs(position[2] - cavity.center[2]) < 0.10:
            return True
    return False


def crowding(view: View, name: str, places: Array, height: float, yaw: Array | float) -> Array:
    """Depth float64[...] [m] by which open fingers and hand would overlap other objects; 0 where all is free.

    Args:
        view: The present state.
        name: The object to grasp, which is not in the way.
        places: Grip points float64[..., 2] [m], world.
        height: Height of the grip point [m].
        yaw: Yaw of the gripper's x axis in the base frame [rad], float64[...], or one for all.
    """
    heading = yaw + float(view.base[2])
    palm = Footprint(places, np.array(view.shape.hand), heading, round=False)
    out = view.shape.middle * np.stack([-np.sin(heading), np.cos(heading)], axis=-1)
    fingers = replace(palm, center=np.stack([places + out, places - out]), half=np.array(view.shape.finger))
    worst = np.full(np.broadcast(places[..., 0], heading).shape, -SLACK)
    for other in view.world.names():
        if other == name or view.world.scene.objects[other].cavity is not None:
            continue
        top = float(view.world.box(other)[1][2])
        if top <= height - view.shape.tip:
            continue
        thing = footprint(view, other)
        worst = np.maximum(worst, -thing.gap(fingers).min(axis=0))
        if top > height + view.shape.knuckles:
            worst = np.maximum(worst, -thing.gap(palm))
    return worst + SLACK
