"""Draws pictures for questions: things on the counters of the training scene, under random looks.

Nothing is simulated: poses are drawn, as at the start of an episode, and a picture is made of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import mujoco
import numpy as np
from numpy.typing import NDArray

from rtbench.core.episode import Episode
from rtbench.core.errors import PlacementError
from rtbench.core.image import shrink
from rtbench.core.rotation import about_z
from rtbench.core.seeding import generator
from rtbench.core.world import Pose
from rtbench.data.looks import draw_look
from rtbench.data.naming import Naming
from rtbench.data.state import addresses
from rtbench.data.state_renderer import StateRenderer
from rtbench.env.placement import DROP, Placer
from rtbench.env.scene import Scene, load_scene
from rtbench.task.object_entry import CAN_TOPPLE, FITS_BOWL, FITS_DRAWER, MOVABLE, RECEPTACLE, ObjectEntry
from rtbench.task.robot_entry import BASE_JOINTS
from rtbench.task.task import Goal, Start, Task

SCENE = "office_kitchen"
"""The scene of the suite `seen`."""
STATIONS = {"counter": 0.8, "side_counter": 0.2}
"""Where the robot stands, with probabilities."""
SETS = {"symbols": 0.42, "tools": 0.17, "cups": 0.12, "snacks": 0.12, "seen": 0.17}
"""Sets of objects, with how often one of each is drawn. Those of the suite `novel` are not among them."""
FEWEST, MOST = 4, 9
"""Objects in a picture."""
OWN_LOOK = 0.1
"""Share of the pictures that keep the room's own look."""
ARM_SPREAD, BASE_SPREAD = 0.08, (0.02, 0.02, 0.03)
"""Standard deviation of the arm's joints about their start [rad]; half range of the base's [m, m, rad]."""
STACKED, SMALL = 0.3, 0.05
"""Share of the pictures in which a thing lies in or on another one where it can; its largest radius [m]."""
FILLED = 0.5
"""Share of the open drawers in which a thing lies where one can."""
ALIKE = 0.3
"""Share of the pictures with several things of one kind."""
_TRIES = 40


@dataclass(frozen=True)
class Layout:
    """Things as they stand, before they are drawn."""

    objects: tuple[str, ...]
    """Names of the objects present."""
    poses: Mapping[str, Pose]
    """Their poses in the world."""
    under: Mapping[str, str]
    """What lies in or on another thing, or in a drawer -> that."""
    lying: tuple[str, ...]
    """Those that lie on their side."""
    drawers: Mapping[str, float]
    """Open drawers -> how far [m]."""
    station: str
    """Where the robot stands."""


@dataclass(frozen=True)
class Seen:
    """A thing that is seen in a picture."""

    name: str
    """Object or drawer."""
    text: str
    """Its name in instructions."""
    x: float
    """Middle of what is visible of it, from 0 at the left to 1 at the right."""
    y: float
    """Likewise, from 0 at the top to 1 at the bottom."""
    entry: ObjectEntry | None
    """The object; None for a drawer."""
    position: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Of an object's middle in the world [m]."""


@dataclass(frozen=True)
class View:
    """A picture, and what is known of it."""

    image: NDArray[np.uint8]
    """uint8[h, w, 3], RGB."""
    naming: Naming
    """All that is seen in it."""
    seen: Mapping[str, Seen]
    """Objects by name, as far as they are seen, in the order in which they were put down."""
    drawers: Mapping[str, Seen]
    """Drawers, likewise."""
    under: Mapping[str, str] = field(default_factory=dict)
    """What lies in or on another thing, or in a drawer -> that."""
    lying: tuple[str, ...] = ()
    """Those that lie on their side."""
    open: tuple[str, ...] = ()
    """Open drawers."""


class Painter:
    """Makes pictures by number."""

    def __init__(self, seed: int, sets: tuple[str, ...], size: tuple[int, int]) -> None:
        """Make pictures of a size [height, width in pixels] with objects of those sets."""
        self._seed, self._size = seed, size
        self._sets = tuple(sorted(sets))
        self._scene = load_scene(SCENE, self._sets)
        self._data = mujoco.MjData(self._scene.model)
        self._renderer = StateRenderer()

    def picture(self, number: int) -> View:
        """The picture of that number: the same in any process and order."""
        random = generator("vqa", self._seed, number)
        layout = arrange(self._scene, random)
        look = None if random.random() < OWN_LOOK else draw_look("vqa", self._seed, number)
        state = self._state(layout, random)
        image, naming = self._renderer.picture(SCENE, self._sets, layout.objects, state, look)
        return self._view(shrink(image, self._size), naming, layout)

    def close(self) -> None:
        """Free the GL contexts."""
        self._renderer.close()

    def _state(self, layout: Layout, random: np.random.Generator) -> NDArray[np.float64]:
        scene, data = self._scene, self._data
        mujoco.mj_resetData(scene.model, data)
        base = scene.station(layout.station) + random.uniform(-1, 1, 3) * BASE_SPREAD
        arm, gripper = scene.robot.arm, scene.robot.gripper
        angles = np.array(arm.home) + ARM_SPREAD * random.standard_normal(len(arm.home))
        joints = (*BASE_JOINTS, *arm.joints, *gripper.joints, *layout.drawers)
        fingers = (sign * gripper.home for sign in gripper.joints.values())
        for joint, value in zip(joints, (*base, *angles, *fingers, *layout.drawers.values()), strict=True):
            data.joint(joint).qpos[0] = value
        for name, pose in layout.poses.items():
            free = data.joint(f"{name}:free")
            free.qpos[:3], free.qpos[3:] = pose.position, pose.quaternion
        found: NDArray[np.float64] = data.qpos[addresses(scene.model, layout.objects)]
        return found

    def _view(self, image: NDArray[np.uint8], naming: Naming, layout: Layout) -> View:
        spec, things = self._scene.spec, self._scene.objects
        places = {
            naming.vocabulary[number].text: (float(x), float(y))
            for number, (x, y) in zip(naming.names.tolist(), naming.places, strict=True)
        }
        seen, drawers = dict[str, Seen](), dict[str, Seen]()
        for name in layout.objects:
            if (text := things[name].names[0]) in places:
                x, y, z = layout.poses[name].position.tolist()
                seen[name] = Seen(name, text, *places[text], things[name], (x, y, z))
        for name in spec.drawers:
            if (text := name.replace("_", " ")) in places:
                drawers[name] = Seen(name, text, *places[text], None)
        return View(image, naming, seen, drawers, layout.under, layout.lying, tuple(layout.drawers))


