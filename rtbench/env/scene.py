"""A scene: counters, drawers and a room around the robot, compiled with all its objects into one model.

One model serves every episode of a scene: objects that an episode does not use are parked asleep far
outside the room. A new model for each set of objects would cost a compilation and an upload of meshes to the
renderer, some 200 ms an episode.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

import mujoco
import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict

from rtbench.content import Entry, read_folder
from rtbench.env import label
from rtbench.env.bake import robot_path
from rtbench.env.object import VISUAL_GROUP, ObjectSpec, add_object, load_objects
from rtbench.errors import UnknownNameError, nearest
from rtbench.world import Region

FOLDER = "envs/scenes"
TIMESTEP = 1 / 240
"""[s]. RT-1's control period of a third of a second is then exactly 80 steps."""
ARM_AHEAD = 0.20
"""The arm stands this far [m] before the wheels' centre, the origin of the base frame."""
ARM_TO_COUNTER = 0.50
"""Distance [m] from the arm's axis to the counter's front edge at a station."""
DRAWER_SIZE = (0.30, 0.40, 0.11)
"""Depth, width and height of a drawer's front and box [m]."""
DRAWER_TRAVEL = 0.26
"""[m]."""
HANDLE_OFFSET = 0.050
"""Distance of the handle's bar from the drawer's front [m]: closed fingers fit behind it, leaning."""
HANDLE_RADIUS = 0.007
WALL = 0.012
"""Thickness of a drawer's walls [m]."""
HEAD_CAMERA = (0.24, 0.62, 1.62)
"""Head camera in the base frame [m]: from a mast beside the arm, so that the arm hides little."""
HEAD_TARGET = (0.78, -0.06, 0.76)
"""Point in the base frame that the head camera looks at [m]."""
HEAD_FOVY = 46.0
STATIC_FRICTION = (0.9, 0.01, 0.002)


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _known_texture(name: str) -> str:
    if name not in label.TEXTURES:
        close = nearest(name, label.TEXTURES)
        hint = f"; did you mean {close!r}?" if close else ""
        raise ValueError(f"unknown texture {name!r}{hint} Known: {', '.join(sorted(label.TEXTURES))}")
    return name


Texture = Annotated[str, AfterValidator(_known_texture)]
"""Name of a texture of `rtbench.env.label`; the file and the key are named where it is unknown."""


class FloorSpec(_Model):
    """The room's floor; walls stand on its edges behind the counters."""

    low: tuple[float, float]
    """Corner [m]."""
    high: tuple[float, float]
    """Opposite corner [m]."""
    texture: Texture


class CounterSpec(_Model):
    """A counter; its own frame has the origin below the middle of the front edge, x into the counter."""

    origin: tuple[float, float]
    """[m], world."""
    yaw: float
    """Degrees."""
    size: tuple[float, float, float]
    """Depth, width and height of the top [m]."""
    texture: Texture
    """Of the top."""
    front: Texture
    """Texture of the cabinet below."""


class DrawerSpec(_Model):
    """A drawer in a counter's front."""

    counter: str
    """The counter it belongs to."""
    left: float
    """y of its middle in the counter's frame [m]."""
    height: float
    """Height of its front's middle above the floor [m]."""


class Rectangle(_Model):
    """A rectangle in a counter's frame [m]."""

    low: tuple[float, float]
    high: tuple[float, float]


class SceneSpec(Entry):
    """One scene, as written in envs/scenes/*.yaml."""

    floor: FloorSpec
    counters: dict[str, CounterSpec]
    drawers: dict[str, DrawerSpec]
    workspace: Rectangle
    """Where objects are put on a counter, within the arm's reach."""
    objects: tuple[str, ...]
    """All objects that episodes in this scene may use."""


