"""Each event, provoked once."""

import dataclasses

import pytest

from rtbench.core.action import MODE, RT1, RTBENCH, Mode, idle
from rtbench.core.episode import EVENTS
from rtbench.env.kitchen import Kitchen
from rtbench.policy.oracle import oracle_action
from rtbench.policy.oracle.motion import View
from rtbench.policy.oracle.planner import next_step
from rtbench.task.library import BUNDLED, Library
from rtbench.task.task import Goal

OTHER = "apple"


def lift(kitchen, name, height):
    """Let the oracle's hand take an object, whatever the task, and hold it this much over the counter [m]."""
    for _ in range(40):
        action = next_step(View(kitchen), Goal("lifted", (name,)))
        if action is None:
            break
        kitchen.advance(RTBENCH.encode(action))
    assert kitchen.world.held(name)
    top = float(kitchen.world.surface("counter").center[2])
    for _ in range(8):
        missing = height - (float(kitchen.world.box(name)[0][2]) - top)
        if abs(missing) < 0.004:
            break
        action = idle()
        action[2], action[6] = max(-0.07, min(0.07, missing)), 1.0
        kitchen.advance(RTBENCH.encode(action))
    assert kitchen.world.held(name)


def test_all_counts_begin_at_nought(kitchen, episode_of):
    kitchen.begin(episode_of("pick/coke_can-v0"))
    assert kitchen.events() == dict.fromkeys(EVENTS, 0)


def test_taking_another_object_is_a_wrong_object(kitchen, episode_of):
    kitchen.begin(episode_of("pick/sponge-v0", objects=("sponge", OTHER)))
    lift(kitchen, OTHER, 0.1)
    assert kitchen.events()["wrong_object"] == 1


@pytest.mark.parametrize("task", ["pick/apple-v0", "move_near/apple_sponge-v0", "move_near/sponge_apple-v0"])
def test_the_objects_of_the_task_are_not_wrong(kitchen, episode_of, task):
    kitchen.begin(episode_of(task, objects=("sponge", OTHER)))
    lift(kitchen, OTHER, 0.1)
    assert kitchen.events()["wrong_object"] == 0


def test_a_foil_is_wrong_too(kitchen, episode_of, monkeypatch):
    """It always stands there, but the task is not about it."""
    task = dataclasses.replace(BUNDLED.task("pick/sponge-v0"), foils=(OTHER,))
    monkeypatch.setattr(Library, "task", lambda *_: task)
    kitchen.begin(episode_of("pick/sponge-v0", objects=("sponge", OTHER)))
    lift(kitchen, OTHER, 0.1)
    assert kitchen.events()["wrong_object"] == 1


@pytest.mark.parametrize("height", [0.12, 0.16, 0.22, 0.30])
def test_letting_go_high_up_is_a_drop(kitchen, episode_of, act, height):
    kitchen.begin(episode_of("pick/sponge-v0", objects=("sponge",)))
    lift(kitchen, "sponge", height)
    assert kitchen.events()["dropped"] == 0
    for _ in range(4):
        act(kitchen, gripper=-1.0)
    assert not kitchen.world.held("sponge")
    assert kitchen.events()["dropped"] == 1


@pytest.mark.parametrize("opening", [0.02, -0.1, -0.3])
def test_a_drop_counts_however_slowly_the_hand_opens(kitchen, episode_of, act, opening):
    """The fall may begin at the very end of a step."""
    kitchen.begin(episode_of("pick/sponge-v0", objects=("sponge",)))
    lift(kitchen, "sponge", 0.25)
    width = kitchen.world.gripper_opening()
    for step in range(12):
        closedness = 1.0 - 2.0 * min(0.08, width + (step + 1) * 0.004 + max(opening, 0)) / 0.08
        act(kitchen, gripper=closedness)
    assert not kitchen.world.held("sponge")
    assert kitchen.events()["dropped"] == 1


def test_putting_down_is_no_drop(kitchen, episode_of, act):
    kitchen.begin(episode_of("pick/sponge-v0", objects=("sponge",)))
    lift(kitchen, "sponge", 0.02)
    for _ in range(3):
        act(kitchen, gripper=-1.0)
    assert kitchen.events()["dropped"] == 0


