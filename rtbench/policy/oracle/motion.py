"""The oracle's view of the state in one step, and its basic motions; a motion is one action float64[11]."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rtbench.core.action import BASE_SLICE, GRIPPER, MODE, REACH_HIGH, Mode, idle
from rtbench.core.rotation import (
    difference,
    from_rotation_vector,
    multiply,
    pointing_down,
    rotate,
    wrap,
    yaw_of,
)
from rtbench.core.vector import length
from rtbench.core.world import Pose
from rtbench.env.kitchen import Kitchen
from rtbench.task.robot_entry import RobotEntry, ShapeEntry

Array = NDArray[np.float64]

LEVEL = 0.5
"""A hand that leans further does not point down [rad]."""
PATH_STEPS = 12
"""Steps in which a turn of the hand is tried out by inverse kinematics."""
HEADROOM = 0.025
"""Air between a carried object and what it passes over [m]."""
CORRIDOR = 0.13
"""Things nearer than this to a straight path count as in its way [m]: half a hand and a finger."""
LEAN_SLACK = 0.23
"""A hand may lean by this much more than its height asks [rad]: it comes down 8 cm a step."""
PRESSING = 0.012
"""A hand this far above its commanded height stands on something [m]."""
TURN = 0.45
"""Most the gripper turns in one step [rad]."""

WRIST_MARGIN = 0.03
"""Room kept to the limits of joint 7 [rad]."""


@dataclass
class View:
    """State of world and robot at one step, read once."""

    env: Kitchen
    hand: Pose = field(init=False)
    """Grip point, world."""
    base: Array = field(init=False)
    """x, y [m], yaw [rad]."""
    opening: float = field(init=False)
    """Between the pads [m]."""

    def __post_init__(self) -> None:
        self.world = self.env.world
        self.hand = self.world.gripper()
        self.base = self.world.base()
        self.opening = self.world.gripper_opening()

    @property
    def robot(self) -> RobotEntry:
        """The robot."""
        return self.world.scene.robot

    @property
    def shape(self) -> ShapeEntry:
        """Shape of its gripper."""
        return self.robot.gripper.shape

    @property
    def wide(self) -> float:
        """Opening of fingers that are to take something [m]."""
        return self.robot.gripper.wide

    @property
    def reach(self) -> tuple[float, float]:
        """Nearest and farthest place that the hand works at from the arm's axis [m]."""
        return self.robot.arm.reach

    @property
    def ahead(self) -> float:
        """The arm's axis is this far before the middle of the base [m]."""
        return self.robot.base.ahead

    @property
    def soft(self) -> bool:
        """Whether the arm gives way: its drives follow slowly."""
        return not self.env.controller.bounded

    @property
    def hand_yaw(self) -> float:
        """Heading of the gripper's x axis in the base frame [rad]; without its lean, where it has to lean."""
        upright = (
            multiply(self._leant(-self.lean), self.hand.quaternion) if self.lean else self.hand.quaternion
        )
        return wrap(yaw_of(upright) - float(self.base[2]))

    @property
    def lean(self) -> float:
        """Angle by which a hand that works from above leans forward at the hand's height [rad]."""
        lean = self.robot.arm.lean
        return lean.at(float(self.hand.position[2])) if lean else 0.0

    def _leant(self, angle: float) -> Array:
        """Turn of a downward hand by which its fingers point forward by `angle` [rad]; quaternion, world."""
        yaw = float(self.base[2])
        return from_rotation_vector(angle * np.array([math.sin(yaw), -math.cos(yaw), 0.0]))

    @property
    def leaning(self) -> float:
        """Angle between the gripper and straight down [rad].

        Of a hand that leans high up, the angle to the nearest of the leans that it has there or a step lower.
        """
        pointing = rotate(self.hand.quaternion, [0, 0, 1])
        if self.robot.arm.lean:
            c, s = math.cos(self.base[2]), math.sin(self.base[2])
            forward = math.atan2(float(c * pointing[0] + s * pointing[1]), -float(pointing[2]))
            pointing = rotate(self._leant(-min(max(forward, 0.0), self.lean + LEAN_SLACK)), pointing)
        return math.acos(float(np.clip(-pointing[2], -1.0, 1.0)))

    @property
    def pressing(self) -> bool:
        """Whether the hand stands on something."""
        return bool(self.env.controller.position[2] < self.hand.position[2] - PRESSING)

    def down(self, yaw: float) -> Array:
        """Quaternion float64[4] (wxyz), world, of a downward gripper with heading `yaw` [rad], base frame."""
        down = pointing_down(yaw + float(self.base[2]))
        return multiply(self._leant(self.lean), down) if self.lean else down

    def in_world(self, local: Sequence[float] | Array) -> Array:
        """A point float64[3] [m] of the base frame, in the world frame."""
        x, y, z = local
        c, s = math.cos(self.base[2]), math.sin(self.base[2])
        return np.array([self.base[0] + c * x - s * y, self.base[1] + s * x + c * y, z])

    def turned_down(self, yaw: float) -> Array | None:
        """Next orientation of a downward hand on its way to heading `yaw` [rad], base frame.

        Joint 7 turns against the heading and has limits: the way to a heading may be the longer one.

        Returns:
            Quaternion float64[4] (wxyz), world; None if the wrist cannot reach the heading.
        """
        wrist = float(self.env.controller.angles[6])
        low, high = self.env.arm.limits[6]
        shortest = wrap(yaw - self.hand_yaw)
        ways = [d for d in (shortest, shortest - 2 * math.pi, shortest + 2 * math.pi)
                if low + WRIST_MARGIN < wrist - d < high - WRIST_MARGIN]  # fmt: skip
        if not ways:
            return None
        way = min(ways, key=abs)
        return self.down(self.hand_yaw + float(np.clip(way, -TURN, TURN)))

    def straightened(self, yaw: float) -> Array:
        """Downward orientation for a leaning hand, with heading `yaw` [rad], base frame, if possible.

        From a level hand the shortest turn may lead into limits of joints 5 and 6, and the arm folds.

        Returns:
            Quaternion float64[4] (wxyz), world.
        """
        if self.leaning < LEVEL:
            return self.down(yaw)
        arm, angles = self.env.arm, self.env.controller.angles
        here, turned = arm.forward(angles)
        headings = [yaw, *sorted(np.arange(12) * (math.pi / 6) - math.pi, key=lambda h: abs(wrap(h - yaw)))]
        for heading in headings:
            whole, at = difference(pointing_down(heading), turned), angles
            for step in range(1, PATH_STEPS + 1):
                turn = multiply(from_rotation_vector(step / PATH_STEPS * whole), turned)
                solution = arm.solve(at, here, turn, iterations=5)
                at = solution.angles
            if solution.position_error < 0.01 and solution.rotation_error < 0.05:
                return self.down(heading)
        return self.down(yaw)

    def carried(self) -> str | None:
        """The object between the fingers, if any."""
        return next((name for name in self.world.names() if self.world.held(name)), None)

    def closedness(self, opening: float) -> float:
        """Closedness [-1, 1] of fingers that are so far apart [m]."""
        most = self.robot.gripper.open
        return 1.0 - 2.0 * min(opening, most) / most

    def below_grip(self) -> float:
        """Reach of the fingers and of a carried object below the grip point [m]."""
        carried = self.carried()
        if carried is None:
            return self.shape.tip
        return max(self.shape.tip, float(self.hand.position[2] - self.world.box(carried)[0][2]))


