"""The command line as a user meets it: what is printed, and what it exits with."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from unittest import mock

import hypothesis
import pytest
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from rtbench.cli import console
from rtbench.cli.policy_arg import ArgumentError, parse
from rtbench.core.errors import Exit
from rtbench.env import diagnostics
from rtbench.evaluation.ending import InterruptedRunError
from rtbench.task.library import BUNDLED
from tests.helpers.commands import rtbench, width
from tests.helpers.paths import ROOT

HEAVY = {
    "numpy",
    "msgspec",
    "jinja2",
    "scipy",
    "pandas",
    "mujoco",
    "gymnasium",
    "yaml",
    "robosuite",
    "PIL",
    "torch",
}
COMMANDS = [
    [], ["run"], ["ls"], ["show"], ["replay"], ["verify"], ["bench"], ["doctor"], ["ls", "policies"],
    ["ls", "suites"], ["ls", "tasks"], ["ls", "skills"], ["ls", "requests"], ["ls", "wordings"],
    ["ls", "variants"],
    ["ls", "objects"], ["ls", "published"], ["ls", "runs"], ["ls", "episodes"],
    ["compare"], ["gate"], ["plan"], ["table"], ["report"], ["merge"], ["export"], ["correlate"],
    ["demos"], ["looks"], ["vqa"], ["train", "rt1"], ["import", "rt1"],
]  # fmt: skip
SKILL = """
mine:
  version: 0
  scene: office_kitchen
  horizon: 45
  roles: {{object: {{tag: movable}}}}
  place: {{object: counter}}
  goal: {goal}
  instructions: ["take {{object}}"]
  {extra}
"""


@pytest.mark.parametrize("kind", [ZeroDivisionError, EOFError])
def test_a_crash_is_no_regression(monkeypatch, kind):
    """Python exits with 1 after an exception, typer after an EOFError, as `gate` after a regression."""
    monkeypatch.setattr("rtbench.cli.console.console", mock.Mock(side_effect=kind("ours")))
    said = rtbench("ls", "suites")
    assert said.code == Exit.CRASH
    assert f"{kind.__name__}: ours" in said.err


# Help -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_has_an_example_and_fits(command):
    said = rtbench(*command, "--help")
    assert said.code == 0
    assert f"Example:  rtbench {' '.join(command)}".rstrip() in said.out
    assert width(said.out) <= 80


@pytest.mark.parametrize("command", [["--help"], ["run", "--help"], ["--version"]], ids=" ".join)
def test_help_loads_nothing_heavy(command):
    code = f"""
import json, sys
sys.path.insert(0, {str(ROOT)!r})
sys.argv = ["rtbench", *{command!r}]
from rtbench.cli import main
try:
    main()
