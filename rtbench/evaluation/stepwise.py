"""Episodes of a suite, step by step, for harnesses that own the loop: LeRobot's, vla-eval's, a robot's.

They send numbers in the units of an action mapping and get observations. `rtbench.evaluation.evaluate` is
the loop to use where there is a choice: it pairs, records and verifies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rtbench.core.action import RTBENCH
from rtbench.core.environment import EnvSettings, EpisodeEnv
from rtbench.core.episode import DEFAULT_ROBOT, Episode, Observation
from rtbench.core.errors import ActionError, RunError
from rtbench.core.importing import load_object
from rtbench.evaluation.evaluate import FACTORY
from rtbench.evaluation.latency import HORIZON_HZ, Pace
from rtbench.policy.continuous.named import find_mapping
from rtbench.policy.continuous.policy import kinematics
from rtbench.policy.continuous.transform import MapperState, step

if TYPE_CHECKING:
    from rtbench.policy.continuous.mapping import ActionMapping


@dataclass(frozen=True)
class Moment:
    """What an episode looks like after a step."""

    observation: Observation
    """The newest observation."""
    success: bool
    """Whether the goal is true now."""
    done: bool
    """Whether the episode is over: the policy ended it, its goal is reached, or its time is up."""


@dataclass(frozen=True)
class StepwiseSettings:
    """What is played, and how."""

    suite: str = "seen"
    """Name of a suite, or a YAML file."""
    skill: str = ""
    """Only this skill; '' for all."""
    cameras: tuple[str, ...] = ("head",)
    """Cameras in each observation."""
    action: str = "rt1-11d"
    """What the numbers mean: a preset, or a YAML file."""
    control_hz: int | None = None
    """Control rate [Hz]; the mapping's own where None."""
    robot: str = DEFAULT_ROBOT
    """The robot that acts."""
    seed: int = 0
    """Of the draw of episodes."""
    rounds: int | None = None
    """As many as the suite says where None."""
    until: str = ""
    """success: an episode ends as soon as its goal is true; end: not before the policy or the time ends it.
    '' for success where the mapping's policies never end an episode, and end elsewhere."""
    content: tuple[str, ...] = ()
    """Roots of the user's content."""
    factory: str = FACTORY
    """What makes the environment."""


class Stepwise:
    """An environment that plays chosen episodes of a suite."""

    def __init__(self, settings: StepwiseSettings) -> None:
        """Draw the episodes; the environment is made with the first.

        Raises:
            UnknownNameError: no such suite, skill, mapping or robot.
            ContentError: content that cannot be used.
        """
        self.mapping: ActionMapping = find_mapping(settings.action)
        """What the numbers mean."""
        self.episodes: list[Episode] = drawn(settings)
        """What can be played."""
        if settings.until not in ("", "success", "end"):
            raise RunError(f"until {settings.until!r}: expected success or end.")
        ends = self.mapping.end.rule != "never"
        self._early = settings.until == "success" or (settings.until == "" and not ends)
        self._settings = settings
        self.control_hz = settings.control_hz or self.mapping.control_hz or HORIZON_HZ
        """Control rate [Hz]."""
        self._forward = kinematics() if "joints" in self.mapping.slices else None
        self._env: EpisodeEnv | None = None
        self._seen: Observation | None = None
        self._state, self._used, self._budget = MapperState(), 0, 0

    def most_steps(self, episode: Episode) -> int:
        """Steps that an episode has time for."""
        return episode.horizon * self.control_hz // HORIZON_HZ

    def begin(self, number: int) -> Observation:
        """Reset to the episode of that number, counted round where there are fewer.

        Raises:
            PlacementError: its objects do not fit.
            RenderError: this machine cannot draw.
        """
        episode = self.episodes[number % len(self.episodes)]
        self._env = self._env or self._made()
        self._seen = self._env.begin(episode)
        self._state, self._used = MapperState(), 0
        self._budget = Pace.budget(episode.horizon)
        return self._seen

    def step(self, numbers: Any) -> Moment:
        """Act on numbers [D] for one control period.

        Raises:
            ActionError: numbers of another width, or not finite.
            RunError: no episode has begun, or it is over.
        """
        if self._env is None or self._seen is None:
            raise RunError("no episode is being played; call begin first.")
        given = np.asarray(numbers, dtype=np.float64)
        if given.shape != (self.mapping.width,) or not np.isfinite(given).all():
            what = f"numbers of shape {given.shape}" if np.isfinite(given).all() else "NaN or infinity"
            raise ActionError(
                f"{what} came; expected ({self.mapping.width},) of action {self._settings.action}."
            )
        mapped = step(given, self.mapping, self._seen.proprio, self._state, RTBENCH, self._forward)
        self._state = mapped.state
        self._seen = self._env.advance(mapped.tokens)
        period = Pace(control_hz=self.control_hz).period
        self._used += period
        success = self._env.success()
        late = self._used + period > self._budget
        done = self._env.terminated or late or (self._early and success)
        moment = Moment(self._seen, success, done)
        if done:
            self._seen = None
        return moment

    def frame(self, camera: str = "head") -> NDArray[np.uint8]:
        """What a camera sees now: uint8[256, 320, 3].

        Raises:
            RunError: no episode has begun.
        """
        if self._env is None:
            raise RunError("no episode is being played; call begin first.")
        return self._env.frame(camera)

    def close(self) -> None:
        """Close the environment."""
        if self._env is not None:
            self._env.close()
            self._env = None

    def _made(self) -> EpisodeEnv:
        settings = self._settings
        if settings.factory == FACTORY:
            from rtbench.env import gl

            gl.prepare()  # before MuJoCo is imported, with the kitchen
        made: EpisodeEnv = load_object(settings.factory)(
            EnvSettings(cameras=settings.cameras, content=settings.content, control_hz=self.control_hz)
        )
        return made


def drawn(settings: StepwiseSettings) -> list[Episode]:
    """The episodes that settings choose, in the order of the suite.

    Raises:
        UnknownNameError: no such suite, skill or robot.
    """
    from dataclasses import replace

    from rtbench.task.library import Library
    from rtbench.task.suite import episodes

    library = Library(tuple(map(Path, settings.content)))
    robot = library.robot(settings.robot).name
    skills: Sequence[str] = [settings.skill] if settings.skill else []
    suite = replace(library.suite(settings.suite), robot=robot)
    return episodes(suite, rounds=settings.rounds, skills=skills, seed=settings.seed)
