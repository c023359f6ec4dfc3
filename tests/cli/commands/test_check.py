"""`rtbench check tasks`: what it prints and exits with, and the recipes of CONTRIBUTING.md."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from rtbench.core.errors import PlacementError
from rtbench.evaluation.solvability import play
from rtbench.task.library import BUNDLED
from tests.helpers import menagerie
from tests.helpers.commands import rtbench
from tests.helpers.paths import ROOT

RECIPE = re.compile(r"`tea/(?P<file>[\w./]+)`:\n\n```yaml\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
MOST_LINES = {"envs/objects": 6, "tasks/skills": 15, "tasks/requests": 15}
SUITE = "mine: {summary: s, split: novel, rounds: 1, axes: {own: {groups: [mine], turns: 1}}}"
SOUND = 'sound: {like: pick, roles: {object: apple}, instructions: ["get me the apple"]}'
REQUESTS = f"""
{SOUND}
wrong: {{like: pick, roles: {{object: orange}}, instructions: ["get me the sponge"]}}
stuck: {{like: pick, roles: {{object: lemon}}, horizon: 2, instructions: ["get me the lemon"]}}
"""


def content(folder: Path, requests: str) -> Path:
    for name, text in (("tasks/requests/mine.yaml", requests), ("tasks/suites/mine.yaml", SUITE)):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def recipes() -> dict[str, str]:
    """File -> what CONTRIBUTING.md puts into it."""
    return {match["file"]: match["body"] for match in RECIPE.finditer((ROOT / "CONTRIBUTING.md").read_text())}


@pytest.fixture(scope="module")
def played(tmp_path_factory) -> tuple[int, dict[str, list[dict[str, str]]]]:
    """Exit code and findings, by task or instruction, of requests and recipes that the oracle plays, too."""
    root = content(tmp_path_factory.mktemp("content"), REQUESTS)
    for name, body in recipes().items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(body)
    said = rtbench("check", "tasks", "--content", root, "--suite", "mine", "--json")
    own: dict[str, list[dict[str, str]]] = {}
    assert said.out, said.err
    for finding in json.loads(said.out):
        if str(root) in finding["where"]:
            entry = finding["where"].split(": ")[1]
            own.setdefault(entry, []).append(finding)
    return said.code, own


def test_a_fault_is_named_and_the_exit_code_is_two(tmp_path):
    root = content(tmp_path, REQUESTS)
    said = rtbench("check", "tasks", "--content", root, "--suite", "mine", "--play", 0)
    assert said.code == 2
    *lines, last = said.out.splitlines()
    mine = [line for line in lines if str(root) in line]
    assert len(mine) == 2
    assert all(
        line.startswith(f"{root}/tasks/requests/mine.yaml: wrong: 'get me the sponge': ") for line in mine
    )
    counted = (
        r"(\d+) faults in \d+ tasks with \d+ instructions in \d+ languages and 1 suites, checked in [\d.]+ s"
    )
    match = re.fullmatch(counted, last)
    assert match
    assert int(match[1]) == len(lines)


def test_only_what_is_wrong_is_found(played):
    code, own = played
    assert code == 2
    assert set(own) == {"wrong", "stuck"}


def test_a_goal_that_the_oracle_never_reaches(played):
    ((finding,),) = [found for entry, found in played[1].items() if entry == "stuck"]
    assert set(finding) == {"where", "what", "reason"}
    assert finding["what"] == "mine/stuck-v0"
    assert "the oracle did not reach the goal lifted(lemon) once" in finding["reason"]


class NoRoom:
    """A kitchen in which nothing fits."""

    def begin(self, episode):
        raise PlacementError(f"no room for {episode.objects[0]!r}, 2 cm missing.")


def test_what_a_robot_cannot_play_is_listed_with_the_reason(tmp_path, monkeypatch):
    menagerie.root(monkeypatch)
    root = content(tmp_path, REQUESTS.replace("get me the sponge", "get me the orange"))
    said = rtbench("check", "tasks", "--content", root, "--suite", "mine", "--robot", "google_robot")
    assert said.code == 2
    (line,) = [line for line in said.out.splitlines() if "mine/stuck-v0" in line]
    assert "the oracle did not reach the goal lifted(lemon) once (time ran out after 2 steps;" in line
    assert "google_robot can play 2 of 3 tasks of mine, 66.7 %" in said.out
    assert "Did you mean 'google_robot'" in rtbench("check", "tasks", "--robot", "gogle_robot").err


def test_what_does_not_fit_on_the_counter():
    suite = BUNDLED.suite("seen")
    task = suite.tasks()[0]
    found = list(play([(task, suite)], {task.id: "file: entry"}, NoRoom(), 2))
    assert [(finding.where, finding.what) for finding in found] == [("file: entry", task.id)]
    assert found[0].reason == f"no room for {task.objects[0]!r}, 2 cm missing."


@pytest.mark.parametrize(
    ("request_", "fragments"),
    [
        (SOUND.replace("apple}", "aple}"), ["mine.yaml", "sound", "'aple'", "Did you mean 'apple'"]),
        (SOUND.replace("pick", "pik"), ["mine.yaml", "sound", "like", "'pik'", "Did you mean 'pick'"]),
        (SOUND.replace("me the", "me the the"), ["mine.yaml", "sound", "says 'the' twice in a row"]),
        (SOUND.replace("roles", "role"), ["mine.yaml", "sound", "unknown key 'role'"]),
    ],
)
def test_content_that_cannot_be_read_exits_likewise(tmp_path, request_, fragments):
    said = rtbench("check", "tasks", "--content", content(tmp_path, request_))
    assert said.code == 2
    assert "Traceback" not in said.err
    for fragment in fragments:
        assert fragment in said.err


def test_an_unknown_suite_is_a_mistake():
    said = rtbench("check", "tasks", "--suite", "sene")
    assert said.code == 2
    assert "Did you mean 'seen'" in said.err


def test_the_recipes_are_as_short_as_they_say():
    """That they are sound, too, is what `test_only_what_is_wrong_is_found` shows."""
    found = recipes()
    assert {str(Path(name).parent) for name in found} >= {*MOST_LINES, "tasks/suites", "envs/scenes"}
    for name, body in found.items():
        most = MOST_LINES.get(str(Path(name).parent), 99)
        assert len(body.splitlines()) <= most, name
