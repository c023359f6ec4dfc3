"""`rtbench compare`: what is better, what is worse, and what cannot be told."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rtbench.cli.column_widths import break_words, room_for_names
from rtbench.cli.options import Json, OnlyAxis, OnlySkill, OnlySplit, Out, Partial, Rule, Rules
from rtbench.core.text import visible

if TYPE_CHECKING:
    from rich.table import Table

    from rtbench.analysis.compare import Comparison, Contrast
    from rtbench.analysis.pairing import Joined

EXAMPLE = "Example:  rtbench compare BASELINE CANDIDATE --by skill --flips 20"
WIDTH = 80
FLIPS = 10
"""Flips listed of each candidate by default."""


_HEADS = ("n", "err", "base", "cand", "diff", "95 % CI", "lost", "won", "p")
"""Heads of the columns after the name of a group."""


class By(StrEnum):
    """What episodes are grouped by."""

    SPLIT = "split"
    AXIS = "axis"
    SKILL = "skill"
    TASK = "task"


def compare(  # noqa: PLR0913 - each is an option
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN",
            help="Two or more runs: their folders, or the beginnings of their ids. The first is the "
            "baseline.",
        ),
    ],
    *,
    by: Annotated[
        list[By] | None,
        typer.Option(
            help="Grouping of the rows of the table. May be repeated.", show_default="split, axis, skill"
        ),
    ] = None,
    rule: Rules = Rule.SUCCESS,
    split: OnlySplit = "",
    axis: OnlyAxis = "",
    skill: OnlySkill = "",
    flips: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="Number of flips listed for each candidate. A flip is an episode whose outcome differs.",
        ),
    ] = FLIPS,
    allow_partial: Partial = False,
    as_json: Json = False,
    out: Out = Path("runs"),
) -> None:
    """Compare runs on the episodes that they share: differences with intervals, exact tests, and flips.

    The exit code is 4 if the runs did not play the same episodes.
    """
    from rtbench.analysis.compare import OVERALL
    from rtbench.analysis.compare import compare as compared
    from rtbench.cli.console import console, note, print_json
    from rtbench.result.locate import find_scores

    found = compared(
        [find_scores(run, out) for run in runs],
        rule=rule.value,
        only={"split": split, "axis": axis, "skill": skill},
        allow_partial=allow_partial,
    )
    if as_json:
        print_json(found.as_dict())
        return
    for text in found.notes:
        note(text)
    where = console()
    where.print(contrast_table(found, (OVERALL, *(by or (By.SPLIT, By.AXIS, By.SKILL)))))
    for label, joined in zip(found.labels[1:], found.joined, strict=True):
        for line in _reading(found, label, joined):
            where.print(line, markup=False, soft_wrap=True)
        if flips:
            _print_flips(where, label, joined, flips)


def contrast_table(found: Comparison, kinds: Sequence[str]) -> Table:
    """A rich table of the contrasts of some kinds, 80 columns wide at most.

    A kind with a single group says no more than the whole and is left out.
    """
    from rich import box
    from rich.table import Table

    from rtbench.analysis.compare import OVERALL

    several = len(found.labels) > 2
    rule = found.joined[0].rule
    blocks = {kind: [_cells(contrast, several=several) for contrast in found.by(kind)] for kind in kinds
              if kind == OVERALL or len({contrast.group for contrast in found.by(kind)}) > 1}  # fmt: skip
    cells = [row for rows in blocks.values() for row in rows]
    others = [max(map(len, column)) for column in zip(_HEADS, *(row[1:] for row in cells), strict=True)]
    room, gap = room_for_names([row[0] for row in cells], others, WIDTH)
    shown = Table(
        box=box.SIMPLE_HEAD, padding=(0, gap - 1, 0, 0), pad_edge=False, title_justify="left",
        caption_justify="left",
        title=f"{rule}, baseline {found.labels[0]}" + ("" if several else f", candidate {found.labels[1]}"),
    )  # fmt: skip
    shown.add_column("candidate" if several else "", width=room, overflow="fold")
    for head in _HEADS:
        shown.add_column(head, justify="right", no_wrap=True)
    for kind, rows in blocks.items():
        if kind != OVERALL:
            shown.add_section()
            shown.add_row(str(kind), style="bold")
        for name, *rest in rows:
            shown.add_row(break_words(name, room), *rest, style="bold" if kind == OVERALL else "")
    shown.caption = _caption(found)
    return shown


def _cells(contrast: Contrast, *, several: bool) -> tuple[str, ...]:
    group = "all episodes" if contrast.by == "overall" else visible(contrast.group)
    name = f"{group} {contrast.candidate}" if several else group
    low, high = (100 * bound for bound in contrast.interval)
    n = str(contrast.first[1])
    if not contrast.paired:
        n = f"{contrast.first[1]}/{contrast.second[1]}"
    known = contrast.difference is not None
    return (
        name, n, str(sum(contrast.errors) or ""), _percent(contrast.first), _percent(contrast.second),
        f"{100 * (contrast.difference or 0):+.1f}" if known else "-",
        f"{low:+.1f} {high:+.1f}" if known else "-",
        str(contrast.lost) if contrast.paired else "", str(contrast.gained) if contrast.paired else "",
        _p(contrast.p_holm) if known else "-",
    )  # fmt: skip


def _caption(found: Comparison) -> str:
    from rtbench.analysis.compare import ADJUSTMENT

    kinds = sorted({joined.paired for joined in found.joined}, reverse=True)
    tests = {
        True: "of pairs (Newcombe; McNemar, exact)",
        False: "of independent samples (Newcombe; Boschloo)",
    }
    told = " or ".join(tests[paired] for paired in kinds)
    lines = [f"diff: candidate less baseline, points; interval and p {told}; p {ADJUSTMENT}"]
    if found.letters:
        shown = ", ".join(f"{label} {mark}" for label, mark in zip(found.labels, found.letters, strict=True))
        lines.append(f"letters (no common letter: they differ): {shown}")
    return "\n".join(piece for line in lines for piece in textwrap.wrap(line, WIDTH - 1))


def _reading(found: Comparison, label: str, joined: Joined) -> list[str]:
    """What a candidate's numbers say, in sentences."""
    whole = next(c for c in found.by("overall") if c.candidate == label)
    lines = [f"{label}: {verdict(whole)}"]
    for mean in found.means:
        if mean.candidate == label and mean.interval and mean.tasks > 1:
            low, high = (100 * bound for bound in mean.interval)
            lines.append(
                f"  mean over {mean.tasks} tasks, each counted once: {100 * mean.difference:+.1f} points "
                f"({low:+.1f} to {high:+.1f}, tasks resampled)"
            )
    lines += [
        f"  left out: {count} {_WHY.get(why, f'episodes with {why}')}"
        for why, count in joined.left_out.items()
    ]
    return lines


