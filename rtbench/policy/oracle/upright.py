"""Standing a lying can or bottle up, and knocking a standing one over."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtbench.env.scene import ARM_AHEAD
from rtbench.geometry import about_z, difference, from_rotation_vector, multiply, rotate, wrap
from rtbench.policy.oracle.grasp import Grasp, reach_for
from rtbench.policy.oracle.hand import FINGERTIP, HAND_HALF, MAX_OPENING, PALM, View, move, stay, travel
from rtbench.world import Pose

Array = NDArray[np.float64]

LEVEL_HEIGHT = 0.097
"""Height at which the level hand holds an object over the counter [m]: wrist and forearm just clear it."""
HEADINGS = np.array([50, 70, 90, 110, 30])
"""Headings of the level hand off the arm's own direction [degrees] with the gripper's x axis up, mirrored with it
down: at the others the wrist meets its limits."""
LEVEL_LIFT = 0.10
"""Height over the counter [m] at which a gripped can is turned."""
CHECKED = 20
"""So many of the best places are tried out by inverse kinematics."""
EASY_POSE = (0.55, 0.0, 1.12)
"""Grip point in the base frame from which the arm gets anywhere [m]."""
FELLED = math.radians(60)
"""Leaning so far it falls by itself."""


@dataclass(frozen=True)
class _Stand:
    """Where and how an object is stood on its foot."""

    spot: Array
    """Middle of the object, float64[2] [m], world."""
    quaternion: Array
    """Of the level hand, world."""


def stand_up(view: View, name: str) -> Array | None:
    """One step of standing an object up; None when it stands and is free."""
    world = view.world
    axis = rotate(world.pose(name).quaternion, [0.0, 0.0, 1.0])
    if not world.held(name):
        if axis[2] > math.cos(0.17):
            return None
        return _grasp(view, name, axis)
    low, _ = world.box(name)
    lift = float(low[2]) - _counter_below(view, name)
    upright = axis[2] > math.cos(0.10)
    if not upright and lift < 0.03 and view.leaning < 0.2:
        return move(view, view.hand.position + [0.0, 0.0, 0.08], view.hand.quaternion, 0.0)
    here = world.pose(name).position[:2]
    if upright and lift < 0.03:
        blocked = bool(world.bumping()) and lift < 0.025
        if lift > 0.006 and not blocked:
            return move(view, view.hand.position - [0.0, 0.0, lift - 0.002], view.hand.quaternion, 0.0)
        return stay(view, view.opening + 0.022)
    stand = _best_stand(view, name, axis)
    if stand is None:  # from here the arm cannot: start over from an easy pose
        return move(view, view.in_world(EASY_POSE), view.down(view.hand_yaw if view.leaning < 1.0 else 0.0), 0.0)
    across = stand.spot - here
    height = _counter_below(view, name) + LEVEL_LIFT + float(world.scene.objects[name].half[2]) + _towards_top(view, name)
    if np.linalg.norm(across) < 0.03 and upright:
        return move(view, view.hand.position - [0.0, 0.0, lift - 0.002], stand.quaternion, 0.0)
    goal = np.array([*(view.hand.position[:2] + across), height])
    return move(view, goal, stand.quaternion, 0.0)


def _grasp(view: View, name: str, axis: Array) -> Array | None:
    """One step of gripping a lying object across, the way round that the wrist is nearer to."""
    options = [_grasp_lying(view, name, axis, turn) for turn in (0.0, math.pi)]
    options = [g for g in options if view.leaning > 0.15 or view.turned_down(g.yaw) is not None] or options
    return reach_for(view, name, min(options, key=lambda g: abs(wrap(g.yaw - view.hand_yaw))))


def _grasp_lying(view: View, name: str, axis: Array, turn: float) -> Grasp:
    obj, pose = view.world.scene.objects[name], view.world.pose(name)
    low, high = view.world.box(name)
    middle = pose.position + _towards_top(view, name) * axis
    height = max(float(high[2]) - PALM + 0.005, float(low[2]) + FINGERTIP + 0.004)
    yaw = wrap(math.atan2(axis[1], axis[0]) - float(view.base[2]) + turn)
    return Grasp(np.array([middle[0], middle[1], height]), yaw, obj.grasp_width, float(high[2]))


def _towards_top(view: View, name: str) -> float:
    """How far from its middle an object is gripped [m]: high enough for the level wrist to clear the counter."""
    return float(np.clip(LEVEL_HEIGHT - view.world.scene.objects[name].half[2], 0.0, 0.036))


def _best_stand(view: View, name: str, axis: Array) -> _Stand | None:
    """The nearest free place and easiest heading of the level hand at which the arm can stand it up, if any."""
    current = multiply(difference_to_up(axis), view.hand.quaternion)
    heading = rotate(current, [0.0, 0.0, 1.0])
    now = math.atan2(heading[1], heading[0])
    options = []
    for spot in _stand_spots(view, name):
        bearing = _bearing(view, spot)
        for offset in HEADINGS * (1 if rotate(current, [1.0, 0.0, 0.0])[2] > 0 else -1):
            wanted = float(view.base[2]) + bearing + math.radians(offset)
            quaternion = multiply(about_z(wrap(wanted - now)), current)
            turn = float(np.linalg.norm(difference(quaternion, view.hand.quaternion)))
            cost = 20 * _level_crowding(view, name, spot, wanted) + 0.05 * turn
            cost += 0.6 * float(np.linalg.norm(spot - view.world.pose(name).position[:2]))
            options.append((cost, spot, quaternion))
    options.sort(key=lambda option: option[0])
    for _, spot, quaternion in options[:CHECKED]:
        if _reachable(view, name, spot, quaternion):
            return _Stand(spot, quaternion)
    return None


def _stand_spots(view: View, name: str) -> list[Array]:
    counter = _counter_name(view, name)
    return [view.world.scene.to_world(counter, x, y) for x in (0.07, 0.11, 0.15) for y in np.linspace(-0.3, 0.3, 9)]


def _level_crowding(view: View, name: str, spot: Array, heading: float) -> float:
    """How far the level hand and the object stand in other things [m]."""
    c, s = math.cos(heading), math.sin(heading)
    radius = float(view.world.scene.objects[name].half[0]) + 0.012
    worst = 0.0
    for other in view.world.names():
        if other == name:
            continue
        low, high = view.world.box(other)
        d = (low[:2] + high[:2]) / 2 - spot
        size = float(np.max(high[:2] - low[:2])) / 2
        along, across = -(c * d[0] + s * d[1]), -s * d[0] + c * d[1]  # along: back from the object to the wrist
        beyond = math.hypot(max(0.0, -along, along - 0.30), max(0.0, abs(across) - HAND_HALF[1]))
        worst = max(worst, size - beyond, radius + size - float(np.linalg.norm(d)))
    return worst


def difference_to_up(axis: Array) -> Array:
    """Quaternion of the shortest turn that brings a unit vector upright."""
    turn = np.cross(axis, [0.0, 0.0, 1.0])
    sine, cosine = float(np.linalg.norm(turn)), float(axis[2])
    if sine < 1e-6:
        return np.array([1.0, 0.0, 0.0, 0.0]) if cosine > 0 else np.array([0.0, 1.0, 0.0, 0.0])
    return from_rotation_vector(turn / sine * math.atan2(sine, cosine))


def _bearing(view: View, spot: Array) -> float:
    """Direction of a spot seen from the arm's axis, in the base frame [rad]."""
    local = view.world.to_base(Pose(np.array([*spot, 0.0]), view.hand.quaternion)).position
    return math.atan2(local[1], local[0] - ARM_AHEAD)


