"""`Task`: objects of a scene, their start, an instruction, and the goal that decides success."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rtbench.task.referring_expression import Reference


@dataclass(frozen=True)
class Goal:
    """A tree of predicates. Inner nodes are 'all' and 'any'; leaves name a predicate and its arguments."""

    predicate: str
    """'all', 'any', or a predicate of `rtbench.task.predicate.PREDICATES`."""
    arguments: tuple[str, ...] = ()
    """Names of objects, drawers, surfaces or stations; for leaves only."""
    children: tuple[Goal, ...] = ()
    """For 'all' and 'any' only."""

    def leaves(self) -> tuple[Goal, ...]:
        """All leaves, left to right."""
        if not self.children:
            return (self,)
        return tuple(leaf for child in self.children for leaf in child.leaves())

    def __str__(self) -> str:
        """Text such as 'lifted(apple)' or 'all(near(apple, sponge), released(apple))'."""
        inner = ", ".join(map(str, self.children)) if self.children else ", ".join(self.arguments)
        return f"{self.predicate}({inner})"


@dataclass(frozen=True)
class Start:
    """How an episode begins, apart from what its seed decides."""

    place: dict[str, str] = field(default_factory=dict)
    """Object -> where it starts: a surface, bowl or drawer name."""
    lying: tuple[str, ...] = ()
    """Objects that start on their side."""
    drawers: dict[str, float] = field(default_factory=dict)
    """Drawer -> opening at the start [m]; drawers not named are shut."""
    station: str = "counter"
    """Station at which the robot starts."""
    distractors: tuple[int, int] = (0, 0)
    """Fewest and most other objects placed beside the task's own."""
    apart: tuple[tuple[str, str], ...] = ()
    """Pairs that must not already be near each other."""
    given: Goal | None = None
    """What must hold at the start, such as left_of(coke_can, pepsi_can)."""


@dataclass(frozen=True)
class Task:
    """A task with all its roles filled in."""

    id: str
    """'SKILL/WHAT-vN', such as 'move_near/apple_sponge-v0'."""
    skill: str
    """Skill it counts under."""
    scene: str
    """Scene name."""
    objects: tuple[str, ...]
    """Objects that the task is about, targets first."""
    goal: Goal
    """Condition of success."""
    start: Start
    """Its start."""
    templates: tuple[str, ...]
    """English instructions, the first one canonical, objects' names filled in."""
    horizon: int
    """Control steps allowed."""
    entry: str = ""
    """Entry of tasks/skills or tasks/requests that it comes from."""
    cast: Mapping[str, str] = field(default_factory=dict)
    """Role -> name, in instructions, of the object or fixture assigned to it."""
    foils: tuple[str, ...] = ()
    """Objects that are always present and that the instruction could be mistaken for."""
    group: str = ""
    """'' for a skill's ordinary tasks, 'held_out', or the request file that the task comes from."""
    means: Mapping[str, Reference] = field(default_factory=dict)
    """Object -> description that identifies it among all objects present."""
    every: tuple[Reference, ...] = ()
    """Descriptions that fit the task's own objects and no other object present."""

    @property
    def present(self) -> tuple[str, ...]:
        """Objects in every episode: the task's own, then its foils."""
        return (*self.objects, *self.foils)

    @property
    def gym_id(self) -> str:
        """Gymnasium id: 'pick/coke_can-v0' -> 'rtbench/PickCokeCan-v0'."""
        name, version = self.id.rsplit("-v", 1)
        words = name.replace("/", "_").split("_")
        return f"rtbench/{''.join(w[:1].upper() + w[1:] for w in words)}-v{version}"
