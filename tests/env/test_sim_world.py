"""The privileged state, against situations that are known because they were built."""

import math

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtbench.core.action import RTBENCH
from rtbench.core.errors import UnknownNameError
from rtbench.core.rotation import about_z, from_rotation_vector, multiply, rotate
from rtbench.core.world import Pose
from rtbench.env.kitchen import Kitchen
from rtbench.policy.oracle.motion import View
from rtbench.policy.oracle.planner import next_step
from rtbench.task.library import BUNDLED
from rtbench.task.predicate import between, inside, left_of, near, nearer, on, out, right_of, upright
from rtbench.task.task import Goal

OBJECTS = BUNDLED.things()
LAB_SETS = ("seen", "symbols", "tools")
KINDS = {obj.kind: name for name, obj in reversed(OBJECTS.items()) if obj.set in LAB_SETS}
TOOLS = [name for name, obj in OBJECTS.items() if obj.set == "tools"][:6]
TILTED = sorted({*KINDS.values(), *TOOLS})
"""One object of every kind, and some more of those that are put together from parts."""
AWAY = (-1.5, 0.0)
"""x, y [m] over the free floor."""


def put(kitchen, name, position, quaternion=(1.0, 0.0, 0.0, 0.0)):
    """Put an object somewhere, awake, and work out what follows from it."""
    data = kitchen.world._data
    joint = data.joint(f"{name}:free")
    joint.qpos[:3], joint.qpos[3:] = position, quaternion
    joint.qvel[:] = [0, 0, -1e-3, 0, 0, 0]  # what moves is woken
    mujoco.mj_forward(kitchen.world.scene.model, data)


def rest(kitchen, seconds=2.0):
    kitchen.wait(seconds)
    return kitchen.world


def on_counter(kitchen, name, x, y, gap=0.001):
    top = kitchen.world.surface("counter").center[2]
    return np.array([*kitchen.world.scene.to_world("counter", x, y), top + OBJECTS[name].half[2] + gap])


def asleep(kitchen, name):
    model, data = kitchen.world.scene.model, kitchen.world._data
    return bool(data.tree_asleep[model.body_treeid[model.body(name).id]] >= 0)


@pytest.fixture
def can(kitchen, episode_of):
    """A can at rest on the counter, an apple and a bowl beside it."""
    kitchen.begin(episode_of("pick/coke_can-v0", objects=("coke_can", "apple", "white_bowl")))
    for name, y in (("coke_can", 0.0), ("apple", 0.25), ("white_bowl", -0.25)):
        put(kitchen, name, on_counter(kitchen, name, 0.15, y))
    rest(kitchen)
    return kitchen


def test_what_sleeps_still_touches_what_it_stands_on(can):
    assert asleep(can, "coke_can")
    for name in ("coke_can", "apple", "white_bowl"):
        assert can.world.touching(name, "counter")
        assert can.world.touching("counter", name)


def test_things_apart_do_not_touch(can):
    assert not can.world.touching("coke_can", "apple")
    assert not can.world.touching("coke_can", "side_counter")
    assert not can.world.touching("robot", "coke_can")
    assert not can.world.held("coke_can")


@pytest.mark.parametrize(("gap", "touch"), [(0.0005, True), (0.004, False)])
def test_neighbours_touch_when_their_surfaces_meet(can, gap, touch):
    """Also where MuJoCo has no contact: the apple is awake, the can sleeps."""
    radius = OBJECTS["coke_can"].half[0]
    x, y, _ = can.world.pose("coke_can").position
    reach = radius + OBJECTS["apple"].half[0]
    put(can, "apple", [x, y + reach + gap, can.world.pose("apple").position[2]])
    assert can.world.distance("coke_can", "apple") == pytest.approx(gap, abs=0.003)
    assert can.world.touching("coke_can", "apple") == touch
    assert can.world.touching("apple", "coke_can") == touch


def test_an_apple_in_a_bowl_touches_it_and_lies_in_it(can):
    bowl = can.world.pose("white_bowl").position
    put(can, "apple", bowl + np.array([0, 0, 0.05]))
    world = rest(can)
    assert world.touching("apple", "white_bowl")
    assert not world.touching("apple", "counter")
    assert world.cavity("white_bowl").covers(world.pose("apple").position)


