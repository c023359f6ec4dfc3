"""Lengths and rotations of vectors without BLAS.

OpenBLAS picks its kernels by the processor, and they differ in their last bits. What leads to a state of the
simulation must be equal on all of them.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def length(vector: ArrayLike) -> float:
    """Euclidean length of a vector float64[n], in the vector's unit."""
    square = 0.0
    for x in np.asarray(vector, dtype=np.float64).tolist():
        square += x * x  # not by sum(), which rounds otherwise since Python 3.12
    return math.sqrt(square)


def turned(rotation: Array, points: ArrayLike) -> Array:
    """Points float64[..., 3], in any unit, turned by a rotation matrix float64[3, 3], as float64[..., 3]."""
    p = np.asarray(points, dtype=np.float64)
    x, y, z = p[..., :1], p[..., 1:2], p[..., 2:]
    out: Array = x * rotation[:, 0] + y * rotation[:, 1] + z * rotation[:, 2]
    return out
