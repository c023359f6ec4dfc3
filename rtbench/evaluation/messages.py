"""What the main process and its workers say to each other.

The main process sends `Hello` once, then `Play`, `Reply` and `Withdraw`; None tells a worker to leave. A
worker answers `Ready` or `Broken` once, then `Ask`, `Alive`, `Done` and `Idle`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rtbench.core.environment import EnvSettings
from rtbench.core.episode import Episode, EpisodeResult, Observation
from rtbench.core.fault import Fault
from rtbench.core.stated_plan import StatedPlan
from rtbench.evaluation.latency import Pace
from rtbench.evaluation.rollout import Decision
from rtbench.policy.card import Card


@dataclass(frozen=True)
class Hello:
    """What a worker is for."""

    factory: str
    """'package.module:function' or 'file.py:function' that makes the environment."""
    settings: EnvSettings
    """Given to the factory."""
    pace: Pace
    """How simulated time passes."""
    card: Card | None
    """A privileged policy to run beside the environment; None: the main process decides."""
    videos: str
    """Folder for videos."""
    identity: dict[str, Any] | None = None
    """What `rtbench.policy.identity.identity` said of the card's policy: a worker refuses to make another."""


@dataclass(frozen=True)
class Play:
    """Play this episode."""

    episode: Episode
    """The episode."""
    seed: int
    """Seed for a policy in the worker."""
    video: str
    """none, fail (unless it succeeds) or all."""


@dataclass(frozen=True)
class Reply:
    """The answer to an `Ask`."""

    decision: Decision
    """Tokens and what they cost."""
    plan: StatedPlan | None = None
    """The plan that they follow, of a policy that states plans."""


@dataclass(frozen=True)
class Withdraw:
    """The answer to an `Ask` that gives the episode up."""

    fault: Fault | None = None
    """Why, to be sent back in `Done`; None: the episode will be played again, answer `Idle`."""


@dataclass(frozen=True)
class Ready:
    """The environment stands."""

    info: dict[str, str]
    """`EpisodeEnv.info()`."""


@dataclass(frozen=True)
class Broken:
    """The environment or the privileged policy cannot be had on this machine: the run must stop."""

    message: str
    """One line, or a user error's whole text."""
    traceback: str
    """'' for a user's mistake."""
    what: str = "environment"
    """environment, or policy."""


@dataclass(frozen=True)
class Ask:
    """What should be done now?"""

    observation: Observation
    """The newest observation."""


@dataclass(frozen=True)
class Alive:
    """A policy in the worker has decided; there is nothing to do but to wait on."""


@dataclass(frozen=True)
class Done:
    """The episode is over."""

    result: EpisodeResult | None
    """None after a fault."""
    fault: Fault | None
    """What went wrong."""
    tokens: list[list[int]] = field(default_factory=list)
    """Tokens acted so far, for an episode that broke."""
    video: str | None = None
    """Name of the video file written."""
    report: dict[str, Any] = field(default_factory=dict)
    """What a policy in the worker says of the episode."""
    warning: str = ""
    """Something that did not spoil the episode, such as a video that could not be written."""
    plans: tuple[StatedPlan, ...] = ()
    """The plans that the policy stated, each once."""


@dataclass(frozen=True)
class Idle:
    """A withdrawn episode has been given up; ready for the next."""


FromWorker = Ready | Broken | Ask | Alive | Done | Idle
ToWorker = Play | Reply | Withdraw | None
Wire = Any
"""A `multiprocessing.connection.Connection`; its type parameters differ between versions of typeshed."""
