"""The robot's models: read out of a wheel or a folder, checked, composed, and fetched by pip."""

import hashlib
import subprocess
import sys
import zipfile

import mujoco
import numpy as np
import pytest

from rtbench.env import robot_source
from rtbench.env.robot_cache import RobotError
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


def test_the_given_place_comes_first(small, tmp_path, monkeypatch):
    monkeypatch.setenv("RTBENCH_ROBOSUITE", str(unpack(small, tmp_path)))
    monkeypatch.setattr(robot_source, "compose", lambda files: files)
    monkeypatch.setattr(robot_source, "fetched", None)
    assert robot_source.load_source() == small


@pytest.mark.parametrize("installed", [None, "another version"])
def test_without_a_fitting_copy_the_wheel_is_fetched(small, tmp_path, monkeypatch, installed):
    monkeypatch.delenv("RTBENCH_ROBOSUITE", raising=False)
    monkeypatch.setattr(robot_source, "compose", lambda files: files)
    monkeypatch.setattr(robot_source, "_installed", lambda: tmp_path / installed if installed else None)
    commands = []

    def pip(command, **_):
        commands.append(command)
        pack(small, f"{command[-1]}/{robot_source.WHEEL}")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(robot_source.subprocess, "run", pip)
    assert robot_source.load_source() == small
    (command,) = commands
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "--require-hashes"} <= {*command}


def test_pip_is_told_the_hash_and_its_folder_is_dropped(monkeypatch):
    seen = []

    def pip(command, **_):
        folder = robot_source.Path(command[-1])
        (asked,) = folder.iterdir()
        seen.append((folder, asked.read_text()))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(robot_source.subprocess, "run", pip)
    with robot_source.fetched() as wheel:
        assert wheel.name == robot_source.WHEEL
    ((folder, asked),) = seen
    assert asked == f"robosuite==1.5.2 --hash=sha256:{robot_source.WHEEL_SHA256}\n"
    assert not folder.exists()


@pytest.mark.parametrize("said", ["No module named pip", "WARNING: slow\nERROR: no network\n", ""])
def test_where_pip_fails_the_user_is_told_what_to_do(monkeypatch, said):
    monkeypatch.setattr(
        robot_source.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1, "", said)
    )
    reason = "no network" if "network" in said else said or "no reason given"
    with (
        pytest.raises(RobotError, match=rf"cannot fetch.*{reason}.*RTBENCH_ROBOSUITE"),
        robot_source.fetched(),
    ):
        pass


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
        assert hashlib.file_digest(file, "sha256").hexdigest() == robot_source.WHEEL_SHA256


def test_the_arm_stands_on_the_column_and_holds_the_gripper(source):
    data = mujoco.MjData(source)
    mujoco.mj_kinematics(source, data)
    assert data.body("arm_link0").xpos == pytest.approx([0, 0, 0.7])
    hand = data.body("arm_right_hand")
    gripper = data.body("gripper_right_gripper")
    assert np.array_equal(hand.xpos, gripper.xpos)
    assert source.body("gripper_leftfinger").parentid == gripper.id
