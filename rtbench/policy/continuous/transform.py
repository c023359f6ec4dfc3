"""From a policy's numbers to rtbench's action and tokens, and back. Pure functions: no files, no clock.

An action is float64[11] as in `rtbench.core.action`: displacement x, y, z [m] and rotation vector roll,
pitch, yaw [rad] in the base frame, gripper (-1 open, +1 closed), the base's x, y [m] and yaw [rad], and the
mode.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rtbench.core.action import (
    ARM_SLICE,
    BASE_SLICE,
    BINS,
    GRIPPER,
    MODE,
    REACH_HIGH,
    REACH_LOW,
    RTBENCH,
    SIZE,
    Convention,
    Mode,
)  # fmt: skip
from rtbench.core.errors import ActionError
from rtbench.core.rotation import (
    conjugate,
    difference,
    from_rotation_vector,
    multiply,
    rotate,
    to_rotation_vector,
)
from rtbench.core.vector import length
from rtbench.policy.continuous.clipping import used_dimensions
from rtbench.policy.continuous.gripper import GripperState, command
from rtbench.policy.continuous.mapping import ActionMapping

Array = NDArray[np.float64]
Forward = Callable[[Array], tuple[Array, Array]]
"""Position float64[3] [m] and quaternion float64[4] (wxyz) of the hand, base frame, of joint angles
float64[7]."""

ANGLES, ORIENTATION = slice(0, 7), slice(10, 14)
"""Where joint angles [rad] and the hand's quaternion (wxyz, base frame) stand in proprioception float[15]."""
_SLACK = (REACH_HIGH - REACH_LOW) / (BINS - 1) / 2
_SLACK[GRIPPER] = 0.2
"""A number beyond its bounds by no more is not counted as clipped: half a bin, as it is encoded to the last
bin anyway; for the gripper a tenth of its range, by which models overshoot 0 and 1 all the time."""


@dataclass(frozen=True)
class MapperState:
    """What a mapping remembers of an episode."""

    gripper: GripperState = field(default_factory=GripperState)
    """Of the gripper's rule."""
    rest: Array = field(default_factory=lambda: np.zeros(6))
    """What rounding to tokens has cut off so far, float64[6] [m, rad]; it is added to the next action."""
    still: int = 0
    """Actions in a row that held still."""


@dataclass(frozen=True)
class Mapped:
    """What came of one action's numbers."""

    action: Array
    """float64[11] before clipping to what the robot can do in a step."""
    limited: NDArray[np.bool_]
    """bool[10]: dimensions that were clipped, by the mapping's limit or by the robot's reach."""
    tokens: NDArray[np.int64]
    """int64[11], in the order of the convention."""
    state: MapperState
    """Afterwards."""


def to_action(
    numbers: Array, mapping: ActionMapping, proprio: NDArray[np.floating], state: GripperState,
    forward: Forward | None = None,
) -> tuple[Array, NDArray[np.bool_], GripperState]:  # fmt: skip
    """The action float64[11] of a policy's numbers, without what ends an episode.

    Args:
        numbers: float64[D], in the units of the mapping, un-normalised.
        mapping: What they mean; complete.
        proprio: float[15], see `rtbench.core.episode.Observation`.
        state: Of the gripper's rule.
        forward: The arm's kinematics, for a layout with joints.

    Returns:
        The action, bool[10] of the dimensions beyond the mapping's limits, and the gripper's state.
    """
    parts = mapping.slices
    action, limited = np.zeros(SIZE), np.zeros(MODE, dtype=bool)
    hand = np.asarray(proprio, dtype=np.float64)[ORIENTATION]
    if "position" in parts:
        given, limited[:3] = _within(numbers[parts["position"]], mapping.position.limit)
        move = given * mapping.position.metres
        action[:3] = rotate(hand, move) if mapping.position.frame == "hand" else move
    if "rotation" in parts:
        given, limited[3:6] = _within(numbers[parts["rotation"]], mapping.rotation.limit)
        turn = given * mapping.rotation.radians
        if mapping.rotation.form == "rpy":
            turn = to_rotation_vector(from_rpy(turn))
        action[3:6] = rotate(hand, turn) if mapping.rotation.frame == "hand" else turn
    if "joints" in parts:
        if forward is None:
            raise ActionError("a layout with joints needs the arm's kinematics.")
        given, beyond = _within(numbers[parts["joints"]], mapping.joints.limit)
        limited[ARM_SLICE] = bool(beyond.any())
        angles = np.asarray(proprio, dtype=np.float64)[ANGLES]
        action[ARM_SLICE] = joints_to_hand(angles, given * mapping.joints.radians, forward)
    action[GRIPPER] = state.closedness
    if "gripper" in parts:
        action[GRIPPER], state = command(mapping.gripper, float(numbers[parts["gripper"]][0]), state)
    if "base" in parts:
        action[BASE_SLICE] = numbers[parts["base"]]
    if "mode" in parts:
        mode = float(numbers[parts["mode"]][0])
        action[MODE] = round(mode) if math.isclose(mode, round(mode), abs_tol=1e-3) else mode
    elif "base" in parts and np.abs(action[BASE_SLICE]).max() > np.abs(action[ARM_SLICE]).max():
        # Without a mode the part that is to move more moves.
        action[MODE] = Mode.BASE
    return action, limited, state


