"""The robot's models: read out of a wheel or a folder, checked and composed."""

import hashlib
import sys
import zipfile

import mujoco
import numpy as np
import pytest

from rtbench.env import robot_source
from rtbench.env.robot_source import WHEEL, RobotError
from tests.helpers import robosuite

XML = "<mujoco><asset><mesh name='m' file='meshes/m.stl'/></asset></mujoco>"


@pytest.fixture(scope="module")
def files():
    return robot_source.read_models(robosuite.models())


@pytest.fixture(scope="module")
def source(files):
    return robot_source.compose(files)


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Files of a stand-in for robosuite: three models with a mesh each, and their hash expected."""
    content = {}
    for model in robot_source._MODELS:
        content[model] = XML.encode()
        content[f"{model.rpartition('/')[0]}/meshes/m.stl"] = model.encode()
    monkeypatch.setattr(robot_source, "FILES_SHA256", robot_source.digest(content))
    return content


def unpack(content, folder):
    for name, data in content.items():
        path = folder / "robosuite" / "models" / "assets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def pack(content, path):
    with zipfile.ZipFile(path, "w") as wheel:
        for name, data in content.items():
            wheel.writestr(f"robosuite/models/assets/{name}", data)
    return path


def test_a_wheel_a_folder_and_a_package_give_the_same(small, tmp_path):
    folder = unpack(small, tmp_path / "site")
    assert robot_source.read_models(folder) == small
    assert robot_source.read_models(folder / "robosuite") == small
    assert robot_source.read_models(pack(small, tmp_path / "robosuite.whl")) == small


@pytest.mark.parametrize("damage", ["gone", "empty", "no wheel", "a file less", "another byte", "no XML"])
def test_what_is_not_robosuite_is_refused_with_a_remedy(small, tmp_path, damage):
    place = tmp_path / "robosuite.whl"
    if damage == "empty":
        place.mkdir()
    elif damage == "no wheel":
        place.write_bytes(b"not a zip")
    elif damage == "a file less":
        small.popitem()
        pack(small, place)
    elif damage == "no XML":
        small["robots/panda/robot.xml"] += b"x"
        pack(small, place)
    elif damage == "another byte":
        small["robots/panda/meshes/m.stl"] += b"x"
        pack(small, place)
    with pytest.raises(RobotError, match=r"robosuite 1\.5\.2.*set RTBENCH_ROBOSUITE to its path") as caught:
        robot_source.read_models(place)
    assert "\n" not in str(caught.value)


def test_the_models_of_the_named_place_are_composed(small, tmp_path, monkeypatch):
    monkeypatch.setenv("RTBENCH_ROBOSUITE", str(unpack(small, tmp_path)))
    monkeypatch.setattr(robot_source, "compose", lambda files: files)
    assert robot_source.load_source() == small


def test_robosuite_is_never_imported(source):
    assert source.ngeom == 79
    assert "robosuite" not in sys.modules


def test_only_what_is_needed_is_read(files):
    assert len(files) == 74
    assert sum(map(len, files.values())) < 60e6


def test_the_wheel_is_the_one_on_pypi():
    place = robosuite.models()
    if place.is_dir():
        pytest.skip("installed, not a wheel")
    with place.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == WHEEL.sha256


def test_the_arm_stands_on_the_column_and_holds_the_gripper(source):
    data = mujoco.MjData(source)
    mujoco.mj_kinematics(source, data)
    assert data.body("arm_link0").xpos == pytest.approx([0, 0, 0.7])
    hand = data.body("arm_right_hand")
    gripper = data.body("gripper_right_gripper")
    assert np.array_equal(hand.xpos, gripper.xpos)
    assert source.body("gripper_leftfinger").parentid == gripper.id
