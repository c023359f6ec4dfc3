"""Charts as SVG inside a page: small enough for a phone, in the page's font and colours.

Matplotlib draws with placeholder colours, which are replaced by CSS variables. So a chart follows the page's
light or dark mode. Text stays text.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import AutoLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter

WIDTH = 340
"""Width of a chart [px]: that of a phone, so that text is not scaled down there."""
ROW = 17
"""Height [px] of a row in a chart with names at its side."""
_DECADES = 3
"""Most decades of a logarithmic axis with labels between the powers of ten."""
INK, FAINT = "#0a0a0a", "#0a0a0c"
"""Placeholder colours of text and of grid lines."""
MARKERS = "osD^vPX*"
GLYPHS = "●■◆▲▼✚✖★"
"""The markers as characters, for legends."""
_MOST_ROWS = 16
"""Most rows of `ROW` px in a chart of whiskers; more are divided among up to `_PANELS` side by side."""
_PANELS = 3
_LABEL = 22
"""Characters of a name beside a chart; the table under it has the whole name."""

_STYLE = {
    "axes.edgecolor": FAINT, "axes.labelcolor": INK, "axes.spines.right": False, "axes.spines.top": False,
    "axes.titlecolor": INK, "axes.titlesize": 9, "axes.titlelocation": "left", "axes.grid": True,
    "grid.color": FAINT, "grid.alpha": 0.35, "grid.linewidth": 0.6, "axes.axisbelow": True,
    "font.size": 9.5, "font.family": "sans-serif", "text.color": INK, "text.parse_math": False,
    "xtick.color": FAINT, "ytick.color": FAINT, "xtick.labelcolor": INK, "ytick.labelcolor": INK,
    "lines.linewidth": 1.6, "svg.fonttype": "none", "figure.dpi": 72, "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.03, "figure.constrained_layout.w_pad": 0.03,
}  # fmt: skip

Point = tuple[float, float, float]
"""A rate with the low and high ends of its interval, each 0 to 1."""


def colour(index: int) -> str:
    """Placeholder for the colour of a series."""
    return f"#0a0b{index:02x}"


def draw(name: str, height: float, paint: Callable[[Figure], None]) -> Markup:
    """The SVG of what `paint` draws into an empty figure.

    Args:
        name: Name, unique on the page, from which ids inside the SVG are made.
        height: Height [px].
        paint: Makes axes in the figure and draws into them.
    """
    text = io.StringIO()
    with mpl.rc_context(_style(name)), warnings.catch_warnings():
        # Names of content may have letters that Matplotlib's own font lacks; the page's font draws the text.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure = Figure(figsize=(WIDTH / 72, height / 72))
        FigureCanvasSVG(figure)
        paint(figure)
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return Markup(_for_page(text.getvalue()))  # noqa: S704 - Matplotlib escapes text


def whiskers_by_name(
    name: str, names: Sequence[str], series: Sequence[Sequence[Point | None]], paint: Callable[[Axes], None]
) -> Markup:
    """Charts of `whiskers`: one, or of many names several, over the same range of rates.

    Args:
        name: Name, unique on the page.
        names: Names of the rows.
        series: For each series a point or None for each name.
        paint: Draws what else belongs into each chart: limits, label.

    Returns:
        The SVGs, one after the other.
    """
    ends = [100 * value for points in series for point in points if point for value in (0.0, *point)]
    low, high = min(ends, default=0.0), max(ends, default=100.0)
    margin = 0.04 * max(high - low, 1.0)
    drawn = []
    most = max(map(len, _present(series)), default=1)
    for number, part in enumerate(panels(len(names), most)):
        shown = [points[part] for points in series]

        def fill(canvas: Figure, part: slice = part, shown: Sequence[Sequence[Point | None]] = shown) -> None:
            axes = canvas.subplots()
            whiskers(axes, names[part], shown)
            axes.set_xlim(low - margin, high + margin)
            paint(axes)

        height = rows_high(names[part], max(map(len, _present(shown)), default=1))
        drawn.append(draw(f"{name}-{number}", height, fill))
    return Markup("").join(drawn)


def panels(names: int, series: int) -> list[slice]:
    """Names of each chart, about equally many: one chart of a few, up to three of many."""
    charts = min(_PANELS, math.ceil(_rows(names, series) / _MOST_ROWS)) or 1
    size = max(1, math.ceil(names / charts))
    return [slice(first, first + size) for first in range(0, max(names, 1), size)]


def whiskers(axes: Axes, names: Sequence[str], series: Sequence[Sequence[Point | None]]) -> None:
    """A dot with its interval for each name, the series one below the other; rates in per cent.

    A name without a dot says so, because an empty row could as well be a fault.
    """
    present = _present(series)
    for index, points in enumerate(series):
        found = [(row, point) for row, point in enumerate(points) if point is not None]
        rows = [
            row + (present[row].index(index) - (len(present[row]) - 1) / 2) * 0.7 / len(present[row])
            for row, _ in found
        ]
        rates = [100 * point[0] for _, point in found]
        below = [100 * (point[0] - point[1]) for _, point in found]
        above = [100 * (point[2] - point[0]) for _, point in found]
        axes.errorbar(
            rates, rows, xerr=[below, above], fmt=MARKERS[index], color=colour(index), markersize=4.5,
            elinewidth=1.4,
        )  # fmt: skip
    axes.set_yticks(range(len(names)), [short(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("success [%]")
    for row, shown in enumerate(present):
        if not shown:
            _remark(axes, row, "no outcome")


def bars(axes: Axes, names: Sequence[str], series: Sequence[Sequence[float]], label: str) -> None:
    """Horizontal bars for each name, the series one below the other.

    `series` has one value for each series and name, a float in the unit of
    `label`.
    """
    thick = 0.75 / len(series)
    for index, values in enumerate(series):
        rows = [row + (index - (len(series) - 1) / 2) * thick for row in range(len(names))]
        axes.barh(rows, values, height=thick * 0.92, color=colour(index))
    for row, found in enumerate(zip(*series, strict=True)):
        if not any(found):
            _remark(axes, row, "none")
    axes.set_yticks(range(len(names)), [short(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(label)


def count_axis(axis: Axis) -> None:
    """Ticks of an axis of counts: whole numbers alone."""
    axis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10]))


def log_axis(axis: Axis, text: Callable[[float], str]) -> None:
    """Ticks of a logarithmic axis: labels at 1, 2 and 5 of each decade within three, else at decades.

    Matplotlib labels the ticks between them as well where the range is short, with formulas.
    """
    low, high = sorted(axis.get_view_interval())
    decades = math.log10(high / low)
    near = (1.0, 2.0, 5.0) if decades <= _DECADES else (1.0,)
    inside = sum(math.floor(math.log10(high / k)) - math.ceil(math.log10(low / k)) + 1 for k in near)
    # A range of a few per cent has no two of these: the ticks of a plain axis serve there.
    axis.set_major_locator(LogLocator(subs=near) if inside > 1 else AutoLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: text(value)))
    axis.set_minor_formatter(NullFormatter())


def _rows(names: int, series: int) -> float:
    """Rows of `ROW` px that names need in a chart of several series."""
    return names * max(1.0, 0.6 * series)


def _present(series: Sequence[Sequence[Point | None]]) -> list[list[int]]:
    """For each row the series that have a point there."""
    return [
        [index for index, point in enumerate(row) if point is not None] for row in zip(*series, strict=True)
    ]


def _remark(axes: Axes, row: int, text: str) -> None:
    """A word in a row that has nothing to draw."""
    axes.text(0.02, row, text, transform=axes.get_yaxis_transform(), va="center", fontsize=8.5)


def rows_high(names: Sequence[str], series: int, extra: float = 44) -> float:
    """Height [px] of a chart with names at its side."""
    return extra + ROW * _rows(len(names), series)


def short(name: str) -> str:
    """A name cut to what fits beside a chart."""
    return name if len(name) <= _LABEL else name[: _LABEL - 1] + "…"


def _style(salt: str) -> Any:  # Any: its stub names each setting
    return {**_STYLE, "svg.hashsalt": salt}


def _for_page(svg: str) -> str:
    """The SVG element alone, with the page's colours, without ids that are not referred to."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", svg)
    svg = svg.replace(INK, "currentColor").replace(FAINT, "var(--faint)")
    for index in range(len(MARKERS)):
        svg = svg.replace(colour(index), f"var(--s{index})")
    return re.sub(r">\s+<", "><", svg).strip()
