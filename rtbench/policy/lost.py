"""What a policy raises that has lost what it decides with, such as the server that it asks."""

from __future__ import annotations


class PolicyLostError(Exception):
    """The policy's server is gone: no fault of an action, so that the episode is played again."""
