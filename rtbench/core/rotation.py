"""Rotations as quaternions (wxyz, unit, float64[4]) and rotation vectors (float64[3], rad)."""

from __future__ import annotations

import math

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
DOWN = np.array([0.0, 1.0, 0.0, 0.0])
"""Quaternion of a gripper that points straight down, its x axis along the frame's x, its y along -y."""


def multiply(a: ArrayLike, b: ArrayLike) -> Array:
    """Quaternion product a * b: first b, then a."""
    out = np.empty(4)
    mujoco.mju_mulQuat(out, np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64))
    return out


def conjugate(q: ArrayLike) -> Array:
    """Inverse rotation of a unit quaternion."""
    w, x, y, z = np.asarray(q, dtype=np.float64)
    return np.array([w, -x, -y, -z])


def rotate(q: ArrayLike, vector: ArrayLike) -> Array:
    """The vector float64[3] turned by q."""
    out = np.empty(3)
    mujoco.mju_rotVecQuat(out, np.asarray(vector, dtype=np.float64), np.asarray(q, dtype=np.float64))
    return out


def from_rotation_vector(vector: ArrayLike) -> Array:
    """Quaternion of a rotation vector: axis times angle [rad] (exponential map of SO(3))."""
    x, y, z = np.asarray(vector, dtype=np.float64).tolist()
    angle = math.sqrt(x * x + y * y + z * z)
    scale = 0.5 if angle < 1e-12 else math.sin(angle / 2) / angle
    return np.array([math.cos(angle / 2), x * scale, y * scale, z * scale])


def to_rotation_vector(q: ArrayLike) -> Array:
    """Rotation vector float64[3] of q, of the shorter way round: its length is at most pi."""
    w, x, y, z = np.asarray(q, dtype=np.float64).tolist()
    if w < 0:
        w, x, y, z = -w, -x, -y, -z
    sine = math.sqrt(x * x + y * y + z * z)
    if sine < 1e-12:
        return np.array([2 * x, 2 * y, 2 * z])
    scale = 2 * math.atan2(sine, w) / sine
    return np.array([x * scale, y * scale, z * scale])


def difference(target: ArrayLike, current: ArrayLike) -> Array:
    """Rotation vector, in the fixed frame, that turns `current` into `target`."""
    return to_rotation_vector(multiply(target, conjugate(current)))


def about_z(angle: float) -> Array:
    """Quaternion of a turn by `angle` [rad] about z."""
    return np.array([math.cos(angle / 2), 0.0, 0.0, math.sin(angle / 2)])


def pointing_down(yaw: float) -> Array:
    """Quaternion of a gripper that points down with its x axis at `yaw` [rad] from the frame's x."""
    return multiply(about_z(yaw), DOWN)


def yaw_of(q: ArrayLike) -> float:
    """Angle [rad] of the turned x axis about z."""
    x, y, _ = rotate(q, [1.0, 0.0, 0.0])
    return math.atan2(y, x)


def wrap(angle: float) -> float:
    """The angle in (-pi, pi]."""
    wrapped = math.remainder(angle, 2 * math.pi)
    return math.pi if wrapped == -math.pi else wrapped


def clip_length(vector: ArrayLike, longest: float) -> Array:
    """The vector, shortened to `longest` if it is longer."""
    v = np.asarray(vector, dtype=np.float64)
    length = float(np.linalg.norm(v))
    return v if length <= longest else v * (longest / length)
