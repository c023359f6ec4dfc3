"""Controller that turns an 11-D action into actuator targets, 24 times a second.

Arm mode moves the gripper's *commanded* pose in the base frame, not its measured one: gravity's sag would
otherwise add up to a drift of a millimetre a step. The command stays within `MAX_LEAD` of the hand, so that a
blocked arm does not wind up. Base mode moves the base in its own frame and keeps the arm's joints where they
are.
"""

from __future__ import annotations

import math

import mujoco
import numpy as np
from numpy.typing import NDArray

from rtbench.core.action import ARM_SLICE, BASE_SLICE, GRIPPER, MODE, Mode, clip_action
from rtbench.core.rotation import clip_length, difference, from_rotation_vector, multiply
from rtbench.core.vector import length
from rtbench.env.kinematics import Arm, span
from rtbench.task.robot_entry import BASE_JOINTS, RobotEntry

Array = NDArray[np.float64]

SUBSTEPS = 10
"""Physics steps between two updates of the targets: 240 Hz / 24 Hz."""
RAMP = 7 / 8
"""Share of a control period in which the target moves; in the rest the robot reaches it."""
MAX_LEAD = (0.03, 0.2)
"""Most by which the commanded pose may lead the measured one when a step begins [m, rad]."""
UNREACHED = 0.015
"""A commanded position that inverse kinematics misses by more than this is out of reach [m]."""


