"""Puts an episode's objects where it starts, by seed.

Rejection sampling with discs: an object is put down where the discs that cover its footprint, one for round
things and three in a row for long ones, leave room for a gripper's finger beside all others.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtbench.env.object import Cavity, ObjectSpec
from rtbench.env.scene import ARM_TO_COUNTER, Scene
from rtbench.errors import PlacementError
from rtbench.geometry import about_z, multiply
from rtbench.spec import Episode
from rtbench.task import Task
from rtbench.world import Pose, Region

FINGER_ROOM = 0.034
"""Free distance between two objects' footprints [m]: a finger (2.6 cm) and a little more."""
EDGE = 0.005
"""Least distance of an object from the counter's front edge [m]."""
LONG = 1.5
"""Footprints with a larger ratio of length to width are covered by three discs."""
HAND_ROOM = 0.075
"""Free distance [m] between a low target and something that towers over it: the hand is 20 cm wide."""
PALM = 0.04
"""What stands higher than its neighbour by more than this [m] is in the way of the palm."""
TRIES = 400
REACH = 0.735
"""Farthest an object may be from the arm's axis [m]: 3 cm short of where a downward gripper gets to."""
NEAR = 0.12
"""Least distance between the footprints of objects that must not start near each other [m]."""
DROP = 0.001
"""Objects start this far above what they rest on [m]."""
HANDLES = 0.112
"""Depth before the counter's front in which the handles above an open drawer are in the hand's way [m]."""
LYING = np.array([math.sqrt(0.5), 0.0, math.sqrt(0.5), 0.0])
"""Turned by 90 degrees about y: the object's z axis lies along x."""


@dataclass(frozen=True)
class _Disc:
    name: str
    center: tuple[float, float]
    radius: float
    height: float


