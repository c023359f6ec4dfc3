import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rtbench.core.rotation import (
    DOWN,
    about_z,
    clip_length,
    conjugate,
    difference,
    from_rotation_vector,
    multiply,
    pointing_down,
    rotate,
    to_rotation_vector,
    wrap,
    yaw_of,
)
from tests.helpers.rotations import tilt_of

ONE = np.array([1.0, 0.0, 0.0, 0.0])
number = st.floats(-1, 1)
angle = st.floats(-20, 20)
vector = st.tuples(number, number, number).map(np.array)


@st.composite
def rotation(draw):
    q = np.array(draw(st.tuples(number, number, number, number)))
    length = np.linalg.norm(q)
    assume(length > 1e-3)
    return q / length


@st.composite
def rotation_vector(draw, most=math.pi - 1e-6):
    """Of a length up to `most`, tiny ones included."""
    v = draw(vector)
    length = np.linalg.norm(v)
    assume(length > 1e-3)
    return v / length * draw(st.one_of(st.floats(0, most), st.floats(0, 1e-6)))


def matrix(q):
    return np.array([rotate(q, axis) for axis in np.eye(3)]).T


def same(a, b):
    """Whether two quaternions are the same rotation."""
    return min(np.abs(a - b).max(), np.abs(a + b).max()) < 1e-9


@given(rotation(), rotation(), rotation())
def test_the_product_is_associative(a, b, c):
    assert np.allclose(multiply(multiply(a, b), c), multiply(a, multiply(b, c)), atol=1e-12)


@given(rotation())
def test_one_and_the_inverse(q):
    assert np.allclose(multiply(q, ONE), q)
    assert np.allclose(multiply(ONE, q), q)
    assert np.allclose(multiply(q, conjugate(q)), ONE, atol=1e-12)
    assert np.allclose(multiply(conjugate(q), q), ONE, atol=1e-12)


@given(rotation(), rotation())
def test_the_product_stays_a_unit_quaternion(a, b):
    assert abs(np.linalg.norm(multiply(a, b)) - 1) < 1e-12


@given(rotation(), rotation(), vector)
def test_a_product_turns_first_by_its_right_factor(a, b, v):
    assert np.allclose(rotate(multiply(a, b), v), rotate(a, rotate(b, v)), atol=1e-12)


@given(rotation(), vector, vector)
def test_turning_keeps_lengths_angles_and_handedness(q, u, v):
    assert np.isclose(rotate(q, u) @ rotate(q, v), u @ v, atol=1e-12)
    assert np.allclose(np.cross(rotate(q, u), rotate(q, v)), rotate(q, np.cross(u, v)), atol=1e-12)


def test_turns_go_by_the_right_hand():
    assert np.allclose(rotate(from_rotation_vector([0, 0, math.pi / 2]), [1, 0, 0]), [0, 1, 0])
    assert np.allclose(rotate(from_rotation_vector([math.pi / 2, 0, 0]), [0, 1, 0]), [0, 0, 1])
    assert np.allclose(rotate(from_rotation_vector([0, math.pi / 2, 0]), [0, 0, 1]), [1, 0, 0])


@given(rotation_vector())
def test_a_rotation_vector_comes_back(v):
    assert np.allclose(to_rotation_vector(from_rotation_vector(v)), v, atol=1e-9)


@given(rotation())
def test_a_quaternion_comes_back(q):
    assert same(from_rotation_vector(to_rotation_vector(q)), q)


@given(rotation())
def test_the_shorter_way_round_is_taken(q):
    assert np.linalg.norm(to_rotation_vector(q)) <= math.pi + 1e-12


@given(rotation_vector(most=50.0))
def test_whole_turns_do_not_count(v):
    assume(np.linalg.norm(v) > 1e-3)
    longer = v * (1 + 2 * math.pi / np.linalg.norm(v))
    assert same(from_rotation_vector(v), from_rotation_vector(longer))


@given(rotation(), rotation())
def test_the_difference_turns_one_into_the_other(target, current):
    assert same(multiply(from_rotation_vector(difference(target, current)), current), target)


def test_the_difference_is_in_the_fixed_frame():
    turned = multiply(from_rotation_vector([0.3, 0, 0]), DOWN)
    assert np.allclose(difference(turned, DOWN), [0.3, 0, 0], atol=1e-12)


@given(angle)
def test_about_z(a):
    assert np.allclose(
        matrix(about_z(a)),
        [[math.cos(a), -math.sin(a), 0], [math.sin(a), math.cos(a), 0], [0, 0, 1]],
        atol=1e-9,
    )
    assert abs(wrap(yaw_of(about_z(a)) - a)) < 1e-9


@given(angle)
def test_pointing_down(yaw):
    q = pointing_down(yaw)
    assert np.allclose(rotate(q, [0, 0, 1]), [0, 0, -1], atol=1e-12)
    assert np.allclose(rotate(q, [1, 0, 0]), [math.cos(yaw), math.sin(yaw), 0], atol=1e-9)
    assert np.allclose(rotate(q, [0, 1, 0]), [math.sin(yaw), -math.cos(yaw), 0], atol=1e-9)


@given(angle, st.floats(0, math.pi))
def test_the_tilt_does_not_depend_on_the_heading(yaw, tilt):
    q = multiply(about_z(yaw), from_rotation_vector([tilt, 0, 0]))
    assert abs(tilt_of(q) - tilt) < 1e-6


@given(st.floats(-1e3, 1e3))
def test_wrapping_keeps_the_angle(a):
    wrapped = wrap(a)
    assert -math.pi < wrapped <= math.pi
    assert math.isclose(math.cos(wrapped), math.cos(a), abs_tol=1e-9)
    assert math.isclose(math.sin(wrapped), math.sin(a), abs_tol=1e-9)


@pytest.mark.parametrize("a", [math.pi, -math.pi, 3 * math.pi])
def test_half_a_turn_has_one_name(a):
    assert wrap(a) == pytest.approx(math.pi)


@given(vector, st.floats(1e-3, 2))
def test_clipping_a_length_keeps_the_direction(v, longest):
    clipped = clip_length(v, longest)
    assert np.linalg.norm(clipped) <= longest * (1 + 1e-12)
    assert np.allclose(np.cross(clipped, v), 0, atol=1e-12)
    if np.linalg.norm(v) <= longest:
        assert np.array_equal(clipped, v)
    else:
        assert np.isclose(np.linalg.norm(clipped), longest)
