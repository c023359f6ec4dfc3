"""Decisions: every page has its parts, and what guards it exists."""

from __future__ import annotations

import re

import pytest

from tests.helpers.paths import ROOT

FOLDER = ROOT / "docs" / "decisions"
FILES = sorted(FOLDER.glob("0*.md"))
PARTS = ["Context", "Decision", "Consequences", "Guard"]
NO_TEST = {"0047"}
"""What only a success rate guards."""


def test_they_are_numbered_without_gaps():
    assert [int(path.name[:4]) for path in FILES] == list(range(1, len(FILES) + 1))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_decision_has_its_parts(path):
    text = path.read_text()
    head, *parts = re.split(r"(?m)^## ", text)
    title = re.match(r"# (\d+)\. (.+)\n", head)
    assert title
    assert int(title[1]) == int(path.name[:4])
    slug = re.sub(r"[^a-z0-9]+", "-", title[2].lower().replace("'", "")).strip("-")
    assert path.stem == f"{path.name[:4]}-{slug}"
    assert re.search(r"(?m)^Date: \d{4}-\d\d-\d\d\. Area: \w+\.$", head)
    assert [part.split("\n")[0] for part in parts] == PARTS
    for part in parts:
        assert len(part.split("\n", 1)[1].split()) >= 1, f"{part.split()[0]} is empty"
    assert "TODO" not in text


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_guards_a_decision_exists(path):
    guard = path.read_text().split("## Guard\n")[1]
    every = "".join(file.read_text() for file in (ROOT / "tests").rglob("test_*.py"))
    tests = re.findall(r"`(test_\w+)`", guard)
    files = re.findall(r"`((?:rtbench|tests|benchmarks|results)/[\w./]+|[\w]+\.(?:toml|txt))`", guard)
    commands = re.findall(r"`(lint-imports|make docs)`", guard)
    assert [name for name in tests if f"def {name}(" not in every] == []
    assert [name for name in files if not (ROOT / name).exists()] == []
    assert tests or files or commands or path.name[:4] in NO_TEST
