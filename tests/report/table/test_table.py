"""Tables: who has a row, and what a cell says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rtbench.analysis.noise_floor import NOISE, noise
from rtbench.core.errors import RunError, UnknownNameError
from rtbench.report.table.number_format import common_size
from rtbench.report.table.row import part
from rtbench.report.table.table import tabulate
from rtbench.result.folder import RUN, read_json, write_json
from rtbench.result.run import load_run
from rtbench.result.scores import load_scores
from rtbench.result.summary import write_summary
from rtbench.stats import wilson, wilson_clustered
from tests.helpers import synthetic_runs as synthetic
from tests.helpers.tables import NOVEL, SEEN, cell, made, three, told


def test_a_cell_is_the_rate_with_wilsons_interval_and_errors_apart(tmp_path):
    records = [synthetic.record(e, [True, True, False, None][i % 4]) for i, e in enumerate(SEEN)]
    synthetic.write(tmp_path, records, "a")
    found = cell(made(tmp_path), "a", "overall")
    assert (found.successes, found.n, found.errors) == (30, 45, 15)
    assert (found.rate, found.low, found.high) == (30 / 45, *wilson(30, 45))


def test_macro_counts_each_skill_once(tmp_path):
    pick, others = [e for e in SEEN if e.skill == "pick"], [e for e in SEEN if e.skill != "pick"][:10]
    records = [synthetic.record(e, success=e in pick) for e in (*pick, *others)]
    synthetic.write(tmp_path, records, "a")
    table = made(tmp_path)
    found = cell(table, "a", "macro")
    assert found.rate == pytest.approx(1 / 3)
    assert found.low < 1 / 3 < found.high
    assert table.skills == 3


def test_the_macro_interval_covers(tmp_path):
    """Zou and Donner's interval, simulated; a mean of 95 % needs at least 93."""
    from rtbench.report.table.table import _mean

    random = np.random.default_rng(4)
    rates, n = np.array([0.95, 0.6, 0.2]), 20
    draws = random.binomial(n, rates, size=(3000, 3))
    cells = [_mean([(n, n, int(k)) for k in row]) for row in draws]
    covered = np.mean([c.low <= rates.mean() <= c.high for c in cells])
    assert 0.93 <= covered <= 0.99


def test_the_macro_interval_is_that_of_independent_parts():
    from rtbench.report.table.table import _mean

    low, high = wilson(7, 20)
    assert (_mean([(20, 20, 7)]).low, _mean([(20, 20, 7)]).high) == pytest.approx((low, high))
    four = _mean([(20, 20, 7)] * 4)
    assert four.rate - four.low == pytest.approx((0.35 - low) / 2)
    assert four.high - four.rate == pytest.approx((high - 0.35) / 2)


def test_a_policy_without_all_skills_has_no_macro(tmp_path):
    synthetic.write(tmp_path, synthetic.rated(SEEN, 0.5), "whole")
    synthetic.write(tmp_path, synthetic.rated([e for e in SEEN if e.skill == "pick"], 0.5), "part")
    table = made(tmp_path)
    assert cell(table, "part", "macro") is None
    assert cell(table, "whole", "macro").rate is not None
    assert "did not all play the same episodes" in told(table)


def test_suites_of_a_policy_are_pooled_and_a_group_not_played_is_missing(tmp_path):
    synthetic.write(tmp_path, synthetic.rated(SEEN, 0.9), "a")
    synthetic.write(tmp_path, synthetic.rated(NOVEL, 0.5), "a")
    synthetic.write(tmp_path, synthetic.rated(SEEN, 0.5, 1), "b")
    table = made(tmp_path)
    assert [row.name for row in table.rows] == ["a", "b"]
    assert len(table.rows[0].runs) == 2
    assert [column.name for column in table.columns] == ["overall", "macro", "seen", "novel"]
    assert cell(table, "a", "overall").n == 90
    assert cell(table, "b", "novel") is None


def test_runs_that_share_an_episode_stand_alone_and_the_rest_is_pooled(tmp_path):
    synthetic.write(tmp_path, synthetic.rated(SEEN, 0.9), "a", extra={"id": "aaaa11111111"})
    synthetic.write(tmp_path, synthetic.rated(SEEN[:30], 0.9, 1), "a", extra={"id": "aaab11111111"})
    synthetic.write(tmp_path, synthetic.rated(NOVEL[:10], 0.9), "a", extra={"id": "cccc11111111"})
    synthetic.write(tmp_path, synthetic.rated(NOVEL[10:], 0.9), "a", extra={"id": "dddd11111111"})
    table = made(tmp_path)
    assert [row.name for row in table.rows] == ["a (cccc)", "a (aaaa)", "a (aaab)"]
    assert table.rows[0].runs == ("cccc11111111", "dddd11111111")


