"""Search for free spots to put an object down: beside, on and in other objects."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rtbench.core.rotation import about_z, rotate, wrap
from rtbench.core.vector import length
from rtbench.core.world import Region
from rtbench.policy.oracle.drawer import drawer_window
from rtbench.policy.oracle.footprint import Footprint, footprint
from rtbench.policy.oracle.grasp import crowding
from rtbench.policy.oracle.motion import View
from rtbench.policy.oracle.predicted_world import would_hold
from rtbench.task.task import Goal

Array = NDArray[np.float64]

GAP = 0.04
"""Gap [m] to the target of `near`: two thirds of the greatest that counts as near. An open finger fits
between two cans, and the spot is met to 12 mm."""
BENDS = np.radians([0, *(sign * angle for angle in range(3, 181, 3) for sign in (1, -1))])
"""Turns about the target of `near` [rad], away from the straight way to it, the least first."""
BEND = 0.02
"""Cost of such a turn [m / rad], as overlap times ten: a quarter circle costs as much as 3 mm."""
EDGE = 0.012
"""Least distance from the counter's edge [m]."""
ROOM = 0.012
"""Air to all other objects [m]."""
SURE = (0.012, 0.004)
"""A relation must still hold this far from the spot [m]; the second where there is no other."""
BEYOND = 0.15
"""Width beside the workspace in which relations may need a place [m]."""
WALL_ROOM = 0.008
"""Air to the walls of bowls, drawers and sinks [m]."""
CROWDED = 0.1
"""Greatest cost of a place at which an object may be put down [m]."""
TURNS = np.radians([0.0, 45.0, -45.0, 90.0, -90.0])
"""Fixed headings of the hand, base frame [rad]. Options relative to the hand would never be reached."""
TURNING = 0.05
"""Cost of any of them [m], as overlap times ten: the hand turns only where it would overlap by 5 mm else."""
CELL = 0.02
"""Distance between the places that are tried on a counter [m]."""
WAY = 0.15
"""Cost of the way to a place [m / m], as overlap times ten."""
TO_MIDDLE = 0.5
"""The straight way from a place to the middle of the workspace costs this share of the way there."""


@dataclass(frozen=True)
class Spot:
    """A place to put an object down."""

    place: Array
    """Middle of the object, float64[2] [m], world."""
    ground: float
    """Height [m]."""
    least: float = 0.0
    """Lowest grip point [m]."""
    yaw: float | None = None
    """Heading of the hand, base frame [rad]; None for the present one."""


def related_spot(view: View, name: str, relations: Goal, targets: Iterable[str]) -> Spot:
    """The best free spot at which relations to other things hold.

    Args:
        view: The present state.
        name: The object that is put down.
        relations: Leaves of `near`, `left_of` and so on, all about the object.
        targets: Objects that it is to be near.
    """
    counter = view.world.counter(next(leaf.arguments[1] for leaf in relations.leaves()))
    ground = float(view.world.surface(counter).center[2])
    near = tuple(targets)
    if not near:
        places = _grid(view, counter, BEYOND)
        costs = _costs(view, name, places, ground) + WAY * _distance(places, _middle(view, name))
        ranked = places[np.argsort(costs, kind="stable")]
        sure = (place for margin in SURE for place in ranked if _holds(view, name, relations, place, margin))
        return Spot(next(sure, ranked[0]), ground, yaw=view.hand_yaw)
    yaws = (view.hand_yaw, *TURNS)
    turns = np.array([wrap(yaw - view.hand_yaw) for yaw in yaws])
    places = np.array([_around(view, name, near[0], turn) for turn in turns])
    costs = _costs(view, name, places, ground, turns[:, None]) + BEND * np.abs(BENDS)
    costs[1:] += TURNING + 0.02 * np.abs(turns[1:, None])
    for option in np.argsort(costs, axis=None, kind="stable"):
        turned, bend = np.unravel_index(option, costs.shape)
        place = places[turned, bend]
        if len(relations.leaves()) == 1 or _holds(view, name, relations, place, SURE[0]):
            return Spot(place, ground, yaw=yaws[turned])
    return Spot(view.world.pose(name).position[:2], ground, yaw=view.hand_yaw)


def _around(view: View, name: str, target: str, turn: float) -> Array:
    """Places float64[len(BENDS), 2] [m], world, around a target, for an object turned by `turn` [rad].

    The first is where the straight way to the target ends.
    """
    low, high = view.world.box(target)
    middle, half = _middle(view, target), (high[:2] - low[:2]) / 2
    x, y = _middle(view, name) - middle
    own = _turned_half(view, name, turn)
    angles = math.atan2(y, x) + BENDS
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    touching = np.hypot(*(half * directions).T) + np.hypot(*(own * directions).T)
    places: Array = middle + (touching + GAP)[:, None] * directions
    return places


