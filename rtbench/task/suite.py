"""Suites: which tasks are played and in what order, as written in tasks/suites/*.yaml; draws the episodes.

A suite has axes, each a kind of novelty with tasks of its own or with those of another axis perturbed. The
order is fixed by suite and seed. Its first n episodes are balanced for every n: axes and skills alternate,
and a task comes again only after each other task of its lane has come once. More episodes are appended, so a
long run contains the short one. A choice of axes or skills does not change their episodes.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rtbench.core.episode import DEFAULT_ROBOT, Episode
from rtbench.core.errors import RtbenchError, UnknownNameError
from rtbench.core.seeding import generator
from rtbench.task.expand import HELD_OUT
from rtbench.task.instruction import choose
from rtbench.task.paraphrase import Wording, vocabulary
from rtbench.task.skill import Named, Setting
from rtbench.task.task import Task
from rtbench.task.yaml_loader import Entry

SEEDS = 100_000
"""Seeds of one task under one suite seed: more than a run needs, and 'seed 3' still means its fourth."""
TRAINING_SEED = 10
"""Least suite seed of demonstrations: their seeds are 1,000,000 and more, so an evaluation under a smaller
suite seed shares no episode with them."""
Split = Literal["seen", "novel", "emergent"]
Turns = Annotated[int, Field(ge=1, le=1000)]


class SuiteError(RtbenchError):
    """A suite that cannot be played as asked."""


class Axis(BaseModel):
    """One variation of a suite, and the tasks that it plays in each round."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    split: Split | None = None
    """Split of its episodes; the suite's where None."""
    skills: dict[str, Turns] = Field(default_factory=dict)
    """Skill -> its episodes in each round; where empty, all skills together have `turns`."""
    turns: Turns | None = None
    """Episodes in each round; as many as there are tasks where neither this nor `skills` is given."""
    groups: tuple[str, ...] = ()
    """Requests whose tasks are played, or 'held_out'; the skills' ordinary tasks where empty."""
    tasks: tuple[str, ...] = ()
    """Only these tasks, by id; all where empty."""
    of: str = ""
    """Axis whose tasks are played under the same seeds, but perturbed: its episodes are the twins."""
    variants: tuple[str, ...] = ()
    """Perturbations of the scene, one of which is drawn for each episode."""
    distractors: tuple[int, int] | None = None
    """Fewest and most other objects; as the task says where None."""
    wordings: tuple[str, ...] = ()
    """Wordings, one of which is drawn for each episode; the tasks' own templates where empty."""
    canonical: bool = False
    """Use each task's canonical instruction only."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.skills and self.turns is not None:
            raise ValueError("give either 'skills' with their turns or 'turns'")
        if self.of and self.groups:
            raise ValueError("'of' plays the tasks of another axis, so 'groups' has no meaning")
        if self.distractors is not None and not 0 <= self.distractors[0] <= self.distractors[1]:
            raise ValueError(f"distractors are [fewest, most], got {list(self.distractors)}")
        return self


class SuiteEntry(Entry):
    """One entry of tasks/suites/*.yaml."""

    summary: str
    """One line for listings."""
    split: Split
    rounds: int = Field(ge=1, le=SEEDS)
    """Default number of rounds."""
    axes: dict[str, Axis] = Field(min_length=1)
    """Axes, by the name that results are reported under."""


@dataclass(frozen=True)
class Lane:
    """Tasks that alternate with one another."""

    axis: str
    skill: str
    """'' for tasks of several skills."""
    tasks: tuple[Task, ...]
    turns: int
    """Number of its episodes in each round."""
    order: tuple[Task, ...]
    """All tasks of the axis that it perturbs, which are shuffled together, so that twins come together."""


@dataclass(frozen=True)
class Catalogue:
    """All content that suites use, by name."""

    tasks: Mapping[str, Task]
    objects: Mapping[str, Named]
    scenes: Mapping[str, Setting]
    wordings: Mapping[str, Wording]
    variants: Collection[str]

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """All words of the tasks' own instructions."""
        return vocabulary(self.tasks.values())

    @cached_property
    def movables(self) -> dict[str, dict[str, Named]]:
        """Objects that may be distractors, by set."""
        sets: dict[str, dict[str, Named]] = {}
        for name, thing in self.objects.items():
            if "movable" in thing.tags:
                sets.setdefault(thing.set, {})[name] = thing
        return sets

    def bystanders(self, task: Task) -> list[str]:
        """Objects that may stand beside the task's own without being what the instruction means."""
        meant = {word for name in task.present for word in self.objects[name].names}
        described = [*task.means.values(), *task.every]
        return [
            name
            for name, thing in self.movables.get(self.scenes[task.scene].distractors, {}).items()
            if meant.isdisjoint(thing.names) and not any(reference.fits(thing) for reference in described)
        ]


@dataclass(frozen=True)
class Suite:
    """A suite with its tasks."""

    entry: SuiteEntry
    """Its entry in the file."""
    lanes: tuple[Lane, ...]
    """In the order of the file."""
    catalogue: Catalogue
    """Source of distractors and wordings."""
    robot: str = DEFAULT_ROBOT
    """The robot that plays its episodes."""

    @property
    def name(self) -> str:
        """Its name."""
        return self.entry.name

    @property
    def skills(self) -> tuple[str, ...]:
        """Skills of its tasks."""
        return tuple(dict.fromkeys(task.skill for lane in self.lanes for task in lane.tasks))

    def tasks(self, axis: str = "") -> tuple[Task, ...]:
        """The tasks of an axis; of all axes for ''."""
        lanes = [lane for lane in self.lanes if axis in ("", lane.axis)]
        return tuple({task.id: task for lane in lanes for task in lane.tasks}.values())

    def axis_of(self, task: Task) -> str | None:
        """The first axis that plays the task; None where none does."""
        return next((lane.axis for lane in self.lanes if any(t.id == task.id for t in lane.tasks)), None)


def resolve(entry: SuiteEntry, catalogue: Catalogue) -> Suite:
    """The suite of an entry, with its tasks.

    Raises:
        UnknownNameError: a skill, group, task, axis, variant or wording that does not exist.
        SuiteError: an axis or skill left without tasks, or a chain of perturbed axes.
    """
    lanes = [lane for name in entry.axes for lane in _lanes(entry, name, catalogue)]
    return Suite(entry, tuple(lanes), catalogue)


def _lanes(entry: SuiteEntry, name: str, catalogue: Catalogue) -> Iterator[Lane]:
    axis, where = entry.axes[name], f"{entry.where}: axes.{name}"
    for kind, names, known in (
        ("variant", axis.variants, catalogue.variants),
        ("wording", axis.wordings, catalogue.wordings),
        ("task", axis.tasks, catalogue.tasks),
    ):
        for wanted in names:
            if wanted not in known:
                raise UnknownNameError(kind, wanted, known, where=where)
    pool = _pool(entry, name, catalogue)
    if axis.wordings:
        pool = [t for t in pool if any(catalogue.wordings[w].covers(t) for w in axis.wordings)]
    for skill in axis.skills:
        if skill not in {task.skill for task in catalogue.tasks.values()}:
            raise UnknownNameError("skill", skill, {t.skill for t in catalogue.tasks.values()}, where=where)
    for skill in axis.skills or ("",):
        found = tuple(task for task in pool if skill in ("", task.skill))
        if not found:
            what = f" of skill {skill!r}" if skill else ""
            raise SuiteError(f"{where}: no task{what} is left to play; name tasks that there are.")
        whole = _pool(entry, axis.of, catalogue) if axis.of else found
        order = tuple(task for task in whole if skill in ("", task.skill))
        yield Lane(name, skill, found, axis.skills.get(skill, axis.turns or len(found)), order)


def _pool(entry: SuiteEntry, name: str, catalogue: Catalogue) -> list[Task]:
    """Tasks that the axis may play, in the order of the catalogue."""
    axis, where = entry.axes[name], f"{entry.where}: axes.{name}"
    if axis.of:
        if axis.of not in entry.axes:
            raise UnknownNameError("axis", axis.of, entry.axes, where=f"{where}.of")
        if entry.axes[axis.of].of:
            raise SuiteError(f"{where}.of: {axis.of!r} is itself perturbed; name the axis that it perturbs.")
        pool = _pool(entry, axis.of, catalogue)
    else:
        known = {task.group for task in catalogue.tasks.values()}
        for group in axis.groups:
            if group not in known:
                raise UnknownNameError("group", group, known - {""}, where=f"{where}.groups")
        groups = axis.groups or ("",)
        pool = [t for t in catalogue.tasks.values() if t.group in groups or t.id in axis.tasks]
    return [task for task in pool if not axis.tasks or task.id in axis.tasks]


def episodes(
    suite: Suite,
    *,
    rounds: int | None = None,
    limit: int | None = None,
    skills: Collection[str] = (),
    axes: Collection[str] = (),
    seed: int = 0,
) -> list[Episode]:
    """The suite's episodes in the order in which they are played.

    Args:
        suite: The suite.
        rounds: Number of rounds, in each of which every axis and skill is played; the suite's where None.
        limit: At most this many.
        skills: Only these skills; all where empty. Their episodes are those of the whole suite.
        axes: Only these axes, likewise.
        seed: Another seed is another draw of order, placements, distractors and wording.

    Raises:
        UnknownNameError: a skill or axis that the suite does not have.
        SuiteError: a number out of range.
    """
    for kind, names, known in (("skill", skills, suite.skills), ("axis", axes, suite.entry.axes)):
        for name in names:
            if name not in known:
                raise UnknownNameError(kind, name, known, where=f"suite {suite.name}")
    rounds = _checked("rounds", suite.entry.rounds if rounds is None else rounds, 1, SEEDS)
    seed = _checked("seed", seed, 0, 2**31 - 1)
    stop = None if limit is None else _checked("limit", limit, 1, 2**31 - 1)
    drawn = (
        draw(suite, task, seed * SEEDS + number, axis)
        for axis, task, number in _order(suite, rounds, seed)
        if (not skills or task.skill in skills) and (not axes or axis in axes)
    )
    return list(itertools.islice(drawn, stop))


def draw(suite: Suite, task: Task, seed: int, axis: str = "") -> Episode:
    """The episode of a task under a seed: its distractors, wording and variant.

    Args:
        suite: The suite.
        task: One of its tasks, or any other one: the axis applies to it all the same.
        seed: Seed of the episode.
        axis: An axis of the suite; the first that has the task, or else the first, for ''.
    """
    name = axis or suite.axis_of(task) or next(iter(suite.entry.axes))
    rules = suite.entry.axes[name]
    instruction, tongue = _words(suite, name, task, seed)
    return Episode(
        suite=suite.name,
        split=rules.split or suite.entry.split,
        axis=name,
        skill=task.skill,
        task=task.id,
        scene=task.scene,
        objects=(*task.present, *_distractors(suite, rules, task, seed)),
        instruction=instruction,
        language=tongue,
        seed=seed,
        variant=_one_of(rules.variants, suite.name, name, task.id, seed, "variant") if rules.variants else "",
        horizon=task.horizon,
        twin=draw(suite, task, seed, rules.of).key if rules.of else "",
        robot=suite.robot,
    )


def _order(suite: Suite, rounds: int, seed: int) -> Iterator[tuple[str, Task, int]]:
    """Axis, task and the number of times that the task came before."""
    turns = [k for k, lane in enumerate(suite.lanes) for _ in range(lane.turns)]
    upcoming = [_passes(suite, lane, seed) for lane in suite.lanes]
    for number in range(rounds):
        for k in generator(suite.name, seed, number, "turns").permutation(len(turns)):
            task, before = next(upcoming[turns[int(k)]])
            yield suite.lanes[turns[int(k)]].axis, task, before


def _passes(suite: Suite, lane: Lane, seed: int) -> Iterator[tuple[Task, int]]:
    """The lane's tasks, repeated without end; each pass has a new order."""
    chosen = {task.id for task in lane.tasks}
    stream = suite.entry.axes[lane.axis].of or lane.axis
    for number in itertools.count():
        order = generator(suite.name, stream, lane.skill, seed, number, "tasks")
        for k in order.permutation(len(lane.order)):
            if lane.order[int(k)].id in chosen:
                yield lane.order[int(k)], number


def _words(suite: Suite, axis: str, task: Task, seed: int) -> tuple[str, str]:
    """The instruction and its language."""
    rules = suite.entry.axes[axis]
    usable = [name for name in rules.wordings if suite.catalogue.wordings[name].covers(task)]
    if usable:
        wording = suite.catalogue.wordings[_one_of(usable, suite.name, axis, task.id, seed, "wording")]
        stream = (suite.name, axis, task.id, seed)
        return wording.draw(task, *stream, known=suite.catalogue.vocabulary), wording.language
    choice = task.templates[:1] if rules.canonical else task.templates
    return choose(choice, suite.name, task.id, seed), "en"


def _one_of(names: Collection[str], *stream: str | int) -> str:
    return tuple(names)[int(generator(*stream).integers(len(names)))]


def _distractors(suite: Suite, rules: Axis, task: Task, seed: int) -> tuple[str, ...]:
    """Movable objects beside the task's own; none that the instruction could mean instead.

    A smaller number of distractors is a subset of a larger one, so that twins differ only by the rest.
    """
    low, high = task.start.distractors if rules.distractors is None else rules.distractors
    others = suite.catalogue.bystanders(task)
    random = generator(suite.name, task.id, seed, "distractors")
    order = random.permutation(len(others))
    count = min(int(random.integers(low, high + 1)), len(others))
    return tuple(others[int(k)] for k in order[:count])


def held_out(catalogue: Catalogue) -> tuple[Task, ...]:
    """The tasks that are held out from training."""
    return tuple(task for task in catalogue.tasks.values() if task.group == HELD_OUT)


def _checked(name: str, value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise SuiteError(f"{name} is {value}; allowed {low} to {high}.")
    return value
