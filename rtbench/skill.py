"""Skills: tasks with roles to fill, as written in tasks/skills/*.yaml.

A skill says what is asked of a role ("object", "target", "drawer"); expanding it over the objects there are
gives one `Task` for every way to cast the roles with different things.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from rtbench import language, predicate
from rtbench.content import Entry
from rtbench.errors import ContentError, UnknownNameError
from rtbench.task import Goal, Start, Task


class Named(Protocol):
    """What a skill wants to know of an object."""

    @property
    def names(self) -> tuple[str, ...]:
        """Words for it, the canonical ones first."""
        ...

    @property
    def tags(self) -> Collection[str]:
        """What it is and what can be done with it, such as 'movable'."""
        ...


@dataclass(frozen=True)
class Setting:
    """What a scene offers to tasks. The words for its parts are their names: 'top_drawer', "top drawer"."""

    surfaces: tuple[str, ...]
    """Counters; the robot has a station of the same name at each."""
    drawers: tuple[str, ...]
    objects: tuple[str, ...]
    """Objects that tasks in the scene may use."""

    @property
    def stations(self) -> tuple[str, ...]:
        """Places where the robot can stand to work."""
        return self.surfaces

    @property
    def fixtures(self) -> tuple[str, ...]:
        """All names but the objects'."""
        return (*self.surfaces, *self.drawers)


