"""Faults: causes of an error in an episode, which is neither a success nor a failure."""

from __future__ import annotations

import traceback as tracebacks
from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["policy", "policy_output", "policy_timeout", "environment", "worker_died", "worker_timeout"]
KINDS: tuple[str, ...] = get_args(Kind)
"""Part of the system at fault; see `Fault.kind`."""


@dataclass(frozen=True)
class Fault:
    """Why an episode has no outcome."""

    kind: Kind
    """policy (it raised), policy_output (not tokens), policy_timeout, environment (it raised), worker_died,
    worker_timeout (no sign of life)."""
    message: str
    """One line."""
    traceback: str = ""
    """Python's traceback, or the last lines a worker wrote; '' where there is none."""

    @classmethod
    def of(cls, kind: Kind, error: BaseException) -> Fault:
        """The fault of an exception, with its traceback."""
        text = "".join(tracebacks.format_exception(error))
        return cls(kind, f"{type(error).__name__}: {error}".splitlines()[0], text)


class FaultError(Exception):
    """Carries a fault up to the code that records the episode."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(fault.message)
