"""What the documents say is so: layout, links, commands and recipes."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from rtbench.core.action import CONVENTIONS
from rtbench.core.errors import Exit
from tests.helpers.commands import rtbench
from tests.helpers.paths import ROOT

PAGES = (
    "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "results/README.md", "policies/README.md",
    "docs/ci/README.md",
)  # fmt: skip
MOST_README_LINES = 200
MOST_PICTURE_BYTES = 250_000
PLACEHOLDERS = ("RUN", "KEY")
GROUPS = ("ls", "check", "train", "import")
"""Commands with commands of their own."""
FOLDERS = ("envs", "tasks", "policies", "results", "benchmarks", "tests", "rtbench", "docs")
FENCE = re.compile(
    r"(?:^`(?P<file>[\w./]+)`:\n\n)?^```(?P<language>\w+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Block:
    language: str
    body: str
    file: str = ""
    """Path that the line above gives it."""


def blocks(page: str, language: str = "") -> list[Block]:
    found = FENCE.finditer((ROOT / page).read_text())
    every = [Block(m["language"], m["body"], m["file"] or "") for m in found]
    return [block for block in every if not language or block.language == language]


def commands(page: str) -> list[list[str]]:
    """Commands of all shell blocks, as words."""
    lines = [line for block in blocks(page, "sh") for line in block.body.splitlines()]
    return [line.split() for line in lines if line.startswith("rtbench ")]


def subcommands(*above: str) -> set[str]:
    text = rtbench(*above, "--help").out.split("Commands:")[1]
    return set(re.findall(r"(?m)^  (\w+) ", text))


def own(words: list[str]) -> list[str]:
    """The name of a command without its arguments."""
    return words[1:3] if words[1] in GROUPS else words[1:2]


def python(*arguments: str, cwd: Path) -> str:
    """Run Python there, with this rtbench."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env={**os.environ, "PYTHONPATH": path},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{arguments}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


# Layout ---------------------------------------------------------------------------------------------------


def listed() -> dict[str, str]:
    """Name -> phrase, of the README's layout."""
    text = (ROOT / "README.md").read_text().split("## Layout")[1].split("```")[1]
    rows = (re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in text.splitlines()[1:] if line.strip())
    return {name.rstrip("/"): phrase for names, phrase in rows for name in names.split(", ")}


def test_the_layout_is_that_of_the_repository():
    names = listed()
    missing = [name for name in names if not (ROOT / name).exists()]
    assert not missing, f"README.md lists what is not there: {missing}"
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip("no git here: an unpacked archive has no list of its files")
    top = {line.split("/")[0] for line in tracked.stdout.splitlines()}
    assert not top - set(names), f"README.md does not list {sorted(top - set(names))}"
    assert all(names.values())


def test_every_module_says_what_it_is():
    modules = sorted((ROOT / "rtbench").rglob("*.py"))
    assert len(modules) > 200
    assert [path for path in modules if not ast.get_docstring(ast.parse(path.read_text()))] == []


def test_the_layers_are_those_of_the_linter():
    text = (ROOT / "ARCHITECTURE.md").read_text().split("## Layers")[1].split("\n## ")[0]
    rows = [re.findall(r"`(\w+)/?`", row) for row in re.findall(r"(?m)^\| \d+ \|(.*)\|$", text)]
    listing = (ROOT / "pyproject.toml").read_text().split("layers = [")[1].split("\n]")[0]
    found = [re.findall(r"rtbench\.(\w+)", line) for line in listing.splitlines()[1:]]
    assert [set(row) for row in rows] == [set(line) for line in reversed(found)]


def test_guards_are_tests_that_exist():
    text = "".join(path.read_text() for path in (ROOT / "docs" / "decisions").glob("*.md"))
    every = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    names = re.findall(r"`(test_\w+)`", text)
    assert len(names) > 10
    assert [name for name in names if f"def {name}(" not in every] == []


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_points_to_is_there(page):
    text = (ROOT / page).read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []
    files = re.findall(rf"[` ]((?:{'|'.join(FOLDERS)})/[\w./]*\w)[` ]", text)
    assert [name for name in files if not (ROOT / name).exists()] == []


def test_the_readme_is_short_and_its_pictures_are_small():
    assert len((ROOT / "README.md").read_text().splitlines()) < MOST_README_LINES
    pictures = sorted((ROOT / "docs").glob("*.png"))
    shown = re.findall(r"\]\((docs/[^)]+\.png)\)", (ROOT / "README.md").read_text())
    assert sorted(shown) == [path.relative_to(ROOT).as_posix() for path in pictures]
    assert all(path.stat().st_size < MOST_PICTURE_BYTES for path in pictures)


# Facts ----------------------------------------------------------------------------------------------------


def test_the_numbers_of_tasks_are_true():
    from rtbench.task.library import BUNDLED

    text = (ROOT / "README.md").read_text().split("## Suites")[1].split("## Layout")[0]
    said = {name: int(count) for name, count in re.findall(r"`(\w+)`\s\((\d+)", text)}
    tasks = [task.skill for task in BUNDLED.tasks().values() if not task.group]
    assert said == {skill: tasks.count(skill) for skill in tasks}


