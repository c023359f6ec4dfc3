"""The oracle's planner: from a goal and the present state to the next action.

It takes the first predicate that is not true yet, and the motion that makes it true. It has no memory: each
step plans anew from the present state, however that came about. So the oracle can take over in the middle of
any episode and label any state for training.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rtbench.core.vector import length
from rtbench.policy.oracle.base_motion import come_near, drive_to
from rtbench.policy.oracle.drawer import (
    PULLED,
    PULLED_WIDE,
    close_drawer,
    drawer_of,
    drawer_station,
    open_drawer,
)
from rtbench.policy.oracle.grasp import reach_for
from rtbench.policy.oracle.motion import LEVEL, View, move
from rtbench.policy.oracle.place import put_down, retreat, set_aside
from rtbench.policy.oracle.placement_search import (
    Spot,
    bowl_spot,
    drawer_spot,
    free_spot,
    platform_spot,
    related_spot,
    sink_spot,
)
from rtbench.policy.oracle.predicted_world import done
from rtbench.policy.oracle.reorient import stand_up
from rtbench.policy.oracle.subgoal import RELATIONS, Job, jobs_of, left_to_do
from rtbench.policy.oracle.topple import knock_over
from rtbench.task.predicate import OPEN, UPRIGHT, at, tilt
from rtbench.task.task import Goal

Array = NDArray[np.float64]

LIFTED = 0.075
"""A picked object's lowest point is raised this far over the counter [m]; 5 cm count."""
WIDE = 0.19
"""Opening of a drawer that is enough to reach in [m]."""
AJAR = 0.03
"""Opening from which a drawer is in the way of those below it [m]."""
STANDING = UPRIGHT * 0.8
"""Greatest tilt of an object carried upright [rad]."""


def next_step(view: View, goal: Goal) -> Array | None:
    """The action float64[11] that brings the goal nearer; None once it is reached and need not be kept up."""
    for name in dict.fromkeys(job.name for job in jobs_of(view, goal) if job.name in view.world.names()):
        if _round_it(view, name) and _finished(view, goal, name):
            return retreat(view)
    for job in left_to_do(view, goal):
        step = _work(view, job)
        if step is not None:
            return step
    return None


def _finished(view: View, goal: Goal, name: str) -> bool:
    """Whether an object has been put at its goal."""
    (job,) = (job for job in jobs_of(view, goal) if job.name == name)
    return not view.world.held(name) and not job.asks("lifted") and done(view.world, job.goal)


def _work(view: View, job: Job) -> Array | None:
    """Action float64[11] of a job; None once it is done."""
    asked = {leaf.predicate for leaf in job.leaves}
    for predicate, work in _WORK.items():
        if predicate in asked:
            return work(view, job)
    return _bring(view, job)


def _lift(view: View, job: Job) -> Array | None:
    name = job.name
    step = _fetch(view, name)
    if step is not None:
        return step
    ground = float(view.world.surface(view.world.counter(name)).center[2])
    missing = ground + LIFTED - float(view.world.box(name)[0][2])
    if missing <= 0:
        return None
    return move(view, view.hand.position + np.array([0.0, 0.0, missing + 0.005]), view.hand.quaternion, 0.0)


def _stand(view: View, job: Job) -> Array | None:
    """Stand something up, then bring it to where else it is to be."""
    name = job.name
    if done(view.world, job.goal):
        return None
    if _elsewhere(view, job) and tilt(view.world, name) < STANDING:
        # What the level hand has stood up it lets go first.
        level = view.world.held(name) and view.leaning > LEVEL
        return stand_up(view, name) if level else _bring(view, job)
    if view.world.held(name):
        return stand_up(view, name)
    return _first(
        lambda: _free_hand(view, name),
        lambda: come_near(view, view.world.pose(name).position[:2]),
        lambda: stand_up(view, name),
        lambda: retreat(view),
    )


def _elsewhere(view: View, job: Job) -> bool:
    """Whether an object is to be somewhere else than where it is."""
    here = view.world.counter(job.name)
    places = tuple(leaf for leaf in job.only("in", "on", *RELATIONS) if leaf.arguments[1:] != (here,))
    return not done(view.world, Goal("all", children=places))


def _topple(view: View, job: Job) -> Array | None:
    name = job.name
    if done(view.world, job.goal):
        return None
    if _elsewhere(view, job):
        return _bring(view, job)
    beside = length(view.hand.position - view.world.pose(name).position) < 0.13
    return _first(
        lambda: _free_hand(view, name),
        lambda: None if beside else come_near(view, view.world.pose(name).position[:2]),
        lambda: knock_over(view, name),
        lambda: retreat(view),
    )


def _open(view: View, job: Job) -> Array | None:
    if view.world.opening(job.name) >= OPEN + 0.01:
        return None
    return _first(lambda: _free_hand(view), lambda: _draw(view, job.name, PULLED))


def _close(view: View, job: Job) -> Array | None:
    return _first(
        lambda: _free_hand(view),
        lambda: _at_drawer(view, job.name),
        lambda: close_drawer(view, job.name),
    )


def _drive(view: View, job: Job) -> Array | None:
    return drive_to(view, view.world.station(job.name))


_WORK: dict[str, Callable[[View, Job], Array | None]] = {
    "lifted": _lift,
    "upright": _stand,
    "toppled": _topple,
    "open": _open,
    "closed": _close,
    "at": _drive,
}
"""Function that works at a job, by its predicate. All other predicates are about where an object is put."""


