"""Privileged state of a MuJoCo simulation; implements `rtbench.core.world.World`."""

from __future__ import annotations

import math

import mujoco
import numpy as np
from numpy.typing import NDArray

from rtbench.core.errors import UnknownNameError
from rtbench.core.rotation import from_rotation_vector, multiply, rotate, yaw_of
from rtbench.core.vector import length, turned
from rtbench.core.world import Pose, Region
from rtbench.env.scene import Scene
from rtbench.task.predicate import ROBOT
from rtbench.task.robot_entry import BASE_JOINTS, FINGERS

Array = NDArray[np.float64]
TOUCH = 0.0015
"""Surfaces nearer than this [m] touch: sleeping bodies have no contacts in MuJoCo."""

PIECEWISE = frozenset({"parts", "ball", "apple"})
"""Kinds whose bounding box is that of their collision geoms, because they can rest at any tilt."""


class SimWorld:
    """Privileged state of one simulation. It reads `data` at each call and stores predicates' notes alone."""

    def __init__(self, scene: Scene, data: mujoco.MjData) -> None:
        self.scene, self._model, self._data = scene, scene.model, data
        model = scene.model
        self._present: tuple[str, ...] = ()
        self._notes: dict[str, dict[str, float]] = {}
        self._body = {name: model.body(name).id for name in (*scene.objects, *scene.spec.drawers)}
        self._base = [int(model.joint(j).qposadr[0]) for j in BASE_JOINTS]
        self._gripper = scene.robot.gripper
        self._fingers = [int(model.joint(j).qposadr[0]) for j in self._gripper.joints]
        self._site = model.site("grip").id
        self._owner = self._owners()
        self._contact_stamp, self._pairs = -1.0, frozenset[tuple[str, str]]()
        self._geoms = {
            name: [g for g in range(model.ngeom) if self._owner[g] == name and model.geom_contype[g]]
            for name in (*scene.objects, *scene.spec.drawers, *scene.spec.counters)
        }

    def _owners(self) -> list[str]:
        """Name that each geom's contacts count for."""
        model, spec = self._model, self.scene.spec
        known = {name: name for name in (*self.scene.objects, *spec.drawers, *spec.counters)}
        known |= {body: finger for finger, bodies in self._gripper.fingers.items() for body in bodies}
        robot = model.body(self.scene.robot.base.body).id
        owners = []
        for geom in range(model.ngeom):
            body = model.geom_bodyid[geom]
            name = model.body(body).name
            other = ROBOT if model.body_rootid[body] == robot else "room"
            owners.append(known.get(name, other))
        return owners

    def set_present(self, names: tuple[str, ...]) -> None:
        """Set the objects that the episode uses."""
        self._present, self._notes = names, {}
        self._contact_stamp = -1.0  # contacts of the episode before do not count

    def names(self) -> tuple[str, ...]:
        """Objects present, in episode order."""
        return self._present

    def pose(self, name: str) -> Pose:
        """Pose of an object or drawer in the world frame."""
        body = self._id(name)
        return Pose(self._data.xpos[body].copy(), self._data.xquat[body].copy())

    def speed(self, name: str) -> float:
        """Speed of the fastest surface point, about |v| + radius |w| [m/s]."""
        if name in self.scene.spec.drawers:
            return abs(float(self._data.joint(name).qvel[0]))
        self._id(name)
        velocity = self._data.joint(f"{name}:free").qvel
        radius = length(self.scene.objects[name].half)
        return float(length(velocity[:3]) + radius * length(velocity[3:]))

    def asleep(self, name: str) -> bool:
        """Whether MuJoCo has put an object to sleep: it lies still and the robot does not touch it."""
        return bool(self._data.tree_asleep[self._model.body_treeid[self._id(name)]] >= 0)

    def box(self, name: str) -> tuple[Array, Array]:
        """World-aligned bounding box (low, high corner) of an object, float64[3] each [m].

        Exact at any tilt: of round things that of their cylinder, of boxes and bags that of their block.
        """
        body = self._id(name)
        obj = self.scene.objects[name]
        if obj.kind in PIECEWISE:
            lows, highs = zip(*(self._reach(geom) for geom in self._geoms[name]), strict=True)
            return np.min(lows, axis=0), np.max(highs, axis=0)
        rotation = np.abs(self._data.xmat[body].reshape(3, 3))
        half = obj.half
        if obj.round:
            axis = rotation[:, 2]
            reach = half[2] * axis + half[0] * np.sqrt(np.maximum(0.0, 1.0 - axis**2))
        else:
            reach = turned(rotation, half)
        return self._data.xpos[body] - reach, self._data.xpos[body] + reach

    def _reach(self, geom: int) -> tuple[Array, Array]:
        """World-aligned bounding box of one collision geom."""
        rotation = np.abs(self._data.geom_xmat[geom].reshape(3, 3))
        size, kind = self._model.geom_size[geom], self._model.geom_type[geom]
        if kind == mujoco.mjtGeom.mjGEOM_BOX:
            reach = turned(rotation, size)
        elif kind == mujoco.mjtGeom.mjGEOM_ELLIPSOID:
            reach = np.sqrt(turned(rotation**2, size**2))
        else:  # a cylinder, or a capsule with its round ends
            axis = rotation[:, 2]
            flat = 1.0 if kind == mujoco.mjtGeom.mjGEOM_CAPSULE else np.sqrt(np.maximum(0.0, 1.0 - axis**2))
            reach = size[1] * axis + size[0] * flat
        return self._data.geom_xpos[geom] - reach, self._data.geom_xpos[geom] + reach

    def touching(self, a: str, b: str) -> bool:
        """Whether two named bodies are in contact; 'robot' includes the fingers."""
        for x in FINGERS if a == ROBOT else ():
            if self.touching(x, b):
                return True
        for x in FINGERS if b == ROBOT else ():
            if self.touching(a, x):
                return True
        pairs = self._contacts()
        if (a, b) in pairs or (b, a) in pairs:
            return True
        # A sleeping body, or one that rests without a gap, has no contact in MuJoCo.
        return a in self._geoms and b in self._geoms and self.distance(a, b) < TOUCH

    def distance(self, a: str, b: str, most: float = 0.05) -> float:
        """Smallest distance between the surfaces of two named bodies [m], at most `most` [m]."""
        ends = np.zeros(6)
        return min(
            (mujoco.mj_geomDistance(self._model, self._data, g, h, most, ends)
             for g in self._geoms[a] for h in self._geoms[b]),
            default=most,
        )  # fmt: skip

    def held(self, name: str) -> bool:
        """Whether both fingers press on the object from its two sides, not both from the same."""
        least, most = self._gripper.holds
        if not least <= self.gripper_opening() <= most:
            return False
        pairs = self._contacts()
        return all((f, name) in pairs or (name, f) in pairs for f in FINGERS)

    def touched(self) -> frozenset[str]:
        """Names of objects and drawers that the robot touches."""
        robot = {ROBOT, *FINGERS}
        names = {b for a, b in self._contacts() if a in robot} | {
            a for a, b in self._contacts() if b in robot
        }
        return frozenset(names & {*self._present, *self.scene.spec.drawers})

    def foreground(self) -> list[int]:
        """Geoms of the robot, of objects and of drawers: all but counters and room."""
        behind = {"room", *self.scene.spec.counters}
        return [geom for geom, owner in enumerate(self._owner) if owner not in behind]

    def bumping(self) -> frozenset[str]:
        """Counters and walls that the robot's body, not its fingers, runs into."""
        pairs = self._contacts()
        names = {b for a, b in pairs if a == ROBOT} | {a for a, b in pairs if b == ROBOT}
        return frozenset(names & {*self.scene.spec.counters, "room"})

    def opening(self, drawer: str) -> float:
        """Distance by which a drawer is drawn out [m]."""
        if drawer not in self.scene.spec.drawers:
            raise UnknownNameError("drawer", drawer, self.scene.spec.drawers)
        return float(self._data.joint(drawer).qpos[0])

    def surfaces(self) -> tuple[str, ...]:
        """All counters, then the platforms present."""
        return (*self.scene.spec.counters, *(o for o in self._present if self.scene.objects[o].platform))

    def surface(self, name: str) -> Region:
        """Top face of a counter or of a platform, such as a mat, that is present."""
        if name in self.scene.spec.counters:
            return self.scene.counter_region(name)
        if name not in self.surfaces():
            raise UnknownNameError("surface", name, self.surfaces())
        obj, pose = self.scene.objects[name], self.pose(name)
        up = rotate(pose.quaternion, [0.0, 0.0, 1.0])
        return Region(
            pose.position + obj.half[2] * up,
            np.array([*obj.half[:2], 0.0]),
            yaw_of(pose.quaternion),
            round=obj.round,
        )

    def counter(self, name: str) -> str:
        """The counter that an object stands on, or is nearest to."""
        x, y, _ = self._data.xpos[self._id(name)]

        def gap(counter: str) -> float:
            region = self.scene.counter_region(counter)
            local = region.local(np.array([x, y, 0.0]))
            return length(np.maximum(np.abs(local[:2]) - region.half[:2], 0.0))

        return min(self.scene.spec.counters, key=gap)

    def cavity(self, name: str) -> Region:
        """Inside of a bowl, drawer or sink. A drawer's whole inside counts, open or shut."""
        if name in self.scene.spec.drawers:
            return self.scene.drawer_inside(name, self.opening(name))
        if name in self.scene.spec.sinks:
            return self.scene.sink_region(name)
        self._id(name)
        hollow = self.scene.objects[name].cavity
        if hollow is None:
            bowls = [o for o in self._present if self.scene.objects[o].cavity]
            known = (*bowls, *self.scene.spec.drawers, *self.scene.spec.sinks)
            raise UnknownNameError("receptacle", name, known)
        height = (hollow.rim - hollow.floor) / 2
        middle = np.array([0.0, 0.0, (hollow.rim + hollow.floor) / 2])
        center = self._data.xpos[self._id(name)] + turned(
            self._data.xmat[self._id(name)].reshape(3, 3), middle
        )
        return Region(center, np.array([hollow.radius, hollow.radius, height]), round=True)

    def drawn_out(self, drawer: str) -> Region:
        """Drawn-out part of a drawer's inside, in front of the counter, which a hand can reach into."""
        return self.scene.drawer_drawn(drawer, self.opening(drawer))

    def base(self) -> Array:
        """Pose of the base, float64[3]: x, y [m], yaw [rad], world frame."""
        pose: Array = self._data.qpos[self._base].copy()
        return pose

    def station(self, name: str) -> Array:
        """Base pose in front of a counter, float64[3]: x, y [m], yaw [rad], world frame."""
        return self.scene.station(name)

    def gripper(self) -> Pose:
        """Pose of the point between the fingertips in the world."""
        quaternion = np.empty(4)
        mujoco.mju_mat2Quat(quaternion, self._data.site_xmat[self._site])
        return Pose(self._data.site_xpos[self._site].copy(), quaternion)

    def gripper_opening(self) -> float:
        """Distance between the finger pads [m]."""
        return self._gripper.opening(self._data.qpos[self._fingers].tolist())

    def notes(self, leaf: str) -> dict[str, float]:
        """What a predicate with a memory keeps since the episode's objects were set."""
        return self._notes.setdefault(leaf, {})

    def to_base(self, pose: Pose) -> Pose:
        """A pose of the world frame, expressed in the base frame."""
        x, y, yaw = self._data.qpos[self._base].tolist()
        c, s = math.cos(yaw), math.sin(yaw)
        forward, left, up = pose.position.tolist()
        forward, left = forward - x, left - y
        position = np.array([c * forward + s * left, -s * forward + c * left, up])
        return Pose(position, multiply(from_rotation_vector([0, 0, -yaw]), pose.quaternion))

    def _id(self, name: str) -> int:
        try:
            return int(self._body[name])
        except KeyError:
            raise UnknownNameError("object", name, self._present) from None

    def _contacts(self) -> frozenset[tuple[str, str]]:
        if self._contact_stamp != self._data.time:
            contacts, owner = self._data.contact, self._owner
            found = zip(contacts.geom.tolist(), contacts.dist.tolist(), strict=True)
            self._pairs = frozenset([(owner[a], owner[b]) for (a, b), gap in found if gap < TOUCH])
            self._contact_stamp = self._data.time
        return self._pairs
