"""The help of commands, options under an old name, and completion of the shell."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import Annotated

import pytest
import typer

from rtbench.cli.help import use_plain_help
from rtbench.cli.options import Jobs
from rtbench.cli.options_object import Panel, takes
from rtbench.cli.renamed_options import RENAMED, refusal
from tests.helpers.commands import rtbench
from tests.helpers.paths import ROOT

HEAVY = {"numpy", "mujoco", "torch", "pandas", "yaml", "gymnasium", "scipy", "PIL"}
"""Typer itself loads pydantic."""
PANELS = ["Policy", "What to play", "World and timing", "Output", "Comparison with a baseline", "Limits"]


def shown(function) -> str:
    """The help of a command of one's own."""
    app = typer.Typer(rich_markup_mode=None, add_completion=False)
    app.command(epilog=f"Example:  {'long ' * 20}")(function)
    use_plain_help(app)
    command = typer.main.get_command(app)
    return command.get_help(typer.Context(command, info_name="mine"))


def sections(text: str) -> dict[str, set[str]]:
    """Heading -> options below it."""
    found: dict[str, set[str]] = {}
    for line in text.splitlines():
        if heading := re.fullmatch(r"(\S.*):", line):
            options = found.setdefault(heading[1], set())
        elif line.startswith("  -"):
            options |= set(re.findall(r"--[a-z-]+", line.strip().split("  ")[0]))
    return found


def test_run_groups_its_options():
    found = sections(rtbench("run", "--help").out)
    assert list(found) == [*PANELS, "Options"]
    assert {"--suite", "--limit", "--language", "--repeat"} <= found["What to play"]
    assert found["Policy"] == {"--policy", "--protocol", "--policy-arg", "--action"}
    assert found["Comparison with a baseline"] == {
        "--vs",
        "--until",
        "--margin",
        "--alpha",
        "--allow-partial",
    }
    assert found["Limits"] == {
        "--budget", "--policy-timeout", "--jobs", "--workers", "--engine", "--replicas", "--max-errors"
    }  # fmt: skip
    assert found["Options"] == {"--help"}


def test_no_word_of_a_help_is_broken(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")

    def mine(
        word: Annotated[str, typer.Option(help=f"A text of {'so-many-hyphens ' * 6}--two-dashes/in-a-path.")],
    ) -> None:
        """Do as --one-option-says, and as --another-option-says, and as --a-third-option-says."""

    text = shown(mine)
    assert text.count("so-many-hyphens") == 6
    assert "--two-dashes/in-a-path" in text
    assert all(f"--{name}-option-says" in text for name in ("one", "another", "a-third"))
    assert f"Example:  {'long ' * 20}".rstrip() in text, "an example is there to be copied"


def test_a_help_has_no_boxes_and_no_types_of_python():
    for command in (["run"], ["table"], ["compare"], ["export"], ["gate"]):
        text = rtbench(*command, "--help").out
        assert not re.search(r"[^\x00-\x7f]|<list|<str>|default: \(", text), command


@pytest.mark.parametrize("group", [[], ["ls"], ["check"], ["train"], ["import"]], ids=" ".join)
def test_the_short_help_of_a_command_is_a_whole_sentence(group):
    lines = rtbench(*group, "--help").out.split("Commands:")[1].split("Example:")[0].split("\n")
    assert [line for line in lines if line.strip() and not line.endswith(".")] == []
    assert not any("..." in line for line in lines)


def test_the_default_robot_has_one_name():
    from rtbench.cli import options
    from rtbench.core import episode

    assert options.DEFAULT_ROBOT == episode.DEFAULT_ROBOT


# Options objects ------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Mine:
    name: Annotated[str, typer.Option(help="Name.")]
    jobs: Annotated[Jobs, Panel("Speed")] = None


def test_a_command_takes_its_options_as_one_object():
    received: list[Mine] = []

    @takes(Mine)
    def mine(options: Mine) -> None:
        """Do what I mean."""
        received.append(options)

    text = shown(mine)
    assert "Do what I mean." in text
    assert sections(text)["Speed"] == {"--jobs", "--workers"}
    assert sections(text)["Options"] == {"--name", "--help"}
    mine(name="a")
    assert received == [Mine(name="a", jobs=None)]
    assert "Speed" not in rtbench("verify", "--help").out, "a shared option changed for every command"


# Renamed options ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["--old", "1"], ["--old=1"], ["a", "--new", "2", "--old"]])
def test_an_old_name_is_refused_and_the_new_one_named(arguments, monkeypatch):
    monkeypatch.setitem(RENAMED, "plan", {"--old": "--margin"})
    said = rtbench("plan", *arguments)
    assert said.code == 2
    assert "--old is now --margin; see `rtbench plan --help`." in said.err
    assert "Traceback" not in said.err


def test_a_name_that_is_in_use_is_never_old(monkeypatch):
    monkeypatch.setitem(RENAMED, "plan", {"--margin": "--other"})
    assert rtbench("plan", "--margin", "5pp").code == 0
    assert refusal("plan", ["x", "--", "--old"], ()) == ""
    assert refusal("no such command", ["--old"], ()) == ""


@pytest.mark.parametrize("command", RENAMED)
def test_the_table_of_old_names_holds(command):
    """Each old name is refused, unless it is in use still; each new one exists where the old one is gone."""
    text = rtbench(*command.split(), "--help").out
    for old, new in RENAMED[command].items():
        if re.search(rf"(?m)^  (-\w, )?{old}\b(?!-)", text):
            continue
        assert re.search(rf"(?m)^  (-\w, )?{new}\b(?!-)", text), (old, new)
        said = rtbench(*command.split(), old, "1")
        assert (said.code, f"{old} is now {new};" in said.err) == (2, True)


# Completion -----------------------------------------------------------------------------------------------


def completed(line: str) -> tuple[list[str], set[str]]:
    """What bash is offered for the last word of a line, and the modules that were loaded for it."""
    code = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from rtbench.cli import main
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""
    words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
    environment = {**os.environ, **words, "_RTBENCH_COMPLETE": "complete_bash"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.split(), set(done.stderr.split())


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("rtbench comp", {"compare", "compress"}),
        ("rtbench ls var", {"variants"}),
        ("rtbench run --la", {"--language", "--latency"}),
        ("rtbench run --profile ", {"lean", "full"}),
    ],
)
def test_the_shell_completes_commands_options_and_values_quickly(line, offered):
    found, modules = completed(line)
    assert set(found) == offered
    assert "rtbench.cli.app" in modules
    assert not HEAVY & modules


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_is_printed(shell, monkeypatch):
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    said = subprocess.run(
        [sys.executable, "-m", "rtbench", "--show-completion", shell],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "_RTBENCH_COMPLETE" in said.stdout
    assert json.dumps(said.stderr) == '""'
