"""Conformance: what each of the eleven numbers does to the robot."""

import math

import mujoco
import numpy as np
import pytest

from rtbench.core.action import REACH_HIGH, Mode
from rtbench.core.episode import DEFAULT_ROBOT
from rtbench.core.rotation import difference, wrap
from rtbench.task.library import BUNDLED
from rtbench.task.robot_entry import BASE_JOINTS

ARM_JOINTS = tuple(BUNDLED.robot(DEFAULT_ROBOT).arm.joints)
MAX_OPENING = BUNDLED.robot(DEFAULT_ROBOT).gripper.open
SPACE = (-1.0, 0.3)
"""x, y [m] of the middle of the floor: nothing is in the robot's way."""
HEADINGS = (0.0, math.pi / 2, -2.4)


def stand(kitchen, yaw=0.0, at=SPACE):
    """Put the robot on the free floor."""
    data = kitchen.controller._data
    for joint, value in zip(BASE_JOINTS, (*at, yaw), strict=True):
        data.joint(joint).qpos[0] = value
    mujoco.mj_forward(kitchen.world.scene.model, data)
    kitchen.controller.reset()
    kitchen.wait(0.25)


@pytest.fixture
def robot(kitchen, episode_of):
    """The kitchen with the robot in free space and nothing else to touch."""
    kitchen.begin(episode_of("open_drawer/top_drawer-v0", objects=()))
    stand(kitchen)
    return kitchen


def hand(kitchen):
    """Gripper pose in the base frame."""
    return kitchen.world.to_base(kitchen.world.gripper())


def angles(kitchen):
    return np.array([kitchen.controller._data.joint(j).qpos[0] for j in ARM_JOINTS])


@pytest.mark.parametrize("yaw", HEADINGS)
@pytest.mark.parametrize(("name", "axis"), [("x", 0), ("y", 1), ("z", 2)])
@pytest.mark.parametrize("way", [0.05, -0.05])
def test_the_gripper_moves_along_the_axes_of_the_base(robot, act, yaw, name, axis, way):
    """x forward, y left, z up, however the base is turned."""
    stand(robot, yaw)
    before, world = hand(robot), robot.world.gripper().position
    act(robot, **{name: way})
    moved = hand(robot).position - before.position
    assert moved == pytest.approx(way * np.eye(3)[axis], abs=0.006)
    forward = np.array([math.cos(yaw), math.sin(yaw), 0.0])
    axes = (forward, np.array([-forward[1], forward[0], 0.0]), np.array([0.0, 0.0, 1.0]))
    assert (robot.world.gripper().position - world) @ axes[axis] == pytest.approx(way, abs=0.006)


@pytest.mark.parametrize("yaw", HEADINGS)
@pytest.mark.parametrize(("name", "axis"), [("roll", 0), ("pitch", 1), ("yaw", 2)])
@pytest.mark.parametrize("way", [0.3, -0.3])
def test_the_gripper_turns_about_the_axes_of_the_base(robot, act, yaw, name, axis, way):
    """By the right hand: roll about x, pitch about y, yaw about z."""
    stand(robot, yaw)
    before = hand(robot)
    act(robot, **{name: way})
    after = hand(robot)
    assert difference(after.quaternion, before.quaternion) == pytest.approx(way * np.eye(3)[axis], abs=0.03)
    assert np.linalg.norm(after.position - before.position) < 0.008


@pytest.mark.parametrize(("closedness", "opening"), [(-1.0, MAX_OPENING), (1.0, 0.0), (0.0, MAX_OPENING / 2)])
def test_the_gripper_closes_from_minus_one_to_one(robot, act, closedness, opening):
    for _ in range(3):
        act(robot, gripper=closedness)
    assert robot.world.gripper_opening() == pytest.approx(opening, abs=0.002)


def test_the_fingers_open_and_close_within_one_step(robot, act):
    act(robot, gripper=1.0)
    assert robot.world.gripper_opening() < 0.01
    act(robot, gripper=-1.0)
    assert robot.world.gripper_opening() > MAX_OPENING - 0.01


