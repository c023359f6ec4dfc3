"""Variants change what their entries say, and nothing that comes after them."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtbench.core.errors import ContentError, PlacementError, UnknownNameError
from rtbench.core.rotation import difference
from rtbench.core.seeding import generator
from rtbench.env.kitchen import Kitchen
from rtbench.env.material import SURFACES, surface_of
from rtbench.env.perturbation import start, vary
from rtbench.env.scene import load_scene
from rtbench.env.visibility import Cylinder, share_behind, visible_share
from rtbench.task.library import BUNDLED, Library
from rtbench.task.library import VARIANTS as FOLDER

VARIANTS = {n: v for n, v in BUNDLED.variants().items() if not n.startswith("simpler_")}
"""All but SIMPLER's, which are of other scenes and have tests of their own."""
MOVING = sorted(name for name, v in VARIANTS.items() if v.robot or v.camera)
LOOKS = sorted(name for name, v in VARIANTS.items() if v.surfaces or v.light)
each = pytest.mark.parametrize("name", sorted(VARIANTS))
PICK = "pick/coke_can-v0"
NINE = (
    "apple", "orange", "sponge", "pepsi_can", "water_bottle", "green_can", "brown_chip_bag",
    "rxbar_chocolate", "7up_can",
)  # fmt: skip


@pytest.fixture(scope="module")
def seeing():
    kitchen = Kitchen()
    yield kitchen
    kitchen.close()


@pytest.fixture
def played(episode_of):
    """played(variant, seed): the same few things, whatever the variant; nine where it hides one of them."""

    def make(variant="", seed=0):
        others = NINE if variant == "hidden" else NINE[:3]
        return episode_of(PICK, seed, objects=("coke_can", *others), variant=variant)

    return make


def surfaces(model):
    """Geom -> texture of what wears one of our textures."""
    names = {g: model.mat(m).name for g, m in enumerate(model.geom_matid) if m >= 0}
    return {model.geom(g).name: name for g, name in names.items() if surface_of(name)}


@each
def test_an_episode_of_a_variant_begins_and_leaves_nothing_behind(kitchen, played, name):
    kitchen.begin(played())
    model, plain = kitchen.world.scene.model, kitchen.state_hash()
    before = surfaces(model), model.cam_pos.copy(), model.light_dir.copy(), model.vis.headlight.ambient.copy()
    kitchen.begin(played(name))
    assert not kitchen.success()
    kitchen.begin(played())
    after = surfaces(model), model.cam_pos, model.light_dir, model.vis.headlight.ambient
    assert kitchen.state_hash() == plain
    assert before[0] == after[0]
    assert all(np.array_equal(a, b) for a, b in zip(before[1:], after[1:], strict=True))


@each
def test_the_same_episode_of_a_variant_is_the_same_after_any_other(kitchen, played, name):
    states = []
    for other in ("", "background_hard_dark_kitchen", "robot_large"):
        kitchen.begin(played(other, 3))
        kitchen.begin(played(name, 1))
        model = kitchen.world.scene.model
        states.append((kitchen.state_hash(), model.cam_pos.tobytes(), model.geom_matid.tobytes()))
    assert len(set(states)) == 1


@pytest.mark.parametrize("name", LOOKS)
def test_what_looks_otherwise_is_otherwise_the_same(seeing, played, name):
    plain = seeing.begin(played()).images["head"].astype(int)
    state = seeing.state_hash()
    changed = seeing.begin(played(name)).images["head"].astype(int)
    assert seeing.state_hash() == state
    assert (np.abs(changed - plain).max(axis=2) > 12).mean() > 0.03, "one can see it"
    assert 25 < changed.mean() < 235, "neither black nor blown out"


@pytest.mark.parametrize("name", [n for n in LOOKS if VARIANTS[n].surfaces])
def test_the_surfaces_named_wear_the_texture_and_no_others(kitchen, played, name):
    kitchen.begin(played())
    plain = surfaces(kitchen.world.scene.model)
    assert {surface_of(texture) for texture in plain.values()} == set(SURFACES)
    kitchen.begin(played(name))
    for geom, found in surfaces(kitchen.world.scene.model).items():
        surface = surface_of(plain[geom])
        wanted = VARIANTS[name].surfaces.get(surface)
        assert found == (f"{surface}/{wanted}" if wanted else plain[geom]), geom


