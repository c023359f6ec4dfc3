"""The kitchen in gymnasium's vector environments and wrappers; a process that hangs fails its test."""

from __future__ import annotations

import os
import subprocess
import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces.utils import flatten_space
from gymnasium.utils.env_checker import check_env

from rtbench.core.errors import RtbenchError, UnknownNameError
from rtbench.env.instruction_space import MAX_LENGTH, InstructionSpace
from rtbench.env.kitchen import Kitchen
from rtbench.task.library import Library
from rtbench.task.suite import episodes
from tests.helpers.paths import ROOT

DRAWN = """
import gymnasium, rtbench
env = gymnasium.make("rtbench/PickCokeCan-v0")
env.reset(seed=0)
env.close()
"""
ASYNC = """
import gymnasium, rtbench
def main():
    envs = gymnasium.make_vec("rtbench/PickCokeCan-v0", 2, "async"{settings})
    try:
        seen, info = envs.reset(seed=[1, 2])
        print(list(map(str, seen["instruction"])), seen["image"].std() > 5, len(info["episode_key"]))
        print(list(map(str, envs.step(envs.action_space.sample())[0]["instruction"])))
    finally:
        envs.close(terminate=True)
if __name__ == "__main__":
    main()
"""


def fresh(tmp_path, code, timeout=150):
    """The code run as a script, so that spawned processes find it too."""
    script = tmp_path / "script.py"
    script.write_text(code)
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, script], env={**os.environ, "PYTHONPATH": path}, cwd=tmp_path, timeout=timeout,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def expected():
    kitchen = Kitchen(cameras=())
    return str([kitchen.reset(seed=seed)[0]["instruction"] for seed in (1, 2)])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_process_forked_after_drawing_is_told_to_be_spawned(tmp_path):
    settings = ', vector_kwargs={"context": "fork"}'
    done = fresh(tmp_path, DRAWN + ASYNC.format(settings=settings))
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert "RenderError: this process was forked from one that has drawn" in last
    assert 'vector_kwargs={"context": "spawn"}' in last


def test_the_remedy_works(tmp_path):
    """Drawing in the parent inside `main`, for a spawned process runs the script again."""
    code = ASYNC.format(settings=', vector_kwargs={"context": "spawn"}')
    drawn = "".join(f"    {line}\n" for line in DRAWN.strip().splitlines()[1:])
    done = fresh(tmp_path, code.replace("def main():\n", f"def main():\n{drawn}"))
    assert done.stdout.splitlines()[0] == f"{expected()} True 2", done.stderr


def test_instructions_pass_through_shared_memory(tmp_path):
    done = fresh(tmp_path, ASYNC.format(settings=""))
    told = expected()
    assert done.stdout.splitlines() == [f"{told} True 2", told], done.stderr


def test_statistics_can_be_recorded_of_a_vector_environment():
    envs = gymnasium.make_vec("rtbench/PickCokeCan-v0", 2, "sync", cameras=())
    envs = gymnasium.wrappers.vector.RecordEpisodeStatistics(envs)
    try:
        _, info = envs.reset(seed=[1, 2])
        assert all(len(key) == 16 for key in info["episode_key"])
        terminate = np.array([[128] * 10 + [2]] * 2)
        info = envs.step(terminate)[-1]
        assert info["episode"]["l"].tolist() == [1, 1]
    finally:
        envs.close()


@pytest.mark.parametrize("name", sorted(Library().suites()))
def test_every_instruction_of_a_suite_is_in_the_space(name):
    space = Kitchen(cameras=()).observation_space["instruction"]
    suite = Library().suite(name)
    told = {episode.instruction for episode in episodes(suite, rounds=max(3, suite.entry.rounds))}
    told |= {template for task in suite.catalogue.tasks.values() for template in task.templates}
    assert [text for text in told if not space.contains(text)] == []


@pytest.mark.parametrize(
    "text", ["", "콜라 캔을 집어", "\uff30\uff49\uff43\uff4b\uff01", "🍎", "a" * MAX_LENGTH]
)
def test_any_text_is_in_the_space(text):
    assert InstructionSpace().contains(text)


def test_what_is_no_instruction_is_not_in_the_space():
    space = InstructionSpace()
    assert not space.contains("a" * (MAX_LENGTH + 1))
    assert not space.contains(7)
    assert space.contains(space.sample())
    assert len(repr(space)) < 80


def test_a_text_too_long_for_shared_memory_is_refused():
    from gymnasium.vector.utils import create_shared_memory, write_to_shared_memory

    space = InstructionSpace()
    memory = create_shared_memory(space, n=2)
    with pytest.raises(RtbenchError, match="shared_memory=False"):
        write_to_shared_memory(space, 0, "a" * (MAX_LENGTH + 1), memory)


def letters(texts):
    """A stand-in for a language encoder: counts of a, b and c."""
    return np.array([[text.count(letter) for letter in "abc"] for text in texts], dtype=np.float32)


@pytest.mark.filterwarnings("ignore:.*A Box observation space:UserWarning")
def test_an_encoder_makes_every_observation_a_number(episode_of):
    kitchen = Kitchen(cameras=(), instruction=letters)
    check_env(kitchen, skip_render_check=True)
    observation, _ = kitchen.reset(options={"episode": episode_of("pick/coke_can-v0", instruction="abba")})
    assert observation["instruction"].tolist() == [2, 2, 0]
    assert flatten_space(kitchen.observation_space).shape == (3 + 15,)


def test_the_instruction_can_be_left_out():
    kitchen = Kitchen(cameras=(), instruction="none")
    observation, _ = kitchen.reset(seed=0)
    assert set(observation) == set(kitchen.observation_space) == {"proprio"}
    with pytest.raises(UnknownNameError, match="Did you mean 'none'"):
        Kitchen(cameras=(), instruction="nones")


@pytest.mark.parametrize("mode", ["human", "ansi"])
def test_a_render_mode_that_there_is_not_is_told_with_what_to_use(mode):
    with pytest.raises(RtbenchError, match=r"allowed: 'rgb_array' and None.*gymnasium\.make.*RecordVideo"):
        Kitchen(render_mode=mode)
