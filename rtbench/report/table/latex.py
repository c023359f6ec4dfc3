"""Table in LaTeX, for papers; needs only the package booktabs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rtbench.core.text import visible
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


def latex(table: Table, *, transpose: bool = False) -> str:
    """The table as floats of at most `COLUMNS` columns and `ROWS` rows; notes stand below the numbers.

    Args:
        table: The table.
        transpose: Groups of episodes below one another and policies beside one another, instead of the other
            way round.
    """
    layout = _Transposed(table) if transpose else _Upright(table)
    pieces = [
        (below, beside)
        for below in _chunks(range(layout.height), layout.most)
        for beside in _chunks(range(layout.width), COLUMNS)
    ]
    floats = [_float(layout, number, len(pieces), *piece) for number, piece in enumerate(pieces)]
    return "\n".join(["% Needs \\usepackage{booktabs}.", *floats])


def escape(text: str) -> str:
    """The text escaped for LaTeX."""
    return _SPECIAL.sub(lambda found: _ESCAPES[found[0]], visible(text))


class _Upright:
    """Policies below one another, groups of episodes beside one another; `Hz` is the last column."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.height, self.width = len(table.rows), len(table.columns)
        figures = sum(1 + len(block.rows) for block in table.blocks)
        # A published row is one line, a policy three and more.
        self.most = max(1, ROWS - figures // 2)

    def form(self, columns: Sequence[int]) -> str:
        """The argument of `tabular`."""
        return _name_column([row.name for row in self.table.rows]) + "r" * (len(columns) + 1)

    def heads(self, columns: Sequence[int]) -> Iterator[str]:
        """Lines above the numbers."""
        yield _line(["policy", *(_stacked(self.table.columns[i].name) for i in columns), "Hz"])
        sizes = [common_size(i, self.table) for i in columns]
        if any(n is not None for n in sizes):
            yield _line(["", *(_small("" if n is None else f"n={n}") for n in sizes), ""])

    def body(self, rows: Sequence[int], columns: Sequence[int]) -> Iterator[str]:
        """Lines of numbers: rates, then intervals, then numbers of episodes that the head does not have."""
        table = self.table
        for row in (table.rows[number] for number in rows):
            cells = [(row.cells[i], size(row.cells[i], i, table)) for i in columns]
            yield from _lines((_named(row.name), ""), cells, [speed(row)])
        if rows[-1] == self.height - 1:
            yield from _blocks(table, columns)


class _Transposed:
    """Groups of episodes below one another, policies beside one another, then models of papers."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.models = [(block, model) for block in table.blocks for model in block.rows]
        self.height, self.width = len(table.columns), len(table.rows) + len(self.models)
        self.most = ROWS

    def form(self, columns: Sequence[int]) -> str:
        """The argument of `tabular`."""
        return _name_column([column.name for column in self.table.columns]) + "r" * len(columns)

    def heads(self, columns: Sequence[int]) -> Iterator[str]:
        """Lines above the numbers; a model's name is in italics."""
        yield _line([self.table.options.by, *(self._head(i) for i in columns)])
        if any(i >= len(self.table.rows) for i in columns):
            yield _line(["", *(_small("" if i < len(self.table.rows) else "published") for i in columns)])

    def _head(self, column: int) -> str:
        policies = self.table.rows
        if column < len(policies):
            return _stacked(policies[column].name)
        return rf"\emph{{{_stacked(self.models[column - len(policies)][1])}}}"

    def body(self, rows: Sequence[int], columns: Sequence[int]) -> Iterator[str]:
        """Lines of numbers, and decisions a second below the last group."""
        table, policies = self.table, [i for i in columns if i < len(self.table.rows)]
        models = [self.models[i - len(table.rows)] for i in columns if i >= len(table.rows)]
        for number in rows:
            name, common = table.columns[number].name, common_size(number, table)
            found = [table.rows[i].cells[number] for i in policies]
            cells = [(cell, size(cell, number, table)) for cell in found]
            figures = [block.rows[model].get(name) for block, model in models]
            after = [(escape(figure_text(figure)) if figure else "", "") for figure in figures]
            below = "" if common is None else f"n={common}"
            yield from _lines((_named(name), below), cells, after)
        if rows[-1] == self.height - 1:
            rates = [speed(table.rows[i]) for i in policies]
            yield r"    \midrule"
            yield from _lines(("Hz", ""), [], [*rates, *(("", "") for _ in models)])


def _float(
    layout: _Upright | _Transposed, number: int, pieces: int, rows: Sequence[int], columns: Sequence[int]
) -> str:
    table = layout.table
    head = escape(title(table)) + (f", part {number + 1} of {pieces}" if pieces > 1 else "")
    # The first float explains the numbers, the last one has what is to be said of these runs.
    told = [*(caption(table) if number == 0 else ()), *(remarks(table) if number == pieces - 1 else ())]
    label = "tab:rtbench" + (f"-{number + 1}" if number else "")
    lines = [
        r"\begin{table}[htbp]",
        r"  \centering\footnotesize",
        rf"  \caption{{{head}.}}",
        rf"  \label{{{label}}}",
        rf"  \begin{{tabular}}{{@{{}}{layout.form(columns)}@{{}}}}",
        r"    \toprule",
        *layout.heads(columns),
        r"    \midrule",
        *layout.body(rows, columns),
        r"    \bottomrule",
        r"  \end{tabular}",
        *_notes(told),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _notes(told: Sequence[str]) -> list[str]:
    """A paragraph below the numbers, as wide as the column of text."""
    if not told:
        return []
    text = " ".join(map(escape, told))
    return [rf"  \par\smallskip\parbox{{\linewidth}}{{\scriptsize\raggedright {text}}}"]


def _name_column(names: Sequence[str]) -> str:
    return "l" if max(map(len, names)) <= _NAME else r"p{.24\linewidth}"


def _stacked(name: str) -> str:
    lines = [escape(line) for line in head_lines(name)]
    stack = r" \\ ".join(lines)
    return stack if len(lines) == 1 else rf"\shortstack[r]{{{stack}}}"


def _lines(
    names: tuple[str, str], cells: Sequence[tuple[Cell | None, str]], after: Sequence[tuple[str, str]]
) -> Iterator[str]:
    """Lines of one row: rates, then intervals and numbers of episodes, where there are any.

    Args:
        names: The row's name, and what stands below it.
        cells: Cells with their numbers of episodes as text.
        after: What stands right of the cells, beside the rates and beside the intervals.
    """
    yield _line([names[0], *(_rate(cell) for cell, _ in cells), *(text for text, _ in after)])
    below = [names[1], *(interval(cell, "--") for cell, _ in cells), *(text for _, text in after)]
    sizes = ["", *(text for _, text in cells), *("" for _ in after)]
    for texts in (below, sizes):
        if any(texts):
            yield _line([_small(escape(text)) for text in texts])


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