def arrange(scene: Scene, random: np.random.Generator) -> Layout:
    """Draw things and put them down; what finds no room is drawn anew.

    Raises:
        PlacementError: in `_TRIES` draws nothing fitted, which says that the scene is too small.
    """
    error: PlacementError | None = None
    for _ in range(_TRIES):
        objects = _choose(scene, random, int(random.integers(FEWEST, MOST + 1)))
        try:
            return _put_down(scene, random, objects)
        except PlacementError as found:
            error = found
    raise error or PlacementError(f"scene {scene.spec.name}: no room for things.")


def _choose(scene: Scene, random: np.random.Generator, count: int) -> list[str]:
    """Objects: of all sets, or mostly of one kind, so that counts, sums and colours can be asked for."""
    by_set = {name: [o for o, e in scene.objects.items() if e.set == name] for name in SETS}
    by_set = {name: objects for name, objects in by_set.items() if objects}
    shares = np.array([SETS[name] for name in by_set])
    chosen = list[str]()
    if random.random() < ALIKE:
        tags = (
            "digit",
            "letter",
            "shape",
            "picture",
            "can",
            "bottle",
            "cup",
            "bag",
            "fruit",
            "tool",
            "snack",
        )
        alike = [[o for o, e in scene.objects.items() if tag in e.tags] for tag in tags]
        alike = [group for group in alike if len(group) > 1]
        if alike:
            group = alike[int(random.integers(len(alike)))]
            chosen = _some(random, group, min(len(group), int(random.integers(2, 5))))
    while len(chosen) < count:
        group = by_set[list(by_set)[int(random.choice(len(by_set), p=shares / shares.sum()))]]
        if (name := group[int(random.integers(len(group)))]) not in chosen:
            chosen.append(name)
        elif all(o in chosen for o in scene.objects):
            break
    if not any(MOVABLE in scene.objects[o].tags for o in chosen):
        chosen[-1] = _some(random, [o for o, e in scene.objects.items() if MOVABLE in e.tags] or chosen, 1)[0]
    return chosen


def _put_down(scene: Scene, random: np.random.Generator, objects: list[str]) -> Layout:
    things = scene.objects
    station = str(random.choice(list(STATIONS), p=list(STATIONS.values())))
    lying = tuple(o for o in objects if CAN_TOPPLE in things[o].tags and random.random() < 0.12)
    under = _stacked(scene, random, [o for o in objects if o not in lying])
    drawers = dict[str, float]()
    if station == "counter" and random.random() < 0.3:
        drawer = _some(random, list(scene.spec.drawers), 1)[0]
        drawers = {drawer: float(random.uniform(0.12, 0.24))}
    bowls = {o: b for o, b in under.items() if RECEPTACLE in things[b].tags}
    free = [o for o in objects if o not in (*lying, *under, *under.values())]
    filled = _filled(scene, random, free, drawers)
    under = {**under, **filled}
    start = Start(place={**bowls, **filled}, lying=lying, drawers=drawers, station=station)
    foils = tuple(dict.fromkeys([*bowls.values(), *bowls, *filled]))
    task = Task("", "", SCENE, (), Goal("all"), start, (), 1, foils=foils)
    standing = [o for o in objects if o not in under]
    order = tuple(dict.fromkeys([*foils, *standing]))
    episode = Episode("", "", "", "", "", SCENE, order, "", "en", 0, "", 1)
    poses = Placer(scene, task, random, random).place(episode)
    for name, base in under.items():
        if name not in poses:
            rise = float(things[base].half[2] + things[name].half[2]) + DROP
            top = poses[base].position + np.array([0.0, 0.0, rise])
            poses[name] = Pose(top, about_z(float(random.uniform(-math.pi, math.pi))))
    return Layout(tuple(o for o in objects if o in poses), poses, under, lying, drawers, station)


def _stacked(scene: Scene, random: np.random.Generator, objects: list[str]) -> dict[str, str]:
    """One small thing in a bowl, or on a card, now and then."""
    things = scene.objects
    small = [o for o in objects if FITS_BOWL in things[o].tags and things[o].radius < SMALL]
    bases = [o for o in objects if RECEPTACLE in things[o].tags or things[o].platform]
    if not small or not bases or random.random() > STACKED:
        return {}
    return {_some(random, small, 1)[0]: _some(random, bases, 1)[0]}


def _filled(
    scene: Scene, random: np.random.Generator, objects: list[str], drawers: Mapping[str, float]
) -> dict[str, str]:
    """One thing in an open drawer, now and then."""
    fit = [o for o in objects if FITS_DRAWER in scene.objects[o].tags]
    if not fit or not drawers or random.random() > FILLED:
        return {}
    return {_some(random, fit, 1)[0]: next(iter(drawers))}


def _some(random: np.random.Generator, names: list[str], count: int) -> list[str]:
    """Some of the names, in random order."""
    return [names[int(k)] for k in random.permutation(len(names))[:count]]
