"""Robosuite's models for tests of baking: from RTBENCH_ROBOSUITE, as `make test` sets it, or installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtbench.env.robot_source import WHEEL


def models() -> Path:
    """The wheel or folder; skips the test where there is none, for tests do not fetch."""
    place = WHEEL.given() or WHEEL.installed()
    if place is None:
        pytest.skip(f"set {WHEEL.variable} to {WHEEL.file}, as `make test` does")
    return place
