"""How many replicas a cluster holds, on which machines, and with how many workers each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rtbench.core.errors import RunError
from rtbench.evaluation.launch import MOST_WORKERS


@dataclass(frozen=True)
class Machine:
    """A machine of the cluster."""

    name: str
    """What the cluster calls it."""
    cpus: float
    """Processor cores that the cluster may use there."""
    gpus: float = 0.0
    """Graphics cards."""


@dataclass(frozen=True)
class Seat:
    """A place for one replica."""

    machine: str
    """Name of the machine where it is best placed."""
    workers: int
    """Worker processes of the replica."""
    cpus: float
    """Cores that are asked for."""
    gpus: float = 0.0
    """Graphics cards, or a share of one."""


def seats(
    machines: Sequence[Machine], *, jobs: int | None, replicas: int | None, in_workers: bool
) -> tuple[Seat, ...]:
    """Places for replicas.

    A policy that is worth a graphics card gets one replica for each card, and machines without any are left
    alone: a policy may answer otherwise on a processor, and one run would hold two. Else there is one replica
    for at most eight workers, as on one machine.

    Args:
        machines: What there is.
        jobs: Workers in all; None: as many as cores.
        replicas: Replicas in all; None: as above.
        in_workers: Whether the policy runs inside each worker, so that it needs no card.

    Raises:
        RunError: no machine has a core to spare.
    """
    carded = [] if in_workers else [machine for machine in machines if machine.gpus >= 1]
    hosts = [machine for machine in carded or machines if machine.cpus > 0]
    if not hosts:
        raise RunError("the cluster has no processor core to play on; `ray status` shows what it has.")
    counts = [_usual(host, carded=bool(carded)) for host in hosts]
    if replicas is not None:
        counts = _spread(replicas, [host.cpus for host in hosts])
    found = [
        Seat(host.name, 1, _cores(host.cpus / count), host.gpus / count if carded else 0.0)
        for host, count in zip(hosts, counts, strict=True)
        for _ in range(count)
    ]
    total = jobs or max(1, int(sum(host.cpus for host in hosts)))
    workers = _spread(total, [seat.cpus for seat in found])
    return tuple(replace(seat, workers=n) for seat, n in zip(found, workers, strict=True) if n)


def _usual(host: Machine, *, carded: bool) -> int:
    return int(host.gpus) if carded else max(1, math.ceil(host.cpus / MOST_WORKERS))


def _spread(total: int, weights: Sequence[float]) -> list[int]:
    """Whole numbers that sum to `total`, each nearest to its weight's share."""
    given = [0] * len(weights)
    for _ in range(total):
        # The next goes where most is missing.
        index = max(range(len(weights)), key=lambda i: (weights[i] / (given[i] + 1), -i))
        given[index] += 1
    return given


def _cores(share: float) -> float:
    """What a cluster takes: whole cores, or part of one."""
    return float(int(share)) if share >= 1 else round(share, 3)
