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
    """The fault, and its remedy."""

    def __str__(self) -> str:
        """The finding on one line."""
        return f"{self.where}: {self.what}: {self.reason}"
