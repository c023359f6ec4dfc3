"""Movable objects and receptacles, as written in envs/objects/*.yaml.

Everything is checked here, without the simulator: what is listed can be played. Body frame of every object:
origin in the middle of its bounding box, z up when it stands or lies as spawned, x along its length. Bags,
bars and tools are therefore pinched along y, round things from any side.
"""

from __future__ import annotations

import difflib
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, StringConstraints, field_validator, model_validator

from rtbench.task.appearance import LabelEntry
from rtbench.task.object_parts import MOST_PARTS, PartEntry, assemble
from rtbench.task.object_shape import BOWL_FLOOR, PRIMITIVES, Cavity, Primitive, bowl_cavity, width
from rtbench.task.yaml_loader import Entry

GRIP = 0.07
"""Widest thing the gripper takes: its 8 cm less 5 mm on each side [m]."""
SLIMMEST = 0.022
"""Slimmest thing the gripper takes [m]: with fingers nearer together than 2 cm it counts as empty."""
PALM = 0.021
"""The palm stops the fingers this far below the top of what is tall [m]."""
PAD = 0.01
"""Half width of a finger pad, along body x when an object is gripped [m]."""

Kind = Literal["can", "bottle", "cup", "ball", "apple", "bag", "block", "bowl", "mat", "parts"]
Tag = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
MOVABLE, RECEPTACLE, PLATFORM, CAN_TOPPLE = "movable", "receptacle", "platform", "can_topple"
FITS_BOWL, FITS_DRAWER = "fits_bowl", "fits_drawer"
STRUCTURAL = (MOVABLE, RECEPTACLE, PLATFORM, CAN_TOPPLE, FITS_BOWL, FITS_DRAWER)
"""Tags that say what can be done with a thing. All others are categories, colours and uses."""
SIZES: dict[str, tuple[str, ...]] = {
    "can": ("diameter", "height"),
    "bottle": ("diameter", "height"),
    "cup": ("diameter", "height", "base diameter"),
    "ball": ("diameter", "height"),
    "apple": ("diameter", "height"),
    "bag": ("length", "width", "thickness"),
    "block": ("length", "width", "height"),
    "bowl": ("diameter", "height", "base diameter", "wall thickness"),
    "mat": ("length", "width", "thickness"),
    "parts": (),
}
"""What the numbers of `size` mean, by kind, all in metres."""
ROUND = frozenset({"can", "bottle", "cup", "ball", "apple", "bowl"})
"""Kinds that are symmetric about body z."""

_LEVELS = np.linspace(-0.96, 0.96, 13)
"""Heights at which the width of a thing of parts is looked at, in half heights."""