@dataclass(frozen=True)
class Scene:
    """A compiled scene."""

    spec: SceneSpec
    model: mujoco.MjModel
    objects: dict[str, ObjectSpec]
    """Objects of the scene by name."""

    def counter_region(self, name: str) -> Region:
        """Top face of a counter."""
        counter = self.spec.counters[name]
        depth, width, height = counter.size
        x, y = self.to_world(name, depth / 2, 0.0)
        return Region(
            np.array([x, y, height]), np.array([depth / 2, width / 2, 0.0]), math.radians(counter.yaw)
        )

    def to_world(self, counter: str, x: float, y: float) -> NDArray[np.float64]:
        """A point of a counter's frame in the world, float64[2] [m]."""
        spec = self.spec.counters[counter]
        c, s = math.cos(math.radians(spec.yaw)), math.sin(math.radians(spec.yaw))
        return np.array([spec.origin[0] + c * x - s * y, spec.origin[1] + s * x + c * y])

    def station(self, counter: str) -> NDArray[np.float64]:
        """Where the base stands before a counter: x, y [m], yaw [rad], float64[3]."""
        if counter not in self.spec.counters:
            raise UnknownNameError("station", counter, self.spec.counters)
        x, y = self.to_world(counter, -ARM_TO_COUNTER - ARM_AHEAD, 0.0)
        return np.array([x, y, math.radians(self.spec.counters[counter].yaw)])


def scene_specs(extra: Sequence[Path] = ()) -> dict[str, SceneSpec]:
    """All scenes by name."""
    return read_folder(FOLDER, SceneSpec, extra)


@cache
def load_scene(name: str, extra: tuple[Path, ...] = ()) -> Scene:
    """The compiled scene of that name; compiled once in a process."""
    specs = scene_specs(extra)
    if name not in specs:
        raise UnknownNameError("scene", name, specs)
    catalogue = load_objects(extra)
    spec = specs[name]
    missing = [o for o in spec.objects if o not in catalogue]
    if missing:
        raise UnknownNameError("object", missing[0], catalogue, where=f"scene {name}")
    objects = {o: catalogue[o] for o in spec.objects}
    return Scene(spec, build(spec, objects).compile(), objects)


def build(spec: SceneSpec, objects: dict[str, ObjectSpec]) -> mujoco.MjSpec:
    """The scene under construction, robot and objects in it."""
    world = mujoco.MjSpec.from_file(str(robot_path()))
    _set_options(world)
    _add_room(world, spec)
    for name, counter in spec.counters.items():
        _add_counter(world, name, counter, [d for d in spec.drawers.values() if d.counter == name])
    for name, drawer in spec.drawers.items():
        _add_drawer(world, name, drawer, spec.counters[drawer.counter])
    for index, obj in enumerate(objects.values()):
        body = add_object(world, obj)
        body.pos = parking(index)
    _add_head_camera(world)
    return world


def parking(index: int) -> tuple[float, float, float]:
    """Where the object of that index waits, asleep in mid-air, while it is not in use [m]."""
    return (0.4 * index - 6.0, 12.0, 1.0)


def _set_options(world: mujoco.MjSpec) -> None:
    world.option.timestep = TIMESTEP
    # Explicit: implicit damping changes velocities after the contact solver has matched them, so that
    # whatever the hand carries slides, 3 cm in ten steps with implicitfast, 0.3 mm so (2026-11-21).
    world.option.integrator = mujoco.mjtIntegrator.mjINT_EULER
    world.option.disableflags |= mujoco.mjtDisableBit.mjDSBL_EULERDAMP
    world.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    world.option.impratio = 10
    # MuJoCo 4.0.0 factors sparse Hessians wrongly (mujoco#3767; 4.0.1 mends it, `mujoco` ships 4.0.0).
    world.option.jacobian = mujoco.mjtJacobian.mjJAC_DENSE
    world.option.enableflags |= mujoco.mjtEnableBit.mjENBL_SLEEP
    world.visual.global_.offwidth, world.visual.global_.offheight = 640, 512
    world.visual.headlight.ambient = [0.42, 0.42, 0.42]
    world.visual.headlight.diffuse = [0.30, 0.30, 0.30]
    world.visual.headlight.specular = [0.05, 0.05, 0.05]
    world.visual.map.znear, world.visual.map.zfar = 0.02, 20
    world.stat.extent, world.stat.center = 1.0, [0.5, 0.0, 0.8]