@pytest.mark.parametrize(
    "other",
    [
        {"settings": {"latency_ms": [500]}},
        {"policy": {"name": "a", "factory": "made.up:a", "arguments": {"k": 2}, "weights": None}},
        {"arm": "blank"},
        {"repeat": 1},
        {"simulator": {"mujoco": "3.9.0"}},
    ],
)
def test_runs_of_other_settings_are_not_pooled(tmp_path, other):
    synthetic.write(tmp_path, synthetic.rated(SEEN, 0.9), "a", extra={"id": "aaaa11111111"})
    folder = synthetic.write(tmp_path, synthetic.rated(NOVEL, 0.9), "a", extra={"id": "bbbb11111111"})
    meta = read_json(folder / RUN)
    write_json(folder / RUN, meta | other | {"settings": meta["settings"] | other.get("settings", {})})
    names = [row.name for row in made(tmp_path).rows]
    assert len(names) == len(set(names)) == 2


def test_a_run_given_twice_counts_once(tmp_path):
    folder = synthetic.write(tmp_path, synthetic.rated(SEEN, 0.9), "a")
    parts = [part(load_scores(folder), "success") for _ in range(2)]
    table = tabulate(parts)
    assert cell(table, "a", "overall").n == 60


def test_references_stand_last_and_have_letters_only_on_request(tmp_path):
    for policy, rate in {"noop": 0.0, "oracle": 1.0, "a": 0.5, "z": 0.6}.items():
        synthetic.write(tmp_path, synthetic.rated(SEEN, rate, 2), policy)
    table = made(tmp_path)
    assert [row.name for row in table.rows] == ["a", "z", "oracle", "noop"]
    assert [row.reference for row in table.rows] == ["", "", "ceiling", "floor"]
    assert not any(found.letters for row in table.rows[2:] for found in row.cells)
    assert table.columns[0].paired == 1
    assert "oracle and noop" in told(table)
    assert made(tmp_path, references=True).columns[0].paired == 6


def test_what_a_card_was_trained_on_counts_in_no_split(tmp_path):
    novelties = {e.key: ["object pear"] for e in NOVEL[:12]}
    synthetic.write(tmp_path, synthetic.rated(NOVEL, 0.5), "a", extra={"novelties": novelties})
    table = made(tmp_path)
    assert cell(table, "a", "novel").n == 12
    assert cell(made(tmp_path, by="axis"), "a", "backgrounds/easy").n == 12
    assert cell(made(tmp_path, by="skill"), "a", "pick").n == 10
    assert cell(table, "a", "overall").n == 30
    assert "18 episodes that its card was trained on" in told(table)


def test_only_episodes_of_a_split(tmp_path):
    synthetic.write(tmp_path, synthetic.rated(SEEN, 0.9), "a")
    synthetic.write(tmp_path, synthetic.rated(NOVEL, 0.5), "a")
    table = made(tmp_path, splits=("novel",), by="skill")
    assert cell(table, "a", "overall").n == 30
    with pytest.raises(UnknownNameError, match=r"--split.*novl.*Did you mean 'novel'"):
        made(tmp_path, splits=("novl",))


@pytest.mark.parametrize("by", ["axis", "skill", "task"])
def test_columns_are_groups_by_name(tmp_path, by):
    synthetic.write(tmp_path, synthetic.rated([*SEEN, *NOVEL], 0.5), "a")
    columns = [column.name for column in made(tmp_path, by=by).columns[2:]]
    first = {"axis": "seen", "skill": "move_near", "task": "move_near/thing_0-v0"}
    last = {"axis": "backgrounds/easy", "skill": "pick", "task": "pick/thing_3-v0"}
    assert (columns[0], columns[-1]) == (first[by], last[by])


def test_the_rule_decides_what_a_success_is(tmp_path):
    records = [synthetic.record(e, success=False) for e in SEEN]
    records = [replace(one, outcome=replace(one.outcome, ever=True)) for one in records]
    synthetic.write(tmp_path, records, "a")
    assert cell(made(tmp_path), "a", "overall").rate == 0
    assert cell(made(tmp_path, rule="ever"), "a", "overall").rate == 1


def test_hz_is_of_the_policys_own_time_and_met_is_told_where_it_is_known(tmp_path):
    slow = [synthetic.record(e, success=True, ms=400.0) for e in SEEN]
    fast = [synthetic.record(e, success=True, ms=20.0) for e in SEEN]
    for policy, records in {"slow": slow, "fast": fast, "silent": fast}.items():
        folder = synthetic.write(tmp_path, records, policy)
        if policy != "silent":
            write_summary(folder, load_run(folder).summary)
    rows = {row.name: row for row in made(tmp_path).rows}
    assert [rows[name].hz for name in ("slow", "fast")] == pytest.approx([2.5, 50])
    assert [rows[name].met for name in ("slow", "fast", "silent")] == [False, True, None]


