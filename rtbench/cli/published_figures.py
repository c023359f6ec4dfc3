"""Published figures beside a run's own, one table an evaluation."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.cells import cell_len
from rich.console import Group
from rich.table import Table
from rich.text import Text

from rtbench.analysis.published import PublishedTable, beside, figures
from rtbench.cli.column_widths import break_words
from rtbench.task.library import BUNDLED, Library

if TYPE_CHECKING:
    from rtbench.result import summary
    from rtbench.result.run import Run

WIDTH = 80
_HEAD = 8
"""Columns of a model's name, which is broken at its hyphens."""
_HERE = "here"


def comparisons(run: Run, library: Library = BUNDLED) -> list[Group]:
    """Tables for rich to print, `WIDTH` columns wide at most: our rate of each axis, and a paper's beside it.

    Empty where no axis of the run has an honest counterpart.

    Raises:
        ContentError: results/published cannot be used.
    """
    split = {record.episode.axis: record.episode.split for record in run.records}
    own = {f"{split[axis]}/{axis}": group for axis, group in run.summary.axes.items()}
    policy = run.meta.policy.name
    return [
        Group(_table(table, pairs, policy, own), Text(_caption(table, pairs, policy)), "")
        for table, pairs in beside(list(own), library)
    ]


def _table(
    published: PublishedTable,
    pairs: Sequence[tuple[str, str]],
    policy: str,
    own: dict[str, summary.Group],
) -> Table:
    shown = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        title=Text(f"{published.source}: {published.title}"),
        title_justify="left",
    )
    shown.add_column("axis", no_wrap=True, max_width=28, overflow="ellipsis")
    for head in ("n", f"{policy} here" if _fits(policy) else _HERE, *published.compared):
        shown.add_column(Text("\n".join(_lines(head))), justify="right", vertical="bottom")
    for axis, column in pairs:
        rate = own[axis].rate
        ours = "-" if rate is None else f"{100 * rate:.1f}"
        found = {f.row: str(f).removesuffix(f" {f.unit}") for f in figures(published) if f.column == column}
        theirs = [found[row] for row in published.compared]
        shown.add_row(axis.partition("/")[2], str(own[axis].n), ours, *theirs)
    return shown


def _lines(head: str) -> list[str]:
    """Lines of a head, broken at blanks and after hyphens."""
    pieces = break_words(head, _HEAD).split("\n")
    return [line for piece in pieces for line in textwrap.wrap(piece, _HEAD, break_on_hyphens=False)]


def _fits(policy: str) -> bool:
    """Whether a policy's name can be a head. Others stand under the table, where there is room for them."""
    return cell_len(policy) <= _HEAD


def _caption(published: PublishedTable, pairs: Sequence[tuple[str, str]], policy: str) -> str:
    """The policy, the label, whose trials these are, and what each axis stands beside and why."""
    lines = [] if _fits(policy) else [f"{_HERE}: {policy}."]
    lines += [f"Figures of the paper: {published.label}. {published.evaluation}; success in %."]
    for axis, key in pairs:
        column = published.columns[key]
        lines.append(f"{axis.partition('/')[2]} beside {key!r}: {column.says}. {column.because}")
    return "\n".join(
        piece
        for line in lines
        for piece in textwrap.wrap(line, WIDTH, subsequent_indent="  ", break_long_words=False)
    )
