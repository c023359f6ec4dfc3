import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rtbench.core.action import (
    BASE_SLICE,
    BINS,
    CONVENTIONS,
    DIMENSIONS,
    GRIPPER,
    MODE,
    REACH_HIGH,
    REACH_LOW,
    RT1,
    RT1_REFERENCE,
    RTBENCH,
    SIZE,
    Mode,
    check_action,
    clip_action,
    convention,
    idle,
)
from rtbench.core.errors import ActionError, UnknownNameError

each_convention = pytest.mark.parametrize("spec", CONVENTIONS.values(), ids=lambda c: c.name)
modes = st.sampled_from([0.0, 1.0, 2.0])


def shares(size=MODE):
    """Places within the bounds, 0 to 1 each."""
    return hnp.arrays(np.float64, size, elements=st.floats(0, 1))


def within(spec, share, mode):
    low, high = np.array(spec.low), np.array(spec.high)
    return np.append(low + share * (high - low), mode)


def width(spec):
    return (np.array(spec.high) - np.array(spec.low)) / (BINS - 1)


@st.composite
def tokens(draw, spec):
    return np.array([draw(st.integers(0, int(n) - 1)) for n in spec.tokens_per_dimension])


@each_convention
@given(data=st.data())
def test_decoding_then_encoding_gives_the_tokens_back(spec, data):
    given_tokens = data.draw(tokens(spec))
    assert np.array_equal(spec.encode(spec.decode(given_tokens)), given_tokens)


@each_convention
@given(share=shares(), mode=modes)
def test_a_token_is_off_by_half_a_bin_at_most(spec, share, mode):
    action = within(spec, share, mode)
    off = spec.decode(spec.encode(action)) - action
    most = width(spec) * (1.0 if spec.truncate else 0.5)
    assert np.all(np.abs(off[:MODE]) <= most * (1 + 1e-6))
    assert off[MODE] == 0


@each_convention
@given(share=shares(), mode=modes)
def test_encoding_is_idempotent(spec, share, mode):
    once = spec.encode(within(spec, share, mode))
    assert np.array_equal(spec.encode(spec.decode(once)), once)


@each_convention
@given(action=hnp.arrays(np.float64, MODE, elements=st.floats(-1e12, 1e12)), mode=modes)
def test_out_of_bounds_goes_to_the_nearest_bound(spec, action, mode):
    found = spec.decode(spec.encode(np.append(action, mode)))
    inside = np.clip(action, spec.low, spec.high)
    assert np.all(np.abs(found[:MODE] - inside) <= width(spec) * (1 + 1e-6))


@each_convention
def test_the_bounds_are_the_first_and_the_last_token(spec):
    for bound, token in ((spec.low, 0), (spec.high, BINS - 1)):
        encoded = spec.encode([*bound, 0.0])
        assert all(t == token for t, d in zip(encoded, spec.order, strict=True) if d != MODE)
        assert np.allclose(spec.decode(encoded)[:MODE], bound, atol=1e-12)


@each_convention
def test_every_position_carries_one_dimension(spec):
    assert sorted(spec.order) == list(range(SIZE))
    assert sorted(spec.modes) == list(Mode)
    assert spec.tokens_per_dimension.tolist() == [3 if d == MODE else BINS for d in spec.order]


def test_token_128_is_exactly_zero_for_signed_dimensions():
    action = RTBENCH.decode([128] * MODE + [0])
    assert not action[:GRIPPER].any()
    assert not action[BASE_SLICE].any()


@given(mode=modes)
def test_an_idle_action_stays_exactly_idle(mode):
    action = idle()
    action[MODE] = mode
    assert np.array_equal(RTBENCH.decode(RTBENCH.encode(action)), action)


def test_idle_holds_still_with_an_open_gripper():
    assert idle().tolist() == [0, 0, 0, 0, 0, 0, -1, 0, 0, 0, 0]


def test_the_rtbench_convention_is_in_the_order_of_the_dimensions():
    assert RTBENCH.order == tuple(range(SIZE))
    assert RTBENCH.modes == (Mode.ARM, Mode.BASE, Mode.TERMINATE)


@pytest.mark.parametrize("spec", [RT1, RT1_REFERENCE], ids=lambda c: c.name)
def test_rt1_has_the_token_order_of_its_checkpoints(spec):
    """terminate_episode, world_vector, rotation_delta, gripper, base rotation, base displacement."""
    names = [DIMENSIONS[d] for d in spec.order]
    assert names == [
        "mode", "x", "y", "z", "roll", "pitch", "yaw", "gripper", "base_yaw", "base_x", "base_y",
    ]  # fmt: skip


@pytest.mark.parametrize(("mode", "token"), [(Mode.TERMINATE, 0), (Mode.ARM, 1), (Mode.BASE, 2)])
def test_rt1_numbers_its_modes_in_its_own_way(mode, token):
    action = idle()
    action[MODE] = mode
    assert RT1.encode(action)[0] == token
    assert RT1.decode(RT1.encode(action))[MODE] == mode


def test_rt1_bounds_are_the_published_ones():
    half, whole = math.pi / 2, math.pi
    assert RT1.high == (1, 1, 1, half, half, half, 1, 1, 1, whole)
    assert RT1.low == tuple(-h for h in RT1.high)


