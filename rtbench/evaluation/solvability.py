"""Can it be played? Resets episodes of a task and lets the oracle try."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from rtbench.core.action import RTBENCH
from rtbench.core.episode import DEFAULT_ROBOT
from rtbench.core.errors import PlacementError
from rtbench.task.audit.finding import Finding
from rtbench.task.suite import Suite, draw
from rtbench.task.task import Task

if TYPE_CHECKING:
    from rtbench.env.kitchen import Kitchen


def play(
    tasks: Iterable[tuple[Task, Suite]], origins: Mapping[str, str], kitchen: Kitchen, count: int
) -> Iterator[Finding]:
    """Faults that show only in the simulator: no room, a goal that is true at once or never.

    Args:
        tasks: Tasks with the suite that an episode of each is drawn from, and the robot that plays it.
        origins: Task's id -> file and entry that it comes from.
        kitchen: Plays them; no camera is needed.
        count: Episodes of each task, seeds 0, 1, ... All are reset; they are played until one succeeds.
    """
    for task, suite in tasks:
        where = origins.get(task.id, task.id)
        missed: list[str] = []
        try:
            for seed in range(count):
                if len(missed) < seed:  # solved before: here only whether there is room
                    kitchen.begin(draw(suite, task, seed))
                elif reason := _missed(task, suite, seed, kitchen):
                    missed.append(reason)
        except PlacementError as error:
            yield Finding(where, task.id, str(error))
            continue
        if len(missed) == count:
            times = "once" if count == 1 else f"in {count} episodes"
            # Of another robot it may be the reach, which no change of the task mends.
            remedy = "; correct the goal or the horizon" if suite.robot == DEFAULT_ROBOT else ""
            reason = f"the oracle did not reach the goal {task.goal} {times} ({missed[-1]}){remedy}."
            yield Finding(where, task.id, reason)


def _missed(task: Task, suite: Suite, seed: int, kitchen: Kitchen) -> str:
    """What came of an episode that the oracle did not solve; '' for one that it did."""
    from rtbench.policy.oracle import oracle_action

    kitchen.begin(draw(suite, task, seed))
    steps = 0
    while steps < task.horizon and not kitchen.terminated:
        kitchen.advance(RTBENCH.encode(oracle_action(kitchen)))
        steps += 1
    if kitchen.success():
        return ""
    events = {name: number for name, number in kitchen.events().items() if number}
    happened = ", ".join(f"{name.replace('_', ' ')} {number}" for name, number in events.items())
    end = "it gave up" if kitchen.terminated else "time ran out"
    return f"{end} after {steps} steps; {happened or 'no event'}"