_WHY = {
    "only in the first": "episodes that only the baseline has",
    "only in the second": "episodes that only the candidate has",
}


def verdict(contrast: Contrast) -> str:
    """What a contrast says, in a sentence."""
    if contrast.difference is None:
        return "no episode has an outcome in both; nothing can be told."
    low, high = (100 * bound for bound in contrast.interval)
    if contrast.p_holm < 0.05 and contrast.difference:
        way = "better" if contrast.difference > 0 else "worse"
        return f"{way} by {abs(100 * contrast.difference):.1f} points (p {_p(contrast.p_holm, sign='= ')})."
    if contrast.paired and not contrast.lost + contrast.gained:
        told = "every shared episode ended alike"
        return f"{told}; a drop of more than {abs(low):.1f} points is unlikely."
    return f"no difference shown; from {low:+.1f} to {high:+.1f} points fit the data."


def _print_flips(where: Any, label: str, joined: Joined, most: int) -> None:
    from rtbench.analysis.compare import flips

    if not joined.paired:
        return
    found = flips(joined)
    if found.empty:
        return
    lost = int((found["change"] == "lost").sum())
    where.print(f"\nflips of {label}: {lost} lost, {len(found) - lost} won", style="bold", markup=False)
    filmed = False
    for row in found.head(most).to_dict("records"):
        change = {"lost": "lost", "gained": "won "}[row["change"]]
        where.print(f"  {change} {row['key']}  {visible(row['task'])}", markup=False, soft_wrap=True)
        for video in filter(None, (row["video_first"], row["video_second"])):
            filmed = True
            where.print(f"       {visible(video)}", markup=False, soft_wrap=True)
    if len(found) > most:
        where.print(f"  ... and {len(found) - most} more: --flips {len(found)}", markup=False)
    if not filmed:
        for run in (joined.first, joined.second):
            where.print(f"  to see one: rtbench replay {run.path}:KEY", markup=False, soft_wrap=True)


def _percent(counts: tuple[int, int]) -> str:
    return f"{100 * counts[0] / counts[1]:.1f}" if counts[1] else "-"


def _p(p: float, sign: str = "") -> str:
    return "<0.001" if p < 0.001 else f"{sign}{p:.3f}"
