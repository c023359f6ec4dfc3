"""The tests mirror the packages: who changes a module finds its tests by name, and the other way round."""

from __future__ import annotations

import pytest

from tests.helpers.paths import ROOT

TESTS = ROOT / "tests"
OTHER = {"golden", "helpers", "integration", "plugins"}
"""Folders of tests/ that are no package of rtbench."""
FILES = sorted(path for path in TESTS.rglob("test_*.py") if path.relative_to(TESTS).parts[0] not in OTHER)
MOST_PACKAGES, MOST_FILES = 12, 4


def modules(package):
    """Names of a package's modules and packages."""
    return {path.stem for path in package.iterdir() if path.suffix == ".py" or path.is_dir()} - {"__init__"}


def test_no_test_lies_outside_the_folders():
    assert [path.name for path in TESTS.glob("test_*.py")] == []
    assert len(FILES) > 90


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(TESTS)))
def test_a_test_is_named_after_a_module(path):
    package = ROOT / "rtbench" / path.parent.relative_to(TESTS)
    assert package.is_dir(), f"rtbench has no package for {path.parent.relative_to(TESTS)}"
    name = path.stem.removeprefix("test_")
    parts = name.split("_")
    names = {"_".join(parts[:count]) for count in range(1, len(parts) + 1)}
    assert names & modules(package), f"{package.relative_to(ROOT)} has no module that {path.name} tests"


def test_the_top_of_the_package_is_small():
    top = [path for path in (ROOT / "rtbench").iterdir() if path.name not in {"__pycache__", "_content"}]
    assert len([path for path in top if path.is_dir()]) <= MOST_PACKAGES
    assert len([path for path in top if path.suffix == ".py"]) <= MOST_FILES