@pytest.mark.parametrize("yaw", HEADINGS)
@pytest.mark.parametrize(("name", "axis"), [("base_x", 0), ("base_y", 1)])
@pytest.mark.parametrize("way", [0.15, -0.15])
def test_the_base_moves_along_its_own_axes(robot, act, yaw, name, axis, way):
    stand(robot, yaw)
    before = robot.world.base()
    act(robot, mode=Mode.BASE, **{name: way})
    moved = robot.world.base() - before
    c, s = math.cos(yaw), math.sin(yaw)
    local = np.array([c * moved[0] + s * moved[1], -s * moved[0] + c * moved[1], moved[2]])
    assert local == pytest.approx(way * np.eye(3)[axis], abs=0.012)


@pytest.mark.parametrize("way", [0.4, -0.4])
def test_the_base_turns_counter_clockwise(robot, act, way):
    before = robot.world.base()
    act(robot, mode=Mode.BASE, base_yaw=way)
    after = robot.world.base()
    assert wrap(after[2] - before[2]) == pytest.approx(way, abs=0.03)
    assert np.linalg.norm(after[:2] - before[:2]) < 0.01


def test_arm_mode_ignores_the_numbers_of_the_base(robot, act):
    base, before = robot.world.base(), robot.world.gripper().position
    act(robot, z=0.03, base_x=0.19, base_y=-0.19, base_yaw=0.4)
    assert np.abs(robot.world.base() - base).max() < 2e-3
    assert robot.world.gripper().position - before == pytest.approx([0, 0, 0.03], abs=6e-3)


def test_base_mode_ignores_the_numbers_of_the_arm(robot, act):
    before, opening = angles(robot), robot.world.gripper_opening()
    act(robot, mode=Mode.BASE, base_x=0.1, x=0.07, y=-0.07, z=0.07, roll=0.4, yaw=0.4, gripper=1.0)
    assert np.abs(angles(robot) - before).max() < 0.02
    assert robot.world.gripper_opening() == pytest.approx(opening, abs=1e-3)


def test_ignored_numbers_change_not_a_bit(kitchen, episode_of, act):
    hashes = []
    for ignored in ({}, {"base_x": 0.19, "base_yaw": -0.4}):
        kitchen.begin(episode_of("pick/apple-v0"))
        act(kitchen, z=0.05, **ignored)
        hashes.append(kitchen.state_hash())
    for ignored in ({}, {"x": 0.07, "pitch": -0.4, "gripper": 1.0}):
        kitchen.begin(episode_of("pick/apple-v0"))
        act(kitchen, mode=Mode.BASE, base_y=0.05, **ignored)
        hashes.append(kitchen.state_hash())
    assert hashes[0] == hashes[1] != hashes[2]
    assert hashes[2] == hashes[3]


def test_terminate_ends_the_episode_and_moves_nothing(robot, act):
    act(robot, z=0.03)
    assert not robot.terminated
    robot.wait(0.5)
    before = angles(robot)
    act(robot, mode=Mode.TERMINATE, x=0.07, base_x=0.19, gripper=1.0)
    assert robot.terminated
    assert np.abs(angles(robot) - before).max() < 1e-3
    assert robot.world.gripper_opening() == pytest.approx(MAX_OPENING, abs=1e-3)


def test_an_idle_robot_does_not_drift(robot, act):
    before, base = robot.world.gripper().position, robot.world.base()
    for _ in range(60):
        act(robot)
    assert np.linalg.norm(robot.world.gripper().position - before) < 0.5e-3
    assert np.abs(robot.world.base() - base).max() < 0.5e-3


def test_there_and_back_is_where_it_began(robot, act):
    """The commanded pose is what adds up, so errors do not."""
    before = robot.world.gripper()
    for way in (0.04, -0.04) * 8:
        act(robot, x=way, y=-way, yaw=way * 4)
    robot.wait(0.5)
    after = robot.world.gripper()
    assert np.linalg.norm(after.position - before.position) < 0.5e-3
    assert np.linalg.norm(difference(after.quaternion, before.quaternion)) < 0.005


