"""Table as CSV in long form, and as JSON with all numbers."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rtbench.core.text import spreadsheet_text, visible_json
from rtbench.report.table.number_format import caption, remarks, title
from rtbench.report.table.table import ALPHA, CONFIDENCE, Row, Table
from rtbench.stats import rate

_DIGITS = 6


def as_csv(table: Table) -> str:
    """One line a policy and column: plain numbers, rates as shares, nothing where there is none.

    Published figures follow, with their source and label, and without what papers do not give.
    """
    lines = [*_measured(table), *_published(table)]
    out = io.StringIO()
    writer = csv.DictWriter(out, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {key: spreadsheet_text(value) if isinstance(value, str) else value for key, value in line.items()}
        for line in lines
    )
    return out.getvalue()


def as_json(table: Table) -> str:
    """All numbers, options, remarks and published figures."""
    data = {
        "title": title(table),
        "options": asdict(table.options),
        "confidence": CONFIDENCE,
        "alpha": ALPHA,
        "control_hz": list(table.control_hz),
        "skills": table.skills,
        "columns": [asdict(column) for column in table.columns],
        "rows": [
            {**asdict(row), "runs": list(row.runs), "cells": _cells(table, row), "hz": _rounded(row.hz)}
            for row in table.rows
        ],
        "published": [
            figure.as_dict() | {"beside": name}
            for block in table.blocks
            for figures in block.rows.values()
            for name, figure in figures.items()
        ],
        "caption": caption(table),
        "remarks": remarks(table),
    }
    return visible_json(json.dumps(data, ensure_ascii=False, allow_nan=False, indent=2)) + "\n"


def _cells(table: Table, row: Row) -> dict[str, dict[str, Any] | None]:
    found: dict[str, dict[str, Any] | None] = {}
    for column, cell in zip(table.columns, row.cells, strict=True):
        if cell is None:
            found[column.name] = None
            continue
        as_failures = None if cell.successes is None else rate(cell.successes, cell.n + cell.errors)
        numbers = {name: _rounded(getattr(cell, name)) for name in ("rate", "low", "high")}
        found[column.name] = asdict(cell) | numbers | {"rate_errors_as_failures": _rounded(as_failures)}
    return found


def _measured(table: Table) -> Iterator[dict[str, Any]]:
    for row in table.rows:
        about = {"policy": row.name, "runs": " ".join(row.runs), "source": "", "label": ""}
        last = {"reference": row.reference, "hz": _rounded(row.hz), "met": row.met}
        for name, cell in _cells(table, row).items():
            if cell is not None:
                yield {**about, "column": name, **cell, **last}


def _published(table: Table) -> Iterator[dict[str, Any]]:
    for block in table.blocks:
        for model, figures in block.rows.items():
            for name, figure in figures.items():
                share = None if figure.cell is None or figure.cell.high else figure.cell.value / 100
                about = {"policy": model, "source": block.source, "label": block.label, "column": name}
                yield {**about, "rate": _rounded(share), "n": figure.about.trials}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)