def _holds(view: View, name: str, relations: Goal, place: Array, margin: float) -> bool:
    """Whether the relations would hold at a place, and that much beside it too [m]."""
    low, high = view.world.box(name)
    base = np.array([*(place - (low[:2] + high[:2]) / 2), _resting(view, relations) - low[2]])
    around = ((0.0, 0.0), (margin, 0.0), (-margin, 0.0), (0.0, margin), (0.0, -margin))
    return all(would_hold(view.world, relations, name, base + np.array([*d, 0.0])) for d in around)


def _resting(view: View, relations: Goal) -> float:
    target = relations.leaves()[0].arguments[1]
    return float(view.world.surface(view.world.counter(target)).center[2])


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


def free_spot(view: View, name: str, counter: str, also: Callable[[Array], Array] | None = None) -> Spot:
    """The best free spot on a counter; `also` adds to the costs float64[n] of places float64[n, 2] [m]."""
    ground = float(view.world.surface(counter).center[2])
    places = _grid(view, counter)
    costs = _costs(view, name, places, ground) + _way(view, name, counter, places)
    return Spot(places[np.argmin(costs if also is None else costs + also(places))], ground)


def is_free(view: View, name: str, counter: str) -> bool:
    """Whether an object in the hand can be put down right where it is."""
    ground = float(view.world.surface(counter).center[2])
    cost = float(_costs(view, name, _middle(view, name), ground))
    return cost < CROWDED and float(view.world.box(name)[0][2]) > ground - 0.01


def _way(view: View, name: str, counter: str, places: Array) -> Array:
    """Costs float64[n] [m] of places float64[n, 2] [m]: the ways there, and on to the workspace's middle.

    So what is put on a counter goes straight towards its middle, as far as where it is free.
    """
    workspace = view.world.scene.spec.workspace
    x, y = (np.array(workspace.low) + np.array(workspace.high)) / 2
    middle = view.world.scene.to_world(counter, x, y)
    way = _distance(places, _middle(view, name)) + TO_MIDDLE * _distance(places, middle)
    cost: Array = WAY * way
    return cost


def _middle(view: View, name: str) -> Array:
    """Middle of an object's bounding box, float64[2] [m], world."""
    low, high = view.world.box(name)
    middle: Array = (low[:2] + high[:2]) / 2
    return middle


def _distance(places: Array, point: Array) -> Array:
    """Distances float64[...] [m] of places float64[..., 2] from a point float64[2] [m]."""
    distance: Array = np.linalg.norm(places - point, axis=-1)
    return distance


def _grid(view: View, counter: str, beyond: float = 0.0) -> Array:
    """Places float64[n, 2] all over the workspace, and that far to its sides [m]."""
    workspace = view.world.scene.spec.workspace
    inset = 0.0 if beyond else 0.02
    xs = np.arange(workspace.low[0] + inset, workspace.high[0] - inset + 1e-6, CELL)
    ys = np.arange(workspace.low[1] + 0.02 - beyond, workspace.high[1] - 0.01 + beyond, CELL)
    return np.array([view.world.scene.to_world(counter, x, y) for x in xs for y in ys])


def platform_spot(view: View, name: str, platform: str) -> Spot:
    """The middle of a mat, or the freest place on it if something stands there already."""
    top = view.world.surface(platform)
    ground = float(top.center[2])
    offsets = [np.zeros(2)]
    if any(view.world.box(o)[1][2] > ground + 0.01 and top.covers(view.world.pose(o).position)
           for o in view.world.names() if o not in (name, platform)):  # fmt: skip
        offsets += [np.array([x, y]) * top.half[:2] * 0.75 for x in (-1, 0, 1) for y in (-1, 0, 1)]
    places = np.array([top.center[:2] + _turned(offset, top.yaw) for offset in offsets])
    costs = _costs(view, name, places, ground, ignore=platform)
    return Spot(places[np.argmin(costs + WAY * _distance(places, _middle(view, name)))], ground)


def bowl_spot(view: View, name: str, bowl: str) -> Spot:
    """The middle of a bowl, or beside what lies in it already."""
    cavity = view.world.cavity(bowl)
    rim, floor = float(cavity.center[2] + cavity.half[2]), float(cavity.center[2] - cavity.half[2])
    least = rim - view.shape.palm + 0.010  # the palm clears the rim
    inside = _inside(view, name, cavity)
    if not inside:
        return Spot(cavity.center[:2], floor, least=least)
    away = cavity.center[:2] - np.mean([view.world.pose(o).position[:2] for o in inside], axis=0)
    far = length(away)
    direction = away / far if far > 0.004 else _turned(np.array([0.0, 1.0]), float(view.base[2]))
    own = float(np.min(footprint(view, name).half))
    place = cavity.center[:2] + max(0.0, float(cavity.half[0]) - own - WALL_ROOM) * direction
    return Spot(place, rim - 0.03, least=least)


