"""Rates of workers, out of records that are made up."""

from types import SimpleNamespace

import pytest

from rtbench.core.errors import Exit
from rtbench.evaluation.scaling import Point, point, recommended
from tests.helpers.commands import rtbench


def record(steps, policy_ms, slots):
    times = SimpleNamespace(env=(9.0,) * steps, policy=(policy_ms,) * steps, slots=(slots,) * steps)
    return SimpleNamespace(times=times)


def test_the_rate_is_that_of_busy_workers():
    records = [record(10, 20.0, 2) for _ in range(6)]
    ends = [100.0, 100.5, 101.0, 101.5, 102.0, 109.0]  # the last one had nobody beside it
    found = point(records, ends, 2, in_workers=False)
    assert found.steps_s == pytest.approx(4 * 10 / 2.0)
    assert found.policy_share == pytest.approx(40 * 0.010 / 2.0)
    assert point(records, ends, 2, in_workers=True).policy_share == pytest.approx(0.1)


def test_the_smallest_number_near_the_best_is_recommended():
    assert recommended([Point(1, 50, 0.1), Point(2, 97, 0.1), Point(4, 100, 0.1), Point(8, 90, 0.1)]) == 2


@pytest.mark.parametrize("text", ["0", "1,x", "1,,2", "1000", "-1"])
def test_numbers_of_workers_are_checked(text):
    done = rtbench("bench", "--workers", text)
    assert done.code == Exit.USAGE
    assert "1,2,4" in done.err
