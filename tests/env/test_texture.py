"""Labels are deterministic, stay in their place, and tell objects apart; textures have no seams."""

from itertools import combinations, pairwise
from typing import get_args

import numpy as np
import pytest
from pydantic import ValidationError

from rtbench.core.errors import UnknownNameError
from rtbench.env import mesh, object  # noqa: A004 - the module is named after its noun
from rtbench.env import texture as texture_module
from rtbench.env.texture import TEXTURES, paint, texture
from rtbench.task.appearance import LabelEntry, Texture
from rtbench.task.library import BUNDLED

OBJECTS = BUNDLED.things()


def look(obj):
    """The label as a can 18 pixels wide shows it: 8 x 6 mean colours, float64[8, 6, 3]."""
    layout = object._LOOKS[obj.kind][1]
    pixels = paint(obj.label, layout).astype(np.float64)
    low, high = layout.faces[-1]
    face = pixels[round((1 - high) * layout.height) : round((1 - low) * layout.height)]
    face = face[:, : layout.width // layout.repeats]
    rows, columns = (np.linspace(0, n, k + 1).astype(int) for n, k in ((len(face), 8), (face.shape[1], 6)))
    return np.array([[face[a:b, c:d].mean((0, 1)) for c, d in pairwise(columns)] for a, b in pairwise(rows)])


@pytest.mark.parametrize("kind", ["can", "bottle", "bag", "block", "bowl", "cup", "ball", "apple"])
def test_objects_of_one_shape_are_told_apart_by_colour(kind):
    looks = {o.name: look(o) for o in OBJECTS.values() if o.kind == kind}
    for a, b in combinations(looks, 2):
        if (OBJECTS[a].set == "simpler") != (OBJECTS[b].set == "simpler"):
            continue  # they never stand together
        if {a, b} == {"large_apple", "light_apple"}:
            continue  # SIMPLER has one apple with two masses
        distance = np.linalg.norm(looks[a] - looks[b], axis=-1).mean()
        assert distance > 60, f"{a} and {b} look alike ({distance:.0f} of 441)"


def test_a_symbol_is_printed_over_text_and_emblem_of_a_square_face():
    plain, printed = (
        paint(LabelEntry(color="white", symbol=s, ink="navy"), mesh.MAT_LAYOUT) for s in ("", "heart")
    )
    changed = (plain != printed).any(-1)
    face = changed[: mesh.MAT_LAYOUT.height // 2]
    assert not changed[len(face) :].any(), "the sides of a mat are plain"
    rows, columns = np.flatnonzero(face.any(1)), np.flatnonzero(face.any(0))
    for first, last, length in ((rows[0], rows[-1], len(face)), (columns[0], columns[-1], face.shape[1])):
        assert 0.05 * length < first < 0.2 * length
        assert 0.8 * length < last < 0.95 * length


def test_apple_and_orange_are_told_apart():
    distance = np.linalg.norm(look(OBJECTS["apple"]) - look(OBJECTS["orange"]), axis=-1).mean()
    assert distance > 60


@pytest.mark.parametrize("layout", [mesh.CAN_LAYOUT, mesh.BAG_LAYOUT, mesh.BLOCK_LAYOUT])
@pytest.mark.parametrize("emblem", ["none", *texture_module._EMBLEMS])
def test_painting_is_deterministic_and_read_only(layout, emblem):
    spec = LabelEntry(color="teal", text="word", emblem=emblem)
    first = paint(spec, layout)
    paint.cache_clear()
    second = paint(spec, layout)
    assert first is not second
    assert first.shape == (layout.height, layout.width, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, second)
    with pytest.raises(ValueError, match="read-only"):
        first[0, 0] = 0


@pytest.mark.parametrize("text", ["i", "coke", "a very long word"])
def test_text_shows_on_every_repeat_and_stays_inside(text):
    layout = mesh.CAN_LAYOUT
    plain, written = (paint(LabelEntry(color="navy", text=t), layout) for t in ("", text))
    changed = (plain != written).any(-1)
    cell = layout.width // layout.repeats
    assert np.array_equal(changed[:, :cell], changed[:, cell:])
    columns, rows = np.flatnonzero(changed[:, :cell].any(0)), np.flatnonzero(changed.any(1))
    assert columns.size > 3
    assert columns[0] >= 0.1 * cell
    assert columns[-1] <= 0.9 * cell
    low, high = layout.faces[0]
    assert (1 - high) * layout.height <= rows[0] <= rows[-1] < (1 - low) * layout.height


def test_lid_and_back_are_where_the_layout_says():
    can = paint(LabelEntry(color="red", lid="yellow"), mesh.CAN_LAYOUT)
    assert can[-1, 0].tolist() == [255, 255, 0]
    assert can[can.shape[0] // 2, 0].tolist() == [255, 0, 0]
    sponge = paint(LabelEntry(color="yellow", back="green"), mesh.BLOCK_LAYOUT)
    assert sponge[0, 0].tolist() == [255, 255, 0]
    assert sponge[-1, 0].tolist() == [0, 128, 0]


@pytest.mark.parametrize("field", ["color", "band", "ink", "emblem_color", "lid", "back"])
def test_an_unknown_colour_is_named(field):
    with pytest.raises(ValidationError, match="unknown colour 'redd'"):
        LabelEntry(**{"color": "red", field: "redd"})


@pytest.mark.parametrize("name", TEXTURES)
def test_textures_are_deterministic_and_seamless(name):
    first = texture(name)
    texture.cache_clear()
    assert np.array_equal(first, texture(name))
    assert first.dtype == np.uint8
    assert first.ndim == 3
    assert first.std() > 1, "a texture of one colour"
    for axis in (0, 1):
        values = first.astype(np.float64)
        steps = np.abs(np.diff(values, axis=axis)).mean(axis=(1 - axis, 2))
        seam = np.abs(np.take(values, 0, axis) - np.take(values, -1, axis)).mean()
        assert seam <= steps.max() + 1, "the seam is rougher than any line inside"


def test_every_texture_that_content_may_name_has_a_painter():
    assert tuple(TEXTURES) == get_args(Texture)


def test_an_unknown_texture_is_an_error_with_the_nearest_name():
    with pytest.raises(UnknownNameError, match="Did you mean 'stone'"):
        texture("stoen")
