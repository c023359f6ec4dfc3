"""The audit: our own content passes, and a word or a goal put wrong does not."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtbench.task.audit.checks import inspect
from rtbench.task.audit.descriptions import faults_of_description
from rtbench.task.audit.distractors import faults_of_episode
from rtbench.task.audit.goals import faults_of_goal, true_at_start
from rtbench.task.audit.interpretation import Reading
from rtbench.task.audit.leakage import leaks, unknown_parts
from rtbench.task.audit.mentions import Mentions
from rtbench.task.audit.referents import faults_of_means, faults_of_text
from rtbench.task.audit.verbs import faults_of_verbs
from rtbench.task.library import BUNDLED
from rtbench.task.referring_expression import Reference
from rtbench.task.suite import draw, held_out
from rtbench.task.task import Goal, Task
from tests.helpers.paths import ROOT

CATALOGUE = BUNDLED.catalogue()
MENTIONS = Mentions(CATALOGUE.objects, CATALOGUE.scenes["office_kitchen"].fixtures)
ORDINARY = [task for task in CATALOGUE.tasks.values() if not task.group]
APPLE = CATALOGUE.tasks["pick/apple-v0"]
NAMES = {
    name: thing.names[0]
    for name, thing in CATALOGUE.objects.items()
    if len(thing.names[0]) > 1 and thing.set != "simpler"  # SIMPLER's share names with ours, in other scenes
}
tasks = st.sampled_from(ORDINARY)
many = settings(max_examples=150, deadline=None)


def faults(text: str, task: Task, *, strict: bool = True) -> list[str]:
    reading = Reading.of(text, task, CATALOGUE, MENTIONS)
    asked = faults_of_verbs(text, task, strict=strict)
    return [*faults_of_text(reading), *faults_of_description(reading), *asked]


def leaf(text: str) -> Goal:
    predicate, arguments = text.removesuffix(")").split("(")
    return Goal(predicate, tuple(arguments.split(", ")))


def every(*leaves: str, way: str = "all") -> Goal:
    return Goal(way, children=tuple(leaf(text) for text in leaves))


def with_goal(goal: Goal, task: Task = APPLE) -> list[str]:
    return list(faults_of_goal(dataclasses.replace(task, goal=goal), CATALOGUE))


def test_our_own_content_has_no_fault():
    suites = [BUNDLED.suite(name) for name in BUNDLED.suites()]
    report = inspect(CATALOGUE, suites, BUNDLED.origins())
    assert [str(finding) for finding in report.findings] == []
    assert report.tasks == len(CATALOGUE.tasks)
    assert report.instructions > sum(len(task.templates) for task in CATALOGUE.tasks.values()) / 2
    assert {"ar", "de", "en", "es", "fr", "hi", "it", "ja", "pt-BR", "zh-Hans"} <= set(report.languages)


def test_the_simulator_is_not_needed():
    code = (
        "from rtbench.task import library; from rtbench.task.audit.checks import inspect;"
        "import sys; assert 'mujoco' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@many
@given(task=tasks, number=st.integers(0, 99), other=st.sampled_from(sorted(NAMES)))
def test_a_wrong_object_is_found_in_every_instruction(task, number, other):
    """The name of any object of any task, replaced by that of any thing that is not there."""
    if not task.objects or other in task.present:
        return
    name = NAMES[task.objects[number % len(task.objects)]]
    text = task.templates[number % len(task.templates)]
    assert faults(text, task) == []
    found = faults(text.replace(name, NAMES[other]), task)
    assert any(f"names {other!r}, which is not there" in fault for fault in found)


@many
@given(task=tasks, other=tasks, number=st.integers(0, 99))
def test_the_instruction_of_another_skill_or_thing_is_found(task, other, number):
    alike = task.skill == other.skill and set(task.objects) == set(other.objects)
    longer = {leaf.predicate for leaf in other.goal.leaves()} > {
        leaf.predicate for leaf in task.goal.leaves()
    }
    # "Take the can on the side counter" may bring it there: that it is taken from there, no word tells.
    puts = {leaf.arguments[-1] for leaf in task.goal.leaves() if leaf.predicate in {"on", "in"}}
    if alike or longer or task.goal == other.goal or not task.objects or puts & {*other.start.place.values()}:
        return
    assert faults(other.templates[number % len(other.templates)], task) != []


@many
@given(st.lists(st.sampled_from(sorted(NAMES)), min_size=1, max_size=4, unique=True))
def test_names_are_found_whole_and_in_order(chosen):
    text = ", ".join(NAMES[name] for name in chosen)
    found = MENTIONS(f"look at the {text}?")
    assert [mention.words for mention in found] == [NAMES[name] for name in chosen]
    assert all(name in mention.may_mean for name, mention in zip(chosen, found, strict=True))


@pytest.mark.parametrize(
    ("text", "aside"),
    [("there is no hammer here", True), ("use it as a hammer", True), ("i want to hammer a nail", True),
     ("move the can to hammer", False), ("pick up a hammer", False)],
)  # fmt: skip
def test_what_is_said_of_absent_things_is_told_from_names(text, aside):
    (mention,) = (mention for mention in MENTIONS(text) if mention.words == "hammer")
    assert mention.aside is aside


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("pick up the apple from the top drawer", "names 'top_drawer', which the task is not about"),
        ("put the apple into the bowl", "asks for 'put the apple into'"),
        ("stand the apple upright", "asks for 'upright'"),
        ("knock the apple over", "asks for 'knock'"),
        ("move the apple onto the tray", "asks for"),
        ("look at the apple", "says nothing of the goal's 'lifted'"),
    ],
)
def test_words_that_ask_for_something_else(text, fragment):
    assert any(fragment in fault for fault in faults(text, APPLE)), faults(text, APPLE)


@pytest.mark.parametrize(
    "text",
    ["lift the apple, it should not be knocked over", "grab the apple on the counter", "hold the apple up"],
)
def test_words_that_ask_for_the_same(text):
    assert faults(text, APPLE) == []


@pytest.mark.parametrize(
    ("goal", "fragment"),
    [
        (every("open(top_drawer)", "closed(top_drawer)"), "cannot both be true"),
        (every("lifted(apple)", "released(apple)"), "cannot both be true"),
        (every("lifted(apple)", "lifted(orange)"), "cannot both be true"),
        (every("in(apple, white_bowl)", "in(apple, top_drawer)"), "cannot both be true"),
        (every("in(apple, white_bowl)", "out(apple, white_bowl)"), "cannot both be true"),
        (every("in(apple, white_bowl)", "on(apple, counter)"), "cannot both be true"),
        (every("on(apple, counter)", "on(apple, side_counter)"), "cannot both be true"),
        (every("at(counter)", "at(side_counter)"), "cannot both be true"),
        (every("left_of(apple, orange)", "right_of(apple, orange)"), "cannot both be true"),
        (every("nearer(apple, orange)", "nearer(orange, apple)"), "cannot both be true"),
        (every("upright(coke_can)", "toppled(coke_can)"), "cannot both be true"),
        (leaf("in(water_bottle, white_bowl)"), "does not fit into 'white_bowl'"),
        (leaf("lifted(digit_3)"), "not tagged 'movable'"),
        (leaf("toppled(apple)"), "not tagged 'can_topple'"),
        (leaf("closed(top_drawer)"), "true at the start"),
        (leaf("on(apple, counter)"), "true at the start"),
        (every("lifted(apple)", "closed(top_drawer)", way="any"), "true at the start"),
    ],
)
def test_goals_that_cannot_be_reached_or_are(goal, fragment):
    found = with_goal(goal)
    assert len(found) == 1, found
    assert fragment in found[0]


@pytest.mark.parametrize(
    "goal",
    [
        leaf("lifted(apple)"),
        every("lifted(apple)", "closed(top_drawer)"),
        every("left_of(apple, orange)", "left_of(sponge, apple)"),
        every("right_of(apple, orange)", "left_of(apple, sponge)"),
        every("in(apple, white_bowl)", "in(orange, white_bowl)"),
        every("lifted(apple)", "on(apple, side_counter)", way="any"),
        Goal(
            "all", children=(every("lifted(apple)", "in(apple, white_bowl)", way="any"), leaf("still(apple)"))
        ),
    ],
)
def test_goals_that_can_be_reached(goal):
    assert with_goal(goal) == []


def test_what_is_given_is_true_at_the_start():
    start = dataclasses.replace(APPLE.start, given=leaf("left_of(apple, sponge)"))
    task = dataclasses.replace(APPLE, start=start)
    assert true_at_start(leaf("left_of(apple, sponge)"), task)
    assert true_at_start(leaf("right_of(sponge, apple)"), task)
    assert not true_at_start(leaf("right_of(apple, sponge)"), task)
    choice = dataclasses.replace(start, given=every("left_of(apple, sponge)", "lifted(apple)", way="any"))
    assert not true_at_start(leaf("left_of(apple, sponge)"), dataclasses.replace(APPLE, start=choice))


def test_a_description_by_place_needs_a_start_that_fits():
    means = {"coke_can": Reference(tags=("can",), extreme="leftmost")}
    task = dataclasses.replace(APPLE, objects=("coke_can",), foils=("pepsi_can",), means=means)
    (found,) = faults_of_means(task, CATALOGUE)
    assert "left_of(coke_can, pepsi_can) is not given" in found
    start = dataclasses.replace(task.start, given=leaf("left_of(coke_can, pepsi_can)"))
    assert list(faults_of_means(dataclasses.replace(task, start=start), CATALOGUE)) == []
    (found,) = faults_of_means(dataclasses.replace(task, foils=()), CATALOGUE)
    assert "only thing that fits" in found


def test_a_distractor_that_fits_is_found():
    task = dataclasses.replace(APPLE, means={"apple": Reference(tags=("fruit",))})
    episode = draw(BUNDLED.suite("seen"), APPLE, 0)
    for other, fragment in (
        ("orange", "fits the description"),
        ("sponge", ""),
        ("apple", "is called 'apple'"),
    ):
        found = list(
            faults_of_episode(dataclasses.replace(episode, objects=("apple", other)), task, CATALOGUE)
        )
        assert len(found) == bool(fragment), found
        assert all(fragment in fault for fault in found)


def test_the_seen_suite_does_not_leak_and_would_be_caught():
    seen, kept = BUNDLED.suite("seen"), held_out(CATALOGUE)
    assert list(leaks(seen, kept)) == []
    assert len(kept) >= 20
    for task in seen.tasks()[::37]:
        found = {found.id for found, _ in leaks(seen, [*kept, task])}
        assert task.id in found


def test_only_the_pair_may_be_new():
    kept = held_out(CATALOGUE)
    assert list(unknown_parts(kept, ORDINARY)) == []
    pair = next(task for task in kept if task.skill == "move_near")
    without = [task for task in ORDINARY if pair.objects[0] not in task.objects]
    assert any(
        task == pair and repr(pair.objects[0]) in reason for task, reason in unknown_parts(kept, without)
    )
