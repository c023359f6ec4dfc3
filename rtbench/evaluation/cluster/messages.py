"""What the main process and the replicas of a cluster say to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rtbench.core.environment import EnvSettings
from rtbench.evaluation.latency import Latency
from rtbench.evaluation.plan import Limits
from rtbench.policy.card import Card
from rtbench.result.record import Record


@dataclass(frozen=True)
class Order:
    """What a replica is for. Its fields that `rtbench.evaluation.launch.Launch` has mean the same."""

    card: Card
    """The policy."""
    identity: Mapping[str, Any]
    """What makes it the policy that it is: a replica refuses to play another."""
    code: Mapping[str, str]
    """Hashes of code and content: a replica refuses to play with others."""
    factory: str
    env: EnvSettings
    limits: Limits
    robots: tuple[str, ...]
    """Robots of the episodes, made ready before workers start."""
    draws: bool
    latency: Latency
    video: str
    repeat: int
    workers: int = 1
    """Worker processes of the replica."""
    path: tuple[str, ...] = ()
    """Where the main process imports from; what a machine does not have of it is passed over."""


@dataclass(frozen=True)
class Played:
    """An episode has its record."""

    record: Record
    """Its record."""
    film: bytes | None = None
    """Its film, of a record that names one: the machine's disk may be its own."""


@dataclass(frozen=True)
class Environment:
    """A worker stands."""

    info: dict[str, str]
    """`EpisodeEnv.info()`."""


@dataclass(frozen=True)
class Said:
    """Something that the user should read."""

    text: str
    """A sentence."""


@dataclass(frozen=True)
class Failed:
    """The replica cannot play."""

    kind: str
    """Name of the error's class."""
    message: str
    """Its text, or a traceback of what is no error of rtbench's."""


Event = Played | Environment | Said | Failed
