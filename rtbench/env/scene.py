"""A scene: counters, what is fixed to them and a room, compiled with robot and objects into one model.

A model holds all objects of the sets that an episode uses: those that it does not are parked asleep far
outside the room. A new model for each episode would cost a compilation and an upload of meshes to the
renderer, some 300 ms; one with all objects there are would make each step slower.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import mujoco
import numpy as np
from numpy.typing import NDArray

from rtbench.core.episode import DEFAULT_ROBOT
from rtbench.core.errors import UnknownNameError
from rtbench.core.vector import length
from rtbench.core.world import Region
from rtbench.env.fixture import add_counter, add_drawer, add_sink
from rtbench.env.material import add_materials
from rtbench.env.object import VISUAL_GROUP, add_object
from rtbench.env.robot_model import robot_spec
from rtbench.env.room import add_ornament, add_room
from rtbench.task.library import BUNDLED, Library
from rtbench.task.object_entry import ObjectEntry
from rtbench.task.robot_entry import CameraEntry, RobotEntry
from rtbench.task.scene_entry import FRONT, WALL, DrawerEntry, SceneEntry

TIMESTEP = 1 / 240
"""[s]. RT-1's control period of a third of a second is then exactly 80 steps."""
MODELS = 8
"""Compiled scenes kept in a process."""
PARKED_IN_A_ROW = 24


@dataclass(frozen=True)
class Scene:
    """A compiled scene."""

    spec: SceneEntry
    model: mujoco.MjModel
    objects: dict[str, ObjectEntry]
    """Objects of the model by name."""
    robot: RobotEntry
    """The robot in it."""

    def counter_region(self, name: str) -> Region:
        """Top face of a counter."""
        counter = self.spec.counters[name]
        depth, width, height = counter.size
        return self._region(name, (0.0, depth), (-width / 2, width / 2), (height, height))

    def drawer_inside(self, name: str, opening: float) -> Region:
        """The whole inside of a drawer's box, which is drawn out by `opening` [m]."""
        drawer = self._drawer(name)
        depth, width, _ = drawer.size
        out = FRONT - opening
        y = (drawer.left - width / 2 + 2 * WALL, drawer.left + width / 2 - 2 * WALL)
        return self._region(drawer.counter, (out, out + depth - WALL), y, self._drawer_height(drawer))

    def drawer_drawn(self, name: str, opening: float) -> Region:
        """The part of a drawer's inside that is before the counter's front, with that opening [m].

        It is 1 cm deep where nothing is, for a drawer that is shut.
        """
        drawer = self._drawer(name)
        depth, width, _ = drawer.size
        out = FRONT - min(opening, depth)
        y = (drawer.left - width / 2 + 2 * WALL, drawer.left + width / 2 - 2 * WALL)
        return self._region(drawer.counter, (out, max(out + 0.01, 0.0)), y, self._drawer_height(drawer))

    def sink_region(self, name: str) -> Region:
        """Inside of a sink's basin, from its floor to the counter's top."""
        if name not in self.spec.sinks:
            raise UnknownNameError("sink", name, self.spec.sinks)
        sink = self.spec.sinks[name]
        (x0, y0), (x1, y1) = sink.low, sink.high
        height = self.spec.counters[sink.counter].size[2]
        return self._region(sink.counter, (x0, x1), (y0, y1), (height - sink.depth, height))

    def _drawer(self, name: str) -> DrawerEntry:
        if name not in self.spec.drawers:
            raise UnknownNameError("drawer", name, self.spec.drawers)
        return self.spec.drawers[name]

    @staticmethod
    def _drawer_height(drawer: DrawerEntry) -> tuple[float, float]:
        bottom = drawer.height - drawer.size[2] / 2 + 0.004
        return bottom + WALL, bottom + 0.7 * drawer.size[2]

    def _region(
        self, counter: str, x: tuple[float, float], y: tuple[float, float], z: tuple[float, float]
    ) -> Region:
        """A box in a counter's frame, from edge to edge [m]."""
        middle = self.to_world(counter, sum(x) / 2, sum(y) / 2)
        half = np.array([x[1] - x[0], y[1] - y[0], z[1] - z[0]]) / 2
        yaw = math.radians(self.spec.counters[counter].yaw)
        return Region(np.array([*middle, sum(z) / 2]), half, yaw)

    def to_world(self, counter: str, x: float, y: float) -> NDArray[np.float64]:
        """A point of a counter's frame in the world, float64[2] [m]."""
        spec = self.spec.counters[counter]
        c, s = math.cos(math.radians(spec.yaw)), math.sin(math.radians(spec.yaw))
        return np.array([spec.origin[0] + c * x - s * y, spec.origin[1] + s * x + c * y])

    def to_counter(self, counter: str, point: NDArray[np.float64]) -> NDArray[np.float64]:
        """A point of the world, float64[2] or [3], in a counter's frame, float64[2] [m]."""
        spec = self.spec.counters[counter]
        c, s = math.cos(math.radians(spec.yaw)), math.sin(math.radians(spec.yaw))
        x, y = point[0] - spec.origin[0], point[1] - spec.origin[1]
        return np.array([c * x + s * y, c * y - s * x])

    def station(self, counter: str) -> NDArray[np.float64]:
        """Where the base stands before a counter: x, y [m], yaw [rad], float64[3]."""
        if counter not in self.spec.counters:
            raise UnknownNameError("station", counter, self.spec.counters)
        base = self.robot.base
        x, y = self.to_world(counter, -base.to_counter - base.ahead, base.aside)
        return np.array([x, y, math.radians(self.spec.counters[counter].yaw)])


