"""Episodes, observations, outcomes and results: the frozen records that packages exchange."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields
from operator import attrgetter

import msgspec
import numpy as np
from numpy.typing import NDArray

_SORTED = msgspec.json.Encoder(order="sorted")
EVENTS = ("wrong_object", "dropped", "collision", "out_of_reach", "clipped", "mode_switch")
"""What is counted in an episode besides the goal; `rtbench.env.event.EventCounter` says what each is."""
IMAGE_HEIGHT, IMAGE_WIDTH = 256, 320
"""Pixels of RT-1's camera image."""
DEFAULT_ROBOT = "panda_omron"
"""The robot of an episode that names none."""


@dataclass(frozen=True)
class Episode:
    """Everything that fixes an episode's initial state and goal, whatever the policy."""

    suite: str
    """Suite it was drawn from."""
    split: str
    """seen, novel or emergent."""
    axis: str
    """What is varied: 'seen' itself, 'distractors/hard', ..."""
    skill: str
    """Skill it counts under, such as 'pick'."""
    task: str
    """Task id with version, such as 'pick/coke_can-v0'."""
    scene: str
    """Scene name."""
    objects: tuple[str, ...]
    """Objects present: those that the task is about, its foils, then distractors."""
    instruction: str
    """Exact text the policy is given."""
    language: str
    """BCP 47 tag of the instruction."""
    seed: int
    """Seed of placements and variation."""
    variant: str
    """Perturbation applied to the scene; '' for none."""
    horizon: int
    """Control steps after which the episode is cut off."""
    twin: str = ""
    """Key of the same episode unperturbed, or with its own instruction; '' where there is none."""
    arm: str = ""
    """Instruction ablation of the episode: blank, swapped or shuffled; '' for its own instruction."""
    robot: str = DEFAULT_ROBOT
    """The robot that plays it, as 'google_robot', or 'google_robot:simpler' under a controller of its own."""

    @property
    def body(self) -> str:
        """The robot without its controller: what a policy was trained on does not depend on that."""
        return self.robot.partition(":")[0]

    @property
    def key(self) -> str:
        """16 hex digits: SHA-256 of all fields, without the robot where it is `DEFAULT_ROBOT`.

        So episodes of that robot keep the keys that they had before there were others.
        """
        told = dict(zip(_NAMES, _VALUES(self), strict=True))
        if told["robot"] == DEFAULT_ROBOT:
            del told["robot"]
        # 15 times as fast as the json module, with the same bytes. A run computes 100,000 keys.
        return hashlib.sha256(_SORTED.encode(told)).hexdigest()[:16]


_NAMES = tuple(field.name for field in fields(Episode))
_VALUES = attrgetter(*_NAMES)


@dataclass(frozen=True)
class Observation:
    """What a policy sees at one control step."""

    images: dict[str, NDArray[np.uint8]]
    """By camera ('head', 'wrist'): uint8[256, 320, 3], RGB, row 0 at the top. Empty where none is wanted."""
    instruction: str
    """The episode's instruction."""
    proprio: NDArray[np.float32]
    """float32[15]: joint angles 7 [rad], gripper position 3 [m] and quaternion wxyz 4 in the base frame,
    gripper opening [m]."""
    step: int
    """Control steps since reset."""


@dataclass(frozen=True)
class Outcome:
    """How a finished episode ended in the simulator."""

    ever: bool
    """Goal true after any control step."""
    end: bool
    """Goal true when the episode ended."""
    held: bool
    """Goal true at the end and at each control step of one more second in which the robot holds still."""
    steps: int
    """Control steps acted."""
    termination: str
    """on_time, early (terminated without the goal), late (goal true for over 2 s before), missing."""
    progress: float
    """Share of the goal's leaves true at the end, 0 to 1."""
    subgoals: dict[str, bool]
    """Each leaf of the goal, as text, and whether it ever held."""
    events: dict[str, int] = field(default_factory=dict)
    """Count of each of `EVENTS`."""
    touched: str = ""
    """First movable object that the robot touched; '' for none."""
    rules: dict[str, bool] = field(default_factory=dict)
    """Rules reported beside the goal, such as 'strict', and whether each held at the end; most have none."""


HASH_DIGITS = 8
"""Hex digits of the state hash kept for each step: 32 bits find any difference, and stay readable."""


@dataclass
class Trace:
    """Per-step records of an episode. A caller that passes one to `rollout` keeps it if the episode fails."""

    keep_frames: bool = False
    """Render and keep an image of the head camera at reset and after each step."""
    tokens: list[NDArray[np.int64]] = field(default_factory=list)
    """int64[11] of each step."""
    hashes: list[str] = field(default_factory=list)
    """State hash after each step, its first `HASH_DIGITS` hex digits."""
    policy_s: list[float] = field(default_factory=list)
    """Wall time of each decision of the policy [s]."""
    env_s: list[float] = field(default_factory=list)
    """Wall time of each step in the environment, rendering included [s]."""
    loop_s: list[float] = field(default_factory=list)
    """Wall time of each closed-loop step [s], with the wait for other episodes."""
    frames: list[NDArray[np.uint8]] = field(default_factory=list)
    """uint8[256, 320, 3] each; empty unless `keep_frames`."""
    reset_s: float = 0.0
    """Wall time of the reset [s]."""
    slots: list[int] = field(default_factory=list)
    """Slots that each decision's call of the policy answered."""


@dataclass(frozen=True)
class EpisodeResult:
    """A finished episode."""

    outcome: Outcome
    """How it ended."""
    trace: Trace
    """Its records per step."""
    final_hash: str
    """Hash of the full state at the end, before the hold is checked."""
    fingerprint: dict[str, str]
    """Hashes of the initial state; see `rtbench.core.environment.EpisodeEnv.fingerprint`."""
    true_at_reset: bool
    """Whether the goal was true before the first action. Such an episode measures nothing."""
    simulated_s: float
    """Simulated time, with the policy's decisions [s]."""
