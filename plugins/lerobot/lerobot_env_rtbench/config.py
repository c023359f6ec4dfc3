"""`RtbenchEnv`: the options `--env.*` of LeRobot for the type `rtbench`."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import gymnasium
from lerobot.configs import FeatureType, PolicyFeature
from lerobot.envs.configs import EnvConfig
from lerobot.envs.utils import freeze_after_episode_end

from lerobot_env_rtbench.backend import Backend
from lerobot_env_rtbench.environment import HEIGHT, PROPRIO, WIDTH, SuiteEnv

WIDTHS = {"rt1-11d": 11, "droid-8d": 8}
"""Action mapping -> numbers; 7 of others."""


@EnvConfig.register_subclass("rtbench")
@dataclass
class RtbenchEnv(EnvConfig):
    """A suite of rtbench; each of its skills is a task."""

    task: str | None = "seen"
    skill: str = ""
    action: str = "rtbench-7d"
    cameras: str = "head"
    control_hz: int = 0
    robot: str = "panda_omron"
    seed: int = 0
    rounds: int = 1
    until: str = ""
    content: str = ""
    fps: int = 3
    features: dict[str, PolicyFeature] = field(default_factory=dict)
    features_map: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Say what the policy sees and gives."""
        shape = (WIDTHS.get(self.action, 7),)
        self.features = {"action": PolicyFeature(type=FeatureType.ACTION, shape=shape)}
        self.features["agent_pos"] = PolicyFeature(type=FeatureType.STATE, shape=(PROPRIO,))
        self.features_map = {"action": "action", "agent_pos": "observation.state"}
        for camera in self._cameras:
            self.features[f"pixels/{camera}"] = PolicyFeature(
                type=FeatureType.VISUAL, shape=(HEIGHT, WIDTH, 3)
            )
            self.features_map[f"pixels/{camera}"] = f"observation.images.{camera}"

    @property
    def _cameras(self) -> tuple[str, ...]:
        return tuple(name.strip() for name in self.cameras.split(",") if name.strip())

    @property
    def gym_kwargs(self) -> dict[str, Any]:
        """Settings of the environment."""
        return {
            "suite": self.task or "seen", "skill": self.skill, "action": self.action, "robot": self.robot,
            "cameras": list(self._cameras), "control_hz": self.control_hz or None, "seed": self.seed,
            "rounds": self.rounds or None, "until": self.until,
            "content": [self.content] if self.content else [],
        }  # fmt: skip

    def create_envs(
        self, n_envs: int, use_async_envs: bool = False
    ) -> dict[str, dict[int, gymnasium.vector.VectorEnv]]:
        """{suite: {number of the skill: environments}}."""
        settings = self.gym_kwargs
        asked = Backend(settings)
        about = asked.about
        asked.close()
        skills = dict.fromkeys(one[0] for one in about["episodes"])
        # Each environment is a process of its own already; asynchronous, they step at the same time.
        vector: Any = gymnasium.vector
        kind = vector.AsyncVectorEnv if use_async_envs and n_envs > 1 else vector.SyncVectorEnv
        same = vector.AutoresetMode.SAME_STEP
        made = {}
        for number, skill in enumerate(skills):
            factory = freeze_after_episode_end(partial(SuiteEnv, settings, about, skill))
            made[number] = kind([factory] * n_envs, autoreset_mode=same)
        return {settings["suite"]: made}
