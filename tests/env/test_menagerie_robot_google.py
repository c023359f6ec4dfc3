"""Google's robot against the figures of SIMPLER's, and what is told where its model is not to be had."""

import math
import shutil
import sys
import types
from dataclasses import replace

import mujoco
import numpy as np
import pytest

from rtbench.core.action import RTBENCH
from rtbench.core.errors import ContentError, UnknownNameError
from rtbench.core.rotation import from_rotation_vector, multiply, rotate
from rtbench.env.kitchen import Kitchen
from rtbench.env.menagerie_source import VARIABLE, source_hash
from rtbench.env.robot_cache import description_hash, robot_path
from rtbench.env.robot_model import robot_spec
from rtbench.env.robot_source import RobotError
from rtbench.policy.oracle import oracle_action
from rtbench.task.library import BUNDLED
from rtbench.task.suite import draw
from tests.helpers import menagerie

ROBOT = BUNDLED.robot("google_robot")
LIFT = np.array([0, 0, 0.06205])
"""Base link above the floor [m]."""
CHAIN = (
    ("z", (0, 0, 0.5945)), ("y", (0, -0.16729, 0.113)), ("z", (0, 0.00229, 0.21503)),
    ("y", (0, -0.064, 0.18497)), ("z", (0, -0.101, 0.0915)), ("y", (0, -0.00604, 0.2735)),
    ("z", (0, 0.00604, 0.10911)),
)  # fmt: skip
"""Axis and offset of each joint in its parent, by SIMPLER's URDF."""
TOOL = (0.0043, 0.0019, 0.1635)


@pytest.fixture(scope="module")
def model():
    with pytest.MonkeyPatch.context() as patch:
        menagerie.root(patch)
        spec = robot_spec(ROBOT)
        head = ROBOT.head
        yield spec.compile(), head


def posed(model, angles):
    data = mujoco.MjData(model)
    for joint, angle in zip(ROBOT.arm.joints, angles, strict=True):
        data.joint(joint).qpos[0] = angle
    mujoco.mj_forward(model, data)
    return data


def by_hand(angles):
    """Grip point [m] and quaternion in the frame of the base link, from the table of the URDF."""
    place, turned = np.zeros(3), np.array([1.0, 0, 0, 0])
    for (axis, offset), angle in zip(CHAIN, angles, strict=True):
        place = place + rotate(turned, offset)
        vector = np.array([0, angle, 0]) if axis == "y" else np.array([0, 0, angle])
        turned = multiply(turned, from_rotation_vector(vector))
    return place + rotate(turned, TOOL), turned


def test_the_grip_point_at_home_is_simplers(model):
    data = posed(model[0], ROBOT.arm.home)
    assert data.site("grip").xpos - LIFT == pytest.approx([0.439, -0.218, 0.962], abs=0.001)


def test_the_approach_axis_at_home_is_simplers(model):
    axis = posed(model[0], ROBOT.arm.home).site("grip").xmat.reshape(3, 3)[:, 2]
    simplers = np.array([0.289, 0.143, -0.947])
    assert math.degrees(math.acos(axis @ simplers / np.linalg.norm(simplers))) < 0.1


def test_forward_kinematics_agree_with_the_urdf(model):
    rng = np.random.default_rng(0)
    limits = np.array([model[0].joint(name).range for name in ROBOT.arm.joints])
    for _ in range(100):
        angles = rng.uniform(*limits.T)
        data, (place, turned) = posed(model[0], angles), by_hand(angles)
        assert np.linalg.norm(data.site("grip").xpos - LIFT - place) < 0.001
        axes = data.body("link_gripper").xmat.reshape(3, 3)
        for column, axis in zip(axes.T, np.eye(3), strict=True):
            assert math.degrees(math.acos(min(1.0, column @ rotate(turned, axis)))) < 0.1


def test_the_camera_is_where_simplers_is(model):
    data = posed(model[0], ROBOT.arm.home)
    tilt = data.body("head_tilt")
    axes = tilt.xmat.reshape(3, 3)
    assert tilt.xpos + axes @ ROBOT.head.at - LIFT == pytest.approx([0.146, 0, 1.213], abs=0.001)
    assert math.degrees(math.asin(-axes[2, 0])) == pytest.approx(math.degrees(0.7851361), abs=0.1)
    assert ROBOT.head.fovy == pytest.approx(math.degrees(2 * math.atan(256 / 425)), abs=1e-3)


