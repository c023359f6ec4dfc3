"""How many numbers of a policy were clipped, by dimension of the action: a wrong unit shows here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rtbench.core.action import DIMENSIONS
from rtbench.result.record import Record
from rtbench.result.stored import Count, Number, Stored

WORTH_A_WARNING = 0.02
"""Share of clipped numbers above which a user is told."""
_UNITS = {"gripper": ""} | dict.fromkeys(("x", "y", "z", "base_x", "base_y"), " m")


class Clipped(Stored):
    """How often the numbers of one dimension were beyond what can be done in a step."""

    n: Count
    """Numbers."""
    clipped: Count
    """Those that were clipped."""
    low: Number
    """Least before clipping [m, rad or 1]."""
    high: Number
    """Greatest before clipping."""


def clipped(records: Iterable[Record]) -> dict[str, Clipped]:
    """Counts by dimension, in order of the dimensions; empty where the policy gave tokens."""
    found: dict[str, list[Clipped]] = {}
    for record in records:
        report = record.report.get("clipped")
        for name, one in report.items() if isinstance(report, dict) else ():
            found.setdefault(name, []).append(Clipped(**one))
    return {name: _together(found[name]) for name in DIMENSIONS if name in found}


def clipping_warnings(counts: Mapping[str, Clipped]) -> list[str]:
    """A sentence for each dimension of which more than a few numbers were clipped."""
    return [
        f"{name}: {100 * one.clipped / one.n:.0f} % of {one.n} numbers were clipped; they reach from "
        f"{one.low:.3g} to {one.high:.3g}{_UNITS.get(name, ' rad')}. Is the unit right?"
        for name, one in counts.items()
        if one.clipped > WORTH_A_WARNING * one.n
    ]


def _together(counts: list[Clipped]) -> Clipped:
    return Clipped(
        n=sum(one.n for one in counts),
        clipped=sum(one.clipped for one in counts),
        low=min(one.low for one in counts),
        high=max(one.high for one in counts),
    )
