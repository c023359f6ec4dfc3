"""What commands print: tables and fields on a terminal, plain lines in a pipe, one sentence for a mistake."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from rtbench.cli.column_widths import EDGES, break_words, fit, longest_word

WIDTH = 100
"""Columns that fields are wrapped to at most; longer lines are hard to read."""
_LABEL = 14
_NAME = 58
"""Columns in which the first cell of a table is kept whole, for it is what one copies: the longest task."""


def console() -> Console:
    """Standard output. Without a terminal it is 80 columns wide and has no colours."""
    return Console(highlight=False)


def print_error(message: str) -> None:
    """Print a mistake on standard error."""
    where = Console(stderr=True, highlight=False)
    where.print("[bold red]error:[/]", end=" ")
    where.print(message, markup=False, soft_wrap=True)


def note(message: str) -> None:
    """Print something worth knowing on standard error, where it spoils no pipe."""
    Console(stderr=True, highlight=False).print(f"note: {message}", markup=False, soft_wrap=True)


def print_json(data: Any) -> None:
    """Print JSON for programs."""
    # A terminal that knows no UTF-8 gets JSON's own escapes, which programs can read.
    ascii_only = not (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    sys.stdout.write(json.dumps(data, ensure_ascii=ascii_only, allow_nan=False, indent=2) + "\n")


def print_rows(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], *, as_json: bool) -> None:
    """Print rows: a table on a terminal, lines with tabs and without a head elsewhere, or JSON.

    Args:
        rows: Plain values by key.
        columns: Key -> head of the columns shown; JSON has all keys.
        as_json: All of it, for programs.
    """
    if as_json:
        print_json(list(rows))
        return
    where = console()
    if not where.is_terminal:
        for row in rows:
            sys.stdout.write("\t".join(_cell(row[key]) for key in columns) + "\n")
        return
    where.print(_table(rows, columns, where.width), markup=False)


def _table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], width: int) -> Table:
    """A table of at most that width, in columns of the terminal."""
    cells = [[_cell(row[key]) for row in rows] for key in columns]
    texts = [[head, *column] for head, column in zip(columns.values(), cells, strict=True)]
    natural = [max(map(cell_len, column)) for column in texts]
    least = [max(map(longest_word, column)) for column in texts]
    first = max(map(cell_len, cells[0]), default=0)
    if first <= _NAME:
        least[0] = max(least[0], first)
    gap = 2 if sum(least) + 2 * len(columns) <= width else 1
    widths = fit(natural, least, width - EDGES - gap * (len(columns) - 1))
    table = Table(box=box.SIMPLE_HEAD, padding=(0, gap - 1, 0, 0), pad_edge=False)
    for (key, head), size in zip(columns.items(), widths, strict=True):
        number = bool(rows) and all(isinstance(row[key], int | float | None) for row in rows)
        table.add_column(head, justify="right" if number else "left", overflow="fold", width=size)
    for row in zip(*cells, strict=True):
        table.add_row(*(break_words(cell, size) for cell, size in zip(row, widths, strict=True)))
    return table


def print_fields(fields: Iterable[tuple[str, object]]) -> None:
    """Print labels and texts, one below the other; several texts to a label stand in lines of their own.

    A field that is None or empty is left out.
    """
    where = console()
    width = min(where.width, WIDTH)
    for label, value in fields:
        texts = [value] if isinstance(value, str) or not isinstance(value, Iterable) else list(value)
        lines = [line for text in texts if text is not None for line in _wrapped(str(text), width - _LABEL)]
        for number, line in enumerate(lines):
            head = label if number == 0 else ""
            where.print(f"{head:<{_LABEL}}{line}", markup=False, soft_wrap=True)


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of a text; a word too long for a line, such as a path, is not broken: it is to be copied."""
    return textwrap.wrap(
        text, max(width, 20), subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.1f}"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)
