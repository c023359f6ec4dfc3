"""The environment as gymnasium and evaluators see it."""

import dataclasses
import math
import os
import subprocess
import sys
import textwrap
import warnings

import gymnasium
import mujoco
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from rtbench.core.action import RT1, RTBENCH, Mode, idle
from rtbench.core.environment import EnvSettings
from rtbench.core.errors import ActionError, RtbenchError, UnknownNameError
from rtbench.env.episode_reset import SETTLE_CREEP, SimulationError
from rtbench.env.kitchen import STAGES, Kitchen, make_worker_env
from rtbench.policy.oracle import oracle_action
from rtbench.task.library import BUNDLED, load_suite
from rtbench.task.suite import episodes
from tests.helpers.paths import ROOT

TASKS = BUNDLED.tasks()
KINDS = {task.skill: task for task in reversed(TASKS.values())}
"""One task of each skill."""
SAMPLE = {(t.skill, *(BUNDLED.things()[o].kind for o in t.objects)): t.id for t in reversed(TASKS.values())}
"""One task of each skill and kinds of objects."""
IDLE = RTBENCH.encode(idle())


def check(task, renderers):
    """Gymnasium's own checks of one id; GL contexts are shared, for each costs a tenth of a second."""
    kitchen = Kitchen(task)
    kitchen._renderers = renderers
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_env(kitchen, skip_close_check=True)
    known = ("infinity", "render mode")
    return [str(w.message) for w in caught if not any(words in str(w.message) for words in known)]


@pytest.fixture(scope="module")
def renderers():
    return {}


@pytest.mark.parametrize("task", sorted(SAMPLE.values()))
def test_a_task_of_each_skill_and_kind_passes_gymnasiums_checks(task, renderers):
    assert check(task, renderers) == []


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("RTBENCH_TEST_ALL"), reason="two minutes; RTBENCH_TEST_ALL=1 runs it")
@pytest.mark.parametrize("skill", sorted(KINDS))
def test_every_task_passes_gymnasiums_checks(skill, renderers):
    for task in (t.id for t in TASKS.values() if t.skill == skill):
        assert check(task, renderers) == [], task


def test_the_sample_has_every_skill_and_kind():
    assert {TASKS[task].skill for task in SAMPLE.values()} == set(KINDS)
    assert {kind for _, *kinds in SAMPLE for kind in kinds} == {
        thing.kind for thing in BUNDLED.things().values()
    }


def test_it_closes_and_can_be_closed_again():
    kitchen = Kitchen()
    kitchen.reset(seed=1)
    kitchen.close()
    kitchen.close()
    assert kitchen.reset(seed=1)[0]["image"].std() > 5, "and opens again"
    kitchen.close()


def test_the_spaces_say_what_comes(renderers):
    kitchen = Kitchen(cameras=("head", "wrist"))
    kitchen._renderers = renderers
    observation, info = kitchen.reset(seed=3)
    assert set(observation) == {"image", "wrist_image", "instruction", "proprio"}
    for key in ("image", "wrist_image"):
        assert observation[key].shape == (256, 320, 3)
        assert observation[key].dtype == np.uint8
    assert observation["proprio"].shape == (15,)
    assert observation["proprio"].dtype == np.float32
    assert kitchen.observation_space.contains(observation)
    assert info["task"] == "pick/coke_can-v0"
    assert kitchen.action_space.nvec.tolist() == [256] * 10 + [3]
    assert Kitchen(cameras=(), convention_name="rt1").action_space.nvec.tolist() == [3] + [256] * 10


def test_every_instruction_fits_the_space():
    space = Kitchen(cameras=()).observation_space["instruction"]
    for task in TASKS.values():
        assert all(space.contains(text) for text in task.templates), task.id


@pytest.mark.parametrize("task", [t.id for t in KINDS.values()])
def test_the_same_seed_gives_the_same_observation(task, renderers):
    kitchen = Kitchen(task, cameras=("head", "wrist"))
    kitchen._renderers = renderers
    first, _ = kitchen.reset(seed=5)
    kitchen.step(IDLE)
    kitchen.reset(seed=6)
    again, _ = kitchen.reset(seed=5)
    assert first["instruction"] == again["instruction"]
    for key in ("image", "wrist_image", "proprio"):
        assert np.array_equal(first[key], again[key]), key