def test_what_falls_off_the_counter_is_dropped(kitchen, episode_of, act):
    kitchen.begin(episode_of("pick/sponge-v0", objects=("sponge", OTHER)))
    joint = kitchen.world._data.joint(f"{OTHER}:free")
    joint.qpos[:3], joint.qvel[2] = [-1.5, 0.0, 0.9], -0.01
    for _ in range(3):
        act(kitchen)
    assert kitchen.world.box(OTHER)[0][2] < 0.1
    assert kitchen.events()["dropped"] == 1, "once, however long it lies there"


def test_driving_into_the_counter_is_a_collision(kitchen, episode_of, act):
    kitchen.begin(episode_of("drive/side_counter-v0", objects=()))
    for _ in range(4):
        act(kitchen, mode=Mode.BASE, base_x=0.19)
    assert kitchen.events()["collision"] == 1


def test_fingers_on_the_counter_are_no_collision(kitchen, episode_of, act):
    kitchen.begin(episode_of("open_drawer/top_drawer-v0", objects=()))
    for _ in range(4):
        act(kitchen, x=0.075, gripper=1.0)
    for _ in range(8):
        act(kitchen, z=-0.05, gripper=1.0)
    assert kitchen.world.touching("robot", "counter")
    assert kitchen.events()["collision"] == 0


@pytest.mark.parametrize("name", ["x", "y", "z"])
def test_stretching_too_far_is_out_of_reach(kitchen, episode_of, act, name):
    kitchen.begin(episode_of("open_drawer/top_drawer-v0", objects=()))
    act(kitchen, **{name: 0.05})
    assert kitchen.events()["out_of_reach"] == 0
    for _ in range(14):
        act(kitchen, **{name: 0.079})
    assert kitchen.events()["out_of_reach"] > 0


def test_turning_too_far_is_out_of_reach(kitchen, episode_of, act):
    kitchen.begin(episode_of("open_drawer/top_drawer-v0", objects=()))
    for _ in range(3):
        act(kitchen, yaw=-0.45)
    assert kitchen.events()["out_of_reach"] == 0
    for _ in range(6):
        act(kitchen, yaw=0.49)
    limit = kitchen.arm.limits[6]
    assert min(abs(kitchen.controller.angles[6] - limit)) > 0.1, "on its way"
    for _ in range(10):
        act(kitchen, yaw=0.49)
    assert kitchen.events()["out_of_reach"] >= 3


def test_numbers_that_no_step_can_do_are_clipped(episode_of):
    kitchen = Kitchen(cameras=(), convention_name="rt1")
    kitchen.begin(episode_of("pick/coke_can-v0"))
    action = idle()
    action[[0, 1, 7]] = 0.5, -0.5, 1.0  # the last is not used in arm mode
    kitchen.advance(RT1.encode(action))
    assert kitchen.events()["clipped"] == 2
    action[MODE] = Mode.BASE
    kitchen.advance(RT1.encode(action))
    assert kitchen.events()["clipped"] == 3


def test_changes_between_arm_and_base_are_counted(kitchen, episode_of, act):
    kitchen.begin(episode_of("pick/coke_can-v0"))
    for mode in (Mode.ARM, Mode.ARM, Mode.BASE, Mode.BASE, Mode.ARM, Mode.TERMINATE):
        act(kitchen, mode=mode)
    assert kitchen.events()["mode_switch"] == 2


def test_an_oracles_episode_is_clean(kitchen, episode_of):
    kitchen.begin(episode_of("pick/coke_can-v0", 3))
    while not kitchen.terminated:
        kitchen.advance(RTBENCH.encode(oracle_action(kitchen)))
    assert kitchen.events() == dict.fromkeys(EVENTS, 0)


def test_counts_do_not_outlive_their_episode(kitchen, episode_of, act):
    kitchen.begin(episode_of("pick/coke_can-v0"))
    act(kitchen)
    act(kitchen, mode=Mode.BASE)
    assert kitchen.events()["mode_switch"] == 1
    kitchen.begin(episode_of("pick/coke_can-v0", 1))
    assert not any(kitchen.events().values())
    act(kitchen, mode=Mode.BASE)
    assert kitchen.events()["mode_switch"] == 0, "the step before belongs to another episode"
