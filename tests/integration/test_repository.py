"""Rules of the repository that no linter knows."""

from __future__ import annotations

import ast
import re
import socket
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.helpers.paths import ROOT

SOURCES = sorted(p for folder in ("rtbench", "tests", "benchmarks") for p in (ROOT / folder).rglob("*.py"))
BENCHMARKS = sorted(
    p for p in (ROOT / "benchmarks").glob("*.py") if '__name__ == "__main__"' in p.read_text()
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MOST_LINES = 400


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    entries = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in entries}


def requirements() -> list[Requirement]:
    extras = PROJECT["optional-dependencies"].values()
    listed = [Requirement(text) for group in (PROJECT["dependencies"], *extras) for text in group]
    return [requirement for requirement in listed if requirement.name != PROJECT["name"]]


def test_there_are_sources():
    assert len(SOURCES) > 20
    assert len(BENCHMARKS) >= 5


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_are_short(path):
    lines = len(path.read_text().splitlines())
    assert lines <= MOST_LINES, f"{path.name} has {lines} lines: split it by noun"


@pytest.mark.parametrize("requirement", requirements(), ids=lambda r: r.name)
def test_every_dependency_is_pinned_within_its_range(requirement):
    pin = pins().get(canonicalize_name(requirement.name))
    assert pin, f"{requirement.name} is not in constraints.txt"
    assert requirement.specifier.contains(pin), f"{requirement} does not allow the pinned {pin}"


def test_the_parts_of_mujoco_are_pinned_alike():
    versions = {pins()[name] for name in ("mujoco", "mujoco-core", "mujoco-studio")}
    assert len(versions) == 1


def test_nothing_pinned_needs_a_compiler():
    """evdev, which robosuite asks for by way of pynput, is built from source on every machine."""
    assert not {"evdev", "pynput"} & set(pins())


def test_what_robosuite_asks_for_is_left_to_its_extra():
    needed = {r.name for r in map(Requirement, PROJECT["dependencies"])}
    assert not {"robosuite", "torch", "opencv-python", "numba"} & needed
    assert int(pins()["numpy"].split(".")[0]) >= 2


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda p: p.name)
def test_a_benchmark_says_how_to_run_it(path):
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
    assert f"benchmarks/{path.name}" in docstring
    assert path.name in (ROOT / "benchmarks" / "README.md").read_text()


def test_setup_files_agree_on_the_libraries():
    from rtbench.env import gl

    packages = gl.INSTALL.split("install -y ")[1].split()
    listed = re.search(r"needed=\((.*?)\)", (ROOT / ".ci" / "run").read_text())
    assert listed
    assert sorted(listed[1].split()) == sorted(packages)


@pytest.mark.parametrize(
    "name", ["LICENSE", "README.md", "CHANGELOG.md", "ARCHITECTURE.md", "CONTRIBUTING.md"]
)
def test_the_usual_files_are_there(name):
    assert (ROOT / name).read_text().strip()


def test_the_changelog_opens_with_what_is_unreleased():
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert headings[0] == "Unreleased"


def test_tests_cannot_reach_the_network():
    with socket.socket(socket.AF_INET) as inet, pytest.raises(RuntimeError, match="tests are offline"):
        inet.connect(("192.0.2.1", 9))  # an address kept for examples: RFC 5737
    with pytest.raises(RuntimeError, match="tests are offline"):
        socket.create_connection(("example.org", 80), timeout=1)
    left, right = socket.socketpair(socket.AF_UNIX)
    with left, right:
        left.sendall(b"x")
        assert right.recv(1) == b"x"
