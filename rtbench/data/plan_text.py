"""The plan of a demonstration in words: what its skill calls it, with the names of its things.

It is the first instruction of the task's skill, such as 'move apple near sponge', whatever the instruction of
the episode was.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from rtbench.core.episode import Episode
from rtbench.policy.rt2.decoding import PLACES
from rtbench.task.library import BUNDLED
from rtbench.task.task import Task


def plan_text(episode: Episode) -> str:
    """The plan of an episode's task; of a task that is not shipped, the episode's own instruction."""
    task = _tasks().get(episode.task)
    return task.templates[0] if task else episode.instruction


def plan_names(episode: Episode) -> tuple[str, ...]:
    """What the plan calls the things of the task, at most `PLACES` of them; drawers are not among them."""
    task, things = _tasks().get(episode.task), BUNDLED.things()
    objects = task.objects[:PLACES] if task else ()
    return tuple(things[name].names[0] for name in objects if name in things)


def plan_places(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Places of a plan: of the thing to be moved, and of where it goes.

    Args:
        points: float32[..., 4, 2]: first object, second object, drawer and gripper; see
            `rtbench.data.demonstration.Demonstration.points`.

    Returns:
        float32[..., 2, 2]: x and y; NaN where a thing is not in the picture. The first is the drawer's where
        the task has no object, the second the first's where there is only one thing.
    """
    objects, drawer = points[..., :2, :], points[..., 2, :]
    first = np.where(np.isfinite(objects[..., 0, :]), objects[..., 0, :], drawer)
    second = np.where(np.isfinite(objects[..., 1, :]), objects[..., 1, :], drawer)
    second = np.where(np.isfinite(second), second, first)
    return np.stack([first, second], axis=-2)


@cache
def _tasks() -> dict[str, Task]:
    return dict(BUNDLED.tasks())
