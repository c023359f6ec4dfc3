"""What a report is made of: sections of figures, each a chart with its numbers in a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from rtbench.core.errors import RtbenchError
from rtbench.result.run import Run

MOST_RUNS = 8
"""Runs that a chart can tell apart, by colour and by marker."""
UNKNOWN = "-"
"""Stands where nothing was measured."""


class ReportError(RtbenchError):
    """A report that cannot be made, or not be written."""


@dataclass(frozen=True)
class Series:
    """A run as it stands in charts and tables."""

    run: Run
    """The run."""
    label: str
    """Name of its policy, with the control arm or the run's id where that alone does not tell it apart."""
    index: int
    """Its place among the runs, which gives colour and marker; 0 is the baseline."""


@dataclass(frozen=True)
class Table:
    """Numbers as text."""

    columns: tuple[str, ...]
    """Heads. The first column names the row."""
    rows: tuple[tuple[str, ...], ...]
    """Cells."""
    caption: str = ""
    """What is in it; '' where the figure's title says so."""
    shades: tuple[tuple[float, ...], ...] = ()
    """For each cell but the first of a row, how strongly it is tinted, 0 to 1; empty: none is."""


@dataclass(frozen=True)
class Figure:
    """A chart, its numbers, or both."""

    title: str
    """A line."""
    chart: Markup | None = None
    """An SVG."""
    alt: str = ""
    """What the chart shows, for who cannot see it."""
    table: Table | None = None
    """The chart's numbers, folded in under it."""
    note: str = ""
    """How to read it, in a sentence or two."""
    wide: bool = False
    """Whether it needs the page's whole width."""
    fold: bool = False
    """Whether its table is folded in though there is no chart."""


@dataclass(frozen=True)
class Section:
    """A part of the page with a head of its own."""

    id: str
    """Its anchor."""
    title: str
    """Its head."""
    figures: tuple[Figure, ...] = field(default=())
    """What stands in it; a section without figures is left out."""
    note: str = ""
    """What holds for all its figures."""


def series(runs: Sequence[Run]) -> list[Series]:
    """The runs with labels that tell them apart.

    Raises:
        ReportError: a run given twice, one without episodes, or more runs than a chart can tell apart.
    """
    if len(runs) > MOST_RUNS:
        raise ReportError(
            f"{len(runs)} runs; a report shows at most {MOST_RUNS} side by side. Use `rtbench table`."
        )
    ids = [run.meta.id for run in runs]
    for run in runs:
        if ids.count(run.meta.id) > 1:
            raise ReportError(f"{run.path}: the run {run.meta.id} is given twice; name each once.")
        if not run.records:
            raise ReportError(f"{run.path}: no episode has ended yet; report it again when some have.")
    names = [name(run) for run in runs]
    return [
        Series(run, f"{label} {run.meta.id}" if names.count(label) > 1 else label, index)
        for index, (run, label) in enumerate(zip(runs, names, strict=True))
    ]


def table(runs: Sequence[object], columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table whose second column names the policy; of a single run it is left out."""
    kept = range(len(columns)) if len(runs) > 1 else [0, *range(2, len(columns))]
    return Table(tuple(columns[k] for k in kept), tuple(tuple(row[k] for k in kept) for row in rows))


def percent(share: float | None) -> str:
    """A share as text in per cent."""
    return UNKNOWN if share is None else f"{100 * share:.1f} %"


def bounds(interval: Sequence[float], measured: object = True) -> str:
    """An interval of shares as text in per cent; unknown where nothing was measured."""
    if not measured:
        return UNKNOWN
    low, high = interval
    return f"{100 * low:.1f} to {100 * high:.1f}"


def name(run: Run) -> str:
    """Name of a run's policy, with the control arm."""
    arm = run.meta.arm
    return f"{run.meta.policy.name}{f', {arm} instructions' if arm else ''}"
