"""The kitchen environment: `begin` and `advance` for evaluation, `reset` and `step` of Gymnasium."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self, cast

import gymnasium
import mujoco
import numpy as np
from numpy.typing import NDArray

from rtbench.core.action import BINS, MODE, Mode, convention
from rtbench.core.environment import EnvSettings
from rtbench.core.episode import DEFAULT_ROBOT, IMAGE_HEIGHT, IMAGE_WIDTH, Episode, Observation
from rtbench.core.errors import RtbenchError, UnknownNameError
from rtbench.env import gl
from rtbench.env.background import Background
from rtbench.env.camera import PROFILES, Profile, Renderer
from rtbench.env.controller import Controller
from rtbench.env.episode_goal import EpisodeGoal
from rtbench.env.episode_reset import Stage
from rtbench.env.event import EventCounter
from rtbench.env.instruction_space import InstructionSpace
from rtbench.env.kinematics import Arm
from rtbench.env.scene import load_scene, object_sets
from rtbench.env.sim_world import SimWorld
from rtbench.task.library import Library
from rtbench.task.suite import draw
from rtbench.task.task import Goal, Task

CONTROL_HZ = 3.0
"""RT-1's control rate [Hz]."""
STAGES = 6
"""Models, states and GL contexts kept: making one takes a third of a second."""
LEAST_HZ, MOST_HZ = 1.0, 24.0
"""Control rates that the controller, which runs at 24 Hz, can serve."""
RENDER_MODE = "rgb_array"
"""Gymnasium's wrappers make the rest of it: `HumanRendering` a window, `RecordVideo` films."""
Encode = Callable[[Sequence[str]], NDArray[np.float32]]
"""Vectors float32[n, d] of n texts; `rtbench.policy.text_encoder.encoder.SentenceEncoder` is one."""


