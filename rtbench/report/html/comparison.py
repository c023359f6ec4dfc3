"""Section on the comparison with the first run: differences with intervals and tests, letters, flips."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

from rtbench.analysis.compare import OVERALL, Comparison, Contrast, compare, flips
from rtbench.report.html import svg_chart
from rtbench.report.html.section import UNKNOWN, Figure, Section, Series, Table, narrow_first, percent
from rtbench.result.scores import load_scores
from rtbench.stats import rate

_KINDS = ("split", "axis", "skill")
_FLIPS = 60
"""Most flips in the table; the list of episodes has all."""


def section(runs: Sequence[Series], *, allow_partial: bool = False) -> Section:
    """Differences of the runs against the first; empty for one run.

    Raises:
        NotComparableError: runs that did not play the same, unless `allow_partial`.
    """
    if len(runs) < 2:
        return Section("contrasts", "Against the baseline")
    found = compare([load_scores(Path(one.run.path)) for one in runs], allow_partial=allow_partial)
    figures = [_overall(runs, found), *narrow_first(_figure(runs, found, kind) for kind in _KINDS)]
    note = (
        f"Candidate less baseline ({runs[0].label}), in points: left of 0 is worse. Episodes with an error "
        "are left out. Of episodes that both played: Newcombe's paired interval and McNemar's exact p; of "
        "independent samples: Newcombe's interval and Boschloo's p. Holm adjusts p for all rows of a table."
    )
    return Section("contrasts", "Against the baseline", (*figures, *_flips(runs, found)), note)


def _overall(runs: Sequence[Series], found: Comparison) -> Figure:
    marks = found.letters or ("",) * len(runs)
    rows = [_row(runs, found, contrast, marks[_index(found, contrast)]) for contrast in found.by(OVERALL)]
    left = [
        f"{one.label}: {count} {reason}."
        for one, joined in zip(runs[1:], found.joined, strict=True)
        for reason, count in joined.left_out.items()
    ]
    said = [*found.notes, *(["Left out:", *left] if left else [])]
    if found.letters:
        said.append(f"Runs that share a letter do not differ; the baseline has {marks[0]!r}.")
    heads = ("policy", *_HEADS, *(("letters",) if found.letters else ()))
    cut = len(heads) + 1
    table = Table(heads, tuple(row[1:cut] for row in rows))
    return Figure("All episodes", table=table, note=" ".join(said), whole_width=True)


_HEADS = ("baseline", "candidate", "difference", "95 % interval", "lost", "gained", "p", "p (Holm)")


def _figure(runs: Sequence[Series], found: Comparison, kind: str) -> Figure:
    contrasts = found.by(kind)
    names = sorted({contrast.group for contrast in contrasts})
    points: list[list[svg_chart.Point | None]] = [[None] * len(names) for _ in runs]
    for contrast in contrasts:
        if contrast.difference is not None:
            points[_index(found, contrast)][names.index(contrast.group)] = (
                contrast.difference,
                *contrast.interval,
            )

    def paint(axes: Axes) -> None:
        axes.axvline(0, color=svg_chart.FAINT, linewidth=1.2)
        axes.set_xlabel("difference [points]")

    rows = [_row(runs, found, contrast)[:-1] for contrast in contrasts]
    return Figure(
        f"Difference by {kind}",
        svg_chart.whiskers_by_name(f"contrast-{kind}", names, points, paint),
        f"Difference to the baseline by {kind} in points, a dot with its 95 % interval for each.",
        Table((kind, "policy", *_HEADS), tuple(rows)),
    )


def _row(runs: Sequence[Series], found: Comparison, contrast: Contrast, mark: str = "") -> tuple[str, ...]:
    """Group, candidate, numbers, letters."""
    known = contrast.difference is not None
    low, high = (f"{100 * bound:+.1f}" for bound in contrast.interval)
    changed = (str(contrast.lost), str(contrast.gained)) if contrast.paired else (UNKNOWN, UNKNOWN)
    return (
        contrast.group,
        runs[_index(found, contrast)].label,
        *(
            f"{percent(rate(*side))} of {side[1]}" if side[1] else UNKNOWN
            for side in (contrast.first, contrast.second)
        ),
        UNKNOWN if contrast.difference is None else f"{100 * contrast.difference:+.1f}",
        f"{low} to {high}" if known else UNKNOWN,
        *changed,
        *((_p(contrast.p), _p(contrast.p_holm)) if known else (UNKNOWN, UNKNOWN)),
        mark,
    )


def _flips(runs: Sequence[Series], found: Comparison) -> list[Figure]:
    rows = [
        (str(flip["change"]), one.label, str(flip["task"]), str(flip["key"]), str(flip["instruction"]))
        for one, joined in zip(runs[1:], found.joined, strict=True)
        for flip in flips(joined).to_dict("records")
    ]
    if not rows:
        return []
    more = f" The first {_FLIPS} of {len(rows)}." if len(rows) > _FLIPS else ""
    return [
        Figure(
            "Flips",
            table=Table(("change", "policy", "task", "key", "instruction"), tuple(rows[:_FLIPS])),
            note=f"Choose a change in the list of episodes to see both videos side by side.{more}",
            whole_width=True,
            fold=True,
        )
    ]


def _index(found: Comparison, contrast: Contrast) -> int:
    """Place of a contrast's candidate among the runs."""
    return found.labels.index(contrast.candidate)


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
