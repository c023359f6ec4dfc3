"""The oracle acts by tokens alone, finishes what it or another has begun, and remembers nothing."""

import numpy as np
import pytest

from rtbench.core.action import RTBENCH
from rtbench.core.rotation import rotate, wrap
from rtbench.core.seeding import generator
from rtbench.policy.base import Policy, Privileged
from rtbench.policy.oracle import OraclePolicy, oracle_action
from rtbench.policy.oracle.grasp import BESIDE, OVER
from rtbench.policy.oracle.motion import View
from rtbench.policy.oracle.planner import next_step, spot_of
from rtbench.policy.oracle.subgoal import left_to_do
from rtbench.task.library import load_suite
from rtbench.task.suite import episodes
from rtbench.task.task import Goal

PER_SKILL = 3
SUITE = episodes(load_suite("seen"), rounds=PER_SKILL, seed=7)
SKILLS = sorted({e.skill for e in SUITE})
each_skill = pytest.mark.parametrize("skill", SKILLS)


def of(skill):
    return [e for e in SUITE if e.skill == skill]


def finish(kitchen, horizon):
    """Steps that the oracle takes from here to its own end."""
    for step in range(horizon):
        kitchen.advance(RTBENCH.encode(oracle_action(kitchen)))
        if kitchen.terminated:
            return step + 1
    return horizon


@each_skill
def test_each_skill_is_solved_ended_and_stays_solved(kitchen, skill):
    for played in of(skill):
        kitchen.begin(played)
        steps = finish(kitchen, played.horizon)
        assert kitchen.success(), played.task
        assert kitchen.terminated, f"{played.task} was not ended in {played.horizon} steps"
        assert steps < 0.9 * played.horizon, f"{played.task} leaves no room in its horizon"
        for _ in range(3):
            kitchen.wait(1 / 3)
            assert kitchen.success(), played.task


@each_skill
def test_it_takes_over_after_random_actions(kitchen, skill):
    played = of(skill)[0]
    kitchen.begin(played)
    random = generator("takeover", played.task)
    for _ in range(10):
        kitchen.advance(np.append(random.integers(0, 256, 10), random.random() < 0.2))
    finish(kitchen, played.horizon)
    assert kitchen.success(), played.task


@each_skill
def test_it_follows_from_the_state_alone(kitchen, skill):
    """Another instance in the middle of an episode says the same, and asking twice changes nothing."""
    played = of(skill)[0]
    first = OraclePolicy()
    first.attach(0, kitchen)
    observation = kitchen.begin(played)
    first.reset(0, played.instruction, 1)
    for _ in range(8):
        tokens = first.act([observation], [0])
        before = kitchen.state_hash()
        other = OraclePolicy()
        other.attach(3, kitchen)
        other.reset(3, "something else", 2)
        assert np.array_equal(other.act([observation], [3]), tokens)
        assert np.array_equal(first.act([observation], [0]), tokens)
        assert kitchen.state_hash() == before
        observation = kitchen.advance(tokens[0])


def test_it_keeps_the_contract_of_policies(kitchen, episode_of):
    policy = OraclePolicy()
    assert isinstance(policy, Policy)
    assert isinstance(policy, Privileged)
    assert policy.needs.privileged
    assert policy.needs.cameras == ()
    policy.attach(2, kitchen)
    tokens = policy.act([kitchen.begin(episode_of("pick/apple-v0"))], [2])
    assert tokens.shape == (1, 11)
    assert tokens.dtype == np.int64
    RTBENCH.check_tokens(tokens[0])


def test_its_actions_are_within_what_a_step_can_do(kitchen):
    from rtbench.core.action import clip_action

    for skill in SKILLS:
        kitchen.begin(of(skill)[1])
        for _ in range(15):
            action = oracle_action(kitchen)
            assert clip_action(action)[1] == 0, action
            kitchen.advance(RTBENCH.encode(action))
            if kitchen.terminated:
                break


def test_near_an_object_it_goes_sideways_as_far_as_there_is_to_go(kitchen):
    # What a policy can learn: a step that follows from hand and object alone, not from what stands around.
    checked = 0
    for played in of("pick"):
        kitchen.begin(played)
        name, random = kitchen.task.objects[0], generator("aside", played.seed)
        for _ in range(played.horizon):
            action = oracle_action(kitchen)
            hand, pose = kitchen.world.gripper(), kitchen.world.pose(name)
            offset = kitchen.world.to_base(pose).position - kitchen.world.to_base(hand).position
            over = hand.position[2] - View(kitchen).shape.tip > kitchen.world.box(name)[1][2]
            if over and OVER[0] < np.linalg.norm(offset[:2]) < BESIDE and not kitchen.world.held(name):
                checked += 1
                assert action[:2] == pytest.approx(offset[:2], abs=0.03 if "bag" in name else 0.005)
            action[:2] += random.uniform(-0.05, 0.05, 2)
            kitchen.advance(RTBENCH.encode(action))
            if kitchen.terminated:
                break
    assert checked > 5


def on_the_way(kitchen, name, target):
    """Share of the way from an object to its target, and distance from that way [m], of where it is put."""
    view = View(kitchen)
    place = spot_of(view, left_to_do(view, kitchen.task.goal)[0]).place
    start, end = (kitchen.world.pose(n).position[:2] for n in (name, target))
    way = end - start
    share = float((place - start) @ way / (way @ way))
    return share, float(np.linalg.norm(place - start - share * way))