def test_resets_without_a_seed_follow_from_the_first(kitchen):
    seen = []
    for _ in range(2):
        kitchen.reset(seed=9)
        seen.append([kitchen.reset()[1]["episode_key"] for _ in range(3)])
    assert seen[0] == seen[1]
    assert len({*seen[0]}) == 3


def test_a_given_episode_is_played(kitchen, episode_of):
    played = episode_of("bring/apple-v0", 4)
    _, info = kitchen.reset(options={"episode": played})
    assert info == {"episode_key": played.key, "task": "bring/apple-v0"}
    assert kitchen.task.id == "bring/apple-v0"


def test_proprioception_is_joints_hand_and_opening(kitchen, episode_of, act):
    kitchen.begin(episode_of("pick/coke_can-v0"))
    found = act(kitchen, x=0.05, gripper=0.0).proprio
    data, hand = kitchen.world._data, kitchen.world.to_base(kitchen.world.gripper())
    assert found[:7] == pytest.approx([data.joint(f"joint{i}").qpos[0] for i in range(1, 8)], abs=1e-6)
    assert found[7:10] == pytest.approx(hand.position, abs=1e-6)
    assert found[10:14] == pytest.approx(hand.quaternion, abs=1e-6)
    assert found[14] == pytest.approx(0.04, abs=0.003)


def test_steps_are_counted_and_cut_off(kitchen, episode_of):
    played = episode_of("pick/coke_can-v0", horizon=3)
    kitchen.reset(options={"episode": played})
    ends = [kitchen.step(IDLE)[2:4] for _ in range(3)]
    assert ends == [(False, False), (False, False), (False, True)]


def test_terminating_ends_without_reward_if_nothing_is_done(kitchen, episode_of):
    kitchen.reset(options={"episode": episode_of("pick/coke_can-v0")})
    action = idle()
    action[10] = Mode.TERMINATE
    _, reward, terminated, truncated, info = kitchen.step(RTBENCH.encode(action))
    assert (reward, terminated, truncated, info["success"]) == (0.0, True, False, False)


def test_the_reward_comes_with_success_at_the_end(kitchen, episode_of):
    kitchen.reset(options={"episode": episode_of("pick/coke_can-v0", 2)})
    rewards, over = [], False
    while not over:
        _, reward, terminated, truncated, info = kitchen.step(RTBENCH.encode(oracle_action(kitchen)))
        rewards.append(reward)
        over = terminated or truncated
    assert terminated
    assert info["success"]
    assert rewards == [0.0] * (len(rewards) - 1) + [1.0]


# Certificates of tasks ----------------------------------------------------------------------------------

SUITE = episodes(load_suite("seen"), rounds=5, seed=3)


@pytest.mark.parametrize("skill", sorted(KINDS))
def test_no_goal_is_true_at_reset_nor_comes_true_by_itself(kitchen, skill):
    for played in (e for e in SUITE if e.skill == skill):
        kitchen.begin(played)
        assert not kitchen.success(), played.task
        assert not all(kitchen.leaves().values())
        before = {name: kitchen.world.pose(name).position for name in played.objects}
        for _ in range(6):
            kitchen.advance(IDLE)
            assert not kitchen.success(), played.task
        kitchen.wait(3.0)
        assert not kitchen.success(), played.task
        for name, position in before.items():
            # A bag wedged in a bowl sinks by a millimetre.
            moved = np.linalg.norm(kitchen.world.pose(name).position - position)
            assert moved < SETTLE_CREEP, f"{name} does not lie still"
        assert not any(kitchen.events().values())


