"""Section on touched objects: confusion matrix of the instructed object and the one touched first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from rtbench.report.html.section import Figure, Section, Series, Table
from rtbench.result.record import Record

NOTHING, OTHERS = "nothing", "others"
_ROWS, _COLUMNS = 15, 10
"""Most objects that a matrix names; the others share one column."""


def section(runs: Sequence[Series]) -> Section:
    """One matrix per run; empty where no record has the touched object."""
    figures = [_matrix(one) for one in runs if any(touched(r) for r in one.run.records)]
    note = "Rows: the first object of the goal. Columns: the first movable object that the robot touched."
    return Section("touched", "Instructed against touched object", tuple(figures), note)


def touched(record: Record) -> str:
    """The first movable object that the robot touched; '' for none, or where the record lacks it."""
    return record.outcome.touched if record.outcome else ""


def instructed(record: Record) -> str:
    """The first object of the goal; '' where it is about none, or where there is no outcome."""
    leaves = record.outcome.subgoals if record.outcome else {}
    for leaf in leaves:
        for name in leaf.partition("(")[2].rstrip(")").split(", "):
            if name in record.episode.objects:
                return name
    return ""


def confusion(records: Iterable[Record]) -> Counter[tuple[str, str]]:
    """How often each (instructed, touched) occurs; touched is 'nothing' where no object was."""
    pairs = ((instructed(record), touched(record) or NOTHING) for record in records if record.outcome)
    return Counter(pair for pair in pairs if pair[0])


def _matrix(one: Series) -> Figure:
    counts = confusion(one.run.records)
    wrong = Counter[str]()
    for (meant, met), n in counts.items():
        wrong[meant] += n * (met not in {meant, NOTHING})
    rows = [name for name, n in wrong.most_common(_ROWS) if n]
    by_column = Counter[str]()
    for (meant, met), n in counts.items():
        by_column[met] += n * (meant in rows and met not in {meant, NOTHING})
    columns = [name for name, n in by_column.most_common(_COLUMNS) if n]
    cells = [_row(counts, meant, columns) for meant in rows]
    cells.append(_row(counts, "", columns))
    totals = [max(sum(found), 1) for _, found in cells]
    return Figure(
        f"First touch, {one.label}",
        table=Table(
            ("instructed", "itself", NOTHING, *columns, OTHERS),
            tuple((name, *map(str, found)) for name, found in cells),
            "Episodes. Objects for which another one was touched; the last row has all.",
            tuple(tuple(n / total for n in found) for (_, found), total in zip(cells, totals, strict=True)),
        ),
        whole_width=True,
    )


def _row(counts: Counter[tuple[str, str]], meant: str, columns: Sequence[str]) -> tuple[str, list[int]]:
    """A row of the matrix: the object, and how often itself, nothing, each column and others were touched."""
    found = dict.fromkeys(("itself", NOTHING, *columns, OTHERS), 0)
    for (instructed_to, met), n in counts.items():
        if meant in {"", instructed_to}:
            place = "itself" if met == instructed_to else met if met in found else OTHERS
            found[place] += n
    return meant or "all", list(found.values())
