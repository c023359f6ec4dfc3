"""Scenes, as written in envs/scenes/*.yaml: a room, counters with drawers and sinks, and where things go.

A counter's own frame has its origin on the floor below the middle of its front edge, x into the counter, y
to the left as the robot faces it. Drawers and sinks are measured in the frame of the counter they belong to.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rtbench.core.errors import nearest
from rtbench.task.appearance import ColorName, Texture
from rtbench.task.yaml_loader import Entry

WALL = 0.012
"""Thickness of a drawer's and a sink's walls [m]."""
FRONT = 0.02
"""Thickness of a drawer's front, and overhang of a counter's top [m]."""
TOP = 0.04
"""Thickness of a counter's top [m]."""
DRAWER_SIZE = (0.30, 0.40, 0.11)
"""Depth, width and height of a drawer's front and box where an entry names none [m]."""

Place = Annotated[float, Field(ge=-10, le=10)]
"""A coordinate [m]."""
Length = Annotated[float, Field(ge=0.2, le=5)]
"""Of furniture [m]."""
Angle = Annotated[float, Field(ge=-360, le=360)]
"""Degrees."""


class _Part(BaseModel):
    """Base of the parts of a scene's entry."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CounterEntry(_Part):
    """A counter or a desk."""

    origin: tuple[Place, Place]
    """World frame."""
    yaw: Angle
    size: tuple[Length, Length, Length]
    """Depth, width and height of the top [m]."""
    texture: Texture
    """Of the top."""
    front: Texture
    """Texture of the cabinet, or of the legs, below."""
    legs: bool = False
    """Stands on panels at both ends and one at the back, as a desk does, instead of on a cabinet."""


class HandleEntry(_Part):
    """The bar before a drawer's front."""

    out: float = Field(default=0.050, gt=0, le=0.1)
    """Distance of the bar from the front [m]: closed fingers fit behind it, leaning."""
    above: float = 0.0
    """Height of the bar over the front's middle [m]."""
    length: float = Field(default=0.150, gt=0)
    """[m]"""
    radius: float = Field(default=0.007, gt=0)
    """[m]"""
    solid: bool = True
    """Whether it collides."""


class DrawerEntry(_Part):
    """A drawer in a counter's front."""

    counter: str
    """The counter it belongs to."""
    left: Place
    """y of its middle in the counter's frame [m]."""
    height: Place
    """Height of its front's middle above the floor [m]."""
    size: tuple[Length, Length, Annotated[float, Field(ge=0.08, le=1)]] = DRAWER_SIZE
    """Depth, width and height of its front and box [m]."""
    travel: float = Field(0.26, gt=0, le=1)
    """Greatest opening [m]."""
    mass: float = Field(0.35, gt=0)
    """Of the front, and of each of the four parts of the box [kg]."""
    friction: float = Field(2.0, ge=0)
    """[N]"""
    damping: float = Field(6.0, ge=0)
    """[N s/m]"""
    handle: HandleEntry = HandleEntry()


class SinkEntry(_Part):
    """A basin let into a counter's top."""

    counter: str
    """The counter it belongs to."""
    low: tuple[float, float]
    """Corner of the opening in the counter's frame [m]."""
    high: tuple[float, float]
    """Opposite corner [m]."""
    depth: float
    """Of the basin below the counter's top [m]."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        sizes = [high - low for low, high in zip(self.low, self.high, strict=True)]
        if min(sizes) < 0.15 or not 0.03 <= self.depth <= 0.20:
            raise ValueError(
                f"a sink opens at least 0.15 m each way and is 0.03 to 0.2 m deep, "
                f"got {sizes[0]:.2f} x {sizes[1]:.2f} x {self.depth:g} m"
            )
        return self


class FloorEntry(_Part):
    """The room's floor; walls stand on its edges behind the counters."""

    low: tuple[Place, Place]
    """Corner in the world."""
    high: tuple[Place, Place]
    """Opposite corner, in x and y beyond `low`."""
    texture: Texture
    walls: Texture
    """Texture of the walls."""
    sides: tuple[Literal["east", "west", "south", "north"], ...] = ("east", "south")
    """Sides with a wall: those that the camera can see. East is +x, north +y."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _check_corners(self.low, self.high)
        return self


class OrnamentEntry(_Part):
    """A solid decoration, such as a tap or a monitor. No task is about it."""

    counter: str
    """The counter that it stands on, or whose frame it is measured in."""
    shape: Literal["box", "cylinder"]
    size: tuple[float, ...]
    """Depth, width and height of a box, or diameter and height of a cylinder [m]."""
    at: tuple[Place, Place, Place]
    """Middle of its lower face [m]: x and y in the counter's frame, height above the counter's top."""
    color: ColorName
    yaw: Angle = 0.0

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        wanted = 3 if self.shape == "box" else 2
        if len(self.size) != wanted or not all(0.002 <= length <= 3 for length in self.size):
            raise ValueError(
                f"size of a {self.shape} is {wanted} lengths of 0.002 to 3 metres, got {list(self.size)}"
            )
        return self


class Rectangle(_Part):
    """A rectangle in a counter's frame."""

    low: tuple[Place, Place]
    high: tuple[Place, Place]