finally:
    print(json.dumps(list(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(json.loads(done.stderr))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_options_of_an_example_exist(command):
    words = rtbench(*command, "--help").out.split("Example:")[1].split()[1:]
    # The example of a group is one of its commands.
    shown = max((c for c in COMMANDS if words[: len(c)] == c), key=len)
    described = rtbench(*shown, "--help").out.split("Example:")[0]
    assert len(shown) > 0
    for option in (word for word in words if word.startswith("-")):
        assert f" {option}" in described


def test_version():
    import rtbench as package

    assert rtbench("--version").out.strip() == f"rtbench {package.__version__}"


# Mistakes -------------------------------------------------------------------------------------------

MISTAKES = {
    "command": (["rnu"], "Did you mean 'run'"),
    "sub-command": (["ls", "polices"], "Did you mean 'policies'"),
    "option": (["run", "--polcy", "noop"], "--policy"),
    "missing option": (["run"], "Missing option '--policy'"),
    "policy": (["run", "--policy", "orcale"], "Did you mean 'oracle'"),
    "policy's module": (["run", "--policy", "no.module:Class"], "no module named 'no'"),
    "policy's file": (["run", "--policy", "./no_file.py:Class"], "no_file.py: no such file"),
    "suite": (["run", "--policy", "noop", "--suite", "sene"], "Did you mean 'seen'"),
    "suite's file": (["run", "--policy", "noop", "--suite", "no.yaml"], "no.yaml: no such file"),
    "skill": (["run", "--policy", "noop", "--skill", "pikc"], "Did you mean 'pick'"),
    "latency": (["run", "--policy", "noop", "--latency", "fast"], "--latency: fast: expected 'none'"),
    "negative latency": (["run", "--policy", "noop", "--latency", "-5"], "--latency: value 1: -5"),
    "video": (["run", "--policy", "noop", "--video", "fial"], "unknown value 'fial'. Did you mean 'fail'"),
    "profile": (["run", "--policy", "noop", "--profile", "leen"], "'leen' is not one of 'lean', 'full'"),
    "number": (["run", "--policy", "noop", "--rounds", "0"], "--rounds"),
    "argument": (["run", "--policy", "noop", "--policy-arg", "x"], "expected KEY=VALUE"),
    "argument's name": (
        ["run", "--policy", "noop", "--policy-arg", "conventoin=rt1"], "Did you mean 'convention'"),
    "argument's value": (["run", "--policy", "noop", "--policy-arg", "convention=rt2"], "Did you mean 'rt1'"),
    "protocol": (["run", "--policy", "noop", "--protocol", "grot"], "Did you mean 'gr00t'"),
    "protocol of no server": (["run", "--policy", "noop", "--protocol", "gr00t"], "is for a policy server"),
    "protocol's address": (
        ["run", "--policy", "remote:ws://127.0.0.1:1", "--protocol", "gr00t"], "spoken at zmq://HOST:PORT"),
    "content": (["run", "--policy", "noop", "--content", "nowhere"], "nowhere: no such folder"),
    "task to show": (["show", "pick/cok_can-v0"], "Did you mean the task 'pick/coke_can-v0'"),
    "gym id to show": (["show", "rtbench/PickCokCan-v0"], "Did you mean the task 'rtbench/PickCokeCan-v0'"),
    "suite to show": (["show", "sean"], "Did you mean the suite 'seen'"),
    "frame of a suite": (["show", "seen", "--frame", "x.png"], "has no first frame"),
    "picture": (["show", "pick/apple-v0", "--frame", "x.txt"], "ends in .png"),
    "picture of a sheet": (["show", "seen", "--sheet", "x.jpg"], "ends in .png"),
    "sheet of a task": (["show", "pick/apple-v0", "--sheet", "x.png"], "is no suite"),
    "axis of a sheet": (["show", "seen", "--sheet", "x.png", "--axis", "sean"], "Did you mean 'seen'"),
    "axis without a sheet": (["show", "seen", "--axis", "seen"], "add --sheet"),
    "episodes of a sheet": (["show", "seen", "--sheet", "x.png", "--per-axis", "0"], "--per-axis"),
    "published beside a suite": (["show", "seen", "--published"], "seen is no run"),
    "set to list": (["ls", "objects", "--set", "sean"], "Did you mean 'seen'"),
    "paper to list": (["ls", "published", "--paper", "rt3"], "Did you mean 'rt"),
    "skill to list": (["ls", "tasks", "--skill", "pikc"], "Did you mean 'pick'"),
    "run to verify": (["verify", "nowhere"], "unknown run 'nowhere'"),
    "key without a run": (["replay", "fedcba98", "--out", "nowhere"], "no episode 'fedcba98'"),
    "video's ending": (["replay", "fedcba98", "-o", "x.avi"], "ends in .mp4"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_in_a_sentence(mistake, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments, sentence = MISTAKES[mistake]
    said = rtbench(*arguments)
    assert said.code == 2
    assert sentence in said.err
    assert "Traceback" not in said.err + said.out
    assert not list(tmp_path.iterdir())


def content(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return folder


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            SKILL.format(goal="{lifted: object}", extra="horizn: 3"),
            "unknown key 'horizn'. Did you mean 'horizon'",
        ),
        (SKILL.format(goal="{lifted: objcet}", extra=""), "unknown object 'objcet'"),
        (SKILL.format(goal="{liftd: object}", extra=""), "Did you mean 'lifted'"),
        ("mine: [1", "not valid YAML"),
    ],
)
def test_a_mistake_in_content_names_file_and_key(text, sentence, tmp_path):
    root = content(tmp_path / "c", "tasks/skills/mine.yaml", text)
    for command in (["ls", "tasks"], ["run", "--policy", "noop", "--out", tmp_path / "runs"]):
        said = rtbench(*command, "--content", root)
        assert said.code == 2
        assert sentence in said.err
        assert str(root / "tasks/skills/mine.yaml") in said.err
        assert "Traceback" not in said.err
    assert not (tmp_path / "runs").exists()


def test_a_suite_of_the_users_with_an_unknown_skill(tmp_path):
    text = "mine: {summary: s, split: seen, rounds: 1, axes: {a: {skills: {pikc: 1}}}}\n"
    root = content(tmp_path, "suite.d/mine.yaml", text)
    said = rtbench("run", "--policy", "noop", "--suite", root / "suite.d" / "mine.yaml")
    assert (said.code, "Did you mean 'pick'" in said.err) == (2, True)


@pytest.mark.parametrize(
    ("error", "code"), [(KeyboardInterrupt(), 130), (InterruptedRunError("interrupted after 1"), 130)]
)
def test_an_interruption_exits_with_130(error, code, tmp_path):
    with mock.patch("rtbench.evaluation.evaluate.evaluate", side_effect=error):
        said = rtbench("run", "--policy", "noop", "-n", 1, "--out", tmp_path)
    assert said.code == code
    assert "Traceback" not in said.err


# Things to list and to show -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name"),
    [("policies", "oracle"), ("suites", "seen"), ("tasks", "pick/coke_can-v0"), ("skills", "pick"),
     ("objects", "coke_can"), ("wordings", "german"),
     ("variants", "background_cloth_check")],
)  # fmt: skip
def test_content_is_listed_for_people_pipes_and_programs(kind, name, monkeypatch):
    rows = json.loads(rtbench("ls", kind, "--json").out)
    lines = rtbench("ls", kind).out.splitlines()
    assert name in {row.get("id", row.get("name")) for row in rows}
    assert len(lines) == len(rows)
    assert name in {line.split("\t")[0] for line in lines}
    shown = io.StringIO()
    terminal = Console(file=shown, force_terminal=True, width=80, color_system=None, highlight=False)
    monkeypatch.setattr(console, "console", lambda: terminal)
    rtbench("ls", kind)
    assert f" {name} " in shown.getvalue()
    # In columns of a terminal: some letters of other languages take two, and some none.
    assert max(map(cell_len, shown.getvalue().splitlines())) <= 80


def test_tasks_are_filtered_by_skill():
    rows = json.loads(rtbench("ls", "tasks", "--skill", "pick", "--skill", "drive", "--json").out)
    assert {row["skill"] for row in rows} == {"pick", "drive"}


def test_suites_are_listed_by_axis_with_what_is_played_and_said():
    from rtbench.task.suite import episodes

    rows = {(row["name"], row["axis"]): row for row in json.loads(rtbench("ls", "suites", "--json").out)}
    suite = BUNDLED.suite("seen")
    played = episodes(suite)
    assert {axis for name, axis in rows if name == "seen"} == set(suite.entry.axes)
    for axis in suite.entry.axes:
        row, drawn = rows["seen", axis], [episode for episode in played if episode.axis == axis]
        assert row["episodes"] == len(drawn)
        assert row["tasks"] >= len({episode.task for episode in drawn})
        assert row["tasks"] >= row["instructions"] > 0
        assert row["wordings"] >= len({episode.instruction for episode in drawn})


def test_objects_are_filtered_by_set():
    rows = json.loads(rtbench("ls", "objects", "--set", "seen", "--json").out)
    assert {row["name"] for row in rows} == {
        thing.name for thing in BUNDLED.things().values() if thing.set == "seen"
    }
    assert {row["set"] for row in rows} == {"seen"}


def test_wordings_are_listed_with_an_example_in_their_language():
    rows = {row["name"]: row for row in json.loads(rtbench("ls", "wordings", "--json").out)}
    german = BUNDLED.wordings()["german"]
    assert rows["german"]["language"] == "de"
    assert rows["german"]["tasks"] == len(german.phrases) > 0
    assert rows["german"]["example"] in {text for texts in german.phrases.values() for text in texts}


def test_variants_are_listed_with_the_axes_that_use_them():
    rows = {row["name"]: row for row in json.loads(rtbench("ls", "variants", "--json").out)}
    assert set(rows) == set(BUNDLED.variants())
    for suite in BUNDLED.suites().values():
        for axis, rules in suite.axes.items():
            used = {name for name, row in rows.items() if f"{suite.name}: {axis}" in row["axes"]}
            assert used == set(rules.variants)


def test_requests_are_listed_by_group(tmp_path):
    text = """near_it:
  like: move_near
  roles: {object: coke_can, target: apple}
  instructions: ["move coke can near the round one"]
"""
    root = content(tmp_path, "tasks/requests/mine.yaml", text)
    (row,) = json.loads(rtbench("ls", "requests", "--group", "mine", "--content", root, "--json").out)
    assert (row["name"], row["group"], row["like"]) == ("near_it", "mine", "move_near")
    said = rtbench("ls", "requests", "--group", "mien", "--content", root)
    assert (said.code, "Did you mean 'mine'" in said.err) == (2, True)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("seen", ["suite", "in 10 rounds", "axes", "seen: "]),
        ("pick/coke_can-v0", ["lifted(coke_can)", "pick up the coke can", "45 steps (15 s)"]),
        ("rtbench/PickCokeCan-v0", ["pick/coke_can-v0"]),
        ("oracle", ["rtbench.policy.oracle:OraclePolicy"]),
    ],
)
def test_content_is_shown(name, words):
    said = rtbench("show", name)
    assert said.code == 0
    assert all(word in said.out for word in words)
    assert width(said.out) <= 80


def test_bench_measures_both_profiles():
    found = json.loads(rtbench("bench", "--steps", 5, "--json").out)
    assert set(found["ms"]) == {"lean", "full"}
    for costs in found["ms"].values():
        assert set(costs) == {"physics", "frame", "step", "reset", "oracle"}
        assert costs["step"] > costs["physics"] > 0
    assert all(0 < share < 1 for share in found["oracle_share"].values())


@pytest.mark.parametrize(("status", "code"), [("ok", 0), ("warn", 0), ("fail", 2)])
def test_the_doctor_exits_with_2_where_something_is_in_the_way(status, code, monkeypatch):
    report = diagnostics.Report((diagnostics.Check("a thing", status, "was found", "Do this."),))
    monkeypatch.setattr(diagnostics, "examine", lambda: report)
    said = rtbench("doctor")
    assert said.code == code
    assert "a thing" in said.out


# Small parts ----------------------------------------------------------------------------------------

NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
VALUES = st.one_of(st.integers(), st.booleans(), st.none(), st.lists(st.integers()), st.text())


@hypothesis.given(st.dictionaries(NAMES, VALUES))
def test_policy_arguments_are_json(arguments):
    pairs = [f"{name}={json.dumps(value)}" for name, value in arguments.items()]
    assert parse(pairs) == arguments


@pytest.mark.parametrize("text", ["rt1", "a=b", "", "NaN", "{half", "runs/x:1"])
def test_what_is_no_json_is_a_text(text):
    assert parse([f"key={text}"]) == {"key": text}


def test_an_argument_given_twice_is_refused():
    with pytest.raises(ArgumentError, match="given twice"):
        parse(["a=1", "a=2"])


@hypothesis.given(st.lists(st.tuples(st.text(max_size=90), st.integers(), st.none() | st.text()), max_size=5))
def test_any_table_fits_a_terminal(cells):
    shown = io.StringIO()
    terminal = Console(file=shown, force_terminal=True, width=80, color_system=None)
    rows = [dict(zip("abc", row, strict=True)) for row in cells]
    with mock.patch.object(console, "console", return_value=terminal):
        console.print_rows(rows, {"a": "first", "b": "number", "c": "last"}, as_json=False)
    lines = shown.getvalue().split("\n")
    assert all(terminal.render_str(line).cell_len <= 80 for line in lines)
