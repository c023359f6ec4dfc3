"""Movable objects and receptacles: what they are, and how they enter a MuJoCo model.

Body frame of every object: origin in the middle of its bounding box, z up when it stands or lies as spawned,
x along its length. Bags, bars and sponges are therefore pinched along y, round things from any side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, Self

import mujoco
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from rtbench.content import Entry, read_folder
from rtbench.env import shape
from rtbench.env.label import LabelSpec, paint
from rtbench.env.shape import Layout, Mesh

FOLDER = "envs/objects"
GRIP = 0.07
"""Widest thing the gripper takes: its 8 cm less 5 mm on each side [m]."""
FRICTION = (0.9, 0.01, 0.002)
"""Sliding [1], torsional [m] and rolling [m] friction. The last stops what rolls at 5 cm/s within 2 mm and
a toppled can at 30 cm/s within 12 cm; with 0.0005 it would roll off the counter."""
SOLREF = (0.01, 1.0)
"""Time constant [s] and damping ratio of contacts. MuJoCo wants at least two steps of 1/240 s."""
SOLIMP = (0.95, 0.99, 0.001, 0.5, 2.0)
VISUAL_GROUP, COLLISION_GROUP = 1, 3
BOWL_BOXES = 12
"""Collision boxes around a bowl."""
BOWL_FLOOR = 0.005
"""Thickness of a bowl's floor [m]."""

Kind = Literal["can", "bottle", "ball", "apple", "bag", "block", "bowl"]
Tag = Literal[
    "movable", "receptacle", "can", "bottle", "bag", "fruit", "drink", "snack", "food", "tool", "can_topple",
    "fits_bowl", "fits_drawer",
]  # fmt: skip
SIZES: dict[str, tuple[str, ...]] = {
    "can": ("diameter", "height"),
    "bottle": ("diameter", "height"),
    "ball": ("diameter", "height"),
    "apple": ("diameter", "height"),
    "bag": ("length", "width", "thickness"),
    "block": ("length", "width", "height"),
    "bowl": ("diameter", "height", "base diameter", "wall thickness"),
}
"""What the numbers of `size` mean, by kind, all in metres."""
ROUND = frozenset({"can", "bottle", "ball", "apple", "bowl"})
"""Kinds that are symmetric about body z."""
ROLLING = ROUND - {"bowl"}
"""Kinds that roll when they lie on their side, and so need rolling friction (condim 6)."""

_LOOKS: dict[str, tuple[Callable[..., Mesh], Layout]] = {
    "can": (shape.can, shape.CAN_LAYOUT),
    "bottle": (shape.bottle, shape.BOTTLE_LAYOUT),
    "ball": (shape.ball, shape.FRUIT_LAYOUT),
    "apple": (shape.apple, shape.FRUIT_LAYOUT),
    "bag": (shape.pillow, shape.BAG_LAYOUT),
    "block": (shape.block, shape.BLOCK_LAYOUT),
    "bowl": (lambda *size: shape.bowl(size, BOWL_FLOOR), shape.BOWL_LAYOUT),
}


@dataclass(frozen=True)
class Cavity:
    """The inside of a bowl, a cone frustum in the body frame [m]."""

    radius: float
    """Inner radius at the rim."""
    floor_radius: float
    """Inner radius at the floor."""
    floor: float
    """z of the floor's upper face."""
    rim: float
    """z of the rim."""


@dataclass(frozen=True)
class Primitive:
    """One collision geom in the body frame."""

    type: mujoco.mjtGeom
    size: tuple[float, float, float]
    """As MuJoCo wants it [m]: half sizes of a box, (radius, half height, 0) of a cylinder, radii."""
    pos: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """[m]."""
    quat: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)
    """wxyz."""


