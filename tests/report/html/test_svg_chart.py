"""Charts: ticks that can be read, rows that say why they are empty, panels of many names."""

import re

import numpy as np
import pytest

from rtbench.report.html import svg_chart


def ticks(paint):
    """Texts in the order of the SVG."""
    drawn = svg_chart.draw("made-up", 180, lambda canvas: paint(canvas.subplots()))
    return re.findall(r"<text[^>]*>([^<]*)</text>", drawn)


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (3.2, 8.5, {"5"}),
        (1.3, 480, {"2", "5", "10", "20", "50", "100", "200"}),
        (0.1, 900, {"1", "10", "100"}),
        (310, 330, {"310", "320", "330"}),
    ],
)
def test_a_logarithmic_axis_has_plain_numbers_at_any_range(low, high, texts):
    def paint(axes):
        axes.set_xscale("log")
        axes.set_xlim(low, high)
        axes.set_yticks([])
        svg_chart.log_axis(axes.xaxis, lambda ms: f"{ms:g}")

    found = ticks(paint)
    assert texts <= set(found)
    assert all(re.fullmatch(r"[\d.]+", text) for text in found if text)
    shown = [float(text) for text in found if text]
    assert len(shown) == len(set(shown)) >= 2
    assert len(shown) <= 10


@pytest.mark.parametrize("most", [1, 2, 3, 7, 140])
def test_counts_are_whole_numbers(most):
    def paint(axes):
        svg_chart.bars(axes, ["near"], [[float(most)]], "times")
        svg_chart.count_axis(axes.xaxis)

    assert not any("." in text for text in ticks(paint))


def test_a_row_with_nothing_to_draw_says_so():
    point = (0.5, 0.2, 0.8)
    series = [[None, point, None], [None, None, point]]
    assert ticks(lambda axes: svg_chart.whiskers(axes, "abc", series)).count("no outcome") == 1
    assert ticks(lambda axes: svg_chart.bars(axes, "ab", [[0.0, 1.0], [0.0, 0.0]], "")).count("none") == 1


@pytest.mark.parametrize(
    ("names", "series", "sizes"),
    [
        (0, 1, [0]),
        (1, 1, [1]),
        (16, 1, [16]),
        (20, 1, [10, 10]),
        (45, 1, [15, 15, 15]),
        (9, 4, [5, 4]),
        (90, 8, [30] * 3),
    ],
)
def test_many_names_are_divided_among_charts(names, series, sizes):
    found = [len(range(names)[part]) for part in svg_chart.panels(names, series)]
    assert found == sizes


def test_panels_share_their_range():
    names = [f"axis {k}" for k in range(20)]
    points = [[(k / 20, max(0, k / 20 - 0.1), min(1, k / 20 + 0.1)) for k in range(20)]]
    limits = []
    drawn = svg_chart.whiskers_by_name("x", names, points, lambda axes: limits.append(axes.get_xlim()))
    assert drawn.count("<svg") == len(limits) == 2
    assert np.ptp(limits, axis=0).max() == 0
    assert limits[0][0] < 0
    assert limits[0][1] > 100
