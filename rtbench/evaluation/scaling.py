"""How many workers a machine feeds: control steps a second by number of workers."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rtbench.core.episode import DEFAULT_ROBOT
from rtbench.core.errors import RunError
from rtbench.evaluation.evaluate import Options, evaluate
from rtbench.evaluation.progress import Silent
from rtbench.policy.card import Card, build
from rtbench.result.record import Record

NEAR = 0.95
"""The number that is recommended reaches this share of the best rate."""


@dataclass(frozen=True)
class Point:
    """What a number of workers reaches."""

    workers: int
    """Worker processes."""
    steps_s: float
    """Control steps a second, all workers together."""
    policy_share: float
    """Share of the wall time in which the policy computed, 0 to 1; of a policy that runs in the workers, of
    theirs."""


class _Clock(Silent):
    """Notes when each episode ends."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def episode(self, success: bool | None) -> None:  # noqa: ARG002
        """Note the time [s]."""
        self.ends.append(time.perf_counter())


def measure(card: Card, workers: int, episodes: int, robot: str = DEFAULT_ROBOT) -> Point:
    """Play the first episodes of the suite `seen`, with images of the head camera.

    Args:
        card: The policy, as `rtbench.policy.card.resolve` gives it.
        workers: Worker processes.
        episodes: Episodes for each of them, at least 2.
        robot: The robot that acts.

    Raises:
        RunError: an episode was an error, for then times mean nothing.
        RtbenchError: as `rtbench.evaluation.evaluate.evaluate`.
    """
    from rtbench.task.library import load_suite
    from rtbench.task.suite import episodes as draw

    count = episodes * workers
    suite = replace(load_suite("seen"), robot=robot)
    clock = _Clock()
    with tempfile.TemporaryDirectory() as folder:
        chosen = draw(suite, rounds=1 + count // 10, limit=count)
        run = evaluate(
            card, chosen, out=folder, workers=workers, options=Options(images=True, reporter=clock)
        )
        records = run.records
    if errors := [record.error for record in records if record.error]:
        raise RunError(f"{len(errors)} of {count} episodes were errors; the first: {errors[0].message}")
    in_workers = build(card).needs.privileged
    return point(records, clock.ends, workers, in_workers=in_workers)


def point(records: Sequence[Record], ends: Sequence[float], workers: int, *, in_workers: bool) -> Point:
    """The rate between two moments at which all workers are busy.

    These are the end of the first episode, and that of the last one after which each has another to play.

    Args:
        records: In the order in which they ended.
        ends: When they did [s].
        workers: Number of workers.
        in_workers: Whether each has a policy of its own, as the oracle's workers have.
    """
    last = max(1, len(records) - workers)
    seconds = ends[last] - ends[0]
    inside = records[1 : last + 1]
    steps = sum(len(record.times.env) for record in inside)
    # A call for several slots stands in the record of each.
    busy = sum(
        ms / slots
        for record in inside
        for ms, slots in zip(record.times.policy, record.times.slots, strict=True)
    )
    players = workers if in_workers else 1
    return Point(workers, steps / seconds, min(1.0, 1e-3 * busy / seconds / players))


def recommended(points: Sequence[Point]) -> int:
    """The smallest number of workers whose rate comes near the best."""
    best = max(point.steps_s for point in points)
    return min(point.workers for point in points if point.steps_s >= NEAR * best)
