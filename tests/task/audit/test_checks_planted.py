"""Faults planted in content of a user's own: the audit finds each, and says where it is."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from rtbench.task.audit.checks import inspect
from rtbench.task.audit.finding import Finding
from rtbench.task.library import Library

OBJECTS = """
second_apple:
  {kind: ball, size: [0.07, 0.07], mass: 0.1, label: {color: "#c02020"}, names: [apple], tags: [movable]}
here:
  {kind: ball, size: [0.07, 0.07], mass: 0.1, label: {color: "#c02020"}, names: [in], tags: [movable]}
"""
REQUESTS = """
sound: {like: pick, roles: {object: apple}, instructions: ["pick up the apple", "get me the apple"]}
sound_drink:
  {like: pick, roles: {object: coke_can}, means: {object: {tags: [drink]}}, foils: [apple, sponge],
   instructions: ["pick up the drink", "there is no hammer here, get me something to drink"]}
sound_choice:
  {like: pick, roles: {object: apple}, goal: {any: [{lifted: object}, {on: [object, side_counter]}]},
   instructions: ["take the apple away"]}

wrong_name: {like: pick, roles: {object: apple}, instructions: ["pick up the sponge"]}
absent_bowl: {like: pick, roles: {object: apple}, instructions: ["pick up the apple from the white bowl"]}
nothing_named: {like: pick, roles: {object: apple}, instructions: ["pick it up"]}
foil_named:
  {like: pick, roles: {object: coke_can}, means: {object: {tags: [drink]}}, foils: [sponge],
   instructions: ["pick up the sponge"]}
two_fit:
  {like: pick, roles: {object: coke_can}, means: {object: {tags: [can]}}, foils: [pepsi_can],
   instructions: ["pick up the can"]}
none_fits:
  {like: pick, roles: {object: coke_can}, means: {object: {tags: [fruit]}}, foils: [sponge],
   instructions: ["pick up the fruit"]}
same_name: {like: pick, roles: {object: apple}, foils: [second_apple], instructions: ["pick up the apple"]}
left_out:
  {like: place_into_bowl, roles: {object: apple, bowl: white_bowl}, every: [{tags: [fruit]}],
   foils: [orange], instructions: ["put all the fruit into the {bowl}"]}
other_kind:
  {like: pick, roles: {object: coke_can}, means: {object: {tags: [can]}}, foils: [sponge],
   instructions: ["pick up the tool"]}
other_side:
  {like: pick, roles: {object: coke_can}, means: {object: {tags: [can], extreme: leftmost}},
   foils: [pepsi_can], instructions: ["pick up the rightmost can"]}
other_sum:
  {like: move_near, roles: {object: coke_can, target: digit_3}, means: {target: {value: 3}}, foils: [digit_2],
   instructions: ["move coke can near the sum of two plus two"]}
swapped:
  {like: move_near, roles: {object: apple, target: sponge}, instructions: ["move the sponge near the apple"]}
wrong_drawer: {like: open_drawer, roles: {drawer: top_drawer}, instructions: ["open the middle drawer"]}
wrong_counter: {like: bring, roles: {object: apple}, instructions: ["bring the apple here"]}

true_at_start:
  {like: pick, roles: {object: apple}, goal: {on: [object, counter], released: object},
   instructions: ["put the apple on the counter"]}
other_goal: {like: pick, roles: {object: apple}, instructions: ["pick up the apple", "push over the apple"]}
opens: {like: close_drawer, roles: {drawer: top_drawer}, instructions: ["open the top drawer"]}
contradiction:
  {like: pick, roles: {object: apple}, goal: {lifted: object, on: [object, counter]},
   instructions: ["pick up the apple and put it on the counter"]}
too_big:
  {like: place_into_bowl, roles: {object: water_bottle, bowl: white_bowl},
   instructions: ["put the {object} into the {bowl}"]}
cannot_fall: {like: knock_over, roles: {object: sponge}, instructions: ["knock the sponge over"]}

misspelt: {like: pick, roles: {object: apple}, instructions: ["pick up the apple quikly"]}
either_red:
  {like: pick, roles: {object: apple}, means: {object: {tags: [red]}}, foils: [orange],
   instructions: ["pick up the snack"]}
either_orange:
  {like: pick, roles: {object: orange}, means: {object: {tags: [orange_colored]}}, foils: [apple],
   instructions: ["pick up the snack"]}
"""
SKILLS = """
snatch:
  version: 0
  scene: office_kitchen
  horizon: 45
  roles: {object: [orange_can]}
  place: {object: counter}
  goal: {lifted: object}
  instructions: ["lift the {object}"]
"""
WORDINGS = """
swedish: {language: sv, phrases: {pick/apple-v0: ["ta den"]}}
more_swedish: {language: sv, phrases: {pick/sponge-v0: ["ta den"]}}
brisk: {templates: {open_drawer: ["shut the {drawer}"]}}
hammered: {around: ["i lost my hammer. {instruction}"]}
"""
SUITES = """
leaky: {summary: s, split: seen, rounds: 1, axes: {own: {tasks: [snatch/orange_can-v0], turns: 1}}}
held: {summary: s, split: seen, rounds: 1, axes: {own: {groups: [held_out], turns: 1}}}
either: {summary: s, split: novel, rounds: 1, axes: {own: {groups: [plants], turns: 1}}}
crowd:
  {summary: s, split: novel, rounds: 1,
   axes: {own: {groups: [plants], tasks: [plants/sound-v0], turns: 1, distractors: [0, 90]}}}
