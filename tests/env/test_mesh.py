"""Meshes must be closed, outward, true to size, and cheap; their inertia exact."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtbench.env import mesh as shape

CM = st.integers(20, 150).map(lambda mm: mm / 1000)
SHAPES = {
    "can": (shape.can, 2),
    "bottle": (shape.bottle, 2),
    "ball": (shape.ball, 2),
    "apple": (shape.apple, 2),
    "pillow": (shape.pillow, 3),
    "block": (shape.block, 3),
    "mat": (shape.mat, 3),
    "ellipsoid": (shape.ellipsoid, 3),
    "rod": (shape.rod, 2),
}


def corners(mesh):
    return mesh.vertices.astype(np.float64)[mesh.faces]


def face_normals(mesh):
    c = corners(mesh)
    return np.cross(c[:, 1] - c[:, 0], c[:, 2] - c[:, 0])


def open_edges(mesh):
    """Directed edges without their opposite, after vertices at the same place are joined."""
    places: dict[tuple[float, ...], int] = {}
    joined = [places.setdefault(tuple(np.round(v, 6) + 0.0), len(places)) for v in mesh.vertices]
    edges: Counter[tuple[int, int]] = Counter()
    for face in mesh.faces:
        a, b, c = (joined[i] for i in face)
        if len({a, b, c}) == 3:
            edges.update([(a, b), (b, c), (c, a)])
    return [edge for edge, count in edges.items() if edges[edge[::-1]] != count]


def check(mesh, size):
    assert open_edges(mesh) == []
    assert np.linalg.det(corners(mesh)).sum() > 0, "the surface is inside out"
    assert np.allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-5)
    facing = np.einsum("fi,fki->fk", face_normals(mesh), mesh.normals[mesh.faces])
    assert (facing > -1e-12).all(), "a vertex normal points into its face"
    assert mesh.texcoords.min() >= 0
    assert mesh.texcoords.max() <= 1
    assert mesh.half == pytest.approx(np.array(size) / 2, abs=1e-6)
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    assert low == pytest.approx(-high, abs=1e-6)
    assert 40 <= len(mesh.faces) <= 400


@pytest.mark.parametrize("name", SHAPES)
@settings(max_examples=15, deadline=None, derandomize=True)
@given(sizes=st.tuples(CM, CM, CM))
def test_meshes_are_closed_outward_and_true_to_size(name, sizes):
    build, count = SHAPES[name]
    size = sizes[:count]
    check(build(*size), size if count == 3 else (size[0], size[0], size[1]))


@settings(max_examples=15, deadline=None, derandomize=True)
@given(diameter=st.floats(0.12, 0.25), height=st.floats(0.04, 0.1), base=st.floats(0.06, 0.11))
def test_bowls_are_closed_and_hollow(diameter, height, base):
    mesh = shape.bowl((diameter, height, base, 0.005), floor=0.005)
    check(mesh, (diameter, diameter, height))
    volume = np.linalg.det(corners(mesh)).sum() / 6
    outside = np.pi * height / 12 * (diameter**2 + diameter * base + base**2)
    assert volume < 0.5 * outside


def test_inertia_of_a_box_beside_the_origin_is_exact():
    size, offset, mass = np.array([0.3, 0.2, 0.1]), np.array([0.5, -0.2, 0.4]), 2.0
    square = np.array([(0, 1, 2), (0, 2, 3)])
    faces = [(0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2), (1, 3, 7, 5)]
    grid = np.array([(x, y, z) for z in (0, 1) for y in (0, 1) for x in (0, 1)]) - 0.5
    mesh = shape.Mesh(
        vertices=(grid * size + offset).astype(np.float32),
        faces=np.array([np.array(f)[tri] for f in faces for tri in square], dtype=np.int32),
        texcoords=np.zeros((8, 2), np.float32),
        normals=grid.astype(np.float32),
    )
    center, inertia = mesh.inertia(mass)
    x, y, z = size**2
    assert center == pytest.approx(offset, abs=1e-6)
    assert inertia == pytest.approx(np.diag([y + z, x + z, x + y]) * mass / 12, abs=1e-6)


def test_inertia_of_a_ball_nears_that_of_a_sphere():
    _, inertia = shape.ball(0.07, 0.07).inertia(0.16)
    assert np.diag(inertia) == pytest.approx([0.4 * 0.16 * 0.035**2] * 3, rel=0.12)


@pytest.mark.parametrize("name", ["can", "bottle", "ball", "apple"])
def test_u_runs_once_around(name):
    mesh = SHAPES[name][0](0.066, 0.12)
    side = mesh.vertices[:, 1] > 0.01
    angle = np.arctan2(mesh.vertices[side, 1], mesh.vertices[side, 0]) / (2 * np.pi)
    assert mesh.texcoords[side, 0] == pytest.approx(angle % 1, abs=1e-5)


def test_a_block_shows_its_label_on_top_and_bottom():
    mesh = shape.block(0.11, 0.065, 0.035)
    low, high = shape.BLOCK_LAYOUT.faces
    for sign, (start, end) in ((1, high), (-1, low)):
        v = mesh.texcoords[mesh.normals[:, 2] * sign > 0.99, 1]
        assert v.size == 4
        assert start <= v.min() < v.max() <= end


@settings(max_examples=15, deadline=None, derandomize=True)
@given(diameter=CM, more=CM)
def test_capsules_are_closed_and_true_to_size(diameter, more):
    check(shape.capsule(diameter, diameter + more), (diameter, diameter, diameter + more))


def test_a_cup_is_closed_and_hollow():
    mesh = shape.cup(0.068, 0.085, 0.062)
    check(mesh, (0.068, 0.068, 0.085))
    volume = np.linalg.det(corners(mesh)).sum() / 6
    assert volume < 0.4 * np.pi * 0.034**2 * 0.085


def test_a_mat_shows_its_label_on_top_only_with_its_upper_edge_ahead():
    mesh = shape.mat(0.12, 0.1, 0.004)
    (low, high), top = shape.MAT_LAYOUT.faces[0], mesh.normals[:, 2] > 0.99
    assert (mesh.texcoords[~top, 1] < low).all()
    u, v = mesh.texcoords[top].T
    x, y, _ = mesh.vertices[top].T
    assert (v[x > 0] > (low + high) / 2).all()
    assert (v[x < 0] < (low + high) / 2).all()
    assert (u[y > 0] < 0.5).all(), "left of the picture is at +y"
    assert v.max() - v.min() == pytest.approx(high - low, abs=0.02)
