"""Many scenes, a few steps of each.

What a thing looks like, how it lies and what stands around it differ between scenes, hardly within one: sixty
frames of a scene teach little more of it than four. So the oracle goes some way unseen, badly disturbed, and
only then a few steps are recorded.
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
"""Steps that are recorded of an episode."""
UNSEEN = 15
"""Steps at most that come before them."""
DISTURBED, WIDER = 0.5, 2.0
"""Share of these that are disturbed, and how much more than recorded ones are: hands come to be 5 cm and a
fifth of a turn from where the oracle would have them."""


class GlimpsingKitchen(LabellingKitchen):
    """A kitchen whose episodes begin somewhere on the way and end after `STEPS` steps."""

    _unseen = False
    _left = STEPS

    @property
    def terminated(self) -> bool:
        """Whether the last action's mode was terminate, or all steps are done."""
        return super().terminated or not self._left

    def begin(self, episode: Episode) -> Observation:
        """Reset to an episode, and let the oracle go some way; how far and how, the episode alone decides."""
        self._unseen, self._left = True, STEPS
        super().begin(episode)
        random = generator("glimpse", policy_seed(episode))
        for _ in range(int(random.integers(UNSEEN + 1))):
            action = oracle_action(self)
            if Mode(int(action[MODE])) is Mode.TERMINATE:
                break
            tokens = self.convention.encode(action)
            super().advance(perturb(tokens, self.convention, DISTURBED, random, wider=WIDER))
        self._unseen = False
        # What was not recorded cannot be played again: who tries is told so by the first hash.
        self._first["state"] = self.state_hash()
        return self.observe()

    def advance(self, tokens: NDArray[np.int64]) -> Observation:
        """Act for one control period."""
        self._left -= 1
        return super().advance(tokens)

    def observe(self) -> Labelled:
        """What the policy sees now; nothing on the way to the first step."""
        return _NOTHING if self._unseen else super().observe()


def make_env(settings: EnvSettings) -> LabellingKitchen:
    """The environment of a worker."""
    return GlimpsingKitchen.for_worker(settings)


_NOTHING = Labelled(
    images={},
    instruction="",
    proprio=np.zeros(0, np.float32),
    step=0,
    label=np.zeros(0, np.int64),
    points=np.zeros(0, np.float32),
    grip=np.zeros(0, np.float32),
)