class ObjectSpec(Entry):
    """One object, as written in envs/objects/*.yaml; the entry's key is its name everywhere."""

    kind: Kind
    """Shape, for the eye and for contacts."""
    size: tuple[float, ...]
    """Metres, in the order of SIZES[kind]."""
    mass: float = Field(ge=0.05, le=2.0)
    """Kilograms; below 50 g contact with the gripper is not stable."""
    label: LabelSpec
    """How it is painted."""
    names: tuple[str, ...] = Field(min_length=1)
    """Words for it in instructions, the canonical ones first."""
    tags: tuple[Tag, ...]
    """What it can be used for; tasks choose objects by tag."""

    @field_validator("size")
    @classmethod
    def _positive(cls, size: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0.001 <= length <= 0.5 for length in size):
            raise ValueError(f"sizes are metres between 0.001 and 0.5, got {list(size)}")
        return size

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        wanted = SIZES[self.kind]
        if len(self.size) != len(wanted):
            raise ValueError(f"size of a {self.kind} is [{', '.join(wanted)}], got {len(self.size)} numbers")
        if ("receptacle" in self.tags) != (self.kind == "bowl"):
            raise ValueError("the tag 'receptacle' belongs to the kind 'bowl', and every bowl needs it")
        if self.kind == "bowl":
            self._check_bowl()
        width = 2 * float(np.sort(self.half)[1])
        if "movable" in self.tags and width > GRIP:
            raise ValueError(
                f"too wide for the tag 'movable': in one of its poses it is at least {width:g} m wide in all "
                f"directions, and the gripper takes {GRIP:g} m; make it slimmer or drop the tag"
            )
        return self

    def _check_bowl(self) -> None:
        diameter, height, base, wall = self.size
        if not (2 * wall < base <= diameter and height > 2 * BOWL_FLOOR):
            raise ValueError(
                "not a bowl: its base must be wider than two walls and no wider than the rim, and its height "
                f"more than {2 * BOWL_FLOOR:g} m"
            )

    @property
    def half(self) -> NDArray[np.float64]:
        """Half extents of the bounding box in the body frame, float64[3] [m]."""
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
        return self.kind in {"can", "bottle"}

    @property
    def radius(self) -> float:
        """Radius of the smallest circle about the origin that holds its footprint as spawned [m]."""
        x, y, _ = self.half
        return float(x if self.round else np.hypot(x, y))

    @property
    def grasp_width(self) -> float:
        """Width between the fingers when gripped along body y at its widest [m]."""
        return 2 * float(self.half[1])

    def width_at(self, z: float) -> float:
        """Width along body y that fingers meet at body height z [m], as spawned; 0 where there is nothing.

        Differs from `grasp_width` for fruit, bags and bottles, whose necks are slim.
        """
        if self.kind == "bowl":
            return self.grasp_width if abs(z) <= self.half[2] else 0.0
        return max(_width(part, z - part.pos[2]) for part in primitives(self))

    @property
    def cavity(self) -> Cavity | None:
        """The inside of a bowl; None for all else."""
        if self.kind != "bowl":
            return None
        diameter, height, base, wall = self.size
        return Cavity(diameter / 2 - wall, base / 2 - wall, BOWL_FLOOR - height / 2, height / 2)


def load_objects(extra: Sequence[Path] = ()) -> dict[str, ObjectSpec]:
    """All objects by name: those shipped, then those of the content roots in `extra`.

    Raises:
        ContentError: an entry with an unknown key, a wrong value or an impossible size.
    """
    return read_folder(FOLDER, ObjectSpec, extra)


def primitives(obj: ObjectSpec) -> tuple[Primitive, ...]:
    """The collision geoms of an object: few, convex, with flat faces where it rests and is gripped."""
    return _PRIMITIVES[obj.kind](obj)


def add_object(spec: mujoco.MjSpec, obj: ObjectSpec) -> Any:
    """Add an object to a model under construction, as a free body at the origin.

    The body is called NAME, its joint NAME:free; visual geom, mesh, texture and material NAME:visual; the
    collision geoms NAME:0, NAME:1, ...

    Returns:
        The mujoco body; set its `pos` (its centre stands `obj.half[2]` above what it rests on).
    """
    form = _mesh(obj.kind, obj.size)
    visual = f"{obj.name}:visual"
    _add_look(spec, visual, form, paint(obj.label, _LOOKS[obj.kind][1]))
    body = spec.worldbody.add_body(name=obj.name)
    body.add_freejoint(name=f"{obj.name}:free")
    center, inertia = form.inertia(obj.mass)
    body.explicitinertial = True
    body.mass = obj.mass
    body.ipos = center
    body.inertia = np.diag(inertia)  # all shapes are symmetric about the body's planes xz and yz
    body.add_geom(
        name=visual,
        type=mujoco.mjtGeom.mjGEOM_MESH,
        meshname=visual,
        material=visual,
        group=VISUAL_GROUP,
        contype=0,
        conaffinity=0,
        mass=0,
    )
    for number, part in enumerate(primitives(obj)):
        body.add_geom(
            name=f"{obj.name}:{number}",
            type=part.type,
            size=part.size,
            pos=part.pos,
            quat=part.quat,
            group=COLLISION_GROUP,
            mass=0,
            condim=6 if obj.kind in ROLLING else 4,
            friction=FRICTION,
            solref=SOLREF,
            solimp=SOLIMP,
        )
    return body


@cache
def _mesh(kind: Kind, size: tuple[float, ...]) -> Mesh:
    return _LOOKS[kind][0](*size)


