"""Finds all that has a name in a frame of the simulator: see `rtbench.data.naming`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from rtbench.core.world import Pose
from rtbench.data.naming import DRAWER, GRIPPER, HANDLE, SINK, Name, Naming
from rtbench.env.object import VISUAL_GROUP
from rtbench.env.scene import Scene
from rtbench.env.visibility import Sight
from rtbench.policy.rt2.spoken_names import HANDLE_OF

LEAST_PIXELS = 20
"""Visible pixels of the camera's image below which a thing is not named: five in half the size."""
LEAST_SHARE = 0.2
"""Visible share of a thing below which it is not named."""
_GRID = np.linspace(-0.85, 0.85, 5)
Project = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Positions in the picture, float64[n, 2], of points float64[n, 3] of the world; NaN for those outside."""


@dataclass(frozen=True)
class _Thing:
    """A thing with a name."""

    name: Name
    geoms: NDArray[np.int64]
    """What is drawn of it."""
    bodies: NDArray[np.int64]
    """int64[n]: body of each point."""
    points: NDArray[np.float64]
    """float64[n, 3]: points in it, in the frame of their body."""
    before: tuple[str, ...] = ()
    """Names of things that do not hide it: the handle of a drawer."""


class Things:
    """All that has a name in a scene."""

    def __init__(self, scene: Scene, present: Iterable[str]) -> None:
        """The things of a scene of which those objects are present."""
        model = scene.model
        shown = np.flatnonzero(model.geom_group == VISUAL_GROUP)
        bodies = model.geom_bodyid[shown]
        geoms = {model.body(body).name: shown[bodies == body] for body in set(bodies.tolist())}
        self._things = [_object(scene, name, geoms[name]) for name in present]
        for name in scene.spec.drawers:
            self._things += _drawer(model, name, geoms[name])
        self._things += [_fixed(model, Name(_words(name), SINK), geoms[name]) for name in scene.spec.sinks]
        fingers = [body for bodies in scene.robot.gripper.fingers.values() for body in bodies]
        palm = model.body(model.site_bodyid[model.site("grip").id]).name
        hand = np.concatenate([geoms[name] for name in (palm, *fingers)])
        self._things.append(_fixed(model, Name(GRIPPER, GRIPPER), hand))
        self.vocabulary = tuple(thing.name for thing in self._things)
        self._owner = np.full(model.ngeom + 1, -1, np.int64)  # the last is that of a pixel without a geom
        for number, thing in enumerate(self._things):
            self._owner[thing.geoms] = number
        # Points of all things at once: one by one they took 5 of 20 ms a frame.
        self._points = np.concatenate([thing.points for thing in self._things])
        self._bodies = np.concatenate([thing.bodies for thing in self._things])
        self._first = np.cumsum([0, *(len(thing.points) for thing in self._things)])
        names = [thing.name.text for thing in self._things]
        self._shows = np.array([[k == own or name in thing.before for k, name in enumerate(names)]
                                for own, thing in enumerate(self._things)])  # fmt: skip
        """bool[n, n]: whether a pixel of the second is one at which the first is seen."""

    def find(self, data: mujoco.MjData, geoms: NDArray[np.int32], project: Project) -> Naming:
        """The labels of one frame.

        Args:
            data: The state.
            geoms: Geom of each pixel, int32[height, width], -1 for none; as of `Renderer.segment`.
            project: Of the same camera.
        """
        seen = self._owner[geoms]
        height, width = seen.shape
        pixels = np.flatnonzero(seen >= 0)
        owners = seen.ravel()[pixels]
        found = list[tuple[float, ...]]()
        counts = np.bincount(owners, minlength=len(self._things))
        shares = self._shares(data, seen, project)
        for number in np.flatnonzero((counts >= LEAST_PIXELS) & (shares >= LEAST_SHARE)).tolist():
            row, column = np.divmod(pixels[owners == number], width)
            # The middle of a ring, or of a thing that is hidden in its middle, is no pixel of it.
            nearest = ((column - column.mean()) ** 2 + (row - row.mean()) ** 2).argmin()
            place = (column[nearest] + 0.5) / width, (row[nearest] + 0.5) / height
            found.append((number, *place, shares[number]))
        table = np.array(found, np.float64).reshape(-1, 4)
        return Naming(
            vocabulary=self.vocabulary,
            counts=np.array([len(table)], np.int64),
            names=table[:, 0].astype(np.int64),
            places=table[:, 1:3].astype(np.float32),
            shares=table[:, 3].astype(np.float32),
        )

    def _shares(self, data: mujoco.MjData, seen: NDArray[np.int64], project: Project) -> NDArray[np.float64]:
        """Visible share of each thing: that of the points in it at whose pixels it is what shows."""
        axes = data.xmat[self._bodies].reshape(-1, 3, 3)
        places = project(data.xpos[self._bodies] + np.einsum("nij,nj->ni", axes, self._points))
        inside = np.isfinite(places).all(axis=1)
        column, row = (places[inside] * seen.shape[::-1]).astype(np.int64).T
        shown = seen[np.minimum(row, seen.shape[0] - 1), np.minimum(column, seen.shape[1] - 1)]
        count = np.diff(self._first)
        own = np.repeat(np.arange(len(count)), count)
        visible = np.zeros(len(own), bool)
        visible[inside] = (shown >= 0) & self._shows[own[inside], shown]
        found: NDArray[np.float64] = np.add.reduceat(visible.astype(np.float64), self._first[:-1]) / count
        return found


def _object(scene: Scene, name: str, geoms: NDArray[np.int64]) -> _Thing:
    entry, origin = scene.objects[name], Pose(np.zeros(3), np.array([1.0, 0.0, 0.0, 0.0]))
    points = Sight.points(entry, origin)
    body = _bodies(scene.model, name, points)
    return _Thing(Name(entry.names[0], entry.kind), geoms, body, points)


def _drawer(model: mujoco.MjModel, name: str, geoms: NDArray[np.int64]) -> list[_Thing]:
    """A drawer, which is seen by its front, and its handle: a bar on two posts."""
    bars = model.geom_type[geoms] == mujoco.mjtGeom.mjGEOM_CAPSULE
    front, bar = model.geom(f"{name}:front"), model.geom(f"{name}:handle")
    face = np.array([(-1.0, y, z) for y in _GRID for z in _GRID]) * front.size + front.pos
    along = np.stack([0 * _GRID, _GRID * bar.size[1], 0 * _GRID], axis=1) + bar.pos
    handle = HANDLE_OF + _words(name)
    return [
        _Thing(Name(_words(name), DRAWER), geoms[~bars], _bodies(model, name, face), face, (handle,)),
        _Thing(Name(handle, HANDLE), geoms[bars], _bodies(model, name, along), along),
    ]


def _fixed(model: mujoco.MjModel, name: Name, geoms: NDArray[np.int64]) -> _Thing:
    """A thing that is seen where its parts have their middles."""
    return _Thing(name, geoms, model.geom_bodyid[geoms].astype(np.int64), model.geom_pos[geoms].copy())


def _bodies(model: mujoco.MjModel, name: str, points: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.full(len(points), model.body(name).id, np.int64)


def _words(name: str) -> str:
    return name.replace("_", " ")
