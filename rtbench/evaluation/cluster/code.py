"""What must be the same on all machines of a run."""

from __future__ import annotations

from collections.abc import Sequence

from rtbench.result.provenance import code_hash, packages
from rtbench.task.library import Library

PACKAGES = ("rtbench", "mujoco", "numpy")
"""Packages whose versions must be the same."""


def code_of(content: Sequence[str]) -> dict[str, str]:
    """Versions and hashes of what decides a result here, but for the policy.

    Args:
        content: The user's content roots.
    """
    versions = packages()
    found: dict[str, str] = {
        name: versions[name] for name in ("rtbench", "mujoco", "numpy") if name in versions
    }
    return {**found, "code": code_hash(), "content": Library(tuple(content)).content_hash()[:12]}
