"""Runs on a Ray cluster: each replica is an actor. The only module that knows Ray."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from rtbench.core.episode import Episode
from rtbench.core.errors import PolicyError, RunError
from rtbench.core.extras import require
from rtbench.evaluation.cluster.code import code_of
from rtbench.evaluation.cluster.dispatcher import Answer, Dispatcher
from rtbench.evaluation.cluster.messages import Order
from rtbench.evaluation.cluster.replica import Replica
from rtbench.evaluation.cluster.shape import Machine, Seat, seats
from rtbench.evaluation.launch import Launch
from rtbench.result.record import Record

CONNECT_S = 10.0
"""How long the cluster's port may take to answer [s]."""


class RayEngine:
    """Plays on the cluster that RAY_ADDRESS names, on the one of this machine, or on one that it starts."""

    def __init__(self, replicas: int | None = None) -> None:
        """Note how many copies of the policy are wanted; None: see `rtbench.evaluation.cluster.shape`.

        Raises:
            MissingExtraError: Ray is not installed.
        """
        require("ray", "--engine ray")
        self._replicas = replicas

    def play(
        self, launch: Launch, episodes: tuple[tuple[int, Episode], ...], *,
        sink: Callable[[Record], bool], on_ready: Callable[[dict[str, str]], None],
    ) -> None:  # fmt: skip
        """As `rtbench.evaluation.launch.play`, but a policy without a card cannot be copied.

        Raises:
            PolicyError: the policy is an object that the caller made.
            RunError: no cluster.
        """
        if not episodes:
            return
        if launch.card is None or launch.identity is None:
            raise PolicyError(
                "--engine ray makes the policy on each machine, and this one was made here: give its name, "
                "'package.module:Class' or './file.py:Class'."
            )
        order = _order(launch, episodes)
        with _connected() as ray:
            places = seats(
                _machines(ray), jobs=launch.workers, replicas=self._replicas,
                in_workers=launch.policy.needs.privileged,
            )  # fmt: skip
            Dispatcher(launch, episodes, places, sink, on_ready).run(RayCluster(ray, order, places))


class RayCluster:
    """Replicas as Ray actors; see `rtbench.evaluation.cluster.dispatcher.Cluster`."""

    def __init__(self, ray: Any, order: Order, places: tuple[Seat, ...]) -> None:
        """Note what replicas are for; none is started."""
        self._ray = ray
        self._order = order
        self._seats = places
        self._actors: dict[int, Any] = {}
        self._awaited: dict[Any, int] = {}
        """Replica by the answer that is awaited of it."""

    def start(self, replica: int) -> None:
        """Start an actor, on the seat's machine where it still lives."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        seat = self._seats[replica]
        actor = self._ray.remote(Replica).options(
            num_cpus=seat.cpus, num_gpus=seat.gpus, max_restarts=0, max_task_retries=0,
            scheduling_strategy=NodeAffinitySchedulingStrategy(seat.machine, soft=True),
        )  # fmt: skip
        self._actors[replica] = actor.remote(replace(self._order, workers=seat.workers))
        self.give(replica, [])

    def give(self, replica: int, episodes: list[tuple[int, Episode]]) -> None:
        """Give episodes, and await what the actor answers."""
        self._awaited[self._actors[replica].exchange.remote(episodes)] = replica

    def answers(self, timeout_s: float) -> list[Answer]:
        """Answers that have come."""
        from ray.exceptions import RayError

        ready, _ = self._ray.wait(list(self._awaited), num_returns=1, timeout=timeout_s)
        if ready:
            # All others that have come by now.
            ready, _ = self._ray.wait(list(self._awaited), num_returns=len(self._awaited), timeout=0)
        found = []
        for reference in ready:
            replica = self._awaited.pop(reference)
            try:
                found.append(Answer(replica, tuple(self._ray.get(reference))))
            except RayError as error:
                found.append(Answer(replica, lost=_reason(error)))
        return found

    def kill(self, replica: int) -> None:
        """End an actor, and its workers with it."""
        self._awaited = {ref: number for ref, number in self._awaited.items() if number != replica}
        self._ray.kill(self._actors.pop(replica))

    def place(self, replica: int) -> str:
        """Number of the replica; Ray says which machine."""
        return f"replica {replica}"


def _order(launch: Launch, episodes: tuple[tuple[int, Episode], ...]) -> Order:
    if launch.card is None or launch.identity is None:
        raise TypeError("a launch without a card")
    content = launch.env.content
    return Order(
        card=launch.card,
        identity=dict(launch.identity),
        code=code_of(content),
        factory=launch.factory,
        env=launch.env,
        # Errors are counted, and time is kept, by the main process.
        limits=replace(launch.limits, error_least=sys.maxsize, run_s=float("inf")),
        robots=tuple(sorted({episode.robot for _, episode in episodes})),
        draws=launch.draws,
        latency=launch.latency,
        video=launch.video,
        repeat=launch.repeat,
        path=tuple(sys.path),
    )


@contextmanager
def _connected() -> Iterator[Any]:
    """Ray, connected; a cluster that was started for this run ends with it."""
    _check_address(os.environ.get("RAY_ADDRESS", ""))
    # Ray would tell its makers of each start.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ray's actors stand back behind all else by 15; the workers of a local run do not.
    os.environ.setdefault("RAY_worker_niceness", "0")
    import ray

    ours = not ray.is_initialized()
    if ours:
        try:
            ray.init(log_to_driver=False, configure_logging=False, logging_level="error")
        except Exception as error:  # noqa: BLE001 - Ray raises what it likes, plain exceptions too
            where = os.environ.get("RAY_ADDRESS") or "this machine"
            raise RunError(
                f"no Ray cluster at {where}: {error} Start one with `ray start --head`, or correct "
                "RAY_ADDRESS."
            ) from None
    try:
        yield ray
    finally:
        if ours:
            ray.shutdown()


def _check_address(address: str) -> None:
    """Refuse an address where nothing listens at once; Ray would try for minutes."""
    host, _, port = address.rpartition(":")
    if not port.isdigit() or "/" in host:  # 'auto', 'local', 'ray://HOST:PORT'
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise RunError(
            f"no Ray cluster at {address}: {error}. Start one with `ray start --head`, or correct "
            "RAY_ADDRESS."
        ) from None


def _machines(ray: Any) -> list[Machine]:
    found = []
    for node in ray.nodes():
        has = node["Resources"]
        if node["Alive"]:
            found.append(Machine(node["NodeID"], has.get("CPU", 0.0), has.get("GPU", 0.0)))
    return sorted(found, key=lambda machine: machine.name)


def _reason(error: Exception) -> str:
    """The line of an error of Ray's that says what happened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else type(error).__name__
