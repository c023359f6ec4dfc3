"""Where episodes begin, without any physics."""

import contextlib
import dataclasses
import itertools
import math
import re

import mujoco
import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from rtbench.core.episode import DEFAULT_ROBOT
from rtbench.core.errors import PlacementError
from rtbench.core.rotation import yaw_of
from rtbench.core.seeding import generator
from rtbench.env.episode_reset import ATTEMPTS, REDRAWS
from rtbench.env.placement import CROWD_ROOM, FINGER_ROOM, NEAR, Placer
from rtbench.env.scene import load_scene
from rtbench.env.sim_world import SimWorld
from rtbench.task.library import BUNDLED, load_suite
from rtbench.task.predicate import evaluate, footprint_gap
from rtbench.task.suite import draw
from rtbench.task.task import Goal, Start, Task
from tests.helpers.rotations import tilt_of

ROBOT = BUNDLED.robot(DEFAULT_ROBOT)
TASKS = (
    "pick/coke_can-v0", "move_near/apple_sponge-v0", "move_near/blue_chip_bag_brown_chip_bag-v0",
    "place_upright/water_bottle-v0", "knock_over/redbull_can-v0", "open_drawer/top_drawer-v0",
    "place_into/apple_white_bowl-v0", "place_into/sponge_middle_drawer-v0", "pick_from/apple_paper_bowl-v0",
    "pick_from/sponge_bottom_drawer-v0", "bring/orange-v0",
)  # fmt: skip
each_task = pytest.mark.parametrize("name", TASKS)
seeds = st.integers(0, 2**31 - 1)


@pytest.fixture(scope="module")
def world():
    """A world of its own, in which placements are set up and never moved."""
    scene = load_scene("office_kitchen", ("seen",))
    return SimWorld(scene, mujoco.MjData(scene.model))


def episode(name, seed, objects=None):
    found = draw(load_suite("seen"), BUNDLED.task(name), seed)
    return found if objects is None else dataclasses.replace(found, objects=objects)


def place(world, played):
    """Set up an episode's objects, as the kitchen does with attempt after attempt; gives their poses."""
    for number in range(ATTEMPTS * REDRAWS):
        try:
            return _place(world, played, *divmod(number, REDRAWS))
        except PlacementError as error:
            last = error
    raise last


def _place(world, played, attempt=0, redraw=0):
    task, data = BUNDLED.task(played.task), world._data
    targets = generator("test", played.seed, "targets", attempt)
    distractors = generator("test", played.seed, "distractors", attempt, redraw)
    mujoco.mj_resetData(world.scene.model, data)
    for drawer, opening in task.start.drawers.items():
        data.joint(drawer).qpos[0] = opening
    poses = Placer(world.scene, task, targets, distractors).place(played)
    for name, pose in poses.items():
        joint = data.joint(f"{name}:free")
        joint.qpos[:3], joint.qpos[3:] = pose.position, pose.quaternion
    world.set_present(played.objects)
    mujoco.mj_forward(world.scene.model, data)
    return poses


def inside(played):
    start = BUNDLED.task(played.task).start
    return {o for o, where in start.place.items() if where not in ("counter", "side_counter")}


def on_counter(world, name, counter):
    """Whether no part of an object looks over the counter's edge."""
    low, high = world.box(name)
    corners = itertools.product(*zip(low[:2], high[:2], strict=True))
    return all(world.surface(counter).covers(np.array([*corner, 0.0])) for corner in corners)


@each_task
@settings(max_examples=12)
@given(seed=seeds)
def test_objects_never_overlap_and_leave_room_for_fingers(world, name, seed):
    played = episode(name, seed)
    place(world, played)
    beside = [o for o in played.objects if o not in inside(played)]
    for a, b in itertools.combinations(beside, 2):
        own = {a, b} & {*BUNDLED.task(name).present}
        assert world.distance(a, b) >= (FINGER_ROOM if own else CROWD_ROOM) - 0.004, (a, b)


