"""The site: every command and snippet runs, its generated pages are whole, and its links are checked."""

from __future__ import annotations

import importlib
import re
import shutil
import sys
import tomllib
from types import ModuleType

import pytest
import yaml

from rtbench.core.errors import Exit
from rtbench.env import gl
from rtbench.task.library import BUNDLED
from tests.helpers.commands import rtbench
from tests.helpers.pages import SITE, blocks, expanded, python, subcommands, words_of
from tests.helpers.paths import ROOT

GENERATOR = ROOT / "docs" / "generator"
SMALLER = {
    "-n": "2",
    "--video": "1",
    "--limit": "2",
    "--rounds": "1",
    "--steps": "2",
    "--batch": "2",
    "--repeat": "2",
}
"""Options whose numbers a test makes as small as this: what a page shows may take an hour."""
MORE = {
    "run": ["--limit", "2", "--jobs", "1"],
    "demos": ["--jobs", "2", "--skill", "drive"],
    "vqa": ["--jobs", "1"],
    "verify": ["--jobs", "1"],
    "train rt1": ["--episodes", "0", "--threads", "1"],
    "train rt2": ["--steps", "2", "--batch", "2", "--episodes", "0", "--val-fraction", "0", "--threads", "1"],
    "distill": ["--steps", "2", "--batch", "2", "--episodes", "0", "--threads", "1"],
    "check tasks": ["--play", "0"],
}
"""What a test adds to a command."""
SHORTER = ["--skill", "drive"]
"""Added where RT-2 plays seen tasks: after two steps of training it ends no episode, and decides for 0.1 s.

Two episodes are then 80 decisions instead of 195: 6 s instead of 20, once for each option of the page.
"""
VERDICTS = {Exit.OK, Exit.REGRESSION, Exit.INCONCLUSIVE}
"""Codes of a command that judges: with two episodes it may not know."""


@pytest.fixture
def generator(monkeypatch):
    """Imports a module of docs/generator."""
    monkeypatch.syspath_prepend(str(GENERATOR))
    names = [path.stem for path in GENERATOR.glob("*.py")]

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    yield load
    for name in names:
        sys.modules.pop(name, None)


def small(words: list[str]) -> list[str]:
    """The command with small numbers."""
    words = expanded(words)
    words = [
        SMALLER.get(before, word) if word.isdigit() else word
        for before, word in zip(["", *words], words, strict=False)
    ]
    name = " ".join(words[1:3]) if " ".join(words[1:3]) in MORE else words[1]
    shorter = SHORTER if name == "run" and {"r2", "seen"} <= set(words) else []
    return [*words, *MORE.get(name, []), *shorter]


@pytest.mark.parametrize("page", SITE)
def test_the_commands_of_a_page_run_one_after_the_other(page, tmp_path, monkeypatch):
    shutil.copytree(ROOT / "results", tmp_path / "results")  # reports keep pictures beside the runs
    monkeypatch.chdir(tmp_path)
    for block in blocks(page):
        if block.file:
            block.write(tmp_path)
        if block.language == "sh":
            assert len(words_of(block)) == len(block.body.strip().splitlines()), "only commands of rtbench"
        for words in words_of(block) if block.language == "sh" else ():
            said = rtbench(*small(words)[1:])
            judges = words[1] == "gate" or "--until" in words
            assert said.code in (VERDICTS if judges else {Exit.OK}), (words, said.out[-500:], said.err)


@pytest.mark.parametrize("page", [page for page in SITE if blocks(page, "python")])
def test_the_python_of_a_page_runs_as_one_script(page, tmp_path):
    shutil.copytree(ROOT / "results", tmp_path / "results")  # reports keep pictures beside the runs
    written = blocks(page, "python")
    for block in written:
        if block.file:
            block.write(tmp_path)
    script = "\n".join(block.body for block in written if not block.file)
    (tmp_path / "script.py").write_text(script)
    assert python("script.py", cwd=tmp_path)