def _bring(view: View, job: Job) -> Array | None:
    """One step of fetching an object and putting it down where it is to be."""
    name = job.name
    if done(view.world, job.goal):
        return None
    if view.world.held(name):
        return _first(lambda: _make_way(view, job), lambda: _carry(view, job))
    waiting = Goal("all", children=tuple(leaf for leaf in job.leaves if leaf.predicate != "released"))
    if done(view.world, waiting):
        return retreat(view)  # only letting go is left
    if drawer_of(view, name) is not None:  # out of it before another one is opened
        return _fetch(view, name)
    return _first(lambda: _make_way(view, job), lambda: _fetch(view, name))


def _carry(view: View, job: Job) -> Array:
    """One step of taking what is held to where it is to be, and of putting it down there."""
    far = _far_counter(view, job)
    if far is not None:
        way = _first(lambda: _raise(view, job.name), lambda: drive_to(view, view.world.station(far)))
        if way is not None:
            return way
    spot = spot_of(view, job)
    near = come_near(view, spot.place)
    if near is not None:
        raised = _raise(view, job.name)
        return near if raised is None else raised
    return put_down(view, job.name, spot)


def _make_way(view: View, job: Job) -> Array | None:
    """One step towards an open drawer that something is to be put in; None where it is, or none is."""
    for leaf in job.only("in"):
        drawer = leaf.arguments[1]
        if drawer in view.world.scene.spec.drawers:
            return _lay_open(view, drawer)
    return None


def _far_counter(view: View, job: Job) -> str | None:
    """The counter on which something is to be put, if the robot does not stand there."""
    counters = [
        leaf.arguments[1] for leaf in job.only("on") if leaf.arguments[1] in view.world.scene.spec.counters
    ]
    counters += [view.world.counter(leaf.arguments[1]) for leaf in job.only(*RELATIONS)]
    here = view.world.counter(job.name)
    return next((c for c in counters if c != here and not at(view.world, c)), None)


def spot_of(view: View, job: Job) -> Spot:
    """Spot at which the object of a job is put down, once the robot stands at its counter."""
    name, world = job.name, view.world
    for leaf in job.only("in"):
        place = leaf.arguments[1]
        if place in world.scene.spec.drawers:
            return drawer_spot(view, name, place)
        return (
            sink_spot(view, name, place) if place in world.scene.spec.sinks else bowl_spot(view, name, place)
        )
    for leaf in job.only("on"):
        if leaf.arguments[1] not in world.scene.spec.counters:
            return platform_spot(view, name, leaf.arguments[1])
    related = job.only(*RELATIONS)
    if related:
        near = [leaf.arguments[1] for leaf in related if leaf.predicate == "near"]
        return related_spot(view, name, Goal("all", children=related), near)
    counters = [leaf.arguments[1] for leaf in job.only("on")]
    return free_spot(view, name, counters[0] if counters else world.counter(name))


def _fetch(view: View, name: str) -> Array | None:
    """One step towards holding an object, wherever it is; None once it is held."""
    if view.world.held(name):
        return None
    drawer = drawer_of(view, name)
    return _first(
        lambda: None if drawer is None else _lay_open(view, drawer),
        lambda: _free_hand(view, name),
        lambda: come_near(view, view.world.pose(name).position[:2]),
        lambda: reach_for(view, name),
    )


def _free_hand(view: View, but: str = "") -> Array | None:
    """One step of putting down what is in the hand, unless it is `but`; None once the hand is free."""
    carried = view.carried()
    return None if carried in (None, but) else set_aside(view, carried or "")


def _round_it(view: View, name: str) -> bool:
    """Whether the fingers are still around a released object."""
    low, high = view.world.box(name)
    return bool(
        np.all(view.hand.position > low - 0.02)
        and np.all(view.hand.position < high + np.array([0.02, 0.02, 0.012]))
    )


def _raise(view: View, name: str) -> Array | None:
    """Lift a carried object clear of the counter before driving; None once it is."""
    low = float(view.world.box(name)[0][2])
    missing = float(view.world.surface(view.world.counter(name)).center[2]) + 0.10 - low
    if missing <= 0.02:
        return None
    return move(view, view.hand.position + np.array([0.0, 0.0, missing]), view.hand.quaternion, 0.0)


def _lay_open(view: View, drawer: str) -> Array | None:
    """One step, with a free hand, towards a drawer in which a hand has room, with none above it out.

    With something in the hand a little less will do.
    """
    least = OPEN if view.carried() is not None else WIDE
    if view.world.opening(drawer) >= least and not _over(view, drawer):
        return None
    return _first(lambda: _free_hand(view), lambda: _draw(view, drawer, PULLED_WIDE))


def _draw(view: View, drawer: str, far: float) -> Array | None:
    """Action float64[11] towards a drawer with an opening of `far` [m]; None once it has that."""
    over = _over(view, drawer)
    if over:
        return _first(lambda: _at_drawer(view, over[0]), lambda: close_drawer(view, over[0]))
    return _first(lambda: _at_drawer(view, drawer), lambda: open_drawer(view, drawer, far))


def _over(view: View, drawer: str) -> list[str]:
    """Drawers above that one that are out and in its way, the uppermost first."""
    specs = view.world.scene.spec.drawers
    above = [
        d
        for d in specs
        if specs[d].counter == specs[drawer].counter and specs[d].height > specs[drawer].height
    ]
    return sorted((d for d in above if view.world.opening(d) > AJAR), key=lambda d: -specs[d].height)


def _first(*steps: Callable[[], Array | None]) -> Array | None:
    """The first step that is not done yet."""
    for step in steps:
        action = step()
        if action is not None:
            return action
    return None


def _at_drawer(view: View, drawer: str) -> Array | None:
    """Action float64[11] that drives the base to the drawer's station; None while it stands there."""
    return drive_to(view, drawer_station(view, drawer), (0.06, 0.08))
