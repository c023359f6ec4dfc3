"""From a goal to the next step: which of its predicates is not true yet, and what makes it true.

Nothing is remembered between steps. Whatever the state, and whoever brought it about, the plan is worked out
from it anew, so the oracle can take over in the middle of any episode and label any state for training.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtbench.geometry import wrap
from rtbench.policy.oracle.drawer import close_drawer, drawer_of, drawer_station, open_drawer
from rtbench.policy.oracle.drive import come_near, drive_to
from rtbench.policy.oracle.grasp import put_back, reach_for
from rtbench.policy.oracle.hand import View, counter_height, move
from rtbench.policy.oracle.knock import knock_over
from rtbench.policy.oracle.place import drawer_spot, free_spot, grip_floor, near_spot, put_down, retreat
from rtbench.policy.oracle.upright import stand_up
from rtbench.predicate import OPEN, at, evaluate
from rtbench.task import Goal

Array = NDArray[np.float64]

LIFTED = 0.075
"""A picked object's lowest point is raised this far over the counter [m]; 5 cm count."""


def next_step(view: View, goal: Goal) -> Array | None:
    """The action float64[11] that brings the goal nearer; None once it is reached and need not be kept up."""
    leaves = {leaf.predicate: leaf.arguments for leaf in goal.leaves()}
    if "released" in leaves and evaluate(goal, view.world):
        return retreat(view) if _round_it(view, *leaves["released"]) else None
    for predicate, makes in _MAKERS.items():
        if predicate in leaves:
            return makes(view, goal, *leaves[predicate])
    return None


def _lift(view: View, goal: Goal, name: str) -> Array | None:
    del goal
    step = _fetch(view, name)
    if step is not None:
        return step
    ground = max(float(view.world.surface(c).center[2]) for c in view.world.scene.spec.counters)
    missing = ground + LIFTED - float(view.world.box(name)[0][2])
    if missing <= 0:
        return None
    return move(view, view.hand.position + np.array([0.0, 0.0, missing + 0.005]), view.hand.quaternion, 0.0)


def _put_near(view: View, goal: Goal, name: str, target: str) -> Array | None:
    def spot() -> _Spot:
        place, yaw = near_spot(view, name, target)
        return _Spot(place, counter_height(view, target), yaw=yaw)

    return _bring(view, goal, name, spot)


def _put_on(view: View, goal: Goal, name: str, surface: str) -> Array | None:
    def spot() -> _Spot:
        return _Spot(free_spot(view, name, surface), _counter_top(view, surface))

    if evaluate(goal, view.world):
        return None
    if view.world.held(name) and not at(view.world, surface):
        return _first(
            lambda: _raise(view, name, surface), lambda: drive_to(view, view.world.station(surface))
        )
    return _bring(view, goal, name, spot)


def _put_in(view: View, goal: Goal, name: str, receptacle: str) -> Array | None:
    if evaluate(goal, view.world):
        return None
    if receptacle not in view.world.scene.spec.drawers:
        cavity = view.world.cavity(receptacle)
        ground = float(cavity.center[2] - cavity.half[2])
        return _bring(view, goal, name, lambda: _Spot(cavity.center[:2], ground, least=grip_floor(cavity)))
    if view.world.opening(receptacle) < OPEN:
        carried = view.carried()
        if carried is not None:
            return put_back(view, carried)
        return _draw(view, receptacle)
    cavity = view.world.cavity(receptacle)
    ahead = wrap(cavity.yaw - float(view.base[2]))
    ground = float(cavity.center[2] - cavity.half[2])
    return _bring(view, goal, name, lambda: _Spot(drawer_spot(view, name, receptacle), ground, yaw=ahead))


def _stand(view: View, goal: Goal, name: str) -> Array | None:
    if evaluate(goal, view.world):
        return None
    if view.world.held(name):
        return stand_up(view, name)
    return _first(
        lambda: come_near(view, view.world.pose(name).position[:2]),
        lambda: stand_up(view, name),
        lambda: retreat(view),
    )


def _topple(view: View, goal: Goal, name: str) -> Array | None:
    if evaluate(goal, view.world):
        return None
    other = view.carried()
    if other is not None and other != name:
        return put_back(view, other)
    beside = np.linalg.norm(view.hand.position - view.world.pose(name).position) < 0.13
    return _first(
        lambda: None if beside else come_near(view, view.world.pose(name).position[:2]),
        lambda: knock_over(view, name),
        lambda: retreat(view),
    )


