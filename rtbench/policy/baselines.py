"""Controls: policies that know nothing. What they score is what chance explains."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rtbench.core.action import BINS, MODE, SIZE, Mode, convention, idle
from rtbench.core.episode import Observation
from rtbench.core.seeding import generator
from rtbench.policy.base import Needs

MODE_SHARES = {Mode.ARM: 0.895, Mode.BASE: 0.1, Mode.TERMINATE: 0.005}
"""How often `RandomPolicy` chooses each mode. Termination is rare, so that most episodes last."""


class NoopPolicy:
    """Holds still with the gripper open, and never terminates."""

    def __init__(self, convention: str = "rtbench") -> None:
        """Speak that action convention; under rt1's, which has no exact zero, the arm drifts a little."""
        self.needs = Needs(convention=convention)
        self._tokens = _convention(convention).encode(idle())

    def reset(self, slot: int, instruction: str, seed: int) -> None:
        """Nothing to forget."""

    def act(self, observations: Sequence[Observation], slots: Sequence[int]) -> NDArray[np.int64]:  # noqa: ARG002
        """The idle tokens, int64[len(slots), 11]."""
        return np.tile(self._tokens, (len(slots), 1))


class RandomPolicy:
    """Uniform tokens, mostly in arm mode. Each slot has its own generator, seeded by its episode."""

    def __init__(self, convention: str = "rtbench") -> None:
        """Speak that action convention."""
        self.needs = Needs(convention=convention)
        spec = _convention(convention)
        self._order = list(spec.order)
        self._shares = [MODE_SHARES[mode] for mode in spec.modes]
        self._generators: dict[int, np.random.Generator] = {}

    def reset(self, slot: int, instruction: str, seed: int) -> None:  # noqa: ARG002
        """Begin the episode's own stream."""
        self._generators[slot] = generator("random policy", seed)

    def act(self, observations: Sequence[Observation], slots: Sequence[int]) -> NDArray[np.int64]:  # noqa: ARG002
        """Random tokens int64[len(slots), 11]."""
        return np.stack([self._draw(self._generators[slot]) for slot in slots])

    def _draw(self, rng: np.random.Generator) -> NDArray[np.int64]:
        by_dimension = rng.integers(0, BINS, SIZE)
        by_dimension[MODE] = rng.choice(len(self._shares), p=self._shares)
        return by_dimension[self._order]


_convention = convention
"""The parameter of the same name is what users write in cards and on the command line."""
