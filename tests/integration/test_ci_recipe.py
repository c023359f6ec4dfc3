"""The workflow in docs/ci: a valid file whose commands the command line accepts."""

import re
import shlex

import pytest
import typer
import yaml

from rtbench.analysis.sample_size import Odds, Risk, plan
from rtbench.cli.app import app
from tests.helpers.paths import ROOT

FOLDER = ROOT / "docs" / "ci"
WORKFLOW = yaml.safe_load((FOLDER / "rtbench-gate.yml").read_text())
STEPS = WORKFLOW["jobs"]["gate"]["steps"]
SCRIPTS = [step["run"] for step in STEPS if "run" in step]
TEXT = (FOLDER / "README.md").read_text()


def commands(script):
    """Lines that run rtbench, with the values of the workflow's variables and of those set on the way."""
    values = WORKFLOW["env"] | {"baseline": "baseline/a/seen/id", "candidate": "candidate/b/seen/id"}
    for line in script.splitlines():
        if line.strip().startswith("rtbench "):
            yield re.sub(r"\$(\w+)", lambda found: str(values.get(found[1], "summary.md")), line)


def accept(line):
    """Let the command line read a command without running it; its own errors are raised."""
    command, *arguments = shlex.split(line)[1:]
    found = typer.main.get_command(app).commands[command]
    context = found.make_context(command, arguments)
    assert context.params


@pytest.mark.parametrize("line", [line for script in SCRIPTS for line in commands(script)])
def test_the_commands_of_the_workflow_are_accepted(line):
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
    for step in STEPS:
        assert ("run" in step) != ("uses" in step)
        assert re.fullmatch(r"actions/[a-z/-]+@v\d+", step.get("uses", "actions/x@v1"))
    names = " ".join(SCRIPTS)
    assert names.index("rtbench run --policy") < names.index("--vs") < names.index("rtbench gate")


def test_what_is_kept_is_what_is_fetched():
    fetched, kept = (step["with"] for step in STEPS if step.get("uses", "").startswith("actions/cache/"))
    assert fetched == kept
    assert all(
        f"env.{name} " in kept["key"] for name in ("RTBENCH_REF", "BASELINE_POLICY", "SUITE", "EPISODES")
    )


def test_texts_from_outside_reach_no_shell():
    """Expressions are expanded before the shell reads the line: a branch name could be a command."""
    assert not [script for script in SCRIPTS if "${{" in script]


def test_the_report_is_kept_where_the_gate_fails():
    after = STEPS[[step.get("name") == "Judge it" for step in STEPS].index(True) + 1 :]
    assert len(after) == 2
    assert all(step["if"] == "always()" for step in after)


def test_the_number_of_episodes_is_the_plan_of_the_text():
    assert plan(Odds(0.9, 0.02), 0.05, Risk()).gate == 147
    assert "answers 147" in TEXT
    assert int(WORKFLOW["env"]["EPISODES"]) >= 147
