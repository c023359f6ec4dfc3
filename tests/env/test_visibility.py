"""What the cameras see: upright, not mirrored, and the things that the task is about."""

import importlib

import mujoco
import numpy as np
import pytest

from rtbench.core.episode import IMAGE_HEIGHT, IMAGE_WIDTH
from rtbench.env.camera import PROFILES, Renderer
from rtbench.env.kitchen import Kitchen
from rtbench.task.library import BUNDLED, load_suite
from rtbench.task.suite import episodes
from tests.helpers.paths import ROOT

BENCHMARKS = ROOT / "benchmarks"
SUITE = episodes(load_suite("seen"), rounds=3, seed=21)
SKILLS = sorted({e.skill for e in SUITE})


@pytest.fixture(scope="module")
def seeing():
    kitchen = Kitchen(cameras=())
    yield kitchen
    kitchen.close()


@pytest.fixture(scope="module")
def visibility():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield importlib.import_module("visibility")


def project(kitchen, camera, point):
    """Column and row [pixels] of a world point [m], by the pinhole model; rows count from the top."""
    model, data = kitchen.world.scene.model, kitchen.world._data
    number = model.camera(camera).id
    x, y, z = data.cam_xmat[number].reshape(3, 3).T @ (np.asarray(point) - data.cam_xpos[number])
    focal = IMAGE_HEIGHT / 2 / np.tan(np.radians(model.cam_fovy[number]) / 2)
    assert z < 0, "before the camera"
    return np.array([IMAGE_WIDTH / 2 + focal * x / -z, IMAGE_HEIGHT / 2 - focal * y / -z])


def difference_when_hidden(kitchen, name):
    """Where the picture changes when an object is not drawn: middle of those pixels, column and row."""
    model = kitchen.world.scene.model
    geom = model.geom(f"{name}:visual").id
    shown = kitchen.frame().astype(int)
    group, model.geom_group[geom] = model.geom_group[geom], 5
    try:
        hidden = kitchen.frame().astype(int)
    finally:
        model.geom_group[geom] = group
    rows, columns = np.nonzero(np.abs(shown - hidden).max(axis=2) > 24)
    assert len(rows) > 60, f"{name} cannot be seen"
    return np.array([columns.mean(), rows.mean()])


def test_a_frame_is_a_colour_picture(seeing, episode_of):
    seeing.begin(episode_of("pick/coke_can-v0"))
    for camera in ("head", "wrist"):
        frame = seeing.frame(camera)
        assert frame.shape == (IMAGE_HEIGHT, IMAGE_WIDTH, 3)
        assert frame.dtype == np.uint8
        assert frame.flags["C_CONTIGUOUS"]
        assert frame.std() > 15
        assert 30 < frame.mean() < 225, "neither black nor blown out"


@pytest.mark.parametrize("seed", range(3))
def test_objects_appear_where_they_are(seeing, episode_of, seed):
    """So the picture is upright and not mirrored."""
    seeing.begin(episode_of("move_near/coke_can_sponge-v0", seed, objects=("coke_can", "sponge")))
    for name in ("coke_can", "sponge"):
        wanted = project(seeing, "head", seeing.world.pose(name).position)
        assert difference_when_hidden(seeing, name) == pytest.approx(wanted, abs=9)


def test_red_is_red(seeing, episode_of):
    """Not blue: the channels are in order."""
    seeing.begin(episode_of("pick/coke_can-v0", objects=("coke_can",)))
    column, row = project(seeing, "head", seeing.world.pose("coke_can").position).astype(int)
    red, _, blue = seeing.frame()[row - 12 : row + 13, column - 12 : column + 13].reshape(-1, 3).mean(0)
    assert red > blue + 40


def test_the_head_camera_turns_with_the_base(seeing, episode_of, act):
    seeing.begin(episode_of("pick/coke_can-v0", objects=("coke_can",)))
    before = project(seeing, "head", seeing.world.pose("coke_can").position)
    act(seeing, mode=1, base_yaw=0.2)
    after = project(seeing, "head", seeing.world.pose("coke_can").position)
    assert after[0] > before[0] + 20, "the robot turns left, so the world goes right"


