"""SIMPLER's rules of success, with its numbers, as predicates; some of them remember.

A rule that remembers keeps notes in the world (`rtbench.core.world.World.notes`), under the text of its
leaf: at reset, and after each control step, as SIMPLER evaluates once a step. Before the first note none
holds. Ours say nothing of contact impulses: what touches is what is in contact.
"""

from __future__ import annotations

import math

import numpy as np

from rtbench.core.world import World

RISE = 0.01
"""A picked object's least height over where it stood [m]."""
HIGH, HIGH_STEPS = 0.02, 5
"""Height [m] in so many steps, after which a picked object that was let fall is still a success."""
MOVED = 0.03
"""Least way of a source [m]."""
SUNK, FALLEN = 0.02, 0.15
"""Most by which a third object, and source or target, may have sunk [m]."""
BESIDE = 0.10
"""Most room between the circles about two objects' boxes [m]."""
NEAREST = 0.01
"""Tolerance for the target as the nearest object [m]."""
CLOSED, AJAR = 0.05, 0.05
"""Greatest opening of a closed drawer, least one of a drawer that something was put into [m]."""
BOTTOM = 0.01
"""An object this near to a drawer's bottom that touches the drawer touches its bottom [m]."""


def note_pick(world: World, name: str) -> None:
    """Note how high an object is, whether it is held free of all else, and since when."""
    notes, height = world.notes(f"simpler_pick({name})"), float(world.pose(name).position[2])
    if not notes:
        notes.update(start=height, up=0, lifted=0, high=0)
        return
    rise = height - notes["start"]
    if not world.held(name):
        notes["up"] = 0
    elif rise > RISE and not _touches_more(world, name):
        notes["up"] = notes["lifted"] = 1
    notes["high"] += bool(notes["lifted"]) and rise > HIGH


def picked(world: World, name: str) -> bool:
    """Lifted over 1 cm in a grasp that lasts, or once so and over 2 cm up in five steps of the episode."""
    notes = world.notes(f"simpler_pick({name})")
    return bool(notes) and bool(notes["up"] or (notes["lifted"] and notes["high"] >= HIGH_STEPS))


def _touches_more(world: World, name: str) -> bool:
    """Whether something else than the robot touches an object."""
    others = dict.fromkeys((*world.surfaces(), *world.names()))
    return any(world.touching(name, other) for other in others if other != name)


def note_near(world: World, source: str, target: str) -> None:
    """Note where all objects stand at reset, and the circles about the boxes of the two."""
    notes = world.notes(f"simpler_near({source}, {target})")
    if notes:
        return
    for name in world.names():
        for axis, value in zip("xyz", world.pose(name).position, strict=True):
            notes[f"{name}.{axis}"] = float(value)
    notes["reach"] = sum(_half_diagonal(world, name) for name in (source, target))


def moved_near(world: World, source: str, target: str) -> bool:
    """Moved over 3 cm and further than all others, next to the target, which is the nearest; none fell."""
    notes = world.notes(f"simpler_near({source}, {target})")
    if not notes:
        return False
    places = {name: world.pose(name).position for name in world.names()}
    before = {name: np.array([notes[f"{name}.{axis}"] for axis in "xyz"]) for name in places}
    ways = {name: math.dist(places[name][:2], before[name][:2]) for name in places}
    away = {o: math.dist(places[source][:2], places[o][:2]) for o in places if o != source}
    fallen = any(
        before[name][2] - places[name][2] > (FALLEN if name in (source, target) else SUNK) for name in places
    )
    furthest = all(ways[source] > way for name, way in ways.items() if name != source)
    return (
        not fallen
        and ways[source] > MOVED
        and furthest
        and away[target] < notes["reach"] + BESIDE
        and away[target] <= min(away.values()) + NEAREST
    )


def _half_diagonal(world: World, name: str) -> float:
    """Radius of the circle about the footprint of an object's box [m]."""
    low, high = world.box(name)
    return float(np.hypot(*(high[:2] - low[:2]))) / 2


def nearly_closed(world: World, drawer: str) -> bool:
    """Drawn out by at most 5 cm."""
    return world.opening(drawer) <= CLOSED


def note_in(world: World, name: str, drawer: str) -> None:
    """Note whether the object touches the drawer's bottom inside."""
    notes = world.notes(f"simpler_in({name}, {drawer})")
    notes.setdefault("touched", 0)
    cavity = world.cavity(drawer)
    above = float(world.box(name)[0][2] - (cavity.center[2] - cavity.half[2]))
    if above < BOTTOM and cavity.covers(world.pose(name).position) and world.touching(name, drawer):
        notes["touched"] = 1


def put_in(world: World, name: str, drawer: str) -> bool:
    """A drawer drawn out by at least 5 cm, whose bottom the object has touched at any time."""
    notes = world.notes(f"simpler_in({name}, {drawer})")
    return bool(notes.get("touched")) and world.opening(drawer) >= AJAR
