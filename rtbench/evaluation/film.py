"""Films of episodes: both cameras side by side, and moments between control steps.

A film is made after the episode, from its tokens. So what it costs is in no time that is recorded, and
no pictures wait in memory for an outcome that decides whether they are wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from rtbench.core.environment import EpisodeEnv
from rtbench.core.episode import Episode, EpisodeResult, Observation
from rtbench.core.errors import RunError
from rtbench.core.stated_plan import StatedPlan
from rtbench.evaluation.latency import TICKS_PER_SECOND, Pace
from rtbench.evaluation.rollout import Decision, replayed, rollout
from rtbench.result.video import FPS, Film, film

CAMERAS = ("head", "wrist")
"""Cameras of a film, from the left."""
_EVERY = TICKS_PER_SECOND // FPS
"""Ticks of 1/240 s between two pictures."""


def side_by_side(env: EpisodeEnv) -> NDArray[np.uint8]:
    """What both cameras see now: uint8[256, 640, 3]."""
    return np.hstack([env.frame(camera) for camera in CAMERAS])


def film_again(  # noqa: PLR0913 - a plan is an option beside a pace
    env: EpisodeEnv, episode: Episode, result: EpisodeResult, path: Path,
    *, pace: Pace, plans: Sequence[StatedPlan] = (), on_step: Callable[[], None] = lambda: None,
) -> None:  # fmt: skip
    """Simulate an episode again from its tokens, and write its video.

    Args:
        env: Environment; it may play other episodes afterwards.
        episode: The episode.
        result: What came of it.
        path: The video.
        pace: Control rate and thinking time of the episode.
        plans: What the policy stated.
        on_step: Called before each control step.

    Raises:
        RunError: the second simulation differs from the first; then there is no video.
        OSError: the video cannot be written.
    """
    again = replayed(np.array(result.trace.tokens))

    def act(observation: Observation) -> Decision:
        on_step()
        return again(observation)

    with film(path, episode, plans) as made, filmed(env, made, pace.period) as shown:
        second = rollout(shown, episode, act, pace=pace)
        if second.final_hash != result.final_hash:
            raise RunError("simulated again, the episode ends in another state.")
        made.end(second.outcome)


@contextmanager
def filmed(env: EpisodeEnv, made: Film, period: int) -> Iterator[EpisodeEnv]:
    """Give an environment that adds what happens in one episode to a film, in real time.

    A kitchen's controller simulates in runs of physics steps under constant targets. Here a run is divided
    where a picture is due, `FPS` times a simulated second, which leaves every state as it was to the last
    bit; drawing only reads them. The second in which a success must be held is in the film as well. Of any
    other environment each picture stays until the next control step.

    Args:
        env: The environment.
        made: The film.
        period: Ticks of 1/240 s of a control step.
    """
    shown = _Filmed(env, made, period)
    try:
        yield cast("EpisodeEnv", shown)
    finally:
        shown.release()


class _Filmed:
    """An environment that is filmed; all that is not here is its own."""

    def __init__(self, env: EpisodeEnv, made: Film, period: int) -> None:
        self._env, self._film, self._period = env, made, period
        self._ticks = self._step = 0
        self._picture: NDArray[np.uint8] | None = None
        self._controller: Any = None

    def __getattr__(self, name: str) -> Any:
        """Whatever else the environment has."""
        return getattr(self._env, name)

    def begin(self, episode: Episode) -> Observation:
        """Reset to the episode, and film from now on: not how its objects settle."""
        observation = self._env.begin(episode)
        self._look()
        self._controller = getattr(self._env, "controller", None)
        if self._controller is not None:
            self._watch(self._controller)
        return observation

    def advance(self, tokens: NDArray[np.int64]) -> Observation:
        """Act for one control period."""
        self._step += 1
        observation = self._env.advance(tokens)
        self._pass(self._period)
        return observation

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._env.wait(seconds)
        self._pass(round(seconds * TICKS_PER_SECOND))

    def release(self) -> None:
        """Give the kitchen its controller back as it was."""
        if self._controller is not None:
            del self._controller.run

    def _watch(self, controller: Any) -> None:
        run = controller.run

        def divided(steps: int) -> None:
            due = _EVERY - self._ticks % _EVERY
            pieces = [due, *[_EVERY] * ((steps - due) // _EVERY)] if steps >= due else []
            for piece in pieces:
                run(piece)
                self._ticks += piece
                self._look()
            rest = steps - sum(pieces)
            run(rest)  # of no steps as well: it sets the targets
            self._ticks += rest

        controller.run = divided

    def _pass(self, ticks: int) -> None:
        """Note that time has passed in an environment that cannot be watched meanwhile."""
        if self._controller is not None:
            return
        before, self._ticks = self._ticks // _EVERY, self._ticks + ticks
        due = self._ticks // _EVERY - before
        if due > 1 and self._picture is not None:
            self._film.add(self._picture, self._step, due - 1)
        if due:
            self._look()

    def _look(self) -> None:
        self._picture = side_by_side(self._env)
        self._film.add(self._picture, self._step)
