"""The seed a policy is given for an episode."""

from __future__ import annotations

from rtbench.seeding import entropy
from rtbench.spec import Episode


def policy_seed(episode: Episode) -> int:
    """63 bits from an episode's key: the same whatever the worker, the order or the policy.

    A control arm has the seed of the episode that it is an arm of, so that only the instruction differs.
    """
    return entropy("policy", episode.twin if episode.arm else episode.key) >> 65
