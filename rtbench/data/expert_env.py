"""The environment of a worker that records: its observations carry the oracle's action."""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from rtbench.core.action import SIZE
from rtbench.core.environment import EnvSettings
from rtbench.core.episode import Episode, Observation
from rtbench.core.seeding import generator
from rtbench.data.keypoints import GRIP, keypoint_places
from rtbench.data.recorder import CAMERA, Labelled
from rtbench.data.state import addresses
from rtbench.env.episode_reset import SETTLE_STEPS
from rtbench.env.kitchen import Kitchen
from rtbench.env.visibility import in_picture
from rtbench.policy.oracle import oracle_action
from rtbench.policy.oracle.grasp import gripped_along
from rtbench.policy.oracle.motion import View
from rtbench.policy.seed import policy_seed
from rtbench.task.robot_entry import BASE_JOINTS

FLOOR = 0.3
"""An object of the task whose middle is lower than this [m] has fallen on the floor: counters, and drawers
with what is in them, are higher. No hand comes down there."""
START_SHIFT = (0.015, 0.025, 0.03)
"""Half range of a further shift of the base's start [m, m, rad], about where the episode has it. With the
episode's own it stays within what the suite `novel` perturbs at least: 5 cm aside and 4 degrees."""


class LabellingKitchen(Kitchen):
    """A kitchen whose observations carry the oracle's action, keypoints, the grip and the state."""

    shifts_start = False
    """Whether the robot starts a little elsewhere than the episode has it."""

    def begin(self, episode: Episode) -> Observation:
        """Reset to an episode, with the robot's start shifted if that is wanted; the episode decides how."""
        seen = super().begin(episode)
        if not self.shifts_start:
            return seen
        stage, random = self._current(), generator("start shift", policy_seed(episode))
        for joint, shift in zip(BASE_JOINTS, random.uniform(-1, 1, 3) * START_SHIFT, strict=True):
            stage.data.joint(joint).qpos[0] += shift
        stage.controller.reset()
        self.wait(SETTLE_STEPS / 240)
        stage.data.time = 0.0
        # A replay starts where the episode does; the first state's hash shows it that.
        self._first["state"] = self.state_hash()
        return self.observe()

    def observe(self) -> Labelled:
        """The policy's observation, and what a recording wants beside it."""
        seen = super().observe()
        over = np.zeros(SIZE, dtype=np.int64)
        label = over if self.terminated else self.convention.encode(oracle_action(self))
        values = {field.name: getattr(seen, field.name) for field in fields(Observation)}
        stage = self._current()
        state = stage.data.qpos[addresses(stage.scene.model, stage.world.names())]
        return Labelled(
            **values, label=label, points=self._points(), grip=self._grip(), state=state, lost=self._lost()
        )

    def _lost(self) -> bool:
        """Whether an object of the task is where the oracle cannot bring it back from."""
        return any(self.world.pose(name).position[2] < FLOOR for name in self.task.objects)

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


def make_shifted_env(settings: EnvSettings) -> LabellingKitchen:
    """The same, with shifted starts."""
    env = LabellingKitchen.for_worker(settings)
    env.shifts_start = True
    return env
