"""Section on action tokens: histograms of bins, saturation, modes, idle steps and widths of bins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure as Canvas

from rtbench.core.action import BINS, DIMENSIONS, GRIPPER, MODE, Mode
from rtbench.report.html import svg_chart
from rtbench.report.html.decoded_actions import Motion, motion
from rtbench.report.html.section import UNKNOWN, Figure, Section, Series, Table, percent, table
from rtbench.stats import rate

_DRAWN = 64
"""Bins drawn of the 256: a panel is about 140 px wide."""
_LEAST = 1e-4
"""Smallest share that a panel shows."""
_UNITS = {**dict.fromkeys(DIMENSIONS[:3] + DIMENSIONS[7:9], "m"), **dict.fromkeys(DIMENSIONS[3:6], "rad")}
_UNITS["base_yaw"] = "rad"

Told = Sequence[tuple[Series, Motion]]


def section(runs: Sequence[Series]) -> Section:
    """Histograms, saturation, modes, idle steps and the widths of bins; empty without actions."""
    told = [(one, steps) for one in runs if (steps := motion(one.run.records)) is not None]
    if not told:
        return Section("tokens", "Action tokens")
    names = ", ".join(sorted({steps.convention.name for _, steps in told}))
    note = (
        f"Convention: {names}. A dimension counts in the steps in which it acts: the arm's in arm mode, the "
        "base's in base mode."
    )
    return Section(
        "tokens", "Action tokens", (_bins(told), _modes(told), _saturation(told), _widths(told)), note
    )


def _bins(told: Told) -> Figure:
    ends = np.linspace(-0.5, BINS - 0.5, _DRAWN + 1)

    def paint(canvas: Canvas) -> None:
        panels = canvas.subplots(5, 2, sharex=True, sharey=True)
        # Column by column: position and rotation on the left, then gripper and base.
        for dimension, axes in enumerate(panels.T.ravel()):
            for one, steps in told:
                used = steps.tokens[steps.used(dimension), dimension]
                counts, _ = np.histogram(used, ends)
                shares = np.maximum(counts / max(len(used), 1), _LEAST)
                axes.stairs(
                    shares, ends, baseline=_LEAST, color=svg_chart.colour(one.index), fill=len(told) == 1,
                    linewidth=1.2,
                )  # fmt: skip
            axes.set_yscale("log")
            axes.set_ylim(_LEAST, 1.3)
            svg_chart.log_axis(axes.yaxis, lambda share: f"{100 * share:g}")
            axes.set_xticks([0, 128, 255])
            axes.set_title(DIMENSIONS[dimension].replace("_", " "))
        canvas.supylabel("share of steps [%], logarithmic", fontsize=9, color=svg_chart.INK)

    return Figure(
        "Bins used",
        svg_chart.draw("token-bins", 430, paint),
        "Histograms of the tokens 0 to 255 of ten dimensions; the table beside has saturation and bins used.",
        note="Neighbouring bins are drawn by fours.",
    )


def _modes(told: Told) -> Figure:
    names = [*(mode.name.lower() for mode in Mode), "idle"]
    shares = [
        [*(float(np.mean(steps.modes == mode)) for mode in Mode), float(steps.idle.mean())]
        for _, steps in told
    ]

    def paint(canvas: Canvas) -> None:
        values = [[100 * share for share in of_run] for of_run in shares]
        svg_chart.bars(canvas.subplots(), names, values, "share of steps [%]")

    rows = [(name, *(percent(of_run[row]) for of_run in shares)) for row, name in enumerate(names)]
    rows.append(("steps", *(str(len(steps.tokens)) for _, steps in told)))
    return Figure(
        "Modes and idle steps",
        svg_chart.draw("token-modes", svg_chart.rows_high(names, len(told)), paint),
        "Share of the steps in each mode, and of those that move nothing.",
        Table(("mode", *(one.label for one, _ in told)), tuple(rows)),
        "Idle: every displacement within half a bin of zero and, in arm mode, the gripper as in the step "
        "before. Idle steps count under their mode as well.",
    )


def _saturation(told: Told) -> Figure:
    rows = []
    for dimension, name in enumerate(DIMENSIONS):
        for one, steps in told:
            used = steps.tokens[steps.used(dimension), dimension]
            most = len(Mode) if dimension == MODE else BINS
            at_ends = (rate(int(np.sum(used == end)), len(used)) for end in (0, most - 1))
            shares = [UNKNOWN] * 2 if dimension == MODE else [percent(share) for share in at_ends]
            bins = f"{len(np.unique(used))} of {most}"
            rows.append((name.replace("_", " "), one.label, str(len(used)), bins, *shares))
    heads = ("dimension", "policy", "steps", "bins used", "at 0", "at 255")
    note = (
        "A gripper has its ends at 0 and 255 by nature; elsewhere they may mean that the policy wanted more "
        "than a bin can say."
    )
    return Figure("Saturation", table=table(told, heads, rows), note=note, whole_width=len(told) > 1)


def _widths(told: Told) -> Figure:
    rows = []
    conventions = {steps.convention.name: steps for _, steps in told}
    for name, steps in sorted(conventions.items()):
        worst = 1.0 if steps.convention.truncate else 0.5
        for dimension, width in enumerate(steps.widths):
            unit = _UNITS.get(DIMENSIONS[dimension], "")
            reach = f"{steps.within_reach[dimension]} of {BINS}" if dimension != GRIPPER else UNKNOWN
            rows.append((
                DIMENSIONS[dimension].replace("_", " "), name, f"{width:.3g} {unit}".strip(),
                f"{worst * width:.2g} {unit}".strip(), reach,
            ))  # fmt: skip
    heads = ("dimension", "convention", "width of a bin", "error at most", "bins within reach")
    note = (
        "What the tokens cost even a perfect policy such as the oracle: the error of an exact action that is "
        "put into its bin. Within reach: bins that one control step can bring about."
    )
    return Figure("Quantisation", table=table(list(conventions), heads, rows), note=note)
