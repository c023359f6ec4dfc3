import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtbench.core.episode import DEFAULT_ROBOT
from rtbench.core.rotation import difference, pointing_down
from rtbench.env.kinematics import Arm
from rtbench.task.library import BUNDLED
from tests.helpers.rotations import tilt_of

ARM_AXIS = np.array([0.2, 0.0])
"""x, y of the arm's first joint in the base frame [m]."""


@pytest.fixture(scope="module")
def arm():
    return Arm()


@st.composite
def places(draw, near=0.45, far=0.72):
    """Gripper positions over the workspace, base frame [m]."""
    distance, bearing = draw(st.floats(near, far)), math.radians(draw(st.floats(-35, 35)))
    return np.array([
        ARM_AXIS[0] + distance * math.cos(bearing), distance * math.sin(bearing), draw(st.floats(0.88, 1.12))
    ])  # fmt: skip


headings = st.floats(-1.4, 1.4)
anywhere = st.tuples(*[st.floats(-3, 3)] * 3).map(np.array)


def test_at_rest_the_hand_points_down_straight_ahead(arm):
    position, quaternion = arm.forward(arm.rest)
    assert abs(position[1]) < 1e-3
    assert position[0] > ARM_AXIS[0] + 0.2
    assert tilt_of(quaternion) > math.pi - 0.01
    assert np.linalg.norm(difference(quaternion, pointing_down(0.0))) < 0.01


def test_the_resting_angles_are_within_the_limits(arm):
    assert arm.rest.tolist() == list(BUNDLED.robot(DEFAULT_ROBOT).arm.home)
    assert np.all((arm.rest > arm.limits[:, 0] + 0.05) & (arm.rest < arm.limits[:, 1] - 0.05))


@settings(max_examples=40)
@given(place=places(), yaw=headings)
def test_the_solution_reaches_its_target(arm, place, yaw):
    target = pointing_down(yaw)
    solution = arm.solve(arm.rest, place, target, iterations=80)
    position, quaternion = arm.forward(solution.angles)
    assert np.linalg.norm(position - place) < 1e-3
    assert np.linalg.norm(difference(target, quaternion)) < 0.01


@settings(max_examples=25)
@given(start=places(), goal=places(), yaw=headings)
def test_it_follows_a_straight_line_in_small_steps(arm, start, goal, yaw):
    """As the controller does: two iterations a tick, 24 ticks a second, never far behind."""
    angles = arm.solve(arm.rest, start, pointing_down(yaw), iterations=80).angles
    ticks = max(8, int(np.linalg.norm(goal - start) / 0.01))
    for share in np.linspace(0, 1, ticks + 1):
        solution = arm.solve(angles, start + share * (goal - start), pointing_down(yaw), iterations=2)
        assert solution.position_error < 0.005
        assert np.abs(solution.angles - angles).max() < 0.5
        angles = solution.angles
    assert solution.position_error < 1e-3


@settings(max_examples=40)
@given(place=anywhere, yaw=st.floats(-4, 4), iterations=st.integers(1, 25))
def test_no_joint_passes_its_limits_whatever_is_asked(arm, place, yaw, iterations):
    angles = arm.solve(arm.rest, place, pointing_down(yaw), iterations=iterations).angles
    assert np.isfinite(angles).all()
    assert np.all((angles >= arm.limits[:, 0]) & (angles <= arm.limits[:, 1]))


@settings(max_examples=25)
@given(place=anywhere, yaw=headings)
def test_the_errors_told_are_the_errors_there_are(arm, place, yaw):
    target = pointing_down(yaw)
    solution = arm.solve(arm.rest, place, target)
    position, quaternion = arm.forward(solution.angles)
    assert solution.position_error == pytest.approx(np.linalg.norm(position - place))
    assert solution.rotation_error == pytest.approx(np.linalg.norm(difference(target, quaternion)))


@pytest.mark.parametrize("far", [[1.6, 0.0, 1.0], [0.2, -1.5, 0.9], [0.5, 0.0, 2.5]])
def test_what_is_out_of_reach_is_told_by_its_error(arm, far):
    solution = arm.solve(arm.rest, np.array(far), pointing_down(0.0), iterations=60)
    reached, _ = arm.forward(solution.angles)
    assert solution.position_error > 0.3
    # It still stretches towards it.
    start, _ = arm.forward(arm.rest)
    assert np.linalg.norm(reached - far) < np.linalg.norm(start - far)


def test_the_answer_depends_on_the_question_alone(arm):
    goal, quaternion = np.array([0.8, 0.1, 0.95]), pointing_down(0.4)
    first = arm.solve(arm.rest, goal, quaternion)
    arm.solve(arm.rest, np.array([0.6, -0.3, 1.1]), pointing_down(-1.0))
    arm.forward(np.zeros(7))
    assert np.array_equal(arm.solve(arm.rest, goal, quaternion).angles, first.angles)
    assert np.array_equal(Arm().solve(arm.rest, goal, quaternion).angles, first.angles)


def test_solving_does_not_change_its_arguments(arm):
    angles, place = arm.rest.copy(), np.array([0.8, 0.0, 0.95])
    arm.solve(angles, place, pointing_down(0.0))
    assert np.array_equal(angles, arm.rest)
    assert place.tolist() == [0.8, 0.0, 0.95]
