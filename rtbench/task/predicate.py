"""Predicates: the leaves of goals, which evaluator and oracle share.

A predicate is a function of a world and of names. It reads the present state only, not its history, so it
is valid for any robot and any policy; those of SIMPLER's rules keep notes. Task goals combine predicates;
nothing else decides success.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rtbench.core.errors import RtbenchError, UnknownNameError
from rtbench.core.vector import length
from rtbench.core.world import Vector, World
from rtbench.task import simpler_rules as simpler
from rtbench.task.task import Goal

ROBOT = "robot"
"""Name of the whole robot in `World.touching`."""

LIFT = 0.05
"""[m] Least height above a counter: more than an object gains by tipping or being squeezed."""
SEAT = 0.015
"""[m] An object's lowest point this near to a surface's top rests on it; a bowl's floor lies higher."""
INTO = 0.01
"""[m] Depth below the rim: more than an object across a bowl gains by sinking into its contacts."""
SINK = 0.004
"""[m] Depth below a receptacle's floor, for penetration of contacts. A bowl's floor is 5 mm thick, so an
object on the counter that leans over the bowl is not in it."""
NEAR = 0.06
"""[m] Gap between footprints: about a gripper's width, so that "near" is a place one must aim for."""
LEVEL = 0.05
"""[m] Two objects whose bottoms differ by less stand at the same height, a bowl's floor included."""
SLOW = 0.02
"""[m/s] A slower object rests: it moves under 7 mm in a control step; settled contacts creep far less."""
UPRIGHT = math.radians(10)
"""[rad] Greatest tilt of an upright object: a can that leans further falls over, or leans on something."""
TOPPLED = math.radians(70)
"""[rad] Least tilt of a lying object, with room for tapered bottles and for a can that lies against a bag."""
OPEN = 0.15
"""[m] Opening from which a hand fits in."""
CLOSED = 0.02
"""[m] Largest opening of a closed drawer, too small for a gripper."""
ASIDE = 0.04
"""[m] Between centres: the least difference that makes one of two objects the left one, or the nearer one."""
BETWEEN = math.radians(135)
"""[rad] Least angle between the outer objects, seen from the middle one. Half way between objects 30 cm apart
it may stand 6 cm off the line."""
ARRIVED = 0.15
"""[m] Greatest distance from the station at which the arm still reaches all that the station serves."""
FACING = 0.2
"""[rad] Greatest difference from the station's heading, likewise."""

Box = tuple[Vector, Vector]
Kind = Literal["object", "receptacle", "surface", "drawer", "station"]


class GoalError(RtbenchError):
    """A goal that cannot be evaluated."""


@dataclass(frozen=True)
class Predicate:
    """A named boolean function of the world."""

    holds: Callable[..., bool]
    """Function of (world, *names)."""
    kinds: tuple[Kind, ...]
    """Kind of each named argument."""
    note: Callable[..., None] | None = None
    """Of a predicate with a memory: function of (world, *names), called at reset and after each step."""

    @property
    def summary(self) -> str:
        """First line of the function's docstring."""
        return (self.holds.__doc__ or "").splitlines()[0]


def footprint_gap(a: Box, b: Box) -> float:
    """Horizontal gap [m] between two footprints, negative where they overlap.

    Args:
        a: World-aligned bounding box: low and high corners float64[3] [m].
        b: Likewise.

    A footprint is the ellipse inscribed in the box. So the gap between round things does not depend on where
    the world's axes point, and between boxes that face each other it is the true one.
    """
    reach = 0.0
    apart = (b[0][:2] + b[1][:2] - a[0][:2] - a[1][:2]) / 2
    distance = float(np.hypot(*apart))
    direction = apart / distance if distance > 0 else np.array([1.0, 0.0])
    for low, high in (a, b):
        reach += float(np.hypot(*((high[:2] - low[:2]) / 2 * direction)))
    return distance - reach


def tilt(world: World, name: str) -> float:
    """Angle [rad], 0 to pi, between the object's own z axis and the vertical."""
    _, x, y, _ = world.pose(name).quaternion
    return math.acos(min(1.0, max(-1.0, 1.0 - 2.0 * float(x * x + y * y))))


def lifted(world: World, name: str) -> bool:
    """Held by both fingers, its lowest point at least 5 cm above the counter."""
    ground = float(world.surface(world.counter(name)).center[2])
    return world.held(name) and float(world.box(name)[0][2]) >= ground + LIFT


