"""Gives episodes to the replicas of a cluster, and takes their records.

What a dead replica or machine held is played again. So is an episode that takes far longer than others, once
all are given away: whichever record comes first counts. Both are the same, for an episode fixes its record.
"""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from rtbench.core.atomic_write import atomic_write
from rtbench.core.episode import Episode
from rtbench.core.errors import RunError
from rtbench.core.fault import Fault
from rtbench.evaluation.cluster.messages import Environment, Event, Failed, Played, Said
from rtbench.evaluation.cluster.shape import Seat
from rtbench.evaluation.ending import CONTINUES, LostPolicyError, NoWorkersError, stoppable
from rtbench.evaluation.launch import Launch
from rtbench.evaluation.tally import Tally
from rtbench.evaluation.worker_pool import Job
from rtbench.result.record import Record, of_fault

TICK_S = 0.25
"""How long to wait for news [s]."""
SILENT_S = 120.0
"""A replica that answers nothing for so long is given up [s]; one that lives answers each second."""
MAX_DEATHS = 3
"""Replicas that an episode may cost. The third time it is played alone, for others may be to blame."""
MAX_FAILED_STARTS = 5
"""Replicas in a row that may die or fail before any record comes, beside as many as there are seats."""
STRAGGLES = 4.0
"""An episode is given a second time when it takes this many times the median."""
STRAGGLES_LEAST_S = 10.0
"""It is not before this time [s]."""


@dataclass(frozen=True)
class Answer:
    """What a replica has told, or that it is gone."""

    replica: int
    """Number of its seat."""
    events: tuple[Event, ...] = ()
    """News."""
    lost: str = ""
    """Set when it is gone: how, in a few words."""


class Cluster(Protocol):
    """Where replicas live."""

    def start(self, replica: int) -> None:
        """Start a replica in that seat, which begins with an answer without news."""
        ...

    def give(self, replica: int, episodes: list[tuple[int, Episode]]) -> None:
        """Give episodes to a replica that has answered, and await its next answer."""
        ...

    def answers(self, timeout_s: float) -> list[Answer]:
        """Answers that have come; waits up to `timeout_s` for the first."""
        ...

    def kill(self, replica: int) -> None:
        """End a replica; nothing more is heard of it."""
        ...

    def place(self, replica: int) -> str:
        """Where it is, for the user."""
        ...


@dataclass
class _Replica:
    """A replica as the main process sees it."""

    seat: Seat
    heard: float
    answered: bool = False
    """Whether it has answered at all; it may have to wait for a core."""
    waits: bool = False
    """Whether its last answer was taken, and it is to be given more."""
    held: dict[str, Job] = field(default_factory=dict)
    """What it was given and has not answered, in the order in which it was given, by key."""
    told: int = 0
    """Records in its last answer that had any."""
    given: dict[str, float] = field(default_factory=dict)
    """When it was given that [s, monotonic]."""


