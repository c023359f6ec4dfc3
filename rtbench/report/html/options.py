"""What a report is asked for; imports nothing heavy, so that the command line can read it for its help."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Frames(StrEnum):
    """Whose first frames a report shows."""

    ALL = "all"
    SOME = "some"
    NONE = "none"


@dataclass(frozen=True)
class Request:
    """What a report is made with."""

    frames: Frames = Frames.SOME
    """Whose first frames are shown; some are those of flips, errors and failures, in this order."""
    content: tuple[Path, ...] = ()
    """Roots of the user's content now, to draw frames; what the runs were played with, if empty."""
    allow_partial: bool = False
    """Compare runs that disagree on the episodes on which they agree."""
