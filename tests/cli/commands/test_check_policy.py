"""`rtbench check policy`: what is told, and how it exits."""

import json

from rtbench.core.errors import Exit
from tests.helpers.commands import rtbench


def test_the_oracle_has_no_fault():
    said = rtbench("check", "policy", "oracle", "--episodes", 4)
    assert said.code == Exit.OK, said.err
    assert "pass     +x, forward: follows what is right (r +1.00)" in said.out
    assert "skipped  image: it reads the simulator" in said.out
    assert "no fault, " in said.out


def test_a_fault_is_told_and_ends_with_2(tmp_path):
    path = tmp_path / "flipped.py"
    path.write_text(
        "import numpy as np\n"
        "from rtbench.core.action import RTBENCH\n"
        "from rtbench.policy.oracle import OraclePolicy, oracle_action\n"
        "class Numbers(OraclePolicy):\n"
        "    act = None\n"
        "    def predict(self, observations, slots):\n"
        "        x, y, z, *rest = oracle_action(self._envs[slots[0]])[:7]\n"
        "        return np.array([[x, -y, z, *rest]])\n"
    )
    arguments = ("check", "policy", f"{path}:Numbers", "--action", tmp_path / "mine.yaml", "--episodes", 4)
    (tmp_path / "mine.yaml").write_text("mine: {layout: [position, rotation, gripper]}\n")
    said = rtbench(*arguments, "--json")
    assert said.code == Exit.USAGE, said.err
    found = {one["probe"]: one for one in json.loads(said.out)}
    assert found["+y, left"]["text"].startswith("the sign of y is flipped")
    assert [name for name, one in found.items() if one["verdict"] == "fault"] == ["+y, left"]
    assert found["base forward"]["text"] == "it never drives the base"


def test_a_policy_that_is_not_there_is_the_users_mistake():
    said = rtbench("check", "policy", "orcale")
    assert said.code == Exit.USAGE
    assert "Did you mean 'oracle'" in said.err


def test_a_mapping_that_is_not_there_is_the_users_mistake():
    said = rtbench("run", "--policy", "noop", "--action", "libero")
    assert said.code == Exit.USAGE
    assert "Did you mean 'libero-7d'" in said.err
    said = rtbench("run", "--policy", "noop", "--action", "libero-7d", "-n", 1)
    assert said.code == Exit.USAGE
    assert "gives tokens itself" in said.err
