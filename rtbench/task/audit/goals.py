"""Can a goal be reached, and is there anything to do? Told from data alone."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from rtbench.task.audit.interpretation import needed
from rtbench.task.predicate import CLOSED, OPEN
from rtbench.task.suite import Catalogue
from rtbench.task.task import Goal, Task

_OPPOSITES = frozenset(
    frozenset(pair)
    for pair in (
        ("open", "closed"),
        *itertools.product(("lifted",), ("released", "on", "in", "upright", "toppled")),
        *itertools.product(("in",), ("on", "upright", "toppled")),
        ("upright", "toppled"),
    )
)
"""Pairs that cannot both be true of one thing. What stands in a bowl or drawer stands on no counter."""
_HANDLED = frozenset({"lifted", "on", "in", "near", "upright", "toppled", "left_of", "right_of", "between"})
"""Predicates whose first argument the robot has to handle."""
_ONE_PLACE = ("in", "on", "at")


def faults_of_goal(task: Task, catalogue: Catalogue) -> Iterator[str]:
    """Why the goal cannot be reached, or is reached already."""
    ways = [tuple(_contradictions(way)) for way in _ways(task.goal)]
    if all(ways):
        yield from dict.fromkeys(ways[0])
    for leaf in dict.fromkeys(task.goal.leaves()):
        yield from _impossible(leaf, catalogue)
        if leaf.predicate == "in":
            yield from _unfit(leaf.arguments[0], leaf.arguments[1], task, catalogue)
    for name, place in task.start.place.items():
        yield from _unfit(name, place, task, catalogue)
    if true_at_start(task.goal, task):
        yield f"the goal {task.goal} is true at the start; let the episode begin otherwise."


def true_at_start(goal: Goal, task: Task) -> bool:
    """Whether the data alone say that a goal holds before anything is done."""
    if goal.children:
        combine = any if goal.predicate == "any" else all
        return combine(true_at_start(child, task) for child in goal.children)
    first, *rest = goal.arguments
    start = task.start
    where = start.place.get(first, "")
    told = {
        "closed": start.drawers.get(first, 0.0) <= CLOSED,
        "open": start.drawers.get(first, 0.0) >= OPEN,
        "on": where in rest,
        "in": where in rest,
        "out": where not in rest,
        "upright": bool(where) and first not in start.lying,
        "toppled": first in start.lying,
        "at": first == start.station,
        "released": True,
        "still": True,
    }
    given = () if start.given is None else needed(start.given)
    return told.get(goal.predicate, False) or _turned(goal) in map(_turned, given)


def _turned(leaf: Goal) -> Goal:
    """What is right of another thing has that thing on its left."""
    return Goal("left_of", leaf.arguments[::-1]) if leaf.predicate == "right_of" else leaf


def _ways(goal: Goal) -> Iterator[tuple[Goal, ...]]:
    """Leaves that are enough to make the goal true, one tuple for each choice among alternatives."""
    if not goal.children:
        yield (goal,)
    elif goal.predicate == "any":
        yield from itertools.chain.from_iterable(map(_ways, goal.children))
    else:
        for choice in itertools.product(*map(_ways, goal.children)):
            yield tuple(itertools.chain.from_iterable(choice))


def _contradictions(leaves: tuple[Goal, ...]) -> Iterator[str]:
    for a, b in itertools.combinations(map(_turned, dict.fromkeys(leaves)), 2):
        if _contradict(a, b):
            yield f"{a} and {b} cannot both be true; drop one."


def _contradict(a: Goal, b: Goal) -> bool:
    same_thing = a.arguments[0] == b.arguments[0]
    if frozenset((a.predicate, b.predicate)) in _OPPOSITES:
        return same_thing
    if {a.predicate, b.predicate} == {"in", "out"}:
        return a.arguments == b.arguments
    if a.predicate != b.predicate:
        return False
    if a.predicate == "lifted":  # there is one gripper
        return not same_thing
    if a.predicate in _ONE_PLACE:
        return (same_thing or a.predicate == "at") and a != b
    return a.predicate in ("left_of", "nearer") and a.arguments == b.arguments[::-1]


def _impossible(leaf: Goal, catalogue: Catalogue) -> Iterator[str]:
    name = leaf.arguments[0]
    thing = catalogue.objects.get(name)
    if thing is None or leaf.predicate not in _HANDLED:
        return
    if "movable" not in thing.tags:
        yield f"{leaf}: {name!r} is not tagged 'movable', so the gripper cannot take it; choose another."
    if leaf.predicate in ("upright", "toppled") and "can_topple" not in thing.tags:
        yield f"{leaf}: {name!r} is not tagged 'can_topple'; choose one that is."


def _unfit(name: str, place: str, task: Task, catalogue: Catalogue) -> Iterator[str]:
    """Why a thing cannot be in a bowl or drawer."""
    is_bowl = place in catalogue.objects and "receptacle" in catalogue.objects[place].tags
    is_drawer = place in catalogue.scenes[task.scene].drawers
    needed = "fits_bowl" if is_bowl else "fits_drawer" if is_drawer else ""
    if needed and needed not in catalogue.objects[name].tags:
        yield f"{name!r} does not fit into {place!r}: it is not tagged {needed!r}; choose one that is."