@given(share=shares(), mode=modes)
def test_the_reference_truncates_as_published(share, mode):
    """tokenize_action: int((clipped - low) / (high - low) * (vocabulary - 1))."""
    action = within(RT1_REFERENCE, share, mode)
    low, high = np.array(RT1_REFERENCE.low), np.array(RT1_REFERENCE.high)
    scaled = (np.clip(action[:MODE], low, high) - low) / (high - low) * (BINS - 1)
    published = scaled.astype(np.int64)
    # At a bin's very edge the last bit of a float decides; both answers are then right.
    edge = np.abs(scaled - np.round(scaled)) < 1e-6
    found = np.empty(SIZE, dtype=np.int64)
    found[list(RT1_REFERENCE.order)] = RT1_REFERENCE.encode(action)
    assert np.array_equal(found[:MODE][~edge], published[~edge])
    assert np.all(np.abs(found[:MODE] - published) <= edge)


def test_rounding_and_truncating_differ_where_they_should():
    action = np.zeros(SIZE)
    action[0] = 0.9 / (BINS - 1)  # 127.95 bins above the lower bound
    assert RT1.encode(action)[1] == 128
    assert RT1_REFERENCE.encode(action)[1] == 127


@pytest.mark.parametrize(
    ("mode", "used"), [(Mode.ARM, range(7)), (Mode.BASE, range(7, 10)), (Mode.TERMINATE, ())]
)
def test_only_dimensions_that_the_mode_uses_count_as_clipped(mode, used):
    for dimension in range(MODE):
        action = idle()
        action[dimension], action[MODE] = 9.0, mode
        clipped, count = clip_action(action)
        assert count == (dimension in used), DIMENSIONS[dimension]
        assert clipped[dimension] == REACH_HIGH[dimension]


@given(share=shares(), mode=modes)
def test_what_our_tokens_can_say_is_never_clipped(share, mode):
    _, count = clip_action(RTBENCH.decode(RTBENCH.encode(within(RTBENCH, share, mode))))
    assert count == 0


@given(action=hnp.arrays(np.float64, MODE, elements=st.floats(-10, 10)), mode=modes)
def test_clipping_keeps_what_one_step_can_do(action, mode):
    clipped, _ = clip_action(np.append(action, mode))
    assert np.all((clipped[:MODE] >= REACH_LOW) & (clipped[:MODE] <= REACH_HIGH))
    free = (action >= REACH_LOW) & (action <= REACH_HIGH)
    assert np.array_equal(clipped[:MODE][free], action[free])
    assert clipped[MODE] == mode


def test_clipping_does_not_change_its_argument():
    action = np.full(SIZE, 5.0)
    action[MODE] = 0
    clip_action(action)
    assert action[0] == 5.0


@pytest.mark.parametrize("dimension", range(SIZE), ids=DIMENSIONS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused_by_name(dimension, value):
    action = idle()
    action[dimension] = value
    for call in (check_action, clip_action, RTBENCH.encode, RT1.encode):
        with pytest.raises(ActionError, match=f"'{DIMENSIONS[dimension]}'"):
            call(action)


@pytest.mark.parametrize("mode", [3, -1, 0.5, 1e9])
def test_an_unknown_mode_is_refused(mode):
    action = idle()
    action[MODE] = mode
    with pytest.raises(ActionError, match=r"'mode'.*0 arm, 1 base, 2 terminate"):
        RTBENCH.encode(action)


@pytest.mark.parametrize(
    "bad", [np.zeros(10), np.zeros(12), np.zeros((1, 11)), 0.0, []], ids=lambda b: str(np.shape(b))
)
def test_a_wrong_shape_is_refused(bad):
    with pytest.raises(ActionError, match="shape"):
        RTBENCH.encode(bad)
    with pytest.raises(ActionError, match="shape"):
        RTBENCH.decode(bad)


@pytest.mark.parametrize(
    "bad",
    [["a"] * SIZE, [[1], *[1, 2] * 5], np.zeros(SIZE, dtype=complex), [{}] * SIZE, None],
    ids=["text", "ragged", "complex", "objects", "none"],
)
def test_what_is_no_array_of_numbers_is_refused(bad):
    with pytest.raises(ActionError, match=r"(dtype|ragged).*expected (11 )?numbers: x, y, z"):
        RTBENCH.encode(bad)
    with pytest.raises(ActionError, match="expected"):
        RTBENCH.decode(bad)


@each_convention
@given(data=st.data())
def test_a_token_that_does_not_exist_is_refused_by_name(spec, data):
    position = data.draw(st.integers(0, SIZE - 1))
    count = int(spec.tokens_per_dimension[position])
    bad = np.zeros(SIZE, dtype=np.int64)
    bad[position] = data.draw(st.one_of(st.integers(count, 2**62), st.integers(-(2**62), -1)))
    with pytest.raises(ActionError, match=f"{position} .{DIMENSIONS[spec.order[position]]}.*{count - 1}"):
        spec.decode(bad)


@pytest.mark.parametrize("value", [0.5, math.nan, math.inf])
def test_a_token_that_is_no_whole_number_is_refused_by_name(value):
    bad = np.zeros(SIZE)
    bad[4] = value
    with pytest.raises(ActionError, match="pitch"):
        RTBENCH.decode(bad)


def test_truth_values_are_no_tokens():
    with pytest.raises(ActionError, match="bool"):
        RTBENCH.decode(np.zeros(SIZE, dtype=bool))


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int32, np.uint64, np.float32])
def test_whole_numbers_of_any_kind_are_tokens(kind):
    found = RTBENCH.check_tokens(np.arange(SIZE).astype(kind).clip(0, 2))
    assert found.dtype == np.int64
    assert found.tolist() == [0, 1, *[2] * 9]


def test_conventions_are_found_by_name():
    assert convention("rt1") is RT1
    with pytest.raises(UnknownNameError, match="'rtbench'"):
        convention("rtbensh")
