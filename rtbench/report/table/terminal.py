"""Table as text for the terminal, split where it is too wide."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rtbench.report.table.number_format import (
    caption,
    common_size,
    head_lines,
    interval,
    percent,
    remarks,
    size,
    speed,
    title,
)
from rtbench.report.table.published_rows import Block, figure_text
from rtbench.report.table.table import Cell, Table

if TYPE_CHECKING:
    from rich.table import Table as RichTable

WIDTH = 80
_NAME = 24
"""Greatest width of a policy's name in characters; longer ones are broken."""
_BETWEEN = 3
"""Characters between two columns of the table."""


def text(table: Table, width: int = WIDTH) -> str:
    """The table as plain text.

    Args:
        table: The table.
        width: Columns of the terminal; a table that is wider is split.
    """
    from rtbench.core.terminal import VisibleConsole

    out = io.StringIO()
    console = VisibleConsole(file=out, width=width, color_system=None)
    columns = _columns(table)
    names = [row.name for row in table.rows]
    references = sum(bool(row.reference) for row in table.rows)
    console.print(title(table), markup=False)
    for piece in _pieces(columns, width - _name_width(names) - 2):
        console.print(_shown(names, [columns[i] for i in piece], references))
    for block in table.blocks:
        console.print(block.head, markup=False)
        console.print(_shown(list(block.rows), _figures(block)))
    for line in (*caption(table, mark="*"), *remarks(table)):
        console.print(
            textwrap.fill(line, width, subsequent_indent="  ", break_on_hyphens=False), markup=False
        )
    # rich fills lines up with blanks, which no diff should show.
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def _columns(table: Table) -> list[list[str]]:
    """Texts of each column, the head first."""
    found = []
    for i, column in enumerate(table.columns):
        n = common_size(i, table)
        head = "\n".join(head_lines(column.name)) + ("" if n is None else f"\nn={n}")
        found.append([head, *(_cell(row.cells[i], i, table) for row in table.rows)])
    found.append(["Hz", *("\n".join(filter(None, speed(row))) for row in table.rows)])
    return found


def _cell(cell: Cell | None, column: int, table: Table) -> str:
    rate = percent(cell.rate if cell else None)
    first = f"{rate}{'*' if cell and cell.best else ''} {cell.letters if cell else ''}".rstrip()
    return "\n".join(filter(None, (first, interval(cell), size(cell, column, table))))


def _figures(block: Block) -> list[list[str]]:
    return [
        [
            "\n".join(head_lines(name)),
            *(figure_text(row[name]) if name in row else "-" for row in block.rows.values()),
        ]
        for name in block.reasons
    ]


def _name_width(names: Sequence[str]) -> int:
    return min(_NAME, max(map(len, ("policy", *names))))


def _pieces(columns: Sequence[Sequence[str]], room: int) -> Iterator[list[int]]:
    """Numbers of the columns that fit beside one another; at least one a piece."""
    piece: list[int] = []
    used = 0
    for number, column in enumerate(columns):
        need = _BETWEEN + max(len(line) for cell in column for line in cell.split("\n"))
        if piece and used + need > room:
            yield piece
            piece, used = [], 0
        piece.append(number)
        used += need
    yield piece


def _shown(names: Sequence[str], columns: Sequence[Sequence[str]], references: int = 0) -> RichTable:
    """The columns beside the names, of which the last are references and stand apart."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    shown = RichTable(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    height = max(head.count("\n") for head, *_ in columns)
    shown.add_column("\n" * height + "policy", width=_name_width(names), overflow="fold")
    for head, *_ in columns:
        # Rich has one vertical alignment for head and cells; heads stand at the bottom, cells at the top.
        shown.add_column(Text("\n" * (height - head.count("\n")) + head), justify="right", no_wrap=True)
    for left, name, *cells in zip(
        range(len(names), 0, -1), names, *(column[1:] for column in columns), strict=True
    ):
        if left == references:
            shown.add_section()
        shown.add_row(Text(name), *map(Text, cells))
    return shown
