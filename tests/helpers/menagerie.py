"""MuJoCo Menagerie for tests: MENAGERIE_ROOT, or a copy beside the repository; else the test is skipped."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rtbench.env.menagerie_source import VARIABLE

BESIDE = Path(__file__).resolve().parents[2].parent / "shared" / "menagerie"


def root(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder, named for the code that reads it; skips the test where there is none."""
    given = os.environ.get(VARIABLE)
    place = Path(given) if given else BESIDE
    if not (place / "google_robot" / "robot.xml").is_file():
        pytest.skip(f"set {VARIABLE} to a folder that holds google_robot/ of MuJoCo Menagerie")
    monkeypatch.setenv(VARIABLE, str(place))
    return place
