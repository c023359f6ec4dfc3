"""Phrases that stand for two goals, so that nobody can tell which is meant."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from rtbench.task.audit.finding import Finding
from rtbench.task.audit.interpretation import goal_objects
from rtbench.task.suite import Catalogue, Suite
from rtbench.task.task import Goal, Task


def two_tasks(catalogue: Catalogue) -> Iterator[Finding]:
    """Phrases of another language that are said for two goals, in whatever files."""
    said: dict[tuple[str, str], tuple[Goal, str, str]] = {}
    for wording in catalogue.wordings.values():
        for name, phrases in wording.phrases.items():
            goal = catalogue.tasks[name].goal if name in catalogue.tasks else Goal("")
            for phrase in phrases:
                other = said.setdefault((wording.language, phrase), (goal, name, wording.where))
                if goal not in (other[0], Goal("")):
                    reason = f"is said for {name} and, in {other[2]}, for {other[1]}, whose goals differ"
                    yield Finding(wording.where, repr(phrase), f"{reason}; reword one.")


def two_goals(suite: Suite) -> Iterator[str]:
    """English texts of a suite that are said for two goals where nothing in the scene tells which."""
    said: dict[str, dict[str, Task]] = {}
    for axis, rules in suite.entry.axes.items():
        own = [suite.catalogue.wordings[name] for name in rules.wordings]
        for task in suite.tasks(axis):
            texts = [text for wording in own if wording.covers(task) for text in wording.instructions(task)]
            for text in texts or task.templates:
                said.setdefault(text, {})[task.id] = task
    for text, meaning in said.items():
        for first, second in itertools.combinations(meaning.values(), 2):
            if first.goal != second.goal and _alike(first, second):
                yield f"{text!r} is said for {first.id} and for {second.id}, whose goals differ; reword one."


def _alike(first: Task, second: Task) -> bool:
    """Whether an episode of one could be taken for one of the other."""
    both = goal_objects(first) | goal_objects(second)
    there = both <= {*first.present} and both <= {*second.present}
    begun = [(t.scene, t.start.drawers, t.start.given, set(t.start.lying) & both) for t in (first, second)]
    return there and begun[0] == begun[1]