@each_task
@settings(max_examples=12)
@given(seed=seeds)
def test_everything_is_within_reach_and_on_what_it_should_be_on(world, name, seed):
    played = episode(name, seed)
    poses = place(world, played)
    start = BUNDLED.task(name).start
    x, y, yaw = world.station(start.station)
    axis = np.array([x + ROBOT.base.ahead * math.cos(yaw), y + ROBOT.base.ahead * math.sin(yaw)])
    for thing, pose in poses.items():
        if thing in BUNDLED.task(name).objects:
            assert np.linalg.norm(pose.position[:2] - axis) <= ROBOT.arm.placed + 1e-6
        where = start.place.get(thing, start.station)
        low, _ = world.box(thing)
        if where in world.scene.spec.counters:
            region = world.surface(where)
            assert 0 < low[2] - region.center[2] < 0.002
            assert region.covers(pose.position, 0.04), thing
            assert on_counter(world, thing, where), thing
        else:
            cavity = world.cavity(where)
            assert cavity.covers(pose.position)
            assert low[2] >= cavity.center[2] - cavity.half[2] - 1e-3
            assert world.distance(thing, where) > -1e-3, "it does not stick in its receptacle"


@pytest.mark.parametrize("name", ["place_upright/water_bottle-v0", "place_upright/blue_plastic_bottle-v0"])
def test_what_lies_is_on_the_counter_too(world, name):
    target, station = BUNDLED.task(name).objects[0], BUNDLED.task(name).start.station
    for seed in range(60):
        place(world, episode(name, seed))
        assert on_counter(world, target, station), seed


@each_task
@settings(max_examples=6)
@given(seed=seeds)
def test_the_same_seed_gives_the_same_places(world, name, seed):
    first = place(world, episode(name, seed))
    place(world, episode(TASKS[0], seed + 1))
    again = place(world, episode(name, seed))
    for thing, pose in first.items():
        assert np.array_equal(pose.position, again[thing].position)
        assert np.array_equal(pose.quaternion, again[thing].quaternion)


@each_task
def test_other_seeds_give_other_places(world, name):
    poses = [place(world, episode(name, seed)) for seed in range(8)]
    common = set.intersection(*({*p} for p in poses)) or {next(iter(poses[0]))}
    for thing in common:
        spots = np.array([p[thing].position[:2] for p in poses if thing in p])
        assert len(np.unique(spots.round(4), axis=0)) == len(spots)


@each_task
@settings(max_examples=6)
@given(seed=seeds)
def test_distractors_do_not_move_the_targets(world, name, seed):
    """Nor do distractors that are drawn again."""
    task, attempt = BUNDLED.task(name), 0
    try:
        alone = _place(world, episode(name, seed, task.objects), attempt)
    except PlacementError:
        reject()
    for redraw in range(REDRAWS):
        with contextlib.suppress(PlacementError):  # that there is room in the end is tested above
            crowded = _place(world, episode(name, seed), attempt, redraw)
            for thing in task.objects:
                assert np.array_equal(crowded[thing].position, alone[thing].position), thing
                assert np.array_equal(crowded[thing].quaternion, alone[thing].quaternion), thing


@each_task
def test_distractors_drawn_again_stand_elsewhere(world, name):
    spots = []
    for redraw in range(REDRAWS):
        with contextlib.suppress(PlacementError):
            poses = _place(world, episode(name, 5), 0, redraw)
            other = next(thing for thing in poses if thing not in BUNDLED.task(name).objects)
            spots.append(poses[other].position[:2].round(4))
    assert len(spots) > REDRAWS / 2
    assert len(np.unique(spots, axis=0)) == len(spots)


@each_task
def test_the_kitchen_moves_the_targets_only_after_all_redraws(kitchen, name):
    task, same = BUNDLED.task(name), 0
    for seed in range(4):
        found = []
        for objects in (None, task.objects):
            kitchen.begin(episode(name, seed, objects))
            if int(kitchen.fingerprint()["attempt"]) < REDRAWS:
                found.append([kitchen.world.pose(thing).position for thing in task.objects])
        if len(found) == 2:
            assert np.abs(np.subtract(*found)).max(initial=0.0) < 0.002, "they settle a little"
            same += 1
    assert same >= 2


