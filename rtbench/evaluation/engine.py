"""Where episodes are played: by worker processes of this machine, or on a cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from rtbench.core.episode import Episode
from rtbench.core.errors import UnknownNameError
from rtbench.evaluation.launch import Launch, play
from rtbench.result.record import Record

ENGINES = ("local", "ray")
"""Names of engines."""


class Engine(Protocol):
    """Plays episodes to their end, wherever that is; the records are the same."""

    def play(
        self, launch: Launch, episodes: tuple[tuple[int, Episode], ...], *,
        sink: Callable[[Record], bool], on_ready: Callable[[dict[str, str]], None],
    ) -> None:  # fmt: skip
        """As `rtbench.evaluation.launch.play`."""
        ...


class LocalEngine:
    """Worker processes of this machine, and one policy in this process."""

    def play(
        self, launch: Launch, episodes: tuple[tuple[int, Episode], ...], *,
        sink: Callable[[Record], bool], on_ready: Callable[[dict[str, str]], None],
    ) -> None:  # fmt: skip
        """As `rtbench.evaluation.launch.play`."""
        play(launch, episodes, sink=sink, on_ready=on_ready)


def engine(name: str, replicas: int | None = None) -> Engine:
    """An engine by its name.

    Args:
        name: One of `ENGINES`.
        replicas: Copies of the policy on a cluster; None: see `rtbench.evaluation.cluster.shape`.

    Raises:
        UnknownNameError: no such engine.
        MissingExtraError: it needs a package that is not installed.
    """
    if name == "local":
        return LocalEngine()
    if name == "ray":
        from rtbench.evaluation.cluster.on_ray import RayEngine

        return RayEngine(replicas)
    raise UnknownNameError("engine", name, ENGINES, where="--engine")
