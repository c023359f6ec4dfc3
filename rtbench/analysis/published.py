"""Figures that papers published, as written in results/published/*.yaml.

They were measured on real robots and on other tasks than ours, so that they may stand beside our numbers but
prove nothing about them: each carries a label and names the evaluation that it comes from. Which of our axes
a column may stand beside is written down with the column, and why; most columns have no counterpart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rtbench.task.library import BUNDLED, Library
from rtbench.task.yaml_loader import Entry

FOLDER = "results/published"
LABELS = {
    "real": "published, real robot, another task set",
    "simulated": "published, another simulator, another task set",
}
"""What is said wherever a published figure is shown, by the robot that it was measured on."""
PAPERS = {"rt1": "RT-1 paper", "rt2": "RT-2 paper"}
"""What a paper is called, by its key."""
VERSIONS = {"rt1": "arXiv 2212.06817v2", "rt2": "arXiv 2307.15818v1"}
"""Which version of a paper was read, by its key."""
EVERY = "*"
"""Stands for all rows, or all columns, in the key of a note."""
_BOUNDS = {"": "", "at_least": "at least ", "below": "under ", "about": "about "}


class _Part(BaseModel):
    """A part of an entry: immutable, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Cell(_Part):
    """A figure that is more than a number."""

    value: float
    """In the unit of its column."""
    spread: float | None = None
    """What stands behind its plus-minus sign."""
    high: float | None = None
    """Upper end of a range, where `value` is the lower one."""
    bound: Literal["", "at_least", "below", "about"] = ""
    """How the number is meant."""


class Column(_Part):
    """A column of a table."""

    says: str
    """What was measured."""
    unit: str = ""
    """Unit, where it is not the table's."""
    trials: int | None = Field(default=None, ge=1)
    """Trials behind each figure; None where the paper does not say."""
    axes: tuple[str, ...] = ()
    """Our axes that it may stand beside, as SPLIT/AXIS."""
    because: str = ""
    """What the two have in common."""

    @model_validator(mode="after")
    def _reasoned(self) -> Self:
        if bool(self.axes) != bool(self.because):
            raise ValueError("'axes' and 'because' go together: no counterpart without a reason.")
        for axis in self.axes:
            if "/" not in axis:
                raise ValueError(f"axes: {axis!r} is not of the form SPLIT/AXIS.")
        return self


class Average(_Part):
    """A column that is the mean of others."""

    of: tuple[str, ...] = Field(min_length=2)
    """Its parts."""
    weights: tuple[int, ...] = ()
    """Weight of each part; equal where empty."""


