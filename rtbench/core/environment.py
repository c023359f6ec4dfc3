"""`EpisodeEnv`, the protocol between the evaluator and an environment, and the settings to make one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rtbench.core.episode import Episode, Observation


class EpisodeEnv(Protocol):
    """An environment that plays one episode after another; `rtbench.env.kitchen.Kitchen` is one."""

    @property
    def terminated(self) -> bool:
        """Whether the last action's mode was terminate."""
        ...

    def begin(self, episode: Episode) -> Observation:
        """Reset to that episode and return its first observation.

        Raises:
            PlacementError: The episode's objects do not fit.
        """
        ...

    def advance(self, tokens: NDArray[np.int64]) -> Observation:
        """Act on tokens int64[11], in the convention's order, for one control period; return an observation.

        Raises:
            ActionError: A token is wrong; names its dimension.
        """
        ...

    def wait(self, seconds: float) -> None:
        """Simulate under the last command for a time [s], a multiple of 1/240."""
        ...

    def success(self) -> bool:
        """Whether the goal is true now."""
        ...

    def leaves(self) -> dict[str, bool]:
        """Each leaf of the goal, as text, and whether it is true now."""
        ...

    def rules(self) -> dict[str, bool]:
        """Rules reported beside success, by name, and whether each holds now; most tasks have none."""
        ...

    def events(self) -> dict[str, int]:
        """Counts since `begin`, one of each of `rtbench.core.episode.EVENTS`."""
        ...

    def touched(self) -> str:
        """The object that the robot touched first; '' for none."""
        ...

    def fingerprint(self) -> dict[str, str]:
        """Hashes of the settled state ('state') and, where one was rendered, of the first frame."""
        ...

    def state_hash(self) -> str:
        """Hash of the full state now, in hex digits."""
        ...

    def frame(self, camera: str = "head") -> NDArray[np.uint8]:
        """Image uint8[256, 320, 3] of a camera now."""
        ...

    def info(self) -> dict[str, str]:
        """What a result depends on: version of MuJoCo, GL renderer and back end, render profile."""
        ...

    def close(self) -> None:
        """Free the simulator and its GL context."""
        ...


@dataclass(frozen=True)
class EnvSettings:
    """Settings of a worker's environment; plain values, which any process can read."""

    cameras: tuple[str, ...] = ()
    """Cameras rendered into each observation."""
    profile: str = "lean"
    """Render profile, lean or full."""
    convention: str = "rtbench"
    """Action convention of the tokens that `advance` takes."""
    content: tuple[str, ...] = ()
    """The user's content roots."""
    control_hz: int = 3
    """Control rate [Hz]."""
    background: str = ""
    """File of a photograph behind robot and objects in pictures of the head camera; '' for the room."""
    background_mask: str = ""
    """File of a picture that is white where the photograph may be seen; '' for everywhere."""
