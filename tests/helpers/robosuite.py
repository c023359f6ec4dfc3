"""Robosuite's models for tests of baking: from RTBENCH_ROBOSUITE, as `make test` sets it, or installed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rtbench.env import robot_source


def models() -> Path:
    """The wheel or folder; skips the test where there is none, for tests do not fetch."""
    given = os.environ.get(robot_source.VARIABLE)
    place = Path(given) if given else robot_source._installed()
    if place is None:
        pytest.skip(f"set {robot_source.VARIABLE} to {robot_source.WHEEL}, as `make test` does")
    return place