class PublishedTable(Entry):
    """A table of a paper: one entry of results/published/*.yaml."""

    paper: Literal["rt1", "rt2"]
    """Key of `PAPERS`."""
    table: str
    """'Table 2', or 'text' for figures outside of tables."""
    title: str
    """What the table is about."""
    evaluation: str
    """Which trials these are. Figures of two evaluations never stand in one column."""
    robot: Literal["real", "simulated"] = "real"
    """Key of `LABELS`."""
    unit: str
    """Unit of all columns that have none of their own."""
    columns: dict[str, Column] = Field(min_length=1)
    """Columns from left to right."""
    averages: dict[str, Average] = Field(default_factory=dict)
    """Column -> what it is the mean of, to a point."""
    rows: dict[str, tuple[float | Cell | None, ...]] = Field(min_length=1)
    """Model, or what else a row is of -> its cells in order of the columns; null where nothing was given."""
    models: tuple[str, ...] = ()
    """Rows that stand beside ours; all where empty."""
    note: str = ""
    """What a reader of the whole table should know."""
    notes: dict[str, str] = Field(default_factory=dict)
    """'ROW/COLUMN' -> remark; '*' is all rows or all columns."""
    disagrees: dict[str, str] = Field(default_factory=dict)
    """'ROW/COLUMN' -> what another document says, and is not followed in."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for row, cells in self.rows.items():
            if len(cells) != len(self.columns):
                raise ValueError(f"row {row!r} has {len(cells)} cells for {len(self.columns)} columns.")
        for key in (*self.notes, *self.disagrees):
            row, _, column = key.rpartition("/")
            if row not in (EVERY, *self.rows) or column not in (EVERY, *self.columns):
                raise ValueError(f"note {key!r} is of no cell; expected ROW/COLUMN, {EVERY!r} for all.")
        return self

    @model_validator(mode="after")
    def _known(self) -> Self:
        for row in self.models:
            if row not in self.rows:
                raise ValueError(f"models: {row!r} is no row.")
        for name, average in self.averages.items():
            for column in (name, *average.of):
                if column not in self.columns:
                    raise ValueError(f"averages: {column!r} is no column.")
            if average.weights and len(average.weights) != len(average.of):
                raise ValueError(f"averages: {name!r} has not as many weights as parts.")
        return self

    @property
    def compared(self) -> tuple[str, ...]:
        """Rows that stand beside ours."""
        return self.models or tuple(self.rows)

    @property
    def label(self) -> str:
        """What is said wherever one of its figures is shown."""
        return LABELS[self.robot]

    @property
    def source(self) -> str:
        """'RT-1 paper, Table 2'."""
        return f"{PAPERS[self.paper]}, {self.table}"


@dataclass(frozen=True)
class Figure:
    """One published number with all that belongs to it."""

    entry: PublishedTable
    """Its table."""
    row: str
    """Model that it is of."""
    column: str
    """Key of its column."""
    cell: Cell | None
    """The number; None where the paper gives none."""

    @property
    def about(self) -> Column:
        """What was measured, in how many trials, and its counterparts among our axes."""
        return self.entry.columns[self.column]

    @property
    def unit(self) -> str:
        """Such as '%', 'ms' or 'Hz'."""
        return self.about.unit or self.entry.unit

    @property
    def note(self) -> str:
        """All remarks on it, the table's last."""
        return " ".join((*_told(self.entry.notes, self), *filter(None, (self.entry.note,))))

    @property
    def disagrees(self) -> str:
        """What other documents say instead; '' where none is known to."""
        return " ".join(_told(self.entry.disagrees, self))

    def __str__(self) -> str:
        """Text such as '97 %', '74 +- 13 %', '1 to 3 Hz' or 'at least 3 Hz'; '-' where there is no number."""
        if self.cell is None:
            return "-"
        spread = "" if self.cell.spread is None else f" +- {self.cell.spread:g}"
        high = "" if self.cell.high is None else f" to {self.cell.high:g}"
        return f"{_BOUNDS[self.cell.bound]}{self.cell.value:g}{spread}{high} {self.unit}"

    def as_dict(self) -> dict[str, object]:
        """Plain values under plain names, for programs."""
        return {
            "label": self.entry.label,
            "paper": PAPERS[self.entry.paper],
            "version": VERSIONS[self.entry.paper],
            "table": self.entry.table,
            "evaluation": self.entry.evaluation,
            "row": self.row,
            "column": self.column,
            "says": self.about.says,
            **(self.cell.model_dump() if self.cell else dict.fromkeys(Cell.model_fields)),
            "unit": self.unit,
            "trials": self.about.trials,
            "axes": list(self.about.axes),
            "because": self.about.because,
            "note": self.note,
            "disagrees": self.disagrees,
        }


def load_published(library: Library = BUNDLED) -> dict[str, PublishedTable]:
    """All tables of results/published, by name, ours first.

    Raises:
        ContentError: a file that cannot be used; names file, entry and key.
    """
    return library.read(FOLDER, PublishedTable)


def figures(table: PublishedTable) -> Iterator[Figure]:
    """All figures of a table, row by row."""
    for row, cells in table.rows.items():
        for column, cell in zip(table.columns, cells, strict=True):
            yield Figure(table, row, column, Cell(value=cell) if isinstance(cell, float) else cell)


def rows(*, split: str, axis: str, library: Library = BUNDLED) -> tuple[Figure, ...]:
    """Figures that may stand beside ours of one axis; none where no column is an honest counterpart.

    Args:
        split: 'seen', 'novel' or 'emergent'.
        axis: An axis of that split, as in `rtbench.core.episode.Episode`.
        library: The content.

    Raises:
        ContentError: a file that cannot be used.
    """
    found = (figure for table in load_published(library).values() for figure in figures(table))
    return tuple(figure for figure in found if f"{split}/{axis}" in figure.about.axes)


def beside(
    axes: Sequence[str], library: Library = BUNDLED
) -> tuple[tuple[PublishedTable, tuple[tuple[str, str], ...]], ...]:
    """Tables that have something to put beside some of our axes, given as SPLIT/AXIS.

    Returns:
        Pairs of a table, which is one evaluation, and of what stands beside what: pairs of our axis and a key
        of the table's columns, in the order of `axes`. Tables without any are left out.

    Raises:
        ContentError: a file that cannot be used.
    """
    found = []
    for table in load_published(library).values():
        pairs = [(axis, key) for axis in axes for key, column in table.columns.items() if axis in column.axes]
        if pairs:
            found.append((table, tuple(pairs)))
    return tuple(found)


def _told(notes: dict[str, str], figure: Figure) -> Iterator[str]:
    """Remarks on a figure, the most special one first."""
    for row in (figure.row, EVERY):
        for column in (figure.column, EVERY):
            if text := notes.get(f"{row}/{column}"):
                yield text
