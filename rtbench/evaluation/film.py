"""Pictures for films: both cameras side by side, and those between control steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rtbench.core.environment import EpisodeEnv
from rtbench.core.episode import Episode, Observation
from rtbench.evaluation.latency import TICKS_PER_SECOND
from rtbench.result.video import FPS, Film

if TYPE_CHECKING:
    from rtbench.env.kitchen import Kitchen

CAMERAS = ("head", "wrist")
"""Cameras of a film, from the left."""
_EVERY = TICKS_PER_SECOND // FPS
"""Ticks of 1/240 s between two pictures."""


def side_by_side(env: EpisodeEnv) -> NDArray[np.uint8]:
    """What both cameras see now: uint8[256, 640, 3]."""
    return np.hstack([env.frame(camera) for camera in CAMERAS])


class BothCameras:
    """An environment whose frames, which a trace keeps, are of both cameras; all else is its own."""

    def __init__(self, env: EpisodeEnv) -> None:
        self._env = env

    def __getattr__(self, name: str) -> Any:
        """Whatever else the environment has."""
        return getattr(self._env, name)

    def frame(self, camera: str = "") -> NDArray[np.uint8]:
        """Image uint8[256, 320, 3] of a camera now; without one uint8[256, 640, 3] of both."""
        return self._env.frame(camera) if camera else side_by_side(self._env)


class Filmed:
    """A kitchen that adds what happens in one episode to a film, 24 pictures a simulated second.

    The controller simulates in runs of physics steps under constant targets. Here a run is divided where a
    picture is due, which leaves every state as it was to the last bit; drawing only reads them. The second in
    which a success must be held is in the film as well.
    """

    def __init__(self, env: Kitchen, film: Film) -> None:
        self._env, self._film = env, film
        self._ticks = self._step = 0

    def __getattr__(self, name: str) -> Any:
        """Whatever else the kitchen has."""
        return getattr(self._env, name)

    def begin(self, episode: Episode) -> Observation:
        """Reset to the episode, and film from now on: not how its objects settle."""
        observation = self._env.begin(episode)
        self._look()
        controller = self._env.controller
        run = controller.run

        def filmed(steps: int) -> None:
            due = _EVERY - self._ticks % _EVERY
            pieces = [due, *[_EVERY] * ((steps - due) // _EVERY)] if steps >= due else []
            for piece in pieces:
                run(piece)
                self._ticks += piece
                self._look()
            rest = steps - sum(pieces)
            run(rest)  # of no steps as well: it sets the targets
            self._ticks += rest

        controller.run = filmed  # type: ignore[method-assign]
        return observation

    def advance(self, tokens: NDArray[np.int64]) -> Observation:
        """Act for one control period."""
        self._step += 1
        return self._env.advance(tokens)

    def _look(self) -> None:
        self._film.add(side_by_side(self._env), self._step)
