"""Charts as SVG inside a page: small enough for a phone, in the page's font and colours.

Matplotlib draws with placeholder colours, which are replaced by CSS variables. So a chart follows the page's
light or dark mode. Text stays text.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

WIDTH = 340
"""Width of a chart [px]: that of a phone, so that text is not scaled down there."""
ROW = 17
"""Height [px] of a row in a chart with names at its side."""
INK, FAINT = "#0a0a0a", "#0a0a0c"
"""Placeholder colours of text and of grid lines."""
MARKERS = "osD^vPX*"
GLYPHS = "●■◆▲▼✚✖★"
"""The markers as characters, for legends."""
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


def whiskers(axes: Axes, names: Sequence[str], series: Sequence[Sequence[Point | None]]) -> None:
    """A dot with its interval for each name, the series one below the other; rates in per cent."""
    count = len(series)
    for index, points in enumerate(series):
        found = [(row, point) for row, point in enumerate(points) if point is not None]
        rows = [row + (index - (count - 1) / 2) * 0.7 / count for row, _ in found]
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


def bars(axes: Axes, names: Sequence[str], series: Sequence[Sequence[float]], label: str) -> None:
    """Horizontal bars for each name, the series one below the other.

    `series` has one value for each series and name, a float in the unit of
    `label`.
    """
    thick = 0.75 / len(series)
    for index, values in enumerate(series):
        rows = [row + (index - (len(series) - 1) / 2) * thick for row in range(len(names))]
        axes.barh(rows, values, height=thick * 0.92, color=colour(index))
    axes.set_yticks(range(len(names)), [short(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(label)


def rows_high(names: Sequence[str], series: int, extra: float = 44) -> float:
    """Height [px] of a chart with names at its side."""
    return extra + ROW * len(names) * max(1.0, 0.6 * series)


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