def _reachable(view: View, name: str, spot: Array, quaternion: Array) -> bool:
    """Whether the arm gets from where it is to standing the object there, in steps as the controller takes."""
    arm, controller = view.env.arm, view.env.controller
    half = float(view.world.scene.objects[name].half[2])
    counter = _counter_below(view, name)
    target = view.world.to_base(Pose(np.array([*spot, counter + half + _towards_top(view, name)]), quaternion))
    angles = controller.angles
    here, turned = arm.forward(angles)
    whole = difference(target.quaternion, turned)
    steps = 12
    for step in range(1, steps + 1):
        share = step / steps
        position = here + share * (target.position - here)
        position[2] = max(position[2], counter + half + LEVEL_LIFT) if step < steps else target.position[2]
        turn = multiply(from_rotation_vector(share * whole), turned)
        solution = arm.solve(angles, position, turn, iterations=5)
        angles = solution.angles
    there = solution.position_error < 0.01 and solution.rotation_error < 0.05
    return there and arm.lowest(angles) > counter + 0.003


def knock_over(view: View, name: str) -> Array | None:
    """One step of pushing an object over; None once it is falling or lies."""
    world = view.world
    axis = rotate(world.pose(name).quaternion, [0.0, 0.0, 1.0])
    if axis[2] < math.cos(FELLED):
        return None
    if world.held(name):
        return stay(view, MAX_OPENING)
    direction = _fall(view, name)
    low, high = world.box(name)
    height = float(high[2]) - 0.020 if axis[2] > 0.98 else max(float(high[2]) - 0.03, float(low[2]) + 0.06)
    pose = world.pose(name)
    radius = float(world.scene.objects[name].width_at(float(world.scene.objects[name].half[2]) - 0.03)) / 2
    top = pose.position[:2] + axis[:2] * float(world.scene.objects[name].half[2])
    start = np.array([*(top - (radius + 0.035) * direction), height])
    yaw = wrap(math.atan2(direction[1], direction[0]) - float(view.base[2]))
    yaw = yaw if abs(yaw) <= math.pi / 2 else wrap(yaw + math.pi)
    quaternion = view.down(yaw)
    off = view.hand.position - start
    along = float(off[:2] @ direction)
    across = abs(float(off[0] * direction[1] - off[1] * direction[0]))
    ready = across < 0.015 and abs(off[2]) < 0.02 and -0.05 < along < 0.12 and view.opening < 0.01
    if ready:
        push = np.array([*(view.hand.position[:2] + 0.05 * direction), height])
        return move(view, push, quaternion, 0.0)
    over = view.hand.position[2] - FINGERTIP > high[2] + 0.01
    if np.linalg.norm(off[:2]) < 0.015 or not over and np.linalg.norm(off[:2]) < 0.03:
        return move(view, start, quaternion, 0.0)
    above = np.array([*start[:2], float(high[2]) + FINGERTIP + 0.03])
    return travel(view, above, quaternion, 0.0)


