"""Faults: causes of an error in an episode, which is neither a success nor a failure."""

from __future__ import annotations

import traceback as tracebacks
from dataclasses import dataclass
from typing import Literal, get_args

from rtbench.core.text import storable, text_of

Kind = Literal["policy", "policy_output", "policy_timeout", "environment", "worker_died", "worker_timeout"]
KINDS: tuple[str, ...] = get_args(Kind)
"""Part of the system at fault; see `Fault.kind`."""
MOST_MESSAGE, MOST_TRACEBACK = 2_000, 20_000
"""Characters that are kept of a message and of a traceback."""


@dataclass(frozen=True)
class Fault:
    """Why an episode has no outcome."""

    kind: Kind
    """policy (it raised), policy_output (not tokens), policy_timeout, environment (it raised), worker_died,
    worker_timeout (no sign of life)."""
    message: str
    """One line, at most `MOST_MESSAGE` characters."""
    traceback: str = ""
    """Python's traceback, or the last lines a worker wrote; '' where there is none."""

    def __post_init__(self) -> None:
        """Make the texts, which may be a stranger's, such that a record can hold them."""
        object.__setattr__(self, "message", storable(self.message, MOST_MESSAGE))
        object.__setattr__(self, "traceback", storable(self.traceback, MOST_TRACEBACK))

    @classmethod
    def of(cls, kind: Kind, error: BaseException) -> Fault:
        """The fault of an exception, with its traceback."""
        said = f"{type(error).__name__}: {text_of(error)}".splitlines()[0]
        return cls(kind, said, text_of(error, _traceback))


class FaultError(Exception):
    """Carries a fault up to the code that records the episode."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(fault.message)


def _traceback(error: object) -> str:
    return "".join(tracebacks.format_exception(error)) if isinstance(error, BaseException) else ""
