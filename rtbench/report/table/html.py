"""Table as a self-contained HTML page."""

from __future__ import annotations

from typing import Any

from rtbench.core.text import visible_value
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
from rtbench.report.table.table import Row, Table


def page(table: Table) -> str:
    """The page; readable in dark mode, on a phone and without scripts."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("rtbench.report.table", "."), autoescape=True, undefined=StrictUndefined,
        finalize=visible_value, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    heads = [(column.name, common_size(i, table)) for i, column in enumerate(table.columns)]
    return (
        environment.get_template("page.html").render(
            title=title(table),
            heads=heads,
            rows=[_row(table, row) for row in table.rows],
            blocks=[_block(table, block) for block in table.blocks],
            caption=[*caption(table), *remarks(table)],
        )
        + "\n"
    )


def _row(table: Table, row: Row) -> dict[str, Any]:
    cells = [
        {
            "rate": percent(cell.rate if cell else None),
            "best": bool(cell and cell.best),
            "letters": cell.letters if cell else "",
            "interval": interval(cell, "–"),  # noqa: RUF001
            "size": size(cell, i, table),
        }
        for i, cell in enumerate(row.cells)
    ]
    return {"name": row.name, "reference": row.reference, "cells": cells, "speed": speed(row)}


def _block(table: Table, block: Block) -> dict[str, Any]:
    names = [column.name for column in table.columns]
    rows = {
        model: [figure_text(figures[name]) if name in figures else "" for name in names]
        for model, figures in block.rows.items()
    }
    return {"head": block.head, "rows": rows}
