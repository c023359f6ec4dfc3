"""Reset of a compiled scene to an episode's initial state: placement, settling, visibility checks."""

from __future__ import annotations

import copy
import math
from dataclasses import astuple, replace

import mujoco
import numpy as np
from numpy.typing import NDArray

from rtbench.core.episode import Episode
from rtbench.core.errors import PlacementError, RtbenchError
from rtbench.core.seeding import generator
from rtbench.env.kinematics import Arm
from rtbench.env.perturbation import HEAD, restore, start, vary
from rtbench.env.placement import Placer
from rtbench.env.scene import Scene
from rtbench.env.sim_world import SimWorld
from rtbench.env.simpler_controller import CONTROLLERS
from rtbench.env.visibility import Sight, visible_share
from rtbench.task.library import BUNDLED, Library
from rtbench.task.predicate import evaluate
from rtbench.task.robot_entry import BASE_JOINTS
from rtbench.task.task import Task
from rtbench.task.variant_entry import VariantEntry

SETTLE_STEPS = 60
"""Physics steps before the first observation: objects come to rest from a millimetre's drop."""
SETTLE_ROUNDS = 12
"""Most times that `SETTLE_STEPS` are run, until all objects lie still."""
SETTLE_CREEP = 0.002
"""Objects that move more than this in `SETTLE_STEPS` [m] have not settled; they are dropped from 1 mm."""
SETTLE_SPEED = 0.02
"""Objects faster than this [m/s] have not settled."""
ATTEMPTS = 20
"""Most placements of the targets, each from its own random stream, until one is playable."""
REDRAWS = 6
"""Most placements of the distractors for each of them."""
START_JITTER = (0.02, 0.02, 0.03)
"""Half range of the base's start about its station [m, m, rad]: RT-1 varied the robot's pose."""
LEAST_VISIBLE = 0.75
"""Least visible share of a target at the start, by rays; then at least 60 % of its pixels are visible."""
ON_FLOOR = 0.3
"""Objects below this height [m] have fallen off the counter."""
_DIVERGED = [
    int(mujoco.mjtWarning.mjWARN_BADQPOS),
    int(mujoco.mjtWarning.mjWARN_BADQVEL),
    int(mujoco.mjtWarning.mjWARN_BADQACC),
]
_HIDDEN = 4
"""A geom group that is never drawn."""


class SimulationError(RtbenchError):
    """The physics diverged; the episode is an error, not a failure."""


