"""Skills: tasks with roles, as written in tasks/skills/*.yaml.

A skill has a goal over roles ("object", "target", "drawer"). `rtbench.task.expand` makes one task for each
assignment of different objects or fixtures to the roles.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from rtbench.task import predicate
from rtbench.task.referring_expression import Reference
from rtbench.task.task import Goal, Layout, Pose2D
from rtbench.task.yaml_loader import Entry

SEEN = "seen"
"""Set of objects for roles where a skill names none: objects that policies may have been trained on."""


class Named(Protocol):
    """The attributes of an object that a skill uses."""

    @property
    def names(self) -> tuple[str, ...]:
        """Its names in instructions, the canonical one first."""
        ...

    @property
    def tags(self) -> Collection[str]:
        """Its kinds and uses, such as 'movable'."""
        ...

    @property
    def value(self) -> int | None:
        """Number that it shows."""
        ...

    @property
    def set(self) -> str:
        """Set that it belongs to: the stem of its file."""
        ...


@dataclass(frozen=True)
class Setting:
    """The parts of a scene that tasks use. A part is called by its name: 'top_drawer' is "top drawer"."""

    surfaces: tuple[str, ...]
    """Counters; the robot has a station of the same name at each."""
    drawers: tuple[str, ...]
    sinks: tuple[str, ...] = ()
    distractors: str = SEEN
    """Set of objects that distractors are drawn from."""

    @property
    def stations(self) -> tuple[str, ...]:
        """Places where the robot can stand to work."""
        return self.surfaces

    @property
    def fixtures(self) -> tuple[str, ...]:
        """All names but the objects'."""
        return (*self.surfaces, *self.drawers, *self.sinks)


class Role(BaseModel):
    """Candidates for a role: the objects of a set that have the tags, or the objects and fixtures listed.

    In a file a plain name, or a list of names, stands for ``{names: [...]}``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tag: tuple[str, ...] = ()
    """Tags, all of which a candidate has; in a file a plain word stands for one."""
    set: str = SEEN
    """Set of the objects with the tags."""
    names: tuple[str, ...] = ()
    named: bool = True
    """Whether instructions say which candidate is meant, where there are several."""

    @model_validator(mode="before")
    @classmethod
    def _from_names(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            data = {"names": data}
        # A validator that runs before makes pydantic strict about lists, too.
        return {key: _texts(value) if key in ("names", "tag") else value for key, value in data.items()}

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.tag) == bool(self.names):
            raise ValueError("give either 'tag' or 'names'")
        return self


def _texts(value: Any) -> Any:
    """A plain word as a tuple of one, a list as a tuple."""
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


class PlacesEntry(BaseModel):
    """Places of an object on its counter, in the world [m]: all pairs of `x` and `y`, or those of `at`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    x: tuple[float, ...] = ()
    y: tuple[float, ...] = ()
    at: tuple[tuple[float, float], ...] = ()
    yaw: float = 0.0
    """Degrees; of a lying object the direction of its own z axis."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if not (self.x and self.y and not self.at) and not (self.at and not self.x and not self.y):
            raise ValueError("give either 'x' and 'y' or 'at'")
        return self

    @property
    def places(self) -> tuple[Pose2D, ...]:
        """In the order of the file, y before x."""
        pairs = self.at or itertools.product(self.x, self.y)
        return tuple(Pose2D(x, y, math.radians(self.yaw)) for x, y in pairs)


class LayoutsEntry(BaseModel):
    """Starts without chance: each place of the objects from each pose of the robot."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    robot: tuple[tuple[float, float, float], ...] = Field(min_length=1)
    """x, y [m] and yaw [degrees] of its base, in the world."""
    objects: dict[str, PlacesEntry] = Field(default_factory=dict)
    """Role or object -> its places; the n-th places of all belong together."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        counts = {name: len(entry.places) for name, entry in self.objects.items()}
        if len(set(counts.values())) > 1:
            raise ValueError(f"all objects have equally many places, got {counts}")
        return self

    def layouts(self, assigned: Mapping[str, str]) -> tuple[Layout, ...]:
        """All starts, with objects in place of roles."""
        robots = [Pose2D(x, y, math.radians(yaw)) for x, y, yaw in self.robot]
        places = {assigned.get(name, name): entry.places for name, entry in self.objects.items()}
        rows = [dict(zip(places, row, strict=True)) for row in zip(*places.values(), strict=True)] or [{}]
        return tuple(Layout(robot, row) for robot, row in itertools.product(robots, rows))


class FirstEntry(BaseModel):
    """What is asked for before the instruction changes; see `rtbench.task.task.FirstPart`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    goal: dict[str, Any] = Field(min_length=1)
    instruction: str
    """Template."""
    steps: int = Field(ge=1)


class Skill(Entry):
    """One entry of tasks/skills/*.yaml. In all other fields, roles stand for the objects assigned to them."""

    skill: str = ""
    """Skill its tasks count under, where several entries make up one skill; else the entry's name."""
    id: str = ""
    """Second part of its tasks' ids, roles in braces; where empty, the assigned names, joined."""
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
    given: dict[str, Any] = Field(default_factory=dict)
    """What must hold at the start, written as the goal is."""
    foils: tuple[str, ...] = ()
    """Objects that are always present and that the instruction could be mistaken for."""
    means: dict[str, Reference] = Field(default_factory=dict)
    """Role of an object -> description that must identify it among all objects present."""
    every: tuple[Reference, ...] = ()
    """Descriptions ("the fruit") that fit the roles' objects and no other object present."""
    held_out: tuple[tuple[str, ...], ...] = ()
    """Assignments, in the order of the roles, that are held out from training."""
    goal: dict[str, Any] = Field(min_length=1)
    """Predicate -> its arguments; several predicates must all hold. See `parse_goal`."""
    strict: dict[str, Any] = Field(default_factory=dict)
    """A stricter goal, which runs report beside success."""
    first: FirstEntry | None = None
    """What is asked for before the instruction changes to one of `instructions`."""
    layouts: LayoutsEntry | None = None
    """Starts without chance, of which an episode has that of its seed."""
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

    @field_validator("goal", "given", "strict")
    @classmethod
    def _describes_a_goal(cls, goal: dict[str, Any]) -> dict[str, Any]:
        if goal:
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
        ValueError: it describes none. `predicate.check_goal` checks that predicates and names exist.
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
