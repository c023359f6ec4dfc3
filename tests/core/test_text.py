"""Numbers as people read them."""

import pytest

from rtbench.core.text import three_figures


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.50162, "0.502"), (17.44, "17.4"), (174.2, "174"), (999.4, "999"), (999.6, "1000"),
     (1071.3, "1071"), (-1234567.0, "-1234567")],
)  # fmt: skip
def test_three_figures_are_never_a_power_of_ten(value, text):
    assert three_figures(value) == text