class SceneEntry(Entry):
    """One scene, as written in envs/scenes/*.yaml."""

    floor: FloorEntry
    counters: dict[str, CounterEntry] = Field(min_length=1)
    drawers: dict[str, DrawerEntry]
    sinks: dict[str, SinkEntry] = Field(default_factory=dict)
    ornaments: dict[str, OrnamentEntry] = Field(default_factory=dict)
    workspace: Rectangle
    """Where objects are put on a counter, within the arm's reach."""
    surroundings: Rectangle
    """Where distractors stand too when the workspace is full, in the picture but perhaps out of reach."""
    distractors: str
    """Set of objects that distractors are drawn from."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [*self.counters, *self.drawers, *self.sinks, *self.ornaments]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{twice[0]!r} is the name of two of its parts; rename one of them")
        for name, part in (self.drawers | self.sinks | self.ornaments).items():
            if part.counter not in self.counters:
                close = nearest(part.counter, self.counters)
                hint = f", did you mean {close!r}" if close else ""
                known = ", ".join(self.counters)
                raise ValueError(f"{name!r} belongs to the counter {part.counter!r}{hint}; known: {known}")
        for area in (self.workspace, self.surroundings):
            _check_corners(area.low, area.high)
        _check_fixtures(self.counters, self.drawers, self.sinks)
        return self


def _check_corners(low: tuple[float, float], high: tuple[float, float]) -> None:
    if not all(a < b for a, b in zip(low, high, strict=True)):
        raise ValueError(f"low is below high in x and y, got {list(low)} and {list(high)}")


def _check_fixtures(
    counters: dict[str, CounterEntry], drawers: dict[str, DrawerEntry], sinks: dict[str, SinkEntry]
) -> None:
    """Refuse fixtures that cannot be built. The counters that they name exist already.

    Raises:
        ValueError: drawers that are not one above the other, or not within their counter's front, a second
            sink in a counter, or one that does not lie within the top.
    """
    for name, drawer in drawers.items():
        _, width, height = counters[drawer.counter].size
        out, up = width / 2 - drawer.size[1] / 2, drawer.size[2] / 2
        if abs(drawer.left) > out or not up <= drawer.height <= height - TOP - up:
            raise ValueError(
                f"the drawer {name!r} sticks out of its counter's front: 'left' is at most {out:g} m either "
                f"way, 'height' {up:g} to {height - TOP - up:g} m"
            )
    for name, counter in counters.items():
        lefts = {(d.left, *d.size[:2]) for d in drawers.values() if d.counter == name}
        basins = [s for s in sinks.values() if s.counter == name]
        if len(lefts) > 1 or len(basins) > 1:
            raise ValueError(f"{name!r} takes one stack of drawers and one sink; use another counter")
        for sink in basins:
            depth, width, _ = counter.size
            rim = FRONT + WALL
            if (
                min(sink.low[0], depth - sink.high[0], sink.low[1] + width / 2, width / 2 - sink.high[1])
                < rim
            ):
                raise ValueError(f"the sink in {name!r} leaves less than {rim:g} m of its top beside it")
