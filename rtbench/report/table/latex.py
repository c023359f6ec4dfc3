"""Table in LaTeX, for papers; needs only the package booktabs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

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
from rtbench.report.table.published_rows import figure_text
from rtbench.report.table.table import Cell, Table

COLUMNS = 4
"""Columns of rates that fit beside one another on a page."""
ROWS = 12
"""Policies that fit below one another, with the longest caption."""
_NAME = 20
"""Letters of a policy's name that need no line break."""
_ESCAPES = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': "''",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}  # fmt: skip
_SPECIAL = re.compile("[" + re.escape("".join(_ESCAPES)) + "]")


def latex(table: Table) -> str:
    """The table as floats of at most `COLUMNS` columns and `ROWS` policies, then the remarks, a paragraph."""
    figures = sum(1 + len(block.rows) for block in table.blocks)
    # A published row is one line, a policy three and more.
    rows = max(1, ROWS - figures // 2)
    pieces = [
        (below, beside)
        for below in _chunks(range(len(table.rows)), rows)
        for beside in _chunks(range(len(table.columns)), COLUMNS)
    ]
    floats = [_float(table, number, len(pieces), *piece) for number, piece in enumerate(pieces)]
    told = " ".join(map(escape, remarks(table)))
    after = [f"{{\\scriptsize\\noindent {told}\\par}}\n"] if told else []
    return "\n".join(["% Needs \\usepackage{booktabs}.", *floats, *after])


def escape(text: str) -> str:
    """The text escaped for LaTeX."""
    return _SPECIAL.sub(lambda found: _ESCAPES[found[0]], text)


def _float(table: Table, number: int, pieces: int, rows: Sequence[int], columns: Sequence[int]) -> str:
    head = escape(title(table)) + (f", part {number + 1} of {pieces}" if pieces > 1 else "")
    told = "".join(f" {escape(line)}" for line in caption(table)) if number == 0 else ""
    label = "tab:rtbench" + (f"-{number + 1}" if number else "")
    last = rows[-1] == len(table.rows) - 1
    lines = [
        r"\begin{table}[htbp]",
        r"  \centering\footnotesize",
        rf"  \caption{{{head}.{told}}}",
        rf"  \label{{{label}}}",
        rf"  \begin{{tabular}}{{@{{}}{_name_column(table)}{'r' * (len(columns) + 1)}@{{}}}}",
        r"    \toprule",
        *_heads(table, columns),
        r"    \midrule",
        *(line for row in rows for line in _row(table, row, columns)),
        *(_blocks(table, columns) if last else ()),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _name_column(table: Table) -> str:
    longest = max(len(row.name) for row in table.rows)
    return "l" if longest <= _NAME else r"p{.24\linewidth}"


def _heads(table: Table, columns: Sequence[int]) -> Iterator[str]:
    yield _line(["policy", *(_stacked(table.columns[i].name) for i in columns), "Hz"])
    sizes = [common_size(i, table) for i in columns]
    if any(n is not None for n in sizes):
        yield _line(["", *(_small("" if n is None else f"n={n}") for n in sizes), ""])


def _stacked(name: str) -> str:
    lines = [escape(line) for line in head_lines(name)]
    stack = r" \\ ".join(lines)
    return stack if len(lines) == 1 else rf"\shortstack[r]{{{stack}}}"


def _row(table: Table, number: int, columns: Sequence[int]) -> Iterator[str]:
    """A policy: rates, then intervals, then numbers of episodes where the head does not have them."""
    row = table.rows[number]
    cells = [row.cells[i] for i in columns]
    rate, met = speed(row)
    yield _line([_named(row.name), *map(_rate, cells), rate])
    below = (
        [interval(cell, "--") for cell in cells],
        [size(c, i, table) for c, i in zip(cells, columns, strict=True)],
    )
    for texts, last in zip(below, (met, ""), strict=True):
        if any((*texts, last)):
            yield _line(["", *(_small(escape(text)) for text in (*texts, last))])


def _named(text: str) -> str:
    """A policy's name, broken after its signs where need be: a long one would push columns off the page."""
    return re.sub(r"(\\_|[-/.])(?=.)", r"\1\\allowbreak{}", escape(text))


def _rate(cell: Cell | None) -> str:
    rate = percent(cell.rate if cell else None)
    first = rf"\textbf{{{rate}}}" if cell and cell.best else rate
    return first + (rf"$^{{\mathrm{{{cell.letters.replace(' ', '~')}}}}}$" if cell and cell.letters else "")


def _blocks(table: Table, columns: Sequence[int]) -> Iterator[str]:
    """Published figures of these columns, each block below a rule and under its label."""
    names = [table.columns[i].name for i in columns]
    for block in table.blocks:
        if not any(name in block.reasons for name in names):
            continue
        yield r"    \midrule"
        yield rf"    \multicolumn{{{len(columns) + 2}}}{{@{{}}l}}{{\emph{{{escape(block.head)}}}}} \\"
        for model, figures in block.rows.items():
            cells = [figure_text(figures[name]) if name in figures else "" for name in names]
            yield _line([_named(model), *map(escape, cells), ""])


def _line(cells: Sequence[str]) -> str:
    return f"    {' & '.join(cells)} \\\\"


def _small(text: str) -> str:
    return rf"{{\scriptsize {text}}}" if text else ""


def _chunks(numbers: Sequence[int], size: int) -> list[Sequence[int]]:
    return [numbers[i : i + size] for i in range(0, len(numbers), size)]