@pytest.mark.parametrize("seed", range(3))
def test_what_is_moved_near_goes_the_straight_way_where_nothing_else_stands(kitchen, episode_of, seed):
    both = ("coke_can", "sponge")
    kitchen.begin(episode_of("move_near/coke_can_sponge-v0", seed, objects=both))
    share, aside = on_the_way(kitchen, *both)
    assert 0.0 < share < 1.0
    assert aside < 0.002


def test_it_goes_round_what_stands_at_the_end_of_the_straight_way(kitchen, episode_of):
    kitchen.begin(episode_of("move_near/coke_can_sponge-v0", objects=("coke_can", "sponge", "apple")))
    view = View(kitchen)
    job = left_to_do(view, kitchen.task.goal)[0]
    apple = kitchen.world._data.joint("apple:free")
    apple.qpos[:2] = 3.0, 0.0  # out of the way
    kitchen.wait(0.05)
    spot = spot_of(View(kitchen), job).place
    apple.qpos[:2], apple.qpos[2] = spot, 0.90
    kitchen.wait(0.05)
    share, aside = on_the_way(kitchen, "coke_can", "sponge")
    assert 0.03 < aside < 0.2, "a free side of the target, beside the apple"
    assert 0.0 < share < 1.2


def test_what_is_put_on_a_counter_goes_towards_its_middle(kitchen, episode_of):
    kitchen.begin(episode_of("pick_from/apple_white_bowl-v0", objects=("apple", "white_bowl")))
    view = View(kitchen)
    start = kitchen.world.pose("apple").position[:2]
    place = spot_of(view, left_to_do(view, kitchen.task.goal)[0]).place
    middle = kitchen.world.scene.to_world("counter", 0.14, 0.0)
    assert np.linalg.norm(place - middle) < np.linalg.norm(start - middle)


def test_the_hand_that_stands_something_up_points_away_from_its_arm_in_the_picture(kitchen):
    # The head camera is on the left. A hand that points to the left shows what it holds.
    for played in of("place_upright"):
        kitchen.begin(played)
        name, level = kitchen.task.objects[0], 0
        for _ in range(played.horizon):
            kitchen.advance(RTBENCH.encode(oracle_action(kitchen)))
            view = View(kitchen)
            if view.leaning > 1.4 and kitchen.world.held(name):
                level += 1
                x, y, _ = kitchen.world.to_base(view.hand).position
                c, s, _ = rotate(view.hand.quaternion, [0.0, 0.0, 1.0])
                assert wrap(np.arctan2(s, c) - view.base[2] - np.arctan2(y, x - 0.2)) > 0
            if kitchen.terminated:
                break
        assert level > 0


def lift(kitchen, name):
    for _ in range(25):
        action = next_step(View(kitchen), Goal("lifted", (name,)))
        if action is None:
            return
        kitchen.advance(RTBENCH.encode(action))
    raise AssertionError(f"{name} was not lifted")


@pytest.mark.parametrize(
    "task",
    [
        "pick/coke_can-v0",
        "move_near/coke_can_sponge-v0",
        "knock_over/coke_can-v0",
        "open_drawer/top_drawer-v0",
    ],
)
def test_it_first_puts_away_what_another_policy_holds(kitchen, episode_of, task):
    extra = ("apple",)
    base = {"pick": ("coke_can",), "move_near": ("coke_can", "sponge"), "knock_over": ("coke_can",)}
    kitchen.begin(episode_of(task, objects=base.get(task.split("/")[0], ()) + extra))
    lift(kitchen, "apple")
    finish(kitchen, 90)
    assert kitchen.success()
    assert not kitchen.world.held("apple")


def test_it_picks_up_what_was_dropped(kitchen, episode_of, act):
    kitchen.begin(episode_of("pick/apple-v0", 1))
    lift(kitchen, "apple")
    for _ in range(2):
        act(kitchen, gripper=-1.0)
    assert not kitchen.world.held("apple")
    finish(kitchen, 60)
    assert kitchen.success()


def test_it_goes_on_with_a_drawer_that_is_half_open(kitchen, episode_of):
    kitchen.begin(episode_of("open_drawer/middle_drawer-v0"))
    kitchen.world._data.joint("middle_drawer").qpos[0] = 0.09
    kitchen.wait(0.2)
    assert not kitchen.success()
    finish(kitchen, 60)
    assert kitchen.success()


def test_it_comes_back_when_half_way_to_the_other_counter(kitchen, episode_of):
    kitchen.begin(episode_of("pick/apple-v0"))
    for _ in range(6):
        kitchen.advance(RTBENCH.encode(next_step(View(kitchen), Goal("at", ("side_counter",)))))
    assert np.linalg.norm(kitchen.world.base()[:2] - kitchen.world.station("counter")[:2]) > 0.4, "on its way"
    finish(kitchen, 90)
    assert kitchen.success()


def test_what_lies_on_the_floor_is_no_crash(kitchen, episode_of, act):
    kitchen.begin(episode_of("pick/apple-v0"))
    joint = kitchen.world._data.joint("apple:free")
    joint.qpos[:3], joint.qvel[2] = [-1.4, 0.3, 0.3], -0.01
    act(kitchen)
    finish(kitchen, 40)
    assert not kitchen.success()