def test_an_object_in_the_air_touches_nothing_and_falls(can):
    put(can, "apple", [*AWAY, 1.5])
    assert not can.world.touching("apple", "counter")
    can.wait(0.2)
    assert can.world.speed("apple") > 1.0


def test_what_rests_has_no_speed(can):
    assert can.world.speed("coke_can") == pytest.approx(0.0, abs=1e-3)


def test_the_speed_is_that_of_the_fastest_surface_point(can):
    joint = can.world._data.joint("coke_can:free")
    radius = np.linalg.norm(OBJECTS["coke_can"].half)
    joint.qvel[:] = [0.3, 0.4, 0, 0, 0, 2.0]
    assert can.world.speed("coke_can") == pytest.approx(0.5 + 2.0 * radius)


@pytest.fixture(scope="module")
def lab(episode_of):
    """A kitchen whose time stands still."""
    kitchen = Kitchen(cameras=())
    kitchen.begin(episode_of("drive/side_counter-v0", objects=tuple(TILTED)))
    return kitchen


def surface_points(name):
    """Points of the collision geoms in the body frame, float64[n, 3]."""
    points = []
    for part in OBJECTS[name].primitives:
        turn = np.linspace(0, 2 * math.pi, 24, endpoint=False)
        if part.form == "box":
            corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * part.size
        elif part.form == "cylinder":
            ring = np.stack([np.cos(turn), np.sin(turn)], 1) * part.size[0]
            corners = np.concatenate([np.insert(ring, 2, z, axis=1) for z in (-part.size[1], part.size[1])])
        elif part.form == "capsule":
            radius, half = part.size[:2]
            ends = [np.eye(3)[2] * (half + radius), np.array([radius, 0, half]), np.array([0, radius, half])]
            corners = np.concatenate([ends, -np.array(ends)])
        else:  # sphere or ellipsoid
            radii = np.array(part.size) if part.size[1] else np.full(3, part.size[0])
            corners = np.concatenate([np.eye(3), -np.eye(3)]) * radii
        points.append(np.array([rotate(part.quat, c) + part.pos for c in corners]))
    return np.concatenate(points)


@pytest.mark.parametrize("name", TILTED)
@settings(max_examples=8)
@given(turn=st.tuples(*[st.floats(-3, 3)] * 3))
def test_the_box_holds_the_object_at_any_tilt(lab, name, turn):
    quaternion = from_rotation_vector(turn)
    put(lab, name, [*AWAY, 1.5], quaternion)
    low, high = lab.world.box(name)
    points = np.array([rotate(quaternion, p) for p in surface_points(name)]) + np.array([*AWAY, 1.5])
    # A bowl's wall is made of boxes, whose corners stand out of the circle.
    slack = 5e-3 if OBJECTS[name].kind == "bowl" else 1e-3
    assert np.all(points >= low - slack)
    assert np.all(points <= high + slack)
    if OBJECTS[name].kind in {"can", "block", "mat"}:
        assert np.all(points.min(0) <= low + 3e-3), "no larger than needed"
        assert np.all(points.max(0) >= high - 3e-3)


def test_the_pose_is_the_middle_of_the_box(can):
    low, high = can.world.box("coke_can")
    assert (low + high) / 2 == pytest.approx(can.world.pose("coke_can").position)


def test_only_what_both_fingers_press_is_held(can):
    goal = Goal("lifted", ("coke_can",))
    held = []
    for _ in range(30):
        action = next_step(View(can), goal)
        if action is None:
            break
        can.advance(RTBENCH.encode(action))
        held.append(can.world.held("coke_can"))
    assert not held[0]
    assert held[-1]
    assert can.world.touching("robot", "coke_can")
    assert "coke_can" in can.world.touched()
    assert not can.world.held("apple")
    assert not can.world.touching("coke_can", "counter")
    width = OBJECTS["coke_can"].grasp_width
    assert can.world.gripper_opening() == pytest.approx(width, abs=0.004)


def test_an_empty_closed_hand_holds_nothing(can, act):
    for _ in range(2):
        act(can, gripper=1.0)
    assert not any(can.world.held(name) for name in can.world.names())


