"""Numbers to actions and back, in every unit, form, frame and sign."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtbench.core.action import RTBENCH, Mode
from rtbench.core.errors import ActionError
from rtbench.core.rotation import from_rotation_vector, rotate
from rtbench.policy.continuous.mapping import ActionMapping, End, preset
from rtbench.policy.continuous.presets import PRESETS
from rtbench.policy.continuous.transform import (
    MapperState,
    from_rpy,
    joints_to_hand,
    step,
    to_action,
    to_numbers,
    to_rpy,
)

FRESH = MapperState()
small = st.floats(-1, 1)
vectors = st.tuples(small, small, small).map(np.array)


@st.composite
def proprios(draw):
    seen = np.zeros(15, dtype=np.float32)
    seen[10:14] = from_rotation_vector(np.pi * draw(vectors))
    return seen


@st.composite
def mappings(draw):
    """Any mapping of 7 or 8 numbers, or of 11, without a rule that remembers."""
    opened = draw(st.sampled_from([-1.0, 0.0, 1.0]))
    closed = draw(st.sampled_from([v for v in (-1.0, 0.0, 1.0) if v != opened]))
    parts = draw(st.permutations(["position", "rotation", "gripper"]))
    extra = draw(st.sampled_from([[], ["unused"], ["terminate"], ["base", "mode"]]))
    frames = st.sampled_from(["base", "hand"])
    return ActionMapping.model_validate({
        "layout": [*parts, *extra],
        "position": {"unit": draw(st.sampled_from(["m", "cm", "mm", 0.05])), "frame": draw(frames)},
        "rotation": {
            "form": draw(st.sampled_from(["rpy", "rotation_vector"])),
            "unit": draw(st.sampled_from(["rad", "deg", 0.5])),
            "frame": draw(frames),
        },
        "gripper": {"open": opened, "closed": closed},
    })  # fmt: skip


@st.composite
def actions(draw):
    found = np.zeros(11)
    found[:3], found[3:6] = 0.08 * draw(vectors), 0.5 * draw(vectors)
    found[6] = draw(small)
    return found


@given(mappings(), actions(), proprios())
def test_an_action_survives_the_way_to_numbers_and_back(mapping, action, proprio):
    numbers = to_numbers(action, mapping, proprio)
    assert numbers.shape == (mapping.width,)
    back, limited, _ = to_action(numbers, mapping, proprio, FRESH.gripper)
    np.testing.assert_allclose(back, action, atol=1e-6)
    assert not limited.any()


@given(mappings(), actions(), proprios())
def test_tokens_differ_from_the_direct_ones_by_rounding_only(mapping, action, proprio):
    numbers = to_numbers(action, mapping, proprio)
    mapped = step(numbers, mapping, proprio, FRESH, RTBENCH)
    assert np.abs(mapped.tokens - RTBENCH.encode(action)).max() <= 1


@given(st.lists(st.integers(0, 255), min_size=10, max_size=10), st.integers(0, 2))
def test_the_numbers_of_rt1_give_the_same_tokens(tokens, mode):
    mapping = preset("rt1-11d")
    given_tokens = np.array([*tokens, mode])
    mapped = step(RTBENCH.decode(given_tokens), mapping, np.zeros(15), FRESH, RTBENCH)
    np.testing.assert_array_equal(mapped.tokens, given_tokens)


@given(vectors)
def test_roll_pitch_yaw_survives(angles):
    angles = angles * [3.0, 1.5, 3.0]
    np.testing.assert_allclose(to_rpy(from_rpy(angles)), angles, atol=1e-6)


def test_roll_pitch_yaw_is_about_fixed_axes():
    scipy = pytest.importorskip("scipy.spatial.transform")
    x, y, z, w = scipy.Rotation.from_euler("xyz", [0.3, -0.4, 1.1]).as_quat()
    np.testing.assert_allclose(from_rpy(np.array([0.3, -0.4, 1.1])), [w, x, y, z], atol=1e-12)


def test_the_hands_frame_is_turned_by_its_orientation():
    mapping = ActionMapping.model_validate({"position": {"frame": "hand"}, "rotation": {"frame": "hand"}})
    proprio = np.zeros(15)
    proprio[10:14] = q = from_rotation_vector(np.array([np.pi, 0.0, 0.0]))  # it points down
    numbers = np.array([0.01, 0.02, 0.03, 0.1, 0.2, 0.3, 0.0])
    action, _, _ = to_action(numbers, mapping, proprio, FRESH.gripper)
    np.testing.assert_allclose(action[:3], rotate(q, numbers[:3]))
    np.testing.assert_allclose(action[:6], [0.01, -0.02, -0.03, 0.1, -0.2, -0.3], atol=1e-12)


def test_libero_is_clipped_to_its_controllers_range_and_that_is_counted():
    mapping = preset("libero-7d")
    numbers = np.array([1.0, -0.5, 7.0, 0.0, 0.0, -2.0, 1.0])
    mapped = step(numbers, mapping, np.zeros(15), FRESH, RTBENCH)
    np.testing.assert_allclose(mapped.action[:7], [0.05, -0.025, 0.05, 0, 0, -0.5, 1.0])
    assert list(np.flatnonzero(mapped.limited)) == [2, 5]


def test_what_the_robot_cannot_reach_is_counted_and_what_rounds_to_the_bound_is_not():
    mapping = ActionMapping()
    numbers = np.array([0.5, 0.0796, 0.0, 0.0, 0.0, 0.0, 1.02])
    mapped = step(numbers, mapping, np.zeros(15), FRESH, RTBENCH)
    assert list(np.flatnonzero(mapped.limited)) == [0]
    assert list(mapped.tokens[:2]) == [255, 255]


@given(st.floats(-0.004, 0.004), st.integers(20, 60))
def test_slow_motion_is_not_rounded_away(speed, steps):
    mapping, state, moved = preset("libero-7d"), FRESH, 0.0
    for _ in range(steps):
        numbers = np.array([speed / 0.05, 0, 0, 0, 0, 0, -1.0])
        mapped = step(numbers, mapping, np.zeros(15), state, RTBENCH)
        state, moved = mapped.state, moved + RTBENCH.decode(mapped.tokens)[0]
    assert moved == pytest.approx(speed * steps, abs=0.00032)


def test_what_was_clipped_is_not_made_up_for():
    mapping, state = ActionMapping(), FRESH
    far = np.array([1.0, 0, 0, 0, 0, 0, -1.0])
    for _ in range(5):
        state = step(far, mapping, np.zeros(15), state, RTBENCH).state
    after = step(0 * far, mapping, np.zeros(15), state, RTBENCH)
    assert abs(after.tokens[0] - 128) <= 1


@pytest.mark.parametrize(("rule", "number", "ends"), [
    ({"rule": "terminate"}, 0.6, True), ({"rule": "terminate"}, 0.4, False),
    ({"rule": "terminate", "threshold": 0.7}, 0.6, False), ({"rule": "never"}, 1.0, False),
])  # fmt: skip
def test_a_number_ends_an_episode(rule, number, ends):
    layout = ["position", "rotation", "gripper", "terminate"]
    mapping = ActionMapping.model_validate({"layout": layout, "end": rule})
    mapped = step(np.array([0.0] * 7 + [number]), mapping, np.zeros(15), FRESH, RTBENCH)
    assert bool(mapped.action[10] == Mode.TERMINATE) is ends


def test_holding_still_ends_an_episode_after_its_seconds():
    mapping = ActionMapping(end=End(rule="hold", seconds=2.0), control_hz=5)
    still, moves = np.array([0, 0, 0.001, 0, 0, 0.005, 1.0]), np.array([0, 0, 0.01, 0, 0, 0, 1.0])
    state, modes = FRESH, []
    for numbers in [still] * 9 + [moves] + [still] * 12:
        mapped = step(numbers, mapping, np.zeros(15), state, RTBENCH)
        state = mapped.state
        modes.append(int(mapped.action[10]))
    assert modes.index(Mode.TERMINATE) == 19, "ten still steps of 0.2 s after the motion"


def test_an_opening_gripper_is_not_still():
    mapping = ActionMapping(end=End(rule="hold", seconds=1.0))
    state, modes = FRESH, []
    for step_ in range(6):
        numbers = np.array([0.0] * 6 + [1.0 if step_ % 2 else -1.0])
        mapped = step(numbers, mapping, np.zeros(15), state, RTBENCH)
        state = mapped.state
        modes.append(int(mapped.action[10]))
    assert Mode.TERMINATE not in modes


def test_an_unknown_mode_is_named():
    numbers = np.zeros(11)
    numbers[10] = 0.4
    with pytest.raises(ActionError, match=r"'mode' is 0\.4; allowed: 0 arm"):
        step(numbers, preset("rt1-11d"), np.zeros(15), FRESH, RTBENCH)


def test_joints_move_the_hand_as_the_arm_does():
    from rtbench.env.kinematics import Arm

    arm = Arm()
    turn = np.array([0.1, 0, 0, 0, 0, 0, 0])
    moved = joints_to_hand(arm.rest, turn, arm.forward)
    np.testing.assert_allclose(moved[3:], [0, 0, 0.1], atol=1e-9)  # the first joint is upright
    x, y, _ = arm.forward(arm.rest)[0]
    base, _ = arm.forward(np.zeros(7))
    assert moved[2] == pytest.approx(0, abs=1e-9)
    assert np.hypot(*moved[:2]) == pytest.approx(2 * np.sin(0.05) * np.hypot(x - base[0] + 0.088, y), rel=0.2)
    mapping, proprio = preset("droid-8d"), np.zeros(15)
    proprio[:7] = arm.rest
    numbers = np.array([0.5, 0, 0, 0, 0, 0, 0, 0.9])
    mapped = step(numbers, mapping, proprio, FRESH, RTBENCH, arm.forward)
    np.testing.assert_allclose(mapped.action[:6], moved, atol=1e-6)
    assert mapped.action[6] == 1.0
    numbers[0] = 5.0
    assert step(numbers, mapping, proprio, FRESH, RTBENCH, arm.forward).limited[:6].all()


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_mappings(name):
    mapping = preset(name)
    assert mapping.preset == name
    assert mapping.width == {"rt1": 11, "droid": 8}.get(name.split("-")[0], 7)
    assert str(mapping.width) in name
