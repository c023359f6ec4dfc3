"""SIMPLER's suite in the kitchen: its starts, rules that remember, and an instruction that changes."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from rtbench.core.action import MODE, RTBENCH, Mode, idle
from rtbench.core.rotation import rotate
from rtbench.env.kitchen import Kitchen
from rtbench.policy.oracle import oracle_action
from rtbench.task.library import BUNDLED
from rtbench.task.suite import draw, episodes
from tests.helpers import menagerie

SUITE = replace(BUNDLED.suite("simpler"), robot="google_robot")
IDLE = RTBENCH.encode(idle())
STOP = idle()
STOP[MODE] = Mode.TERMINATE
STOP = RTBENCH.encode(STOP)
FLOOR = 0.017
"""Height of SIMPLER's floor in its world [m]."""
PLACE = "simpler/place_apple_into_drawer-v0"


@pytest.fixture(scope="module")
def kitchen():
    with pytest.MonkeyPatch.context() as patch:
        menagerie.root(patch)
        kitchen = Kitchen(cameras=(), robot="google_robot")
        yield kitchen
        kitchen.close()


def begin(kitchen, task, seed=0):
    return kitchen.begin(draw(SUITE, BUNDLED.task(task), seed))


def test_a_round_has_each_start_once():
    played = episodes(SUITE)
    starts = {(e.task, e.seed % len(BUNDLED.task(e.task).start.layouts)) for e in played}
    assert len(played) == len(starts) == 216
    assert Counter(e.skill for e in played) == {
        "simpler_pick": 75, "simpler_near": 60, "simpler_open": 27, "simpler_close": 27, "simpler_place": 27,
    }  # fmt: skip
    assert {e.skill: e.horizon for e in played} == {
        "simpler_pick": 80, "simpler_near": 80, "simpler_open": 113, "simpler_close": 113,
        "simpler_place": 200,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("task", "axis"),
    [("horizontal", (0, 1, 0)), ("vertical", (1, 0, 0)), ("standing", (0, 0, 1))],
)
def test_the_can_and_the_robot_stand_where_simplers_do(kitchen, task, axis):
    begin(kitchen, f"simpler/pick_coke_can_{task}-v0", 7)
    can = kitchen.world.pose("opened_coke_can")
    assert can.position[:2] == pytest.approx([-0.2925, 0.20], abs=0.004)
    assert abs(rotate(can.quaternion, [0, 0, 1]) @ axis) > 0.999
    assert kitchen.world.base() == pytest.approx([0.35, 0.20, math.pi], abs=1e-3)
    assert kitchen.world.surface("counter").center[2] == pytest.approx(0.87 - FLOOR)
    assert kitchen.world.gripper().position == pytest.approx([-0.089, 0.418, 1.041 - FLOOR], abs=0.003)


def test_the_cabinet_is_simplers(kitchen):
    begin(kitchen, "simpler/close_cabinet_drawer_middle_drawer-v0", 5)
    assert kitchen.world.base() == pytest.approx([0.851, 0.035, math.pi], abs=1e-3)
    assert kitchen.world.opening("middle_drawer") == pytest.approx(0.2, abs=1e-3)
    model = kitchen._current().scene.model
    data = kitchen._current().data
    for drawer, height in (("top_drawer", 0.705), ("middle_drawer", 0.460), ("bottom_drawer", 0.215)):
        bar = data.geom(f"{drawer}:handle").xpos
        assert bar[1:] == pytest.approx([0.0, height - FLOOR], abs=1e-3)
        assert model.geom(f"{drawer}:handle").contype[0] == 1
    assert kitchen.world.surface("counter").center[2] == pytest.approx(0.882 - FLOOR)


def play(kitchen, horizon):
    for _ in range(horizon):
        observation = kitchen.advance(RTBENCH.encode(oracle_action(kitchen)))
        if kitchen.terminated:
            return observation
    return observation


@pytest.mark.parametrize(
    ("task", "seed"),
    [
        ("pick_coke_can_standing", 0), ("pick_coke_can_horizontal", 12),
        ("close_cabinet_drawer_top_drawer", 8),
        ("move_near_1_light_orange_opened_pepsi_can_light_plastic_bottle", 1),
        ("open_cabinet_drawer_bottom_drawer", 2),
    ],
)  # fmt: skip
def test_the_oracle_succeeds_by_both_rules(kitchen, task, seed):
    episode = draw(SUITE, BUNDLED.task(f"simpler/{task}-v0"), seed)
    kitchen.begin(episode)
    assert not kitchen.success()
    play(kitchen, episode.horizon)
    assert kitchen.success()
    assert all(kitchen.rules().values())


def test_terminate_changes_the_instruction_and_ends_the_episode_the_second_time(kitchen):
    assert begin(kitchen, PLACE).instruction == "open top drawer"
    assert kitchen.advance(IDLE).instruction == "open top drawer"
    assert kitchen.advance(STOP).instruction == "place apple into top drawer"
    assert not kitchen.terminated
    kitchen.advance(STOP)
    assert kitchen.terminated


def test_the_instruction_changes_by_force_at_step_100(kitchen, monkeypatch):
    begin(kitchen, PLACE)
    monkeypatch.setattr(kitchen.controller, "apply", lambda *_: True)
    said = [kitchen.advance(IDLE).instruction for _ in range(101)]
    assert said[98:] == ["open top drawer", "place apple into top drawer", "place apple into top drawer"]


def test_success_is_of_the_second_part_only(kitchen):
    begin(kitchen, PLACE)
    data = kitchen._current().data
    data.joint("top_drawer").qpos[0] = 0.3
    kitchen.world.notes("simpler_in(large_apple, top_drawer)")["touched"] = 1
    assert all(kitchen.leaves().values())
    assert not kitchen.success()
    assert kitchen.rules() == {"strict": False}
    kitchen.advance(STOP)
    assert kitchen.success()
    assert kitchen.rules() == {"strict": False}, "the apple is not in the drawer"


def test_notes_are_of_one_episode(kitchen):
    begin(kitchen, "simpler/pick_coke_can_standing-v0")
    kitchen.world.notes("simpler_pick(opened_coke_can)")["up"] = 1
    assert kitchen.success()
    begin(kitchen, "simpler/pick_coke_can_standing-v0")
    assert not kitchen.success()


@pytest.mark.parametrize("task", ["pick_coke_can_standing", "open_cabinet_drawer_top_drawer"])
def test_an_idle_policy_fails(kitchen, task):
    begin(kitchen, f"simpler/{task}-v0")
    kitchen.controller.run(240 * 5)
    kitchen.advance(IDLE)
    assert not kitchen.success()
    assert np.isfinite(kitchen._current().data.qpos).all()


@pytest.fixture(scope="module")
def seeing():
    with pytest.MonkeyPatch.context() as patch:
        menagerie.root(patch)
        kitchen = Kitchen(cameras=("head",), robot="google_robot")
        yield kitchen
        kitchen.close()


@pytest.mark.parametrize("name", sorted(n for n in BUNDLED.variants() if n.startswith("simpler_")))
def test_a_variant_changes_the_picture_and_no_state(seeing, name):
    played = draw(SUITE, BUNDLED.task("simpler/pick_coke_can_standing-v0"), 0)
    plain, state = seeing.begin(played).images["head"].astype(int), seeing.state_hash()
    changed = seeing.begin(replace(played, variant=name)).images["head"].astype(int)
    assert seeing.state_hash() == state
    assert (np.abs(changed - plain).max(axis=2) > 12).mean() > 0.03, "one can see it"
