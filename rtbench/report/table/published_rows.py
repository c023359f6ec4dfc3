"""Published figures below a table's own rows, for columns with a comparable counterpart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rtbench.analysis.published import Figure, beside, figures


@dataclass(frozen=True)
class Block:
    """Figures of one table of a paper; a block never mixes two evaluations."""

    label: str
    """Label with the robot and tasks of the figures; always shown."""
    source: str
    """'RT-1 paper, Table 2'."""
    evaluation: str
    """Their evaluation."""
    rows: dict[str, dict[str, Figure]]
    """Model -> column of rtbench -> figure; columns without a comparable counterpart are left out."""
    reasons: dict[str, str]
    """Column of rtbench -> what the paper measured, and why it is comparable."""

    @property
    def head(self) -> str:
        """Source and label in one line."""
        return f"{self.source}: {self.label}"


def blocks(columns: Mapping[str, str]) -> tuple[Block, ...]:
    """Published figures that may be shown below some columns.

    Args:
        columns: Name of a column -> the SPLIT/AXIS that it holds.

    Raises:
        ContentError: results/published cannot be used.
    """
    found = []
    for table, pairs in beside(list(columns.values())):
        keys = {name: key for name, axis in columns.items() for paired, key in pairs if paired == axis}
        by_model = {
            model: {
                name: figure
                for figure in figures(table)
                for name, key in keys.items()
                if figure.row == model and figure.column == key and figure.cell is not None
            }
            for model in table.compared
        }
        about = {name: table.columns[key] for name, key in keys.items()}
        reasons = {name: f"{column.says}. {column.because}" for name, column in about.items()}
        rows = {model: cells for model, cells in by_model.items() if cells}
        found.append(Block(table.label, table.source, table.evaluation, rows, reasons))
    return tuple(found)


def figure_text(figure: Figure) -> str:
    """The figure as a table in % shows it: '97', 'at least 3', '74 +- 13'."""
    return str(figure).removesuffix(" %")
