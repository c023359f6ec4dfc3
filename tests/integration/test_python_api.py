"""The public names of `import rtbench`, and its tasks in gymnasium."""

from __future__ import annotations

import json
import subprocess
import sys

import gymnasium
import pytest
from gymnasium.utils.env_checker import check_env

import rtbench
from rtbench.core.errors import UnknownNameError
from rtbench.env import registration
from rtbench.task.library import BUNDLED
from tests.helpers.paths import ROOT

HEAVY = {"numpy", "scipy", "pandas", "mujoco", "gymnasium", "pydantic", "yaml", "rich", "typer", "robosuite"}
SKILL = """
hold:
  version: 3
  scene: office_kitchen
  horizon: 45
  roles: {object: {names: [apple]}}
  place: {object: counter}
  goal: {lifted: object}
  instructions: ["hold {object}"]
"""


def fresh(code: str) -> str:
    """What the code prints in a process of its own, which finds this rtbench."""
    path = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
    command = [sys.executable, "-W", "error", "-c", path + code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_loads_nothing_heavy():
    loaded = set(json.loads(fresh("import rtbench, json; print(json.dumps(list(sys.modules)))")))
    assert "rtbench.env.registration" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize("name", rtbench.__all__)
def test_public_names_are_there(name):
    assert getattr(rtbench, name) is not None
    assert name in dir(rtbench)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'evalute'"):
        _ = rtbench.evalute


@pytest.mark.parametrize(
    "imports",
    ["import rtbench, gymnasium", "import gymnasium, rtbench", "import rtbench.env.kitchen, gymnasium"],
)
def test_tasks_are_registered_in_any_order_of_imports(imports):
    printed = fresh(
        f"{imports}\n"
        "print(sum(i.startswith('rtbench/') for i in gymnasium.registry))\n"
        "print(gymnasium.spec('rtbench/PickCokeCan-v0').kwargs)"
    )
    assert printed.splitlines() == [str(len(BUNDLED.tasks())), "{'task': 'pick/coke_can-v0'}"]


def test_broken_content_does_not_keep_gymnasium_from_being_imported():
    code = """
import warnings
warnings.simplefilter("always")
import rtbench.task.library
from rtbench.core.errors import ContentError
def broken(self):
    raise ContentError("tasks/skills/x.yaml", "x", "is broken")
rtbench.task.library.Library.tasks = broken
with warnings.catch_warnings(record=True) as caught:
    import gymnasium
print(len(gymnasium.registry) > 10, [str(w.message) for w in caught if "rtbench" in str(w.message)])
"""
    printed = fresh(code)
    assert printed.startswith("True")
    assert "tasks/skills/x.yaml: x: is broken" in printed


def test_a_user_registers_tasks_of_their_own(tmp_path):
    folder = tmp_path / "tasks" / "skills"
    folder.mkdir(parents=True)
    (folder / "hold.yaml").write_text(SKILL)
    try:
        registration.register([tmp_path])
        spec = gymnasium.spec("rtbench/HoldApple-v3")
        assert spec.kwargs == {"task": "hold/apple-v3", "content": (tmp_path,)}
    finally:
        gymnasium.registry.pop("rtbench/HoldApple-v3", None)


def test_make_takes_both_ids_and_names_the_nearest():
    by_id, by_gym_id = (rtbench.make(name, cameras=()) for name in ("pick/apple-v0", "rtbench/PickApple-v0"))
    assert by_id.task == by_gym_id.task
    with pytest.raises(UnknownNameError, match="Did you mean 'rtbench/PickApple-v0'"):
        rtbench.make("rtbench/PickAppel-v0")


@pytest.mark.filterwarnings("ignore:.*A Box observation space:UserWarning")
@pytest.mark.parametrize("name", ["rtbench/PickCokeCan-v0", "rtbench/OpenDrawerTopDrawer-v0"])
def test_gymnasium_finds_nothing_wrong(name):
    env = gymnasium.make(name)
    try:
        check_env(env.unwrapped)
    finally:
        env.close()


def test_an_episode_is_cut_off_without_a_wrapper():
    env = gymnasium.make("rtbench/PickCokeCan-v0", cameras=(), disable_env_checker=True)
    env.reset(seed=1)
    still = rtbench.make("pick/coke_can-v0", cameras=()).convention.encode([0] * 6 + [-1] + [0] * 4)
    steps = [env.step(still) for _ in range(BUNDLED.tasks()["pick/coke_can-v0"].horizon)]
    env.close()
    assert [truncated for _, _, _, truncated, _ in steps] == [False] * (len(steps) - 1) + [True]
    assert not any(terminated for _, _, terminated, _, _ in steps)
