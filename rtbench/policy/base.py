"""The contract between the harness and a policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from rtbench.core.episode import Observation
from rtbench.core.stated_plan import StatedPlan


@dataclass(frozen=True)
class Needs:
    """What a policy wants to be given, declared once."""

    cameras: tuple[str, ...] = ()
    """Cameras to render each step: 'head', 'wrist'. Empty: nothing is rendered."""
    history: int = 1
    """Frames the policy remembers; for information only, policies keep their history per slot."""
    convention: str = "rtbench"
    """Action convention of the tokens it returns: see `rtbench.core.action.CONVENTIONS`."""
    privileged: bool = False
    """True for policies that read the simulator's state. They run in the worker beside the environment and
    are given it through `attach`."""


@runtime_checkable
class Policy(Protocol):
    """A policy that acts on a batch of slots, each an episode of its own.

    The harness calls `reset` before the first `act` of every episode of a slot, and never mixes slots up.
    """

    needs: Needs

    def reset(self, slot: int, instruction: str, seed: int) -> None:
        """Forget the slot's history and take up a new instruction. `seed` fixes all its randomness."""
        ...

    def act(self, observations: Sequence[Observation], slots: Sequence[int]) -> NDArray[np.int64]:
        """Tokens int64[len(slots), 11], in the token order of the policy's convention."""
        ...


@runtime_checkable
class Planner(Protocol):
    """Extra method of a policy that states plans; they stand in records, reports and videos."""

    def stated_plan(self, slot: int) -> StatedPlan | None:
        """The plan that the slot's last action followed; None for none. Asked after each `act`."""
        ...


@runtime_checkable
class Privileged(Protocol):
    """Extra method of a policy whose needs are privileged."""

    def attach(self, slot: int, env: Any) -> None:
        """Give the policy the environment (`rtbench.env.kitchen.Kitchen`) that plays the slot."""
        ...