class Dispatcher:
    """Plays a launch's episodes on a cluster, once."""

    def __init__(
        self, launch: Launch, episodes: Sequence[tuple[int, Episode]], seats: Sequence[Seat],
        sink: Callable[[Record], bool], on_ready: Callable[[dict[str, str]], None],
    ) -> None:  # fmt: skip
        """Prepare; nothing is started. Arguments are as of `rtbench.evaluation.launch.play`."""
        self._launch = launch
        self._total = len(episodes)
        self._waiting = deque(Job(episode, number) for number, episode in episodes)
        self._seats = tuple(seats)
        self._replicas: dict[int, _Replica] = {}
        order = [episode.key for _, episode in episodes] if launch.in_order else None
        self._tally = Tally(sink, launch.reporter, launch.limits, order)
        self._on_ready = on_ready
        self._done: set[str] = set()
        self._twice: set[str] = set()
        """Episodes that were given a second time."""
        self._durations: list[float] = []
        self._failed = 0
        """Replicas in a row that were lost before any record came."""
        self._renderers: set[str] = set()

    def run(self, cluster: Cluster) -> None:
        """Play until every episode has its record, the sink has enough, or the time is up.

        Raises:
            InterruptedRunError: Ctrl-C, or SIGTERM.
            TooManyErrorsError: see `rtbench.evaluation.plan.Limits`.
            NoWorkersError: replicas do not start, or die.
            LostPolicyError: the policy's server does not come back.
            RunError: a machine cannot play: no OpenGL, another rtbench or policy.
        """
        with stoppable(lambda: f"{self._tally.ended} of {self._total} episodes"):
            try:
                self._run(cluster)
            finally:
                for number in list(self._replicas):
                    cluster.kill(number)

    def _run(self, cluster: Cluster) -> None:
        began = time.monotonic()
        while not self._tally.enough and (self._waiting or self._held()):
            if time.monotonic() - began >= self._launch.limits.run_s:
                self._waiting.clear()
            self._start(cluster)
            for answer in cluster.answers(TICK_S):
                self._take(cluster, answer)
            self._give(cluster)
            self._bury_silent(cluster)

    def _held(self) -> int:
        """Number of episodes that are given away and have no record; one may count twice."""
        return sum(len(replica.held.keys() - self._done) for replica in self._replicas.values())

    def _start(self, cluster: Cluster) -> None:
        """Have as many replicas as there is work for."""
        spare = sum(r.seat.workers - len(r.held) for r in self._replicas.values())
        for number, seat in enumerate(self._seats):
            if number not in self._replicas and spare < len(self._waiting):
                cluster.start(number)
                self._replicas[number] = _Replica(seat, time.monotonic())
                spare += seat.workers

    def _take(self, cluster: Cluster, answer: Answer) -> None:
        replica = self._replicas.get(answer.replica)
        if replica is None:
            return
        if answer.lost:
            self._bury(cluster, answer.replica, answer.lost)
            return
        replica.heard, replica.answered, replica.waits = time.monotonic(), True, True
        replica.told = sum(isinstance(event, Played) for event in answer.events) or replica.told
        for event in answer.events:
            if self._tally.enough:
                return
            if isinstance(event, Played):
                self._keep(replica, event)
            elif isinstance(event, Environment):
                self._note(event.info)
            elif isinstance(event, Said):
                self._launch.reporter.say(event.text)
            elif isinstance(event, Failed):
                self._fail(cluster, answer.replica, event)
                return

    def _keep(self, replica: _Replica, event: Played) -> None:
        key = event.record.key
        self._failed = 0
        replica.held.pop(key, None)
        given = replica.given.pop(key, None)
        if key in self._done:
            return
        if given is not None:
            self._durations.append(time.monotonic() - given)
        self._done.add(key)
        if event.film is not None and event.record.video:
            self._launch.videos.mkdir(parents=True, exist_ok=True)
            with atomic_write(self._launch.videos / event.record.video) as beside:
                beside.write_bytes(event.film)
        self._tally.add(event.record)

    def _note(self, info: dict[str, str]) -> None:
        """Note what a worker draws with; frames of two renderers differ in their last bits."""
        before = len(self._renderers)
        self._renderers.add(info.get("renderer", ""))
        if not before:
            self._on_ready(info)
        elif len(self._renderers) > max(before, 1):
            names = " and ".join(sorted(self._renderers))
            self._launch.reporter.say(
                f"machines of this run draw with {names}: their frames are not equal to the last bit."
            )

    def _fail(self, cluster: Cluster, number: int, failed: Failed) -> None:
        said = f"{cluster.place(number)}: {failed.message}"
        if failed.kind == NoWorkersError.__name__:
            self._bury(cluster, number, failed.message)
            return
        raise (LostPolicyError if failed.kind == LostPolicyError.__name__ else RunError)(said)

    def _give(self, cluster: Cluster) -> None:
        """Give every replica that waits as much as it has workers for, and some to go on with."""
        workers = sum(replica.seat.workers for replica in self._replicas.values())
        for number, replica in self._replicas.items():
            if not replica.waits:
                continue
            own = replica.seat.workers
            # The last ones are not to lie in one replica's queue while another has nothing to do.
            share = len(self._waiting) * own // (2 * max(1, workers))
            # Short episodes come several in an answer, and the next answer should be no later than now.
            ahead = min(max(own, 2 * replica.told), share)
            batch = []
            while self._waiting and self._fits(replica, own + ahead):
                batch.append(self._hand(replica, self._waiting.popleft()))
            if not self._waiting and len(replica.held) < own:
                batch += [self._hand(replica, job) for job in self._straggling(own - len(replica.held))]
            replica.waits = False
            cluster.give(number, batch)

    def _fits(self, replica: _Replica, most: int) -> bool:
        """Whether a replica can take the next episode beside what it holds."""
        suspects = MAX_DEATHS - 1
        if self._waiting[0].deaths >= suspects:
            return not replica.held
        return len(replica.held) < most and all(job.deaths < suspects for job in replica.held.values())

    @staticmethod
    def _hand(replica: _Replica, job: Job) -> tuple[int, Episode]:
        replica.held[job.episode.key] = job
        replica.given[job.episode.key] = time.monotonic()
        return job.number, job.episode

    def _straggling(self, most: int) -> list[Job]:
        """Episodes that another replica has had for too long."""
        if not self._durations:
            return []
        limit = max(STRAGGLES_LEAST_S, STRAGGLES * statistics.median(self._durations))
        before = time.monotonic() - limit
        found = [
            job
            for replica in self._replicas.values()
            for key, job in replica.held.items()
            if replica.given[key] < before and key not in self._twice
        ][:most]
        self._twice.update(job.episode.key for job in found)
        return found

    def _bury_silent(self, cluster: Cluster) -> None:
        now = time.monotonic()
        for number, replica in list(self._replicas.items()):
            limit = SILENT_S if replica.answered else self._launch.limits.start_s
            if not replica.waits and now - replica.heard > limit:
                self._bury(cluster, number, f"no sign of life for {limit:g} s")

    def _bury(self, cluster: Cluster, number: int, reason: str) -> None:
        """Play what a lost replica held again."""
        said = f"{cluster.place(number)}: {reason}"
        cluster.kill(number)
        replica = self._replicas.pop(number)
        self._failed += 1
        elsewhere = {key for other in self._replicas.values() for key in other.held}
        # It played the first ones; those behind them had not begun.
        for place, (key, job) in reversed(list(enumerate(replica.held.items()))):
            if key in self._done or key in elsewhere:
                continue
            job.deaths += place < replica.seat.workers
            self._twice.discard(key)
            if job.deaths < MAX_DEATHS:
                self._waiting.appendleft(job)
                continue
            self._done.add(key)
            fault = Fault("worker_died", f"{said}, {job.deaths} times.")
            self._tally.add(of_fault(job.episode, self._launch.env.convention, fault, []))
        if self._failed >= MAX_FAILED_STARTS + len(self._seats):
            raise NoWorkersError(f"replicas do not play: {said}, {self._failed} times in a row; {CONTINUES}")
        self._launch.reporter.say(f"{said}; its episodes are played again.")