def step(
    numbers: Array, mapping: ActionMapping, proprio: NDArray[np.floating], state: MapperState,
    spec: Convention, forward: Forward | None = None,
) -> Mapped:  # fmt: skip
    """Everything between the numbers of one action and its tokens; arguments as of `to_action`.

    Raises:
        ActionError: a mode that there is not.
    """
    action, limited, gripper = to_action(numbers, mapping, proprio, state.gripper, forward)
    whole = "mode" in mapping.slices
    if not whole:
        # At 20 Hz a motion of less than 6 mm/s would be rounded to none in every step.
        action[ARM_SLICE] += state.rest
    still = _still_for(action, gripper, state, mapping)
    ends = mapping.end
    if ends.rule == "terminate" and numbers[mapping.slices["terminate"]][0] > ends.threshold:
        action[MODE] = Mode.TERMINATE
    if ends.rule == "hold" and still >= ends.seconds * (mapping.control_hz or 3):
        action[MODE] = Mode.TERMINATE
    if ends.rule != "mode" and whole and action[MODE] == Mode.TERMINATE:
        action[MODE] = Mode.ARM
    tokens = spec.encode(action)
    # RT-1's bounds are further than any step: there the robot's reach is what clips.
    bounds = RTBENCH if spec.high[0] >= 1.0 else spec
    beyond = (action[:MODE] < np.array(bounds.low) - _SLACK) | (
        action[:MODE] > np.array(bounds.high) + _SLACK
    )
    rest = state.rest
    if not whole:
        # Of what was clipped, no more than a bin is made up for.
        cut = action[ARM_SLICE] - spec.decode(tokens)[ARM_SLICE]
        rest = np.clip(cut, -_SLACK[ARM_SLICE], _SLACK[ARM_SLICE])
    return Mapped(
        action, (limited | beyond) & used_dimensions(action), tokens, MapperState(gripper, rest, still)
    )


def to_numbers(action: Array, mapping: ActionMapping, proprio: NDArray[np.floating]) -> Array:
    """The numbers float64[D] that `to_action` makes this action of; its inverse.

    Relative and sticky grippers depend on what came before: their number is that of an absolute one. Joints
    have no inverse here.

    Raises:
        ActionError: a layout with joints.
    """
    parts = mapping.slices
    if "joints" in parts:
        raise ActionError("the numbers of joints do not follow from an action of the hand.")
    numbers = np.zeros(mapping.width)
    back = conjugate(np.asarray(proprio, dtype=np.float64)[ORIENTATION])
    if "position" in parts:
        move = action[:3]
        move = rotate(back, move) if mapping.position.frame == "hand" else move
        numbers[parts["position"]] = move / mapping.position.metres
    if "rotation" in parts:
        turn = rotate(back, action[3:6]) if mapping.rotation.frame == "hand" else action[3:6]
        if mapping.rotation.form == "rpy":
            turn = to_rpy(from_rotation_vector(turn))
        numbers[parts["rotation"]] = turn / mapping.rotation.radians
    if "gripper" in parts:
        openness = (1.0 - action[GRIPPER]) / 2.0
        rule = mapping.gripper
        numbers[parts["gripper"]] = rule.closed + openness * (rule.open - rule.closed)
    if "base" in parts:
        numbers[parts["base"]] = action[BASE_SLICE]
    if "mode" in parts:
        numbers[parts["mode"]] = action[MODE]
    if "terminate" in parts:
        numbers[parts["terminate"]] = float(action[MODE] == Mode.TERMINATE)
    return numbers


def from_rpy(angles: Array) -> Array:
    """Unit quaternion float64[4] (wxyz) of roll, pitch, yaw float64[3] [rad], about fixed axes: Rz Ry Rx."""
    roll, pitch, yaw = (from_rotation_vector(axis * a) for axis, a in zip(np.eye(3), angles, strict=True))
    return multiply(yaw, multiply(pitch, roll))


def to_rpy(q: Array) -> Array:
    """Roll, pitch, yaw float64[3] [rad] of a unit quaternion (wxyz); pitch within -pi/2 to pi/2.

    Diebel, Representing Attitude (2006), equation 290.
    """
    w, x, y, z = q
    roll = math.atan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y))
    pitch = math.asin(min(1.0, max(-1.0, 2 * (w * y - z * x))))
    yaw = math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
    return np.array([roll, pitch, yaw])


def joints_to_hand(angles: Array, turn: Array, forward: Forward) -> Array:
    """Displacement [m] and rotation vector [rad] of the hand, float64[6], base frame, where joints turn.

    Args:
        angles: Joint angles now, float64[7] [rad].
        turn: By how much they turn, float64[7] [rad].
        forward: The arm's kinematics.
    """
    before, turned_before = forward(angles)
    after, turned_after = forward(angles + turn)
    return np.concatenate([after - before, difference(turned_after, turned_before)])


def _within(numbers: Array, limit: float | None) -> tuple[Array, NDArray[np.bool_]]:
    """Numbers clipped to a limit, and which were beyond it by more than a hundredth."""
    if limit is None:
        return numbers, np.zeros(len(numbers), dtype=bool)
    return np.clip(numbers, -limit, limit), np.abs(numbers) > limit * 1.01


def _still_for(action: Array, gripper: GripperState, state: MapperState, mapping: ActionMapping) -> int:
    """Actions in a row, this one included, that hold still."""
    hz = mapping.control_hz or 3
    slow = length(action[:3]) * hz < mapping.end.speed and length(action[3:6]) * hz < mapping.end.turn
    same = gripper.closedness == state.gripper.closedness
    return state.still + 1 if slow and same else 0