"""
FILES = {
    "envs/objects/own.yaml": OBJECTS,
    "tasks/requests/plants.yaml": REQUESTS,
    "tasks/skills/snatch.yaml": SKILLS,
    "tasks/wordings/own.yaml": WORDINGS,
    "tasks/suites/own.yaml": SUITES,
}
IN_REQUESTS = [
    ("wrong_name", ["'pick up the sponge'", "names 'sponge', which is not there"]),
    ("wrong_name", ["does not say that 'apple' is meant"]),
    ("absent_bowl", ["names 'white_bowl', which is not there"]),
    ("nothing_named", ["'pick it up'", "does not say that 'apple' is meant"]),
    ("foil_named", ["names 'sponge', which the task is not about"]),
    ("two_fit", ["'means' fits pepsi_can as well as 'coke_can'"]),
    ("none_fits", ["'means' does not fit 'coke_can' itself"]),
    ("same_name", ["'apple' and 'second_apple' are both called 'apple'"]),
    ("same_name", ["names apple and second_apple with the same words"]),
    ("left_out", ["'every' fits 'orange', which the goal is not about"]),
    ("other_kind", ["asks for a 'tool'"]),
    ("other_side", ["says 'rightmost'"]),
    ("other_sum", ["says 'two plus two'", "no 4"]),
    ("swapped", ["moves 'sponge' to 'apple', but the goal moves 'apple' to 'sponge'"]),
    ("wrong_drawer", ["names 'middle_drawer', which the task is not about"]),
    ("wrong_drawer", ["does not say that 'top_drawer' is meant"]),
    ("wrong_counter", ["does not say that 'side_counter' is meant"]),
    ("true_at_start", ["plants/true_at_start-v0", "is true at the start"]),
    ("other_goal", ["'push over the apple'", "asks for 'push over'"]),
    ("opens", ["asks for 'open'"]),
    ("contradiction", ["lifted(apple) and on(apple, counter) cannot both be true"]),
    ("too_big", ["'water_bottle' does not fit into 'white_bowl'"]),
    ("cannot_fall", ["'sponge' is not tagged 'can_topple'"]),
    ("misspelt", ["has 'quikly', which no dictionary knows"]),
]
ELSEWHERE = [
    ("objects/own.yaml: here", ["is called 'in'"]),
    ("wordings/own.yaml: more_swedish", ["'ta den'", "pick/sponge-v0", "swedish", "pick/apple-v0"]),
    ("wordings/own.yaml: brisk", ["'shut the top drawer'", "asks for 'shut'"]),
    ("wordings/own.yaml: hammered", ["names 'hammer', which is not there"]),
    ("suites/own.yaml: leaky", ["snatch/orange_can-v0", "asks for the same as pick/", "held out"]),
    ("suites/own.yaml: held", ["pick/orange_can-v0", "is held out, but a suite with 'split: seen' plays it"]),
    ("suites/own.yaml: either", ["'pick up the snack'", "either_red", "either_orange", "goals differ"]),
    ("suites/own.yaml: crowd", ["axes.own", "wants 90 distractors, but only"]),
]


@pytest.fixture(scope="module")
def findings(tmp_path_factory) -> tuple[Finding, ...]:
    """What the audit says of the planted content, without ours beside it."""
    root = tmp_path_factory.mktemp("content")
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    library = Library([root])
    catalogue, origins = library.catalogue(), library.origins()
    own = {name: task for name, task in catalogue.tasks.items() if str(root) in origins[name]}
    needed = {t.id: t for t in catalogue.tasks.values() if t.entry in ("pick", "open_drawer") and not t.group}
    wordings = {name: wording for name, wording in catalogue.wordings.items() if str(root) in wording.where}
    small = dataclasses.replace(catalogue, tasks={**own, **needed}, wordings=wordings)
    entries = library.suites().items()
    suites = [library.suite(name) for name, entry in entries if str(root) in entry.where]
    suites = [
        dataclasses.replace(suite, catalogue=dataclasses.replace(catalogue, wordings={})) for suite in suites
    ]
    found = inspect(small, suites, origins).findings
    return tuple(
        dataclasses.replace(
            f, where=Path(f.where).relative_to(root).as_posix() if str(root) in f.where else f.where
        )
        for f in found
    )


def said(findings: tuple[Finding, ...], where: str) -> list[str]:
    return [str(finding) for finding in findings if finding.where.endswith(where)]


@pytest.mark.parametrize(("entry", "fragments"), IN_REQUESTS)
def test_a_planted_fault_is_found_with_file_entry_and_reason(findings, entry, fragments):
    lines = said(findings, f"tasks/requests/plants.yaml: {entry}")
    assert any(all(fragment in line for fragment in fragments) for line in lines), lines


@pytest.mark.parametrize(("where", "fragments"), ELSEWHERE)
def test_faults_of_other_files_are_found_likewise(findings, where, fragments):
    lines = said(findings, where)
    assert any(all(fragment in line for fragment in fragments) for line in lines), lines


def test_what_is_sound_is_left_alone(findings):
    sound = [str(finding) for finding in findings if "plants.yaml: sound" in finding.where]
    assert sound == []


def test_nothing_is_found_beside_what_was_planted(findings):
    """Each finding is in a place where a fault was put."""
    planted = {f"plants.yaml: {entry}" for entry, _ in IN_REQUESTS} | {where for where, _ in ELSEWHERE}
    own = [finding for finding in findings if finding.where.startswith(tuple(FILES))]
    loose = [str(finding) for finding in own if not finding.where.endswith(tuple(planted))]
    assert len(own) >= len(planted)
    assert loose == []


def test_every_finding_ends_with_a_remedy(findings):
    assert findings
    for finding in findings:
        assert finding.reason.endswith("."), finding
        assert finding.where, finding
        assert "; " in finding.reason or " or " in finding.reason, finding
