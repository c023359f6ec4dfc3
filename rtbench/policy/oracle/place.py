"""Putting things down: where there is room, and the steps that bring them there."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rtbench.env.scene import ARM_AHEAD
from rtbench.geometry import about_z, rotate, wrap
from rtbench.policy.oracle.drawer import drawer_window
from rtbench.policy.oracle.grasp import Grasp, crowding
from rtbench.policy.oracle.hand import MAX_OPENING, PALM, REACH, View, move, stay, travel
from rtbench.world import Region

Array = NDArray[np.float64]

GAP = 0.03
"""Gap left to the thing that something is put near [m]: half of what counts as near."""
ARRIVED = 0.012
"""Error across at which a carried thing may be lowered [m]."""
TOUCHDOWN = 0.005
"""Height over the ground at which the fingers open [m]."""
PRESSING = 0.012
"""A hand this far above where it is sent stands on something [m]."""
LOOSEN = 0.022
"""The fingers open by this much to let go [m]; neighbours stand near."""


def put_down(
    view: View, name: str, spot: Array, ground: float, *, least: float = 0.0, yaw: float | None = None
) -> Array:
    """One step of bringing a held object to a spot and letting it go there.

    Args:
        view: What is so now.
        name: The object in the hand.
        spot: Where its middle is to be, float64[2] [m], world.
        ground: Height of what it is put on [m].
        least: Height below which the grip point may not go [m]: the palm must clear a rim.
        yaw: Heading of the gripper in the base frame [rad]; as it is, for None.
    """
    low, high = view.world.box(name)
    error = spot - (low[:2] + high[:2]) / 2
    quaternion = view.down(view.hand_yaw) if yaw is None else view.turned_down(yaw)
    quaternion = view.down(view.hand_yaw) if quaternion is None else quaternion
    turned = 0.0 if yaw is None else abs(wrap(yaw - view.hand_yaw))
    height = max(ground + float(view.hand.position[2] - low[2]) + TOUCHDOWN - 0.002, least)
    if np.linalg.norm(error) > ARRIVED or turned > 0.15 or view.leaning > 0.15:
        over = np.array([*(view.hand.position[:2] + error), height + 0.04])
        if np.linalg.norm(error) < 0.03 and turned <= 0.15:
            return move(view, np.array([*over[:2], view.hand.position[2]]), quaternion, 0.0)
        return travel(view, over, quaternion, 0.0)
    pressing = view.env.controller.position[2] < view.hand.position[2] - PRESSING and low[2] < ground + 0.04
    landed = pressing or _landed(view, name, float(low[2]) - ground)
    if view.hand.position[2] > height + 0.004 and not landed:
        target = np.array([*(view.hand.position[:2] + error), height])
        return move(view, target, quaternion, 0.0)
    return stay(view, view.opening + LOOSEN)


def _landed(view: View, name: str, gap: float) -> bool:
    """Whether it stands on something, a little above where it was thought to."""
    grounds = (*view.world.scene.spec.counters, *view.world.scene.spec.drawers, *view.world.names())
    return gap < 0.03 and any(view.world.touching(name, g) for g in grounds if g != name)


def retreat(view: View) -> Array:
    """One step back out of a place, along the fingers, open."""
    back = -rotate(view.hand.quaternion, [0.0, 0.0, 1.0])
    return move(view, view.hand.position + 0.07 * back, view.hand.quaternion, MAX_OPENING)


def near_spot(view: View, name: str, target: str) -> tuple[Array, float]:
    """The best spot beside a target, float64[2] [m], and the hand's heading in the base frame [rad]."""
    low, high = view.world.box(target)
    middle, half = (low[:2] + high[:2]) / 2, (high[:2] - low[:2]) / 2
    best, least = (middle, view.hand_yaw), math.inf
    # Fixed headings beside the present one: options that moved along with the hand would never be reached.
    for yaw in (view.hand_yaw, *np.radians([0.0, 45.0, -45.0, 90.0, -90.0])):
        turn = wrap(yaw - view.hand_yaw)
        own = _turned_half(view, name, turn)
        spots = []
        for angle in np.arange(24) * (2 * math.pi / 24):
            direction = np.array([math.cos(angle), math.sin(angle)])
            distance = float(np.hypot(*(half * direction)) + np.hypot(*(own * direction))) + GAP
            spots.append(middle + distance * direction)
        cost, spot = _best(view, name, spots, yaw)
        if cost + 0.02 * abs(turn) < least:
            best, least = (spot, yaw), cost + 0.02 * abs(turn)
    return best


