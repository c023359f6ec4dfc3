"""`rtbench gate`: decides whether a run is as good as a baseline."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rtbench.cli.column_widths import break_words, room_for_names
from rtbench.cli.options import (
    LEAST_ALPHA,
    MOST_ALPHA,
    Json,
    OnlyAxis,
    OnlySkill,
    OnlySplit,
    Out,
    Partial,
    Rule,
    Rules,
)
from rtbench.core.errors import RtbenchError
from rtbench.core.text import visible

if TYPE_CHECKING:
    from rich.table import Table

    from rtbench.analysis.compare import Contrast
    from rtbench.analysis.verdict import Judgement, Side, Terms

EXAMPLE = "Example:  rtbench gate CANDIDATE --baseline BASELINE --junit gate.xml"
WIDTH = 79
_HEADS = ("n", "base", "cand", "diff", "95 % CI", "p")
"""Heads of the columns after the name of a group."""


def gate(  # noqa: PLR0913 - each is an option
    candidate: Annotated[
        str,
        typer.Argument(
            metavar="CANDIDATE",
            help="Run that may replace the baseline: its folder, or the beginning of its id.",
        ),
    ],
    *,
    baseline: Annotated[
        str, typer.Option(metavar="RUN", help="Run to compare with: its folder, or the beginning of its id.")
    ],
    margin: Annotated[
        str,
        typer.Option(
            metavar="POINTS",
            help="Largest acceptable drop of the success rate, in percentage points: 5pp, 5% or 0.05.",
        ),
    ] = "5pp",
    alpha: Annotated[
        float,
        typer.Option(
            min=LEAST_ALPHA,
            max=MOST_ALPHA,
            metavar="SHARE",
            help="Probability of a wrong pass, and of a wrong regression.",
        ),
    ] = 0.05,
    rule: Rules = Rule.SUCCESS,
    split: OnlySplit = "",
    axis: OnlyAxis = "",
    skill: OnlySkill = "",
    max_errors: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            metavar="SHARE",
            help="Largest share of episodes that may be errors. Above it there is no verdict.",
        ),
    ] = 0.1,
    allow_partial: Partial = False,
    junit: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.xml", help="File for a JUnit report, which CI systems show.", show_default="none"
        ),
    ] = None,
    summary: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.md",
            help="File to which a summary in Markdown is appended, such as $GITHUB_STEP_SUMMARY.",
            show_default="none",
        ),
    ] = None,
    as_json: Json = False,
    out: Out = Path("runs"),
) -> None:
    """Decide whether a run is as good as a baseline, up to a margin.

    The exit code is 0 for a pass, 1 for a regression, 3 if the episodes do not suffice for a verdict, 4 if
    the runs did not play the same episodes, and 5 with too many errors. Errors count as failures of the
    candidate and as successes of the baseline.
    """
    from rtbench.analysis.verdict import Terms
    from rtbench.cli.units import points

    terms = Terms(points(margin), alpha, rule.value, max_errors, allow_partial, split, axis, skill)
    try:
        judged = _judge(candidate, baseline, terms, out)
    except RtbenchError as error:
        _report_refusal(error, junit, summary)
        raise
    _report(judged, junit, summary)
    if as_json:
        from rtbench.cli.console import print_json

        print_json(judged.as_dict())
    else:
        _print(judged)
    raise typer.Exit(judged.exit_code)


def _judge(candidate: str, baseline: str, terms: Terms, out: Path) -> Judgement:
    from rtbench.analysis.gate import gate as judge
    from rtbench.result.locate import find_scores

    terms.check()
    return judge(find_scores(candidate, out), find_scores(baseline, out), terms)


def _report(judged: Judgement, junit: Path | None, summary: Path | None) -> None:
    from rtbench.analysis.ci_summary import append_summary, markdown, write_junit

    if junit:
        write_junit(junit, judged)
    if summary:
        append_summary(summary, markdown(judged))


def _report_refusal(error: RtbenchError, junit: Path | None, summary: Path | None) -> None:
    """A job without a report looks like one in which nothing was to be tested."""
    from rtbench.analysis.ci_summary import append_summary, refusal, write_refusal

    if junit:
        write_refusal(junit, error)
    if summary:
        append_summary(summary, refusal(error))


def _print(judged: Judgement) -> None:
    from rtbench.cli.console import console, print_fields

    where = console()
    for line in textwrap.wrap(judged.sentence, WIDTH):
        where.print(line, style="bold", markup=False)
    low, high = (100 * bound for bound in judged.bounds)
    pairs = judged.pairs
    told = f"{100 * judged.difference:+.1f} points, bounds {low:+.1f} and {high:+.1f}"
    print_fields([
        ("baseline", _side(judged.baseline)),
        ("candidate", _side(judged.candidate)),
        ("difference", told),
        ("pairs", pairs and f"{pairs.n}: {pairs.first_only} lost, {pairs.second_only} won"),
        ("note", judged.remarks),
    ])  # fmt: skip
    if judged.groups:
        where.print(_table(judged))
    _print_flips(judged)


def _side(side: Side) -> str:
    low, high = (100 * bound for bound in side.interval)
    errors = f", {side.errors} errors" if side.errors else ""
    return f"{side.label}: {100 * side.rate:.1f} % of {side.n} ({low:.1f} to {high:.1f}){errors}"


def _table(judged: Judgement) -> Table:
    from rich import box
    from rich.table import Table

    from rtbench.analysis.compare import ADJUSTMENT

    rows = [(group, _cells(group)) for group in judged.groups]
    others = [max(map(len, column)) for column in zip(_HEADS, *(cells for _, cells in rows), strict=True)]
    room, gap = room_for_names([visible(group.group) for group in judged.groups], others, WIDTH)
    shown = Table(
        box=box.SIMPLE_HEAD, padding=(0, gap - 1, 0, 0), pad_edge=False, caption_justify="left",
        caption=f"groups inform and do not decide; Newcombe's interval;\np {ADJUSTMENT}",
    )  # fmt: skip
    shown.add_column("", width=room, overflow="fold")
    for head in _HEADS:
        shown.add_column(head, justify="right", no_wrap=True)
    kind = ""
    for group, cells in rows:
        if group.by != kind:
            kind = group.by
            shown.add_section()
            shown.add_row(kind, style="bold")
        shown.add_row(
            break_words(visible(group.group), room), *cells, style="red" if judged.worse(group) else ""
        )
    return shown


def _cells(group: Contrast) -> tuple[str, ...]:
    """What stands under `_HEADS`."""
    from rtbench.analysis.verdict import chance

    low, high = (100 * bound for bound in group.interval)
    rates = (f"{100 * k / n:.1f}" if n else "-" for k, n in (group.first, group.second))
    difference = "-" if group.difference is None else f"{100 * group.difference:+.1f}"
    return (str(group.second[1]), *rates, difference, f"{low:+.1f} {high:+.1f}", chance(group.p_holm))


def _print_flips(judged: Judgement) -> None:
    from rtbench.analysis.ci_summary import FLIPS
    from rtbench.cli.console import console

    if not judged.flips:
        return
    where = console()
    where.print(f"\ngot worse: {len(judged.flips)}", style="bold", markup=False)
    for flip in judged.flips[:FLIPS]:
        told = f'  {flip.key}  {visible(flip.task)}: "{visible(flip.instruction)}"'
        where.print(told, markup=False, soft_wrap=True)
        for place in flip.see:
            where.print(f"    {place}", markup=False, soft_wrap=True)
    if len(judged.flips) > FLIPS:
        where.print(f"  ... and {len(judged.flips) - FLIPS} more: --json has all", markup=False)
