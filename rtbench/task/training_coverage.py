"""Training coverage: which aspects of an episode are new to a policy, by the training data in its card.

"Novel" describes a pair of episode and policy: an object is unseen by a certain policy. A suite names what it
intends to be new; the card names the training data. Where the two disagree, the card decides.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from rtbench.core.episode import DEFAULT_ROBOT, Episode
from rtbench.core.errors import UnknownNameError
from rtbench.task.library import BUNDLED, Library
from rtbench.task.task import Task

LanguageTag = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
"""BCP 47."""


class TrainedOn(BaseModel):
    """Training data of a policy, from its card. Only what is named counts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    about: str = ""
    """Description for readers."""
    tasks: tuple[str, ...] = ()
    """Tasks, by id: each with its skill, objects and scene."""
    skills: tuple[str, ...] = ()
    """Skills, each with all its ordinary tasks that need nothing but the objects and scenes named."""
    groups: tuple[str, ...] = ()
    """Groups ('held_out', request files) whose tasks count as the ordinary ones do."""
    objects: tuple[str, ...] = ()
    """Further objects, besides those of the tasks."""
    object_sets: tuple[str, ...] = ()
    """Sets of objects, all of each."""
    scenes: tuple[str, ...] = ()
    """Further scenes, besides those of the tasks."""
    variants: tuple[str, ...] = ()
    """Backgrounds, lights, cameras: entries of envs/variants. The scene as it is always counts."""
    languages: tuple[LanguageTag, ...] = ("en",)
    """Languages of the instructions, BCP 47."""
    robots: tuple[str, ...] = (DEFAULT_ROBOT,)
    """Robots, by name."""
    paraphrases: bool = False
    """Trained on other English words than the tasks' templates, so that no wording counts as new."""
    distractors: int | None = Field(None, ge=0)
    """Most distractors beside a task's objects; as many as each task has of itself where not given."""

    @model_validator(mode="after")
    def _is_about_something(self) -> Self:
        if not self.tasks and not self.skills:
            raise ValueError("give 'tasks' or 'skills', or leave 'trained_on' out")
        if self.skills and not self.scenes:
            raise ValueError("'skills' needs 'scenes': a skill is trained somewhere")
        return self

    def __str__(self) -> str:
        """The card's description; where it has none, the names in it."""
        named = [*self.tasks, *self.skills, *self.groups, *self.objects, *self.object_sets]
        return self.about or ", ".join(named)


class Thing(Protocol):
    """The attributes of an object that coverage uses."""

    @property
    def set(self) -> str:
        """Set that it belongs to."""
        ...


@dataclass(frozen=True)
class TrainingCoverage:
    """Training data of a policy, as sets of names."""

    trained: TrainedOn
    """The card's entry."""
    known: Mapping[str, Task]
    """All tasks, by id."""
    tasks: Collection[str]
    """Tasks trained on."""
    skills: Collection[str]
    objects: Collection[str]
    scenes: Collection[str]

    def novelties(self, episode: Episode) -> tuple[str, ...]:
        """Aspects of the episode that are new to the policy, such as 'object pear'; empty for none.

        Only the task's objects and foils decide whether an object is new. Distractors are drawn at random and
        no instruction is about them: one unknown can among nine would make nearly every episode novel, though
        its request is an old one. Their number counts instead.
        """
        return tuple(self._novelties(episode, self.known.get(episode.task)))

    def _novelties(self, episode: Episode, task: Task | None) -> Iterator[str]:
        # A task that no longer exists: all objects of the episode count.
        about = task.present if task else episode.objects
        parts = [f"skill {episode.skill}"] if episode.skill not in self.skills else []
        parts += [f"object {name}" for name in about if name not in self.objects]
        parts += [f"scene {episode.scene}"] if episode.scene not in self.scenes else []
        yield from parts
        # With an unknown part the task is unknown too, so it is listed only where each part is known.
        if not parts and episode.task not in self.tasks:
            yield f"task {episode.task}"
        if episode.variant and episode.variant not in self.trained.variants:
            yield f"variant {episode.variant}"
        if episode.body not in self.trained.robots:
            yield f"robot {episode.robot}"
        if episode.language not in self.trained.languages:
            yield f"language {episode.language}"
        elif task and self._new_wording(episode, task):
            yield "wording"
        if task and (count := len(episode.objects) - len(task.present)) > self._most(task):
            yield f"{count} distractors"

    def _new_wording(self, episode: Episode, task: Task) -> bool:
        # An ablation arm alters the instruction on purpose; in other languages the tasks have no templates.
        own = episode.arm or episode.language != "en" or episode.instruction in task.templates
        return not own and not self.trained.paraphrases

    def _most(self, task: Task) -> int:
        return task.start.distractors[1] if self.trained.distractors is None else self.trained.distractors


def coverage_of(
    trained: TrainedOn, tasks: Mapping[str, Task], things: Mapping[str, Thing], *, where: str = "trained_on"
) -> TrainingCoverage:
    """Training coverage from a card's entry.

    Args:
        trained: The card's entry.
        tasks: All tasks, by id.
        things: All objects, by name.
        where: Card and key, for messages.

    Raises:
        UnknownNameError: a task, skill, group, object or set that does not exist.
    """
    sets = {thing.set for thing in things.values()}
    known: dict[str, tuple[Sequence[str], Collection[str]]] = {
        "task": (trained.tasks, tasks),
        "skill": (trained.skills, {task.skill for task in tasks.values()}),
        "group": (trained.groups, {task.group for task in tasks.values()} - {""}),
        "object": (trained.objects, things),
        "object set": (trained.object_sets, sets),
    }
    for kind, (names, allowed) in known.items():
        _check(kind, names, allowed, where)
    listed = [tasks[name] for name in trained.tasks]
    objects = {name for name, thing in things.items() if thing.set in trained.object_sets}
    objects |= {*trained.objects, *(name for task in listed for name in task.present)}
    practised = {task.id for task in tasks.values() if _practised(task, trained, objects)}
    return TrainingCoverage(
        trained=trained,
        known=tasks,
        tasks=frozenset((*trained.tasks, *practised)),
        skills=frozenset((*trained.skills, *(task.skill for task in listed))),
        objects=frozenset(objects),
        scenes=frozenset((*trained.scenes, *(task.scene for task in listed))),
    )


def load_coverage(
    trained: TrainedOn, library: Library = BUNDLED, *, where: str = "trained_on"
) -> TrainingCoverage:
    """`coverage_of` with all content; checks scenes and variants too.

    Args:
        trained: The card's entry.
        library: The content.
        where: Card and key, for messages.

    Raises:
        UnknownNameError: a name that no content has.
        ContentError: content that cannot be used.
    """
    _check("scene", trained.scenes, library.settings(), where)
    if trained.robots != (DEFAULT_ROBOT,):
        _check("robot", trained.robots, library.robots(), where)
    if trained.variants:
        _check("variant", trained.variants, library.variants(), where)
    return coverage_of(trained, library.tasks(), library.things(), where=where)


def _check(kind: str, names: Sequence[str], known: Collection[str], where: str) -> None:
    for name in names:
        if name not in known:
            raise UnknownNameError(kind, name, known, where=where)


def _practised(task: Task, trained: TrainedOn, objects: Collection[str]) -> bool:
    """Whether a task is of a skill trained on, with no object or scene that was not."""
    return (
        task.skill in trained.skills
        and task.group in ("", *trained.groups)
        and task.scene in trained.scenes
        and all(name in objects for name in task.present)
    )