def move(view: View, position: Array, quaternion: Array, opening: float) -> Array:
    """Action that moves the gripper in a straight line towards a pose, within the action's bounds.

    Args:
        view: The present state.
        position: Wanted grip point float64[3] [m], world.
        quaternion: Wanted orientation float64[4] (wxyz, unit), world.
        opening: Wanted distance between the finger pads [m], 0 to what the gripper has.

    Returns:
        float64[11] in the order of `rtbench.core.action.DIMENSIONS`.
    """
    action = idle()
    action[GRIPPER] = view.closedness(max(opening, 0.0))
    action[:3] = _within(_to_base(view, position - view.hand.position), REACH_HIGH[0])
    turn = difference(quaternion, view.hand.quaternion)
    action[3:6] = _within(_to_base(view, turn), TURN)
    return action


def settle(view: View, position: Array, quaternion: Array, opening: float) -> Array:
    """Like `move` (float64[11]), but each axis moves up to its own bound, so small offsets vanish first."""
    action = move(view, position, quaternion, opening)
    offset = _to_base(view, position - view.hand.position)
    action[:3] = np.clip(offset, -REACH_HIGH[0], REACH_HIGH[0])
    return action


def stay(view: View, opening: float) -> Array:
    """Action float64[11] that moves only the fingers, to an opening [m]."""
    return move(view, view.hand.position, view.hand.quaternion, opening)


