"""Short segments: a few recorded steps of each of many scenes.

Objects, their poses and the distractors differ between scenes, and hardly within one, so that a network
learns little more from sixty frames of a scene than from four. The oracle first acts for a random number of
steps with strong noise, which are not recorded. Then a few steps are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtbench.core.action import MODE, Mode
from rtbench.core.environment import EnvSettings
from rtbench.core.episode import Episode, Observation
from rtbench.core.seeding import generator
from rtbench.data.action_noise import perturb
from rtbench.data.expert_env import LabellingKitchen
from rtbench.data.recorder import Labelled
from rtbench.policy.oracle import oracle_action
from rtbench.policy.seed import policy_seed

STEPS = 4
"""Recorded steps of an episode."""
MAX_SKIPPED = 15
"""Largest number of steps before them."""
NOISE, NOISE_SCALE = 0.5, 2.0
"""Share of the skipped steps that are disturbed, and the scale of their noise beside that of recorded steps:
hands are then 5 cm and a fifth of a turn from the oracle's path."""
STREAM = "glimpse"
"""Name of the random stream. Another name would give other demonstrations than the published ones."""


class SegmentKitchen(LabellingKitchen):
    """A kitchen whose episodes begin at a random point and end after `STEPS` steps."""

    _skipping = False
    _left = STEPS

    @property
    def terminated(self) -> bool:
        """Whether the last action's mode was terminate, or all steps are done."""
        return super().terminated or not self._left

    def begin(self, episode: Episode) -> Observation:
        """Reset to an episode, and let the oracle act for some steps; the episode decides how many."""
        self._skipping, self._left = True, STEPS
        super().begin(episode)
        random = generator(STREAM, policy_seed(episode))
        for _ in range(int(random.integers(MAX_SKIPPED + 1))):
            action = oracle_action(self)
            if Mode(int(action[MODE])) is Mode.TERMINATE:
                break
            tokens = self.convention.encode(action)
            super().advance(perturb(tokens, self.convention, NOISE, random, wider=NOISE_SCALE))
        self._skipping = False
        # The skipped steps cannot be replayed; the first state's hash shows that to a replay.
        self._first["state"] = self.state_hash()
        return self.observe()

    def advance(self, tokens: NDArray[np.int64]) -> Observation:
        """Act for one control period."""
        self._left -= 1
        return super().advance(tokens)

    def observe(self) -> Labelled:
        """The policy's observation; empty during the skipped steps."""
        return _EMPTY if self._skipping else super().observe()


def make_env(settings: EnvSettings) -> LabellingKitchen:
    """The environment of a worker."""
    return SegmentKitchen.for_worker(settings)


def make_shifted_env(settings: EnvSettings) -> LabellingKitchen:
    """The same, with shifted starts."""
    env = SegmentKitchen.for_worker(settings)
    env.shifts_start = True
    return env


_EMPTY = Labelled(
    images={},
    instruction="",
    proprio=np.zeros(0, np.float32),
    step=0,
    label=np.zeros(0, np.int64),
    points=np.zeros(0, np.float32),
    grip=np.zeros(0, np.float32),
    state=np.zeros(0, np.float64),
)