def drawer_spot(view: View, name: str, drawer: str) -> Spot:
    """A free spot in the drawn-out part of a drawer."""
    cavity = view.world.drawn_out(drawer)
    middle, _ = drawer_window(view, drawer)
    floor, rim = float(cavity.center[2] - cavity.half[2]), float(cavity.center[2] + cavity.half[2])
    others = [footprint(view, o) for o in _inside(view, name, cavity)]
    radius = float(np.min(footprint(view, name).half))
    best, most = Spot(middle, floor, yaw=wrap(cavity.yaw - float(view.base[2]))), -1.0
    for y in (0.0, -0.05, 0.05, -0.10, 0.10):
        place = middle + _turned(np.array([0.0, y]), cavity.yaw)
        room = min((float(o.distance(place)) - radius for o in others), default=1.0)
        if min(room, ROOM) > most + 0.002:
            least = (
                0.0
                if abs(y) + view.shape.hand[1] + WALL_ROOM < cavity.half[1]
                else rim - view.shape.palm + 0.010
            )
            best, most = Spot(place, floor, least, best.yaw), min(room, ROOM)
    return best


def sink_spot(view: View, name: str, sink: str) -> Spot:
    """A free spot in a sink, where the whole hand fits in."""
    cavity = view.world.cavity(sink)
    floor, rim = float(cavity.center[2] - cavity.half[2]), float(cavity.center[2] + cavity.half[2])
    yaw = wrap(cavity.yaw - float(view.base[2]))
    size = np.maximum(footprint(view, name).half.max(), view.shape.hand) + WALL_ROOM
    room = np.maximum(cavity.half[:2] - size, 0.0)
    sides = [np.array([x, y]) for x in (-1.0, -0.5, 0.0, 0.5, 1.0) for y in (-1.0, 0.0, 1.0)]
    places = np.array([cavity.center[:2] + _turned(side * room, cavity.yaw) for side in sides])
    costs = _costs(view, name, places, floor, wrap(yaw - view.hand_yaw))
    best = places[np.argmin(costs + WAY * _distance(places, _middle(view, name)))]
    fits = bool(np.all(cavity.half[:2] > size))
    return Spot(best, floor, 0.0 if fits else rim - view.shape.palm + 0.010, yaw)


def _inside(view: View, name: str, cavity: Region) -> list[str]:
    """All but `name` that lies in a receptacle."""
    found = []
    for other in view.world.names():
        position = view.world.pose(other).position
        if other != name and not view.world.held(other) and cavity.covers(position):
            hollow = view.world.scene.objects[other].cavity is not None
            if not hollow and abs(float(position[2] - cavity.center[2])) < 0.10:
                found.append(other)
    return found


def _turned(vector: Array, yaw: float) -> Array:
    c, s = math.cos(yaw), math.sin(yaw)
    return np.array([c * vector[0] - s * vector[1], s * vector[0] + c * vector[1]])


def _costs(
    view: View, name: str, places: Array, ground: float, turn: Array | float = 0.0, ignore: str = ""
) -> Array:
    """Costs of places: metres by which an object there is out of reach, off the counter or in another one.

    Args:
        view: The present state.
        name: The object.
        places: Its middle float64[..., 2] [m], world.
        ground: Height of its support [m].
        turn: Turn of hand and object from their present yaw [rad], float64[...], or one for all.
        ignore: Another object that is not in the way.

    Returns:
        float64[...] [m], ten for each metre.
    """
    world, base = view.world, view.base
    low = world.box(name)[0]
    axis = base[:2] + view.ahead * np.array([math.cos(base[2]), math.sin(base[2])])
    distance = np.linalg.norm(places - axis, axis=-1)
    cost: Array = 10 * np.maximum(0.0, np.maximum(view.reach[0] - distance, distance - view.reach[1]))
    own = footprint(view, name)
    own = replace(own, center=places, yaw=own.yaw + turn)
    counters = [_as_footprint(world.surface(counter)) for counter in world.scene.spec.counters]
    cost = cost + 10 * np.maximum(0.0, EDGE - np.max([_inside_by(c, own) for c in counters], axis=0))
    things = [footprint(view, other) for other in world.names() if other not in (name, ignore)]
    holes = map(world.cavity, world.scene.spec.sinks)
    things += [_as_footprint(hole) for hole in holes if ground > hole.center[2]]
    for thing in things:
        cost = cost + 10 * np.maximum(0.0, ROOM - thing.gap(own))
    grip = ground + (float(view.hand.position[2] - low[2]) if world.held(name) else 0.05)
    return cost + 10 * crowding(view, name, places, grip, view.hand_yaw + turn)


def _as_footprint(region: Region) -> Footprint:
    return Footprint(region.center[:2], region.half[:2], region.yaw, region.round)


def _inside_by(area: Footprint, own: Footprint) -> Array:
    """Distance float64[...] [m] of a footprint inside a rectangle's edge; negative beyond it."""
    inside: Array = np.min(area.half - np.abs(area.local(own.center)) - own.reach(area.yaw), axis=-1)
    return inside
