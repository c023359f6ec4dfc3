"""Parts of a report: sections of figures, each a chart with its numbers in a table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from markupsafe import Markup

from rtbench.core.errors import RtbenchError
from rtbench.result.run import Run

MOST_RUNS = 8
"""Most runs of a chart, each with its colour and marker."""
UNKNOWN = "-"
"""Text of a missing value."""
_NUMBER = re.compile(r"(< |[+-])?\d.*|-|")
"""A cell that stands to the right, or is empty."""


class ReportError(RtbenchError):
    """A report that cannot be made, or not be written."""


@dataclass(frozen=True)
class Series:
    """A run in charts and tables."""

    run: Run
    """The run."""
    label: str
    """Name of its policy, with the ablation arm, or the run's id where the name is not unique."""
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
    """Caption; '' where the figure's title is enough."""
    shades: tuple[tuple[float, ...], ...] = ()
    """Tint of each cell but the first of a row, 0 to 1; empty for none."""

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Whether each column has numbers alone, which stand to the right, under their head."""
        columns = zip(*self.rows, strict=True) if self.rows else ([] for _ in self.columns)
        return tuple(k > 0 and all(map(_NUMBER.fullmatch, cells)) for k, cells in enumerate(columns))


@dataclass(frozen=True)
class Figure:
    """A chart, its numbers, or both."""

    title: str
    """A line."""
    chart: Markup | None = None
    """An SVG, or several that stand side by side where there is room."""
    alt: str = ""
    """Description of the chart, for screen readers."""
    table: Table | None = None
    """The chart's numbers, folded in under it."""
    note: str = ""
    """Explanation, one or two sentences."""
    whole_width: bool = False
    """Whether it has the page's whole width even with a single chart."""
    fold: bool = False
    """Whether its table is folded in though there is no chart."""

    @property
    def wide(self) -> bool:
        """Whether it needs the page's whole width."""
        return self.whole_width or (self.chart is not None and self.chart.count("<svg") > 1)


@dataclass(frozen=True)
class Section:
    """A part of the page with a head of its own."""

    id: str
    """Its anchor."""
    title: str
    """Its head."""
    figures: tuple[Figure, ...] = field(default=())
    """Its figures; a section without figures is left out."""
    note: str = ""
    """Note on all its figures."""

    @property
    def blocks(self) -> list[tuple[Figure, ...]]:
        """Its figures in order: each wide one by itself, the others between them together."""
        found: list[tuple[Figure, ...]] = []
        for wide, figures in groupby(self.figures, key=lambda figure: figure.wide):
            together = tuple(figures)
            found += [(figure,) for figure in together] if wide else [together]
        return found


def series(runs: Sequence[Run]) -> list[Series]:
    """The runs with unique labels.

    Raises:
        ReportError: a run given twice, one without episodes, or more runs than a chart can show.
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


def narrow_first(figures: Iterable[Figure]) -> list[Figure]:
    """Wide figures after the others, so that these stand beside each other."""
    return sorted(figures, key=lambda figure: figure.wide)


def percent(share: float | None) -> str:
    """A share as text in per cent."""
    return UNKNOWN if share is None else f"{100 * share:.1f} %"


def bounds(interval: Sequence[float], measured: object = True) -> str:
    """An interval (low, high) of shares, 0 to 1, as text in per cent; `UNKNOWN` without a measurement."""
    if not measured:
        return UNKNOWN
    low, high = interval
    return f"{100 * low:.1f} to {100 * high:.1f}"


def name(run: Run) -> str:
    """Name of a run's policy, with the ablation arm."""
    arm = run.meta.arm
    return f"{run.meta.policy.name}{f', {arm} instructions' if arm else ''}"
