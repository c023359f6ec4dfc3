"""Placement of an episode's objects at its start, by seed.

Rejection sampling with discs (`rtbench.env.footprint`): an object is put down where it leaves room for a
gripper's finger beside all others. Where many distractors do not find that much room, they may stand nearer
to each other and farther out, but never nearer to the task's objects.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtbench.core.episode import Episode
from rtbench.core.errors import PlacementError
from rtbench.core.rotation import about_z, multiply
from rtbench.core.vector import length
from rtbench.core.world import Pose, Region
from rtbench.env.footprint import Disc, cover, overhang, shortage
from rtbench.env.scene import Scene
from rtbench.env.visibility import Cylinder, Sight, share_behind
from rtbench.task.object_entry import ObjectEntry
from rtbench.task.object_shape import Cavity
from rtbench.task.predicate import evaluate
from rtbench.task.scene_entry import Rectangle, SinkEntry
from rtbench.task.task import Goal, Pose2D, Task

FINGER_ROOM = 0.034
"""Free distance between two objects' footprints [m]: a finger (2.6 cm) and a little more."""
CROWD_ROOM = 0.012
"""Free distance between two distractors where there are many [m]."""
MAT_ROOM = 0.012
"""Free distance beside a mat [m], which is so flat that fingers pass above it."""
EDGE = 0.005
"""Least distance of an object from the counter's front edge [m]."""
HAND_ROOM = 0.075
"""Free distance [m] between a low target and a much higher object: the hand is 20 cm wide."""
HIDER_ROOM = 0.016
"""Free distance [m] between a target and the object that hides it: fingers close across the line between."""
TALL_HIDER_ROOM = (0.055, 0.034)
"""Likewise where the object is much higher than the target: room for the palm, or for a finger where no
object can hide the target with room for the palm."""
PALM = 0.04
"""An object that is higher than its neighbour by more than this [m] is in the way of the palm."""
TRIES = 400
LAYOUTS = 60
"""Most draws of the targets until they stand as the task says."""
NEAR = 0.12
"""Least distance between the footprints of objects that must not start near each other [m]."""
DROP = 0.001
"""Objects start this far above what they rest on [m]."""
HANDLES = 0.112
"""Depth before the counter's front in which the handles above an open drawer are in the hand's way [m]."""
BASIN_ROOM = 0.03
"""Least distance of an object's footprint from a sink's walls [m]: a finger's thickness and a little."""
LYING = np.array([math.sqrt(0.5), 0.0, math.sqrt(0.5), 0.0])
"""Turned by 90 degrees about y: the object's z axis lies along x."""
ASKEW = math.radians(10)
"""Mats are turned by at most this from where their picture stands upright in the head camera's [rad]."""
POSITIONAL = frozenset({"left_of", "right_of", "between", "nearer"})
"""Predicates that drawn poses decide, without simulation."""


class _Drawn:
    """The part of `rtbench.core.world.World` that predicates of positions need, from drawn poses alone."""

    def __init__(self, scene: Scene, poses: dict[str, Pose], counters: dict[str, str]) -> None:
        self._scene, self._poses, self._counters = scene, poses, counters

    def pose(self, name: str) -> Pose:
        return self._poses[name]

    def counter(self, name: str) -> str:
        return self._counters[name]

    def surface(self, name: str) -> Region:
        return self._scene.counter_region(name)

    def station(self, name: str) -> NDArray[np.float64]:
        return self._scene.station(name)


@dataclass(frozen=True)
class _Space:
    """Area on a counter or in a sink in which an object may be put."""

    counter: str
    area: Rectangle
    height: float
    """Height of its support [m]."""
    room: float
    """Free distance beside other objects [m]."""
    reach: float
    """Farthest from the arm's axis [m]."""
    holes: tuple[SinkEntry, ...] = ()
    """Sinks that nothing may reach over."""


