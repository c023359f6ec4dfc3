"""Movable objects and receptacles: what they are, and how they enter a MuJoCo model.

Body frame of every object: origin in the middle of its bounding box, z up when it stands or lies as spawned,
x along its length. Bags, bars and tools are therefore pinched along y, round things from any side. The
picture on a mat has its upper edge at +x.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import mujoco
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, StringConstraints, field_validator, model_validator

from rtbench.env import mesh
from rtbench.env.collision import BOWL_FLOOR, PRIMITIVES, Cavity, Primitive, bowl_cavity, width
from rtbench.env.composite import MOST_PARTS, Assembly, PartSpec, assemble
from rtbench.env.material import add_texture
from rtbench.env.mesh import Layout, Mesh
from rtbench.env.texture import LabelSpec, paint
from rtbench.task.yaml_loader import Entry, read_folder

FOLDER = "envs/objects"
GRIP = 0.07
"""Widest thing the gripper takes: its 8 cm less 5 mm on each side [m]."""
SLIMMEST = 0.022
"""Slimmest thing the gripper takes [m]: with fingers nearer together than 2 cm it counts as empty."""
PALM = 0.021
"""The palm stops the fingers this far below the top of what is tall [m]."""
PAD = 0.01
"""Half width of a finger pad, along body x when an object is gripped [m]."""
FRICTION = (0.9, 0.01, 0.002)
"""Sliding [1], torsional [m] and rolling [m] friction. The last stops what rolls at 5 cm/s within 2 mm and
a toppled can at 30 cm/s within 12 cm; with 0.0005 it would roll off the counter."""
PLATFORM_FRICTION = (1.5, 0.02, 0.002)
"""Of mats and plates: what stands on one does not slide off when the counter is bumped."""
SOLREF = (0.01, 1.0)
"""Time constant [s] and damping ratio of contacts. MuJoCo wants at least two steps of 1/240 s."""
SOLIMP = (0.95, 0.99, 0.001, 0.5, 2.0)
VISUAL_GROUP, COLLISION_GROUP = 1, 3

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
ROLLING = ROUND - {"bowl"}
"""Kinds that roll when they lie on their side, and so need rolling friction (condim 6)."""

_LEVELS = np.linspace(-0.96, 0.96, 13)
"""Heights at which the width of a thing of parts is looked at, in half heights."""
_LOOKS: dict[str, tuple[Callable[..., Mesh], Layout]] = {
    "can": (mesh.can, mesh.CAN_LAYOUT),
    "bottle": (mesh.bottle, mesh.BOTTLE_LAYOUT),
    "cup": (mesh.cup, mesh.CUP_LAYOUT),
    "ball": (mesh.ball, mesh.FRUIT_LAYOUT),
    "apple": (mesh.apple, mesh.FRUIT_LAYOUT),
    "bag": (mesh.pillow, mesh.BAG_LAYOUT),
    "block": (mesh.block, mesh.BLOCK_LAYOUT),
    "bowl": (lambda *size: mesh.bowl(size, BOWL_FLOOR), mesh.BOWL_LAYOUT),
    "mat": (mesh.mat, mesh.MAT_LAYOUT),
}


class ObjectSpec(Entry):
    """One object, as written in envs/objects/*.yaml; the entry's key is its name everywhere."""

    kind: Kind
    """Shape, for the eye and for contacts."""
    size: tuple[float, ...] = ()
    """Metres, in the order of SIZES[kind]; none for the kind 'parts'."""
    parts: tuple[PartSpec, ...] = Field(default=(), max_length=MOST_PARTS)
    """What a thing of the kind 'parts' is put together from, x along its length."""
    mass: float = Field(ge=0.05, le=2.0)
    """Kilograms; below 50 g contact with the gripper is not stable."""
    label: LabelSpec | None = None
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
        return Path(self._file).stem

    @cached_property
    def assembly(self) -> Assembly | None:
        """Its parts put together; None for all kinds but 'parts'."""
        return assemble(self.parts) if self.kind == "parts" else None

    @property
    def platform(self) -> bool:
        """Whether things can be put on it: on the top face of its bounding box."""
        return PLATFORM in self.tags

    @property
    def half(self) -> NDArray[np.float64]:
        """Half extents of the bounding box in the body frame, float64[3] [m]."""
        if self.assembly is not None:
            return self.assembly.half
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
        return width(primitives(self), z, PAD if self.kind == "parts" else 0.0)

    @property
    def cavity(self) -> Cavity | None:
        """The inside of a bowl; None for all else."""
        return bowl_cavity(self.size) if self.kind == "bowl" else None


def load_objects(extra: Sequence[Path] = ()) -> dict[str, ObjectSpec]:
    """All objects by name: those shipped, then those of the content roots in `extra`.

    Raises:
        ContentError: an entry with an unknown key, a wrong value or an impossible size.
    """
    return read_folder(FOLDER, ObjectSpec, extra)


def primitives(obj: ObjectSpec) -> tuple[Primitive, ...]:
    """The collision geoms of an object: few, convex, with flat faces where it rests and is gripped."""
    return obj.assembly.primitives if obj.assembly is not None else PRIMITIVES[obj.kind](obj.size)


def add_object(spec: mujoco.MjSpec, obj: ObjectSpec) -> Any:
    """Add an object to a model under construction, as a free body at the origin.

    The body is called NAME, its joint NAME:free; visual geom, mesh, texture and material NAME:visual; the
    collision geoms NAME:0, NAME:1, ...

    Returns:
        The mujoco body; set its `pos` (its centre stands `obj.half[2]` above what it rests on).
    """
    visual = f"{obj.name}:visual"
    form, pixels = _look(obj)
    _add_look(spec, visual, form, pixels)
    body = spec.worldbody.add_body(name=obj.name)
    body.add_freejoint(name=f"{obj.name}:free")
    center, inertia = (obj.assembly or form).inertia(obj.mass)
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
        rolls = obj.kind in ROLLING or (obj.kind == "parts" and part.type != mujoco.mjtGeom.mjGEOM_BOX)
        body.add_geom(
            name=f"{obj.name}:{number}",
            type=part.type,
            size=part.size,
            pos=part.pos,
            quat=part.quat,
            group=COLLISION_GROUP,
            mass=0,
            condim=6 if rolls else 4,
            friction=PLATFORM_FRICTION if obj.platform else FRICTION,
            solref=SOLREF,
            solimp=SOLIMP,
        )
    return body


def _look(obj: ObjectSpec) -> tuple[Mesh, NDArray[np.uint8]]:
    """What is drawn of an object: its mesh and its texture."""
    if obj.assembly is not None:
        return obj.assembly.mesh, obj.assembly.pixels
    if obj.label is None:
        raise ValueError(f"{obj.name} has no label")
    return _mesh(obj.kind, obj.size), paint(obj.label, _LOOKS[obj.kind][1])


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
    add_texture(spec, name, pixels)
    material = spec.add_material(name=name, specular=0.1, shininess=0.2)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name
