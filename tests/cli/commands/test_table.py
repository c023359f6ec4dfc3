"""`rtbench table` as a user types it."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from rtbench.result.folder import EPISODES, RUN
from tests.helpers import synthetic_runs as synthetic
from tests.helpers.commands import rtbench, width

SEEN = synthetic.episodes(40)


@pytest.fixture
def runs(tmp_path):
    for seed, policy in enumerate(("a", "b", "oracle")):
        synthetic.write(tmp_path / "runs", synthetic.rated(SEEN, 0.9 - 0.4 * seed, seed), policy)
    return tmp_path / "runs"


def names(said):
    assert said.code == 0, said.err
    return [row["name"] for row in json.loads(said.out)["rows"]]


def test_a_folder_of_runs_fits_a_terminal(runs):
    said = rtbench("table", runs)
    assert said.code == 0
    assert width(said.out) <= 80
    assert "oracle" in said.out
    assert "nan" not in said.out.lower().split()


def test_runs_are_named_by_folder_or_id_in_the_order_given(runs):
    b = next(runs.glob("b/*/*"))
    a = next(runs.glob("a/*/*"))
    assert names(rtbench("table", b, a.name[:6], "--out", runs, "--format", "json")) == ["b", "a"]


@pytest.mark.parametrize("ending", ["txt", "md", "tex", "csv", "json", "html"])
def test_the_ending_of_a_file_is_its_format(runs, tmp_path, ending):
    file = tmp_path / f"table.{ending}"
    said = rtbench("table", runs, "--output", file)
    form = {"txt": "text", "md": "markdown", "tex": "latex"}.get(ending, ending)
    assert (said.code, said.out) == (0, "")
    assert file.read_text() == rtbench("table", runs, "--format", form).out


def test_the_same_runs_give_the_same_bytes(runs):
    assert rtbench("table", runs, "--format", "html").out == rtbench("table", runs, "--format", "html").out


def test_options_reach_the_table(runs):
    said = rtbench("table", runs, "--by", "skill", "--sort", "rate", "--references", "--rule", "held",
                   "--split", "seen", "--allow-partial", "--published", "--format", "json")  # fmt: skip
    options = json.loads(said.out)["options"]
    assert options == {
        "by": "skill", "rule": "held", "splits": ["seen"], "published": True, "allow_partial": True,
        "references": True, "sort": "rate",
    }  # fmt: skip


def test_a_transposed_table_is_one_of_latex(runs, tmp_path):
    said = rtbench("table", runs, "--by", "skill", "--transpose", "--format", "latex")
    assert said.code == 0, said.err
    assert re.search(r"(?m)^ *skill & a & b", said.out)
    refused(rtbench("table", runs, "--transpose"), 2, "--transpose: is for LaTeX", "--format latex")


def refused(said, code, *words):
    assert said.code == code
    assert "Traceback" not in said.err
    assert said.out == ""
    for word in words:
        assert word in said.err


def test_what_is_not_there(runs, tmp_path):
    refused(rtbench("table", tmp_path / "nothing", "--out", runs), 2, "unknown run", "nothing")
    (tmp_path / "bare").mkdir()
    refused(rtbench("table", tmp_path / "bare"), 2, "no run in it")
    refused(rtbench("table"), 2)


def test_a_file_that_cannot_be_written_or_has_no_known_ending(runs, tmp_path):
    refused(rtbench("table", runs, "--output", tmp_path / "no" / "t.md"), 2, "cannot be written")
    refused(rtbench("table", runs, "--output", tmp_path / "t.docx"), 2, ".docx", ".md")


def test_a_split_that_nobody_played(runs):
    refused(rtbench("table", runs, "--split", "sen"), 2, "--split", "Did you mean 'seen'")


def test_an_empty_run(tmp_path):
    synthetic.write(tmp_path, [], "a")
    refused(rtbench("table", tmp_path), 2, "no run given has an episode")


def test_an_older_schema_and_damage(runs):
    folder = next(runs.glob("a/*/*"))
    file = folder / EPISODES
    intact = file.read_bytes()
    file.write_bytes(intact.replace(b'"schema":1', b'"schema":0'))
    refused(rtbench("table", folder), 4, "schema 0")
    file.write_bytes(b"{}\n" + intact)
    refused(rtbench("table", folder), 2, EPISODES, "line 1")
    said = rtbench("table", runs, "--format", "json")
    assert names(said) == ["b", "oracle"]
    assert "left out" in said.err
    assert str(folder) in said.err


def test_a_run_json_of_something_else(runs):
    folder = next(runs.glob("a/*/*"))
    (folder / RUN).write_text('{"id": "1", "policy": {"name": "a"}}')
    refused(rtbench("table", folder), 2, RUN, "settings, simulator, episodes missing")


def test_a_line_cut_off_is_told_of(tmp_path):
    synthetic.write(tmp_path, synthetic.rated(SEEN, 0.5), "a", tail=b'{"schema":1,"key":')
    assert "cut off" in " ".join(rtbench("table", tmp_path).out.split())


@pytest.mark.parametrize("success", [True, False, None])
def test_all_success_all_failure_only_errors_and_a_single_episode(tmp_path, success):
    for count, policy in ((40, "many"), (1, "single")):
        synthetic.write(tmp_path, [synthetic.record(e, success) for e in SEEN[:count]], policy)
    for form in ("text", "markdown", "latex", "csv", "json", "html"):
        said = rtbench("table", tmp_path, "--format", form)
        assert said.code == 0, said.err
        assert "many" in said.out
        assert "NaN" not in said.out


def test_runs_of_another_suite_have_columns_of_their_own(runs):
    other = [replace(e, suite="mine", split="mine", axis="mine") for e in SEEN]
    synthetic.write(runs, synthetic.rated(other, 0.5), "c")
    said = rtbench("table", runs, "--format", "json")
    assert [column["name"] for column in json.loads(said.out)["columns"]] == [
        "overall",
        "macro",
        "seen",
        "mine",
    ]


def test_help_shows_an_example():
    said = rtbench("table", "--help")
    assert said.code == 0
    assert "Example:  rtbench table" in said.out
