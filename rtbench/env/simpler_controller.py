"""The controller 'simpler': actions become targets as SIMPLER's controller of the Google robot makes them.

An action starts from the sensed pose, not from the one commanded before. Its displacement and its rotation
vector, which multiplies from the left, are in the base frame. Joint angles of that pose are the end of a
jerk-limited path, which goes on from where the last one was, with its speed. Slow drives follow: the arm
lags by 0.6 to 0.8 s. The gripper's number turns the fingers' target by its share of a full turn: positive
closes. Physics runs at 240 Hz, where SIMPLER has 513 Hz; at both a control step of 3 Hz has whole steps.
"""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from rtbench.core.action import MODE, Mode, check_action
from rtbench.core.rotation import from_rotation_vector, multiply
from rtbench.env.controller import Controller
from rtbench.env.jerk_limited_path import JerkLimitedPath
from rtbench.env.kinematics import Arm
from rtbench.task.robot_entry import RobotEntry

Array = NDArray[np.float64]

ITERATIONS = 100
"""Most iterations of inverse kinematics."""
MISSED = (0.001, 0.01)
"""Errors of inverse kinematics with which the pose is out of reach [m, rad]; the arm then stays."""
SMALL = 0.01
"""A gripper's number below this is none: no token stands for zero."""


class SimplerController(Controller):
    """Holds the path of arm and fingers, and writes `data.ctrl`."""

    bounded = False

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData, arm: Arm, robot: RobotEntry) -> None:
        settings = robot.controllers.simpler
        assert settings is not None  # noqa: S101 - `RobotEntry.with_controller` has checked it
        self._settings = settings
        self._finger_qpos = [int(model.joint(j).qposadr[0]) for j in robot.gripper.joints]
        self._signs = np.array(list(robot.gripper.joints.values()))
        super().__init__(model, data, arm, robot)

    def reset(self) -> None:
        """Take the robot's present pose as commanded and the path as at rest."""
        settings = self._settings
        self._fingers = float((self._data.qpos[self._finger_qpos] * self._signs).mean())
        self._turned_to = self._fingers
        joints = len(self._data.qpos[self._arm_qpos])
        self._path = JerkLimitedPath(
            np.array([*self._data.qpos[self._arm_qpos], self._fingers]),
            np.array([settings.speed] * joints + [settings.gripper_speed]),
            np.array([settings.acceleration] * joints + [settings.gripper_acceleration]),
            settings.jerk,
        )
        super().reset()

    def take(self, action: Array, convention: str) -> tuple[Array, int]:
        """The action as it is: SIMPLER clips nothing. Of RT-1's tokens it drops base and mode."""
        action = check_action(action)
        if convention.startswith("rt1") and action[MODE] == Mode.BASE:
            action[MODE] = Mode.ARM
        return action, 0

    def reaches(self, delta: Array) -> bool:
        """Whether a move float64[6] [m, rad] is carried out; one out of reach leaves the arm where it is."""
        return self._solve_for(delta) is not None

    def gripper_number(self, closedness: float) -> float:
        """The gripper's number of an action that brings the fingers to a closedness [-1, 1]."""
        opening = self._gripper.open * (1.0 - closedness) / 2.0
        wanted = self._gripper.positions(opening)[0] * float(self._signs[0])
        return float(np.clip((wanted - self._turned_to) / self._settings.gripper_turn, -1.0, 1.0))

    def _limit_lead(self) -> None:
        """Nothing: each action starts from the sensed pose."""

    def _move_arm(self, delta: Array, gripper: float, ticks: int, steps: int) -> bool:
        del ticks
        sensed = self.measured()
        found = self._solve_for(delta)
        self.position, self.quaternion = self._arm.forward(sensed)
        if found is not None:
            self.position, self.quaternion = _moved(self.position, self.quaternion, delta)
        if abs(gripper) >= SMALL:
            low, high = self._settings.gripper_limits
            turn = self._settings.gripper_turn * gripper
            self._turned_to = min(max(self._turned_to + turn, low), high)
        target = np.array([*(sensed if found is None else found), self._turned_to])
        path = self._path.ahead(target, steps, self._model.opt.timestep)
        self._write()
        # All targets are written ahead of physics: writing them one by one took a quarter of a step's time.
        targets = np.tile(self._data.ctrl, (steps, 1))
        targets[:, self._arm_ctrl] = path[:, :-1]
        targets[:, self._finger_ctrl] = np.multiply.outer(path[:, -1], self._signs)
        for row in targets:
            self._data.ctrl[:] = row
            mujoco.mj_step(self._model, self._data)
        self.angles, self._fingers = path[-1, :-1].copy(), float(path[-1, -1])
        return found is not None

    def _solve_for(self, delta: Array) -> Array | None:
        """Joint angles float64[7] [rad] of the sensed pose moved by `delta`; None out of reach."""
        sensed = self.measured()
        position, quaternion = _moved(*self._arm.forward(sensed), delta)
        found = self._arm.solve(sensed, position, quaternion, iterations=ITERATIONS)
        near = found.position_error <= MISSED[0] and found.rotation_error <= MISSED[1]
        return found.angles if near else None

    def _write(self) -> None:
        super()._write()
        self._data.ctrl[self._finger_ctrl] = self._fingers * self._signs


def _moved(position: Array, quaternion: Array, delta: Array) -> tuple[Array, Array]:
    """A pose after a displacement and a rotation vector in the frame that it is given in."""
    return position + delta[:3], multiply(from_rotation_vector(delta[3:]), quaternion)


CONTROLLERS: dict[str, type[Controller]] = {"stiff": Controller, "simpler": SimplerController}
"""By the name that a robot's file and `--robot NAME:CONTROLLER` use."""