@pytest.mark.parametrize(("angle", "opening"), ROBOT.gripper.openings[1:])
def test_the_pads_are_as_far_apart_as_the_file_says(model, angle, opening):
    data = mujoco.MjData(model[0])
    for joint in ROBOT.gripper.joints:
        data.joint(joint).qpos[0] = angle
    mujoco.mj_forward(model[0], data)
    hand = data.body("link_gripper")
    nearest = []
    for number, box in enumerate(ROBOT.boxes):
        if "tip" in box.body:
            geom = data.geom(f"{box.body}:{number}")
            corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * box.half
            places = corners @ geom.xmat.reshape(3, 3).T + geom.xpos
            nearest.append(np.abs((places - hand.xpos) @ hand.xmat.reshape(3, 3)[:, 1]).min())
    assert sum(nearest) == pytest.approx(opening, abs=0.002)


def test_what_collides_is_lean_and_never_the_robot_itself(model):
    solid = (model[0].geom_contype | model[0].geom_conaffinity) > 0
    assert (model[0].geom_type[solid] != mujoco.mjtGeom.mjGEOM_MESH).all()
    assert not (model[0].geom_contype[solid] & model[0].geom_conaffinity[solid]).any()
    assert model[0].body_subtreemass[0] == pytest.approx(62.6, rel=0.05)


@pytest.fixture
def kitchen(monkeypatch):
    menagerie.root(monkeypatch)
    kitchen = Kitchen(cameras=(), robot=ROBOT.name)
    yield kitchen
    kitchen.close()


@pytest.mark.parametrize("task", ["pick/coke_can-v0", "open_drawer/middle_drawer-v0"])
def test_the_oracle_plays(kitchen, task):
    episode = draw(replace(BUNDLED.suite("seen"), robot=ROBOT.name), BUNDLED.task(task), 0)
    hashes = []
    for _ in range(2):
        kitchen.begin(episode)
        assert not kitchen.success()
        for _ in range(episode.horizon):
            kitchen.advance(RTBENCH.encode(oracle_action(kitchen)))
            if kitchen.terminated:
                break
        assert kitchen.success()
        hashes.append(kitchen.state_hash())
    assert hashes[0] == hashes[1], "bit for bit"


def test_slow_fingers_close_around_an_apple_before_it_counts_as_missed(monkeypatch):
    menagerie.root(monkeypatch)
    slow = f"{ROBOT.name}:simpler"
    kitchen = Kitchen(cameras=(), robot=slow)
    task = BUNDLED.task("simpler/move_near_2_light_apple_light_sponge_opened_7up_can-v0")
    kitchen.begin(draw(replace(BUNDLED.suite("simpler"), robot=slow), task, 1))
    for _ in range(30):
        kitchen.advance(RTBENCH.encode(oracle_action(kitchen)))
        if kitchen.terminated:
            break
    assert kitchen.success()
    kitchen.close()


def test_it_has_no_wrist_camera(monkeypatch):
    menagerie.root(monkeypatch)
    kitchen = Kitchen(cameras=("wrist",), robot=ROBOT.name)
    with pytest.raises(UnknownNameError, match=r"robot google_robot.*wrist.*head"):
        kitchen.reset(seed=0)


@pytest.mark.parametrize("case", ["empty root", "no package", "no network"])
def test_a_robot_that_is_not_here_is_told_with_two_remedies(monkeypatch, tmp_path, case):
    monkeypatch.delenv(VARIABLE, raising=False)
    package = types.ModuleType("mujoco_menagerie")
    package.MenagerieError = type("MenagerieError", (Exception,), {})

    def get(name):
        raise package.MenagerieError(f"cannot download {name}.")

    package.get = get
    monkeypatch.setitem(sys.modules, "mujoco_menagerie", None if case == "no package" else package)
    if case == "empty root":
        monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(RobotError) as caught:
        robot_path(ROBOT)
    text = str(caught.value)
    assert f"set {VARIABLE} to a folder that holds google_robot/" in text
    assert "mujoco-menagerie prefetch google_robot" in text
    assert "\n" not in text


def test_another_version_of_the_robot_is_another_description(monkeypatch, tmp_path):
    place = menagerie.root(monkeypatch)
    before = source_hash(ROBOT), description_hash(ROBOT)
    shutil.copytree(place / "google_robot", tmp_path / "google_robot")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert (source_hash(ROBOT), description_hash(ROBOT)) == before, "not by where it lies"
    with (tmp_path / "google_robot" / "robot.xml").open("a") as file:
        file.write("\n")
    assert source_hash(ROBOT) != before[0]
    assert description_hash(ROBOT) != before[1]


def test_a_joint_that_the_model_lacks_is_told_with_the_nearest(monkeypatch, tmp_path):
    menagerie.root(monkeypatch)
    monkeypatch.setenv("RTBENCH_CACHE", str(tmp_path))
    joints = {name.replace("wrist", "wirst"): joint for name, joint in ROBOT.arm.joints.items()}
    wrong = ROBOT.model_copy(update={"arm": ROBOT.arm.model_copy(update={"joints": joints})})
    with pytest.raises(ContentError, match=r"arm.joints.*'joint_wirst'.*Did you mean 'joint_wrist'"):
        robot_spec(wrong)
