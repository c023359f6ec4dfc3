"""Subgoals of the oracle: the jobs that a goal still needs, in an order in which none undoes another.

A job is all that is asked of one object, drawer or station. Objects are brought to their places first, then
drawers are shut and opened, then something is taken into the hand, and last the robot drives.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtbench.core.vector import length
from rtbench.policy.oracle.motion import View
from rtbench.policy.oracle.predicted_world import done
from rtbench.task.predicate import is_closed, is_open
from rtbench.task.task import Goal

Array = NDArray[np.float64]

RELATIONS = ("near", "left_of", "right_of", "between", "nearer")
"""Predicates about where an object is with regard to others."""
PLACES = ("in", "on", "out", *RELATIONS, "upright", "toppled")
"""Predicates that hold for an object only after the hand has released it, as people use the words."""


@dataclass(frozen=True)
class Job:
    """Goal leaves of one object, drawer or station."""

    name: str
    """Name of the object, drawer or station."""
    leaves: tuple[Goal, ...]
    """All have `name` as their first argument."""

    @property
    def goal(self) -> Goal:
        """Goal of the job. To put an object down includes its release."""
        released = Goal("released", (self.name,))
        put_down = self.asks(*PLACES) and not self.asks("lifted")
        return Goal("all", children=(*self.leaves, released) if put_down else self.leaves)

    def asks(self, *predicates: str) -> bool:
        """Whether one of these predicates is asked for."""
        return any(leaf.predicate in predicates for leaf in self.leaves)

    def only(self, *predicates: str) -> tuple[Goal, ...]:
        """The leaves with these predicates."""
        return tuple(leaf for leaf in self.leaves if leaf.predicate in predicates)

    @property
    def others(self) -> tuple[str, ...]:
        """The names of all else that it mentions."""
        return tuple(name for leaf in self.leaves for name in leaf.arguments[1:])


def left_to_do(view: View, goal: Goal) -> list[Job]:
    """The jobs that are not done, in the order of work."""
    jobs = jobs_of(view, goal)
    objects = [job for job in jobs if _is_placing(view, job) and not done(view.world, job.goal)]
    drawers = [job for job in jobs if job.name in view.world.scene.spec.drawers and not _stays(view, job)]
    heights = {name: drawer.height for name, drawer in view.world.scene.spec.drawers.items()}
    # A drawer that is out is in the way of those below it: shut from the top, opened from the bottom.
    shut = sorted((j for j in drawers if j.asks("closed")), key=lambda job: -heights[job.name])
    opened = sorted((j for j in drawers if not j.asks("closed")), key=lambda job: heights[job.name])
    taken = [job for job in jobs if job.asks("lifted")]
    driven = [job for job in jobs if job.asks("at")]
    return [*_in_order(view, objects), *shut, *opened, *taken, *driven]


def jobs_of(view: View, goal: Goal) -> list[Job]:
    """All jobs of a goal, one per object, drawer or station; of alternatives, the most advanced."""
    leaves = list(dict.fromkeys(_chosen(view, goal)))
    names = dict.fromkeys(leaf.arguments[0] for leaf in leaves)
    return [Job(name, tuple(leaf for leaf in leaves if leaf.arguments[0] == name)) for name in names]


def _is_placing(view: View, job: Job) -> bool:
    return job.name in view.world.names() and not job.asks("lifted")


def _stays(view: View, job: Job) -> bool:
    """Whether a drawer is as the job asks and no other job will move it."""
    holds = all(
        (is_closed if leaf.predicate == "closed" else is_open)(view.world, job.name) for leaf in job.leaves
    )
    return holds and job.name not in view.world.touched()


def _in_order(view: View, jobs: list[Job]) -> list[Job]:
    """Jobs of which none disturbs an earlier one: what others are put next to comes first."""
    ordered: list[Job] = []
    waiting = sorted(jobs, key=lambda job: not view.world.held(job.name))
    while waiting:
        names = {job.name for job in waiting}
        free = [job for job in waiting if not names & ({*job.others, *_in_the_way(view, job)} - {job.name})]
        ordered.append((free or waiting)[0])
        waiting.remove(ordered[-1])
    return ordered


def _in_the_way(view: View, job: Job) -> tuple[str, ...]:
    """Objects that stand on the mat on which the job puts an object."""
    mats = {leaf.arguments[1] for leaf in job.only("on")} & set(view.world.names())
    tops = [view.world.surface(mat) for mat in mats]
    others = [name for name in view.world.names() if name not in mats and name != job.name]
    return tuple(o for o in others if any(top.covers(view.world.pose(o).position) for top in tops))


def _chosen(view: View, goal: Goal) -> Sequence[Goal]:
    """The leaves to make true, with the best alternative of each 'any'."""
    if not goal.children:
        return (goal,)
    if goal.predicate == "any":
        return _chosen(view, min(goal.children, key=lambda child: _effort(view, child)))
    return tuple(leaf for child in goal.children for leaf in _chosen(view, child))


def _effort(view: View, goal: Goal) -> tuple[bool, float, float]:
    """Remaining effort of an alternative: less is better.

    Whether its object is not in the hand, the share of its leaves that do not hold, and the way to go [m].
    """
    leaves = _chosen(view, goal)
    missing = [leaf for leaf in leaves if not done(view.world, leaf)]
    if not missing:
        return False, 0.0, 0.0
    way, at_hand = 0.0, False
    for leaf in missing:
        places = [_where(view, name) for name in leaf.arguments]
        at_hand |= leaf.arguments[0] in view.world.names() and view.world.held(leaf.arguments[0])
        way += sum(length(a - b) for a, b in itertools.pairwise(places))
        way += length(places[0] - view.hand.position[:2])
        way += _crowd(view, leaf)
    return not at_hand, len(missing) / len(leaves), way


def _crowd(view: View, leaf: Goal) -> float:
    """A metre for each thing that already stands on the mat where something is to be put."""
    return float(len(_in_the_way(view, Job(leaf.arguments[0], (leaf,)))))


def _where(view: View, name: str) -> Array:
    """Place float64[2] [m] of anything that a goal names."""
    world = view.world
    if name in world.names() or name in world.scene.spec.drawers:
        position = world.pose(name).position
    elif name in world.scene.spec.sinks:
        position = world.cavity(name).center
    else:
        position = world.surface(name).center
    place: Array = position[:2]
    return place