def _add_texture(world: mujoco.MjSpec, name: str, repeat: tuple[float, float]) -> str:
    """A material with one of our drawn textures, repeated so many times a metre; its name."""
    material = f"{name}:material"
    if world.material(material) is None:
        pixels = label.texture(name)
        texture = world.add_texture(
            name=name,
            type=mujoco.mjtTexture.mjTEXTURE_2D,
            height=pixels.shape[0],
            width=pixels.shape[1],
            nchannel=3,
        )
        texture.data = pixels.tobytes()
        made = world.add_material(
            name=material, texuniform=True, texrepeat=repeat, specular=0.1, shininess=0.1
        )
        made.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name
    return material


def _add_room(world: mujoco.MjSpec, spec: SceneSpec) -> None:
    low, high = np.array(spec.floor.low), np.array(spec.floor.high)
    middle, half = (low + high) / 2, (high - low) / 2
    world.worldbody.add_geom(
        name="floor", type=mujoco.mjtGeom.mjGEOM_PLANE, pos=[*middle, 0], size=[*half, 0.1],
        material=_add_texture(world, spec.floor.texture, (1.0, 1.0)), group=VISUAL_GROUP,
        friction=STATIC_FRICTION,
    )  # fmt: skip
    wall = _add_texture(world, "plaster", (1.0, 1.0))
    for name, pos, size in (
        ("east_wall", [high[0] + 0.05, middle[1], 1.25], [0.05, half[1], 1.25]),
        ("south_wall", [middle[0], low[1] - 0.05, 1.25], [half[0], 0.05, 1.25]),
    ):
        world.worldbody.add_geom(
            name=name, type=mujoco.mjtGeom.mjGEOM_BOX, pos=pos, size=size, material=wall, group=VISUAL_GROUP
        )
    world.worldbody.add_light(
        name="ceiling", type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL, pos=[0, 0, 2.5], dir=[0.25, 0.3, -1.0],
        diffuse=[0.42, 0.42, 0.40], specular=[0.1, 0.1, 0.1], castshadow=True,
    )  # fmt: skip


def _frame(counter: CounterSpec) -> tuple[list[float], list[float]]:
    half = math.radians(counter.yaw) / 2
    return [*counter.origin, 0.0], [math.cos(half), 0.0, 0.0, math.sin(half)]


def _add_counter(world: mujoco.MjSpec, name: str, counter: CounterSpec, drawers: list[DrawerSpec]) -> None:
    """The top, and a cabinet below with a niche where the drawers are."""
    depth, width, height = counter.size
    pos, quat = _frame(counter)
    body = world.worldbody.add_body(name=name, pos=pos, quat=quat)
    front = _add_texture(world, counter.front, (1.5, 1.5))
    box = mujoco.mjtGeom.mjGEOM_BOX
    body.add_geom(
        name=name, type=box, pos=[depth / 2, 0, height - 0.02], size=[depth / 2, width / 2, 0.02],
        material=_add_texture(world, counter.texture, (2.0, 2.0)), group=VISUAL_GROUP,
        friction=STATIC_FRICTION,
    )  # fmt: skip
    top = height - 0.04
    blocks = [(-width / 2, width / 2, 0.0, top, 0.02)]
    if drawers:
        left, half = drawers[0].left, DRAWER_SIZE[1] / 2 + 0.005
        low = min(d.height for d in drawers) - DRAWER_SIZE[2] / 2 - 0.005
        blocks = [
            (-width / 2, left - half, 0.0, top, 0.02),
            (left + half, width / 2, 0.0, top, 0.02),
            (left - half, left + half, 0.0, low, 0.02),
            (left - half, left + half, low, top, 0.02 + DRAWER_SIZE[0] + 0.01),
        ]
    for index, (y0, y1, z0, z1, x0) in enumerate(blocks):
        body.add_geom(
            name=f"{name}:cabinet{index}", type=box, material=front, group=VISUAL_GROUP,
            pos=[(x0 + depth) / 2, (y0 + y1) / 2, (z0 + z1) / 2],
            size=[(depth - x0) / 2, (y1 - y0) / 2, (z1 - z0) / 2],
        )  # fmt: skip


