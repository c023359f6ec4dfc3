"""Section on target choice: whether the right thing was chosen, and success where it was."""

from __future__ import annotations

from collections.abc import Sequence

from rtbench.analysis.target_choice import Share, target_choice
from rtbench.report.html.section import UNKNOWN, Figure, Section, Series, Table
from rtbench.result.record import Record

_NOTE = (
    "Pointed: the first plan points at the right things, of the episodes with a plan. Touched: the first "
    "object that was touched is a right one. Success is about the share of right choices times success "
    "where the choice was right."
)
_COLUMNS = (
    "episodes", "n", "success", "pointed right", "95 % CI", "success if so", "success if not",
    "touched right", "success if so",
)  # fmt: skip


def section(runs: Sequence[Series]) -> Section:
    """One table per run, a row for each axis; empty where no episode is about a thing."""
    figures = [_figure(one) for one in runs if target_choice(one.run.records).success.n]
    return Section("choice", "Target choice and motor skill", tuple(figures), _NOTE)


def _figure(one: Series) -> Figure:
    axes: dict[str, list[Record]] = {}
    for record in one.run.records:
        axes.setdefault(record.episode.axis, []).append(record)
    rows = [_row(axis, records) for axis, records in sorted(axes.items())] if len(axes) > 1 else []
    rows.append(_row("all", list(one.run.records)))
    table = Table(_COLUMNS, tuple(row for row in rows if row[1] != "0"))
    return Figure(f"Target choice, {one.label}", table=table, whole_width=True)


def _row(name: str, records: Sequence[Record]) -> tuple[str, ...]:
    found = target_choice(records)
    low, high = found.pointed.interval
    ends = f"{100 * low:.1f}-{100 * high:.1f}" if found.pointed.n else UNKNOWN
    shares = (found.success_if_pointed, found.success_if_not_pointed, found.touched, found.success_if_touched)
    return (
        name,
        str(found.success.n),
        _percent(found.success),
        _percent(found.pointed),
        ends,
        *map(_percent, shares),
    )


def _percent(share: Share) -> str:
    return UNKNOWN if share.rate is None else f"{100 * share.rate:.1f}"