def test_what_has_rolled_is_no_lower_than_the_counter(kitchen, episode_of):
    """The box of a thing of round parts is that of its surface, not of a block about it."""
    kitchen.begin(episode_of("pick/apple-v0", objects=("apple", "avocado")))
    for name, y in (("apple", 0.2), ("avocado", -0.2)):
        turned = from_rotation_vector([0.9, 0.4, 0.0])
        put(kitchen, name, on_counter(kitchen, name, 0.15, y, 0.03), turned)
    world = rest(kitchen, 3.0)
    for name in ("apple", "avocado"):
        assert world.box(name)[0][2] == pytest.approx(world.surface("counter").center[2], abs=0.003), name
        assert on(world, name, "counter")


def test_a_mat_is_a_surface_where_it_lies(kitchen, episode_of):
    kitchen.begin(episode_of("pick/coke_can-v0", objects=("coke_can", "heart", "star")))
    assert kitchen.world.surfaces() == ("counter", "side_counter", "heart", "star")
    put(kitchen, "heart", on_counter(kitchen, "heart", 0.15, 0.2), about_z(0.6))
    top = kitchen.world.surface("heart")
    assert top.yaw == pytest.approx(0.6)
    assert top.half[:2] == pytest.approx(OBJECTS["heart"].half[:2])
    put(kitchen, "coke_can", top.center + np.array([0.0, 0.0, OBJECTS["coke_can"].half[2] + 0.001]))
    world = rest(kitchen)
    assert on(world, "coke_can", "heart")
    assert not on(world, "coke_can", "counter")
    assert not on(world, "coke_can", "star")
    assert upright(world, "coke_can")
    assert near(world, "coke_can", "heart")


def test_mats_that_are_not_there_are_no_surfaces(can):
    assert can.world.surfaces() == ("counter", "side_counter")
    with pytest.raises(UnknownNameError, match="surface 'heart'"):
        can.world.surface("heart")


def test_things_belong_to_the_counter_that_they_are_at(can):
    assert can.world.counter("coke_can") == "counter"
    put(can, "apple", can.world.surface("side_counter").center + np.array([0.0, 0.0, 0.1]))
    assert can.world.counter("apple") == "side_counter"
    put(can, "apple", [*can.world.scene.to_world("counter", -0.2, 0.0), 0.6])
    assert can.world.counter("apple") == "counter", "before it, as in an open drawer"


def test_left_is_the_robots_left(can):
    assert left_of(can.world, "apple", "coke_can")
    assert right_of(can.world, "white_bowl", "coke_can")
    assert between(can.world, "coke_can", "apple", "white_bowl")
    put(can, "apple", can.world.pose("coke_can").position - [0.08, 0.0, 0.0])
    assert nearer(can.world, "apple", "coke_can")


def test_what_lies_in_a_sink_is_in_it(kitchen, episode_of):
    objects = ("coke_can", "apple", "sponge")
    kitchen.begin(episode_of("pick/coke_can-v0", scene="sink_counter", objects=objects))
    cavity = kitchen.world.cavity("sink")
    put(kitchen, "apple", cavity.center + np.array([0.0, 0.0, 0.05]))
    put(kitchen, "coke_can", cavity.center + np.array([0.0, 0.08, OBJECTS["coke_can"].half[2]]))
    world = rest(kitchen)
    assert inside(world, "apple", "sink")
    assert inside(world, "coke_can", "sink"), "though it stands out over the rim"
    assert out(world, "sponge", "sink")
    assert not on(world, "apple", "counter")


def test_what_lies_in_a_drawer_stays_in_it_when_that_is_shut(kitchen, episode_of):
    kitchen.begin(episode_of("pick_from/sponge_middle_drawer-v0"))
    assert inside(kitchen.world, "sponge", "middle_drawer")
    assert out(kitchen.world, "sponge", "top_drawer")
    data = kitchen.world._data
    pushed = data.joint("middle_drawer").qpos[0]
    data.joint("middle_drawer").qpos[0] = 0.0
    put(kitchen, "sponge", kitchen.world.pose("sponge").position + np.array([pushed, 0.0, 0.0]))
    world = rest(kitchen)
    assert world.opening("middle_drawer") < 0.02
    assert inside(world, "sponge", "middle_drawer")
    assert not inside(world, "sponge", "top_drawer")


