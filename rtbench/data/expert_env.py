"""The environment of a worker that records: its observations carry the oracle's action."""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from rtbench.core.action import SIZE
from rtbench.core.environment import EnvSettings
from rtbench.core.episode import Observation
from rtbench.data.keypoints import GRIP, keypoint_places
from rtbench.data.recorder import CAMERA, Labelled
from rtbench.data.state import addresses
from rtbench.env.kitchen import Kitchen
from rtbench.env.visibility import in_picture
from rtbench.policy.oracle import oracle_action
from rtbench.policy.oracle.grasp import gripped_along
from rtbench.policy.oracle.motion import View


class LabellingKitchen(Kitchen):
    """A kitchen whose observations carry the oracle's action, keypoints, the grip and the state."""

    def observe(self) -> Labelled:
        """The policy's observation, and what a recording wants beside it."""
        seen = super().observe()
        over = np.zeros(SIZE, dtype=np.int64)
        label = over if self.terminated else self.convention.encode(oracle_action(self))
        values = {field.name: getattr(seen, field.name) for field in fields(Observation)}
        stage = self._current()
        state = stage.data.qpos[addresses(stage.scene.model, stage.world.names())]
        return Labelled(**values, label=label, points=self._points(), grip=self._grip(), state=state)

    def _points(self) -> NDArray[np.float32]:
        stage = self._current()
        camera, model = stage.data.camera(CAMERA), stage.scene.model
        axes = camera.xmat.reshape(3, 3)
        places = keypoint_places(self.task, self.world)
        found = in_picture(places, camera.xpos, axes, float(model.camera(CAMERA).fovy[0]))
        return found.astype(np.float32)

    def _grip(self) -> NDArray[np.float32]:
        if not self.task.objects:
            return np.full(GRIP, np.nan, np.float32)
        name, world = self.task.objects[0], self.world
        offset = world.to_base(world.pose(name)).position - world.to_base(world.gripper()).position
        heading = gripped_along(View(self), name)
        return np.array([*offset, math.nan if heading is None else heading], np.float32)


def make_env(settings: EnvSettings) -> LabellingKitchen:
    """The environment of a worker."""
    return LabellingKitchen.for_worker(settings)