@pytest.mark.parametrize("name", [t for t in TASKS if BUNDLED.task(t).start.apart])
@settings(max_examples=12)
@given(seed=seeds)
def test_what_must_be_apart_is(world, name, seed):
    place(world, episode(name, seed))
    for a, b in BUNDLED.task(name).start.apart:
        assert footprint_gap(world.box(a), world.box(b)) > NEAR / 2
    assert not evaluate(BUNDLED.task(name).goal, world)


@pytest.mark.parametrize("name", ["place_upright/water_bottle-v0", "place_upright/redbull_can-v0"])
@settings(max_examples=10)
@given(seed=seeds)
def test_what_starts_on_its_side_lies(world, name, seed):
    poses = place(world, episode(name, seed))
    target = BUNDLED.task(name).objects[0]
    assert tilt_of(poses[target].quaternion) == pytest.approx(math.pi / 2)
    for thing, pose in poses.items():
        if thing != target:
            assert tilt_of(pose.quaternion) < 1e-6


def test_the_whole_workspace_is_used(world):
    """Also to both sides and to both depths."""
    spots = []
    for seed in range(60):
        poses = place(world, episode("pick/coke_can-v0", seed, ("coke_can",)))
        spots.append(poses["coke_can"].position[:2] - world.scene.to_world("counter", 0, 0))
    spots = np.array(spots)
    low, high = np.array(world.scene.spec.workspace.low), np.array(world.scene.spec.workspace.high)
    for axis in range(2):
        span = high[axis] - low[axis]
        assert spots[:, axis].min() < low[axis] + 0.2 * span
        assert spots[:, axis].max() > high[axis] - 0.3 * span


def test_objects_face_all_ways(world):
    headings = []
    for seed in range(40):
        q = place(world, episode("pick/sponge-v0", seed, ("sponge",)))["sponge"].quaternion
        headings.append(2 * math.atan2(q[3], q[0]) % (2 * math.pi))
    counts, _ = np.histogram(headings, bins=4, range=(0, 2 * math.pi))
    assert counts.min() >= 3


@pytest.mark.parametrize(
    "name", ["move_near/blue_chip_bag_brown_chip_bag-v0", "place_into/green_rice_chip_bag_paper_bowl-v0"]
)
def test_the_most_crowded_tasks_find_room(kitchen, name):
    for seed in range(25):
        kitchen.begin(episode(name, seed))
        assert kitchen.world.speed(BUNDLED.task(name).objects[0]) < 0.02


def test_an_object_without_room_is_named(world):
    crowd = tuple(world.scene.objects)
    with pytest.raises(PlacementError, match="no room for") as caught:
        _place(world, episode("pick/coke_can-v0", 0, crowd))
    text = str(caught.value)
    assert re.search(r"\d+\.\d cm too near '\w+'", text), "how much room was missing, and beside what"
    named = next(o for o in crowd if f"no room for {o!r}" in text)
    assert named not in text.split("that holds")[1]
    assert "distractors" in text, "a remedy is named"


def test_the_kitchen_says_which_episode_has_no_room(kitchen, monkeypatch):
    monkeypatch.setattr("rtbench.env.episode_reset.ATTEMPTS", 1)
    played = episode("pick/coke_can-v0", 0, tuple(load_scene("office_kitchen", ("seen",)).objects))
    with pytest.raises(PlacementError, match=f"{played.key}.*no room for"):
        kitchen.begin(played)


# More than one scene, many distractors, and what must hold at the start ---------------------------------


def made(objects, scene="office_kitchen", foils=(), **start):
    """A task of those objects that is in no file."""
    return Task(
        id="pick/made-v0", skill="pick", scene=scene, objects=objects, goal=Goal("lifted", (objects[0],)),
        start=Start(**start), templates=("pick it",), horizon=40, foils=foils,
    )  # fmt: skip


def poses_of(task, others=(), seed=0, sets=("seen",)):
    """Scene and poses in the first attempt that finds room."""
    scene = load_scene(task.scene, sets)
    played = dataclasses.replace(episode(TASKS[0], seed), objects=(*task.present, *others), scene=task.scene)
    for attempt in range(ATTEMPTS):
        with contextlib.suppress(PlacementError):
            streams = (generator("made", stream, seed, attempt) for stream in ("targets", "others"))
            return scene, Placer(scene, task, *streams).place(played)
    raise AssertionError("no room")


