"""What the documents say is so: layout, links, numbers and tables."""

from __future__ import annotations

import ast
import re
import subprocess

import pytest
import typer

from rtbench.cli.app import app
from rtbench.core.action import CONVENTIONS
from rtbench.core.errors import Exit
from tests.helpers.pages import PAGES
from tests.helpers.paths import ROOT

MOST_README_LINES = 130
MOST_PICTURE_BYTES = 250_000
FOLDERS = (
    "envs", "tasks", "policies", "results", "benchmarks", "examples", "tests", "rtbench", "docs/decisions"
)  # fmt: skip


# Layout ---------------------------------------------------------------------------------------------------


def listed() -> dict[str, str]:
    """Name -> phrase, of the layout in CONTRIBUTING.md."""
    text = (ROOT / "CONTRIBUTING.md").read_text().split("## Layout")[1].split("```")[1]
    rows = (re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in text.splitlines()[1:] if line.strip())
    return {name.rstrip("/"): phrase for names, phrase in rows for name in names.split(", ")}


def test_the_layout_is_that_of_the_repository():
    names = listed()
    missing = [name for name in names if not (ROOT / name).exists()]
    assert not missing, f"CONTRIBUTING.md lists what is not there: {missing}"
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip("no git here: an unpacked archive has no list of its files")
    top = {line.split("/")[0] for line in tracked.stdout.splitlines()}
    assert not top - set(names), f"CONTRIBUTING.md does not list {sorted(top - set(names))}"
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


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_points_to_is_there(page):
    text = (ROOT / page).read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    # Generated pages are checked when the site is built.
    made = [link for link in links if link.startswith("generated/")]
    there = (ROOT / page).parent
    assert [link for link in set(links) - set(made) if not there.joinpath(link).exists()] == []
    files = re.findall(rf"[` ]((?:{'|'.join(FOLDERS)})/[\w./]*\w)[` ]", text)
    # NAME.yaml and the like stand for names of the reader's own.
    assert [
        name for name in files if not (ROOT / name).exists() and not re.search(r"/[A-Z]+\.\w+$", name)
    ] == []


@pytest.mark.parametrize("page", PAGES)
def test_anchors_that_a_page_points_to_are_headings(page):
    for address, anchor in re.findall(r"\]\(([^)#:]*)#([\w-]+)\)", (ROOT / page).read_text()):
        if not address.startswith("generated/"):
            path = (ROOT / page).parent / address if address else ROOT / page
            headings = re.findall(r"(?m)^#+ (.*)$", path.read_text())
            assert anchor in [re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in headings]


def test_the_readme_is_short_and_the_pictures_are_small():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= MOST_README_LINES
    assert len(re.findall(r"!\[", text)) == 2
    pages = "".join((ROOT / page).read_text() for page in PAGES)
    for picture in (ROOT / "docs").glob("*.png"):
        assert picture.name in pages
        assert picture.stat().st_size < MOST_PICTURE_BYTES


def where() -> list[tuple[str, str]]:
    """File and what it holds, of the table of CONTRIBUTING.md."""
    text = (ROOT / "CONTRIBUTING.md").read_text().split("## Where is X")[1].split("\n## ")[0]
    return re.findall(r"(?m)^\| [^|`]+ \| `([^`]+)` \| `([^`]+)` \|$", text)


def test_what_a_newcomer_looks_for_is_where_it_is_said_to_be():
    assert len(where()) >= 20
    missing = [(path, what) for path, what in where() if what not in (ROOT / path).read_text()]
    assert missing == []


# Facts ----------------------------------------------------------------------------------------------------


def test_the_results_of_the_readme_are_those_of_the_reference_runs():
    """If the runs are new, so is the table."""
    text = (ROOT / "README.md").read_text().split("## Results")[1].split("\n## ")[0]
    rows = [re.split(r"\s*\|\s*", row.strip("| ")) for row in text.splitlines() if row.startswith("| ")]
    (_, *suites), *policies = rows
    assert len(policies) == 5
    split = (ROOT / "results/tables/split.md").read_text()
    for name, *cells in policies:
        policy = name.split(" ")[0]
        (row,) = [row for row in split.splitlines() if row.startswith(f"| {policy} |")]
        made = dict(zip(("policy", "overall", "macro", *suites), row.strip("| ").split(" | "), strict=False))
        for suite, cell in zip(suites, cells, strict=True):
            assert re.findall(r"[\d.]+", cell) == re.findall(r"[\d.]+", made[suite])[:3], (policy, suite)


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


@pytest.mark.parametrize("page", ["policies/README.md", "docs/evaluate.md", "rtbench/core/action.py",
                                  "examples/chunked_policy.py", "rtbench/data/lerobot.py"])  # fmt: skip
def test_the_rotation_and_the_signs_of_the_gripper_are_told_alike(page):
    text = " ".join((ROOT / page).read_text().split())
    assert "rotation vector" in text
    assert re.search(r"-1 (is )?open(,| and) \+?1 (is )?closed", text)


def test_where_the_rotation_is_named_it_is_a_rotation_vector():
    for page in (*PAGES, "examples/chunked_policy.py"):
        text = (ROOT / page).read_text()
        for found in re.finditer(r"roll, pitch(,| and) yaw", text):
            assert "rotation vector" in text[max(0, found.start() - 300) : found.end() + 300], page


def test_the_order_of_proprioception_is_told():
    text = (ROOT / "policies/README.md").read_text().split("## Observations")[1]
    rows = re.findall(r"(?m)^\| (\d+)(?: to (\d+))? \| (.*?) \|", text)
    places = [range(int(low), int(high or low) + 1) for low, high, _ in rows]
    assert [len(place) for place in places] == [7, 3, 4, 1]
    assert [i for place in places for i in place] == list(range(15))
    words = ("angles", "position", "quaternion: w, x, y, z", "opening")
    assert [word for word, (_, _, told) in zip(words, rows, strict=True) if word not in told] == []
    brief = (ROOT / "docs/evaluate.md").read_text()
    found = [
        brief.index(word) for word in ("seven joint angles", "position x, y, z", "quaternion w", "opening")
    ]
    assert found == sorted(found)


def test_the_commands_with_a_rule_are_those_that_the_pages_name():
    commands = typer.main.get_command(app).commands
    have = {name for name, one in commands.items() if any("--rule" in p.opts for p in one.params)}
    for page, form in (("docs/evaluate.md", r"`rtbench (\w+)`"), ("docs/faq.md", r"`rtbench (\w+)`")):
        text = (ROOT / page).read_text()
        around = [text[m.start() - 200 : m.end() + 200] for m in re.finditer("--rule ever", text)]
        assert set(re.findall(form, "".join(around))) - {"run"} == have, page


def _number(text: str) -> float:
    pi = {"-pi/2": -1.5708, "pi/2": 1.5708, "-pi": -3.1416, "pi": 3.1416}
    return pi[text] if text in pi else float(text)


def test_the_exit_codes_are_true():
    text = (ROOT / "docs/reference.md").read_text().split("## Exit codes")[1]
    assert {int(code) for code in re.findall(r"(?m)^\| (\d+) \|", text)} == {int(code) for code in Exit}


def test_the_libraries_are_those_that_the_code_names():
    from rtbench.env import gl

    assert gl.INSTALL in (ROOT / "docs/get-started.md").read_text()
