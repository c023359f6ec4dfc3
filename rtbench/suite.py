"""Suites: which tasks are played, as written in tasks/suites/*.yaml, and in what order.

The order is fixed by suite and seed. Every beginning of it is balanced: skills take turns, and within a
skill no task comes again before each has come once. More episodes only append, so that a long run contains
the short one, and choosing some skills leaves their episodes as they are.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from rtbench import language
from rtbench.content import Entry
from rtbench.errors import RtbenchError, UnknownNameError
from rtbench.seeding import generator
from rtbench.skill import Named, Setting
from rtbench.spec import Episode
from rtbench.task import Task

SEEDS = 100_000
"""Seeds of one task under one suite seed: more than anybody plays, and 'seed 3' still means its fourth."""


class SuiteError(RtbenchError):
    """A suite that cannot be played as asked."""


class SuiteEntry(Entry):
    """One entry of tasks/suites/*.yaml."""

    summary: str
    """One line for listings."""
    split: Literal["seen", "novel", "emergent"]
    axis: str
    """What is varied; see `rtbench.spec.Episode`."""
    skills: dict[str, Annotated[int, Field(ge=1, le=100)]] = Field(min_length=1)
    """Skill -> its turns in each round."""
    tasks: tuple[str, ...] = ()
    """Only these tasks, by id; all tasks of the skills where empty."""
    rounds: int = Field(ge=1, le=SEEDS)
    """Rounds played where nobody says how many."""
    instructions: Literal["all", "canonical"] = "all"
    """Draw from all templates, or use the first."""
    variant: str = ""
    """Perturbation of the scene; '' for none."""


@dataclass(frozen=True)
class Suite:
    """A suite with its tasks at hand."""

    entry: SuiteEntry
    """What the file says."""
    tasks: Mapping[str, tuple[Task, ...]]
    """By skill, in the order of the file and of the catalogue."""
    objects: Mapping[str, Named]
    """The catalogue: distractors are drawn from its movable objects."""
    scenes: Mapping[str, Setting]
    """What each scene offers; distractors are objects of the task's scene."""

    @property
    def name(self) -> str:
        """Its name."""
        return self.entry.name


def resolve(
    entry: SuiteEntry, tasks: Mapping[str, Task], objects: Mapping[str, Named], scenes: Mapping[str, Setting]
) -> Suite:
    """The suite with its tasks at hand.

    Raises:
        UnknownNameError: a skill or task that does not exist.
        SuiteError: a skill left without tasks.
    """
    known = {task.skill for task in tasks.values()}
    for skill in entry.skills:
        if skill not in known:
            raise UnknownNameError("skill", skill, known, where=f"{entry.where}: skills")
    for task in entry.tasks:
        if task not in tasks:
            raise UnknownNameError("task", task, tasks, where=f"{entry.where}: tasks")
    chosen = [task for task in tasks.values() if not entry.tasks or task.id in entry.tasks]
    by_skill = {skill: tuple(task for task in chosen if task.skill == skill) for skill in entry.skills}
    for skill, found in by_skill.items():
        if not found:
            raise SuiteError(
                f"{entry.where}: 'tasks' lists none of skill {skill!r}; add one or drop the skill."
            )
    return Suite(entry, by_skill, objects, scenes)


def episodes(
    suite: Suite,
    *,
    per_skill: int | None = None,
    limit: int | None = None,
    skills: Collection[str] = (),
    seed: int = 0,
) -> list[Episode]:
    """The suite's episodes in the order in which they are played.

    Args:
        suite: The suite.
        per_skill: Rounds: episodes of each skill that has one turn a round; the suite's own where None.
        limit: At most this many.
        skills: Only these skills; all where empty. Their episodes are those of the whole suite.
        seed: Another seed is another draw of order, placements, distractors and wording.

    Raises:
        UnknownNameError: a skill that the suite does not have.
        SuiteError: a number out of range.
    """
    for skill in skills:
        if skill not in suite.tasks:
            raise UnknownNameError("skill", skill, suite.tasks, where=f"suite {suite.name}")
    rounds = _checked("per_skill", suite.entry.rounds if per_skill is None else per_skill, 1, SEEDS)
    seed = _checked("seed", seed, 0, 2**31 - 1)
    stop = None if limit is None else _checked("limit", limit, 1, 2**31 - 1)
    drawn = (
        draw(suite, task, seed * SEEDS + number)
        for skill, task, number in _order(suite, rounds, seed)
        if not skills or skill in skills
    )
    return list(itertools.islice(drawn, stop))


def draw(suite: Suite, task: Task, seed: int) -> Episode:
    """The episode of a task under a seed: its distractors and the wording of its instruction."""
    entry = suite.entry
    choice = task.templates if entry.instructions == "all" else task.templates[:1]
    return Episode(
        suite=suite.name,
        split=entry.split,
        axis=entry.axis,
        skill=task.skill,
        task=task.id,
        scene=task.scene,
        objects=(*task.objects, *_distractors(suite, task, seed)),
        instruction=language.choose(choice, suite.name, task.id, seed),
        language="en",
        seed=seed,
        variant=entry.variant,
        horizon=task.horizon,
    )


def _order(suite: Suite, rounds: int, seed: int) -> Iterator[tuple[str, Task, int]]:
    """Skill, task and how often the task came before."""
    turns = [skill for skill, count in suite.entry.skills.items() for _ in range(count)]
    upcoming = {skill: _passes(suite, skill, seed) for skill in suite.tasks}
    for number in range(rounds):
        for k in generator(suite.name, seed, number, "turns").permutation(len(turns)):
            skill = turns[int(k)]
            task, before = next(upcoming[skill])
            yield skill, task, before


def _passes(suite: Suite, skill: str, seed: int) -> Iterator[tuple[Task, int]]:
    """The skill's tasks without end, each pass through all of them in an order of its own."""
    tasks = suite.tasks[skill]
    for number in itertools.count():
        for k in generator(suite.name, skill, seed, number, "tasks").permutation(len(tasks)):
            yield tasks[int(k)], number


def _distractors(suite: Suite, task: Task, seed: int) -> tuple[str, ...]:
    """Movable objects beside the task's own; none that the instruction could mean instead."""
    low, high = task.start.distractors
    meant = {word for name in task.objects for word in suite.objects[name].names}
    present = {name: suite.objects[name] for name in suite.scenes[task.scene].objects}
    others = [
        name
        for name, thing in present.items()
        if "movable" in thing.tags and name not in task.objects and meant.isdisjoint(thing.names)
    ]
    random = generator(suite.name, task.id, seed, "distractors")
    count = min(int(random.integers(low, high + 1)), len(others))
    return tuple(others[int(k)] for k in random.permutation(len(others))[:count])


def _checked(name: str, value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise SuiteError(f"{name} is {value}; allowed {low} to {high}.")
    return value
