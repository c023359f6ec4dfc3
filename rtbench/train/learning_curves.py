"""Learning curves: a picture of the metrics of a training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rtbench.core.action import DIMENSIONS
from rtbench.train.metrics_log import MetricsLogError, read

_COLORS = {"training": "#8ab6e8", "validation": "#0b4f9e", "majority": "#8a8a8a", "play": "#c4501b"}
_NAMES = {"training": "batches", "validation": "validation", "majority": "most frequent token"}
_MARKED = 30
"""Points up to which each is marked."""
Rows = Sequence[Mapping[str, str]]


def draw(metrics: Path, picture: Path) -> None:
    """Draw loss, token accuracy over time and by dimension, and success in closed loop.

    Args:
        metrics: The file that `rtbench.train.metrics_log` wrote.
        picture: PNG to write.

    Raises:
        MetricsLogError: it cannot be read, or the picture not be written.
    """
    rows = read(metrics)
    figure = Figure(figsize=(9, 6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    paints: tuple[Callable[[Axes, Rows], None], ...] = (_loss, _accuracy, _dimensions, _success)
    for place, paint in enumerate(paints, 1):
        axes = figure.add_subplot(2, 2, place)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
        axes.set_axisbelow(True)
        paint(axes, rows)
    try:
        figure.savefig(picture)
    except OSError as error:
        raise MetricsLogError(f"{picture}: cannot be written: {error.strerror}.") from None


def _loss(axes: Axes, rows: Rows) -> None:
    _lines(axes, rows, "loss", 1)
    axes.set_title("loss [nats per token]", loc="left", fontsize=10)
    axes.set_xlabel("step")
    _legend(axes)


def _accuracy(axes: Axes, rows: Rows) -> None:
    _lines(axes, rows, "accuracy", 100)
    for row in _of(rows, "majority"):
        axes.axhline(
            100 * float(row["accuracy"]), color=_COLORS["majority"], ls="--", label=_NAMES["majority"]
        )
    axes.set_title("right tokens [%]", loc="left", fontsize=10)
    axes.set_xlabel("step")
    _legend(axes)


def _dimensions(axes: Axes, rows: Rows) -> None:
    last = (_of(rows, "validation") or _of(rows, "training"))[-1:]
    for row in last:
        heights = [100 * float(row[name]) for name in DIMENSIONS]
        axes.bar(range(len(DIMENSIONS)), heights, color=_COLORS["validation"], width=0.7)
    for row in _of(rows, "majority"):
        levels = [100 * float(row[name]) for name in DIMENSIONS]
        axes.plot(
            range(len(DIMENSIONS)), levels, "_", color="#111111", ms=16, mew=2, label=_NAMES["majority"]
        )
    which = "validation" if _of(rows, "validation") else "batches"
    axes.set_xticks(range(len(DIMENSIONS)), DIMENSIONS, rotation=45, ha="right", fontsize=8)
    axes.set_ylim(0, 119)  # room for the legend
    axes.set_yticks(range(0, 101, 20))
    _legend(axes)
    axes.set_title(f"right tokens by dimension, at the end, {which} [%]", loc="left", fontsize=10)


def _success(axes: Axes, rows: Rows) -> None:
    played = [row for row in _of(rows, "play") if row["success"]]
    if not played:
        _speed(axes, rows)
        return
    steps = [int(row["step"]) for row in played]
    axes.plot(steps, [100 * float(row["success"]) for row in played], "o-", color=_COLORS["play"])
    axes.set_ylim(-3, 103)
    axes.set_title(f"episodes that succeed, of {played[-1]['episodes']} [%]", loc="left", fontsize=10)
    axes.set_xlabel("step")


def _speed(axes: Axes, rows: Rows) -> None:
    found = _of(rows, "training")
    steps = [int(row["step"]) for row in found]
    values = [float(row["images_per_s"]) for row in found]
    axes.plot(steps, values, color=_COLORS["training"], marker=_marker(found), ms=3)
    axes.set_ylim(bottom=0)
    axes.set_title("images a second", loc="left", fontsize=10)
    axes.set_xlabel("step")


def _lines(axes: Axes, rows: Rows, column: str, factor: float) -> None:
    for part in ("training", "validation"):
        found = _of(rows, part)
        steps = [int(row["step"]) for row in found]
        values = [factor * float(row[column]) for row in found]
        if found:
            axes.plot(steps, values, color=_COLORS[part], label=_NAMES[part], marker=_marker(found), ms=3)


def _marker(rows: Rows) -> str:
    return "o" if len(rows) <= _MARKED else ""


def _of(rows: Rows, part: str) -> list[Mapping[str, str]]:
    return [row for row in rows if row["part"] == part]


def _legend(axes: Axes) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=8)
