"""Looks: nothing of the suite novel is in them, and they change no state."""

from __future__ import annotations

import builtins
import copy
import io
import math
from itertools import pairwise

import mujoco
import numpy as np
import pytest

from rtbench.core.seeding import generator
from rtbench.data.looks import SIDE, Look, draw_look, dress
from rtbench.data.procedural_texture import KINDS, paint
from rtbench.env import texture as textures
from rtbench.env.kitchen import Kitchen
from rtbench.env.perturbation import vary
from rtbench.env.room import LIGHT
from rtbench.env.scene import load_scene
from rtbench.task.library import BUNDLED, load_suite
from rtbench.task.suite import episodes

LOOKS = 60
ALIKE = 0.65
"""Correlation, in the best shift, above which a picture shows the same pattern as another."""


def pattern(pixels):
    """Brightness of zero mean and unit deviation; None for a picture of one colour."""
    grey = pixels.astype(float).mean(-1)
    grey -= grey.mean()
    return grey / grey.std() if grey.std() > 1 else None


def likeness(one, other):
    """Largest correlation of two patterns over all shifts, either way round."""
    spectrum = np.fft.rfft2(one) * np.conj(np.fft.rfft2(other))
    return np.abs(np.fft.irfft2(spectrum, one.shape)).max() / one.size


