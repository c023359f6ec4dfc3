"""The gate in CI: the workflow of docs/ci, and the action that it uses, whose steps are played here."""

import json
import os
import re
import shlex
import subprocess
import sys

import pytest
import typer
import yaml

from rtbench.analysis.sample_size import Odds, Risk, plan
from rtbench.cli.app import app
from rtbench.core.cache import cache_folder
from rtbench.core.errors import Exit
from tests.helpers.composite_action import Machine
from tests.helpers.paths import ROOT

FOLDER = ROOT / "docs" / "ci"
ACTION = ROOT / ".github" / "actions" / "gate" / "action.yml"
WORKFLOW = yaml.safe_load((FOLDER / "rtbench-gate.yml").read_text())
STEPS = WORKFLOW["jobs"]["gate"]["steps"]
USED = next(step["with"] for step in STEPS if step.get("name") == "Judge the policy")
TOLD = yaml.safe_load(ACTION.read_text())
SCRIPTS = [step["run"] for step in (*STEPS, *TOLD["runs"]["steps"]) if "run" in step]
TEXT = (FOLDER / "README.md").read_text()
POLICY = """
import json
from pathlib import Path

import numpy as np
from rtbench import Needs


class Policy:
    needs = Needs(cameras=())

    def __init__(self, weights):
        self.fails = json.loads(Path(weights).read_text())["fails"]

    def reset(self, slot, instruction, seed):
        pass

    def act(self, observations, slots):
        if self.fails:
            raise RuntimeError("made up")
        return np.array([[128] * 10 + [2]] * len(slots))
"""
"""Terminates at once."""


def commands(script):
    """Lines that run rtbench, with a value for each variable."""
    values = {"POLICY": "oracle", "EPISODES": "3", "MARGIN": "5pp", "RULE": "ever"}
    for line in script.splitlines():
        if line.strip().startswith("rtbench "):
            plain = re.split(r" \|", line)[0].replace('"${options[@]}"', "--policy-arg a=1")
            plain = plain.replace('"${runs[@]}"', "base cand")
            yield re.sub(r"\$(\w+)", lambda found: values.get(found[1], "some"), plain)


def accept(line):
    """Let the command line read a command without running it; its own errors are raised."""
    command, *arguments = shlex.split(line)[1:]
    found = typer.main.get_command(app).commands[command]
    context = found.make_context(command, arguments)
    assert context.params


@pytest.mark.parametrize("line", [line for script in SCRIPTS for line in commands(script)])
def test_the_commands_of_the_action_are_accepted(line):
    accept(line)


@pytest.mark.parametrize("line", re.findall(r"`(rtbench [a-z]+ --[^`]*)`", TEXT))
def test_the_commands_of_its_text_are_accepted(line):
    accept(line.replace("--repeat", "--policy oracle --repeat"))


def test_a_command_that_is_not_ours_is_refused():
    with pytest.raises(Exception, match="No such option"):
        accept("rtbench gate a --baseline b --margins 5pp")


def test_the_workflow_has_the_form_that_github_reads():
    # YAML reads the key `on` as true.
    assert {"pull_request", "workflow_dispatch"} <= set(WORKFLOW[True])
    assert WORKFLOW["permissions"] == {"contents": "read"}
    for step in (*STEPS, *TOLD["runs"]["steps"]):
        assert ("run" in step) != ("uses" in step)
        outside = step.get("uses", "actions/x@v1")
        assert re.fullmatch(r"actions/[a-z/-]+@v\d+|OWNER/rtbench/\.github/actions/gate@main", outside)
    assert all(step["shell"] == "bash" for step in TOLD["runs"]["steps"] if "run" in step)


def test_the_workflow_judges_a_pull_request_by_main():
    checkouts = [step["with"] for step in STEPS if step.get("uses", "").startswith("actions/checkout@")]
    assert [one["path"] for one in checkouts] == ["candidate", "baseline"]
    assert "ref" not in checkouts[0]
    assert "pull_request.base.sha" in checkouts[1]["ref"]
    assert set(USED) <= set(TOLD["inputs"])
    assert all(name in USED for name, about in TOLD["inputs"].items() if about.get("required"))
    assert "oracle" not in (FOLDER / "rtbench-gate.yml").read_text()


def test_pytorch_comes_without_cuda():
    index = "https://download.pytorch.org/whl/cpu"
    assert WORKFLOW["jobs"]["gate"]["env"]["PIP_EXTRA_INDEX_URL"] == index
    assert TOLD["runs"]["steps"][0]["env"]["PIP_EXTRA_INDEX_URL"] == index


def test_what_is_kept_is_what_is_fetched():
    steps = TOLD["runs"]["steps"]
    fetched, kept = (step["with"] for step in steps if step.get("uses", "").startswith("actions/cache/"))
    assert fetched == kept


def test_texts_from_outside_reach_no_shell():
    """Expressions are expanded before the shell reads the line: a branch name could be a command."""
    assert not [script for script in SCRIPTS if "${{" in script]


def test_the_number_of_episodes_is_the_plan_of_the_text():
    assert plan(Odds(0.5, 0.1), 0.1, Risk()).gate == 134
    assert "answers 134" in TEXT
    for values in (USED, {name: about.get("default") for name, about in TOLD["inputs"].items()}):
        assert int(values["episodes"]) >= 134
        assert values["margin"] == "10pp"


