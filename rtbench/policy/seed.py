"""The seed a policy is given for an episode."""

from __future__ import annotations

from rtbench.seeding import entropy


def policy_seed(key: str) -> int:
    """63 bits from an episode's key: the same whatever the worker, the order or the policy."""
    return entropy("policy", key) >> 65
