"""Company: what stands beside a task's own things in the episodes that a suite draws."""

from __future__ import annotations

from collections.abc import Iterator

from rtbench.core.episode import Episode
from rtbench.task.suite import Catalogue, Suite
from rtbench.task.task import Task


def faults_of_number(suite: Suite, axis: str) -> Iterator[str]:
    """Where an axis wants more distractors than there are."""
    rules, catalogue = suite.entry.axes[axis], suite.catalogue
    for task in suite.tasks(axis):
        most = (rules.distractors or task.start.distractors)[1]
        there = len(catalogue.bystanders(task))
        if there < most:
            drawn = catalogue.scenes[task.scene].distractors
            may = f"only {there} of the set {drawn!r} may stand beside {task.id}"
            yield f"wants {most} distractors, but {may}; ask for fewer."
            return


def faults_of_episode(episode: Episode, task: Task, catalogue: Catalogue) -> Iterator[str]:
    """Distractors that the instruction might mean as well."""
    own = {words for name in task.present for words in catalogue.objects[name].names}
    described = [*task.means.values(), *task.every]
    for name in episode.objects[len(task.present) :]:
        thing = catalogue.objects[name]
        shared = own & {*thing.names}
        if shared:
            yield f"the distractor {name!r} is called {min(shared)!r}, like one of the task's own."
        elif any(reference.fits(thing) for reference in described):
            yield f"the distractor {name!r} fits the description of what is meant."
