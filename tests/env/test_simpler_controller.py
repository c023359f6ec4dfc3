"""SIMPLER's controller on Google's robot: where an action starts, the lag of the drives, the fingers."""

import math
from dataclasses import replace

import mujoco
import numpy as np
import pytest

from rtbench.core.action import GRIPPER, MODE, RT1, RTBENCH, Mode, idle
from rtbench.core.errors import UnknownNameError
from rtbench.core.rotation import difference
from rtbench.env.kitchen import Kitchen
from rtbench.env.robot_cache import description_hash, robot_path
from rtbench.env.robot_model import drives, robot_spec
from rtbench.env.scene import set_options
from rtbench.policy.oracle import oracle_action
from rtbench.task.library import BUNDLED
from rtbench.task.suite import draw
from tests.helpers import menagerie

NAME = "google_robot:simpler"
ROBOT = BUNDLED.robot(NAME)
SETTINGS = ROBOT.controllers.simpler


@pytest.fixture(scope="module")
def kitchen():
    with pytest.MonkeyPatch.context() as patch:
        menagerie.root(patch)
        kitchen = Kitchen(cameras=(), robot=NAME)
        yield kitchen
        kitchen.close()


@pytest.fixture
def begun(kitchen):
    suite = replace(BUNDLED.suite("seen"), robot=NAME)
    kitchen.begin(draw(suite, BUNDLED.task("pick/coke_can-v0"), 0))
    return kitchen


def act(kitchen, *, gripper=0.0, **moves):
    action = idle()
    action[GRIPPER] = gripper
    for name, value in moves.items():
        action[("x", "y", "z", "roll", "pitch", "yaw").index(name)] = value
    kitchen.controller.apply(action, 80)


def test_the_drives_lag_as_their_table_predicts(kitchen):
    spec = robot_spec(ROBOT)
    set_options(spec)
    model = spec.compile()
    data = mujoco.MjData(model)
    for name, entry in ROBOT.arm.joints.items():
        data.joint(name).qpos[0] = entry.home
        data.actuator(name).ctrl[0] = entry.home - 0.1
    mujoco.mj_step(model, data, nstep=240)
    for name, entry in ROBOT.arm.joints.items():
        stiffness, damping, _ = drives(ROBOT)[name]
        share = (entry.home - data.joint(name).qpos[0]) / 0.1
        assert share == pytest.approx(1 - math.exp(-stiffness / damping), abs=0.01)


def test_an_action_starts_from_the_sensed_pose(begun):
    act(begun, x=0.06)
    sensed = begun.world.to_base(begun.world.gripper())
    commanded = begun.controller.position
    assert np.linalg.norm(commanded - sensed.position) > 0.03, "the arm lags"
    act(begun, x=0.05, yaw=0.2)
    assert begun.controller.position - sensed.position == pytest.approx([0.05, 0, 0], abs=5e-4)
    turn = difference(begun.controller.quaternion, sensed.quaternion)
    assert turn == pytest.approx([0, 0, 0.2], abs=2e-3)


def test_the_path_goes_on_between_actions(begun):
    for _ in range(3):
        act(begun, x=0.06)
    assert np.abs(begun.controller._path.speed[:7]).max() > 0.02


def test_a_pose_out_of_reach_leaves_the_arm_where_it_is(begun):
    before = begun.controller.measured()
    action = idle()
    action[:3] = 1.0
    assert not begun.controller.apply(action, 80)
    assert begun.controller.measured() == pytest.approx(before, abs=1e-3)


def test_the_fingers_number_is_a_turn_of_their_last_target(begun):
    controller = begun.controller
    start = controller._turned_to
    for number in (0.3, 0.3):
        act(begun, gripper=number)
    assert controller._turned_to == pytest.approx(start + 2 * 0.3 * SETTINGS.gripper_turn)
    kept = controller._turned_to
    act(begun, gripper=0.0039)
    assert controller._turned_to == kept, "no token stands for zero"
    act(begun, gripper=1.0)
    assert controller._turned_to == SETTINGS.gripper_limits[1]


def test_four_actions_close_the_fingers_and_three_do_not(begun):
    openings = []
    for _ in range(4):
        act(begun, gripper=1.0)
        openings.append(begun.world.gripper_opening())
    assert openings[2] > 0.02
    assert openings[3] < 0.005


def test_actions_are_not_clipped(begun):
    action = idle()
    action[:3], action[GRIPPER] = [0.12, 0.05, -0.1], 0.0
    before = begun.world.to_base(begun.world.gripper()).position
    begun.convention, own = RT1, begun.convention
    begun.advance(RT1.encode(action))
    begun.convention = own
    assert begun.controller.position - before == pytest.approx(action[:3], abs=0.005)
    assert begun.events()["clipped"] == 0


def test_base_actions_of_rt1_move_the_arm_and_others_the_base(begun):
    action = idle()
    action[0], action[MODE], action[7] = 0.05, Mode.BASE, 0.1
    for name, mode in (("rt1", Mode.ARM), ("rt1-reference", Mode.ARM), ("rtbench", Mode.BASE)):
        assert begun.controller.take(action.copy(), name)[0][MODE] == mode


def test_a_step_is_the_same_bit_for_bit(begun):
    episode = begun._episode
    hashes = []
    for _ in range(2):
        begun.begin(episode)
        for _ in range(6):
            begun.advance(RTBENCH.encode(oracle_action(begun)))
        hashes.append(begun.state_hash())
    assert hashes[0] == hashes[1]


def test_the_robot_is_named_with_its_controller(kitchen):
    assert ROBOT.known_as == NAME
    assert BUNDLED.robot("google_robot:stiff").known_as == "google_robot"
    plain = BUNDLED.robot("google_robot")
    assert robot_path(ROBOT) == robot_path(plain), "baked once"
    assert description_hash(ROBOT) != description_hash(plain)
    with pytest.raises(UnknownNameError, match=r"robot google_robot.*'simplr'.*'simpler'"):
        BUNDLED.robot("google_robot:simplr")
    with pytest.raises(UnknownNameError, match=r"robot panda_omron.*simpler.*stiff"):
        BUNDLED.robot("panda_omron:simpler")