def test_the_wrist_camera_sees_both_fingers(seeing, episode_of, act):
    seeing.begin(episode_of("pick/coke_can-v0"))
    model = seeing.world.scene.model
    renderer = Renderer(model)
    for gripper in (-1.0, 1.0):
        act(seeing, gripper=gripper)
        image = renderer.segment(seeing.world._data, "wrist")
        middles = []
        for finger in ("leftfinger", "rightfinger"):
            body = model.body(finger).id
            found = np.isin(image, [g for g in range(model.ngeom) if model.geom_bodyid[g] == body])
            assert found.sum() > 200, finger
            middles.append(np.nonzero(found)[1].mean())
        assert abs(middles[0] - middles[1]) > 10, "one on each side"
    renderer.close()


def test_segments_alone_hold_all_that_is_seen(seeing, episode_of):
    seeing.begin(episode_of("move_near/coke_can_sponge-v0"))
    model = seeing.world.scene.model
    renderer = Renderer(model)
    groups = model.geom_group.copy()
    whole = renderer.segment(seeing.world._data, "head")
    assert whole.shape == (IMAGE_HEIGHT, IMAGE_WIDTH)
    assert whole.min() >= -1
    for name in seeing.world.names():
        geom = model.geom(f"{name}:visual").id
        alone = renderer.segment(seeing.world._data, "head", only={geom})
        assert {*np.unique(alone)} == {-1, geom}
        assert ((whole == geom) <= (alone == geom)).all(), "nothing is seen that is not there"
    assert np.array_equal(model.geom_group, groups), "all is drawn again afterwards"
    assert np.array_equal(renderer.segment(seeing.world._data, "head"), whole)
    renderer.close()


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_the_profiles_show_the_same_things(seeing, episode_of, profile):
    seeing.begin(episode_of("pick/coke_can-v0"))
    renderer = Renderer(seeing.world.scene.model, profile)
    frame = renderer.render(seeing.world._data, "head")
    again = renderer.render(seeing.world._data, "head")
    segments = renderer.segment(seeing.world._data, "head")
    renderer.close()
    assert np.array_equal(frame, again)
    assert np.abs(frame.astype(int) - seeing.frame().astype(int)).mean() < 25
    geom = seeing.world.scene.model.geom("coke_can:visual").id
    assert (segments == geom).sum() > 200
    known = {-1, *range(seeing.world.scene.model.ngeom)}
    assert {*np.unique(segments)} <= known


def test_pictures_of_the_same_state_are_the_same(episode_of):
    played = episode_of("pick/apple-v0", 2)
    frames = []
    for _ in range(2):
        kitchen = Kitchen(cameras=("head", "wrist"))
        images = kitchen.begin(played).images
        frames.append([images["head"], images["wrist"]])
        kitchen.close()
    for first, second in zip(*frames, strict=True):
        assert np.array_equal(first, second)


@pytest.mark.parametrize("skill", SKILLS)
def test_targets_are_seen_from_the_first_frame_on(seeing, visibility, skill):
    """A sample; benchmarks/visibility.py measures the whole suite."""
    eye = visibility.Eye(seeing)
    for played in (e for e in SUITE if e.skill == skill):
        sight = visibility.watch(seeing, eye, played)
        assert all(pixels > 60 for pixels in sight.pixels.values()), sight.pixels
        # Of drawers that are drawn out the upper one hides the lower ones.
        stacked = len(BUNDLED.task(played.task).start.drawers) > 1
        if not sight.hidden and not stacked:
            assert sight.least >= visibility.LEAST, (played.task, played.seed, sight.shares)
            assert not sight.cut, played.task
        assert np.mean(sight.frames) >= visibility.FRAMES, played.task


def test_what_hides_is_measured(seeing, visibility, episode_of):
    """A bowl held before the can leaves less of it to be seen."""
    played = episode_of("place_into/coke_can_white_bowl-v0", objects=("coke_can", "white_bowl"))
    seeing.begin(played)
    eye, data = visibility.Eye(seeing), seeing.world._data
    free = eye.mask("coke_can").sum() / eye.mask("coke_can", alone=True).sum()
    assert free > 0.95
    camera = data.cam("head").xpos
    joint = data.joint("white_bowl:free")
    joint.qpos[:3] = camera + 0.6 * (seeing.world.pose("coke_can").position - camera)
    mujoco.mj_forward(seeing.world.scene.model, data)
    assert eye.mask("coke_can").sum() / eye.mask("coke_can", alone=True).sum() < 0.5
    assert eye.mask("white_bowl").sum() > 1000
