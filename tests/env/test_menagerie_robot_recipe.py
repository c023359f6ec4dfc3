"""The robot of CONTRIBUTING.md, which one file adds: on a stand-in for its model, with the same joints."""

from __future__ import annotations

from dataclasses import replace

import mujoco
import numpy as np
import pytest

from rtbench.core.action import GRIPPER, MODE, RTBENCH, Mode, idle
from rtbench.core.errors import ContentError
from rtbench.env.kitchen import Kitchen
from rtbench.env.menagerie_source import VARIABLE
from rtbench.env.robot_model import robot_spec
from rtbench.policy.oracle import oracle_action
from rtbench.task.library import Library
from rtbench.task.suite import draw
from tests.helpers import fetch_stand_in
from tests.helpers.pages import blocks


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """Content with the recipe's file, where the stand-in is found."""
    folder = tmp_path_factory.mktemp("recipe")
    fetch_stand_in.write(folder / "models")
    (recipe,) = [block for block in blocks("CONTRIBUTING.md", "yaml") if "robots/" in block.file]
    recipe.write(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(folder / "models"))
        patch.setenv("RTBENCH_CACHE", str(folder / "cache"))
        yield Library([folder / "tea"])


def begun(library, task):
    kitchen = Kitchen(cameras=(), robot="fetch", content=library.roots)
    suite = replace(library.suite("seen"), robot="fetch")
    kitchen.begin(draw(suite, library.task(task), 0))
    return kitchen


def test_it_holds_its_home_pose(library):
    kitchen, action = begun(library, "pick/coke_can-v0"), idle()
    action[GRIPPER], action[MODE] = -1, Mode.ARM
    home = kitchen.controller.measured()
    assert home == pytest.approx(library.robot("fetch").arm.home, abs=0.002)
    for _ in range(3):
        kitchen.advance(RTBENCH.encode(action))
    assert np.abs(kitchen.controller.measured() - home).max() < 0.002


@pytest.mark.parametrize("task", ["pick/coke_can-v0", "open_drawer/top_drawer-v0"])
def test_the_oracle_plays_it(library, task):
    kitchen = begun(library, task)
    for _ in range(library.task(task).horizon):
        kitchen.advance(RTBENCH.encode(oracle_action(kitchen)))
        if kitchen.terminated:
            break
    assert kitchen.success()


def test_what_the_file_does_not_move_is_held_and_what_is_not_the_robot_is_left_out(library):
    robot = library.robot("fetch")
    model = robot_spec(robot).compile()
    moved = {*robot.arm.joints, *robot.gripper.joints, "base_x", "base_y", "base_yaw"}
    assert {model.joint(j).name for j in range(model.njnt)} == moved
    names = [model.body(b).name for b in range(model.nbody)]
    assert "table" not in names
    lift, head = model.body("torso_lift_link"), model.body("head_tilt_link")
    assert model.body("base_link").pos.tolist() == [0, 0, 0]
    assert lift.pos[2] == pytest.approx(0.3774 + robot.held["torso_lift_joint"])
    assert 2 * np.arctan2(head.quat[2], head.quat[0]) == pytest.approx(robot.held["head_tilt_joint"])
    seen = model.geom_group[model.geom_type == mujoco.mjtGeom.mjGEOM_MESH]
    assert len(seen) >= len(robot.arm.joints)


def _misspelt(robot):
    box = robot.boxes[0].model_copy(update={"body": "base_lnik"})
    tool = robot.arm.tool.model_copy(update={"body": "griper_link"})
    return {
        "held": robot.model_copy(update={"held": {"torso_lfit_joint": 0.3}}),
        "boxes": robot.model_copy(update={"boxes": (box,)}),
        "arm.tool.body": robot.model_copy(update={"arm": robot.arm.model_copy(update={"tool": tool})}),
    }


@pytest.mark.parametrize(
    ("key", "wrong", "near"),
    [
        ("held", "torso_lfit_joint", "torso_lift_joint"), ("boxes", "base_lnik", "base_link"),
        ("arm.tool.body", "griper_link", "gripper_link"),
    ],
)  # fmt: skip
def test_a_name_that_the_model_lacks_is_told_with_the_nearest(
    library, monkeypatch, tmp_path, key, wrong, near
):
    monkeypatch.setenv("RTBENCH_CACHE", str(tmp_path))
    robot = _misspelt(library.robot("fetch"))[key]
    with pytest.raises(ContentError, match=rf"fetch.yaml: fetch: key '{key}'.*'{wrong}'.*mean '{near}'"):
        robot_spec(robot)
