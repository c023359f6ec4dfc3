"""Which policies of a table are told apart, and which may not be compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtbench.analysis.pairing import join
from rtbench.report.table.pairwise import count_pairs, fisher, judge
from rtbench.result.scores import load_scores
from rtbench.stats import Pairs, mcnemar
from tests.helpers import synthetic_runs as synthetic
from tests.helpers.tables import SEEN, cell, made, three, told

OUTCOMES = st.lists(
    st.lists(st.sampled_from([None, True, False, "absent"]), min_size=12, max_size=12), min_size=2, max_size=5
)


@given(OUTCOMES)
def test_matrix_counts_are_those_of_every_pair_counted_alone(outcomes):
    rows = [
        (i, e, won) for i, had in enumerate(outcomes) for e, won in enumerate(had) if isinstance(won, bool)
    ]
    policy, episode = (np.array([row[k] for row in rows], dtype=np.int64) for k in (0, 1))
    counts = count_pairs(policy, episode, np.array([row[2] for row in rows], dtype=bool), len(outcomes))
    for i, first in enumerate(outcomes):
        assert counts.successes[i] == sum(won is True for won in first)
        for j, second in enumerate(outcomes):
            both = [(a, b) for a, b in zip(first, second, strict=True) if {type(a), type(b)} == {bool}]
            pairs = Pairs.count(both)
            assert counts.shared[i, j] == pairs.n
            assert counts.only[i, j] == pairs.first_only
            assert counts.only[j, i] == pairs.second_only


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6))
def test_what_is_told_apart_is_what_joining_every_pair_says(tmp_path_factory, seed):
    out = tmp_path_factory.mktemp("runs")
    random = np.random.default_rng(seed)
    folders = []
    for name in "abc":
        rate, missing = random.random(), set(random.choice(60, 8, replace=False).tolist())
        played = synthetic.rated([e for e in SEEN if e.seed not in missing], rate, seed)
        errors = [synthetic.record(one.episode, None) for one in played[:3]]
        folders.append(synthetic.write(out, [*errors, *played[3:]], name))
    table = made(out)
    column = table.columns[0]
    p = {}
    for i, first in enumerate(folders):
        for j in range(i):
            pairs = join(load_scores(folders[j]), load_scores(first)).pairs
            p[j, i] = mcnemar(pairs)
    # Holm by hand: the smallest of three times three, and so on.
    ranked = sorted(p, key=p.get)
    bounds = np.maximum.accumulate([p[pair] * (3 - k) for k, pair in enumerate(ranked)])
    for pair, adjusted in zip(ranked, bounds, strict=True):
        a, b = (set(table.rows[i].cells[0].letters) for i in pair)
        assert bool(a & b) == (adjusted > 0.05)
    assert column.paired == 3


def test_three_clearly_different_policies_have_three_letters(tmp_path):
    three(tmp_path)
    table = made(tmp_path)
    letters = {row.name: row.cells[0].letters for row in table.rows}
    assert letters == {"good": "a", "middling": "b", "bad": "c"}
    assert [row.name for row in table.rows if row.cells[0].best] == ["good"]
    assert "McNemar's exact test on shared episodes (paired)" in told(table)


def test_more_pairs_ask_for_a_smaller_p(tmp_path):
    """Six of sixty that all went one way have p = .031: enough for one pair, and by Holm not for three."""
    for policy in ("a", "b"):
        synthetic.write(tmp_path, [synthetic.record(e, e.seed >= 6 or policy == "a") for e in SEEN], policy)
    assert [row.cells[0].letters for row in made(tmp_path).rows] == ["a", "b"]
    synthetic.write(tmp_path, [synthetic.record(e, success=True) for e in SEEN], "c")
    assert {row.cells[0].letters for row in made(tmp_path).rows} == {"a"}


def test_nobody_is_marked_where_nothing_is_told_apart(tmp_path):
    for policy in ("a", "b"):
        synthetic.write(tmp_path, synthetic.rated(SEEN, 0.5, 1), policy)
    table = made(tmp_path)
    assert {row.cells[0].letters for row in table.rows} == {"a"}
    assert not any(found.best for row in table.rows for found in row.cells)
    assert "Bold" not in told(table)


def test_policies_on_different_episodes_are_tested_unpaired(tmp_path):
    synthetic.write(tmp_path, synthetic.rated(SEEN, 0.95), "a")
    synthetic.write(tmp_path, synthetic.rated(synthetic.episodes(120)[60:], 0.1), "b")
    table = made(tmp_path)
    assert (table.columns[0].paired, table.columns[0].unpaired) == (0, 1)
    assert [row.cells[0].letters for row in table.rows] == ["a", "b"]
    assert "unpaired" in told(table)
    assert "McNemar" not in told(table)


def test_another_simulator_gets_no_letters_and_the_reason_is_told(tmp_path):
    three(tmp_path)
    synthetic.write(
        tmp_path,
        synthetic.rated(SEEN, 0.5),
        "old",
        extra={"simulator": {"mujoco": "3.9.0", "rtbench": "0.1.0"}},
    )
    table = made(tmp_path)
    assert cell(table, "old", "overall").letters == ""
    assert cell(table, "old", "overall").rate is not None
    assert any("old: no letters" in note and "3.9.0" in note for note in table.notes)
    assert cell(table, "bad", "overall").letters == "c"


def test_other_first_states_get_no_letters_or_are_left_out_on_request(tmp_path):
    three(tmp_path)
    records = synthetic.rated(SEEN, 0.5)
    changed = [replace(one, fingerprint={"state": "f" * 16}) for one in records[:7]]
    synthetic.write(tmp_path, [*changed, *records[7:]], "odd")
    refused, partial = made(tmp_path), made(tmp_path, allow_partial=True)
    assert cell(refused, "odd", "overall").letters == ""
    assert any("settled states differ" in note and "in 7 episodes" in note for note in refused.notes)
    assert cell(partial, "odd", "overall").letters
    assert cell(partial, "odd", "overall").n == 60
    assert any("7 of 60 episodes, not compared" in note for note in partial.notes)


def test_tasks_of_another_version_are_not_compared(tmp_path):
    hashes = dict.fromkeys((e.task for e in SEEN), "1" * 16)
    three(tmp_path, extra={"tasks": hashes})
    other = hashes | {"pick/thing_0-v0": "2" * 16}
    synthetic.write(tmp_path, synthetic.rated(SEEN, 0.5), "new", extra={"tasks": other})
    assert cell(made(tmp_path), "new", "overall").letters == ""
    assert cell(made(tmp_path, allow_partial=True), "new", "overall").letters


def test_the_least_difference_is_the_least_that_is_seen():
    """With n pairs of which k differ, all in one direction, k is seen and k - 1 is not."""
    n = 50
    for k in range(1, 12):
        episode = np.tile(np.arange(n), 2)
        success = np.concatenate([np.arange(n) < k, np.zeros(n, dtype=bool)])
        counts = count_pairs(np.repeat([0, 1], n), episode, success, 2)
        verdict = judge(counts, np.ones(2, dtype=bool), 0.05)
        assert (verdict.letters[0] != verdict.letters[1]) == (k / n >= verdict.least)


def test_fisher_is_exact_and_never_below_scipys_one_sided():
    from scipy.stats import fisher_exact

    grid = np.array(
        [(k, n, j, m) for n in (5, 12) for m in (7, 12) for k in range(n + 1) for j in range(m + 1)]
    )
    k, n, j, m = grid.T
    ours = fisher((k, n), (j, m))
    for p, (a, b, c, d) in zip(ours, grid.tolist(), strict=True):
        tails = [fisher_exact([[a, b - a], [c, d - c]], side).pvalue for side in ("less", "greater")]
        assert p == pytest.approx(min(1, 2 * min(tails)), abs=1e-12)
