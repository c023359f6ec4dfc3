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
class Pose2D:
    """Where something stands: of an object in the world, of a robot its base."""

    x: float
    """[m], world."""
    y: float
    """[m], world."""
    yaw: float
    """[rad]; of a lying object the direction of its own z axis."""


@dataclass(frozen=True)
class Layout:
    """A start without chance: where the robot and all objects of the task stand."""

    robot: Pose2D
    """Its base."""
    objects: Mapping[str, Pose2D] = field(default_factory=dict)
    """Object -> its place on the top of its counter."""


@dataclass(frozen=True)
class FirstPart:
    """What is asked for before the instruction changes to the task's own."""

    goal: Goal
    """What the first instruction asks for; it is no condition of success."""
    instruction: str
    """The first instruction."""
    steps: int
    """Control steps after which the instruction changes at the latest; terminating changes it sooner."""


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
    layouts: tuple[Layout, ...] = ()
    """Starts of which an episode has that of its seed; empty where the seed draws all places."""

    def layout(self, seed: int) -> Layout | None:
        """The start of an episode with that seed; None where places are drawn."""
        return self.layouts[seed % len(self.layouts)] if self.layouts else None


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

    strict: Goal | None = None
    """A stricter condition, reported beside success; None where success has no doubtful rule."""
    first: FirstPart | None = None
    """What is asked for first, where the instruction changes in the middle of an episode."""

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