def drive_step(view: View, pose: Array) -> Array:
    """Action float64[11] that moves the base towards a pose float64[3]: x, y [m], yaw [rad], world."""
    action = idle()
    action[MODE] = Mode.BASE
    d = np.asarray(pose, dtype=np.float64) - view.base
    c, s = math.cos(view.base[2]), math.sin(view.base[2])
    local = np.array([c * d[0] + s * d[1], -s * d[0] + c * d[1]])
    action[BASE_SLICE] = [*_within(local, REACH_HIGH[7]), np.clip(wrap(d[2]), -TURN, TURN)]
    return action


def travel(
    view: View, position: Array, quaternion: Array, opening: float, *, ignore: tuple[str, ...] = ()
) -> Array:
    """Action float64[11] that moves the gripper to a pose, over all objects on the way.

    The gripper rises until it clears all, then moves across, then down. Each step computes the height anew.
    Arguments as for `move`; `ignore` names objects that are not in the way.
    """
    here = view.hand.position
    flat = position[:2] - here[:2]
    if length(flat) < 0.02:
        return move(view, position, quaternion, opening)
    height = max(float(position[2]), _clear_height(view, here[:2], position[:2], ignore))
    if view.robot.arm.highest is not None:
        height = min(height, view.robot.arm.highest)
    if here[2] < height - 0.015:
        if _folded(view):
            return move(view, view.in_world(view.robot.arm.easy), quaternion, opening)
        # Rising straight up first, bending towards the goal only near the top.
        share = max(0.0, 1.0 - (height - here[2]) / 0.05)
        return move(view, np.array([*(here[:2] + share * flat), height]), quaternion, opening)
    return move(view, np.array([*position[:2], height]), quaternion, opening)


def _folded(view: View) -> bool:
    """Whether the hand is so near to the robot that the arm cannot raise it."""
    x, y, _ = view.world.to_base(view.hand).position
    return math.hypot(x - view.ahead, y) < view.robot.arm.folded


def _clear_height(view: View, start: Array, end: Array, ignore: tuple[str, ...]) -> float:
    """Height of the grip point [m] that clears all objects between two points float64[2] [m], world."""
    carried = view.carried()
    top = 0.0
    for name in view.world.names():
        if name == carried or name in ignore:
            continue
        low, high = view.world.box(name)
        reach = CORRIDOR + length(high[:2] - low[:2]) / 4
        if _distance_to_segment((low[:2] + high[:2]) / 2, start, end) < reach:
            top = max(top, float(high[2]))
    for counter in view.world.scene.spec.counters:
        region = view.world.surface(counter)
        if any(region.covers(np.array([*p, 0.0]), -CORRIDOR) for p in (start, end, (start + end) / 2)):
            top = max(top, float(region.center[2]))
    return top + view.below_grip() + HEADROOM


def _distance_to_segment(point: Array, start: Array, end: Array) -> float:
    along = end - start
    share = float(np.clip((point - start) @ along / max(float(along @ along), 1e-9), 0.0, 1.0))
    return length(point - start - share * along)


def counter_of(view: View, name: str) -> str:
    """The counter nearest to an object."""
    position = view.world.pose(name).position
    counters = view.world.scene.spec.counters
    return min(counters, key=lambda c: length(view.world.surface(c).center[:2] - position[:2]))


def counter_height(view: View, name: str) -> float:
    """Height of the top of the counter nearest to an object [m]."""
    return float(view.world.surface(counter_of(view, name)).center[2])


def _to_base(view: View, vector: Array) -> Array:
    c, s = math.cos(view.base[2]), math.sin(view.base[2])
    x, y, z = vector
    return np.array([c * x + s * y, -s * x + c * y, z])


def _within(vector: Array, most: float) -> Array:
    """The vector, scaled down so that no component exceeds `most`."""
    longest = float(np.abs(vector).max())
    return vector if longest <= most else vector * (most / longest)
