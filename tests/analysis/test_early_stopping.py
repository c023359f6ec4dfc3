"""Runs that stop as soon as they are decided: the rule, and whole runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtbench.analysis.early_stopping import StoppingRule, Target
from rtbench.core.errors import NotComparableError, RunError
from rtbench.evaluation.ending import TooManyErrorsError
from rtbench.evaluation.plan import Limits
from rtbench.result.run import Run, load_run
from rtbench.stats import Sequential
from rtbench.task.ordering import balanced
from tests.evaluation.test_scheduler_interruption import assert_die, await_lines, children
from tests.helpers import synthetic_runs as synthetic
from tests.helpers.paired_runs import essence, ordered, rule_of, run, unequal
from tests.helpers.runs import HERE, episode


@pytest.fixture(scope="module")
def baseline(tmp_path_factory):
    """A run of 48 episodes, solved at 90 %."""
    return run(tmp_path_factory.mktemp("base"), unequal(48), 0.9)


# ------------------------------------------------------------------------------------------- the rule


def made_up(outcomes, policy="base", **changes):
    """A run of such outcomes, without a folder."""
    chosen = synthetic.episodes(len(outcomes))
    records = tuple(synthetic.record(e, won) for e, won in zip(chosen, outcomes, strict=True))
    return Run("made/up", synthetic.metadata(policy, "seen", len(outcomes), **changes), records)


outcome = st.sampled_from([True, True, False, None])


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(outcome, outcome), min_size=1, max_size=60), st.randoms())
def test_the_order_in_which_records_come_does_not_matter(outcomes, random):
    first = made_up([a for a, _ in outcomes])
    second = [synthetic.record(r.episode, won) for r, (_, won) in zip(first.records, outcomes, strict=True)]
    target = Target(0.1, 0.4)
    keys = [record.key for record in second]
    decisions = []
    for records in (second, random.sample(second, len(second))):
        rule = StoppingRule(first, keys, target)
        enough = [rule.add(record) for record in records]
        assert enough == sorted(enough), "a verdict was taken back"
        decisions.append(rule.decision())
    assert decisions[0] == decisions[1]
    test = Sequential(0.1, 0.4)
    for a, b in outcomes[: decisions[0].n]:
        test.add(a is not False, b is True)
    assert decisions[0].verdict == (test.verdict or "inconclusive")
    assert decisions[0].worse == pytest.approx(test.worse, rel=1e-5)


def test_errors_count_at_their_worst():
    first = made_up([None, None, False])
    rule = StoppingRule(first, [r.key for r in first.records], Target(0.1))
    for record, won in zip(first.records, [None, False, True], strict=True):
        rule.add(synthetic.record(record.episode, won))
    assert (rule.pairs.first_only, rule.pairs.second_only, rule.pairs.n) == (2, 1, 3)


def test_an_episode_that_began_differently_is_refused_or_left_out():
    first = made_up([True] * 3)
    keys = [record.key for record in first.records]
    again = [synthetic.record(record.episode, success=True) for record in first.records]
    again[1] = synthetic.record(again[1].episode, success=False, state="another")
    strict = StoppingRule(first, keys, Target(0.1))
    assert not strict.add(again[0])
    with pytest.raises(NotComparableError, match=f"{keys[1]}.*its state differ"):
        strict.add(again[1])
    partial_ = StoppingRule(first, keys, Target(0.1), allow_partial=True)
    for record in again:
        partial_.add(record)
    assert (partial_.decision().n, partial_.left_out, partial_.pairs.both) == (2, 1, 2)
    unseen = StoppingRule(first, keys, Target(0.1))
    unseen.add(synthetic.record(first.records[0].episode, success=True, image="drawn"))  # drawn by one only
    assert unseen.pairs.n == 1


def test_nothing_is_decided_of_nothing():
    first = made_up([True])
    decision = StoppingRule(first, [first.records[0].key], Target(0.05, budget_s=9.0)).decision()
    assert (decision.verdict, decision.n, decision.difference) == ("inconclusive", 0, None)
    assert decision.interval == (-1.0, 1.0)
    assert decision.budget_s == 9.0
    json.dumps(decision.as_dict(), allow_nan=False)


def test_a_run_is_not_compared_with_itself():
    first = made_up([True])
    with pytest.raises(RunError, match="the very run"):
        StoppingRule(first, [], Target(0.05)).begin(first.meta)


# --------------------------------------------------------------------------------- simulated: is it fair?


def test_stopping_at_those_that_ended_first_is_biased_and_in_order_it_is_not():
    """Tasks of unequal difficulty and length; eight workers; the run is cut off after a time.

    Successes are short. Counting what has ended by then favours them; playing what was begun to its end, in
    the order of the list, does not.
    """
    random = np.random.default_rng(5)
    chance = {
        f"{skill}/thing_{i}-v0": 0.15 + 0.06 * (3 * i + j)
        for i in range(4)
        for j, skill in enumerate(synthetic.SKILLS)
    }
    chosen = synthetic.episodes(240)
    won = {e.key: random.random() < chance[e.task] for e in chosen}
    truth = np.mean(list(won.values()))
    in_order, as_ended = [], []
    for seed in range(400):
        order = balanced(chosen, "bias", seed)
        starts, ends = schedule([8.0 if won[e.key] else 30.0 for e in order], workers=8)
        outcomes = np.array([won[e.key] for e in order])
        in_order.append(outcomes[starts < 60].mean())
        as_ended.append(outcomes[ends < 60].mean())
    error = np.std(in_order) / 20
    assert abs(np.mean(in_order) - truth) < 4 * error
    assert np.mean(as_ended) - truth > 0.1


def schedule(lengths, workers):
    """When each episode begins and ends, the next one given to whoever is free first."""
    free = [0.0] * workers
    starts = []
    for length in lengths:
        slot = free.index(min(free))
        starts.append(free[slot])
        free[slot] += length
    return np.array(starts), np.array(starts) + lengths


@pytest.mark.parametrize("drop", [0.0, 0.05])
def test_the_whole_chain_gives_false_alarms_at_most_as_often_as_said(drop):
    """Two policies of equal rate (or just the margin apart) that are good at different tasks."""
    alpha, margin, rounds, wrong = 0.1, 0.05, 200, 0
    chosen = synthetic.episodes(120)
    tasks = sorted({e.task for e in chosen})
    for seed in range(rounds):
        random = np.random.default_rng([seed, 7])
        better = dict(zip(tasks, np.where(np.arange(len(tasks)) % 2, 0.3, -0.3), strict=True))
        first = random.random(120) < 0.5
        second = random.random(120) < np.array([0.5 - drop + better[e.task] for e in chosen])
        at = {e.key: i for i, e in enumerate(chosen)}
        test = Sequential(margin, alpha)
        for e in balanced(chosen, "alarm", seed):
            test.add(bool(first[at[e.key]]), bool(second[at[e.key]]))
            if test.verdict:
                break
        wrong += test.verdict == ("regression" if drop == 0 else "pass")
    assert wrong <= alpha * rounds


# ------------------------------------------------------------------------------------- whole runs


@pytest.mark.parametrize(("rate", "verdict"), [(0.3, "regression"), (0.92, "pass")])
def test_the_number_of_workers_does_not_change_the_verdict_or_the_file(tmp_path, baseline, rate, verdict):
    order = ordered(baseline)
    played = []
    name = "other" if rate < 0.5 else "chance"  # with another stream it wins some and loses some
    for workers in (1, 3):
        rule = rule_of(baseline, Target(0.15))
        played.append(run(tmp_path / str(workers), order, rate, workers, rule, name=name))
    one, three = played
    assert one.meta.decision == three.meta.decision
    assert one.meta.decision.verdict == verdict
    n = one.meta.decision.n
    assert n < len(order)
    assert [r.key for r in one.records] == [e.key for e in order[:n]]
    assert essence(one) == essence(three)
    assert one.path.name == three.path.name
    assert not one.summary.complete


def test_a_run_killed_half_way_is_decided_at_the_same_episode(tmp_path, baseline):
    order = ordered(baseline)
    whole = run(tmp_path / "whole", order, 0.5, 2, rule_of(baseline, Target(0.1)), name="other")
    n = whole.meta.decision.n
    assert n > 6
    path = tmp_path / "again.py"
    path.write_text(
        textwrap.dedent(f"""
        from pathlib import Path
        from rtbench.result.run import load_run
        from rtbench.analysis.early_stopping import Target
        from tests.helpers.paired_runs import ordered, rule_of, run
        baseline = load_run({str(baseline.path)!r})
        rule = rule_of(baseline, Target(0.1))
        run(Path({str(tmp_path / "out")!r}), ordered(baseline), 0.5, 2, rule, name="other")
    """)
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE.parent), *sys.path])}
    process = subprocess.Popen(
        [sys.executable, str(path)], env=environment, stderr=subprocess.PIPE, text=True
    )
    file = await_lines(tmp_path / "out", 3, process)
    workers = children(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert_die(workers)
    half = load_run(file.parent)
    assert [r.key for r in half.records] == [e.key for e in order[: len(half.records)]], "not a beginning"
    assert half.meta.decision is None
    again = run(tmp_path / "out", order, 0.5, 3, rule_of(baseline, Target(0.1)), name="other")
    assert again.path == file.parent
    assert essence(again) == essence(whole)
    assert again.meta.decision == whole.meta.decision


def test_without_a_target_a_stopped_run_is_played_to_the_end(tmp_path, baseline):
    order = ordered(baseline)
    stopped = run(tmp_path, order, 0.0, 1, rule_of(baseline, Target(0.1)))
    assert len(stopped.records) < len(order)
    ended = run(tmp_path, order, 0.0, 1, rule_of(baseline, None))
    assert ended.path == stopped.path
    assert [r.key for r in ended.records] == [e.key for e in order]
    assert essence(ended)[: len(stopped.records)] == essence(stopped)
    assert ended.meta.decision is None
    # Asked again, the verdict is that of the first run, though all records are there.
    asked = run(tmp_path, order, 0.0, 1, rule_of(baseline, Target(0.1)))
    assert asked.meta.decision == stopped.meta.decision


def test_records_of_an_ordinary_run_are_used_in_the_order_of_the_list(tmp_path, baseline):
    order = ordered(baseline)
    fresh = run(tmp_path / "fresh", order, 0.4, 1, rule_of(baseline, Target(0.1)))
    run(tmp_path / "both", order[::-1], 0.4, 1)
    judged = run(tmp_path / "both", order, 0.4, 1, rule_of(baseline, Target(0.1)))
    assert judged.meta.decision == fresh.meta.decision
    assert judged.path.name == fresh.path.name


def test_where_errors_stop_a_run_does_not_depend_on_workers(tmp_path, baseline):
    order = ordered(baseline)
    files = []
    for workers in (1, 3):
        with pytest.raises(TooManyErrorsError):
            run(tmp_path / str(workers), order, 0.9, workers, Patient(), limits=Limits(), faulty=0.2)
        (path,) = (tmp_path / str(workers)).glob("*/*/*")
        files.append(essence(load_run(path)))
    assert files[0] == files[1]
    assert len(files[0]) < len(order)


class Patient:
    """A stopping_rule that never has enough."""

    def begin(self, meta):
        pass

    def add(self, record):
        return False

    def decision(self):
        return None


def test_time_that_is_up_ends_the_run_with_what_was_begun(tmp_path):
    chosen = [episode(i, variant="slow:0.1", horizon=5) for i in range(20)]
    limits = Limits(error_share=1.0, run_s=1.5)
    began = time.monotonic()
    played = run(tmp_path / "some", chosen, 0.9, 2, Patient(), limits=limits)
    assert time.monotonic() - began > 1.5
    assert [r.key for r in played.records] == [e.key for e in chosen[: len(played.records)]]
    assert len(played.records) < len(chosen)
    assert all(r.outcome for r in played.records), "an episode was cut off"
    none = run(tmp_path / "none", chosen, 0.9, 2, Patient(), limits=Limits(run_s=0.0))
    assert len(none.records) == 0