class ObjectEntry(Entry):
    """One object, as written in envs/objects/*.yaml; the entry's key is its name everywhere."""

    kind: Kind
    """Shape, for the eye and for contacts."""
    size: tuple[float, ...] = ()
    """Metres, in the order of SIZES[kind]; none for the kind 'parts'."""
    parts: tuple[PartEntry, ...] = Field(default=(), max_length=MOST_PARTS)
    """What a thing of the kind 'parts' is put together from, x along its length."""
    mass: float = Field(ge=0.05, le=2.0)
    """Kilograms; below 50 g contact with the gripper is not stable."""
    label: LabelEntry | None = None
    """How it is painted; the kind 'parts' has colours instead."""
    names: tuple[str, ...] = Field(min_length=1)
    """Words for it in instructions, the canonical ones first."""
    tags: tuple[Tag, ...]
    """What can be done with it (STRUCTURAL), and what it is: tasks choose objects by tag."""
    value: int | None = None
    """Number that it shows."""

    @field_validator("size")
    @classmethod
    def _positive(cls, size: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0.001 <= length <= 0.5 for length in size):
            raise ValueError(f"sizes are metres between 0.001 and 0.5, got {list(size)}")
        return size

    @field_validator("tags")
    @classmethod
    def _tags(cls, tags: tuple[Tag, ...]) -> tuple[Tag, ...]:
        for tag in set(tags) - set(STRUCTURAL):
            close = difflib.get_close_matches(tag, STRUCTURAL, n=1, cutoff=0.85)
            if close:
                raise ValueError(
                    f"the tag {tag!r} is easily taken for {close[0]!r}; write that, or another word"
                )
        if len(set(tags)) < len(tags):
            raise ValueError(f"a tag stands twice in {list(tags)}")
        return tags

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self._check_form()
        if (RECEPTACLE in self.tags) != (self.kind == "bowl"):
            raise ValueError("the tag 'receptacle' belongs to the kind 'bowl', and every bowl needs it")
        if self.platform and self.kind not in ("mat", "parts"):
            raise ValueError("the tag 'platform' is for what has a flat top: the kinds mat and parts")
        if (self.platform and MOVABLE in self.tags) or (self.kind == "mat" and not self.platform):
            raise ValueError(
                "a thing to put others on has the tag 'platform' and not 'movable'; every mat has"
            )
        if CAN_TOPPLE in self.tags and not self.rest_lying:
            raise ValueError("the tag 'can_topple' is for what stands: the kinds can, bottle and cup")
        if MOVABLE in self.tags:
            self._check_grip()
        return self

    def _check_form(self) -> None:
        assembled = self.kind == "parts"
        for key, given in (("parts", bool(self.parts)), ("label", self.label is None)):
            if given != assembled:
                needs = (
                    "needs 'parts' and neither 'size' nor 'label'"
                    if assembled
                    else "needs 'label', and no 'parts'"
                )
                raise ValueError(f"the kind {self.kind!r} {needs}; look at {key!r}")
        wanted = SIZES[self.kind]
        if len(self.size) != len(wanted):
            raise ValueError(f"size of a {self.kind} is [{', '.join(wanted)}], got {len(self.size)} numbers")
        if max(self.half) > 0.25:
            raise ValueError(f"longer than 0.5 m: its bounding box is {(2 * self.half).tolist()} m")
        if self.kind == "bowl":
            self._check_bowl()
        if self.kind == "cup" and not 0.85 * self.size[0] <= self.size[2] <= self.size[0]:
            raise ValueError(
                "the base of a cup is 0.85 to 1 times as wide as its rim, so that fingers meet it"
            )

    def _check_grip(self) -> None:
        broad = 2 * float(np.sort(self.half)[1])
        if broad > GRIP:
            raise ValueError(
                f"too wide for the tag 'movable': in one of its poses it is at least {broad:g} m wide in all "
                f"directions, and the gripper takes {GRIP:g} m; make it slimmer or drop the tag"
            )
        if self.kind == "parts" and self.half[0] <= self.half[1]:
            raise ValueError("fingers close along y: turn its parts so that its length is along x")
        met = self.grasp_width if self.kind == "parts" else self.width_at(max(0.0, self.half[2] - PALM))
        if not SLIMMEST <= met <= GRIP:
            raise ValueError(
                f"not graspable, so not 'movable': fingers that close along y on its middle meet {met:.3g} m "
                f"of it and take {SLIMMEST:g} to {GRIP:g} m"
            )

    def _check_bowl(self) -> None:
        diameter, height, base, wall = self.size
        if not (2 * wall < base <= diameter and height > 2 * BOWL_FLOOR):
            raise ValueError(
                "not a bowl: its base must be wider than two walls and no wider than the rim, and its height "
                f"more than {2 * BOWL_FLOOR:g} m"
            )

    @property
    def set(self) -> str:
        """The stem of its file: 'seen' for envs/objects/seen.yaml; '' for one that stands in no file."""
        return self.stem

    @property
    def primitives(self) -> tuple[Primitive, ...]:
        """What it collides as: few shapes, convex, with flat faces where it rests and is gripped."""
        return assemble(self.parts).primitives if self.kind == "parts" else PRIMITIVES[self.kind](self.size)

    @property
    def platform(self) -> bool:
        """Whether things can be put on it: on the top face of its bounding box."""
        return PLATFORM in self.tags

    @property
    def half(self) -> NDArray[np.float64]:
        """Half extents of the bounding box in the body frame, float64[3] [m]."""
        if self.kind == "parts":
            return assemble(self.parts).half
        if self.round:
            diameter, height = self.size[:2]
            return np.array([diameter, diameter, height]) / 2
        return np.array(self.size) / 2

    @property
    def round(self) -> bool:
        """Whether it looks the same from all sides (symmetric about body z)."""
        return self.kind in ROUND

    @property
    def rest_lying(self) -> bool:
        """Whether it stands upright and can be toppled to lie on its side."""
        return self.kind in {"can", "bottle", "cup"}

    @property
    def radius(self) -> float:
        """Radius of the smallest circle about the origin that holds its footprint as spawned [m]."""
        x, y, _ = self.half
        return float(x if self.round else np.hypot(x, y))

    @property
    def grasp_width(self) -> float:
        """Width between the fingers when gripped along body y at its widest [m]."""
        if self.kind == "parts":
            return max(self.width_at(z) for z in (self.half[2] * _LEVELS).tolist())
        return 2 * float(self.half[1])

    def width_at(self, z: float) -> float:
        """Width along body y that fingers meet at body height z [m], as spawned; 0 where there is nothing.

        Differs from `grasp_width` for fruit, bags and bottles, whose necks are slim. Of a thing of parts only
        what the pads meet counts, that within `PAD` of the origin along x.
        """
        if self.kind == "bowl":
            return self.grasp_width if abs(z) <= self.half[2] else 0.0
        return width(self.primitives, z, PAD if self.kind == "parts" else 0.0)

    @property
    def cavity(self) -> Cavity | None:
        """The inside of a bowl; None for all else."""
        return bowl_cavity(self.size) if self.kind == "bowl" else None