def test_every_input_of_the_action_is_told():
    assert set(re.findall(r"(?m)^\| `([a-z-]+)` \|", TEXT)) == set(TOLD["inputs"])


# Its steps, played ----------------------------------------------------------------------------------------


def git(folder, *arguments):
    names = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run(["git", *names, *arguments], cwd=folder, check=True, capture_output=True)


def commit(folder, *, fails=False, text=""):
    """A checkout of a repository that has a policy and its weights; `text` is added to the policy's code."""
    (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    (folder / "policy.py").write_text(POLICY + text)
    (folder / "checkpoints" / "policy.json").write_text(json.dumps({"fails": fails}))
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", "policy")


@pytest.fixture
def machine(tmp_path):
    """A machine with two equal checkouts, on which installing only says what it would have installed."""
    tools = tmp_path / "bin"
    tools.mkdir()
    scripts = {
        "rtbench": f'exec {sys.executable} -m rtbench "$@"',
        "sudo": 'echo "sudo $*"',
        "python": (
            'if [ "$3" = install ]; then echo "pip $* from $PIP_EXTRA_INDEX_URL"; exit; fi; '
            f'exec {sys.executable} "$@"'
        ),
    }
    for name, script in scripts.items():
        (tools / name).write_text(f"#!/bin/bash\n{script}\n")
        (tools / name).chmod(0o755)
    workspace = tmp_path / "workspace"
    commit(workspace / "baseline")
    commit(workspace / "candidate", text="# Changed, but no better and no worse.\n")
    # The robot is here already: no test fetches it.
    (workspace / ".rtbench-cache").mkdir()
    for robot in cache_folder().glob("robot-*"):
        (workspace / ".rtbench-cache" / robot.name).symlink_to(robot)
    env = {"PATH": f"{tools}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    return Machine(workspace, tmp_path / "cache", env)


long = pytest.mark.skipif(
    not os.environ.get("RTBENCH_TEST_ALL"), reason="half a minute; RTBENCH_TEST_ALL=1 runs it"
)
INPUTS = {
    "policy": "./policy.py:Policy", "policy-args": "weights=checkpoints/policy.json\n",
    "weights": "checkpoints/*", "episodes": "2", "margin": "90pp",
}  # fmt: skip


def test_an_equal_policy_passes_and_the_baseline_is_kept_until_it_changes(machine):
    first = machine.play(ACTION, INPUTS)
    assert first.code == Exit.OK, first.text
    assert first.names == [step["name"] for step in TOLD["runs"]["steps"]]
    assert "Pass: the candidate is at most" in first.text
    assert "download.pytorch.org/whl/cpu" in first.text
    for name in ("gate.xml", "report.html"):
        assert (machine.workspace / "rtbench-gate" / name).is_file()
    assert "rtbench gate: pass" in (machine.workspace / "SUMMARY").read_text()
    again = machine.play(ACTION, INPUTS)
    assert again.code == Exit.OK, again.text
    assert again.text.count("othing was played") == 1
    assert "Keep them" not in again.names
    key = again.outputs["steps.key.outputs.key"]
    assert key == first.outputs["steps.key.outputs.key"]
    commit(machine.workspace / "baseline")
    (weights,) = (machine.workspace / "baseline" / "checkpoints").iterdir()
    weights.write_text(json.dumps({"fails": False, "new": True}))
    # Nothing is to be played for the key: an input that the command line refuses ends the job after it.
    moved = machine.play(ACTION, {**INPUTS, "suite": "nowhere"})
    assert moved.code == Exit.USAGE
    parts = list(zip(key.split("-"), moved.outputs["steps.key.outputs.key"].split("-"), strict=True))
    commit_, weights_, code, packages, options = (a == b for a, b in parts[2:])
    assert (commit_, weights_, code, packages, options) == (False, False, True, True, False)


@pytest.mark.slow
@long
def test_a_policy_that_did_not_change_passes_and_is_played_once(machine):
    commit(machine.workspace / "candidate")
    played = machine.play(ACTION, {**INPUTS, "margin": "1pp"})
    assert played.code == Exit.OK, played.text
    assert "the candidate is the baseline itself" in " ".join(played.text.split())
    assert "othing was played" in played.text
    assert (machine.workspace / "rtbench-gate" / "report.html").is_file()


def test_a_worse_policy_fails_the_job_and_has_its_report(machine):
    played = machine.play(ACTION, {**INPUTS, "baseline-policy": "oracle", "margin": "1pp", "episodes": "6"})
    assert played.code == Exit.REGRESSION, played.text
    assert played.names[-1] == "Write a report"
    assert (machine.workspace / "rtbench-gate" / "report.html").is_file()


def test_a_policy_that_crashes_and_weights_that_are_missing_fail_the_job(machine):
    commit(machine.workspace / "candidate", fails=True)
    played = machine.play(ACTION, INPUTS)
    assert played.code == Exit.TOO_MANY_ERRORS, played.text
    missing = machine.play(ACTION, {**INPUTS, "weights": "chekpoints/*"})
    assert missing.code == Exit.USAGE
    assert "no such weights" in missing.text


@pytest.mark.slow
@long
def test_an_inconclusive_verdict_warns_where_it_may(machine):
    warned = machine.play(ACTION, {**INPUTS, "margin": "1pp", "inconclusive": "warn"})
    assert warned.code == Exit.OK, warned.text
    assert "Inconclusive: the candidate may be" in warned.text
    assert "::warning" in warned.text
