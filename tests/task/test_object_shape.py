"""Primitives: their arithmetic is MuJoCo's to the last bit, for settled states depend on it."""

from __future__ import annotations

import math

import mujoco
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rtbench.task.object_parts import PartEntry
from rtbench.task.object_shape import Primitive

TURN = st.floats(-180, 180)
HALF = math.sqrt(0.5)
LYING = {"x": (HALF, 0.0, HALF, 0.0), "y": (HALF, -HALF, 0.0, 0.0), "z": (1.0, 0.0, 0.0, 0.0)}


@given(turn=TURN, axis=st.sampled_from("xyz"))
def test_a_part_is_turned_as_mujoco_would(turn, axis):
    half, found = math.radians(turn) / 2, np.empty(4)
    about_z = np.array([math.cos(half), 0.0, 0.0, math.sin(half)])
    mujoco.mju_mulQuat(found, about_z, np.array(LYING[axis]))
    part = PartEntry(cylinder=(0.02, 0.1), axis=axis, turn=turn, color="red")
    assert part.primitive().quat == tuple(found)


@given(parts=st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: np.linalg.norm(q) > 0.1))
def test_the_matrix_of_a_quaternion_is_mujocos(parts):
    quat, found = np.array(parts) / np.linalg.norm(parts), np.empty(9)
    mujoco.mju_quat2Mat(found, quat)
    rotation = Primitive("box", (0.1, 0.1, 0.1), quat=tuple(quat.tolist())).rotation
    assert np.abs(rotation.ravel() - found).max() <= 4e-16