def test_a_patterns_likeness_finds_a_shifted_and_recoloured_picture():
    cloth = textures.texture("cloth")
    moved = np.roll(255 - cloth[..., ::-1] // 2, (5, 9), (0, 1))
    assert likeness(pattern(cloth), pattern(moved)) > 0.95


def test_no_picture_shows_a_texture_of_the_benchmark():
    known = {name: textures.texture(name) for name in textures.TEXTURES}
    patterns = {name: pattern(pixels) for name, pixels in known.items()}
    for number in range(300):
        pixels = paint(generator("picture", number), SIDE, SIDE)
        drawn = pattern(pixels)
        for name, its in known.items():
            assert not np.array_equal(pixels, its)
            if drawn is not None and patterns[name] is not None:
                assert likeness(drawn, patterns[name]) < ALIKE, f"picture {number} is like {name}"


def test_pictures_have_no_seam():
    for name, kind in KINDS.items():
        field = kind(generator("seam", name), (SIDE, SIDE))
        assert field.shape == (SIDE, SIDE)
        assert field.min() >= 0
        assert field.max() <= 1
        steps = np.abs(np.diff(field, axis=0)).mean(1)
        assert np.abs(field[0] - field[-1]).mean() <= 2 * steps.max() + 1e-9


def angle(one, other):
    one, other = (np.array(v) / np.linalg.norm(v) for v in (one, other))
    return math.degrees(math.acos(np.clip(one @ other, -1, 1)))


def test_no_look_has_the_light_or_camera_of_a_variant():
    # Those of SIMPLER are of other scenes and another robot.
    variants = [BUNDLED.variant(name) for name in BUNDLED.variants() if not name.startswith("simpler_")]
    lights = [v.light for v in variants if v.light]
    cameras = [v.camera for v in variants if v.camera]
    assert len(lights) > 2
    assert len(cameras) > 1
    for number in range(300):
        look = draw_look("test", number)
        for light in lights:
            assert angle(look.direction, light.direction) > 5 or look.ambient - light.ambient > 0.05
        for camera in cameras:
            assert np.all(np.abs(look.shift) < np.array(camera.shift))
            assert np.all(np.abs(look.turn) < np.array(camera.turn))


def test_variants_are_not_read(monkeypatch):
    opened = []
    real = io.open

    def spy(file, *rest, **more):
        opened.append(str(file))
        return real(file, *rest, **more)

    monkeypatch.setattr(builtins, "open", spy)
    monkeypatch.setattr(io, "open", spy)
    scene = load_scene("office_kitchen", ("seen",))
    model = copy.copy(scene.model)
    for number in range(5):
        dress(model, scene.model, draw_look("test", number), scene.spec.ornaments)
    assert not [path for path in opened if "variants" in path]


def worn(model):
    """Texture of each surface that is shown: name of the material, and its pixels."""
    found = {}
    for number in set(model.geom_matid[model.geom_matid >= 0].tolist()):
        name = model.mat(number).name
        if "/" in name:
            texture = int(model.mat_texid[number][mujoco.mjtTextureRole.mjTEXROLE_RGB])
            begin = int(model.tex_adr[texture])
            found[name] = model.tex_data[begin : begin + SIDE * SIDE * 3].reshape(SIDE, SIDE, 3).copy()
    return found


def test_a_dressed_model_shows_its_own_textures_or_procedural_ones():
    scene = load_scene("office_kitchen", ("seen",))
    own = worn(scene.model)
    model = copy.copy(scene.model)
    for number in range(LOOKS):
        look = draw_look("test", number)
        dress(model, scene.model, look, scene.spec.ornaments)
        for name, pixels in worn(model).items():
            surface = name.partition("/")[0]
            if surface in look.surfaces:
                assert np.array_equal(pixels, look.surfaces[surface])
            else:
                assert np.array_equal(pixels, own[name])


def test_a_look_can_be_undone():
    scene = load_scene("office_kitchen", ("seen",))
    model = copy.copy(scene.model)
    dress(model, scene.model, draw_look("test", 0), scene.spec.ornaments)
    light = model.light(LIGHT).id
    assert not np.array_equal(model.light_diffuse[light], scene.model.light_diffuse[light])
    dress(model, scene.model, None, scene.spec.ornaments)
    for name in ("geom_matid", "geom_rgba", "light_diffuse", "light_dir", "cam_pos", "cam_quat"):
        assert np.array_equal(getattr(model, name), getattr(scene.model, name)), name
    vary(model, BUNDLED.variant(""), generator("none"))
    assert {name: p.tobytes() for name, p in worn(model).items()} == {
        name: p.tobytes() for name, p in worn(scene.model).items()
    }


def test_a_seed_gives_one_look():
    first, same, other = draw_look(1, "a"), draw_look(1, "a"), draw_look(2, "a")
    assert first.direction == same.direction != other.direction
    assert first.shift == same.shift
    assert first.surfaces.keys() == same.surfaces.keys()
    assert all(np.array_equal(first.surfaces[s], same.surfaces[s]) for s in first.surfaces)


def test_surfaces_differ_between_looks():
    drawn = [draw_look("test", number) for number in range(LOOKS)]
    tops = [look.surfaces["tops"] for look in drawn if "tops" in look.surfaces]
    assert 0.7 * LOOKS < len(tops) < LOOKS
    assert all(not np.array_equal(a, b) for a, b in pairwise(tops))


@pytest.fixture(scope="module")
def kitchen():
    made = Kitchen()
    made.begin(episodes(load_suite("seen"), limit=1, seed=5)[0])
    yield made
    made.close()


def test_a_look_alters_no_state(kitchen):
    stage = kitchen._current()
    whole = copy.copy(stage.scene.model)
    before = kitchen.state_hash()
    dress(stage.scene.model, whole, draw_look("test", 1), stage.scene.spec.ornaments)
    assert kitchen.state_hash() == before
    dress(stage.scene.model, whole, None, stage.scene.spec.ornaments)
    assert kitchen.state_hash() == before


def test_the_own_look_is_the_rooms():
    scene = load_scene("office_kitchen", ("seen",))
    model = copy.copy(scene.model)
    assert dress(model, scene.model, Look(), scene.spec.ornaments) == set()
    assert np.allclose(model.cam_quat, scene.model.cam_quat)
    light = model.light(LIGHT).id
    assert np.allclose(model.light_diffuse[light], scene.model.light_diffuse[light])
    assert np.allclose(model.vis.headlight.ambient, scene.model.vis.headlight.ambient)
