"""The room around the counters: floor, walls, light and ornaments."""

from __future__ import annotations

import math

import mujoco
import numpy as np
from PIL import ImageColor

from rtbench.env.material import material
from rtbench.env.object import VISUAL_GROUP
from rtbench.task.scene_entry import CounterEntry, FloorEntry, OrnamentEntry

LIGHT = "ceiling"
"""Name of the light."""
LIGHT_DIFFUSE = (0.42, 0.42, 0.40)
LIGHT_DIRECTION = (0.25, 0.3, -1.0)
AMBIENT = (0.42, 0.42, 0.42)
"""Light of the headlight, RGB, 0 to 1, on all sides alike."""
FRICTION = (0.9, 0.01, 0.002)
WALL_HEIGHT = 2.5
"""Height of the walls [m]."""


def add_room(world: mujoco.MjSpec, floor: FloorEntry) -> None:
    """Floor, the walls that the camera can see, and light from the ceiling."""
    low, high = np.array(floor.low), np.array(floor.high)
    middle, half, up = (low + high) / 2, (high - low) / 2, WALL_HEIGHT / 2
    world.worldbody.add_geom(
        name="floor", type=mujoco.mjtGeom.mjGEOM_PLANE, pos=[*middle, 0], size=[*half, 0.1],
        material=material("floor", floor.texture), group=VISUAL_GROUP, friction=FRICTION,
    )  # fmt: skip
    walls = {
        "east": ([high[0] + 0.05, middle[1], up], [0.05, half[1], up]),
        "west": ([low[0] - 0.05, middle[1], up], [0.05, half[1], up]),
        "south": ([middle[0], low[1] - 0.05, up], [half[0], 0.05, up]),
        "north": ([middle[0], high[1] + 0.05, up], [half[0], 0.05, up]),
    }
    for side in floor.sides:
        pos, size = walls[side]
        world.worldbody.add_geom(
            name=f"{side}_wall", type=mujoco.mjtGeom.mjGEOM_BOX, pos=pos, size=size,
            material=material("walls", floor.walls), group=VISUAL_GROUP,
        )  # fmt: skip
    world.worldbody.add_light(
        name=LIGHT, type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL, pos=[0, 0, WALL_HEIGHT],
        dir=LIGHT_DIRECTION, diffuse=LIGHT_DIFFUSE, specular=[0.1, 0.1, 0.1], castshadow=True,
    )  # fmt: skip
    world.visual.headlight.ambient = AMBIENT
    world.visual.headlight.diffuse = [0.30, 0.30, 0.30]
    world.visual.headlight.specular = [0.05, 0.05, 0.05]


def add_ornament(world: mujoco.MjSpec, name: str, ornament: OrnamentEntry, counter: CounterEntry) -> None:
    """Add an ornament as an immovable geom of its name."""
    yaw = math.radians(counter.yaw)
    c, s = math.cos(yaw), math.sin(yaw)
    x, y, z = ornament.at
    half = np.array(ornament.size) / 2
    turned = (yaw + math.radians(ornament.yaw)) / 2
    world.worldbody.add_geom(
        name=name,
        type=mujoco.mjtGeom.mjGEOM_BOX if ornament.shape == "box" else mujoco.mjtGeom.mjGEOM_CYLINDER,
        pos=[
            counter.origin[0] + c * x - s * y,
            counter.origin[1] + s * x + c * y,
            counter.size[2] + z + half[-1],
        ],
        quat=[math.cos(turned), 0.0, 0.0, math.sin(turned)],
        size=[*half, *[0.0] * (3 - len(half))],
        rgba=[*(channel / 255 for channel in ImageColor.getrgb(ornament.color)[:3]), 1.0],
        group=VISUAL_GROUP,
    )