def _turned_half(view: View, name: str, turn: float) -> Array:
    """Half extents float64[2] [m] of an object's footprint after a turn about the vertical."""
    obj, quaternion = view.world.scene.objects[name], view.world.pose(name).quaternion
    turned = [rotate(about_z(turn), rotate(quaternion, axis)) for axis in np.eye(3)]
    if obj.round:
        axis = np.abs(turned[2][:2])
        reach: Array = obj.half[2] * axis + obj.half[0] * np.sqrt(np.maximum(0.0, 1.0 - axis**2))
    else:
        reach = np.sum([np.abs(a[:2]) * h for a, h in zip(turned, obj.half, strict=True)], axis=0)
    return reach


def free_spot(view: View, name: str, counter: str) -> Array:
    """The best free spot on a counter, float64[2] [m], world."""
    workspace = view.world.scene.spec.workspace
    xs = np.linspace(workspace.low[0] + 0.02, workspace.high[0] - 0.02, 4)
    ys = np.linspace(workspace.low[1] + 0.02, workspace.high[1] - 0.02, 13)
    return _best(
        view, name, [view.world.scene.to_world(counter, x, y) for x in xs for y in ys], view.hand_yaw
    )[1]


def drawer_spot(view: View, name: str, drawer: str) -> Array:
    """A free spot in the drawn-out part of a drawer, float64[2] [m], world."""
    cavity = view.world.cavity(drawer)
    middle, _ = drawer_window(view, drawer)
    across = np.array([-math.sin(cavity.yaw), math.cos(cavity.yaw)])
    others = [
        view.world.pose(o).position for o in view.world.names() if o != name and lies_in(view, o, cavity)
    ]
    best, most = middle, -1.0
    for y in (0.0, -0.05, 0.05):
        spot = middle + y * across
        room = min((float(np.linalg.norm(p[:2] - spot)) for p in others), default=1.0)
        if room > most + 0.02:
            best, most = spot, room
    return best


def lies_in(view: View, name: str, cavity: Region) -> bool:
    """Whether an object is within a receptacle."""
    position = view.world.pose(name).position
    return cavity.covers(position) and abs(float(position[2] - cavity.center[2])) < 0.10


def grip_floor(region: Region) -> float:
    """Lowest grip point [m] at which the palm clears a round receptacle's rim."""
    return float(region.center[2] + region.half[2]) - PALM + 0.010


def _best(view: View, name: str, spots: list[Array], yaw: float) -> tuple[float, Array]:
    """Cost and place of the best of some spots, for a hand at that heading in the base frame."""
    low, high = view.world.box(name)
    here = (low[:2] + high[:2]) / 2
    radius = float(np.max(high[:2] - low[:2])) / 2
    costs = [
        _cost(view, name, spot, radius, yaw) + 0.15 * float(np.linalg.norm(spot - here)) for spot in spots
    ]
    best = int(np.argmin(costs))
    return costs[best], spots[best]


def _cost(view: View, name: str, spot: Array, radius: float, yaw: float) -> float:
    """How bad a spot is: metres by which it is out of reach, off the counter or in something."""
    world, base = view.world, view.base
    axis = base[:2] + ARM_AHEAD * np.array([math.cos(base[2]), math.sin(base[2])])
    distance = float(np.linalg.norm(spot - axis))
    cost = 10 * max(0.0, REACH[0] - distance, distance - REACH[1])
    regions = [world.surface(c) for c in world.scene.spec.counters]
    inside = max(float(np.min(r.half[:2] - np.abs(r.local(np.array([*spot, 0.0]))[:2]))) for r in regions)
    cost += 10 * max(0.0, radius + 0.015 - inside)
    for other in world.names():
        if other == name:
            continue
        low, high = world.box(other)
        apart = float(np.linalg.norm((low[:2] + high[:2]) / 2 - spot))
        cost += 10 * max(0.0, radius + float(np.max(high[:2] - low[:2])) / 2 + 0.012 - apart)
    grip_low = float(world.surface(next(iter(world.scene.spec.counters))).center[2])
    low, high = world.box(name)
    grip = grip_low + float(view.hand.position[2] - low[2]) if world.held(name) else grip_low + 0.05
    grasp = Grasp(np.array([*spot, grip]), yaw, 0.06, grip)
    return cost + 5 * crowding(view, name, grasp)