class Kitchen(gymnasium.Env[dict[str, Any], NDArray[np.int64]]):
    """A mobile manipulator in a kitchen.

    Two ways in. Evaluation calls `begin(episode)` and `advance(tokens)`. Reinforcement learners call
    gymnasium's `reset(seed=...)` and `step(tokens)`, which draw episodes of one task.

    Observation (gymnasium): Dict of 'image' and 'wrist_image' uint8[256, 320, 3] (those of `cameras`),
    'instruction' text, 'proprio' float32[15] (see `rtbench.core.episode.Observation`). For learners that take
    numbers only, `instruction` is an encoder, whose vector float32[d] is then observed, or 'none'.
    Action: MultiDiscrete tokens int64[11] in the order of the convention.
    Reward: 1.0 in the step in which the goal is true as the episode ends, else 0.
    Info of `reset`: 'episode_key' and 'task'; of `step`: 'success' and the counts of events.
    """

    metadata: dict[str, Any] = {"render_modes": [RENDER_MODE], "render_fps": 3}  # noqa: RUF012 - gymnasium's name

    def __init__(  # noqa: PLR0913 - gymnasium.make passes each setting by name
        self,
        task: str = "pick/coke_can-v0",
        *,
        cameras: tuple[str, ...] = ("head",),
        profile: Profile = "lean",
        convention_name: str = "rtbench",
        control_hz: float = CONTROL_HZ,
        content: tuple[Path, ...] = (),
        render_mode: str | None = None,
        instruction: Literal["text", "none"] | Encode = "text",
        robot: str = DEFAULT_ROBOT,
        background: Background | None = None,
    ) -> None:
        self.cameras, self.profile, self.render_mode = tuple(cameras), profile, render_mode
        self.convention = convention(convention_name)
        for camera in self.cameras:
            if camera not in _KEYS:
                raise UnknownNameError("camera", camera, _KEYS)
        if profile not in PROFILES:
            raise UnknownNameError("render profile", profile, PROFILES)
        if not LEAST_HZ <= control_hz <= MOST_HZ:
            raise RtbenchError(f"control_hz is {control_hz}; allowed: {LEAST_HZ:g} to {MOST_HZ:g} Hz.")
        _check_render_mode(render_mode)
        if instruction not in ("text", "none") and not callable(instruction):
            raise UnknownNameError("value", str(instruction), ("text", "none"), where="instruction")
        self._instruction = instruction
        self._library = Library(content)
        self._steps = round(240 / control_hz)
        self._task: Task = self._library.task(task)
        self._robot, self._background = robot, background
        self._arms: dict[str, Arm] = {robot: Arm(self._library.robot(robot))}
        self._stages: OrderedDict[_Key, Stage] = OrderedDict()
        self._renderers: dict[_Key, Renderer] = {}
        self._playing: _Key | None = None
        self._episode: Episode | None = None
        self._control_steps = 0
        self._goal: EpisodeGoal | None = None
        self._last: NDArray[np.float64] | None = None
        self._first: dict[str, str] = {}
        self.action_space = gymnasium.spaces.MultiDiscrete(self.convention.tokens_per_dimension)
        self.observation_space = gymnasium.spaces.Dict(self._spaces())

    @classmethod
    def for_worker(cls, settings: EnvSettings) -> Self:
        """The environment of a worker process.

        The process is ours, so MuJoCo's warnings need not litter the user's folder with MUJOCO_LOG.TXT; those
        that matter end the episode with an error.

        Raises:
            UnknownNameError: no such camera, profile or convention.
        """
        mujoco.set_mju_user_warning(lambda _: None)
        return cls(
            cameras=settings.cameras,
            profile=cast("Profile", settings.profile),
            convention_name=settings.convention,
            control_hz=settings.control_hz,
            content=tuple(Path(root) for root in settings.content),
            background=Background.read(settings.background, settings.background_mask),
        )

    # Evaluation -------------------------------------------------------------------------------------

    def begin(self, episode: Episode) -> Observation:
        """Reset to an episode's initial state, which depends on the episode alone.

        Raises:
            PlacementError: no placement tried leaves a state that can be played.
        """
        self._task = self._library.task(episode.task)
        self._check_cameras(episode.robot)
        self._playing = (episode.scene, object_sets(episode.objects, self._library), episode.robot)
        self._episode = episode
        stage = self._stage(self._playing)
        attempt = stage.reset(self._task, episode)
        self._control_steps, self._last = 0, None
        self._goal = EpisodeGoal(self._task, episode, stage.world)
        self._events = EventCounter(stage.world, self._task)
        observation = self.observe()
        self._first = {"state": self.state_hash(), "attempt": str(attempt)}
        if "head" in observation.images:
            self._first["frame"] = _digest(observation.images["head"].tobytes())
        return observation

    def advance(self, tokens: NDArray[np.int64]) -> Observation:
        """Act for one control period.

        Args:
            tokens: int64[11], in the order of the convention; see `rtbench.core.action`.

        Returns:
            The observation after the step, images uint8[256, 320, 3].

        Raises:
            ActionError: tokens of the wrong shape, type or range; names the dimension.
            SimulationError: the physics diverged.
        """
        stage = self._current()
        action, clipped = stage.controller.take(self.convention.decode(tokens), self.convention.name)
        reached = stage.controller.apply(action, self._steps)
        self._control_steps += 1
        stage.check_finite()
        self._followed().step(self._control_steps, terminates=Mode(int(action[MODE])) is Mode.TERMINATE)
        self._events.step(action, self._last, clipped=clipped, reached=reached)
        self._last = action
        return self.observe()

    def wait(self, seconds: float) -> None:
        """Simulate under the last command for a time [s], rounded to 1/240 s."""
        stage = self._current()
        stage.controller.run(round(seconds * 240))
        stage.check_finite()

    @property
    def terminated(self) -> bool:
        """Whether the last action's mode was terminate."""
        return self._goal is not None and self._goal.terminated

    @property
    def task(self) -> Task:
        """The task being played."""
        return self._task

    @property
    def arm(self) -> Arm:
        """The arm's kinematics, for privileged policies."""
        return self._arms[self._playing[2] if self._playing else self._robot]

    @property
    def world(self) -> SimWorld:
        """Privileged state of the episode being played."""
        return self._current().world

    @property
    def controller(self) -> Controller:
        """The commanded pose, for privileged policies."""
        return self._current().controller

    @property
    def goal(self) -> Goal:
        """What to bring about now, for privileged policies: of two rules the stricter one."""
        return self._followed().wanted

    def success(self) -> bool:
        """Whether the goal is true now, and the instruction is the one that asks for it."""
        return self._followed().success()

    def rules(self) -> dict[str, bool]:
        """Whether the task's stricter rule holds now, as 'strict'; empty where it has none."""
        return self._followed().rules()

    def leaves(self) -> dict[str, bool]:
        """Each leaf of the goal and whether it is true now."""
        return self._followed().leaves()

    def events(self) -> dict[str, int]:
        """Counts since `begin`; see `rtbench.env.event`."""
        return self._events.counts()

    def touched(self) -> str:
        """The object that the robot touched first since `begin`; '' for none."""
        return self._events.first_touched

    def fingerprint(self) -> dict[str, str]:
        """Hash of the settled state, and of the first head image where one was rendered."""
        return dict(self._first)

    def state_hash(self) -> str:
        """SHA-256 (16 hex digits) of time, positions and velocities of all that is in the episode."""
        data = self._current().data
        return _digest(np.float64(data.time).tobytes(), data.qpos.tobytes(), data.qvel.tobytes())

    def frame(self, camera: str = "head") -> NDArray[np.uint8]:
        """Image uint8[256, 320, 3] of a camera now."""
        renderer, data = self._renderer(), self._current().data
        drawn = renderer.render(data, camera)
        if self._background is None or camera != "head":
            return drawn
        return self._background.behind(drawn, renderer.segment(data, camera), self.world.foreground())

    def info(self) -> dict[str, str]:
        """What a result depends on besides the episode."""
        known = {"mujoco": mujoco.__version__, "profile": self.profile}
        if self.cameras:
            gpu = gl.select()
            known |= {"gl": gpu.name, "gl_renderer": gpu.renderer, "gl_version": gpu.version}
        return known

    def observe(self) -> Observation:
        """The policy's observation of the present state; see `rtbench.core.episode.Observation`."""
        stage = self._current()
        images = {camera: self.frame(camera) for camera in self.cameras}
        hand = stage.world.to_base(stage.world.gripper())
        pose = (*hand.position.tolist(), *hand.quaternion.tolist())
        numbers = (*stage.controller.measured().tolist(), *pose, stage.world.gripper_opening())
        proprio = np.array(numbers, dtype=np.float32)
        return Observation(images, self._followed().instruction, proprio, self._control_steps)

    # Gymnasium --------------------------------------------------------------------------------------

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin an episode of the task; the same seed gives the same one. Options: {'episode': Episode}."""
        super().reset(seed=seed)
        episode = (options or {}).get("episode") or self._draw(seed)
        return self._as_dict(self.begin(episode)), {"episode_key": episode.key, "task": episode.task}

    def step(self, action: NDArray[np.int64]) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Act for one control period.

        Args:
            action: Tokens int64[11], in the order of the convention; see `rtbench.core.action`.

        Returns:
            Observation and reward (see the class), terminated, truncated, and info.
        """
        observation = self.advance(action)
        cut = self._episode is not None and self._control_steps >= self._episode.horizon
        success = self.success()
        truncated = cut and not self.terminated
        reward = float(success and (self.terminated or cut))
        info = {"success": success, **self._events.counts()}
        return self._as_dict(observation), reward, self.terminated, truncated, info

    def render(self) -> NDArray[np.uint8] | None:
        """Image uint8[256, 320, 3] of the head camera, RGB, if render_mode is 'rgb_array'; else None."""
        return self.frame("head") if self.render_mode == RENDER_MODE else None

    def close(self) -> None:
        """Free the GL contexts."""
        for renderer in self._renderers.values():
            renderer.close()
        self._renderers.clear()

    # Inside -----------------------------------------------------------------------------------------

    def _spaces(self) -> dict[str, gymnasium.Space[Any]]:
        spaces: dict[str, gymnasium.Space[Any]] = {
            _KEYS[camera]: gymnasium.spaces.Box(0, BINS - 1, (IMAGE_HEIGHT, IMAGE_WIDTH, 3), np.uint8)
            for camera in self.cameras
        }
        if self._instruction == "text":
            spaces["instruction"] = InstructionSpace()
        elif callable(self._instruction):
            shape = self._instruction([""])[0].shape
            spaces["instruction"] = gymnasium.spaces.Box(-np.inf, np.inf, shape, np.float32)
        spaces["proprio"] = gymnasium.spaces.Box(-_PROPRIO_MOST, _PROPRIO_MOST, dtype=np.float32)
        return spaces

    def _as_dict(self, observation: Observation) -> dict[str, Any]:
        images = {_KEYS[camera]: image for camera, image in observation.images.items()}
        told: dict[str, Any] = {"instruction": observation.instruction}
        if callable(self._instruction):
            told = {"instruction": self._instruction([observation.instruction])[0]}
        elif self._instruction == "none":
            told = {}
        return {**images, **told, "proprio": observation.proprio}

    def _draw(self, seed: int | None) -> Episode:
        drawn = int(self.np_random.integers(2**31)) if seed is None else seed
        return draw(replace(self._library.suite("seen"), robot=self._robot), self._task, drawn)

    def _followed(self) -> EpisodeGoal:
        if self._goal is None:
            raise RtbenchError(_NO_EPISODE)
        return self._goal

    def _check_cameras(self, robot: str) -> None:
        known = self._library.robot(robot).cameras
        for camera in self.cameras:
            if camera not in known:
                raise UnknownNameError("camera", camera, known, where=f"robot {robot}")

    def _key(self) -> _Key:
        if self._playing is None:
            raise RtbenchError(_NO_EPISODE)
        return self._playing

    def _current(self) -> Stage:
        return self._stage(self._key())

    def _stage(self, key: _Key) -> Stage:
        """The stage for a scene and sets of objects; the one used longest ago makes way for one too many."""
        if key not in self._stages:
            scene, sets, robot = key
            if robot not in self._arms:
                self._arms[robot] = Arm(self._library.robot(robot))
            loaded = load_scene(scene, sets, self._library, robot)
            self._stages[key] = Stage(loaded, self._arms[robot], self._library)
            while len(self._stages) > STAGES:
                oldest, _ = self._stages.popitem(last=False)
                renderer = self._renderers.pop(oldest, None)
                if renderer is not None:
                    renderer.close()
        self._stages.move_to_end(key)
        return self._stages[key]

    def _renderer(self) -> Renderer:
        stage, key = self._current(), self._key()
        if key not in self._renderers:
            # Four times the pixels made a control step with a frame twice as slow (2026-11-29).
            scale = stage.scene.robot.head.scale if self.profile == "full" else 1
            self._renderers[key] = Renderer(stage.scene.model, self.profile, scale=scale)
        return self._renderers[key]