def test_no_variant_looks_like_the_kitchen_itself():
    scene = load_scene("office_kitchen", ())
    worn = set(surfaces(scene.model).values())
    for name, variation in VARIANTS.items():
        for surface, texture in variation.surfaces.items():
            if not (name.startswith("background_hard") and surface == "floor"):
                assert f"{surface}/{texture}" not in worn, (name, surface)


@pytest.mark.parametrize("name", MOVING)
@pytest.mark.parametrize("seed", range(4))
def test_camera_and_robot_are_moved_by_what_the_variant_says(kitchen, played, name, seed):
    kitchen.begin(played("", seed))
    model, base = kitchen.world.scene.model, kitchen.world.base()
    camera = model.camera("head").id
    position, turn = model.cam_pos[camera].copy(), model.cam_quat[camera].copy()
    spots = [kitchen.world.pose(o).position for o in kitchen.world.names()]
    kitchen.begin(played(name, seed))
    variation = VARIANTS[name]
    shift = np.abs(model.cam_pos[camera] - position)
    angle = math.degrees(np.linalg.norm(difference(model.cam_quat[camera], turn)))
    moved = kitchen.world.base() - base
    if variation.camera:
        assert shift == pytest.approx(variation.camera.shift)
        assert angle == pytest.approx(np.linalg.norm(variation.camera.turn))
        assert moved == pytest.approx(np.zeros(3), abs=1e-3)
    if variation.robot:
        assert not shift.any()
        wanted = variation.robot.back, variation.robot.aside, math.radians(variation.robot.turn)
        assert moved[0] == pytest.approx(-wanted[0], abs=2e-3)
        assert np.abs(moved[1:]) == pytest.approx(wanted[1:], abs=2e-3)
    now = [kitchen.world.pose(o).position for o in kitchen.world.names()]
    assert np.abs(np.subtract(now, spots)).max() < 1e-3, "the twin has everything in the same places"


@pytest.mark.parametrize("name", MOVING)
def test_the_seed_draws_the_signs(name):
    model = load_scene("office_kitchen", ()).model
    found = set()
    for seed in range(24):
        begin = start(np.zeros(3), VARIANTS[name], generator("signs", seed))
        camera = model.cam_pos.copy()
        vary(model, VARIANTS[name], generator("signs", seed))
        found.add((*np.sign(begin[1:]), *np.sign((model.cam_pos - camera).sum(axis=0).round(6))))
        model.cam_pos[:] = camera
    assert len(found) >= 4


@pytest.mark.parametrize("seed", range(6))
def test_the_hidden_target_shows_in_part(kitchen, played, seed):
    kitchen.begin(played("hidden", seed))
    scene, data = kitchen.world.scene, kitchen.world._data
    least, most = VARIANTS["hidden"].visible
    assert least <= visible_share(scene.model, data, scene.objects["coke_can"]) <= most
    assert len(kitchen.world.names()) == 10


def test_a_target_in_a_drawer_cannot_be_hidden_twice(kitchen, episode_of):
    with pytest.raises(PlacementError, match=r"hidden.*pick_from/sponge_top_drawer"):
        kitchen.begin(episode_of("pick_from/sponge_top_drawer-v0", variant="hidden"))


def test_nothing_to_hide_behind_is_an_error_that_says_so(kitchen, episode_of):
    with pytest.raises(PlacementError, match=r"no distractors can stand so that it hides 'coke_can'"):
        kitchen.begin(episode_of(PICK, objects=("coke_can",), variant="hidden"))


