"""Can it be played? Resets episodes of a task and lets the oracle try."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from rtbench.core.action import RTBENCH
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
        tasks: Tasks with the suite that an episode of each is drawn from.
        origins: Task's id -> file and entry that it comes from.
        kitchen: Plays them; no camera is needed.
        count: Episodes of each task, seeds 0, 1, ...
    """
    for task, suite in tasks:
        where = origins.get(task.id, task.id)
        try:
            reached = [_reaches(task, suite, seed, kitchen) for seed in range(count)]
        except PlacementError as error:
            yield Finding(where, task.id, str(error))
            continue
        if not any(reached):
            times = "once" if count == 1 else f"in {count} episodes"
            reason = (
                f"the oracle did not reach the goal {task.goal} {times}; correct the goal or the horizon."
            )
            yield Finding(where, task.id, reason)


def _reaches(task: Task, suite: Suite, seed: int, kitchen: Kitchen) -> bool:
    from rtbench.policy.oracle import oracle_action

    kitchen.begin(draw(suite, task, seed))
    for _ in range(task.horizon):
        kitchen.advance(RTBENCH.encode(oracle_action(kitchen)))
        if kitchen.terminated:
            break
    return kitchen.success()
