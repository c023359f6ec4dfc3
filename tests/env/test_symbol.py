"""Symbols are big, stay in their box, and are told apart at the size at which a policy sees them."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from rtbench.core.errors import UnknownNameError
from rtbench.env.mesh import MAT_LAYOUT
from rtbench.env.symbol import PAINTERS, draw_symbol
from rtbench.env.texture import paint
from rtbench.task.appearance import CHARACTERS, PICTURES, SHAPES, SYMBOLS, LabelEntry
from rtbench.task.library import BUNDLED

CARDS = {name: obj for name, obj in BUNDLED.things().items() if obj.set == "symbols"}
GROUND = (255, 255, 255)
SMALL = (20, 28)
"""Rows and columns that the symbol of a mat 0.7 m away covers in the head camera's image."""
ALIKE = {frozenset("0O"), frozenset("DO"), frozenset("0D"), frozenset("UV"), frozenset("QO"), frozenset("Q0")}
"""Characters that differ little in any type; no two of them are on mats."""


def drawn(name, color="#203040", size=(120, 120), box=None):
    """The symbol on white, uint8[height, width, 3]."""
    image = Image.new("RGB", size, GROUND)
    draw_symbol(ImageDraw.Draw(image), name, box or (0, 0, *size), color)
    return np.asarray(image)


def small(name, color="#203040"):
    """As in the head camera's image, float64[20, 28, 3]."""
    image = Image.fromarray(drawn(name, color)).resize(SMALL[::-1], Image.Resampling.BOX)
    return np.asarray(image).astype(np.float64)


@pytest.mark.parametrize("name", SYMBOLS)
def test_it_fills_its_square(name):
    ink = (drawn(name) != GROUND).any(-1)
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    assert max(np.ptp(rows), np.ptp(columns)) > 0.8 * 120
    assert ink.mean() > 0.14, "too thin to be seen"
    assert abs(rows.mean() - 60) < 15
    assert abs(columns.mean() - 60) < 15


@given(
    name=st.sampled_from(SYMBOLS),
    left=st.integers(5, 60),
    top=st.integers(5, 60),
    width=st.integers(30, 90),
    height=st.integers(30, 90),
)
def test_it_stays_in_its_box(name, left, top, width, height):
    image = drawn(name, size=(160, 160), box=(left, top, left + width, top + height))
    ink = (image != GROUND).any(-1)
    assert ink.any()
    ink[top - 3 : top + height + 4, left - 3 : left + width + 4] = (
        False  # strokes may round up by a pixel or two
    )
    assert not ink.any()


@pytest.mark.parametrize("name", SYMBOLS)
def test_its_colour_is_the_one_asked_for(name):
    counts = {color: (drawn(name, color) == np.array(rgb)).all(-1).mean()
              for color, rgb in (("#c81e5a", (200, 30, 90)), ("#1e5ac8", (30, 90, 200)))}  # fmt: skip
    assert min(counts.values()) > 0.05


def test_all_are_told_apart_by_their_form_alone():
    """All in one colour, at the size in the picture: a share of the pixels must differ."""
    looks = {name: small(name) for name in SYMBOLS}
    for a, b in combinations(looks, 2):
        if frozenset((a, b)) not in ALIKE:
            distance = np.abs(looks[a] - looks[b]).mean()
            assert distance > 9, f"{a} and {b} look alike ({distance:.1f} of 255)"


def test_mats_are_told_apart_by_their_symbol_only():
    faces = {}
    for name, obj in CARDS.items():
        face = paint(obj.label, MAT_LAYOUT)[: MAT_LAYOUT.height // 2]
        faces[name] = np.asarray(Image.fromarray(face).resize(SMALL[::-1], Image.Resampling.BOX)).astype(
            float
        )
    for a, b in combinations(faces, 2):
        assert np.abs(faces[a] - faces[b]).mean() > 9, f"{a} and {b} look alike"
    grounds = np.array([face[0, 0] for face in faces.values()])
    assert np.ptp(grounds, axis=0).max() < 12, "a mat's ground tells which one it is"
    assert len({obj.size for obj in CARDS.values()}) == 1


def test_the_cards_are_what_they_show():
    assert len(CARDS) <= 40
    assert [CARDS[f"digit_{n}"].value for n in range(10)] == list(range(10))
    for name, obj in CARDS.items():
        assert obj.kind == "mat"
        assert {"platform", "mat"} <= set(obj.tags)
        groups = {"digit", "letter", "shape", "picture"} & set(obj.tags)
        assert len(groups) == 1, name
        drawn_by = {"digit": CHARACTERS, "letter": CHARACTERS, "shape": SHAPES, "picture": PICTURES}
        assert obj.label.symbol in drawn_by[groups.pop()]
        if obj.value is not None:
            assert obj.label.symbol == obj.names[0] == str(obj.value)
            assert ("even" in obj.tags, "odd" in obj.tags) == (obj.value % 2 == 0, obj.value % 2 == 1)
        else:
            assert "digit" not in obj.tags
            if "letter" in obj.tags:
                assert obj.names[0].removeprefix("letter ") == obj.label.symbol.lower()


@pytest.mark.parametrize("name", SYMBOLS)
def test_drawing_is_deterministic(name):
    assert np.array_equal(drawn(name), drawn(name))


def test_every_symbol_has_a_painter():
    assert tuple(PAINTERS) == (*SHAPES, *PICTURES)


def test_an_unknown_symbol_is_an_error_with_the_nearest_name():
    with pytest.raises(UnknownNameError, match="Did you mean 'heart'"):
        drawn("hart")
    with pytest.raises(ValueError, match="unknown symbol 'hart', did you mean 'heart'"):
        LabelEntry(color="white", symbol="hart")