def _add_drawer(world: mujoco.MjSpec, name: str, drawer: DrawerSpec, counter: CounterSpec) -> None:
    """A box that slides out along the counter's -x, with a bar handle; origin in the middle of its front."""
    depth, width, height = DRAWER_SIZE
    pos, quat = _frame(counter)
    c, s = math.cos(math.radians(counter.yaw)), math.sin(math.radians(counter.yaw))
    origin = [pos[0] - s * drawer.left + c * 0.0, pos[1] + c * drawer.left + s * 0.0, drawer.height]
    body = world.worldbody.add_body(name=name, pos=origin, quat=quat)
    body.add_joint(
        name=name, type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[-1, 0, 0], range=[0, DRAWER_TRAVEL],
        frictionloss=2.0, damping=np.array([6.0, 0, 0]), armature=0.2,
    )  # fmt: skip
    box, wood, inside = (
        mujoco.mjtGeom.mjGEOM_BOX,
        _add_texture(world, "wood", (2.0, 2.0)),
        [0.82, 0.80, 0.76, 1],
    )
    x = 0.02 + depth / 2  # the box behind the 2 cm thick front
    floor = -height / 2 + 0.004
    walls = 0.7 * height
    parts = (
        ("front", [0.01, 0, 0], [0.01, width / 2 - 0.003, height / 2 - 0.003]),
        ("floor", [x, 0, floor + WALL / 2], [depth / 2, width / 2 - 0.012, WALL / 2]),
        ("left", [x, width / 2 - 0.018, floor + walls / 2], [depth / 2, WALL / 2, walls / 2]),
        ("right", [x, -width / 2 + 0.018, floor + walls / 2], [depth / 2, WALL / 2, walls / 2]),
        ("back", [0.02 + depth - WALL / 2, 0, floor + walls / 2], [WALL / 2, width / 2 - 0.012, walls / 2]),
    )
    for part, where, size in parts:
        look = {"material": wood} if part == "front" else {"rgba": inside}
        body.add_geom(
            name=f"{name}:{part}", type=box, pos=where, size=size, group=VISUAL_GROUP, mass=0.35,
            friction=STATIC_FRICTION, **look,
        )  # fmt: skip
    capsule, steel = mujoco.mjtGeom.mjGEOM_CAPSULE, [0.22, 0.22, 0.24, 1]
    bar = 0.075
    body.add_geom(
        name=f"{name}:handle", type=capsule, fromto=[-HANDLE_OFFSET, -bar, 0, -HANDLE_OFFSET, bar, 0],
        size=[HANDLE_RADIUS, 0, 0], rgba=steel, group=VISUAL_GROUP, mass=0.08, friction=[1.0, 0.01, 0.001],
    )  # fmt: skip
    for side in (-bar, bar):
        body.add_geom(
            type=capsule, fromto=[-HANDLE_OFFSET, side, 0, 0, side, 0], size=[HANDLE_RADIUS, 0, 0],
            rgba=steel, group=VISUAL_GROUP, mass=0.02,
        )  # fmt: skip


def _add_head_camera(world: mujoco.MjSpec) -> None:
    """The head camera and the mast that carries it."""
    base = world.body("base")
    position, target = np.array(HEAD_CAMERA), np.array(HEAD_TARGET)
    back = (position - target) / np.linalg.norm(position - target)
    right = np.cross([0.0, 0.0, 1.0], back)
    right /= np.linalg.norm(right)
    quaternion = np.zeros(4)
    mujoco.mju_mat2Quat(quaternion, np.stack([right, np.cross(back, right), back], axis=1).flatten())
    base.add_camera(name="head", pos=position, quat=np.round(quaternion, 9), fovy=HEAD_FOVY)
    knee, top = [-0.10, 0.22, 0.36], [-0.10, 0.22, position[2] + 0.06]
    look = {"type": mujoco.mjtGeom.mjGEOM_CAPSULE, "rgba": [0.25, 0.25, 0.27, 1], "group": VISUAL_GROUP,
            "contype": 0, "conaffinity": 0, "mass": 0}  # fmt: skip
    base.add_geom(name="mast", fromto=[*knee, *top], size=[0.02, 0, 0], **look)
    base.add_geom(
        name="boom",
        fromto=[*top, position[0] - 0.03, position[1], position[2] + 0.06],
        size=[0.015, 0, 0],
        **look,
    )
