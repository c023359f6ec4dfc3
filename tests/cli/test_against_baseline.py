"""`rtbench run --vs`: verdicts, exit codes, and mistakes told before anything is played."""

from __future__ import annotations

import json
import re
from functools import partial

import pytest

from rtbench.evaluation.evaluate import Options
from rtbench.result.run import load_run
from rtbench.result.summary import read_summary
from tests.helpers import synthetic_runs as synthetic
from tests.helpers.commands import rtbench as command
from tests.helpers.commands import width
from tests.helpers.paired_runs import CHANCY, evaluation, ordered, run, unequal
from tests.helpers.runs import FACTORY


@pytest.fixture(scope="module")
def baseline(tmp_path_factory):
    """A run of 48 episodes, solved at 90 %."""
    return run(tmp_path_factory.mktemp("base"), unequal(48), 0.9)


@pytest.fixture(autouse=True)
def fake(monkeypatch):
    """The command line plays in the fake environment."""
    monkeypatch.setattr(evaluation, "Options", partial(Options, factory=FACTORY))


def challenge(baseline, out, rate, *arguments, name="chance"):
    return command(
        "run", "--policy", CHANCY, "--policy-arg", f"rate={rate}", "--policy-arg", f"name={name}",
        "--out", out, "--vs", baseline.path, "-j", 1, *arguments,
    )  # fmt: skip


UNTIL = ("--until", "decided", "--margin", "10pp")


@pytest.mark.parametrize(
    ("rate", "arguments", "code", "said"),
    [
        (0.2, UNTIL, 1, "regression: worse, by more than 10 points as measured"),
        (0.92, (*UNTIL, "--margin", "20pp"), 0, "pass: not worse by 20 points or more"),
        (0.92, (*UNTIL, "--alpha", "0.0000001"), 3, "all episodes are played"),
        (0.92, (*UNTIL, "--budget", "0.001s"), 3, "time is up; the same command plays on"),
        (0.2, (), 0, "McNemar's p below 0.001"),
    ],
)
def test_verdicts_and_exit_codes(tmp_path, baseline, rate, arguments, code, said):
    found = challenge(baseline, tmp_path, rate, *arguments)
    assert (found.code, found.err) == (code, "")
    assert said in found.out
    assert f"against Chancy, run {baseline.meta.id}" in found.out
    (played,) = [load_run(path.parent) for path in tmp_path.glob("*/*/*/run.json")]
    assert width(found.out.replace(str(played.path), "R").replace(str(baseline.path), "B")) <= 80
    assert ("unfinished" in found.out) is False
    shown = command("show", played.path)
    if UNTIL[0] in arguments:
        assert re.search(r"(stopped after \d+ of|ended after all) 48 episodes: (pass|regr|incon)", shown.out)
        assert played.meta.decision.baseline == baseline.meta.id
    assert read_summary(played.path) == played.summary


def test_some_of_the_baseline_in_a_balanced_order(tmp_path, baseline):
    found = challenge(baseline, tmp_path, 0.5, "--axis", "A", "--limit", 10)
    assert found.code == 0, found.err
    (path,) = tmp_path.glob("*/*/*")
    played = load_run(path)
    assert {r.episode.axis for r in played.records} == {"A"}
    tasks = [r.episode.task for r in played.records]
    assert abs(tasks.count("push/x-v0") - 5) <= 1
    assert len(tasks) == 10


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--margin", "10pp"), "--margin is for a run that may stop: add --vs BASE --until decided"),
        (("--alpha", "0.1"), "--alpha is for a run that may stop"),
        (("--budget", "15m"), "--budget is for a run that may stop"),
        (("--until", "decided"), "--until decided needs the drop that matters: add --margin"),
        ((*UNTIL, "--margin", "100pp"), "--margin 100pp: no drop is beyond it"),
        ((*UNTIL, "--margin", "150pp"), "rates differ by at most 100 points"),
        ((*UNTIL, "--alpha", "1"), "Invalid value for '--alpha'"),
        ((*UNTIL, "--budget", "15"), "--budget 15: expected a duration with its unit"),
        (("--until", "forever"), "'decided'"),
        (("--language", "blank"), "--language does not go with --vs"),
        (("--repeat", "2"), "--repeat does not go with --vs"),
        (("--rounds", "2"), "--rounds does not go with --vs"),
        (("--seed", "2"), "--seed does not go with --vs"),
        (("--suite", "novel"), "--suite novel: the baseline"),
        (("--skill", "pusch"), "unknown skill 'pusch'. Did you mean 'push'?"),
        (("--axis", "C"), "unknown axis 'C'"),
    ],
)
def test_options_in_the_wrong_company_are_refused(tmp_path, baseline, arguments, said):
    found = challenge(baseline, tmp_path, 0.5, *arguments)
    assert (found.code, said in found.err) == (2, True), found.err
    assert "Traceback" not in found.err
    assert not list(tmp_path.iterdir()), "something was played before the mistake was told"


