"""Checks for users' own policies: the contract of a policy, and what its numbers mean in the simulator."""

from rtbench.testing.contract import PROBES, check_policy

__all__ = ["PROBES", "check_policy"]
