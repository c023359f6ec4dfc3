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

CAMERA = "head"


@dataclass(frozen=True)
class Labelled(Observation):
    """An observation, and what the oracle would do."""

    label: NDArray[np.int64]
    """int64[11], in the convention of the environment; zeros once the episode is over."""
    points: NDArray[np.float32]
    """float32[4, 2]: where the task's objects and the hand are in the head camera's picture."""
    grip: NDArray[np.float32]
    """float32[4]: where the first of them is from the hand, and how gripped; see `Demonstration.grips`."""


@dataclass(frozen=True)
class Acting:
    """How an action is chosen."""

    policy: Policy | None = None
    """Who acts; None: the oracle."""
    name: str = "oracle"
    """Of the policy."""
    beta: float = 0.0
    """Share of the steps in which the oracle acts in place of the policy: DAgger's mixture."""
    noise: float = 0.0
    """Share of the steps that are disturbed; see `perturb`."""
    needs: Needs = field(default_factory=Needs)
    """Of the policy."""
    player: Player | None = None
    """What made the policy; None: the oracle."""


@dataclass
class _Tape:
    """What has been recorded of an episode."""

    random: np.random.Generator
    images: list[NDArray[np.uint8]] = field(default_factory=list)
    proprio: list[NDArray[np.float32]] = field(default_factory=list)
    tokens: list[NDArray[np.int64]] = field(default_factory=list)
    labels: list[NDArray[np.int64]] = field(default_factory=list)
    points: list[NDArray[np.float32]] = field(default_factory=list)
    grips: list[NDArray[np.float32]] = field(default_factory=list)


class Recorder:
    """A policy that lets another one or the oracle act, disturbs it now and then, and notes everything."""

    def __init__(self, acting: Acting, size: tuple[int, int]) -> None:
        """Record images of that height and width."""
        cameras = tuple(dict.fromkeys((CAMERA, *acting.needs.cameras)))
        self.needs = replace(acting.needs, cameras=cameras)
        self._acting, self._size = acting, size
        self._spec: Convention = convention(self.needs.convention)
        self._terminate = self._spec.modes.index(Mode.TERMINATE)
        # By the policy's seed, which is the episode's own: an episode that is played again begins a new tape.
        self._tapes: dict[int, _Tape] = {}
        self._playing: dict[int, int] = {}

    def reset(self, slot: int, instruction: str, seed: int) -> None:
        """Begin a tape."""
        self._playing[slot] = seed
        self._tapes[seed] = _Tape(generator("demonstration", seed))
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
            return answer  # the desk says what is wrong with it
        for k, row in enumerate(rows):
            if not isinstance(row, Fault):
                answer[k] = self._note(self._tapes[self._playing[slots[k]]], seen[k], row)
        return answer

    def take(self, record: Record) -> Demonstration | None:
        """The demonstration of an episode that has ended, None after an error; its tape is dropped."""
        tape = self._tapes.pop(policy_seed(record.episode), None)
        if record.outcome is None or tape is None:
            return None
        return Demonstration(
            episode=record.episode,
            policy=self._acting.name,
            success=record.outcome.end,
            fingerprint=record.fingerprint["state"],
            tokens=np.array(tape.tokens, dtype=np.uint8),
            labels=np.array(tape.labels, dtype=np.uint8),
            images=np.stack(tape.images),
            proprio=np.array(tape.proprio, dtype=np.float32),
            hashes=np.array(record.step_hashes, dtype=HASH_TYPE),
            points=np.array(tape.points, dtype=np.float32),
            grips=np.array(tape.grips, dtype=np.float32),
        )

    def _note(self, tape: _Tape, seen: Labelled, row: NDArray[np.int64]) -> NDArray[np.int64]:
        """Note a step, and say what is acted."""
        # Drawn whatever the settings: the same noise falls on the same steps.
        helped = tape.random.random() < self._acting.beta
        # Who ends too early would leave one frame of what it is to learn from; so the oracle goes on.
        row = seen.label if helped or (self._ends(row) and not self._ends(seen.label)) else row
        row = perturb(row, self._spec, self._acting.noise, tape.random)
        tape.images.append(shrink(seen.images[CAMERA], self._size))
        tape.proprio.append(seen.proprio)
        tape.tokens.append(row)
        tape.labels.append(seen.label)
        tape.points.append(seen.points)
        tape.grips.append(seen.grip)
        return row

    def _ends(self, row: NDArray[np.int64]) -> bool:
        return int(row[self._spec.order.index(MODE)]) == self._terminate
