"""Sets the players up and plays: workers with environments, a batched policy, a scheduler between them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtbench.core.action import convention
from rtbench.core.environment import EnvSettings
from rtbench.core.episode import Episode
from rtbench.env import gl
from rtbench.env.gpus import drawing_devices
from rtbench.env.robot_cache import robot_path
from rtbench.evaluation.batched_policy import BatchedPolicy
from rtbench.evaluation.latency import NO_LATENCY, Latency, Pace
from rtbench.evaluation.messages import Hello
from rtbench.evaluation.plan import Feed, Limits, Plan
from rtbench.evaluation.progress import Reporter
from rtbench.evaluation.scheduler import Scheduler
from rtbench.evaluation.worker_pool import workers_possible
from rtbench.policy.base import Policy
from rtbench.policy.card import Card
from rtbench.policy.thread import PolicyThread
from rtbench.result.record import Record
from rtbench.task.library import Library

MOST_WORKERS = 8
"""Worker processes at most, unless more are asked for: one policy has to answer them all."""


@dataclass(frozen=True)
class Launch:
    """Who plays episodes, and how."""

    policy: Policy
    """The policy. A privileged one only says what it needs: each worker makes its own from the card."""
    factory: str
    """What makes the environment."""
    env: EnvSettings
    """Given to the factory."""
    videos: Path
    """Folder for videos."""
    reporter: Reporter
    """Told of the course."""
    limits: Limits
    """When to give up."""
    card: Card | None = None
    """What the policy was made from, where there is a card."""
    identity: Mapping[str, Any] | None = None
    """What decides how the card's policy acts; a worker refuses to make another."""
    thread: PolicyThread | None = None
    """The thread in which the policy was made; see `BatchedPolicy`."""
    renew: Callable[[], Policy | None] | None = None
    """Makes the policy anew after a call that timed out; see `BatchedPolicy`."""
    draws: bool = False
    """Whether workers draw with MuJoCo, so that an OpenGL back end is chosen before they start."""
    workers: int | None = None
    """Worker processes; as many as cores, at most `MOST_WORKERS`, where None."""
    latency: Latency = NO_LATENCY
    """Thinking time charged to simulated time."""
    video: str = "none"
    """See `Plan`."""
    in_order: bool = False
    """See `Plan`."""
    repeat: int = 0
    """See `Plan`."""
    feed: Feed | None = None
    """See `Plan`."""
    robots: tuple[str, ...] = ()
    """Robots of the episodes that the feed will give."""


def play(
    launch: Launch,
    episodes: tuple[tuple[int, Episode], ...],
    *,
    sink: Callable[[Record], bool],
    on_ready: Callable[[dict[str, str]], None] = lambda _: None,
) -> None:
    """Play episodes to their end.

    Args:
        launch: Who plays, and how.
        episodes: In order, each with its number in the whole list; nothing happens where there are none, and
            no feed.
        sink: See `Scheduler`.
        on_ready: See `Scheduler`.

    Raises:
        RenderError: no OpenGL back end works here.
        CacheError, RobotError, WheelError: the robot is not baked yet, and cannot be.
        RtbenchError: workers that cannot start, too many errors, an interruption.
    """
    if not episodes and launch.feed is None:
        return
    if launch.factory.startswith("rtbench."):  # our own kitchen: fetch and bake once, before workers start
        library = Library(launch.env.content)
        for robot in {*launch.robots, *(episode.robot for _, episode in episodes)}:
            robot_path(library.robot(robot))
    devices = drawing_devices(gl.prepare()) if launch.draws else ()
    policy, env = launch.policy, launch.env
    privileged = policy.needs.privileged
    hello = Hello(
        factory=launch.factory,
        settings=env,
        pace=Pace(launch.latency, env.control_hz),
        card=launch.card if privileged else None,
        videos=str(launch.videos.resolve()),
        identity=dict(launch.identity) if privileged and launch.identity else None,
    )
    workers = launch.workers or min(os.cpu_count() or 1, MOST_WORKERS)
    wanted = workers if launch.feed else max(1, min(workers, len(episodes)))
    workers = workers_possible(wanted)
    if workers < wanted:
        launch.reporter.say(f"{workers} of {wanted} workers: too few file descriptors (ulimit -n) for more.")
    plan = Plan(
        episodes, hello, workers, launch.video, launch.limits, launch.in_order, launch.repeat, devices,
        launch.feed,
    )  # fmt: skip
    batched = None
    if not privileged:
        batched = BatchedPolicy(
            policy,
            convention(env.convention),
            limit_s=launch.limits.policy_s,
            thread=launch.thread,
            renew=launch.renew,
            first_call_s=launch.limits.first_call_s,
        )
    Scheduler(plan, batched, sink=sink, reporter=launch.reporter, on_ready=on_ready).run()
