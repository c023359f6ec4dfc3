"""Errors that a user can correct, and the exit codes of the command line.

Every error names the place, what is allowed, the nearest match and one remedy. The command line turns
each into its exit code and prints no traceback. Python callers can catch `RtbenchError`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of the command line."""

    OK = 0
    REGRESSION = 1
    USAGE = 2
    INCONCLUSIVE = 3
    NOT_COMPARABLE = 4
    TOO_MANY_ERRORS = 5
    NO_WORKERS = 6
    CRASH = 70
    OUTPUT = 74
    WATCHDOG = 124
    INTERRUPTED = 130
    BROKEN_PIPE = 141
    TERMINATED = 143


class RtbenchError(Exception):
    """Base class of all errors that the caller can correct."""

    exit_code: Exit = Exit.USAGE


class UnknownNameError(RtbenchError):
    """A name that is not in its registry."""

    def __init__(self, kind: str, name: str, known: Iterable[str], *, where: str = "") -> None:
        self.kind, self.name, self.known = kind, name, sorted(known)
        super().__init__(_unknown(kind, name, self.known, where))


class ContentError(RtbenchError):
    """A content file that cannot be used: names the file, the entry and the remedy."""

    def __init__(self, file: object, entry: str, reason: str) -> None:
        self.file, self.entry, self.reason = str(file), entry, reason
        super().__init__(f"{file}: {entry}: {reason}" if entry else f"{file}: {reason}")


class ActionError(RtbenchError):
    """An action that cannot be read: wrong shape, not a number, or a token that does not exist."""


class PlacementError(RtbenchError):
    """Objects that do not fit; says which, and how much room was missing."""


class PolicyError(RtbenchError):
    """A policy that cannot be loaded or broke its contract."""


class RunError(RtbenchError):
    """A run folder that cannot be read, written or continued."""


class RenderError(RtbenchError):
    """No OpenGL back end works on this machine, or in this process."""


class MissingExtraError(RtbenchError):
    """Packages of an extra that are not installed."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like `name`, or None where none is close."""
    match = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return match[0] if match else None


def _unknown(kind: str, name: str, known: list[str], where: str) -> str:
    place = f"{where}: " if where else ""
    close = nearest(name, known)
    hint = f" Did you mean {close!r}?" if close else ""
    shown = ", ".join(known[:12]) + (f", ... ({len(known)} in all)" if len(known) > 12 else "")
    return f"{place}unknown {kind} {name!r}.{hint} Known: {shown or 'none'}."


class NotComparableError(RtbenchError):
    """Runs whose difference would say nothing about the policies."""

    exit_code = Exit.NOT_COMPARABLE