def test_the_table_of_actions_is_true():
    text = (ROOT / "policies/README.md").read_text().split("## Actions")[1]
    cells = [[c.strip() for c in row.split("|")[1:-1]] for row in text.splitlines() if row.startswith("|")]
    rows = {row[0]: row for row in cells}
    for name, index, width in (("x, y, z", 0, 3), ("roll, pitch, yaw", 3, 3), ("gripper", 6, 1),
                               ("base x, y", 7, 2), ("base yaw", 9, 1)):  # fmt: skip
        for column, convention in ((2, "rtbench"), (3, "rt1")):
            spec = CONVENTIONS[convention]
            low, high, step = (_number(part) for part in re.split(r" to |, ", rows[name][column]))
            assert low == pytest.approx(spec.low[index], abs=1e-3)
            assert high == pytest.approx(spec.high[index], abs=1e-3)
            assert step == pytest.approx((high - low) / 255, rel=0.02)
        order = CONVENTIONS["rt1"].order
        expected = [order.index(dimension) for dimension in range(index, index + width)]
        assert [int(token) for token in rows[name][4].split(", ")] == expected
    for column, convention in ((2, "rtbench"), (3, "rt1")):
        modes = [mode.name.lower() for mode in CONVENTIONS[convention].modes]
        assert rows["mode"][column] == ", ".join(f"{k} {name}" for k, name in enumerate(modes))


def _number(text: str) -> float:
    pi = {"-pi/2": -1.5708, "pi/2": 1.5708, "-pi": -3.1416, "pi": 3.1416}
    return pi[text] if text in pi else float(text)


def test_the_exit_codes_are_true():
    text = re.search(r"Exit codes: (.*?)\.\n", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    assert text
    assert {int(code) for code in re.findall(r"(?:^|, )(\d+) ", text[1])} <= {int(code) for code in Exit}


def test_the_libraries_are_those_that_the_code_names():
    from rtbench.env import gl

    assert gl.INSTALL in (ROOT / "README.md").read_text()


# Commands -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
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


def test_every_command_is_documented():
    shown = {words[1] for words in commands("README.md")}
    assert shown == subcommands()


def test_make_targets_exist():
    targets = set(re.findall(r"(?m)^(\w+):", (ROOT / "Makefile").read_text()))
    text = "".join((ROOT / page).read_text() for page in PAGES)
    said = set(re.findall(r"`make (\w+)", text)) | set(re.findall(r"(?m)^    make (\w+)", text))
    assert {"run", "test", "check"} <= said <= targets


def test_commands_of_the_readme_that_look_at_content_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    quick = [words for words in commands("README.md") if words[1] in ("ls", "show")]
    quick = [words for words in quick if not any(p in word for word in words for p in PLACEHOLDERS)]
    assert len(quick) >= 2
    for words in quick:
        said = rtbench(*words[1:])
        assert said.code == 0, said.err
    assert (tmp_path / "sheet.png").stat().st_size > 10_000


# Recipes --------------------------------------------------------------------------------------------------


def write(block: Block, folder: Path) -> None:
    path = folder / block.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(block.body)


def test_the_readmes_python_runs(tmp_path):
    (script,) = [block for block in blocks("README.md", "python") if "rtbench.evaluate" in block.body]
    write(Block("python", script.body, "script.py"), tmp_path)
    said = python("script.py", cwd=tmp_path)
    assert "knock_over" in said
    assert list((tmp_path / "runs").glob("oracle/seen/*/summary.json"))


def test_the_readmes_policy_plays(tmp_path, monkeypatch):
    (script,) = [block for block in blocks("policies/README.md", "python") if "class Forward" in block.body]
    assert len(script.body.splitlines()) <= 20
    write(script, tmp_path)
    (words,) = [words for words in commands("README.md") if script.file in " ".join(words)]
    monkeypatch.chdir(tmp_path)
    said = rtbench(*words[1:], "--jobs", 1)
    assert said.code == 0, said.err
    assert "2/2 episodes" in said.out + said.err
    check = "from rtbench.testing import check_policy; check_policy(Forward())"
    python("-c", f"from {Path(script.file).stem} import Forward; {check}", cwd=tmp_path)


@pytest.fixture(scope="module")
def tea(tmp_path_factory):
    """The folder in which the recipes of CONTRIBUTING.md are."""
    folder = tmp_path_factory.mktemp("recipes")
    written = [block for block in blocks("CONTRIBUTING.md") if block.file]
    assert {Path(block.file).suffix for block in written} == {".yaml", ".py"}
    assert len(written) == 7
    for block in written:
        write(block, folder)
    return folder


def test_every_block_of_the_recipes_has_a_file_or_is_a_command():
    loose = [block for block in blocks("CONTRIBUTING.md") if not block.file and block.language != "sh"]
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
