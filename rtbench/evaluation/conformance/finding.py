"""What a probe of a policy found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["pass", "fault", "unclear", "skipped"]


@dataclass(frozen=True)
class Finding:
    """The outcome of one probe, in words."""

    probe: str
    """What was looked at."""
    verdict: Verdict
    """pass, fault, unclear (what was seen decides nothing) or skipped (it does not apply)."""
    text: str
    """What was seen, and for a fault what is wrong."""

    def __str__(self) -> str:
        """One line."""
        return f"{self.verdict:<8} {self.probe}: {self.text}"