class Stage:
    """A scene's model with the data, world and controller that belong to it."""

    def __init__(self, scene: Scene, arm: Arm, library: Library = BUNDLED) -> None:
        # It owns its model, because visibility, sleep and a variant's appearance are written into it.
        self._whole = scene.model
        model = copy.copy(scene.model)
        self.scene, self.data = replace(scene, model=model), mujoco.MjData(model)
        scene = self.scene
        self.world = SimWorld(scene, self.data)
        self.controller = CONTROLLERS[scene.robot.controller](model, self.data, arm, scene.robot)
        self._library = library
        bodies = {name: model.body(name).id for name in scene.objects}
        self._trees = {name: int(model.body_treeid[body]) for name, body in bodies.items()}
        self._bodies = bodies
        self._geoms = {name: np.flatnonzero(model.geom_bodyid == body) for name, body in bodies.items()}

    def reset(self, task: Task, episode: Episode) -> int:
        """Set the episode's initial state; return the number of attempts that failed before.

        Distractors are drawn again before targets are, so that other distractors rarely move the targets.

        Raises:
            PlacementError: no attempt gave a state that can be played; says why the last one did not.
            UnknownNameError: a variant that does not exist.
        """
        reason = ""
        variant = self._vary(task, episode)
        for attempt in range(ATTEMPTS * REDRAWS):
            try:
                self._place(task, episode, variant, *divmod(attempt, REDRAWS))
            except PlacementError as error:
                reason = str(error)
                continue
            unfit = self._unfit(task, episode) or self._badly_seen(task, variant)
            if unfit is None:
                return attempt
            reason = unfit
        raise PlacementError(
            f"episode {episode.key} ({episode.task}): {ATTEMPTS * REDRAWS} placements failed. {reason}"
        )

    def check_finite(self) -> None:
        """Raise a SimulationError if the physics has diverged."""
        # MuJoCo resets a diverged state and continues; only its warnings show it.
        # A sum is finite only where all its terms are.
        numbers = self.data.warning.number.tolist()
        if any(numbers[w] for w in _DIVERGED) or not math.isfinite(mujoco.mju_sum(self.data.qpos)):
            raise SimulationError(
                f"the physics diverged at {self.data.time:.3f} s; the episode's tokens reproduce it with "
                "`rtbench replay`."
            )

    def _vary(self, task: Task, episode: Episode) -> VariantEntry:
        """Make the model the one of the episode's variant, whatever was played before."""
        variant = self._library.variant(episode.variant)
        if variant.visible is not None and not self._stands(task, next(iter(task.objects), "")):
            raise PlacementError(
                f"variant {variant.name!r} hides the first object that {task.id} is about, but none "
                "stands on a counter at the start; play another task."
            )
        restore(self.scene.model, self._whole)
        vary(self.scene.model, variant, generator(episode.task, episode.seed, "variation"))
        self._show_only(episode.objects)
        return variant

    def _place(self, task: Task, episode: Episode, variant: VariantEntry, attempt: int, redraw: int) -> None:
        data, scene = self.data, self.scene
        rng = generator(episode.task, episode.seed, "placement", attempt)
        others = generator(episode.task, episode.seed, "distractors", attempt, redraw)
        mujoco.mj_resetData(scene.model, data)
        layout = task.start.layout(episode.seed)
        station = start(
            scene.station(task.start.station) if layout is None else np.array(astuple(layout.robot)),
            variant,
            generator(episode.task, episode.seed, "robot"),
        )
        base = station if layout else station + rng.uniform(-1.0, 1.0, 3) * START_JITTER
        arm, gripper = scene.robot.arm, scene.robot.gripper
        joints = (*BASE_JOINTS, *arm.joints, *gripper.joints)
        start_at = (*base, *arm.home, *(sign * gripper.home for sign in gripper.joints.values()))
        for joint, value in (*zip(joints, start_at, strict=True), *task.start.drawers.items()):
            data.joint(joint).qpos[0] = value
        self.world.set_present(episode.objects)
        poses = Placer(scene, task, rng, others).place(episode, self._sight(variant))
        for name, pose in poses.items():
            joint = data.joint(f"{name}:free")
            joint.qpos[:3], joint.qpos[3:] = pose.position, pose.quaternion
        self.controller.reset()
        self._settle(episode)
        data.time = 0.0

    def _sight(self, variant: VariantEntry) -> Sight | None:
        """Required visible share of the first object, from the robot; None where all may be visible."""
        if variant.visible is None:
            return None
        mujoco.mj_kinematics(self.scene.model, self.data)
        mujoco.mj_camlight(self.scene.model, self.data)
        return Sight(self.data.cam(HEAD).xpos.copy(), *variant.visible)

    def _settle(self, episode: Episode) -> None:
        """Simulate until no object moves any more, neither fast nor slowly."""
        for _ in range(SETTLE_ROUNDS):
            before = self._positions(episode)
            self.controller.run(SETTLE_STEPS)
            crept = np.abs(self._positions(episode) - before).max(initial=0.0)
            if crept < SETTLE_CREEP and not self._moving(episode):
                break

    def _positions(self, episode: Episode) -> NDArray[np.float64]:
        return np.array([self.data.joint(f"{name}:free").qpos[:3] for name in episode.objects])

    def _show_only(self, names: tuple[str, ...]) -> None:
        """Put all other objects to sleep where they are parked, hide them, and let nothing collide with them.

        Without the last, looking for their collisions costs a quarter of a step (2026-11-21).
        """
        model, whole = self.scene.model, self._whole
        for name, tree in self._trees.items():
            used = name in names
            policy = mujoco.mjtSleepPolicy.mjSLEEP_ALLOWED if used else mujoco.mjtSleepPolicy.mjSLEEP_INIT
            model.tree_sleep_policy[tree] = policy
            geoms, body = self._geoms[name], self._bodies[name]
            model.geom_group[geoms] = whole.geom_group[geoms] if used else _HIDDEN
            for of_model, of_whole, at in (
                (model.geom_contype, whole.geom_contype, geoms),
                (model.geom_conaffinity, whole.geom_conaffinity, geoms),
                (model.body_contype, whole.body_contype, body),
                (model.body_conaffinity, whole.body_conaffinity, body),
            ):
                of_model[at] = of_whole[at] if used else 0

    def _moving(self, episode: Episode) -> list[str]:
        return [name for name in episode.objects if self.world.speed(name) >= SETTLE_SPEED]

    def _unfit(self, task: Task, episode: Episode) -> str | None:
        """Reason why the settled state is not playable; None if it is."""
        moving = self._moving(episode)
        if moving:
            return f"{moving[0]!r} did not come to rest."
        low = [name for name in episode.objects if self.world.box(name)[0][2] < ON_FLOOR]
        if low:
            return f"{low[0]!r} fell to the floor."
        if evaluate(task.goal, self.world):
            return f"The goal {task.goal} was already true."
        if task.start.given is not None and not evaluate(task.start.given, self.world):
            return f"{task.start.given} did not hold."
        return None

    def _badly_seen(self, task: Task, variant: VariantEntry) -> str | None:
        """The task's object or foil that is visible too little or too much; None if there is none."""
        if task.start.layouts:
            return None  # no other placement would show more
        for name in (o for o in task.present if self._stands(task, o)):
            share = visible_share(self.scene.model, self.data, self.scene.objects[name])
            hidden = variant.visible if name == task.objects[0] else None
            least, most = hidden or (LEAST_VISIBLE, 1.0)
            if not least <= share <= most:
                return f"{100 * share:.0f} % of {name!r} could be seen."
        return None

    def _stands(self, task: Task, name: str) -> bool:
        """Whether an object starts in a place where the camera can see it.

        An object that starts in a bowl or drawer is hidden on purpose. So is a bowl, by its content.
        """
        place = task.start.place
        on_counter = place.get(name, "") in {"", *self.scene.spec.counters}
        return name in self.scene.objects and on_counter and name not in place.values()
