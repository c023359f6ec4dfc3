"""Quantities with their unit, as typed."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtbench.cli.units import UnitError, duration, points


@pytest.mark.parametrize("text", ["5pp", "5%", "0.05", " 5 pp ", "5.0pp"])
def test_points_are_read_in_each_way_of_writing_them(text):
    assert points(text) == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("text", "value"), [("0pp", 0), ("0", 0), ("100pp", 1), ("100%", 1), ("0.5pp", 0.005)]
)
def test_points_have_ends(text, value):
    assert points(text) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("101pp", "at most 100 points"),
        ("100.1%", "at most 100 points"),
        ("-5pp", "from 0 to 100"),
        ("nan", "from 0 to 100"),
        ("inf", "from 0 to 100"),
        ("1e-2", "from 0 to 100"),
        ("", "from 0 to 100"),
        ("5 points", "from 0 to 100"),
        ("\u0665pp", "from 0 to 100"),
        ("9" * 400 + "pp", "from 0 to 100"),
    ],
)
def test_other_points_are_refused(text, says):
    with pytest.raises(UnitError, match=says):
        points(text)


@pytest.mark.parametrize("text", ["5", "1", "1.0"])
def test_a_bare_number_from_one_on_may_mean_two_things(text):
    with pytest.raises(UnitError, match=f"--flips {text}: has no unit; write {text}pp"):
        points(text, "--flips")


@given(st.integers(0, 100_000))
def test_points_come_back(thousandths):
    assert math.isclose(points(f"{thousandths / 1000:.3f}pp"), thousandths / 100_000)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("15m", 900),
        ("2min", 120),
        ("1h", 3600),
        ("1h30m", 5400),
        ("1h 1m 1s", 3661),
        ("0.5h", 1800),
    ],
)
def test_durations(text, seconds):
    assert duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "15", "m", "-3m", "1.2.3m", "30m1h", "nan", "9" * 400 + "h", "0m", "0h0s"]
)
def test_other_durations_are_refused(text):
    with pytest.raises(UnitError, match="--budget 15m"):
        duration(text)
