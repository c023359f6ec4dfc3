"""Standing a lying can or bottle up, and knocking a standing one over."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rtbench.geometry import about_z, difference, from_rotation_vector, multiply, rotate, wrap
from rtbench.policy.oracle.grasp import Grasp, reach_for
from rtbench.policy.oracle.hand import FINGERTIP, MAX_OPENING, PALM, View, move, stay, travel
from rtbench.policy.oracle.place import free_spot

Array = NDArray[np.float64]

TOWARDS_TOP = 0.018
"""The can is gripped this far [m] from its middle towards its top, so that the level hand stays off the counter."""
HEADINGS = (50, -50, 70, -70, 90, -90, 30, -30, 110, -110)
"""Headings of the level hand off the arm's own direction [degrees]: straight ahead the wrist meets its limit."""
LEVEL_LIFT = 0.10
"""Height over the counter [m] at which a gripped can is turned."""
FELLED = math.radians(60)
"""Leaning so far it falls by itself."""


def stand_up(view: View, name: str) -> Array | None:
    """One step of standing an object up; None when it stands and is free."""
    world = view.world
    axis = rotate(world.pose(name).quaternion, [0.0, 0.0, 1.0])
    if not world.held(name):
        if axis[2] > math.cos(0.17):
            return None
        return reach_for(view, name, _grasp_lying(view, name, axis))
    counter = _counter_below(view, name)
    low, _ = world.box(name)
    goal = _level_hand(view, name, axis)
    turn = difference(goal, view.hand.quaternion)
    lift = float(low[2]) - counter
    if np.linalg.norm(turn) > 0.10 and axis[2] < math.cos(0.12):
        return _turn(view, name, goal, lift, counter)
    if lift > 0.006:
        down = view.hand.position - np.array([0.0, 0.0, lift - 0.002])
        return move(view, down, view.hand.quaternion if axis[2] > math.cos(0.06) else goal, 0.0)
    return stay(view, view.opening + 0.022)


def _turn(view: View, name: str, goal: Array, lift: float, counter: float) -> Array:
    half = float(view.world.scene.objects[name].half[2])
    height = counter + half + LEVEL_LIFT
    if lift < 0.05 and view.hand.position[2] < height - 0.02:
        return move(view, np.array([*view.hand.position[:2], height]), view.hand.quaternion, 0.0)
    spot = free_spot(view, name, _counter_name(view, name))
    here = view.hand.position
    return move(view, np.array([*(here[:2] + 0.5 * (spot - here[:2])), height]), goal, 0.0)


def _grasp_lying(view: View, name: str, axis: Array) -> Grasp:
    obj, pose = view.world.scene.objects[name], view.world.pose(name)
    low, high = view.world.box(name)
    middle = pose.position + TOWARDS_TOP * axis
    height = max(float(high[2]) - PALM + 0.005, float(low[2]) + FINGERTIP + 0.004)
    # The gripper's x axis along the object's top: tilting x up then stands it on its foot.
    yaw = math.atan2(axis[1], axis[0]) - float(view.base[2])
    yaw = wrap(yaw)
    return Grasp(np.array([middle[0], middle[1], height]), yaw, obj.grasp_width, float(high[2]))


def _level_hand(view: View, name: str, axis: Array) -> Array:
    """World quaternion of the hand that holds the object upright, the nearest one that the arm can take."""
    # Orientation of the hand that would bring the object's axis to vertical, for each heading about it.
    upright = difference_to_up(axis)
    current = multiply(upright, view.hand.quaternion)
    ahead = float(view.base[2])
    heading = rotate(current, [0.0, 0.0, 1.0])
    now = math.atan2(heading[1], heading[0])
    best, least = current, math.inf
    for offset in HEADINGS:
        wanted = ahead + _bearing(view) + math.radians(offset)
        candidate = multiply(about_z(wrap(wanted - now)), current)
        cost = float(np.linalg.norm(difference(candidate, view.hand.quaternion))) + 0.2 * abs(math.radians(offset)) / 2
        if cost < least and _reachable(view, candidate):
            best, least = candidate, cost
    return best


def difference_to_up(axis: Array) -> Array:
    """Quaternion of the shortest turn that brings a unit vector upright."""
    turn = np.cross(axis, [0.0, 0.0, 1.0])
    sine, cosine = float(np.linalg.norm(turn)), float(axis[2])
    if sine < 1e-6:
        return np.array([1.0, 0.0, 0.0, 0.0]) if cosine > 0 else np.array([0.0, 1.0, 0.0, 0.0])
    return from_rotation_vector(turn / sine * math.atan2(sine, cosine))


def _bearing(view: View) -> float:
    """Direction of the hand seen from the arm's axis, in the base frame [rad]."""
    local = view.world.to_base(view.hand).position
    return math.atan2(local[1], local[0] - 0.2)


def _reachable(view: View, quaternion: Array) -> bool:
    """Whether the arm gets from where it is to that orientation in place, in steps as the controller takes."""
    from rtbench.world import Pose

    arm, controller = view.env.arm, view.env.controller
    target = view.world.to_base(Pose(view.hand.position, quaternion))
    angles, (_, turned) = controller.angles, arm.forward(controller.angles)
    whole = difference(target.quaternion, turned)
    position = target.position.copy()
    position[2] = max(position[2], 0.98)
    for share in np.linspace(0.1, 1.0, 10):
        step = multiply(from_rotation_vector(share * whole), turned)
        solution = arm.solve(angles, position, step, iterations=4)
        angles = solution.angles
    return solution.position_error < 0.01 and solution.rotation_error < 0.05


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
    height = float(high[2]) - 0.018 if axis[2] > 0.98 else max(float(high[2]) - 0.03, float(low[2]) + 0.06)
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
        cost += 20 * max(0.0, float(np.max(np.abs(local[:2]) - region.half[:2])) + 0.02)
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