def test_a_stale_summary_is_not_believed(tmp_path):
    folder = synthetic.write(tmp_path, synthetic.rated(SEEN, 1.0), "a")
    summary = load_run(folder).summary
    write_summary(folder, summary.replace(hz=summary.hz.replace(decisions=3)))
    assert made(tmp_path).rows[0].met is None


def test_only_errors_and_one_episode(tmp_path):
    synthetic.write(tmp_path, [synthetic.record(e, None) for e in SEEN], "broken")
    synthetic.write(tmp_path, [synthetic.record(SEEN[0], success=True)], "single")
    table = made(tmp_path)
    broken = cell(table, "broken", "overall")
    assert (broken.rate, broken.low, broken.n, broken.errors, broken.letters) == (None, None, 0, 60, "")
    assert table.rows[0].hz is None
    assert cell(table, "single", "overall").rate == 1
    assert not table.tested
    assert "No letters" in told(table)


def test_an_empty_run_beside_another_is_told_of_and_alone_refused(tmp_path):
    empty = synthetic.write(tmp_path, [], "empty", extra={"episodes": 5})
    with pytest.raises(RunError, match="no run given has an episode"):
        tabulate([part(load_scores(empty), "success")])
    synthetic.write(tmp_path, synthetic.rated(SEEN, 0.5), "a")
    table = made(tmp_path)
    assert cell(table, "empty", "overall") is None
    assert "empty: unfinished, 0 of 5 episodes." in table.notes


def test_order(tmp_path):
    three(tmp_path)
    assert [row.name for row in made(tmp_path).rows] == ["bad", "good", "middling"]
    assert [row.name for row in made(tmp_path, sort="rate").rows] == ["good", "middling", "bad"]


@pytest.mark.parametrize("by", ["split", "axis"])
def test_published_figures_stand_where_a_column_is_one_axis_alone(tmp_path, by):
    synthetic.write(tmp_path, synthetic.rated([*SEEN, *NOVEL], 0.5), "a")
    table = made(tmp_path, by=by, published=True)
    figures = {block.source: block.rows for block in table.blocks}
    assert figures["RT-1 paper, Table 2"]["RT-1"]["seen"].cell.value == 97
    assert all(block.label == "published, real robot, another task set" for block in table.blocks)
    for block in table.blocks:
        assert block.head in told(table)


def test_published_figures_never_stand_under_skills_or_mixed_columns(tmp_path):
    mixed = synthetic.episodes(30, suite="novel", split="novel", axis="unseen_instructions")
    synthetic.write(tmp_path, synthetic.rated([*NOVEL, *mixed], 0.5), "a")
    assert not made(tmp_path, by="skill", published=True).blocks
    table = made(tmp_path, by="split", published=True)
    assert not table.blocks
    assert "No published figure is an honest counterpart" in told(table)
    assert made(tmp_path, by="axis", published=True).blocks


def test_a_size_shared_by_all_stands_in_the_head(tmp_path):
    three(tmp_path)
    assert common_size(0, made(tmp_path)) == 60
    single = tmp_path / "single"
    synthetic.write(single, [*synthetic.rated(SEEN[1:], 0.5), synthetic.record(SEEN[0], None)], "flawed")
    assert common_size(0, made(single)) is None
    assert common_size(0, made(tmp_path)) is None


def test_the_overall_rate_has_an_interval_of_tasks_too(tmp_path):
    """Of tasks that always or never succeed, Wilson's interval says too much."""
    records = [synthetic.record(e, success=int(e.task[-4]) % 2 == 0) for e in SEEN]
    synthetic.write(tmp_path, records, "a")
    table = made(tmp_path)
    (row,) = table.rows
    ends = [r.outcome.end for r in records]
    expected = wilson_clustered(ends, [e.task for e in SEEN])
    assert (row.by_task, row.tasks) == (expected, 12)
    low, high = wilson(sum(ends), len(ends))
    assert row.by_task[0] < low < high < row.by_task[1]
    text = f"a {100 * expected[0]:.1f}-{100 * expected[1]:.1f} (12 tasks)"
    assert text in told(table)


def test_one_episode_a_task_needs_no_interval_of_tasks(tmp_path):
    alone = [replace(e, task=f"pick/thing_{k}-v0") for k, e in enumerate(SEEN)]
    synthetic.write(tmp_path, synthetic.rated(alone, 0.5), "a")
    table = made(tmp_path)
    assert table.rows[0].by_task is None
    assert "clustered by task" not in told(table)


def test_the_agreement_of_reruns_is_told(tmp_path):
    path = synthetic.write(tmp_path, synthetic.rated(SEEN, 0.5), "a")
    assert "Agreement of reruns" not in told(made(tmp_path))
    write_json(path / NOISE, noise([{str(i): i > 5 or k for i in range(60)} for k in (True, False)]))
    table = made(tmp_path)
    assert table.rows[0].reruns.agreement == pytest.approx(0.9)
    assert "Agreement of reruns: a 90.0 %" in told(table)
    assert "60 episodes played 2 times" in told(table)