def test_a_target_out_of_the_picture_is_not_seen(kitchen, played):
    kitchen.begin(played())
    scene, data = kitchen.world.scene, kitchen.world._data
    can = scene.objects["coke_can"]
    assert visible_share(scene.model, data, can) > 0.75
    kept = data.cam("head").xmat.copy()
    try:
        data.cam("head").xmat[:] = (kept.reshape(3, 3) @ np.diag([-1.0, 1.0, -1.0])).ravel()
        assert visible_share(scene.model, data, can) == 0.0
    finally:
        data.cam("head").xmat[:] = kept


@settings(max_examples=60)
@given(
    along=st.floats(0.05, 0.95),
    aside=st.floats(-0.2, 0.2),
    radius=st.floats(0.02, 0.1),
    top=st.floats(0.0, 1.5),
)
def test_a_column_hides_what_the_way_runs_through(along, aside, radius, top):
    """By small steps along the way, which is another way to find out."""
    eye, point = np.array([0.1, -0.3, 1.6]), np.array([0.9, 0.2, 0.9])
    way = point - eye
    across = np.array([-way[1], way[0]]) / np.hypot(*way[:2])
    column = Cylinder(eye[:2] + along * way[:2] + aside * across, radius, top)
    steps = eye + np.linspace(0, 1, 4001)[:, None] * way
    within = np.hypot(*(steps[:, :2] - column.middle).T) - radius
    through = (within < -1e-3) & (steps[:, 2] < top - 1e-3)
    beside = ((within > 1e-3) | (steps[:, 2] > top + 1e-3)).all()
    if np.hypot(*(eye[:2] - column.middle)) > radius and (through.any() or beside):
        assert share_behind(eye, point[None], column) == (1.0 if through.any() else 0.0)


# Misuse -------------------------------------------------------------------------------------------------


def test_an_unknown_variant_is_told_with_the_nearest(kitchen, played):
    with pytest.raises(UnknownNameError, match="background_cloth_check"):
        kitchen.begin(played("background_cloth_chek"))


@pytest.mark.parametrize(
    ("entry", "parts"),
    [
        ("{surfaces: {tops: clth}}", ("surfaces", '"clth"', "Did you mean 'cloth'?")),
        ("{surfaces: {tips: cloth}}", ("tips", "Did you mean 'tops'?")),
        ("{visible: [0.8, 0.2]}", ("visible", "0.8")),
        ("{light: {ambient: 2.0, diffuse: [1.0, 1.0, 1.0], direction: [0.0, 0.0, -1.0]}}", ("ambient",)),
        ("{light: {ambient: 0.4, diffuse: [1.0, 1.0, 3.0], direction: [0.0, 0.0, -1.0]}}", ("3.0",)),
        ("{light: {ambient: 0.4, diffuse: [1.0, 1.0, 1.0], direction: [0.0, 0.0, 1.0]}}", ("downwards",)),
        ("{robot: {back: -0.2, aside: 0.0, turn: 0.0}}", ("back",)),
        ("{robot: {back: 3.0, aside: 0.0, turn: 0.0}}", ("robot.back", "0.5")),
        ("{camera: {shift: [0.1, 9.0, 0.1], turn: [0.0, 0.0, 0.0]}}", ("camera.shift.1", "0.5")),
        ("{camra: {}}", ("camra", "camera")),
    ],
)
def test_a_variant_that_cannot_be_is_refused(tmp_path, entry, parts):
    (tmp_path / FOLDER).mkdir(parents=True)
    (tmp_path / FOLDER / "mine.yaml").write_text(f"odd: {entry}\n")
    with pytest.raises(ContentError) as caught:
        Library((tmp_path,)).variant("odd")
    for part in ("mine.yaml", "odd", *parts):
        assert part in str(caught.value)


def test_a_variant_of_ones_own_is_played(episode_of, tmp_path):
    (tmp_path / FOLDER).mkdir(parents=True)
    (tmp_path / FOLDER / "mine.yaml").write_text("mine: {surfaces: {tops: brick}}\n")
    kitchen = Kitchen(cameras=(), content=(tmp_path,))
    kitchen.begin(dataclasses.replace(episode_of(PICK), variant="mine"))
    assert surfaces(kitchen.world.scene.model)["counter"] == "tops/brick"
