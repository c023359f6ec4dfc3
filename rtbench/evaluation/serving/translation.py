"""Between what a client sends and expects, and a policy of ours: observations in, numbers out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtbench.core.action import ARM_SLICE, MODE, Mode
from rtbench.core.episode import Observation
from rtbench.core.errors import PolicyError
from rtbench.policy.continuous.mapping import ActionMapping, preset
from rtbench.policy.continuous.transform import to_numbers
from rtbench.policy.remote.codec import WireError
from rtbench.policy.remote.observation_keys import ObservationKeys, find_keys

DEFAULT_KEYS = {
    "openpi": ("rtbench", "libero", "droid"),
    "roboarena": ("rtbench", "roboarena"),
    "vla-eval": ("vla-eval", "vla-eval-libero"),
    "gr00t": ("gr00t", "gr00t-libero"),
    "roboeval": ("roboeval",),
}
"""Protocol -> sets of keys of which the first whose images are all there is read."""


@dataclass(frozen=True)
class Translation:
    """How a served policy's observations and actions go over the wire."""

    keys: tuple[ObservationKeys, ...]
    """Sets of keys, in order of preference."""
    action: str
    """Name of the action mapping that says what the numbers sent mean."""
    mapping: ActionMapping
    """That mapping."""

    def observation(self, message: Mapping[str, Any], step: int) -> Observation:
        """The observation in a client's message.

        Raises:
            WireError: keys that are missing, or hold something else.
        """
        known = next((keys for keys in self.keys if keys.images.keys() <= message.keys()), None)
        if known is None:
            wanted = " or ".join(", ".join(keys.images) for keys in self.keys)
            came = ", ".join(sorted(map(str, message)))[:300]
            raise WireError(f"the observation has no images under {wanted}; came: {came}.")
        return known.observation(message, step)

    def numbers(self, action: NDArray[np.float64], seen: Observation) -> NDArray[np.float64]:
        """A chunk float64[1, D] for a client: an action float64[11] in the units of the mapping."""
        if action[MODE] == Mode.BASE and "base" not in self.mapping.slices:
            # The client cannot drive; the arm's numbers of such an action mean nothing.
            action = action.copy()
            action[ARM_SLICE] = 0.0
        return to_numbers(action, self.mapping, np.nan_to_num(seen.proprio))[None]


def translation(
    protocol: str, cameras: Sequence[str], keys: str | None = None, action: str = "rt1-11d"
) -> Translation:
    """How a policy is served.

    Args:
        protocol: Name of the protocol.
        cameras: That the policy looks at.
        keys: Name of a set of keys; those that go with the protocol where None.
        action: Name of the action mapping of the numbers sent.

    Raises:
        UnknownNameError: a name that there is not.
        PolicyError: numbers that do not follow from an action.
    """
    mapping = preset(action)
    if "joints" in mapping.slices:
        raise PolicyError(f"--action {action}: joints do not follow from an action of the hand.")
    names = (keys,) if keys else DEFAULT_KEYS[protocol]
    return Translation(tuple(find_keys(name, tuple(cameras)) for name in names), action, mapping)