def _open(view: View, goal: Goal, drawer: str) -> Array | None:
    del goal
    carried = view.carried()
    if carried is not None:
        return put_back(view, carried)
    if view.world.opening(drawer) >= OPEN + 0.01:
        return None
    return _draw(view, drawer)


def _close(view: View, goal: Goal, drawer: str) -> Array | None:
    del goal
    carried = view.carried()
    if carried is not None:
        return put_back(view, carried)
    return _first(lambda: _at_drawer(view, drawer), lambda: close_drawer(view, drawer))


def _drive(view: View, goal: Goal, station: str) -> Array | None:
    del goal
    return drive_to(view, view.world.station(station))


_MAKERS: dict[str, Callable[..., Array | None]] = {
    "lifted": _lift,
    "upright": _stand,
    "toppled": _topple,
    "near": _put_near,
    "in": _put_in,
    "on": _put_on,
    "open": _open,
    "closed": _close,
    "at": _drive,
}
"""What makes a predicate true. The first in this order leads; 'released', 'still' and 'out' come with it."""


def _fetch(view: View, name: str) -> Array | None:
    """One step towards holding an object, wherever it is; None once it is held."""
    if view.world.held(name):
        return None
    drawer = drawer_of(view, name)
    if drawer is not None and view.world.opening(drawer) < OPEN - 0.02:
        return _draw(view, drawer)
    return _first(lambda: come_near(view, view.world.pose(name).position[:2]), lambda: reach_for(view, name))


@dataclass(frozen=True)
class _Spot:
    """Where something is put down."""

    place: Array
    """float64[2] [m], world."""
    ground: float
    """Height [m]."""
    least: float = 0.0
    """Lowest grip point [m]."""
    yaw: float | None = None
    """Heading of the hand in the base frame [rad]; as it is, for None."""


def _bring(view: View, goal: Goal, name: str, spot: Callable[[], _Spot]) -> Array | None:
    """One step of fetching an object and putting it down at a spot."""
    if evaluate(goal, view.world):
        return None
    if not view.world.held(name):
        if _only_letting_go_is_left(view, goal):
            return retreat(view)
        return _fetch(view, name)
    goal_spot = spot()
    near = come_near(view, goal_spot.place)
    if near is not None:
        raised = _raise(view, name, "counter")
        return near if raised is None else raised
    return put_down(view, name, goal_spot.place, goal_spot.ground, least=goal_spot.least, yaw=goal_spot.yaw)


def _only_letting_go_is_left(view: View, goal: Goal) -> bool:
    """Whether all of the goal holds but what waits for the hand to leave and the object to come to rest."""
    waiting = {"released", "still"}
    rest = [leaf for leaf in goal.leaves() if leaf.predicate not in waiting]
    return all(evaluate(leaf, view.world) for leaf in rest)


def _round_it(view: View, name: str) -> bool:
    """Whether the fingers are still round an object that they have let go."""
    low, high = view.world.box(name)
    return bool(
        np.all(view.hand.position > low - 0.02)
        and np.all(view.hand.position < high + np.array([0.02, 0.02, 0.012]))
    )


def _raise(view: View, name: str, surface: str) -> Array | None:
    """Lift a carried object clear of the counter before driving; None once it is."""
    low = float(view.world.box(name)[0][2])
    missing = _counter_top(view, surface) + 0.10 - low
    if missing <= 0.02:
        return None
    return move(view, view.hand.position + np.array([0.0, 0.0, missing]), view.hand.quaternion, 0.0)


def _draw(view: View, drawer: str) -> Array | None:
    """One step towards an open drawer; None once it is drawn out."""
    return _first(lambda: _at_drawer(view, drawer), lambda: open_drawer(view, drawer))


def _first(*steps: Callable[[], Array | None]) -> Array | None:
    """The first step that is not done yet."""
    for step in steps:
        action = step()
        if action is not None:
            return action
    return None


def _at_drawer(view: View, drawer: str) -> Array | None:
    """One step of the base to where the drawer can be worked; None while it stands there."""
    return drive_to(view, drawer_station(view, drawer), (0.06, 0.08))


def _counter_top(view: View, counter: str) -> float:
    return float(view.world.surface(counter).center[2])