class Controller:
    """Holds the commanded pose of gripper, fingers and base, and writes `data.ctrl`."""

    bounded = True
    """Whether actions are clipped to what one step can reach."""

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData, arm: Arm, robot: RobotEntry) -> None:
        self._model, self._data, self._arm, self._gripper = model, data, arm, robot.gripper
        joints = tuple(robot.arm.joints.values())
        self._speed = np.array([joint.speed for joint in joints])
        # A damped position actuator trails a moving target by this time [s]: fed forward.
        self._lag = np.array([damping / stiffness for stiffness, damping, _ in (j.drive for j in joints)])
        self._arm_qpos = _addresses(model, tuple(robot.arm.joints))
        self._base_qpos = _addresses(model, BASE_JOINTS)
        self._arm_ctrl = span([model.actuator(j).id for j in robot.arm.joints])
        self._base_ctrl = span([model.actuator(j).id for j in BASE_JOINTS])
        self._finger_ctrl = span([model.actuator(j).id for j in robot.gripper.joints])
        self.reset()

    def reset(self) -> None:
        """Take the robot's present pose as commanded, gripper open."""
        self.angles = self._data.qpos[self._arm_qpos].copy()
        self.base = self._data.qpos[self._base_qpos].copy()
        self.position, self.quaternion = self._arm.forward(self.angles)
        self.opening = self._gripper.open
        self._lead = np.zeros(len(self._lag))
        self._write()

    def measured(self) -> Array:
        """Angles of the arm's joints now, float64[7] [rad]."""
        angles: Array = self._data.qpos[self._arm_qpos].copy()
        return angles

    def take(self, action: Array, convention: str) -> tuple[Array, int]:
        """The action float64[11] that is carried out, within what a step can reach, and how much was clipped.

        Args:
            action: Decoded from a policy's tokens.
            convention: Name of their convention.
        """
        del convention
        return clip_action(action)

    def apply(self, action: Array, steps: int) -> bool:
        """Carry out one action over some physics steps; return False if its pose was out of reach.

        Args:
            action: float64[11] [m, rad, 1], base frame, in the order of `rtbench.core.action.DIMENSIONS`.
            steps: Physics steps of 1/240 s.
        """
        mode = Mode(int(action[MODE]))
        ticks = max(1, round(steps / SUBSTEPS))
        self._limit_lead()
        if mode is Mode.BASE:
            self._move_base(action[BASE_SLICE], ticks, steps)
            return True
        if mode is Mode.TERMINATE:
            self.run(steps)
            return True
        return self._move_arm(action[ARM_SLICE], float(action[GRIPPER]), ticks, steps)

    def reaches(self, delta: Array) -> bool:
        """Whether a move float64[6] [m, rad] is carried out at all; here as far as the arm can."""
        del delta
        return True

    def gripper_number(self, closedness: float) -> float:
        """The gripper's number of an action that brings the fingers to a closedness [-1, 1]."""
        return closedness

    def run(self, steps: int) -> None:
        """Simulate `steps` physics steps of 1/240 s under the last command."""
        self._write()
        if steps:
            mujoco.mj_step(self._model, self._data, nstep=steps)

    def _limit_lead(self) -> None:
        here, turned = self._arm.forward(self._data.qpos[self._arm_qpos])
        ahead = self.position - here
        turn = difference(self.quaternion, turned)
        if length(ahead) > MAX_LEAD[0] or length(turn) > MAX_LEAD[1]:
            self.position = here + clip_length(ahead, MAX_LEAD[0])
            self.quaternion = multiply(from_rotation_vector(clip_length(turn, MAX_LEAD[1])), turned)
            self.angles = self._arm.solve(
                self._data.qpos[self._arm_qpos], self.position, self.quaternion, iterations=4
            ).angles

    def _move_arm(self, delta: Array, gripper: float, ticks: int, steps: int) -> bool:
        opening = self._gripper.open * (1.0 - gripper) / 2.0
        shares = [min(1.0, (tick + 1) / (RAMP * ticks)) for tick in range(ticks)]
        substeps = [_share(steps, ticks, tick) for tick in range(ticks)]
        # The targets follow from the commanded pose alone. Solved ahead of all physics they take less time:
        # neither drives the other out of the processor's caches.
        path, leads = self._solve(delta, shares, [n * self._model.opt.timestep for n in substeps])
        open_before = self.opening
        for share, angles, lead, n in zip(shares, path, leads, substeps, strict=True):
            self.angles, self._lead = angles, lead
            self.opening = open_before + share * (opening - open_before)
            self.run(n)
        position, quaternion = self._arm.forward(self.angles)
        if length(position - self.position) <= UNREACHED:
            return True
        self.position, self.quaternion = position, quaternion
        return False

    def _solve(self, delta: Array, shares: list[float], seconds: list[float]) -> tuple[Array, Array]:
        """Move the commanded pose by `delta` float64[6] [m, rad], in ticks, and the arm's joints after it.

        Args:
            delta: Displacement and rotation vector, base frame.
            shares: Share of `delta` at the end of each tick.
            seconds: Length of each tick [s].

        Returns:
            angles at the end of each tick, and what is fed forward to them, float64[ticks, 7] each [rad].
        """
        turned, angles, speeds = self.quaternion, self.angles, self._speed.tolist()
        moves = np.multiply.outer(shares, delta)
        positions = self.position + moves[:, :3]
        path, velocities = np.empty((2, len(shares), len(angles)))
        for tick, (position, move) in enumerate(zip(positions, moves, strict=True)):
            quaternion = multiply(from_rotation_vector(move[3:]), turned)
            velocity = self._arm.follow(angles, position, quaternion)
            velocity -= angles
            velocity /= max(seconds[tick], 1e-9)
            # Near singular poses this asks for more than the joints can do: all slow down together.
            excess = max([abs(v) / most for v, most in zip(velocity.tolist(), speeds, strict=True)])
            if excess > 1.0:
                velocity /= excess
            velocities[tick] = velocity
            velocity *= seconds[tick]
            angles = np.add(angles, velocity, out=path[tick])
        self.position, self.quaternion = positions[-1], quaternion
        leads = velocities * self._lag
        leads[-1] = 0.0
        return path, leads

    def _move_base(self, delta: Array, ticks: int, steps: int) -> None:
        start = self.base.copy()
        c, s = math.cos(start[2]), math.sin(start[2])
        move = np.array([c * delta[0] - s * delta[1], s * delta[0] + c * delta[1], delta[2]])
        for tick in range(ticks):
            self.base = start + min(1.0, (tick + 1) / (RAMP * ticks)) * move
            self.run(_share(steps, ticks, tick))
        # A base that met a wall does not go on pushing.
        self.base = self._data.qpos[self._base_qpos] + np.clip(
            self.base - self._data.qpos[self._base_qpos], -0.02, 0.02
        )

    def _write(self) -> None:
        self._data.ctrl[self._arm_ctrl] = self.angles + self._lead
        self._data.ctrl[self._base_ctrl] = self.base
        self._data.ctrl[self._finger_ctrl] = self._gripper.positions(self.opening)


def _share(steps: int, ticks: int, tick: int) -> int:
    """Physics steps of one tick. The ticks together make `steps`."""
    return steps * (tick + 1) // ticks - steps * tick // ticks


def _addresses(model: mujoco.MjModel, joints: tuple[str, ...]) -> slice | list[int]:
    return span([int(model.joint(j).qposadr[0]) for j in joints])