class Placer:
    """Draws poses for one episode: the task's own objects from one generator, distractors from another."""

    def __init__(
        self, scene: Scene, task: Task, targets: np.random.Generator, distractors: np.random.Generator
    ) -> None:
        self._scene, self._task = scene, task
        self._rng, self._others = targets, distractors
        self._discs: list[_Disc] = []

    def place(self, episode: Episode, cavities: dict[str, Region]) -> dict[str, Pose]:
        """Poses of all the episode's objects in the world.

        Args:
            episode: What to place: task objects first, so that distractors do not move them.
            cavities: Insides of the drawers as they are at the start.

        Raises:
            PlacementError: an object finds no room; says which and how much was needed.
        """
        poses: dict[str, Pose] = {}
        start = self._task.start
        inside = {o: where for o, where in start.place.items() if where not in self._scene.spec.counters}
        targets = [o for o in episode.objects if o in self._task.objects]
        for name in (o for o in targets if o not in inside):
            poses[name] = self._on_counter(name, start.place.get(name, start.station))
        for name in (o for o in targets if o in inside):
            poses[name] = self._inside(name, inside[name], poses, cavities)
        self._rng = self._others
        for name in (o for o in episode.objects if o not in poses):
            poses[name] = self._on_counter(name, start.station)
        return poses

    def _on_counter(self, name: str, counter: str) -> Pose:
        obj = self._scene.objects[name]
        lying = name in self._task.start.lying
        radius = float(np.hypot(obj.half[0], obj.half[2])) if lying else obj.radius
        low, high = np.array(self._scene.spec.workspace.low), np.array(self._scene.spec.workspace.high)
        for _ in range(TRIES):
            local = self._rng.uniform(low, high)
            yaw = self._rng.uniform(-math.pi, math.pi)
            length = obj.half[2] if lying else obj.half[0]
            overhang = length * abs(math.cos(yaw)) + obj.half[1] * abs(math.sin(yaw)) - local[0]
            far = math.hypot(local[0] + ARM_TO_COUNTER, local[1]) > REACH
            height = 2 * float(obj.half[0] if lying else obj.half[2])
            discs = _cover(name, local, yaw, (length, float(obj.half[1]), height))
            if far or overhang > -EDGE or not self._clear(discs):
                continue
            self._discs += discs
            x, y = self._scene.to_world(counter, *local)
            half = obj.half[0] if lying else obj.half[2]
            z = self._scene.counter_region(counter).center[2] + half + DROP
            yaw += math.radians(self._scene.spec.counters[counter].yaw)
            quaternion = multiply(about_z(yaw), LYING) if lying else about_z(yaw)
            return Pose(np.array([x, y, z]), quaternion)
        raise PlacementError(self._no_room(name, radius))

    def _clear(self, discs: list[_Disc]) -> bool:
        apart = {frozenset(pair) for pair in self._task.start.apart}
        for disc, other in itertools.product(discs, self._discs):
            low = min(disc, other, key=lambda d: d.height)
            towers = abs(disc.height - other.height) > PALM and low.name in self._task.objects
            gap = HAND_ROOM if towers else FINGER_ROOM
            gap = max(gap, NEAR) if frozenset((disc.name, other.name)) in apart else gap
            if math.dist(disc.center, other.center) < disc.radius + other.radius + gap:
                return False
        return True

    def _no_room(self, name: str, radius: float) -> str:
        low, high = self._scene.spec.workspace.low, self._scene.spec.workspace.high
        others = ", ".join(dict.fromkeys(d.name for d in self._discs)) or "nothing"
        size = f"{100 * (high[0] - low[0]):.0f} x {100 * (high[1] - low[1]):.0f} cm"
        return (
            f"no room for {name!r} (a disc of {100 * radius:.1f} cm + {100 * FINGER_ROOM:.1f} cm beside it) "
            f"in the {size} workspace that holds {others}, after {TRIES} tries. Use fewer distractors."
        )

    def _inside(self, name: str, where: str, poses: dict[str, Pose], cavities: dict[str, Region]) -> Pose:
        obj = self._scene.objects[name]
        if where in poses:  # a bowl that stands on the counter
            hollow = self._scene.objects[where].cavity
            if hollow is None:
                raise PlacementError(f"{name!r} cannot start in {where!r}, which is no receptacle.")
            z = poses[where].position[2] + _resting_height(obj, hollow) + obj.half[2] + 0.004
            yaw = self._rng.uniform(-math.pi, math.pi)
            return Pose(np.array([*poses[where].position[:2], z]), about_z(yaw))
        return self._in_drawer(obj, name, where, cavities)

    def _in_drawer(self, obj: ObjectSpec, name: str, where: str, cavities: dict[str, Region]) -> Pose:
        if where not in cavities:
            raise PlacementError(
                f"{name!r} cannot start in {where!r}: it is neither on the scene's list nor open."
            )
        cavity = cavities[where]
        # Lengthwise, so that fingers that open across have room, and clear of the handles above the drawer.
        low = np.array([-cavity.half[0] + max(obj.half[0] + 0.005, 0.045), -0.06])
        high = np.array([cavity.half[0] - max(obj.half[0] + 0.005, HANDLES), 0.06])
        local = self._rng.uniform(np.minimum(low, high), np.maximum(low, high))
        c, s = math.cos(cavity.yaw), math.sin(cavity.yaw)
        x = cavity.center[0] + c * local[0] - s * local[1]
        y = cavity.center[1] + s * local[0] + c * local[1]
        z = cavity.center[2] - cavity.half[2] + obj.half[2] + DROP
        yaw = cavity.yaw + self._rng.uniform(-0.12, 0.12)
        return Pose(np.array([x, y, z]), about_z(yaw))


def _cover(
    name: str, center: NDArray[np.float64], yaw: float, size: tuple[float, float, float]
) -> list[_Disc]:
    """Discs that cover a footprint: half its length along `yaw`, half its width, and the height [m]."""
    length, width, height = size
    if length < LONG * width:
        radius = length if length == width else math.hypot(length, width)
        return [_Disc(name, (float(center[0]), float(center[1])), radius, height)]
    radius = math.hypot(length / 3, width)
    steps = (-2 * length / 3, 0.0, 2 * length / 3)
    return [
        _Disc(name, (center[0] + s * math.cos(yaw), center[1] + s * math.sin(yaw)), radius, height)
        for s in steps
    ]


def _resting_height(obj: ObjectSpec, hollow: Cavity) -> float:
    """Height in a bowl [m] at which an object's bottom fits between the slanting walls."""
    spread = obj.radius + 0.003
    share = (spread - hollow.floor_radius) / (hollow.radius - hollow.floor_radius)
    return hollow.floor + float(np.clip(share, 0.0, 1.0)) * (hollow.rim - hollow.floor)
