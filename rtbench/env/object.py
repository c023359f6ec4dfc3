"""How objects enter a MuJoCo model; `rtbench.task.object_entry` says what they are.

The picture on a mat has its upper edge at +x of its body.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from rtbench.env import mesh
from rtbench.env.composite import compose
from rtbench.env.material import add_texture
from rtbench.env.mesh import Layout, Mesh
from rtbench.env.texture import paint
from rtbench.task.object_entry import ROUND, Kind, ObjectEntry
from rtbench.task.object_shape import BOWL_FLOOR, Form

FRICTION = (0.9, 0.01, 0.002)
"""Sliding [1], torsional [m] and rolling [m] friction. The last stops what rolls at 5 cm/s within 2 mm and
a toppled can at 30 cm/s within 12 cm; with 0.0005 it would roll off the counter."""
PLATFORM_FRICTION = (1.5, 0.02, 0.002)
"""Of mats and plates: what stands on one does not slide off when the counter is bumped."""
SOLREF = (0.01, 1.0)
"""Time constant [s] and damping ratio of contacts. MuJoCo wants at least two steps of 1/240 s."""
SOLIMP = (0.95, 0.99, 0.001, 0.5, 2.0)
VISUAL_GROUP, COLLISION_GROUP = 1, 3

ROLLING = ROUND - {"bowl"}
"""Kinds that roll when they lie on their side, and so need rolling friction (condim 6)."""

_GEOMS: dict[Form, mujoco.mjtGeom] = {
    "box": mujoco.mjtGeom.mjGEOM_BOX,
    "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
    "capsule": mujoco.mjtGeom.mjGEOM_CAPSULE,
    "ellipsoid": mujoco.mjtGeom.mjGEOM_ELLIPSOID,
}
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


def add_object(spec: mujoco.MjSpec, obj: ObjectEntry) -> Any:
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
    center, inertia = (compose(obj.parts) if obj.parts else form).inertia(obj.mass)
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
    for number, part in enumerate(obj.primitives):
        rolls = obj.kind in ROLLING or (obj.kind == "parts" and part.form != "box")
        body.add_geom(
            name=f"{obj.name}:{number}",
            type=_GEOMS[part.form],
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


def _look(obj: ObjectEntry) -> tuple[Mesh, NDArray[np.uint8]]:
    """What is drawn of an object: its mesh and its texture."""
    if obj.parts:
        composite = compose(obj.parts)
        return composite.mesh, composite.pixels
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