_Key = tuple[str, tuple[str, ...], str]
"""A scene, the sets of objects that an episode uses, and its robot."""
_NO_EPISODE = "no episode yet: call begin(episode) or reset() first."
_KEYS = {"head": "image", "wrist": "wrist_image"}
_PROPRIO_MOST = np.array([4.0] * 7 + [3.0] * 3 + [1.01] * 4 + [0.1], dtype=np.float32)
"""Bounds of proprioception: joint limits [rad], reach [m], a unit quaternion, the gripper [m]."""


def _check_render_mode(mode: object) -> None:
    if mode not in (None, RENDER_MODE):
        film = "`rtbench run --video all` or gymnasium's RecordVideo, which needs moviepy"
        where = 'gymnasium.make(NAME, render_mode="human"), which needs pygame-ce and a display'
        allowed = f"allowed: {RENDER_MODE!r} and None. A window: {where}. Films: {film}"
        raise RtbenchError(f"render_mode is {mode!r}; {allowed}.")


def _digest(*parts: bytes) -> str:
    sha = hashlib.sha256()
    for part in parts:
        sha.update(part)
    return sha.hexdigest()[:16]


def make_worker_env(settings: EnvSettings) -> Kitchen:
    """The environment of a worker of an evaluation; see `Kitchen.for_worker`."""
    return Kitchen.for_worker(settings)
