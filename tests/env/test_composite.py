"""Parts and their primitives: what fingers meet, where the middle is, and what is drawn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtbench.env.composite import SWATCH, compose, part_mesh
from rtbench.task.object_parts import PartEntry, assemble
from rtbench.task.object_shape import Primitive, width

CM = st.integers(10, 100).map(lambda mm: mm / 1000)
PLACE = st.tuples(*[st.integers(-50, 50).map(lambda mm: mm / 1000)] * 3)
TURN = st.integers(-180, 180).map(float)
COLOR = st.sampled_from(["red", "teal", "#102030"])


@st.composite
def part(draw):
    """Any part that content may hold."""
    form = draw(st.sampled_from(["box", "cylinder", "capsule", "ellipsoid"]))
    size = (draw(CM), draw(CM), draw(CM))
    if form in ("cylinder", "capsule"):
        size = (size[0], size[0] + size[1])
    axis = draw(st.sampled_from("xyz")) if len(size) == 2 else "z"
    return PartEntry(**{form: size}, at=draw(PLACE), turn=draw(TURN), axis=axis, color=draw(COLOR))


def inside(primitive, points):
    """Which points of the body frame, float64[n, 3], are in a primitive."""
    local = (points - primitive.pos) @ primitive.rotation
    a, b, c = primitive.size
    if primitive.form == "box":
        return (np.abs(local) <= primitive.size).all(axis=1)
    if primitive.form == "ellipsoid":
        return ((local / (a, b, c)) ** 2).sum(axis=1) <= 1
    across, along = np.hypot(local[:, 0], local[:, 1]), np.abs(local[:, 2])
    if primitive.form == "cylinder":
        return (across <= a) & (along <= b)
    return np.hypot(across, np.maximum(along - b, 0)) <= a


@given(part=part(), x=st.floats(-0.05, 0.05), z=st.floats(-0.05, 0.05))
def test_a_span_is_where_the_line_is_inside(part, x, z):
    primitive = part.primitive()
    low, high = primitive.span(x, z)
    y = np.arange(-0.25, 0.25, 0.0005)
    found = y[inside(primitive, np.column_stack([np.full_like(y, x), y, np.full_like(y, z)]))]
    if found.size:
        assert low - 1e-6 <= found[0] <= low + 0.0006
        assert high - 0.0006 <= found[-1] <= high + 1e-6
    else:
        assert high - low < 0.0011


@given(part=part())
def test_the_bounding_box_is_that_of_the_surface(part):
    primitive, mesh = part.primitive(), part_mesh(part)
    points = mesh.vertices @ primitive.rotation.T
    assert (np.abs(points) <= primitive.reach + 1e-6).all()
    # Round things are drawn with 12 corners and more, boxes with bevels of 0.24 of their half thickness.
    assert (np.abs(points).max(axis=0) >= 0.87 * primitive.reach - 1e-6).all()


@given(parts=st.lists(part(), min_size=1, max_size=8).map(tuple))
def test_an_assembly_is_centred_and_complete(parts):
    made = assemble(parts)
    low = np.min([p.pos - p.reach for p in made.primitives], axis=0)
    high = np.max([p.pos + p.reach for p in made.primitives], axis=0)
    assert high == pytest.approx(made.half, abs=1e-8)
    assert low == pytest.approx(-made.half, abs=1e-8)
    assert made is assemble(parts)
    drawn = compose(parts)
    assert len(drawn.mesh.faces) == sum(len(part_mesh(p).faces) for p in parts)
    assert (np.abs(drawn.mesh.vertices).max(axis=0) <= made.half + 1e-6).all()
    center, inertia = drawn.inertia(0.2)
    assert not center.any()
    a, b, c = np.sort(np.diag(inertia))
    assert 0 < a <= b <= c < a + b


def test_each_part_is_drawn_in_its_colour():
    parts = (
        PartEntry(box=(0.1, 0.03, 0.02), color="#ff0000"),
        PartEntry(cylinder=(0.02, 0.05), color="#0000ff"),
    )
    made = compose(parts)
    column = (made.mesh.texcoords[:, 0] * made.pixels.shape[1]).astype(int)
    first = len(part_mesh(parts[0]).vertices)
    assert made.pixels.shape == (SWATCH, 2 * SWATCH, 3)
    assert (made.pixels[SWATCH // 2, column[:first]] == (255, 0, 0)).all()
    assert (made.pixels[SWATCH // 2, column[first:]] == (0, 0, 255)).all()


def test_axis_and_turn_say_where_the_length_points():
    for axis, turn, along in (("x", 0, 0), ("y", 0, 1), ("z", 0, 2), ("x", 90, 1), ("z", 90, 2)):
        rod = PartEntry(cylinder=(0.02, 0.1), axis=axis, turn=turn, color="red").primitive()
        expected = np.full(3, 0.01)
        expected[along] = 0.05
        assert rod.reach == pytest.approx(expected, abs=1e-9)


def test_fingers_meet_what_is_widest_under_the_pads():
    parts = (Primitive("box", (0.05, 0.01, 0.01)), Primitive("box", (0.005, 0.02, 0.01), (0.012, 0.0, 0.0)))
    assert width(parts, 0.0) == pytest.approx(0.02)
    assert width(parts, 0.0, pad=0.01) == pytest.approx(0.04)
    assert width(parts, 0.02, pad=0.01) == 0.0
