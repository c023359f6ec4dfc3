"""`Finding`, one fault in content that the audit found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One fault."""

    where: str
    """File and entry."""
    what: str
    """The task, instruction or axis at fault."""
    reason: str
    """What is wrong, and what to do about it."""

    def __str__(self) -> str:
        """The finding on one line."""
        return f"{self.where}: {self.what}: {self.reason}"
