"""Skills: tasks with roles to fill, as written in tasks/skills/*.yaml.

A skill says what is asked of a role ("object", "target", "drawer"); `rtbench.task.expand` gives one task for
every way to cast the roles with different things.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from rtbench.task import predicate
from rtbench.task.referring_expression import Reference
from rtbench.task.task import Goal
from rtbench.task.yaml_loader import Entry

SEEN = "seen"
"""The set that roles are cast from where a skill names none: what policies may have been trained on."""


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
    """What a scene offers to tasks. The words for its parts are their names: 'top_drawer', "top drawer"."""

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
    """Who can play a role: the objects of a set that have the tags, or the objects and fixtures listed.

    In a file a plain name, or a list of names, stands for ``{names: [...]}``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tag: tuple[str, ...] = ()
    """All of these; in a file a plain word stands for one."""
    set: str = SEEN
    """Of the objects with the tag."""
    names: tuple[str, ...] = ()

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


class Skill(Entry):
    """One entry of tasks/skills/*.yaml. Roles stand for their players in every other field."""

    skill: str = ""
    """Skill its tasks count under, where several entries make up one skill; else the entry's name."""
    id: str = ""
    """What its tasks are called after the skill, roles in braces; their players, joined, where empty."""
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
    """Objects that always stand beside: what the instruction might be taken to mean."""
    means: dict[str, Reference] = Field(default_factory=dict)
    """Role of an object -> description that must single it out among all that is present."""
    every: tuple[Reference, ...] = ()
    """Descriptions ("the fruit") of which the roles are all that is present."""
    held_out: tuple[tuple[str, ...], ...] = ()
    """Casts, in the order of the roles, that nothing may be trained on."""
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

    @field_validator("goal", "given")
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
