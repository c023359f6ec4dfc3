"""Commands and recipes in the documents: they exist, and they run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.helpers.commands import rtbench
from tests.helpers.pages import GROUPS, PAGES, SITE, Block, blocks, commands, own, python, subcommands
from tests.helpers.paths import ROOT

# Commands -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [page for page in PAGES if page != "CHANGELOG.md"])
def test_documented_commands_and_options_exist(page):
    text = (ROOT / page).read_text()
    inline = [found.split() for found in re.findall(r"`(rtbench [^`]+)`", text)]
    for words in [*commands(page), *inline]:
        if words[1].startswith("-"):
            continue
        assert words[1] in subcommands(), words
        if words[1] in GROUPS:
            assert words[2] in subcommands(words[1]), words
        known = rtbench(*own(words), "--help").out
        options = [word for word in words if word.startswith("--")]
        assert [option for option in options if not re.search(rf"{option}\b", known)] == [], words


def test_every_command_is_used_on_the_site():
    shown = {own(words)[0] for page in SITE for words in commands(page)}
    said = {found for page in SITE for found in re.findall(r"`rtbench (\w+)", (ROOT / page).read_text())}
    assert {name for name in subcommands() if name not in shown | said} <= {"bench", "replay"}


def test_make_targets_exist():
    targets = set(re.findall(r"(?m)^(\w+):", (ROOT / "Makefile").read_text()))
    text = "".join((ROOT / page).read_text() for page in PAGES)
    said = set(re.findall(r"`make (\w+)", text)) | set(re.findall(r"(?m)^    make (\w+)", text))
    assert {"run", "test", "check"} <= said <= targets


# Recipes --------------------------------------------------------------------------------------------------


def test_the_readmes_policy_plays(tmp_path):
    (script,) = blocks("README.md", "python")
    assert len([line for line in script.body.splitlines() if line.strip()]) <= 15
    script.write(tmp_path)
    body = script.body.replace("limit=22", "limit=2")
    assert body != script.body
    Block("python", body, "small.py").write(tmp_path)
    assert "skill" in python("small.py", cwd=tmp_path)
    assert list((tmp_path / "runs").glob("Forward/seen/*/summary.json"))


def test_the_policies_of_the_documents_keep_the_contract(tmp_path):
    for page in ("docs/evaluate.md", "policies/README.md"):
        (script,) = [block for block in blocks(page, "python") if "class Forward" in block.body]
        script.write(tmp_path)
        check = "from rtbench.testing import check_policy; print(check_policy(Forward()))"
        assert python("-c", f"from my_policy import Forward; {check}", cwd=tmp_path)


def test_the_readmes_command_runs(tmp_path, monkeypatch):
    (script,) = blocks("README.md", "python")
    script.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    (words,) = commands("README.md")
    said = rtbench(*words[1:], "--limit", 2, "--jobs", 1)
    assert said.code == 0, said.err
    assert "2/2 episodes" in said.out + said.err


@pytest.fixture(scope="module")
def tea(tmp_path_factory):
    """The folder in which the recipes of CONTRIBUTING.md are."""
    folder = tmp_path_factory.mktemp("recipes")
    written = [block for block in blocks("CONTRIBUTING.md") if block.file]
    assert {Path(block.file).suffix for block in written} == {".yaml", ".py"}
    assert len(written) == 8
    for block in written:
        block.write(folder)
    return folder


def test_every_block_of_the_recipes_has_a_file_or_is_a_command():
    loose = [b for b in blocks("CONTRIBUTING.md") if not b.file and b.language not in {"sh", "text"}]
    assert loose == []


def test_the_recipes_of_the_contributing_page_work(tea, monkeypatch):
    monkeypatch.chdir(tea)
    done = commands("CONTRIBUTING.md")
    rates = {}
    for words in done:
        said = rtbench(*words[1:], *(["--jobs", 1] if words[1] == "run" else []))
        assert said.code == 0, (words, said.err)
        if words[1] == "run":
            policy = words[words.index("--policy") + 1]
            rates[policy] = float(re.search(r"all episodes +2 +([\d.]+)", said.out)[1])
        elif words[1:3] == ["ls", "tasks"]:
            assert "serve_tea/green_tea_sponge-v0" in said.out
        elif words[1:3] == ["ls", "policies"]:
            assert "forward" in said.out
    assert (tea / "first.png").exists()
    assert rates == {"oracle": 100.0, "noop": 0.0, "forward": 0.0}