@pytest.mark.parametrize("arguments", [UNTIL, ("--allow-partial",)])
def test_a_comparison_needs_a_baseline(tmp_path, arguments):
    found = command("run", "--policy", CHANCY, "--out", tmp_path, *arguments)
    assert (found.code, "name the baseline with --vs BASE" in found.err) == (2, True)


def test_a_baseline_that_is_not_there_or_empty(tmp_path, baseline):
    missing = command("run", "--policy", CHANCY, "--out", tmp_path, "--vs", "0123abcd")
    assert (missing.code, "unknown run '0123abcd'" in missing.err) == (2, True)
    empty = synthetic.write(tmp_path, [])
    found = command("run", "--policy", CHANCY, "--out", tmp_path, "--vs", empty)
    assert (found.code, "has no episodes; play it first" in found.err) == (2, True)
    itself = challenge(baseline, tmp_path, 0.9)
    assert (itself.code, "the very run that this command makes" in itself.err) == (2, True)


def test_a_baseline_of_another_version_is_not_comparable_and_nothing_is_played(tmp_path, baseline):
    told = json.loads((baseline.path / "run.json").read_text())
    told["simulator"]["mujoco"] = "3.9.0"
    old = tmp_path / "old"
    old.mkdir()
    (old / "run.json").write_text(json.dumps(told))
    (old / "episodes.jsonl").write_bytes((baseline.path / "episodes.jsonl").read_bytes())
    found = challenge(load_run(old), tmp_path / "out", 0.5, *UNTIL)
    assert found.code == 4
    assert "3.9.0" in found.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("partial_", [False, True])
def test_an_episode_that_begins_differently_stops_the_run(tmp_path, baseline, partial_):
    lines = (baseline.path / "episodes.jsonl").read_text().splitlines()
    first = ordered(baseline)[1].key
    other = tmp_path / "other"
    other.mkdir()
    (other / "run.json").write_bytes((baseline.path / "run.json").read_bytes())
    with (other / "episodes.jsonl").open("w") as file:
        for line in map(json.loads, lines):
            if line["key"] == first:
                line["fingerprint"]["state"] = "f" * 16
            file.write(json.dumps(line) + "\n")
    given = [*UNTIL, *(["--allow-partial"] if partial_ else [])]
    found = challenge(load_run(other), tmp_path / "out", 0.2, *given)
    assert found.code == (1 if partial_ else 4)
    if partial_:
        assert "1 that began differently, or whose task has changed" in found.out
        return
    assert f"episode {first}" in found.err
    (path,) = (tmp_path / "out").glob("*/*/*")
    assert len(load_run(path).records) == 2
    assert challenge(load_run(other), tmp_path / "out", 0.2, *given).code == 4, "not found again in the file"


def test_a_policy_that_breaks_exits_with_5(tmp_path, baseline):
    found = challenge(baseline, tmp_path, 0.9, *UNTIL, "--policy-arg", "faulty=1")
    assert found.code == 5
    assert "a bug of mine" in found.err
