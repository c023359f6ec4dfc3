"""Correlations from sums are those of the steps themselves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtbench.core.action import GRIPPER, Mode
from rtbench.evaluation.conformance.alignment import Alignment, pearson_of_sums


def made(seed=0, episodes=6, noise=0.0):
    rng = np.random.default_rng(seed)
    right = []
    for _ in range(episodes):
        rows = rng.uniform(-0.05, 0.05, (12, 11))
        rows[:, 10] = Mode.ARM
        right.append(rows)
    given_rows = [rows + noise * rng.normal(size=rows.shape) for rows in right]
    return Alignment(tuple(given_rows), tuple(right))


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), min_size=3, max_size=30))
def test_a_correlation_from_sums(pairs):
    a, b = np.array(pairs).T
    if np.ptp(a) < 1e-2 or np.ptp(b) < 1e-2:
        return
    sums = np.array([[len(a), a.sum(), b.sum(), a @ a, b @ b, a @ b]])
    assert pearson_of_sums(sums)[0] == pytest.approx(np.corrcoef(a, b)[0, 1], abs=1e-6)


def test_of_constant_numbers_it_is_zero():
    a = np.full(9, 0.1)
    assert pearson_of_sums(np.array([[9, a.sum(), 3.0, a @ a, 2.0, 0.3]]))[0] == 0.0


def test_the_interval_holds_the_value_and_narrows_with_agreement():
    rough, exact = made(noise=0.05).correlation(0, 0), made().correlation(0, 0)
    assert rough.low < rough.value < rough.high
    assert exact.low == pytest.approx(1.0)
    assert rough.high - rough.low > 0.1


def test_agreement_does_not_mind_signs_and_axes():
    found = made()
    turned = [rows.copy() for rows in found.given]
    for rows in turned:
        rows[:, [0, 1]] = -rows[:, [1, 0]]
        rows[:, GRIPPER] *= -1
    assert Alignment(tuple(turned), found.right).agreement() == pytest.approx(1.0)
    assert made(noise=1.0).agreement() < 0.5


@pytest.mark.parametrize("lag", [-2, -1, 1, 2])
def test_a_shift_in_time_is_found(lag):
    found = made()
    shifted = tuple(np.roll(rows, -lag, axis=0) for rows in found.right)
    gains = {k: Alignment(shifted, found.right).lagged(k) for k in (-2, -1, 1, 2)}
    assert max(gains, key=lambda k: gains[k].value) == lag
    assert gains[lag].low > 0.3


def test_no_episode_decides_nothing():
    assert Alignment((), ()).correlation(0, 0).value == 0.0