def _fall(view: View, name: str) -> Array:
    """Unit vector float64[2], world: where the object may fall without hitting others or leaving the counter."""
    world = view.world
    pose, obj = world.pose(name), world.scene.objects[name]
    length, radius = float(2 * obj.half[2]), float(obj.half[0])
    region = world.surface(_counter_name(view, name))
    best, least = np.array([1.0, 0.0]), math.inf
    for angle in np.arange(16) * (2 * math.pi / 16):
        direction = np.array([math.cos(angle), math.sin(angle)])
        cost = 0.0
        for other in world.names():
            if other == name:
                continue
            low, high = world.box(other)
            d = (low[:2] + high[:2]) / 2 - pose.position[:2]
            along, across = float(d @ direction), abs(float(d[0] * direction[1] - d[1] * direction[0]))
            size = float(np.max(high[:2] - low[:2])) / 2
            beyond = max(0.0, -along - 0.09, along - length - 0.09)
            cost += 10 * max(0.0, radius + size + 0.03 - math.hypot(across, beyond))
        end = pose.position[:2] + (length + 0.10) * direction
        local = region.local(np.array([*end, 0.0]))
        cost += 60 * max(0.0, float(np.max(np.abs(local[:2]) - region.half[:2])) + 0.02)
        start = world.to_base(type(pose)(np.array([*(pose.position[:2] - 0.08 * direction), 1.0]), pose.quaternion))
        cost += 10 * max(0.0, math.hypot(start.position[0] - 0.2, start.position[1]) - 0.72)
        # A can that is being pushed is pushed on in the same direction.
        lean = rotate(pose.quaternion, [0.0, 0.0, 1.0])[:2]
        cost -= 3.0 * float(lean @ direction)
        hand = view.hand.position[:2] - pose.position[:2]
        cost += 0.05 * float(hand @ direction)
        if cost < least:
            best, least = direction, cost
    return best


def _counter_name(view: View, name: str) -> str:
    position = view.world.pose(name).position
    counters = view.world.scene.spec.counters
    return min(counters, key=lambda c: float(np.linalg.norm(view.world.surface(c).center[:2] - position[:2])))


def _counter_below(view: View, name: str) -> float:
    return float(view.world.surface(_counter_name(view, name)).center[2])


