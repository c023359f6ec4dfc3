"""Forward and inverse kinematics of the arm, in the robot's base frame."""

from __future__ import annotations

import math
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from rtbench.core.episode import DEFAULT_ROBOT
from rtbench.core.rotation import to_rotation_vector
from rtbench.core.vector import length
from rtbench.env.object import COLLISION_GROUP
from rtbench.env.robot_model import robot_spec
from rtbench.task.library import BUNDLED
from rtbench.task.robot_entry import RobotEntry

Array = NDArray[np.float64]

DAMPING = 0.02
"""Damping of the least squares [1]: small enough to reach 1 mm, large enough to pass singular poses."""
LONGEST_STEP = 0.25
"""Most by which a joint turns in one iteration [rad]."""


HALF_TURN = (-math.pi, math.pi)
"""Limits that are kept for a joint without any [rad]."""


@dataclass(frozen=True)
class Solution:
    """Joint angles for a gripper pose."""

    angles: Array
    """float64[7] [rad], within the limits."""
    position_error: float
    """Distance left to the target [m]."""
    rotation_error: float
    """Angle left to the target [rad]."""


class Arm:
    """Kinematics of the seven joints; holds a small model of its own, without meshes or a world."""

    def __init__(self, robot: RobotEntry | None = None) -> None:
        """Of a robot; None: the default one."""
        robot = robot or BUNDLED.robot(DEFAULT_ROBOT)
        spec = robot_spec(robot)
        for geom in list(spec.geoms):
            if geom.group != COLLISION_GROUP:
                spec.delete(geom)
        for mesh in list(spec.meshes):
            spec.delete(mesh)
        self._model = spec.compile()
        self._data = mujoco.MjData(self._model)
        joints = [self._model.joint(name) for name in robot.arm.joints]
        self._qpos = span([int(j.qposadr[0]) for j in joints])
        self._dofs = span([int(j.dofadr[0]) for j in joints])
        endless = [self._model.jnt_limited[j.id] == 0 for j in joints]
        self.limits = np.array([HALF_TURN if e else j.range for e, j in zip(endless, joints, strict=True)])
        """float64[7, 2]: lower and upper joint limits [rad], or less where the robot's file says so."""
        for limit, joint in zip(self.limits, robot.arm.joints.values(), strict=True):
            limit[1] = limit[1] if joint.most is None else min(limit[1], joint.most)
        self._bounds = [(low, high) for low, high in self.limits.tolist()]
        self._site = self._model.site("grip").id
        self._forearm = [self._model.geom(name).id for name in robot.arm.forearm]
        self._scratch = _Scratch(self._model.nv, len(joints))
        # Views of the hand's pose in MuJoCo's data: looking them up costs as much as computing them.
        self._hand, self._hand_matrix = self._data.site_xpos[self._site], self._data.site_xmat[self._site]
        self.rest = np.array(robot.arm.home)
        """float64[7]: joint angles at the start [rad]."""
        self._posture = np.array([joint.posture for joint in robot.arm.joints.values()])

    def forward(self, angles: Array) -> tuple[Array, Array]:
        """Gripper position float64[3] [m] and quaternion float64[4] (wxyz) in the base frame.

        `angles` are the joint angles float64[7] [rad].
        """
        self._data.qpos[self._qpos] = angles
        mujoco.mj_kinematics(self._model, self._data)
        quaternion = np.empty(4)
        mujoco.mju_mat2Quat(quaternion, self._hand_matrix)
        return self._hand.copy(), quaternion

    def lowest(self, angles: Array) -> float:
        """Height above the floor [m] of the lowest point of forearm and wrist, by their collision capsules.

        `angles` are the joint angles float64[7] [rad].
        """
        self.forward(angles)
        radius, half = self._model.geom_size[self._forearm, :2].T
        axis = np.abs(self._data.geom_xmat[self._forearm, 8])
        return float(np.min(self._data.geom_xpos[self._forearm, 2] - axis * half - radius))

    def solve(self, angles: Array, position: Array, quaternion: Array, iterations: int = 20) -> Solution:
        """Inverse kinematics: damped least squares from `angles` towards a gripper pose in the base frame.

        Joints that meet a limit are held there while the others go on (an active set), so that the hand
        still gets as near as it can. The joints' pull towards their resting angles acts in the null space.

        Args:
            angles: Joint angles float64[7] [rad] to start from.
            position: Wanted gripper position float64[3] [m], base frame.
            quaternion: Wanted orientation float64[4] (wxyz, unit), base frame.
            iterations: Most iterations; it stops before at 0.2 mm and 1 mrad.
        """
        q = np.array(angles, dtype=np.float64)
        for _ in range(iterations):
            error = self._linearise(q, position, quaternion)
            if length(error[:3]) < 2e-4 and length(error[3:]) < 1e-3:
                break
            q = self._step(q)
        error = self._linearise(q, position, quaternion)
        return Solution(q, length(error[:3]), length(error[3:]))

    def follow(self, angles: Array, position: Array, quaternion: Array) -> Array:
        """One iteration of `solve`: joint angles float64[7] [rad] that come nearer to a pose not far away.

        Arguments as for `solve`.
        """
        self._linearise(angles, position, quaternion)
        return self._step(angles)

    def _linearise(self, q: Array, position: Array, quaternion: Array) -> Array:
        """Error float64[6] [m, rad] at the joint angles `q`; it and the Jacobian stay in the scratch."""
        scratch = self._scratch
        self._data.qpos[self._qpos] = q
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_comPos(self._model, self._data)
        mujoco.mj_jacSite(self._model, self._data, scratch.along, scratch.about, self._site)
        scratch.jacobian[:] = scratch.wide[:, self._dofs]
        mujoco.mju_mat2Quat(scratch.turned, self._hand_matrix)
        mujoco.mju_negQuat(scratch.turned, scratch.turned)
        mujoco.mju_mulQuat(scratch.turn, quaternion, scratch.turned)
        np.subtract(position, self._hand, out=scratch.error[:3])
        scratch.error[3:] = to_rotation_vector(scratch.turn)
        return scratch.error

    def _step(self, q: Array) -> Array:
        """Joint angles float64[7] [rad] after a step from `q` that lessens the error in the scratch."""
        scratch = self._scratch
        posture = self.rest - q
        posture *= self._posture
        step = _damped(scratch, scratch.jacobian, posture)
        moved: Array = q + step
        pairs = zip(moved.tolist(), self._bounds, strict=True)
        if all(low <= angle <= high for angle, (low, high) in pairs):
            return moved
        low, high = self.limits[:, 0], self.limits[:, 1]
        free = np.ones(len(q), dtype=bool)
        for _ in range(2):
            blocked = (q + step < low) | (q + step > high)
            if not blocked.any():
                break
            free &= ~blocked
            step = _damped(scratch, scratch.jacobian * free, posture * free)
        moved[:] = np.minimum(np.maximum(q + step, low), high)
        return moved


