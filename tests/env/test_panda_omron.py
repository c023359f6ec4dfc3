"""The robot as it is baked; baking it takes some seconds, so most tests look at the one in the cache."""

import hashlib
import importlib.metadata
import json
import platform
import xml.etree.ElementTree as ET

import mujoco
import numpy as np
import pytest

from rtbench.core.episode import DEFAULT_ROBOT
from rtbench.env import panda_omron as bake
from rtbench.env.robot_cache import robot_path
from rtbench.env.robot_source import WHEEL
from rtbench.task.library import BUNDLED
from rtbench.task.robot_entry import BASE_JOINTS
from tests.helpers import robosuite
from tests.helpers.paths import GOLDEN as GOLDEN_FOLDER

GOLDEN = GOLDEN_FOLDER / "robot.json"
MOST_FACES = 15_000
PANDA = BUNDLED.robot(DEFAULT_ROBOT)
ARM_JOINTS, FINGER_JOINTS, HOME = tuple(PANDA.arm.joints), tuple(PANDA.gripper.joints), PANDA.arm.home


@pytest.fixture(scope="module")
def robot():
    return mujoco.MjModel.from_xml_path(str(robot_path()))


def test_all_joints_are_there_and_driven(robot):
    for name in (*ARM_JOINTS, *BASE_JOINTS, *FINGER_JOINTS):
        joint = robot.joint(name)
        actuator = robot.actuator(name)
        assert robot.actuator_trnid[actuator.id, 0] == joint.id
    assert robot.njnt == robot.nu == len(ARM_JOINTS) + len(BASE_JOINTS) + len(FINGER_JOINTS)


@pytest.mark.parametrize("joint", ARM_JOINTS)
def test_the_motors_are_no_stronger_than_the_pandas(robot, joint):
    *_, limit = PANDA.arm.joints[joint].drive
    assert robot.actuator(joint).forcerange.tolist() == [-limit, limit]
    assert limit <= (87 if joint in ARM_JOINTS[:4] else 30)


def test_the_joint_limits_are_the_pandas(robot):
    ranges = np.array([robot.joint(j).range for j in ARM_JOINTS])
    assert ranges[0] == pytest.approx([-2.8973, 2.8973])
    assert ranges[3] == pytest.approx([-3.0718, -0.0698])
    assert np.all((np.array(HOME) > ranges[:, 0]) & (np.array(HOME) < ranges[:, 1]))


def test_what_is_drawn_is_lean_and_never_touches(robot):
    drawn = robot.geom_group == 1
    faces = sum(robot.mesh_facenum[d] for d in robot.geom_dataid[drawn] if d >= 0)
    assert 3000 < faces < MOST_FACES
    assert not robot.geom_contype[drawn].any()
    assert not robot.geom_conaffinity[drawn].any()


def test_what_touches_is_primitive_and_never_drawn(robot):
    touching = (robot.geom_contype | robot.geom_conaffinity) > 0
    assert touching.sum() >= 10
    assert (robot.geom_group[touching] == 3).all()
    assert (robot.geom_type[touching] != mujoco.mjtGeom.mjGEOM_MESH).all()


def test_the_robot_does_not_touch_itself(robot):
    data = mujoco.MjData(robot)
    for joint, value in zip(ARM_JOINTS, HOME, strict=True):
        data.joint(joint).qpos[0] = value
    mujoco.mj_forward(robot, data)
    assert data.ncon == 0
    for geom in range(robot.ngeom):
        assert not robot.geom_contype[geom] & robot.geom_conaffinity[geom]


def test_the_masses_are_those_of_a_panda(robot):
    arm = sum(float(robot.body(f"link{i}").mass[0]) for i in range(1, 8))
    assert 12 < arm < 25
    assert (robot.body_inertia[1:] > 0).all()


def test_the_fingers_meet_at_the_grip_point(robot):
    data = mujoco.MjData(robot)
    mujoco.mj_forward(robot, data)
    left, right = (data.geom(f"{f}_pad").xpos for f in ("leftfinger", "rightfinger"))
    assert np.linalg.norm((left + right) / 2 - data.site("grip").xpos) < 0.01
    across = data.site("grip").xmat.reshape(3, 3)[:, 1]
    assert abs((left - right) / np.linalg.norm(left - right) @ across) > 0.99
    assert robot.geom("leftfinger_pad").size[0] == pytest.approx(0.01), "pads are 2 cm wide"


def test_the_wrist_camera_looks_along_the_fingers(robot):
    data = mujoco.MjData(robot)
    mujoco.mj_forward(robot, data)
    out = data.site("grip").xmat.reshape(3, 3)[:, 2]
    view = -data.camera("wrist").xmat.reshape(3, 3)[:, 2]
    assert view @ out > 0.95


def test_the_baked_robot_can_be_moved_elsewhere():
    folder = robot_path().parent
    tree = ET.parse(folder / "robot.xml")  # noqa: S314 - our own file
    files = [mesh.get("file") for mesh in tree.iter("mesh")]
    assert files
    assert all("/" not in file and (folder / file).exists() for file in files)
    assert str(folder.parent) not in (folder / "robot.xml").read_text()


def contents(folder):
    """SHA-256 of each file of a robot."""
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


def test_the_robot_is_the_golden_one(request):
    """To the last bit what robosuite itself composed, before its models were read as data."""
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("mujoco", "fast-simplification")]
    key = ", ".join([*versions, f"{platform.system()} {platform.machine()}"])
    known = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    found = contents(robot_path().parent)
    if request.config.getoption("--update-golden"):
        GOLDEN.write_text(json.dumps({**known, key: found}, indent=1, sort_keys=True) + "\n")
    elif key not in known:
        pytest.skip(f"no golden robot for {key}")
    else:
        assert found == known[key]


def test_baking_again_gives_the_same_robot(tmp_path, monkeypatch):
    monkeypatch.setenv(WHEEL.variable, str(robosuite.models()))
    bake.write_robot(tmp_path, PANDA)
    assert contents(tmp_path) == contents(robot_path().parent)
