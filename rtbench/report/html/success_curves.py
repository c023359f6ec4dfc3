"""Section of success curves: success against time, and against the distance to the target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure as Canvas

from rtbench.report.html import svg_chart
from rtbench.report.html.decoded_actions import travel
from rtbench.report.html.section import Figure, Section, Series, Table, bounds, percent, table
from rtbench.result.record import Record
from rtbench.stats import rate, wilson

CONFIDENCE = 0.95
_PARTS = 6
"""Most parts into which distances are divided."""
_LEAST = 5
"""Fewest episodes of a part."""
_TABLE_STEPS = 12
"""Rows in the table of a curve over time."""
_HEIGHT = 200


@dataclass(frozen=True)
class Part:
    """Episodes between two distances."""

    low: float
    """Shortest distance [m]."""
    high: float
    """Longest [m]."""
    successes: int
    """Episodes solved."""
    n: int
    """Episodes with an outcome."""


def section(runs: Sequence[Series], distances: Mapping[str, float]) -> Section:
    """The curves.

    Args:
        runs: The runs.
        distances: By key, the distance from the gripper to the target in the settled state [m]; of all
            episodes that have one, or of none, because a selection of episodes would bias the curve.
    """
    figures = [_time(runs)]
    if distances:
        figures.append(_distance(runs, distances))
    figures.append(_travel(runs))
    note = (
        "" if distances else "`rtbench report --frames all` adds success against the distance to the target."
    )
    return Section("curves", "Success against time and distance", tuple(figures), note)


def solved_by(records: Sequence[Record], last: int) -> list[tuple[int, int]]:
    """(successes that ended by step k, episodes with an outcome) for k from 0 to `last`."""
    outcomes = [record.outcome for record in records if record.outcome]
    ends = np.bincount([min(o.steps, last) for o in outcomes if o.end] or [0], minlength=last + 1)
    if not any(o.end for o in outcomes):
        ends[:] = 0
    return [(int(k), len(outcomes)) for k in np.cumsum(ends)]


def parts(found: Sequence[tuple[float, bool]], edges: Sequence[float]) -> list[Part]:
    """Episodes (distance [m], success) by the edge that ends their part; empty parts are left out."""
    distances = np.array([distance for distance, _ in found])
    places = np.searchsorted(edges, distances)
    sorted_in = []
    for place in range(len(edges)):
        inside = [pair for pair, at in zip(found, places, strict=True) if at == place]
        if inside:
            ways = [distance for distance, _ in inside]
            sorted_in.append(Part(min(ways), max(ways), sum(solved for _, solved in inside), len(inside)))
    return sorted_in


def edges(distances: Sequence[float]) -> list[float]:
    """Where parts end [m]: up to six with at least a sixth of the episodes each, and no fewer than five.

    Twins begin alike, so that many distances are equal: these stay in one part.
    """
    least = max(len(distances) / _PARTS, _LEAST)
    ends: list[float] = []
    inside, left = 0, len(distances)
    for distance, count in zip(*np.unique(distances, return_counts=True), strict=True):
        inside, left = inside + int(count), left - int(count)
        if inside >= least and left >= least:
            ends.append(float(distance))
            inside = 0
    return [*ends, max(distances)]


def _time(runs: Sequence[Series]) -> Figure:
    last = max((r.outcome.steps for one in runs for r in one.run.records if r.outcome), default=1)
    curves = [solved_by(one.run.records, last) for one in runs]

    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots()
        for one, curve in zip(runs, curves, strict=True):
            low, high = zip(*(wilson(k, n, CONFIDENCE) for k, n in curve), strict=True)
            share = [100 * k / n if n else 0.0 for k, n in curve]
            axes.step(range(last + 1), share, where="post", color=svg_chart.colour(one.index))
            axes.fill_between(
                range(last + 1), [100 * b for b in low], [100 * b for b in high], step="post", alpha=0.15,
                color=svg_chart.colour(one.index), linewidth=0,
            )  # fmt: skip
        axes.set_ylim(0, 102)
        axes.set_xlim(0, last)
        svg_chart.count_axis(axes.xaxis)
        axes.set_xlabel("control step")
        axes.set_ylabel("solved [%]")

    steps = sorted({round(step) for step in np.linspace(0, last, min(last, _TABLE_STEPS) + 1)})
    rows = [(str(step), *(percent(rate(*curve[step])) for curve in curves)) for step in steps]
    hz = runs[0].run.meta.settings.control_hz
    return Figure(
        "Against time",
        svg_chart.draw("curve-time", _HEIGHT, paint),
        "Share of the episodes that had ended in success by each control step, with its interval.",
        Table(("step", *(one.label for one in runs)), tuple(rows)),
        f"Share of all episodes with an outcome that had ended in success by that step; {hz} steps a second.",
    )


def _distance(runs: Sequence[Series], distances: Mapping[str, float]) -> Figure:
    found = [
        [(distances[r.key], r.outcome.end) for r in one.run.records if r.outcome and r.key in distances]
        for one in runs
    ]
    return _by_distance(
        "Against the distance to the target",
        "curve-distance",
        "From between the fingertips to the centre of the first object of the goal, in the settled state "
        "before the first action, found by setting the episode up again. Tasks of drawers alone have none.",
        runs,
        found,
    )


def _travel(runs: Sequence[Series]) -> Figure:
    found = [[(travel(r), r.outcome.end) for r in one.run.records if r.outcome] for one in runs]
    return _by_distance(
        "Against the way commanded",
        "curve-travel",
        "Way of gripper and base that the actions asked for, each step clipped to what it can reach. A "
        "policy chooses it: a long way can be the cause of a failure or its effect.",
        runs,
        found,
    )


def _by_distance(
    title: str, name: str, note: str, runs: Sequence[Series], found: Sequence[Sequence[tuple[float, bool]]]
) -> Figure:
    pooled = [distance for pairs in found for distance, _ in pairs]
    if not pooled:
        return Figure(title, note="No episode has an outcome.")
    # One place for all runs, so that their points stand beside each other.
    ends = edges(pooled)
    sorted_in = [parts(pairs, ends) for pairs in found]

    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots()
        for one, of_run in zip(runs, sorted_in, strict=True):
            middles = [(part.low + part.high) / 2 for part in of_run]
            shares = [100 * part.successes / part.n for part in of_run]
            ranges = [wilson(part.successes, part.n, CONFIDENCE) for part in of_run]
            below = [share - 100 * low for share, (low, _) in zip(shares, ranges, strict=True)]
            above = [100 * high - share for share, (_, high) in zip(shares, ranges, strict=True)]
            axes.errorbar(
                middles, shares, yerr=np.maximum([below, above], 0),
                fmt=f"{svg_chart.MARKERS[one.index]}-", color=svg_chart.colour(one.index), markersize=4.5,
                elinewidth=1.4, linewidth=1,
            )  # fmt: skip
        axes.set_ylim(-3, 103)
        axes.set_xlim(left=0)
        axes.set_xlabel("distance [m]")
        axes.set_ylabel("success [%]")

    rows = []
    for one, of_run in zip(runs, sorted_in, strict=True):
        for part in of_run:
            interval = wilson(part.successes, part.n, CONFIDENCE)
            reach = f"{part.low:.2f} to {part.high:.2f}"
            rows.append(
                (reach, one.label, str(part.n), percent(rate(part.successes, part.n)), bounds(interval))
            )
    return Figure(
        title,
        svg_chart.draw(name, _HEIGHT, paint),
        f"{title}: success in up to {_PARTS} parts of about equally many episodes, with intervals.",
        table(runs, ("distance [m]", "policy", "n", "success", "95 % interval"), rows),
        note,
    )
