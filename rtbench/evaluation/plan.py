"""What a scheduler is to play, and when it gives up."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from rtbench.core.episode import Episode
from rtbench.evaluation.batched_policy import FIRST_CALL_S
from rtbench.evaluation.messages import Hello


@dataclass(frozen=True)
class Limits:
    """When to give up."""

    policy_s: float = 60.0
    """Seconds that a policy may take for one `reset` or `act`."""
    first_call_s: float = FIRST_CALL_S
    """The same for its first `reset`, and its first `act` of each size of batch, when compilers work."""
    step_s: float = 120.0
    """Seconds without a sign of life from a worker that plays: one reset, or one step."""
    start_s: float = 600.0
    """Seconds that a worker may take to start; the first one may have to bake the robot."""
    failed_starts: int = 25
    """Workers in a row that may die while they start, with a wait after each. One that is ready ends the
    count: the cause may pass, such as memory that another program used."""
    error_share: float = 0.1
    """The run stops when more than this share of its episodes were errors ..."""
    error_least: int = 10
    """... once so many have ended."""
    run_s: float = math.inf
    """Seconds after which no episode is begun any more. Those begun are played to their end: to drop them
    would be to drop the long ones."""


class Feed(Protocol):
    """Gives more episodes while a plan is played."""

    @property
    def open(self) -> bool:
        """Whether more may come."""
        ...

    def take(self) -> list[tuple[int, Episode]]:
        """What has come, each episode with its number in the whole list; does not wait."""
        ...


@dataclass(frozen=True)
class Plan:
    """What is to be played."""

    episodes: tuple[tuple[int, Episode], ...]
    """Missing episodes in order, each with its number in the whole list."""
    hello: Hello
    """What workers are told."""
    workers: int = 1
    """Worker processes."""
    video: str = "none"
    """none, fail, all, or the number of episodes at the head of the list that get one."""
    limits: Limits = Limits()
    """When to give up."""
    in_order: bool = False
    """Records count in the order of `episodes`, not in the order in which these end: needed by a
    stopping rule; see `rtbench.evaluation.reorder_buffer`."""
    repeat: int = 0
    """Which of several runs of the same episodes this is; see `rtbench.policy.seed`."""
    devices: tuple[str, ...] = ()
    """Values of MUJOCO_EGL_DEVICE_ID that workers get in turn; see `rtbench.env.gpus`."""
    feed: Feed | None = None
    """Gives episodes beside `episodes`; the plan is played when it has closed, too."""
