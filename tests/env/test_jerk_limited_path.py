"""The path of joint angles: its bounds, its end, and what it does with a target that comes on the way."""

import numpy as np
import pytest

from rtbench.env.jerk_limited_path import JerkLimitedPath

SPEED, ACCELERATION, JERK, STEP = 1.5, 2.0, 50.0, 1 / 240


def path():
    return JerkLimitedPath(np.zeros(1), np.array([SPEED]), np.array([ACCELERATION]), JERK)


def moved(places):
    speed = np.diff(places, prepend=0) / STEP
    acceleration = np.diff(speed, prepend=0) / STEP
    return speed, acceleration, np.diff(acceleration, prepend=0) / STEP


@pytest.mark.parametrize("far", [0.01, 0.05, 0.2, -1.0, 3.0])
def test_it_arrives_within_its_bounds_and_does_not_overshoot(far):
    places = path().ahead(np.array([far]), 1200, STEP)[:, 0]
    bounds = (SPEED, ACCELERATION, JERK)
    for change, most in zip(moved(places), bounds, strict=True):
        assert np.abs(change).max() <= most * 1.001
    assert places[-1] == pytest.approx(far, abs=1e-4)
    assert (places / far).max() < 1.002


@pytest.mark.parametrize("far", [0.2, 1.0])
def test_it_takes_little_longer_than_the_shortest_time_without_a_bound_of_jerk(far):
    places = path().ahead(np.array([far]), 1200, STEP)[:, 0]
    arrived = np.argmax(np.abs(places - far) < 0.01 * far) * STEP
    assert arrived < 2 * np.sqrt(far / ACCELERATION) + 2 * ACCELERATION / JERK


def test_a_new_target_is_taken_up_with_the_speed_that_there_is():
    two, one = path(), path()
    parts = [two.ahead(np.array([far]), 80, STEP) for far in (1.0, 1.2, 0.3)]
    places = np.concatenate(parts)[:, 0]
    assert moved(places)[0][80] > 0.3, "it does not stop between actions"
    for change, most in zip(moved(places), (SPEED, ACCELERATION, JERK), strict=True):
        assert np.abs(change).max() <= most * 1.001
    assert (one.ahead(np.array([1.0]), 80, STEP)[:, 0] == places[:80]).all(), "bit for bit"


def test_each_joint_moves_by_itself():
    both = JerkLimitedPath(np.zeros(2), np.array([SPEED, 1.0]), np.array([ACCELERATION, 7.0]), JERK)
    places = both.ahead(np.array([0.2, 0.0]), 80, STEP)
    assert (places[:, 0] == path().ahead(np.array([0.2]), 80, STEP)[:, 0]).all()
    assert not places[:, 1].any()