class _Scratch:
    """Arrays that each iteration writes anew: making them took longer than the arithmetic."""

    def __init__(self, dofs: int, joints: int) -> None:
        self.wide = np.zeros((6, dofs))
        self.along, self.about = self.wide[:3], self.wide[3:]
        self.jacobian = np.empty((6, joints))
        self.error = np.empty(6)
        self.turned, self.turn = np.empty(4), np.empty(4)
        self.square = np.empty((6, 6))
        self.diagonal = self.square.reshape(-1)[::7]
        self.left, self.solution = np.empty(6), np.empty(6)


def _damped(scratch: _Scratch, jacobian: Array, posture: Array) -> Array:
    """Joint step float64[7] [rad]: least squares on the error, the posture in its null space.

    With A = J J' + d^2 I, J' A^-1 e + (I - J' A^-1 J) p is p + J' A^-1 (e - J p): one linear system. MuJoCo's
    own routines solve it: BLAS picks its kernels by the CPU, and states would differ in their last bits.
    """
    step = np.empty(len(posture))
    mujoco.mju_mulMatMatT(scratch.square, jacobian, jacobian)
    scratch.diagonal += DAMPING**2
    mujoco.mju_cholFactor(scratch.square, 0.0)
    mujoco.mju_mulMatVec(scratch.left, jacobian, posture)
    np.subtract(scratch.error, scratch.left, out=scratch.left)
    mujoco.mju_cholSolve(scratch.solution, scratch.square, scratch.left)
    mujoco.mju_mulMatTVec(step, jacobian, scratch.solution)
    step += posture
    angles = step.tolist()
    longest = max(*angles, -min(angles))
    if longest > LONGEST_STEP:
        step *= LONGEST_STEP / longest
    return step


def span(addresses: list[int]) -> slice | list[int]:
    """An index of some addresses: a slice, ten times as fast as a list, where they are consecutive."""
    first, after = addresses[0], addresses[0] + len(addresses)
    return slice(first, after) if addresses == list(range(first, after)) else addresses
