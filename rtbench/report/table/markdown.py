"""Table in GitHub's Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rtbench.core.text import visible
from rtbench.report.table.number_format import (
    caption,
    common_size,
    interval,
    percent,
    remarks,
    size,
    speed,
    title,
)
from rtbench.report.table.published_rows import Block, figure_text
from rtbench.report.table.table import Cell, Table

_SPECIAL = re.compile(r"([\\`*_\[\]<>|~#&$])")


def markdown(table: Table) -> str:
    """The table, those of published figures, and a list of remarks."""
    heads = ["policy"]
    for i, column in enumerate(table.columns):
        n = common_size(i, table)
        heads.append(escape(column.name) + ("" if n is None else f"<br>n={n}"))
    rows = [
        [
            escape(row.name),
            *(_cell(cell, i, table) for i, cell in enumerate(row.cells)),
            "<br>".join(filter(None, speed(row))),
        ]
        for row in table.rows
    ]
    parts = [f"**{escape(title(table))}**", _grid([*heads, "Hz"], rows)]
    for block in table.blocks:
        parts += [f"*{escape(block.head)}*", _published(block)]
    parts.append("\n".join(f"- {escape(line)}" for line in (*caption(table), *remarks(table))))
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    """The text escaped for Markdown."""
    return _SPECIAL.sub(r"\\\1", visible(text))


def _cell(cell: Cell | None, column: int, table: Table) -> str:
    rate = percent(cell.rate if cell else None)
    first = f"**{rate}**" if cell and cell.best else rate
    if cell and cell.letters:
        first += f" <sup>{cell.letters}</sup>"
    return "<br>".join(filter(None, (first, interval(cell, "–"), size(cell, column, table))))  # noqa: RUF001


def _published(block: Block) -> str:
    rows = [
        [escape(model), *(figure_text(cells[name]) if name in cells else "-" for name in block.reasons)]
        for model, cells in block.rows.items()
    ]
    return _grid(["policy", *map(escape, block.reasons)], rows)


def _grid(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(heads) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, rule, *rows))
