"""Section of success rates by split, axis and skill, drops against twins, and instruction ablations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from rtbench.analysis.language_ignorance import ignorance
from rtbench.analysis.noise_floor import read_reruns
from rtbench.report.html import svg_chart
from rtbench.report.html.section import (
    UNKNOWN,
    Figure,
    Section,
    Series,
    Table,
    bounds,
    narrow_first,
    percent,
    table,
)
from rtbench.result.summary import Drop, Group

_KINDS = {"splits": "split", "axes": "axis", "skills": "skill"}
_COLUMNS = ("n", "errors", "success", "95 % interval", "held", "ever", "steps")


def section(runs: Sequence[Series]) -> Section:
    """Rates by split, axis and skill, and drops."""
    figures = [_figure(kind, word, runs) for kind, word in _KINDS.items()]
    if any(one.run.summary.drops for one in runs):
        figures.append(_drops(runs))
    arms = _arms(runs)
    last = [figure for figure in (_reruns(runs), arms) if figure]
    figures = [_overall(runs), *narrow_first(figures), *last]
    note = (
        "Intervals are Wilson's at 95 %. An error is neither success nor failure: it is counted apart, and "
        "rates are of the episodes that have an outcome. Held: the goal stayed true for another second; "
        "ever: it was true at any step; steps: median."
    )
    return Section("rates", "Success", tuple(figures), note)


def _overall(runs: Sequence[Series]) -> Figure:
    rows = []
    for one in runs:
        whole, means = one.run.summary.overall, one.run.summary.macro
        cautious = percent(whole.rate_errors_as_failures) if whole.errors else UNKNOWN
        rows.append((one.label, *_cells(whole), percent(means.rate), cautious))
    columns = ("policy", *_COLUMNS, "mean of skills", "errors as failures")
    return Figure("All episodes", table=Table(columns, tuple(rows)), whole_width=True)


def _figure(kind: str, word: str, runs: Sequence[Series]) -> Figure:
    groups: list[Mapping[str, Group]] = [getattr(one.run.summary, kind) for one in runs]
    names = sorted({name for found in groups for name in found})
    points = [[_point(found.get(name)) for name in names] for found in groups]

    def paint(axes: Axes) -> None:
        axes.set_xlim(-3, 103)

    rows = [
        (name, one.label, *_cells(found[name]))
        for name in names
        for one, found in zip(runs, groups, strict=True)
        if name in found
    ]
    by_card = kind == "splits" and any(one.run.summary.splits_by == "card" for one in runs)
    return Figure(
        f"By {word}",
        svg_chart.whiskers_by_name(f"rates-{kind}", names, points, paint),
        f"Success by {word}, a dot with its 95 % interval for each of {len(names)}.",
        table(runs, (word, "policy", *_COLUMNS), rows),
        "Seen, novel or emergent by what the policy's card says it was trained on." if by_card else "",
    )


def _point(group: Group | None) -> svg_chart.Point | None:
    if group is None or group.rate is None:
        return None
    low, high = group.interval
    return group.rate, low, high


def _cells(group: Group) -> tuple[str, ...]:
    return (
        str(group.n),
        str(group.errors),
        percent(group.rate),
        bounds(group.interval, group.rate is not None),
        percent(group.held_rate),
        percent(group.ever_rate),
        UNKNOWN if group.steps is None else f"{group.steps:.0f}",
    )


def _drops(runs: Sequence[Series]) -> Figure:
    names = sorted({name for one in runs for name in one.run.summary.drops})
    found = [one.run.summary.drops for one in runs]
    points = [[_drop_point(drops.get(name)) for name in names] for drops in found]

    def paint(axes: Axes) -> None:
        axes.axvline(0, color=svg_chart.FAINT, linewidth=1.2)
        axes.set_xlabel("drop [points]")

    rows = [
        (name, one.label, *_drop_cells(drops[name]))
        for name in names
        for one, drops in zip(runs, found, strict=True)
        if name in drops
    ]
    heads = ("axis", "policy", "pairs", "twin", "here", "drop", "95 % interval", "p")
    return Figure(
        "Drop against the same episodes unperturbed",
        svg_chart.whiskers_by_name("rates-drops", names, points, paint),
        f"Drop in points against unperturbed twins, with its 95 % interval, for each of {len(names)} axes.",
        table(runs, heads, rows),
        "Right of 0, the perturbation costs success. Newcombe's paired interval, McNemar's exact p.",
    )


def _drop_point(drop: Drop | None) -> svg_chart.Point | None:
    if drop is None or drop.drop is None:
        return None
    low, high = drop.interval
    return drop.drop, low, high


def _drop_cells(drop: Drop) -> tuple[str, ...]:
    known = drop.drop is not None
    return (
        str(drop.pairs),
        percent(drop.twin_rate),
        percent(drop.rate),
        UNKNOWN if drop.drop is None else f"{100 * drop.drop:.1f}",
        bounds(drop.interval, known),
        ("< 0.001" if drop.p < 0.001 else f"{drop.p:.3f}") if known else UNKNOWN,
    )


def _arms(runs: Sequence[Series]) -> Figure | None:
    """Language ignorance of the ablation arms whose episodes with their own instructions are shown too."""
    rows = []
    for control in runs:
        twins = {record.episode.twin for record in control.run.records if record.episode.arm}
        truth = next((one for one in runs if twins & {record.key for record in one.run.records}), None)
        if not twins or truth is None:
            continue
        found = ignorance(truth.run.records, control.run.records)
        rows.append((
            control.label, truth.label, percent(found.score),
            bounds(found.interval, found.score is not None), str(found.solved),
            str(found.kept), percent(found.drop.twin_rate), percent(found.drop.rate),
        ))  # fmt: skip
    heads = ("control arm", "against", "ignorance", "95 % interval", "solved", "kept", "true", "control")
    note = (
        "Ignorance: the share of the episodes solved with their own instruction that are solved in the "
        "control arm too. Chance counts as ignorance: compare with the random policy."
    )
    return (
        Figure("Control arms", table=Table(heads, tuple(rows)), note=note, whole_width=True) if rows else None
    )


def _reruns(runs: Sequence[Series]) -> Figure | None:
    """How often two runs of one policy end alike on the same episode, where that was measured."""
    found = [(one.label, reruns) for one in runs if (reruns := read_reruns(one.run.path))]
    rows = []
    for label, reruns in found:
        low, high = (1 - bound for bound in reversed(reruns.interval))
        numbers = str(reruns.episodes), str(reruns.repeats)
        rows.append((label, percent(reruns.agreement), bounds((low, high)), *numbers))
    heads = ("policy", "agreement", "95 % interval", "episodes", "times played")
    note = (
        "Share of the pairs of runs of one policy, on the same episode under other seeds, that end alike. "
        "Two policies that agree as often with each other cannot be distinguished."
    )
    if not rows:
        return None
    return Figure("Agreement of reruns", table=Table(heads, tuple(rows)), note=note, whole_width=True)