def lefts(scene, poses):
    return {name: scene.to_counter("counter", pose.position)[1] for name, pose in poses.items()}


@settings(max_examples=15)
@given(seed=seeds)
def test_nine_distractors_find_room_and_keep_away_from_the_target(seed):
    names = [o for o in load_scene("office_kitchen", ("seen",)).objects if o != "coke_can"]
    others = generator("nine", seed).permutation(names)[:9].tolist()
    scene, poses = poses_of(made(("coke_can",)), others, seed)
    assert set(poses) == {"coke_can", *others}
    for name in others:
        gap = np.linalg.norm(poses[name].position[:2] - poses["coke_can"].position[:2])
        slim = min(scene.objects[name].half[:2])
        assert gap > scene.objects["coke_can"].radius + slim + FINGER_ROOM, name


@settings(max_examples=15)
@given(seed=seeds)
def test_what_is_given_holds_from_the_start(seed):
    middle = Goal("between", ("apple", "coke_can", "pepsi_can"))
    beside = Goal("left_of", ("coke_can", "pepsi_can"))
    given_ = Goal("all", children=(beside, middle))
    scene, poses = poses_of(made(("apple", "coke_can"), foils=("pepsi_can",), given=given_), (), seed)
    left = lefts(scene, poses)
    assert left["coke_can"] >= left["pepsi_can"] + 0.04
    to_coke, to_pepsi = (
        poses[n].position[:2] - poses["apple"].position[:2] for n in ("coke_can", "pepsi_can")
    )
    assert to_coke @ to_pepsi < 0


def test_what_cannot_be_given_is_an_error_that_says_so():
    both = Goal("all", children=(Goal("left_of", ("apple", "sponge")), Goal("left_of", ("sponge", "apple"))))
    task = made(("apple", "sponge"), given=both)
    scene = load_scene("office_kitchen", ("seen",))
    played = dataclasses.replace(episode(TASKS[0], 0), objects=task.present)
    with pytest.raises(PlacementError, match=r"left_of\(apple, sponge\)"):
        Placer(scene, task, generator("a"), generator("b")).place(played)


@settings(max_examples=10)
@given(seed=seeds)
def test_foils_do_not_move_with_the_distractors(seed):
    task = made(("coke_can",), foils=("apple", "sponge"))
    _, alone = poses_of(task, (), seed)
    _, crowded = poses_of(task, ("orange", "green_can"), seed)
    for name in task.present:
        assert np.array_equal(alone[name].position, crowded[name].position), name


@settings(max_examples=10)
@given(seed=seeds)
def test_mats_lie_so_that_they_can_be_read(seed):
    task = made(("coke_can", "digit_3"), foils=("digit_5", "heart"))
    scene, poses = poses_of(task, ("sponge",), seed, ("seen", "symbols"))
    up = math.atan2(-0.06 - 0.62, 0.78 - 0.24)
    for name in ("digit_3", "digit_5", "heart"):
        assert abs(yaw_of(poses[name].quaternion) - up) < math.radians(11)
        assert poses[name].position[2] - scene.objects[name].half[2] == pytest.approx(0.861)


@settings(max_examples=10)
@given(seed=seeds)
def test_nothing_hangs_over_a_sink_and_what_is_in_it_lies_on_its_floor(seed):
    known = load_scene("sink_counter", ("sink",)).objects
    names = [name for name, obj in known.items() if "movable" in obj.tags]
    own = names[seed % len(names)]
    others = [n for n in names if n != own][:4]
    scene, poses = poses_of(made((own,), "sink_counter", place={own: "sink"}), others, seed, ("sink",))
    basin = scene.sink_region("sink")
    assert basin.covers(poses[own].position, float(min(scene.objects[own].half[:2])))
    low = poses[own].position[2] - scene.objects[own].half[2]
    assert low == pytest.approx(basin.center[2] - basin.half[2], abs=0.002)
    for name in others:
        assert not basin.covers(poses[name].position, -float(min(scene.objects[name].half[:2]))), name