def test_a_whole_step_arrives_within_its_period(robot, act):
    """The bounds of the action are what one step can do."""
    before = hand(robot).position
    act(robot, z=-REACH_HIGH[2])
    assert hand(robot).position[2] - before[2] == pytest.approx(-REACH_HIGH[2], abs=0.006)


def test_a_blocked_arm_does_not_wind_up(kitchen, episode_of, act):
    kitchen.begin(episode_of("open_drawer/top_drawer-v0", objects=()))
    top = float(kitchen.world.surface("counter").center[2])
    while kitchen.world.gripper().position[0] < kitchen.world.surface("counter").center[0] - 0.15:
        act(kitchen, x=0.06, gripper=1.0)
    for _ in range(8):
        act(kitchen, z=-0.06, gripper=1.0)
    for _ in range(10):
        act(kitchen, z=-0.079, gripper=1.0)
    pressed = kitchen.world.gripper().position[2]
    assert top - 0.02 < pressed < top + 0.04, "the fingers stand on the counter"
    assert kitchen.world.touching("robot", "counter")
    act(kitchen, z=0.07, gripper=1.0)
    assert kitchen.world.gripper().position[2] > pressed + 0.03
    assert not kitchen.world.touching("robot", "counter")


def test_an_arm_stretched_beyond_its_reach_comes_back_at_once(robot, act):
    for _ in range(14):
        act(robot, x=0.079)
    assert robot.events()["out_of_reach"] > 0
    far = hand(robot).position[0]
    act(robot, x=-0.07)
    assert hand(robot).position[0] < far - 0.03


def test_a_wrist_turned_beyond_its_reach_comes_back_at_once(robot, act):
    for _ in range(14):
        act(robot, yaw=0.49)
    before = hand(robot).quaternion
    act(robot, yaw=-0.4)
    assert difference(hand(robot).quaternion, before)[2] < -0.15


def test_a_base_against_a_counter_does_not_wind_up(kitchen, episode_of, act):
    kitchen.begin(episode_of("open_drawer/top_drawer-v0", objects=()))
    for _ in range(8):
        act(kitchen, mode=Mode.BASE, base_x=0.19)
    before = kitchen.world.base()
    assert before[0] < kitchen.world.surface("counter").center[0] - 0.5
    act(kitchen, mode=Mode.BASE, base_x=-0.15)
    assert kitchen.world.base()[0] < before[0] - 0.1


def test_waiting_keeps_the_last_command(robot, act):
    act(robot, z=0.05)
    before = robot.world.gripper().position
    robot.wait(2.0)
    assert np.linalg.norm(robot.world.gripper().position - before) < 2e-3


@pytest.mark.parametrize("steps", [1, 7, 10, 24, 80, 240])
def test_a_control_step_takes_its_time_exactly(robot, steps):
    data = robot.controller._data
    before = data.time
    robot.controller.apply(np.array([0, 0, 0.01, 0, 0, 0, -1, 0, 0, 0, 0.0]), steps)
    assert data.time - before == pytest.approx(steps / 240)


def test_another_control_rate_moves_as_far(episode_of, act):
    from rtbench.env.kitchen import Kitchen

    moved = {}
    for rate in (3.0, 10.0):
        kitchen = Kitchen(cameras=(), control_hz=rate)
        kitchen.begin(episode_of("open_drawer/top_drawer-v0", objects=()))
        before = kitchen.world.gripper().position
        act(kitchen, z=-0.02)
        kitchen.wait(0.5)
        moved[rate] = kitchen.world.gripper().position - before
    assert moved[10.0] == pytest.approx(moved[3.0], abs=1e-3)
    assert moved[3.0][2] == pytest.approx(-0.02, abs=2e-3)
