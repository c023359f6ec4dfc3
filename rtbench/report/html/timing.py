"""Section on timing: policy, environment and closed loop, against the deadline of the control rate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure as Canvas

from rtbench.core.text import three_figures
from rtbench.report.html import svg_chart
from rtbench.report.html.section import UNKNOWN, Figure, Section, Series, percent, table
from rtbench.result.control_rate import Spread

_SPREADS = ("policy", "round_trip", "server", "env", "loop", "reset")
_NAMES = {
    "round_trip": "round trip", "server": "the server's policy", "env": "environment", "loop": "closed loop"
}  # fmt: skip
_BINS = 40
_HEIGHT = 180
_LEAST_MS = 1e-3
"""Shortest time that is drawn [ms]; times are recorded to the microsecond."""


def section(runs: Sequence[Series]) -> Section:
    """Percentiles and histograms of the times."""
    figures = [_table(runs)]
    if any(_times(one, "policy") for one in runs):
        figures += [_histogram(runs, "policy"), _histogram(runs, "loop")]
    note = "Times of the episodes that have an outcome. On a real robot the environment takes no time."
    return Section("timings", "Timings", tuple(figures), note)


def _table(runs: Sequence[Series]) -> Figure:
    rows = []
    for one in runs:
        rates = one.run.summary.hz
        for name in _SPREADS:
            found: Spread | None = getattr(rates, name)
            if found is None:
                continue
            values = found.p50, found.p95, found.p99, found.hz
            cells = (UNKNOWN if value is None else three_figures(value) for value in values)
            in_time = percent(rates.in_time) if name == "policy" else UNKNOWN
            rows.append((_NAMES.get(name, name), one.label, *cells, in_time))
    hz = runs[0].run.summary.hz.control_hz
    heads = ("", "policy", "p50 [ms]", "p95 [ms]", "p99 [ms]", "mean rate [Hz]", f"within 1/{hz} s")
    return Figure("Percentiles", table=table(runs, heads, rows), whole_width=True)


def _times(one: Series, name: str) -> list[float]:
    return [t for r in one.run.records if r.outcome for t in getattr(r.times, name)]


def _histogram(runs: Sequence[Series], name: str) -> Figure:
    times = [np.maximum(_times(one, name), _LEAST_MS) for one in runs]
    deadline = 1000 / runs[0].run.summary.hz.control_hz
    pooled = np.concatenate(times)
    ends = np.geomspace(pooled.min() * 0.9, max(pooled.max(), deadline) * 1.2, _BINS + 1)

    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots()
        for one, found in zip(runs, times, strict=True):
            counts, _ = np.histogram(found, ends)
            axes.stairs(
                100 * counts / max(len(found), 1), ends, color=svg_chart.colour(one.index), linewidth=1.6
            )
        axes.axvline(deadline, color=svg_chart.INK, linestyle="--", linewidth=1.2)
        axes.set_xscale("log")
        axes.set_xlim(ends[0], ends[-1])
        svg_chart.log_axis(axes.xaxis, lambda ms: f"{ms:g}")
        axes.set_xlabel("time [ms]")
        axes.set_ylabel("share [%]")

    what = "a decision of the policy" if name == "policy" else "a turn of the closed loop"
    return Figure(
        f"Time of {what}",
        svg_chart.draw(f"delay-{name}", _HEIGHT, paint),
        f"How the times of {what} are spread, with the deadline of {deadline:.0f} ms as a dashed line.",
        note=f"The dashed line is the deadline of the control rate, {deadline:.0f} ms.",
    )
