"""Audit of leakage: tasks that are held out from training must not occur in a seen suite."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator

from rtbench.task.expand import HELD_OUT
from rtbench.task.skill import SEEN
from rtbench.task.suite import Suite
from rtbench.task.task import Goal, Task

_SETTLING = frozenset({"released", "still", "out"})
_OF_DRAWERS = frozenset({"open", "closed", "in", "out"})


def leaks(suite: Suite, held_out: Iterable[Task]) -> Iterator[tuple[Task, str]]:
    """Tasks of a suite's axes for training that are held out, or the same as one that is, and why."""
    splits = {name: axis.split or suite.entry.split for name, axis in suite.entry.axes.items()}
    tasks = {task.id: task for axis, split in splits.items() if split == SEEN for task in suite.tasks(axis)}
    by_key = {key: task for task in held_out for key in _keys(task)}
    for task in tasks.values():
        if task.group == HELD_OUT:
            yield (
                task,
                "is held out, but a suite with 'split: seen' plays it; drop it or call the split novel.",
            )
            continue
        # "Pick the can from the bowl" counts as picking the can, if that task is held out.
        alone = ("skill", task.skill, task.objects[:1], frozenset[str]())
        same = next((by_key[key] for key in (*_keys(task), alone) if key in by_key), None)
        if same is not None:
            yield task, f"asks for the same as {same.id}, which is held out; hold it out too or drop it."


def unknown_parts(held_out: Iterable[Task], seen: Iterable[Task]) -> Iterator[tuple[Task, str]]:
    """Held-out tasks with a part that no seen task has, with that part: then more than the pair is new.

    A part paired with another object must be seen in the same skill; one paired with the skill, in any skill.
    """
    held_out = tuple(held_out)
    with_skill = {(t.skill, t.objects[0]) for t in held_out if len(t.objects) == 1 and not _fixtures(t)}
    players = {(task.skill, player) for task in seen for player in task.objects}
    anywhere = {player for _, player in players}
    for task in held_out:
        for name in task.objects:
            pair = (task.skill, name)
            if name not in anywhere or (pair not in players and pair not in with_skill):
                yield (
                    task,
                    f"is held out, but {name!r} is in no seen task of its skill; only the pair may be new.",
                )


def _keys(task: Task) -> Iterator[Hashable]:
    """Keys that make two tasks the same: skill and objects, or the goal, whatever the skill is called."""
    yield ("skill", task.skill, task.objects, _fixtures(task))
    leaves = frozenset(leaf for leaf in task.goal.leaves() if not _trivial(leaf))
    if leaves:  # after taking an object out of a bowl, the only leaf left is that it lies on the counter
        sources = frozenset(where for name, where in task.start.place.items() if where in task.objects)
        yield ("goal", leaves, sources)


def _trivial(leaf: Goal) -> bool:
    return leaf.predicate in _SETTLING or (leaf.predicate == "on" and leaf.arguments[1:] == ("counter",))


def _fixtures(task: Task) -> frozenset[str]:
    """Drawers and sinks that the task is about."""
    of_drawers = [leaf.arguments[-1] for leaf in task.goal.leaves() if leaf.predicate in _OF_DRAWERS]
    return frozenset({*task.start.drawers, *of_drawers} - {*task.present})
