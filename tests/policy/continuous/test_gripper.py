"""The two sticky rules are those of their projects, and relative grippers stay within their range."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtbench.policy.continuous.gripper import GripperState, command
from rtbench.policy.continuous.mapping import Gripper, Sticky, preset


def play(rule, numbers):
    state, found = GripperState(), []
    for number in numbers:
        closedness, state = command(rule, number, state)
        found.append(closedness)
    return found


def _reference(numbers, rule, repeat=15):
    """Both rules as they stand in SIMPLER's octo_model.py and vla-eval's benchmark, over openness numbers."""
    on, sticky, count, previous, sent = False, 0.0, 0, None, []
    for openness in numbers:
        if rule == "on_change":
            value = 0.0 if previous is None else previous - openness
            previous = openness
        else:
            value = -(openness * 2 - 1)
        if abs(value) > 0.5 and not on:
            on, sticky = True, value
        if on:
            count += 1
            value = sticky
        if count == repeat:
            on, count, sticky = False, 0, 0.0
        sent.append(value)
    return sent


@given(st.sampled_from(["on_change", "on_level"]), st.lists(st.floats(0, 1), max_size=50), st.integers(1, 15))
def test_sticky_rules_send_what_their_projects_send(name, numbers, repeat):
    rule = Gripper(open=1.0, closed=0.0, sticky=Sticky(rule=name, actions=repeat))
    expected, closedness = [], -1.0
    for value in _reference(numbers, name, repeat):
        closedness = min(1.0, max(-1.0, closedness + 2 * value))
        expected.append(closedness)
    assert play(rule, numbers) == pytest.approx(expected, abs=1e-9)


def test_the_two_rules_differ_where_a_gripper_is_closed_from_the_start():
    numbers = [0.0] * 4  # closed throughout: nothing changes, but the level is low
    rules = {
        name: Gripper(open=1.0, closed=0.0, sticky=Sticky(rule=name)) for name in ("on_change", "on_level")
    }
    assert play(rules["on_change"], numbers) == [-1.0] * 4
    assert play(rules["on_level"], numbers) == [1.0] * 4


def test_a_closing_that_has_begun_is_held_against_an_opening():
    rule = Gripper(open=1.0, closed=0.0, sticky=Sticky(rule="on_change", actions=3))
    assert play(rule, [1, 0, 1, 1, 1, 0.9]) == pytest.approx([-1, 1, 1, 1, 1, 1])


@pytest.mark.parametrize(("opened", "closed", "threshold", "number", "expected"), [
    (1.0, 0.0, 0.5, 0.51, -1.0), (1.0, 0.0, 0.5, 0.5, 1.0), (0.0, 1.0, 0.5, 0.51, 1.0),
    (-1.0, 1.0, None, 0.5, 0.5), (1.0, -1.0, None, 0.5, -0.5), (0.0, 1.0, None, 0.25, -0.5),
])  # fmt: skip
def test_signs_ranges_and_thresholds(opened, closed, threshold, number, expected):
    rule = Gripper(open=opened, closed=closed, threshold=threshold)
    assert play(rule, [number]) == [expected]


@given(st.lists(st.floats(-2, 2), max_size=30))
def test_a_relative_gripper_stays_in_its_range_and_moves_by_what_it_is_told(numbers):
    rule = Gripper(open=0.0, closed=1.0, kind="relative")
    found = play(rule, numbers)
    before = [-1.0, *found]
    for last, now, number in zip(before, found, numbers, strict=False):
        assert -1.0 <= now <= 1.0
        assert now == pytest.approx(min(1.0, max(-1.0, last + 2 * number)))


@pytest.mark.parametrize(
    ("name", "sent"),
    [("simpler-7d", [0.0, 0.0, 1.0, 1.0, 1.0]), ("simpler-level-7d", [-1.0, -1.0, -1.0, -1.0, -1.0])],
)
def test_under_simplers_controller_the_change_itself_is_sent(name, sent):
    rule, state, found = preset(name).gripper, GripperState(), []
    for openness in (1.0, 1.0, 0.0, 0.0, 0.0):
        told, state = command(rule, openness, state)
        found.append(told)
    assert found == pytest.approx(sent)