def on(world: World, name: str, surface: str) -> bool:
    """At rest on a counter or mat, its centre over it and its bottom at its top."""
    top = world.surface(surface)
    return (
        still(world, name)
        and top.covers(world.pose(name).position)
        and abs(float(world.box(name)[0][2] - top.center[2])) <= SEAT
        and world.touching(name, surface)
    )


def inside(world: World, name: str, receptacle: str) -> bool:
    """At rest with its centre within a bowl, drawer or sink and its bottom below the rim."""
    return still(world, name) and _depth(world, name, receptacle) >= INTO


def out(world: World, name: str, receptacle: str) -> bool:
    """Beside a bowl, drawer or sink, or wholly above its rim."""
    return _depth(world, name, receptacle) < 0


def near(world: World, a: str, b: str) -> bool:
    """At the same height, with at most 6 cm between their footprints."""
    box_a, box_b = world.box(a), world.box(b)
    return abs(float(box_a[0][2] - box_b[0][2])) <= LEVEL and footprint_gap(box_a, box_b) <= NEAR


def left_of(world: World, a: str, b: str) -> bool:
    """At least 4 cm further left than another thing, as the robot faces its counter."""
    return _ahead_and_left(world, a, b)[1] >= ASIDE


def right_of(world: World, a: str, b: str) -> bool:
    """At least 4 cm further right than another thing, as the robot faces its counter."""
    return left_of(world, b, a)


def between(world: World, a: str, b: str, c: str) -> bool:
    """On the way from one thing to another: seen from it, they are at least 135 degrees apart."""
    middle = world.pose(a).position
    to_b, to_c = (world.pose(name).position[:2] - middle[:2] for name in (b, c))
    angle = math.atan2(abs(float(to_b[0] * to_c[1] - to_b[1] * to_c[0])), float((to_b * to_c).sum()))
    return angle >= BETWEEN and bool(np.any(to_b)) and bool(np.any(to_c))


def nearer(world: World, a: str, b: str) -> bool:
    """At least 4 cm nearer to the counter's front than another thing, and not farther from the station."""
    station = world.station(world.counter(b))[:2]
    far_a, far_b = (length(world.pose(name).position[:2] - station) for name in (a, b))
    return _ahead_and_left(world, b, a)[0] >= ASIDE and far_a <= far_b


def upright(world: World, name: str) -> bool:
    """Standing at rest on a counter or mat, at most 10 degrees from the vertical."""
    return tilt(world, name) < UPRIGHT and _resting(world, name)


def toppled(world: World, name: str) -> bool:
    """Lying at rest on a counter or mat, at least 70 degrees from the vertical."""
    return tilt(world, name) > TOPPLED and _resting(world, name)


def is_open(world: World, drawer: str) -> bool:
    """Drawn out by at least 15 cm."""
    return world.opening(drawer) >= OPEN


def is_closed(world: World, drawer: str) -> bool:
    """Drawn out by at most 2 cm."""
    return world.opening(drawer) <= CLOSED


def at(world: World, station: str) -> bool:
    """The base within 15 cm and 0.2 rad of a station."""
    dx, dy, turn = world.base() - world.station(station)
    turn = (turn + math.pi) % (2 * math.pi) - math.pi
    return math.hypot(dx, dy) <= ARRIVED and abs(turn) <= FACING


def released(world: World, name: str) -> bool:
    """Not touched by the robot."""
    return not world.touching(name, ROBOT)


def still(world: World, name: str) -> bool:
    """Moving slower than 2 cm/s."""
    return world.speed(name) <= SLOW


def _resting(world: World, name: str) -> bool:
    return still(world, name) and any(world.touching(name, top) for top in world.surfaces() if top != name)


def _ahead_and_left(world: World, a: str, b: str) -> tuple[float, float]:
    """Distances [m] by which `a` is further ahead and further left than `b`, facing the counter of `b`."""
    yaw = world.surface(world.counter(b)).yaw
    x, y = world.pose(a).position[:2] - world.pose(b).position[:2]
    c, s = math.cos(yaw), math.sin(yaw)
    return float(c * x + s * y), float(c * y - s * x)


