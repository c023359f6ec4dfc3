"""The environment of a recording: starts that are shifted a little."""

from __future__ import annotations

import mujoco
import numpy as np

from rtbench.core.environment import EnvSettings
from rtbench.data import expert_env, segments
from rtbench.data.expert_env import START_SHIFT
from rtbench.env.kitchen import Kitchen
from rtbench.task.library import BUNDLED, load_suite
from rtbench.task.suite import episodes

SETTINGS = EnvSettings(cameras=(), convention="rtbench", content=(), control_hz=3)


def test_a_shifted_start_is_near_the_episodes_own_and_the_same_each_time():
    own, shifted = Kitchen(cameras=()), expert_env.make_shifted_env(SETTINGS)
    moved = []
    for episode in episodes(load_suite("seen"), limit=6, seed=4):
        own.begin(episode)
        shifted.begin(episode)
        first, where = shifted.state_hash(), shifted.world.base()
        moved.append(where - own.world.base())
        for name in episode.objects:
            away = shifted.world.pose(name).position - own.world.pose(name).position
            assert np.abs(away).max() < 0.003, name
        assert shifted.fingerprint()["state"] == first != own.fingerprint()["state"]
        shifted.begin(episode)
        assert shifted.state_hash() == first
    assert (np.abs(moved) < np.array(START_SHIFT) + 0.002).all()
    assert np.abs(moved).max(axis=0).min() > 0.004


def test_shifts_are_smaller_than_those_of_the_variants():
    robots = [BUNDLED.variant(name).robot for name in BUNDLED.variants()]
    for robot in filter(None, robots):
        assert START_SHIFT[0] < robot.back
        assert START_SHIFT[1] < robot.aside
        assert np.degrees(START_SHIFT[2]) < robot.turn


def test_segments_can_be_shifted_too():
    assert segments.make_shifted_env(SETTINGS).shifts_start
    assert not segments.make_env(SETTINGS).shifts_start


def test_an_object_of_the_task_on_the_floor_is_lost_and_another_one_is_not():
    env = expert_env.make_env(SETTINGS)
    episode = next(e for e in episodes(load_suite("seen"), limit=40, seed=4) if e.skill == "pick")
    assert not env.begin(episode).lost
    own = env.task.objects[0]
    other = next(name for name in episode.objects if name not in env.task.objects)
    model, data = env.world.scene.model, env.world._data
    for name, lost in ((other, False), (own, True)):
        data.joint(f"{name}:free").qpos[2] = 0.1
        mujoco.mj_forward(model, data)
        assert env.observe().lost is lost


def test_what_lies_in_the_lowest_drawer_is_not_lost():
    env = expert_env.make_env(SETTINGS)
    chosen = episodes(load_suite("seen"), limit=600, seed=4)
    episode = next(e for e in chosen if e.skill == "pick_from" and "bottom_drawer" in e.task)
    assert not env.begin(episode).lost