def object_sets(names: Iterable[str], library: Library = BUNDLED) -> tuple[str, ...]:
    """The sets that those objects belong to, sorted: what `load_scene` wants to know of an episode.

    Raises:
        UnknownNameError: an object that does not exist.
    """
    catalogue = library.things()
    for name in names:
        if name not in catalogue:
            raise UnknownNameError("object", name, catalogue)
    return tuple(sorted({catalogue[name].set for name in names}))


@lru_cache(maxsize=MODELS)
def load_scene(
    name: str, sets: tuple[str, ...], library: Library = BUNDLED, robot: str = DEFAULT_ROBOT
) -> Scene:
    """The scene of that name with all objects of some sets; the last `MODELS` are kept.

    Args:
        name: Of the scene.
        sets: Sets of objects, sorted, as `object_sets` gives them.
        library: Where both are read from.
        robot: Name of the robot in it.

    Raises:
        UnknownNameError: a scene, a set or a robot that does not exist.
        RobotError: the robot's own model cannot be found or read.
    """
    specs = library.scenes()
    if name not in specs:
        raise UnknownNameError("scene", name, specs)
    catalogue = library.things()
    known = {obj.set for obj in catalogue.values()}
    for wanted in sets:
        if wanted not in known:
            raise UnknownNameError("set of objects", wanted, known, where=f"scene {name}")
    objects = {o: spec for o, spec in catalogue.items() if spec.set in sets}
    entry = library.robot(robot)
    return Scene(specs[name], build(specs[name], objects, entry).compile(), objects, entry)


def build(spec: SceneEntry, objects: dict[str, ObjectEntry], robot: RobotEntry) -> mujoco.MjSpec:
    """The scene under construction, robot and objects in it."""
    world = robot_spec(robot)
    set_options(world)
    add_materials(world)
    add_room(world, spec.floor)
    for name, counter in spec.counters.items():
        drawers = [d for d in spec.drawers.values() if d.counter == name]
        add_counter(world, name, counter, drawers, [s for s in spec.sinks.values() if s.counter == name])
    for name, drawer in spec.drawers.items():
        add_drawer(world, name, drawer, spec.counters[drawer.counter])
    for name, sink in spec.sinks.items():
        add_sink(world, name, sink, spec.counters[sink.counter])
    for name, ornament in spec.ornaments.items():
        add_ornament(world, name, ornament, spec.counters[ornament.counter])
    for index, obj in enumerate(objects.values()):
        body = add_object(world, obj)
        body.pos = parking(index)
    _add_head_camera(world, robot.head)
    return world


def parking(index: int) -> tuple[float, float, float]:
    """Where the object of that index waits, asleep in mid-air, while it is not in use [m]."""
    row, place = divmod(index, PARKED_IN_A_ROW)
    return (0.6 * place - 6.0, 12.0 + 0.6 * row, 1.0)


def set_options(world: mujoco.MjSpec) -> None:
    """Set time step, integrator, contacts and drawing of a model under construction."""
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
    world.visual.map.znear, world.visual.map.zfar = 0.02, 20
    world.stat.extent, world.stat.center = 1.0, [0.5, 0.0, 0.8]


def _add_head_camera(world: mujoco.MjSpec, camera: CameraEntry) -> None:
    """The head camera and, where it has one, the mast that carries it."""
    base = world.body(camera.body)
    position, target = np.array(camera.at), np.array(camera.towards)
    back = (position - target) / length(position - target)
    right = np.cross([0.0, 0.0, 1.0], back)
    right /= length(right)
    quaternion = np.zeros(4)
    mujoco.mju_mat2Quat(quaternion, np.stack([right, np.cross(back, right), back], axis=1).flatten())
    base.add_camera(name="head", pos=position, quat=np.round(quaternion, 9), fovy=camera.fovy)
    if camera.mast is None:
        return
    knee, top = list(camera.mast), [*camera.mast[:2], position[2] + 0.06]
    look = {"type": mujoco.mjtGeom.mjGEOM_CAPSULE, "rgba": [0.25, 0.25, 0.27, 1], "group": VISUAL_GROUP,
            "contype": 0, "conaffinity": 0, "mass": 0}  # fmt: skip
    base.add_geom(name="mast", fromto=[*knee, *top], size=[0.02, 0, 0], **look)
    base.add_geom(
        name="boom",
        fromto=[*top, position[0] - 0.03, position[1], position[2] + 0.06],
        size=[0.015, 0, 0],
        **look,
    )
