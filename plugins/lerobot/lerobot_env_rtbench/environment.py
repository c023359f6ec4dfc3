"""`SuiteEnv`: one skill of a suite as a Gymnasium environment, as LeRobot wants it."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from lerobot_env_rtbench.backend import Backend, RtbenchError

HEIGHT, WIDTH, PROPRIO = 256, 320, 15


class SuiteEnv(gymnasium.Env):
    """Plays the suite's episodes of one skill; the seed of a reset chooses which.

    The observation has `pixels`, a camera each, uint8[256, 320, 3], and `agent_pos`, float32[15]: joint
    angles [rad], position [m] and quaternion (wxyz) of the hand in the base frame, opening [m].
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 3}  # noqa: RUF012 - Gymnasium's own form

    def __init__(self, settings: dict[str, Any], about: dict[str, Any], skill: str) -> None:
        """Take what is known of the suite; rtbench's process starts with the first reset.

        Args:
            settings: Fields of `rtbench.evaluation.stepwise.StepwiseSettings`.
            about: What a `Backend` with these settings says.
            skill: Whose episodes are played.
        """
        self._settings = settings
        self._backend: Backend | None = None
        self.render_mode = "rgb_array"
        self._episodes = [(k, *one) for k, one in enumerate(about["episodes"]) if one[0] == skill]
        self.metadata = {**self.metadata, "render_fps": about["control_hz"]}
        self._max_episode_steps = max(steps for *_, steps in self._episodes)
        """Read by LeRobot."""
        image = spaces.Box(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
        self._cameras = tuple(settings["cameras"])
        self.observation_space = spaces.Dict({
            "pixels": spaces.Dict(dict.fromkeys(self._cameras, image)),
            "agent_pos": spaces.Box(-np.inf, np.inf, (PROPRIO,), np.float32),
        })  # fmt: skip
        self.action_space = spaces.Box(-np.inf, np.inf, (about["width"],), np.float32)
        self._number = -1

    @property
    def task(self) -> str:
        """The skill of the episode."""
        return str(self._episodes[self._number][1])

    @property
    def task_description(self) -> str:
        """The instruction of the episode."""
        return str(self._episodes[self._number][2])

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin the episode that the seed chooses; the next one without.

        Raises:
            RtbenchError: rtbench cannot be started.
        """
        super().reset(seed=seed, options=options)
        self._number = (self._number + 1 if seed is None else seed) % len(self._episodes)
        self._backend = self._backend or Backend(self._settings)
        _, arrays = self._backend.ask("begin", number=self._episodes[self._number][0])
        return self._seen(arrays), self._info(success=False)

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Act on numbers float[D] for one control period; the reward is 1 where the goal is true."""
        numbers = np.asarray(action, dtype=np.float64)
        told, arrays = self._begun().ask("step", {"numbers": numbers})
        success, done = bool(told["success"]), bool(told["done"])
        info = self._info(success=success)
        return self._seen(arrays), float(success), done and success, done and not success, info

    def render(self) -> np.ndarray:
        """What the head camera sees now: uint8[256, 320, 3]."""
        return self._begun().ask("frame")[1]["frame"]

    def close(self) -> None:
        """End rtbench's process."""
        if self._backend is not None:
            self._backend.close()
            self._backend = None

    def _begun(self) -> Backend:
        if self._backend is None:
            raise RtbenchError("no episode is being played; call reset first.")
        return self._backend

    def _seen(self, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
        pixels = {camera: arrays[camera] for camera in self._cameras}
        return {"pixels": pixels, "agent_pos": arrays["proprio"].astype(np.float32)}

    def _info(self, *, success: bool) -> dict[str, Any]:
        return {"is_success": success, "key": self._episodes[self._number][3]}
