"""lerobot_env_rtbench without LeRobot: its environment, in a process of rtbench's, by Gymnasium's rules."""

import ast
import sys
import tomllib

import gymnasium
import numpy as np
import pytest

from tests.helpers import fake_env
from tests.helpers.paths import ROOT

FOLDER = ROOT / "plugins" / "lerobot"
PACKAGE = FOLDER / "lerobot_env_rtbench"


@pytest.fixture(scope="module")
def modules():
    """The modules that do not import LeRobot, under a package that does not either."""
    import types

    package = types.ModuleType("lerobot_env_rtbench")
    package.__path__ = [str(PACKAGE)]
    sys.modules["lerobot_env_rtbench"] = package
    from lerobot_env_rtbench import backend, environment

    yield backend, environment
    for name in [name for name in sys.modules if name.startswith("lerobot_env_rtbench")]:
        del sys.modules[name]


SETTINGS = {
    "suite": "seen", "skill": "", "cameras": ["head", "wrist"], "action": "bridge-7d", "rounds": 2,
    "control_hz": 3, "factory": fake_env.FACTORY,
}  # fmt: skip


@pytest.fixture(scope="module")
def env(modules):
    backend, environment = modules
    asked = backend.Backend(SETTINGS)
    asked.close()
    made = environment.SuiteEnv(SETTINGS, asked.about, "pick")
    yield made
    made.close()


def test_an_episode_is_played_in_another_process(env):
    seen, info = env.reset(seed=0)
    assert seen in env.observation_space
    assert (set(seen["pixels"]), env.metadata["render_fps"]) == ({"head", "wrist"}, 3)
    assert not info["is_success"]
    assert env.task == "pick"
    first = env.task_description
    steps = terminated = truncated = 0
    while not (terminated or truncated):
        seen, reward, terminated, truncated, info = env.step(
            np.array([0.07, 0, 0, 0, 0, 0, 1], dtype=np.float32)
        )
        steps += 1
    assert (terminated, info["is_success"], reward) == (True, True, 1.0)
    assert 1 < steps < env._max_episode_steps
    assert env.render().shape == (256, 320, 3)
    key = info["key"]
    assert env.reset(seed=0)[1]["key"] == key
    assert env.task_description == first
    assert env.reset()[1]["key"] != key  # without a seed, the next one


def test_it_is_an_environment_of_gymnasium_and_mistakes_are_told(env, modules):
    backend, _ = modules
    assert isinstance(env, gymnasium.Env)
    env.reset(seed=1)
    with pytest.raises(backend.RtbenchError, match=r"expected \(7,\) of action bridge-7d"):
        env.step(np.zeros(6))
    with pytest.raises(backend.RtbenchError, match="Did you mean 'seen'"):
        backend.Backend(SETTINGS | {"suite": "sean"})


def test_the_interpreter_is_the_one_named(modules, monkeypatch):
    backend, _ = modules
    assert backend.interpreter() == sys.executable
    monkeypatch.setenv("RTBENCH_PYTHON", "/nowhere/python")
    with pytest.raises(backend.RtbenchError, match="RTBENCH_PYTHON=/nowhere/python: No such file"):
        backend.Backend(SETTINGS)
    monkeypatch.delenv("RTBENCH_PYTHON")
    monkeypatch.setattr(backend.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(backend.RtbenchError, match="let RTBENCH_PYTHON name an interpreter"):
        backend.interpreter()


def test_lerobot_finds_it_by_name():
    """LeRobot 0.6 imports each distribution whose name begins with lerobot_env_, by that name."""
    project = tomllib.loads((FOLDER / "pyproject.toml").read_text())["project"]
    assert project["name"] == PACKAGE.name


def test_the_worker_does_not_import_lerobot():
    imported = set()
    for name in ("worker.py", "wire.py"):
        for node in ast.walk(ast.parse((PACKAGE / name).read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module.split(".")[0])
    assert imported - set(sys.stdlib_module_names) == {"numpy", "rtbench", "wire"}
