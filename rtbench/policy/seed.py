"""The seed a policy is given for an episode."""

from __future__ import annotations

from rtbench.core.episode import Episode
from rtbench.core.seeding import entropy


def policy_seed(episode: Episode, repeat: int = 0) -> int:
    """63 bits from an episode's key: the same whatever the worker, the order or the policy.

    A control arm has the seed of the episode that it is an arm of, so that only the instruction differs.

    Args:
        episode: The episode.
        repeat: Which of several runs of it; each has its own seed, 0 is the ordinary one.
    """
    key = episode.twin if episode.arm else episode.key
    return entropy("policy", key, *([repeat] if repeat else [])) >> 65
