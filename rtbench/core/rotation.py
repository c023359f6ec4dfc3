"""Rotations as unit quaternions float64[4] (wxyz) and rotation vectors float64[3] [rad].

A quaternion turns vectors of the rotated frame into those of the fixed frame. Formulas and signs are MuJoCo's
(`mju_mulQuat`, `mju_rotVecQuat`).
"""

from __future__ import annotations

import math

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtbench.core.vector import length

Array = NDArray[np.float64]
DOWN = np.array([0.0, 1.0, 0.0, 0.0])
"""Quaternion of a gripper that points straight down, its x axis along the frame's x, its y along -y."""


def multiply(a: ArrayLike, b: ArrayLike) -> Array:
    """Product a * b of two quaternions float64[4] (wxyz), as float64[4]: first rotation b, then a."""
    out = np.empty(4)
    mujoco.mju_mulQuat(out, np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64))
    return out


def conjugate(q: ArrayLike) -> Array:
    """The inverse of a unit quaternion float64[4] (wxyz), as float64[4]."""
    w, x, y, z = np.asarray(q, dtype=np.float64)
    return np.array([w, -x, -y, -z])


def rotate(q: ArrayLike, vector: ArrayLike) -> Array:
    """The vector float64[3], in any unit, rotated by a unit quaternion float64[4] (wxyz), as float64[3]."""
    out = np.empty(3)
    mujoco.mju_rotVecQuat(out, np.asarray(vector, dtype=np.float64), np.asarray(q, dtype=np.float64))
    return out


def from_rotation_vector(vector: ArrayLike) -> Array:
    """Unit quaternion float64[4] (wxyz) of a rotation vector float64[3], axis times angle [rad].

    This is the exponential map of SO(3).
    """
    x, y, z = np.asarray(vector, dtype=np.float64).tolist()
    angle = math.sqrt(x * x + y * y + z * z)
    scale = 0.5 if angle < 1e-12 else math.sin(angle / 2) / angle
    return np.array([math.cos(angle / 2), x * scale, y * scale, z * scale])


def to_rotation_vector(q: ArrayLike) -> Array:
    """Rotation vector float64[3] [rad] of a unit quaternion float64[4] (wxyz); its length is at most pi.

    This is the logarithm map of SO(3). Of the two ways round it is the shorter one.
    """
    w, x, y, z = np.asarray(q, dtype=np.float64).tolist()
    if w < 0:
        w, x, y, z = -w, -x, -y, -z
    sine = math.sqrt(x * x + y * y + z * z)
    if sine < 1e-12:
        return np.array([2 * x, 2 * y, 2 * z])
    scale = 2 * math.atan2(sine, w) / sine
    return np.array([x * scale, y * scale, z * scale])


def difference(target: ArrayLike, current: ArrayLike) -> Array:
    """Rotation vector float64[3] [rad], in the fixed frame, that turns `current` into `target`.

    Args:
        target: Unit quaternion float64[4] (wxyz).
        current: Unit quaternion float64[4] (wxyz) of the same frame.
    """
    return to_rotation_vector(multiply(target, conjugate(current)))


def about_z(angle: float) -> Array:
    """Unit quaternion float64[4] (wxyz) of a rotation by `angle` [rad] about z."""
    return np.array([math.cos(angle / 2), 0.0, 0.0, math.sin(angle / 2)])


def pointing_down(yaw: float) -> Array:
    """Unit quaternion float64[4] (wxyz) of a gripper that points down, its x axis at `yaw` [rad] from x."""
    return multiply(about_z(yaw), DOWN)


def yaw_of(q: ArrayLike) -> float:
    """Heading [rad], -pi to pi, of the x axis after rotation by a unit quaternion float64[4] (wxyz)."""
    x, y, _ = rotate(q, [1.0, 0.0, 0.0])
    return math.atan2(y, x)


def wrap(angle: float) -> float:
    """The same angle [rad] in the interval (-pi, pi]."""
    wrapped = math.remainder(angle, 2 * math.pi)
    return math.pi if wrapped == -math.pi else wrapped


def clip_length(vector: ArrayLike, longest: float) -> Array:
    """The vector float64[n], scaled down to the length `longest`, in the vector's unit, if it is longer."""
    v = np.asarray(vector, dtype=np.float64)
    long = length(v)
    return v if long <= longest else v * (longest / long)
