"""Options of a report, without heavy imports, because the command line's help reads them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Frames(StrEnum):
    """Episodes whose first frames a report shows."""

    ALL = "all"
    SOME = "some"
    NONE = "none"


@dataclass(frozen=True)
class Request:
    """Options of a report."""

    frames: Frames = Frames.SOME
    """Episodes whose first frames are shown; SOME takes flips, errors and failures, in this order."""
    content: tuple[Path, ...] = ()
    """Roots of the user's content now, to draw frames; what the runs were played with, if empty."""
    allow_partial: bool = False
    """Compare runs that disagree on the episodes on which they agree."""