class Role(BaseModel):
    """Who can play a role: every object with a tag, or the objects and fixtures listed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tag: str = ""
    names: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.tag) == bool(self.names):
            raise ValueError("give either 'tag' or 'names'")
        return self


class Skill(Entry):
    """One entry of tasks/skills/*.yaml. Roles stand for their players in every other field."""

    skill: str = ""
    """Skill its tasks count under, where several entries make up one skill; else the entry's name."""
    version: int = Field(ge=0)
    """Raised with every change of behaviour; part of the task's id."""
    scene: str
    horizon: int = Field(ge=1, le=10_000)
    """Control steps allowed."""
    roles: dict[str, Role] = Field(min_length=1)
    place: dict[str, str] = Field(default_factory=dict)
    """Role of an object -> where it starts: a surface, or the role of a bowl or drawer."""
    lying: tuple[str, ...] = ()
    """Roles that start on their side."""
    drawers: dict[str, float] = Field(default_factory=dict)
    """Drawer -> opening at the start [m]."""
    station: str = "counter"
    """Where the robot starts."""
    distractors: tuple[int, int] = (0, 0)
    """Fewest and most other objects."""
    apart: tuple[tuple[str, str], ...] = ()
    """Pairs that must not already be near each other."""
    goal: dict[str, Any] = Field(min_length=1)
    """Predicate -> its arguments; several predicates must all hold. See `parse_goal`."""
    instructions: tuple[str, ...] = Field(min_length=1)
    """Templates, the canonical one first."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        low, high = self.distractors
        if not 0 <= low <= high:
            raise ValueError(f"distractors are [fewest, most], got {list(self.distractors)}")
        if any(not 0 <= opening <= 1 for opening in self.drawers.values()):
            raise ValueError(f"drawers open by 0 to 1 m, got {self.drawers}")
        if len(set(self.instructions)) < len(self.instructions):
            raise ValueError("an instruction stands twice")
        return self

    @field_validator("goal")
    @classmethod
    def _describes_a_goal(cls, goal: dict[str, Any]) -> dict[str, Any]:
        parse_goal(goal)
        return goal

    @cached_property
    def tree(self) -> Goal:
        """The goal, of roles."""
        return parse_goal(self.goal)

    @property
    def counts_as(self) -> str:
        """Skill that its tasks count under."""
        return self.skill or self.name


def parse_goal(data: Mapping[str, Any]) -> Goal:
    """The goal that a mapping describes.

    ``{on: [apple, counter], still: apple}`` holds when all of its predicates do. Where a predicate is needed
    twice, or one of several is enough: ``{any: [{near: [a, b]}, {near: [a, c]}]}``, likewise ``all``.

    Raises:
        ValueError: it describes none. Whether predicates and names exist is `predicate.check_goal`'s to say.
    """
    nodes = tuple(_node(str(key), value) for key, value in data.items())
    if not nodes:
        raise ValueError("a goal needs at least one predicate")
    return nodes[0] if len(nodes) == 1 else Goal("all", children=nodes)


def _node(key: str, value: Any) -> Goal:
    if key in predicate.CONNECTIVES:
        if not isinstance(value, list) or not all(isinstance(child, dict) for child in value):
            raise ValueError(f"{key!r} takes a list of goals such as [{{still: object}}]")
        return Goal(key, children=tuple(parse_goal(child) for child in value))
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{key!r} takes names such as 'object' or [object, counter], got {value!r}")
    return Goal(key, arguments=tuple(names))


def expand(
    skills: Mapping[str, Skill], objects: Mapping[str, Named], scenes: Mapping[str, Setting]
) -> dict[str, Task]:
    """All tasks of all skills, by id, in order of skills and of objects.

    Raises:
        RtbenchError: a name, tag, predicate or role that does not exist, or a template that does not say
            what is meant; names file and entry.
    """
    tasks: dict[str, Task] = {}
    gym_ids: dict[str, str] = {}
    for skill in skills.values():
        if skill.scene not in scenes:
            raise UnknownNameError("scene", skill.scene, scenes, where=skill.where)
        setting = scenes[skill.scene]
        for counter in predicate.COUNTERS:
            if counter not in setting.surfaces:
                raise ContentError(
                    skill.where, "scene", f"{skill.scene!r} has no {counter!r}; add that counter."
                )
        present = {name: thing for name, thing in objects.items() if name in setting.objects}
        for task in _Cast(skill, present, setting).tasks():
            other = gym_ids.setdefault(task.gym_id, task.id)
            if task.id in tasks or other != task.id:
                raise ContentError(skill.where, "", f"task {task.id} has the same name as {other}.")
            tasks[task.id] = task
    return tasks


class _Cast:
    """One skill on its way to tasks."""

    def __init__(self, skill: Skill, objects: Mapping[str, Named], setting: Setting) -> None:
        self.skill, self.objects, self.setting = skill, objects, setting
        self.players = {role: self._candidates(rule) for role, rule in skill.roles.items()}
        self._check()

    def tasks(self) -> Iterator[Task]:
        """A task for every way to give the roles to different things."""
        for combination in itertools.product(*self.players.values()):
            if len(set(combination)) == len(combination):
                yield self._task(dict(zip(self.players, combination, strict=True)))

    def _candidates(self, role: Role) -> Sequence[str]:
        if role.tag:
            found = [name for name, thing in self.objects.items() if role.tag in thing.tags]
            if not found:
                tags = {tag for thing in self.objects.values() for tag in thing.tags}
                raise UnknownNameError("tag", role.tag, tags, where=self.skill.where)
            return found
        for name in role.names:
            self._known("object, drawer, counter or station", name, [*self.objects, *self.setting.fixtures])
        return role.names

    def _check(self) -> None:
        """What can be told before the roles are cast."""
        skill, roles = self.skill, self.skill.roles
        needed = [role for role, players in self.players.items() if len(players) > 1]
        for template in skill.instructions:
            language.check_template(template, roles, needed, where=skill.where)
        for role in [*skill.place, *skill.lying, *itertools.chain(*skill.apart)]:
            self._known("role", role, roles)
        self._known("station", skill.station, self.setting.stations)
        for role, players in self.players.items():
            if role not in skill.place and any(player in self.objects for player in players):
                known = ", ".join((*self.setting.surfaces, *roles))
                raise ContentError(skill.where, "place", f"says not where {role!r} starts; known: {known}.")

    def _task(self, cast: dict[str, str]) -> Task:
        skill = self.skill
        present = tuple(player for player in cast.values() if player in self.objects)
        goal = _bind(skill.tree, cast)
        predicate.check_goal(goal, self._kinds(present), where=skill.where)
        words = {role: self._words(player) for role, player in cast.items()}
        return Task(
            id=f"{skill.counts_as}/{'_'.join(cast.values())}-v{skill.version}",
            skill=skill.counts_as,
            scene=skill.scene,
            objects=present,
            goal=goal,
            start=self._start(cast, present),
            templates=tuple(language.fill(text, words, where=skill.where) for text in skill.instructions),
            horizon=skill.horizon,
        )

    def _start(self, cast: dict[str, str], present: tuple[str, ...]) -> Start:
        skill = self.skill
        kinds = self._kinds(present)
        places = {cast[role]: cast.get(place, place) for role, place in skill.place.items()}
        for place in places.values():
            self._known("place", place, [*kinds["surface"], *kinds["receptacle"]])
        drawers = {cast.get(drawer, drawer): opening for drawer, opening in skill.drawers.items()}
        for drawer in drawers:
            self._known("drawer", drawer, self.setting.drawers)
        return Start(
            place=places,
            lying=tuple(cast[role] for role in skill.lying),
            drawers=drawers,
            station=skill.station,
            distractors=skill.distractors,
            apart=tuple((cast[a], cast[b]) for a, b in skill.apart),
        )

    def _kinds(self, present: tuple[str, ...]) -> dict[predicate.Kind, tuple[str, ...]]:
        """Names that exist in an episode, by kind."""
        bowls = tuple(name for name in present if "receptacle" in self.objects[name].tags)
        return {
            "object": present,
            "receptacle": (*bowls, *self.setting.drawers),
            "surface": self.setting.surfaces,
            "drawer": self.setting.drawers,
            "station": self.setting.stations,
        }

    def _words(self, player: str) -> str:
        return self.objects[player].names[0] if player in self.objects else player.replace("_", " ")

    def _known(self, kind: str, name: str, known: Collection[str]) -> None:
        if name not in known:
            raise UnknownNameError(kind, name, known, where=self.skill.where)


def _bind(goal: Goal, cast: Mapping[str, str]) -> Goal:
    """The goal with players in place of roles."""
    arguments = tuple(cast.get(name, name) for name in goal.arguments)
    return Goal(goal.predicate, arguments, tuple(_bind(child, cast) for child in goal.children))