def test_the_command_reference_holds_every_command_and_option(generator):
    pages = generator("command_pages").pages()
    for name in subcommands():
        below = subcommands(name) if name in {"ls", "check", "train", "import"} else {""}
        for child in below:
            text = pages[f"commands/{'-'.join(filter(None, (name, child)))}.md"]
            said = rtbench(*filter(None, (name, child)), "--help").out
            options = set(re.findall(r"(?m)^  (?:-\w, )?(--[\w-]+)", said)) - {"--help"}
            assert [option for option in options if option not in text] == [], (name, child)
            assert text.count("\n# rtbench ") == 1


def test_every_skill_and_suite_has_a_page(generator, tmp_path, monkeypatch):
    content = generator("content_pages")
    monkeypatch.setattr(content, "draw_frames", lambda *_: None)
    pages = content.pages(tmp_path)
    assert {f"suites/{name}.md" for name in BUNDLED.suites()} <= set(pages)
    skills = {path.stem for path in (ROOT / "tasks" / "skills").glob("*.yaml")}
    assert {f"skills/{name}.md" for name in skills} <= set(pages)
    pick = pages["skills/pick.md"]
    assert all(
        part in pick for part in ("## Entry `pick`", "1. pick {object}", "lifted(object)", "control steps")
    )


def test_every_public_module_is_there_and_in_the_reference(generator):
    modules = generator("module_pages")
    for name in modules.PUBLIC:
        importlib.import_module(name)
    pages = modules.pages()
    assert set(modules.PUBLIC) == {
        path.removeprefix("api/").removesuffix(".md") for path in pages if path.startswith("api/r")
    }
    assert "rtbench.stats.pairs" in pages["modules.md"]


def test_pages_of_the_repository_link_within_the_site(generator):
    repository = generator("repository_pages")
    pages = repository.pages()
    assert "](content/tasks.md)" not in pages["architecture.md"]
    assert "](../decisions/index.md)" in pages["architecture.md"]
    assert "](results/log.md" in pages["results/index.md"] or "](log.md" in pages["results/index.md"]
    text = repository.localised("policies/README.md")
    assert "](rtbench" not in text


def test_a_broken_link_or_anchor_is_found(generator, tmp_path):
    (tmp_path / "a.html").write_text('<a href="b.html#there"></a><a href="https://example.org"></a>')
    (tmp_path / "b.html").write_text('<h1 id="there"></h1><a href="#nowhere"></a><img src="c.png">')
    assert generator("check_links").broken(tmp_path) == ["b.html: #nowhere", "b.html: c.png"]


def test_links_to_the_repository_lead_to_files_that_exist():
    text = "".join((ROOT / page).read_text() for page in SITE)
    found = re.findall(r"https://github\.com/rtbench/rtbench/(?:blob|tree)/main/([\w./-]+)", text)
    assert len(found) > 5
    assert [path for path in found if not (ROOT / path).exists()] == []


def test_the_workflow_checks_on_versions_of_python_that_are_supported():
    workflow = yaml.safe_load((ROOT / ".github/workflows/check.yml").read_text())
    job = workflow["jobs"]["check"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    supported = [name.rsplit(" ", 1)[1] for name in project["classifiers"] if re.search(r":: 3\.\d+$", name)]
    assert {"3.11", "3.12"} <= set(job["strategy"]["matrix"]["python"]) <= set(supported)
    assert any(gl.INSTALL.split("apt-get ")[1] in step.get("run", "") for step in job["steps"])
    assert "make check PYTHON=python" in [step.get("run") for step in job["steps"]]
    assert workflow["permissions"] == {"contents": "read"}


@pytest.mark.parametrize(
    "path", sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml")), ids=lambda path: path.stem
)
def test_a_form_for_issues_has_what_github_asks_for(path):
    form = yaml.safe_load(path.read_text())
    if path.stem == "config":
        assert {"blank_issues_enabled", "contact_links"} == set(form)
        return
    assert {"name", "description", "body"} <= set(form)
    assert all(part["type"] in {"textarea", "input", "dropdown"} for part in form["body"])
    assert all(part["attributes"]["label"] for part in form["body"])


def test_addresses_are_those_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert all(url.startswith("https://github.com/rtbench/rtbench") for url in project["urls"].values())
    citation = (ROOT / "CITATION.cff").read_text()
    assert f"repository-code: {project['urls']['Repository']}" in citation
