"""Records episodes in the main process: what was seen, what was acted, and what the oracle would have done.

The oracle sits in the worker, beside the environment, and its answer comes with each observation; see
`rtbench.data.expert_env`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from rtbench.core.action import MODE, Convention, Mode, convention
from rtbench.core.episode import Observation
from rtbench.core.fault import Fault
from rtbench.core.image import shrink
from rtbench.core.seeding import generator
from rtbench.data.action_noise import perturb
from rtbench.data.demonstration import HASH_TYPE, Demonstration
from rtbench.evaluation.player import Player
from rtbench.policy.base import Needs, Policy
from rtbench.policy.check import check_tokens
from rtbench.policy.seed import policy_seed
from rtbench.result.record import Record

CAMERA, WRIST = "head", "wrist"


@dataclass(frozen=True)
class Labelled(Observation):
    """An observation, and the oracle's action in that state."""

    label: NDArray[np.int64]
    """int64[11], in the convention of the environment; zeros once the episode is over."""
    points: NDArray[np.float32]
    """float32[4, 2]: the task's objects and the hand in the head camera's image; see
    `Demonstration.points`."""
    grip: NDArray[np.float32]
    """float32[4]: the first object from the hand, and the heading of a grip; see `Demonstration.grips`."""
    state: NDArray[np.float64]
    """float64[S]: positions from which the frame can be drawn again; see `rtbench.data.state`."""
    lost: bool = False
    """Whether an object of the task has fallen on the floor: no label leads on from there."""


@dataclass(frozen=True)
class Acting:
    """How actions are chosen."""

    policy: Policy | None = None
    """The policy that acts; None: the oracle."""
    name: str = "oracle"
    """Name of the policy."""
    beta: float = 0.0
    """Share of the steps in which the oracle acts in place of the policy: DAgger's mixture."""
    noise: float = 0.0
    """Share of the steps that are disturbed; see `perturb`."""
    needs: Needs = field(default_factory=Needs)
    """Needs of the policy."""
    player: Player | None = None
    """The player that made the policy; None: the oracle."""


@dataclass
class _Trajectory:
    """The recorded steps of an episode."""

    random: np.random.Generator
    images: list[NDArray[np.uint8]] = field(default_factory=list)
    wrist: list[NDArray[np.uint8]] = field(default_factory=list)
    proprio: list[NDArray[np.float32]] = field(default_factory=list)
    tokens: list[NDArray[np.int64]] = field(default_factory=list)
    labels: list[NDArray[np.int64]] = field(default_factory=list)
    points: list[NDArray[np.float32]] = field(default_factory=list)
    grips: list[NDArray[np.float32]] = field(default_factory=list)
    states: list[NDArray[np.float64]] = field(default_factory=list)


class Recorder:
    """A policy that lets another one or the oracle act, adds noise to its actions, and records all steps.

    An episode ends where an object of the task is lost. In 800 episodes of RT-1 12 % of the steps came after
    that, with labels that led nowhere.
    """

    def __init__(
        self, acting: Acting, size: tuple[int, int] | None, recorded: tuple[str, ...] = (CAMERA,)
    ) -> None:
        """Record images of that height and width of cameras; None: none, and draw what `acting` needs."""
        recorded = () if size is None else recorded
        cameras = tuple(dict.fromkeys((*recorded, *acting.needs.cameras)))
        self.needs = replace(acting.needs, cameras=cameras)
        self._acting, self._size, self._recorded = acting, size, recorded
        self._spec: Convention = convention(self.needs.convention)
        self._terminate = self._spec.modes.index(Mode.TERMINATE)
        # By the policy's seed, which is the episode's own: an episode that is played again is recorded anew.
        self._trajectories: dict[int, _Trajectory] = {}
        self._playing: dict[int, int] = {}

    def reset(self, slot: int, instruction: str, seed: int) -> None:
        """Begin the recording of an episode."""
        self._playing[slot] = seed
        self._trajectories[seed] = _Trajectory(generator("demonstration", seed))
        if self._acting.policy:
            self._acting.policy.reset(slot, instruction, seed)

    def act(self, observations: Sequence[Observation], slots: Sequence[int]) -> NDArray[np.int64]:
        """Tokens int64[len(slots), 11] that are acted; the observations must be `Labelled`."""
        seen = [cast("Labelled", observation) for observation in observations]
        if self._acting.policy:
            answer = np.array(self._acting.policy.act(observations, slots))
        else:
            answer = np.stack([observation.label for observation in seen])
        rows = check_tokens(answer, len(slots), self._spec)
        if isinstance(rows, Fault):
            return answer  # `BatchedPolicy` reports the fault
        for k, row in enumerate(rows):
            if not isinstance(row, Fault):
                answer[k] = self._record(self._trajectories[self._playing[slots[k]]], seen[k], row)
        return answer

    def take(self, record: Record) -> Demonstration | None:
        """The demonstration of an episode that has ended, None after an error; its steps are dropped."""
        steps = self._trajectories.pop(policy_seed(record.episode), None)
        if record.outcome is None or steps is None:
            return None
        return Demonstration(
            episode=record.episode,
            policy=self._acting.name,
            success=record.outcome.end,
            fingerprint=record.fingerprint["state"],
            tokens=np.array(steps.tokens, dtype=np.uint8),
            labels=np.array(steps.labels, dtype=np.uint8),
            images=np.stack(steps.images) if steps.images else None,
            wrist=np.stack(steps.wrist) if steps.wrist else None,
            proprio=np.array(steps.proprio, dtype=np.float32),
            hashes=np.array(record.step_hashes[: len(steps.tokens)], dtype=HASH_TYPE),
            points=np.array(steps.points, dtype=np.float32),
            grips=np.array(steps.grips, dtype=np.float32),
            states=np.array(steps.states, dtype=np.float64),
        )

    def _record(self, steps: _Trajectory, seen: Labelled, row: NDArray[np.int64]) -> NDArray[np.int64]:
        """Record a step, and return the tokens to act."""
        if seen.lost:
            over = row.copy()
            over[self._spec.order.index(MODE)] = self._terminate
            return over
        # Drawn with any settings, so that the same noise falls on the same steps.
        mixed = steps.random.random() < self._acting.beta
        # If the policy ends too early, the oracle goes on: one frame would be too little to learn from.
        row = seen.label if mixed or (self._ends(row) and not self._ends(seen.label)) else row
        row = perturb(row, self._spec, self._acting.noise, steps.random)
        if self._size is not None:
            steps.images.append(shrink(seen.images[CAMERA], self._size))
            if WRIST in self._recorded:
                steps.wrist.append(shrink(seen.images[WRIST], self._size))
        steps.proprio.append(seen.proprio)
        steps.tokens.append(row)
        steps.labels.append(seen.label)
        steps.points.append(seen.points)
        steps.grips.append(seen.grip)
        steps.states.append(seen.state)
        return row

    def _ends(self, row: NDArray[np.int64]) -> bool:
        return int(row[self._spec.order.index(MODE)]) == self._terminate