def _add_look(spec: mujoco.MjSpec, name: str, form: Mesh, pixels: NDArray[np.uint8]) -> None:
    """Mesh, texture and material of one name, all from memory."""
    spec.add_mesh(
        name=name,
        uservert=form.vertices.ravel(),
        userface=form.faces.ravel(),
        usernormal=form.normals.ravel(),
        usertexcoord=np.abs(form.texcoords - (0, 1)).ravel(),  # MuJoCo counts v from the first row down
        inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL,  # not used: the body's own is explicit
    )
    image = spec.add_texture(
        name=name,
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        width=pixels.shape[1],
        height=pixels.shape[0],
        nchannel=3,
    )
    image.data = pixels.tobytes()
    material = spec.add_material(name=name, specular=0.1, shininess=0.2)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name


def _can(obj: ObjectSpec) -> tuple[Primitive, ...]:
    hx, _, hz = obj.half.tolist()
    return (Primitive(mujoco.mjtGeom.mjGEOM_CYLINDER, (hx, hz, 0)),)


def _bottle(obj: ObjectSpec) -> tuple[Primitive, ...]:
    """Body and neck; the shoulder, from 0.66 to 0.84 of the height, is a step at 0.70."""
    hx, _, hz = obj.half.tolist()
    body = 0.70 * hz
    return (
        Primitive(mujoco.mjtGeom.mjGEOM_CYLINDER, (hx, body, 0), (0, 0, body - hz)),
        Primitive(mujoco.mjtGeom.mjGEOM_CYLINDER, (shape.BOTTLE_CAP * hx, hz - body, 0), (0, 0, body)),
    )


def _fruit(obj: ObjectSpec) -> tuple[Primitive, ...]:
    return (Primitive(mujoco.mjtGeom.mjGEOM_ELLIPSOID, tuple(obj.half.tolist())),)


def _bag(obj: ObjectSpec) -> tuple[Primitive, ...]:
    """A waist to pinch and a belly to lie on; the crimped seams carry nothing."""
    hx, hy, hz = obj.half.tolist()
    return (
        Primitive(mujoco.mjtGeom.mjGEOM_BOX, (0.86 * hx, hy, 0.75 * hz)),
        Primitive(mujoco.mjtGeom.mjGEOM_BOX, (0.68 * hx, 0.8 * hy, hz)),
    )


def _block(obj: ObjectSpec) -> tuple[Primitive, ...]:
    return (Primitive(mujoco.mjtGeom.mjGEOM_BOX, tuple(obj.half.tolist())),)


def _bowl(obj: ObjectSpec) -> tuple[Primitive, ...]:
    """A floor and a ring of leaning boxes whose inner faces follow the inside of the wall."""
    cavity = obj.cavity
    if cavity is None:
        raise ValueError(f"{obj.name} is no bowl")
    _, height, base, wall = obj.size
    floor = Primitive(
        mujoco.mjtGeom.mjGEOM_CYLINDER, (base / 2, BOWL_FLOOR / 2, 0), (0, 0, (BOWL_FLOOR - height) / 2)
    )
    run, rise = cavity.radius - cavity.floor_radius, cavity.rim - cavity.floor
    lean = float(np.arctan2(run, rise))
    out = (cavity.radius + cavity.floor_radius + wall * float(np.cos(lean))) / 2
    up = (cavity.rim + cavity.floor - wall * float(np.sin(lean))) / 2
    size = (wall / 2, cavity.radius * float(np.tan(np.pi / BOWL_BOXES)), float(np.hypot(run, rise)) / 2)
    boxes = []
    for yaw in (2 * np.pi * np.arange(BOWL_BOXES) / BOWL_BOXES).tolist():
        c, s = float(np.cos(yaw / 2)), float(np.sin(yaw / 2))
        d, t = float(np.cos(lean / 2)), float(np.sin(lean / 2))
        quat = (c * d, -s * t, c * t, s * d)  # leaning about y, then turned about z
        pos = (out * float(np.cos(yaw)), out * float(np.sin(yaw)), up)
        boxes.append(Primitive(mujoco.mjtGeom.mjGEOM_BOX, size, pos, quat))
    return (floor, *boxes)


_PRIMITIVES: dict[str, Callable[[ObjectSpec], tuple[Primitive, ...]]] = {
    "can": _can,
    "bottle": _bottle,
    "ball": _fruit,
    "apple": _fruit,
    "bag": _bag,
    "block": _block,
    "bowl": _bowl,
}


def _width(part: Primitive, z: float) -> float:
    """Width along y of an upright primitive at height z above its own centre [m]."""
    if part.type == mujoco.mjtGeom.mjGEOM_ELLIPSOID:
        return 2 * part.size[1] * float(np.sqrt(max(0.0, 1 - (z / part.size[2]) ** 2)))
    cylinder = part.type == mujoco.mjtGeom.mjGEOM_CYLINDER
    width, half_height = part.size[:2] if cylinder else part.size[1:]
    return 2 * width if abs(z) <= half_height else 0.0