@pytest.mark.parametrize("skill", sorted(KINDS))
def test_what_is_present_stands_as_it_should(kitchen, skill):
    for played in (e for e in SUITE if e.skill == skill):
        kitchen.begin(played)
        start = kitchen.task.start
        assert kitchen.world.names() == played.objects
        for name in played.objects:
            where = start.place.get(name, start.station)
            assert kitchen.world.touching(name, where), (name, where)
            up = kitchen.world._data.body(name).xmat[8]
            assert abs(up) < 0.1 if name in start.lying else up > 0.98
        for drawer in kitchen.world.scene.spec.drawers:
            assert kitchen.world.opening(drawer) == pytest.approx(start.drawers.get(drawer, 0.0), abs=0.005)
        assert not kitchen.world.touched()
        assert kitchen.world.gripper_opening() == pytest.approx(0.08, abs=1e-3)


def test_what_is_not_in_the_episode_is_out_of_sight_and_reach(kitchen, episode_of):
    kitchen.begin(episode_of("pick/coke_can-v0", objects=("coke_can",)))
    counters = [kitchen.world.surface(c) for c in kitchen.world.scene.spec.counters]
    model, data = kitchen.world.scene.model, kitchen.world._data
    for name in kitchen.world.scene.objects:
        if name != "coke_can":
            position = data.body(name).xpos
            assert not any(c.covers(position, -0.5) for c in counters)
            body = model.body(name).id
            assert not any(model.geom_group[model.geom_bodyid == body] == 1)


def test_models_and_contexts_are_kept_up_to_a_number_and_freed_after(episode_of):
    kitchen = Kitchen()
    others = ["stapler", "scissors", "white_mug", "banana", "red_cup", "digit_3", "heart"]
    sets = sorted({BUNDLED.things()[o].set: o for o in others if o in BUNDLED.things()}.values())
    episodes_ = [
        episode_of("pick/coke_can-v0", scene=scene, objects=("coke_can", other))
        for other in sets for scene in ("office_kitchen", "office_desk")
    ]  # fmt: skip
    assert len(episodes_) > STAGES
    first = kitchen.begin(episodes_[0]).images["head"], kitchen.state_hash()
    for played in episodes_[1:]:
        assert kitchen.begin(played).images["head"].std() > 5
        assert len(kitchen._stages) <= STAGES
        assert set(kitchen._renderers) <= set(kitchen._stages)
    assert kitchen._key() in kitchen._stages
    again = kitchen.begin(episodes_[0]).images["head"], kitchen.state_hash()
    assert again[1] == first[1]
    assert np.array_equal(again[0], first[0])
    kitchen.close()


# Misuse -------------------------------------------------------------------------------------------------


def test_nothing_can_be_asked_before_an_episode_begins():
    kitchen = Kitchen(cameras=())
    for call in (kitchen.success, kitchen.state_hash, lambda: kitchen.advance(IDLE), kitchen.frame):
        with pytest.raises(RtbenchError, match="begin"):
            call()


@pytest.mark.parametrize(
    ("setting", "match"),
    [
        ({"task": "pick/coke_kan-v0"}, "pick/coke_can-v0"),
        ({"task": "rtbench/PickCokeCann-v0"}, "rtbench/PickCokeCan-v0"),
        ({"convention_name": "rt2"}, "rtbench"),
        ({"cameras": ("heat",)}, "head"),
        ({"profile": "leen"}, "lean"),
    ],
    ids=str,
)
def test_an_unknown_setting_is_told_with_the_nearest(setting, match):
    with pytest.raises(UnknownNameError, match=match):
        Kitchen(**setting)


@pytest.mark.parametrize("rate", [0, -3.0, math.nan, 1000.0])
def test_an_impossible_control_rate_is_refused(rate):
    with pytest.raises(RtbenchError, match="control_hz"):
        Kitchen(cameras=(), control_hz=rate)


@pytest.mark.parametrize(
    ("tokens", "match"),
    [
        (np.zeros(10, dtype=np.int64), "shape"),
        (np.array([256, *[128] * 9, 0]), r"\(x\)"),
        (np.array([128] * 10 + [3]), r"\(mode\)"),
        (np.array([math.nan] * 11), r"\(x\)"),
    ],
)
def test_a_bad_action_is_refused_and_changes_nothing(kitchen, episode_of, tokens, match):
    kitchen.begin(episode_of("pick/coke_can-v0"))
    before = kitchen.state_hash()
    with pytest.raises(ActionError, match=match):
        kitchen.advance(tokens)
    assert kitchen.state_hash() == before
    kitchen.advance(IDLE)
    assert kitchen.state_hash() != before


