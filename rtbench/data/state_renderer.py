"""Draws frames of recorded states again, under any look, with the keypoints and names that are seen in them.

It has models and renderers of its own, so that no look reaches an episode, and it steps no physics.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace

import mujoco
import numpy as np
from numpy.typing import NDArray

from rtbench.core.episode import DEFAULT_ROBOT, Episode
from rtbench.data.keypoints import keypoint_places
from rtbench.data.looks import Look, dress
from rtbench.data.naming import Naming
from rtbench.data.state import addresses
from rtbench.data.things import Things
from rtbench.env.camera import Renderer
from rtbench.env.perturbation import HEAD
from rtbench.env.scene import Scene, load_scene, object_sets
from rtbench.env.sim_world import SimWorld
from rtbench.env.visibility import in_picture
from rtbench.task.library import BUNDLED, Library
from rtbench.task.task import Task

SCENES = 4
"""Models and GL contexts kept."""
_HIDDEN = 4
"""A geom group that is never drawn."""


@dataclass(frozen=True)
class Frame:
    """A frame that was drawn."""

    image: NDArray[np.uint8]
    """uint8[256, 320, 3], RGB, of the head camera."""
    points: NDArray[np.float32]
    """float32[4, 2]: the keypoints in it; see `Demonstration.points`."""
    naming: Naming
    """Labels of all that is seen in it."""


class StateRenderer:
    """Draws the recorded states of episodes."""

    def __init__(self, library: Library = BUNDLED) -> None:
        """For episodes of a library."""
        self._library = library
        self._rooms: OrderedDict[tuple[str, tuple[str, ...], str], _Room] = OrderedDict()

    def frames(self, episode: Episode, states: NDArray[np.float64], look: Look | None) -> Iterator[Frame]:
        """Draw the states of an episode one after the other.

        Args:
            episode: The episode, which has no variant.
            states: float64[T, S]; see `rtbench.data.state`.
            look: The look of the room; None: its own.
        """
        room = self._room(episode.scene, object_sets(episode.objects, self._library), episode.robot)
        room.begin(episode.objects, look)
        task = self._library.task(episode.task)
        for state in states:
            yield room.draw(state, task)

    def picture(
        self, scene: str, sets: tuple[str, ...], objects: tuple[str, ...], state: NDArray[np.float64],
        look: Look | None,
    ) -> tuple[NDArray[np.uint8], Naming]:  # fmt: skip
        """Draw one state of no episode: uint8[256, 320, 3], RGB, with the labels of all that is seen.

        Args:
            scene: Name of the scene.
            sets: Sets of objects in its model, sorted.
            objects: Names of the objects present.
            state: float64[S] of these objects; see `rtbench.data.state`.
            look: The look of the room; None: its own.
        """
        room = self._room(scene, sets, DEFAULT_ROBOT)
        room.begin(objects, look)
        return room.see(state)

    def _room(self, scene: str, sets: tuple[str, ...], robot: str) -> _Room:
        key = (scene, sets, robot)
        if key not in self._rooms:
            self._rooms[key] = _Room(load_scene(scene, sets, self._library, robot))
            while len(self._rooms) > SCENES:
                self._rooms.popitem(last=False)[1].close()
        self._rooms.move_to_end(key)
        return self._rooms[key]

    def close(self) -> None:
        """Free the GL contexts."""
        for room in self._rooms.values():
            room.close()
        self._rooms.clear()


class _TextureRenderer(Renderer):
    """A renderer whose textures can be given again."""

    def upload(self, textures: set[int]) -> None:
        """Take textures from the model, by their numbers."""
        self._make_current()
        for number in sorted(textures):
            mujoco.mjr_uploadTexture(self._model, self._context, number)


class _Room:
    """A scene with a model, state and renderer of its own."""

    def __init__(self, scene: Scene) -> None:
        self._whole = scene.model
        self._scene = replace(scene, model=copy.copy(scene.model))
        self._model = self._scene.model
        # Sleeping bodies are not moved to where a state puts them.
        self._model.opt.enableflags &= ~int(mujoco.mjtEnableBit.mjENBL_SLEEP)
        self._data = mujoco.MjData(self._model)
        self._world = SimWorld(self._scene, self._data)
        self._renderer = _TextureRenderer(self._model)
        self._addresses = np.zeros(0, np.int64)
        self._things = Things(self._scene, ())

    def begin(self, objects: tuple[str, ...], look: Look | None) -> None:
        """Show those objects alone, under a look."""
        model = self._model
        self._addresses = addresses(model, objects)
        self._world.set_present(objects)
        model.geom_group[:] = self._whole.geom_group
        for name in self._scene.objects.keys() - set(objects):
            model.geom_group[model.geom_bodyid == model.body(name).id] = _HIDDEN
        self._things = Things(self._scene, objects)
        self._renderer.upload(dress(model, self._whole, look, self._scene.spec.ornaments))
        mujoco.mj_resetData(model, self._data)

    def draw(self, state: NDArray[np.float64], task: Task) -> Frame:
        """Draw a state of a task."""
        image, naming = self.see(state)
        points = self._project(keypoint_places(task, self._world)).astype(np.float32)
        return Frame(image, points, naming)

    def see(self, state: NDArray[np.float64]) -> tuple[NDArray[np.uint8], Naming]:
        """Draw a state: its picture, and the labels in it."""
        data = self._data
        data.qpos[self._addresses] = state
        mujoco.mj_kinematics(self._model, data)
        mujoco.mj_comPos(self._model, data)
        mujoco.mj_camlight(self._model, data)
        image = self._renderer.render(data, HEAD)
        geoms = self._renderer.segment(data, HEAD)
        return image, self._things.find(data, geoms, self._project)

    def _project(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Positions in the head camera's picture; see `in_picture`."""
        camera = self._data.camera(HEAD)
        fovy = float(self._model.camera(HEAD).fovy[0])
        return in_picture(points, camera.xpos, camera.xmat.reshape(3, 3), fovy)

    def close(self) -> None:
        self._renderer.close()