class Placer:
    """Draws poses for one episode: the task's own objects from one generator, distractors from another."""

    def __init__(
        self, scene: Scene, task: Task, targets: np.random.Generator, distractors: np.random.Generator
    ) -> None:
        self._scene, self._task = scene, task
        self._rng, self._others = targets, distractors
        self._discs: list[Disc] = []
        self._poses: dict[str, Pose] = {}
        self._counters: dict[str, str] = {}
        self._filled: dict[str, float] = {}
        self._hider, self._hider_room = "", TALL_HIDER_ROOM[0]

    def place(self, episode: Episode, sight: Sight | None = None) -> dict[str, Pose]:
        """Poses of all the episode's objects in the world frame.

        Args:
            episode: Its objects are placed in this order: the task's own, foils, distractors. So distractors
                do not move the others.
            sight: How much of the first object a distractor must hide; None for nothing.

        Raises:
            PlacementError: an object finds no room; says which and how much was missing. Or none of
                `LAYOUTS` draws stood as the task says.
        """
        for _ in range(LAYOUTS):
            self._discs, self._poses, self._counters, self._filled = [], {}, {}, {}
            self._place_targets(episode)
            if self._stands_as_given():
                break
        else:
            raise PlacementError(
                f"in {LAYOUTS} draws {self._task.start.given} did not come about. Ask for less at the start, "
                "or for fewer objects."
            )
        self._rng = self._others
        if sight is not None:
            self._place_hider(episode, sight)
        for name in episode.objects:
            if name not in self._poses:
                self._poses[name] = self._stand(name, self._spaces(name, self._task.start.station))
        return {name: self._poses[name] for name in episode.objects}

    def _place_targets(self, episode: Episode) -> None:
        """The task's objects and foils, those that start inside others last."""
        start = self._task.start
        layout = start.layout(episode.seed)
        if layout is not None:
            self._poses = {name: self._laid_out(name, place) for name, place in layout.objects.items()}
            return
        own = [o for o in episode.objects if o in self._task.present]
        inside = {o for o in own if start.place.get(o, start.station) not in self._scene.spec.counters}
        for name in (o for o in own if o not in inside):
            self._poses[name] = self._stand(name, self._spaces(name, start.place.get(name, start.station)))
        for name in (o for o in own if o in inside):
            self._poses[name] = self._inside(name, start.place[name])

    def _laid_out(self, name: str, place: Pose2D) -> Pose:
        """Pose of an object whose place the task gives, in the world."""
        counter = self._task.start.place[name]
        local = self._scene.to_counter(counter, np.array([place.x, place.y]))
        yaw = place.yaw - math.radians(self._scene.spec.counters[counter].yaw)
        return self._put(name, local, yaw, self._spaces(name, counter)[0])

    def _stands_as_given(self) -> bool:
        """Whether the task's start condition holds, as far as drawn poses show; the settled world decides."""
        given = self._task.start.given
        if given is None or not _decided_by(given, self._poses):
            return True
        return evaluate(given, _Drawn(self._scene, self._poses, self._counters))  # type: ignore[arg-type]

    def _spaces(self, name: str, counter: str) -> list[_Space]:
        """Spaces in which an object is tried, one after the other."""
        spec, height = self._scene.spec, self._scene.spec.counters[counter].size[2]
        holes = tuple(sink for sink in spec.sinks.values() if sink.counter == counter)
        near = _Space(counter, spec.workspace, height, FINGER_ROOM, self._scene.robot.arm.placed, holes)
        if name in self._task.objects:
            return [near]
        return [near, _Space(counter, spec.surroundings, height, CROWD_ROOM, math.inf, holes)]

    def _stand(self, name: str, spaces: list[_Space]) -> Pose:
        """Put an object where it leaves room for others."""
        least, beside = math.inf, ""
        for space in spaces:
            for _ in range(TRIES // len(spaces)):
                local = self._rng.uniform(space.area.low, space.area.high)
                yaw = self._draw_yaw(name)
                short, other = self._shortage(name, local, yaw, space)
                if short <= 0:
                    return self._put(name, local, yaw, space)
                if other and short < least:
                    least, beside = short, other
        raise PlacementError(self._no_room(name, spaces[-1], least, beside))

    def _draw_yaw(self, name: str) -> float:
        """A heading in the counter's frame [rad]."""
        if self._scene.objects[name].platform:
            return self._scene.robot.head.heading + float(self._rng.uniform(-ASKEW, ASKEW))
        return float(self._rng.uniform(-math.pi, math.pi))

    def _shortage(
        self, name: str, local: NDArray[np.float64], yaw: float, space: _Space
    ) -> tuple[float, str]:
        """Lack of room [m], and the object beside it ('' where it would overhang or be out of reach)."""
        obj, lying = self._scene.objects[name], name in self._task.start.lying
        base = self._scene.robot.base
        far = math.hypot(local[0] + base.to_counter, local[1] - base.aside) > space.reach
        if far or local[0] - overhang(obj, yaw, lying=lying) < EDGE:
            return math.inf, ""
        discs = cover(obj, local, yaw, lying=lying)
        if any(_reaches_over(disc, sink) for disc in discs for sink in space.holes):
            return math.inf, ""
        return shortage(discs, self._discs, lambda a, b: self._room(a, b, space.room))

    def _room(self, a: Disc, b: Disc, least: float) -> float:
        """Free distance [m] that two discs need between them."""
        task, objects = self._task, self._scene.objects
        own = a.name in task.present or b.name in task.present
        low = min(a, b, key=lambda d: d.height)
        towers = abs(a.height - b.height) > PALM and low.name in task.objects
        if self._hider and {self._hider, task.objects[0]} == {a.name, b.name}:
            gap = self._hider_room if towers else HIDER_ROOM
        elif objects[a.name].platform or objects[b.name].platform:
            gap = MAT_ROOM
        elif towers:
            gap = HAND_ROOM
        else:
            gap = FINGER_ROOM if own else least
        apart = any({a.name, b.name} == set(pair) for pair in task.start.apart)
        return max(gap, NEAR) if apart else gap

    def _put(self, name: str, local: NDArray[np.float64], yaw: float, space: _Space) -> Pose:
        """Add an object at a place with room for it; return its pose in the world frame."""
        obj, lying = self._scene.objects[name], name in self._task.start.lying
        self._discs += cover(obj, local, yaw, lying=lying)
        self._counters[name] = space.counter
        x, y = self._scene.to_world(space.counter, *local)
        z = space.height + float(obj.half[0] if lying else obj.half[2]) + DROP
        yaw += math.radians(self._scene.spec.counters[space.counter].yaw)
        quaternion = multiply(about_z(yaw), LYING) if lying else about_z(yaw)
        return Pose(np.array([x, y, z]), quaternion)

    def _no_room(self, name: str, space: _Space, least: float, beside: str) -> str:
        size = " x ".join(
            f"{100 * (b - a):.0f}" for a, b in zip(space.area.low, space.area.high, strict=True)
        )
        others = ", ".join(dict.fromkeys(d.name for d in self._discs)) or "nothing"
        missing = (
            f"the best place was {100 * least:.1f} cm too near {beside!r}"
            if beside
            else "no place was on the counter and within reach"
        )
        return (
            f"no room for {name!r} in the {size} cm workspace that holds {others}: in {TRIES} tries "
            f"{missing}. Use fewer distractors."
        )

    def _place_hider(self, episode: Episode, sight: Sight) -> None:
        """Put the tallest distractor that can hide the first object between it and the camera."""
        target = self._task.objects[0]
        spare = [o for o in episode.objects if o not in self._poses]
        spare.sort(key=lambda o: (-self._scene.objects[o].half[2], o))
        points = sight.points(self._scene.objects[target], self._poses[target])
        for self._hider_room, self._hider in itertools.product(TALL_HIDER_ROOM, spare):
            pose = self._hide(points, sight)
            if pose is not None:
                self._poses[self._hider] = pose
                return
        raise PlacementError(
            f"none of {', '.join(spare) or 'no distractors'} can stand so that it hides {target!r}; "
            "use taller ones, or more."
        )

    def _hide(self, points: NDArray[np.float64], sight: Sight) -> Pose | None:
        """A pose in which the hider hides as many of the points as it should; None if none is found."""
        counter = self._task.start.station
        *_, space = self._spaces(self._hider, counter)
        obj, target = self._scene.objects[self._hider], self._scene.objects[self._task.objects[0]]
        spot, eye = (self._scene.to_counter(counter, point) for point in (points.mean(axis=0), sight.eye))
        towards = (eye - spot) / length(eye - spot)
        across = np.array([-towards[1], towards[0]])
        widest = obj.radius + target.radius
        column = 0.95 * math.sqrt(obj.half[0] * obj.half[1]), space.height + 2 * float(obj.half[2])
        for _ in range(TRIES // 4):
            along, aside = self._rng.uniform((0.4 * widest, -widest), (widest + 0.12, widest))
            local, yaw = spot + along * towards + aside * across, self._draw_yaw(self._hider)
            if self._shortage(self._hider, local, yaw, space)[0] > 0:
                continue
            stands = Cylinder(self._scene.to_world(counter, *local), *column)
            if sight.fits(share_behind(sight.eye, points, stands)):
                return self._put(self._hider, local, yaw, space)
        return None

    def _inside(self, name: str, where: str) -> Pose:
        obj = self._scene.objects[name]
        if where in self._poses:  # a bowl that stands on the counter
            hollow = self._scene.objects[where].cavity
            if hollow is None:
                raise PlacementError(f"{name!r} cannot start in {where!r}, which is no receptacle.")
            below = self._filled.get(where, _resting_height(obj, hollow))
            z = self._poses[where].position[2] + below + obj.half[2] + 0.004
            self._filled[where] = below + 2 * float(obj.half[2]) + DROP
            return Pose(np.array([*self._poses[where].position[:2], z]), about_z(self._draw_yaw(name)))
        if where in self._scene.spec.sinks:
            return self._stand(name, [self._basin(obj, where)])
        return self._in_drawer(obj, where)

    def _basin(self, obj: ObjectEntry, sink: str) -> _Space:
        """Area for an object's middle in a sink."""
        spec, region = self._scene.spec.sinks[sink], self._scene.sink_region(sink)
        margin = np.minimum(obj.radius + BASIN_ROOM, region.half[:2])
        area = Rectangle(
            low=(spec.low[0] + margin[0], spec.low[1] + margin[1]),
            high=(spec.high[0] - margin[0], spec.high[1] - margin[1]),
        )
        floor = float(region.center[2] - region.half[2])
        return _Space(spec.counter, area, floor, FINGER_ROOM, self._scene.robot.arm.placed)

    def _in_drawer(self, obj: ObjectEntry, where: str) -> Pose:
        if where not in self._task.start.drawers:
            raise PlacementError(
                f"{obj.name!r} cannot start in {where!r}: it is neither on the scene's list nor open."
            )
        cavity = self._scene.drawer_drawn(where, self._task.start.drawers[where])
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


def _decided_by(goal: Goal, poses: dict[str, Pose]) -> bool:
    """Whether drawn poses decide if a goal holds."""
    return all(
        leaf.predicate in POSITIONAL and all(name in poses for name in leaf.arguments)
        for leaf in goal.leaves()
    )


def _reaches_over(disc: Disc, sink: SinkEntry) -> bool:
    """Whether part of a disc is over a sink's opening."""
    middle = np.array(disc.center)
    return length(middle - np.clip(middle, sink.low, sink.high)) < disc.radius


def _resting_height(obj: ObjectEntry, hollow: Cavity) -> float:
    """Height in a bowl [m] at which an object's bottom fits between the slanting walls."""
    spread = obj.radius + 0.003
    share = (spread - hollow.floor_radius) / (hollow.radius - hollow.floor_radius)
    return hollow.floor + float(np.clip(share, 0.0, 1.0)) * (hollow.rim - hollow.floor)