@pytest.mark.parametrize("opening", [0.0, 0.1, 0.24])
def test_a_drawer_is_as_open_as_it_is_drawn(can, opening):
    data = can.world._data
    data.joint("top_drawer").qpos[0] = opening
    mujoco.mj_forward(can.world.scene.model, data)
    world = can.world
    assert world.opening("top_drawer") == pytest.approx(opening)
    cavity = world.drawn_out("top_drawer")
    # It reaches from behind the front to the counter's edge.
    assert 2 * cavity.half[0] == pytest.approx(max(opening - 0.02, 0.01), abs=1e-9)
    front = world.pose("top_drawer").position
    assert cavity.covers(front + np.array([0.025, 0, 0]))
    assert not cavity.covers(front - [0.01, 0, 0])
    inner = world.cavity("top_drawer")
    assert inner.covers(front + np.array([0.025, 0, 0]))
    assert inner.covers(front + np.array([0.29, 0, 0])), "all of its inside, under the counter too"
    assert not inner.covers(front + np.array([0.33, 0, 0]))
    data.joint("top_drawer").qpos[0] = 0.0


def test_the_cavity_of_an_open_drawer_holds_what_lies_in_it(kitchen, episode_of):
    for seed in range(3):
        kitchen.begin(episode_of("pick_from/sponge_middle_drawer-v0", seed))
        world = kitchen.world
        cavity = world.cavity("middle_drawer")
        assert cavity.covers(world.pose("sponge").position)
        assert world.touching("sponge", "middle_drawer")
        low, _ = world.box("sponge")
        assert low[2] == pytest.approx(cavity.center[2] - cavity.half[2], abs=0.004)


def test_a_counter_covers_what_stands_on_it(can):
    region = can.world.surface("counter")
    assert region.covers(can.world.pose("coke_can").position)
    assert can.world.box("coke_can")[0][2] == pytest.approx(region.center[2], abs=0.002)
    assert not can.world.surface("side_counter").covers(can.world.pose("coke_can").position)


def test_a_bowl_is_hollow_above_its_floor(can):
    cavity = can.world.cavity("white_bowl")
    low, high = can.world.box("white_bowl")
    assert cavity.round
    assert cavity.center[2] + cavity.half[2] == pytest.approx(high[2], abs=1e-4)
    assert low[2] < cavity.center[2] - cavity.half[2] < high[2]
    assert cavity.half[0] < (high[0] - low[0]) / 2


@pytest.mark.parametrize("yaw", [0.0, 1.0, -2.5])
def test_a_pose_in_the_base_frame(can, yaw):
    data = can.world._data
    for joint, value in zip(("base_x", "base_y", "base_yaw"), (-1.0, 0.4, yaw), strict=True):
        data.joint(joint).qpos[0] = value
    ahead = np.array([-1.0 + 2 * math.cos(yaw), 0.4 + 2 * math.sin(yaw), 0.7])
    local = can.world.to_base(Pose(ahead, multiply(about_z(yaw), about_z(0.3))))
    assert local.position == pytest.approx([2.0, 0.0, 0.7])
    assert local.quaternion == pytest.approx(about_z(0.3))


def test_the_robot_stands_at_its_station(kitchen, episode_of):
    kitchen.begin(episode_of("pick/coke_can-v0"))
    offset = kitchen.world.base() - kitchen.world.station("counter")
    assert np.abs(offset).max() < 0.04


def test_contacts_are_not_those_of_the_episode_before(kitchen, episode_of, act):
    """Both look at the same simulated time; only the state has changed."""
    kitchen.begin(episode_of("pick/apple-v0", objects=("apple",)))
    grip = kitchen.world.gripper().position
    act(kitchen)
    put(kitchen, "apple", grip)
    kitchen.world._contact_stamp = -1.0
    assert kitchen.world.touched() == {"apple"}, "the apple is put into the hand"
    kitchen.begin(episode_of("drive/side_counter-v0", objects=("apple",)))
    act(kitchen)
    assert kitchen.world.touched() == frozenset()
    assert kitchen.events()["wrong_object"] == 0


@pytest.mark.parametrize(
    ("method", "close"),
    [
        ("pose", "coke_can"),
        ("box", "coke_can"),
        ("speed", "coke_can"),
        ("surface", "counter"),
        ("opening", "top_drawer"),
        ("cavity", "white_bowl"),
        ("drawn_out", "top_drawer"),
        ("station", "counter"),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest(can, method, close):
    with pytest.raises(UnknownNameError, match=close):
        getattr(can.world, method)(close + "x")


def test_only_receptacles_have_a_cavity(can):
    with pytest.raises(UnknownNameError, match="receptacle"):
        can.world.cavity("apple")