def _depth(world: World, name: str, receptacle: str) -> float:
    """Depth of the object's lowest point below the rim [m]; -inf beside or under the receptacle.

    The lowest point decides, not the centre: the centre of a can that stands in a bowl is above the rim.
    """
    cavity = world.cavity(receptacle)
    bottom = float(world.box(name)[0][2])
    rim, floor = float(cavity.center[2] + cavity.half[2]), float(cavity.center[2] - cavity.half[2])
    if not cavity.covers(world.pose(name).position) or bottom < floor - SINK:
        return -math.inf
    return rim - bottom


PREDICATES: dict[str, Predicate] = {
    "lifted": Predicate(lifted, ("object",)),
    "on": Predicate(on, ("object", "surface")),
    "in": Predicate(inside, ("object", "receptacle")),
    "out": Predicate(out, ("object", "receptacle")),
    "near": Predicate(near, ("object", "object")),
    "left_of": Predicate(left_of, ("object", "object")),
    "right_of": Predicate(right_of, ("object", "object")),
    "between": Predicate(between, ("object", "object", "object")),
    "nearer": Predicate(nearer, ("object", "object")),
    "upright": Predicate(upright, ("object",)),
    "toppled": Predicate(toppled, ("object",)),
    "open": Predicate(is_open, ("drawer",)),
    "closed": Predicate(is_closed, ("drawer",)),
    "at": Predicate(at, ("station",)),
    "released": Predicate(released, ("object",)),
    "still": Predicate(still, ("object",)),
    "simpler_pick": Predicate(simpler.picked, ("object",), simpler.note_pick),
    "simpler_near": Predicate(simpler.moved_near, ("object", "object"), simpler.note_near),
    "simpler_closed": Predicate(simpler.nearly_closed, ("drawer",)),
    "simpler_in": Predicate(simpler.put_in, ("object", "drawer"), simpler.note_in),
}
"""By the name that goals use."""
CONNECTIVES: dict[str, Callable[[list[bool]], bool]] = {"all": all, "any": any}
"""Inner nodes of goals."""


def evaluate(goal: Goal, world: World) -> bool:
    """Whether the goal holds. The goal is one that `check_goal` accepts."""
    if goal.predicate in CONNECTIVES:
        return CONNECTIVES[goal.predicate]([evaluate(child, world) for child in goal.children])
    return bool(PREDICATES[goal.predicate].holds(world, *goal.arguments))


def note(goal: Goal, world: World) -> None:
    """Let the goal's predicates that have a memory see the present state: at reset and after each step."""
    for leaf in goal.leaves():
        noted = PREDICATES[leaf.predicate].note
        if noted is not None:
            noted(world, *leaf.arguments)


def leaves(goal: Goal, world: World) -> dict[str, bool]:
    """Each leaf of the goal as text, such as 'on(apple, counter)', and whether it holds."""
    return {str(leaf): evaluate(leaf, world) for leaf in goal.leaves()}


def check_goal(
    goal: Goal, known: Mapping[Kind, Collection[str]], *, where: str = "", roles: Collection[str] = ()
) -> None:
    """Refuse a goal that cannot be evaluated.

    Args:
        goal: The goal.
        known: Names that exist, by kind. A platform is a surface and an object, a bowl a receptacle and one.
        where: File and entry, for the message.
        roles: Roles, which the message also suggests for an unknown name.

    Raises:
        UnknownNameError: a predicate or an argument that does not exist; names the nearest.
        GoalError: a wrong number of arguments, the same one twice, or nothing to combine.
    """
    place = f"{where}: goal {goal}" if where else f"goal {goal}"
    if goal.predicate in CONNECTIVES:
        if not goal.children or goal.arguments:
            raise GoalError(f"{place}: {goal.predicate!r} takes a list of one or more predicates.")
        for child in goal.children:
            check_goal(child, known, where=where, roles=roles)
        return
    if goal.predicate not in PREDICATES:
        raise UnknownNameError("predicate", goal.predicate, [*PREDICATES, *CONNECTIVES], where=place)
    kinds = PREDICATES[goal.predicate].kinds
    if len(goal.arguments) != len(kinds) or goal.children:
        raise GoalError(f"{place}: {goal.predicate!r} takes {len(kinds)} ({', '.join(kinds)}).")
    if len(set(goal.arguments)) < len(goal.arguments):
        raise GoalError(f"{place}: {goal.predicate!r} takes {len(kinds)} different things.")
    for name, kind in zip(goal.arguments, kinds, strict=True):
        if name not in known.get(kind, ()):
            raise UnknownNameError(kind, name, [*known.get(kind, ()), *roles], where=place)