@pytest.mark.parametrize("what", ["qpos", "qvel"])
def test_physics_that_diverged_is_an_error(kitchen, episode_of, tmp_path, monkeypatch, what):
    monkeypatch.chdir(tmp_path)  # MuJoCo leaves a log where it warns
    played = episode_of("pick/apple-v0")
    kitchen.begin(played)
    expected = kitchen.state_hash()
    getattr(kitchen.world._data.joint("apple:free"), what)[0] = math.nan
    with pytest.raises(SimulationError, match="diverged"):
        kitchen.advance(IDLE)
    kitchen.begin(played)
    assert kitchen.state_hash() == expected, "the next episode knows nothing of it"
    kitchen.advance(IDLE)


def test_divergence_in_a_worker_leaves_no_log_in_the_users_folder(tmp_path):
    """In a process of its own, as workers are: MuJoCo's warnings go to one place for all of a process."""
    code = textwrap.dedent("""
        import math
        from rtbench.env import gl
        gl.prepare()
        from rtbench.task.library import BUNDLED, load_suite
        from rtbench.env.kitchen import make_worker_env
        from rtbench.env.episode_reset import SETTLE_CREEP, SimulationError
        from rtbench.core.action import RTBENCH, idle
        from rtbench.evaluation.messages import EnvSettings
        from rtbench.task.suite import episodes
        kitchen = make_worker_env(EnvSettings(cameras=()))
        (played,) = episodes(load_suite("seen"), rounds=1, skills=("pick",))
        kitchen.begin(played)
        kitchen.world._data.joint(f"{played.objects[0]}:free").qvel[0] = math.nan
        try:
            kitchen.advance(RTBENCH.encode(idle()))
        except SimulationError as error:
            print(error)
    """)
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, cwd=tmp_path,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "diverged" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_two_kitchens_of_one_process_keep_their_own_objects(episode_of, renderers):
    first, second = Kitchen(cameras=()), Kitchen(cameras=())
    first._renderers = second._renderers = renderers
    first.begin(episode_of("pick/apple-v0"))
    before, state = first.frame(), first.state_hash()
    second.begin(episode_of("pick/sponge-v0", 3))
    second.advance(IDLE)
    assert first.state_hash() == state
    assert np.array_equal(first.frame(), before)


def test_the_fingerprint_is_that_of_the_start(kitchen, episode_of, renderers):
    played = episode_of("pick/apple-v0")
    kitchen.begin(played)
    start = kitchen.fingerprint()
    assert start["state"] == kitchen.state_hash()
    assert "frame" not in start, "nothing was drawn"
    kitchen.advance(IDLE)
    assert kitchen.fingerprint() == start
    seeing = Kitchen(cameras=("head",))
    seeing._renderers = renderers
    seeing.begin(played)
    assert seeing.fingerprint()["state"] == start["state"]
    first = seeing.fingerprint()["frame"]
    seeing.begin(dataclasses.replace(played, seed=1))
    assert seeing.fingerprint()["frame"] != first


def test_a_workers_environment_is_as_it_was_asked_for(monkeypatch):
    monkeypatch.setattr(mujoco, "set_mju_user_warning", lambda _: None)  # it holds for the whole process
    known = {"cameras": ("wrist",), "profile": "lean", "convention": "rt1", "control_hz": 3.0, "content": ()}
    fields = {f.name for f in dataclasses.fields(EnvSettings)}
    settings = EnvSettings(**{k: v for k, v in known.items() if k in fields})
    kitchen = make_worker_env(settings)
    assert kitchen.cameras == ("wrist",)
    assert kitchen.convention is RT1
    assert isinstance(kitchen, gymnasium.Env)


def test_info_names_what_a_result_depends_on(renderers, episode_of):
    kitchen = Kitchen(cameras=("head",))
    kitchen._renderers = renderers
    kitchen.begin(episode_of("pick/apple-v0"))
    info = kitchen.info()
    assert info["mujoco"] == mujoco.__version__
    assert info["profile"] == "lean"
    assert info["gl_renderer"]
    assert all(isinstance(value, str) for value in info.values())
