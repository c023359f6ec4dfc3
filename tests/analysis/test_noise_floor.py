"""A policy's own noise: how often outcomes flip between repeats, and `run --repeat`."""

from __future__ import annotations

import json
import re
from functools import partial
from importlib import import_module
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtbench.analysis.noise_floor import NOISE, measure, noise, read_reruns
from rtbench.core.errors import RunError
from rtbench.evaluation.evaluate import Options
from rtbench.policy.seed import policy_seed
from rtbench.result.folder import write_json
from rtbench.result.run import load_run
from rtbench.stats import wilson
from tests.helpers.commands import rtbench as command
from tests.helpers.commands import width
from tests.helpers.runs import FACTORY, HERE, episode, episodes

CHANCY = f"{HERE / 'fake_chances.py'}:Chancy"
outcome = st.sampled_from([True, False, None])


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 5).flatmap(lambda k: st.lists(st.lists(outcome, min_size=k, max_size=k), max_size=20)))
def test_it_counts_all_pairs_of_repeats(table):
    repeats = [{str(i): row[k] for i, row in enumerate(table)} for k in range(len(table[0]) if table else 1)]
    found = noise(repeats)
    pairs = [(a, b) for row in table for a, b in combinations(row, 2) if a is not None and b is not None]
    flips = sum(a != b for a, b in pairs)
    assert (found["pairs"], found["flips"]) == (len(pairs), flips)
    assert found["rate"] == (flips / len(pairs) if pairs else None)
    low, high = found["interval"]
    assert 0 <= low <= (found["rate"] or 0) <= high <= 1
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize("k", [2, 3])
def test_with_two_or_three_repeats_it_is_wilsons_interval_of_episodes_that_flipped(k):
    repeats = [{str(i): i >= 7 or number == 0 for i in range(40)} for number in range(k)]
    found = noise(repeats)
    most = 1.0 if k == 2 else 2 / 3
    assert found["rate"] == pytest.approx(7 / 40 * most)
    assert found["interval"] == pytest.approx([most * bound for bound in wilson(7, 40)])


def test_a_policy_that_never_flipped_may_still_flip():
    found = noise([{str(i): True for i in range(20)}] * 4)
    assert (found["rate"], found["flips"], found["interval"][0]) == (0.0, 0, 0.0)
    assert 0.05 < found["interval"][1] < 0.2
    assert found["spread"] == [1.0] * 4


def test_nothing_is_known_of_errors_alone():
    found = noise([{"a": None}, {"a": None}])
    assert (found["rate"], found["pairs"], found["interval"], found["spread"]) == (
        None,
        0,
        [0.0, 1.0],
        [None] * 2,
    )


@pytest.mark.parametrize("k", [2, 3, 5])
def test_the_interval_covers_the_true_flip_rate(k):
    """Episodes of which some always succeed, some are tossed, and some are nearly sure."""
    random = np.random.default_rng(k)
    chance = random.choice([1.0, 0.5, 0.95, 0.0], size=(600, 60))
    truth = np.mean([0.0, 0.5, 2 * 0.95 * 0.05, 0.0])
    won = random.random((k, 600, 60)) < chance
    covered = 0
    for round_ in range(600):
        low, high = noise([dict(enumerate(map(bool, repeat))) for repeat in won[:, round_]])["interval"]
        covered += low <= truth <= high
    assert covered >= 0.935 * 600


def test_each_repeat_has_its_own_seeds():
    chosen = episode(1)
    assert policy_seed(chosen, 0) == policy_seed(chosen)
    assert len({policy_seed(chosen, repeat) for repeat in range(5)}) == 5
    twin = episode(2, arm="blank", twin=chosen.key)
    assert policy_seed(twin, 3) == policy_seed(chosen, 3)


@pytest.fixture
def repeat(monkeypatch, tmp_path):
    """Runs `rtbench run --repeat` in the fake environment, on twelve episodes."""
    monkeypatch.setattr(
        import_module("rtbench.evaluation.evaluate"), "Options", partial(Options, factory=FACTORY)
    )
    monkeypatch.setattr(import_module("rtbench.cli.commands.run"), "_episodes", lambda *_: episodes(12))

    def call(times, rate=0.5, **changes):
        given = [f"{name}={value}" for name, value in {"rate": rate, **changes}.items()]
        arguments = [part for pair in given for part in ("--policy-arg", pair)]
        return command("run", "--policy", CHANCY, *arguments, "--repeat", times, "-j", 1, "--out", tmp_path)

    return call


def test_a_run_is_repeated_and_its_noise_kept_beside_the_first(repeat, tmp_path):
    alone = repeat(1)
    assert (alone.code, "noise floor" in alone.out) == (0, False)
    (first,) = tmp_path.glob("*/*/*")
    before = (first / "episodes.jsonl").read_bytes()
    said = repeat(3)
    assert said.code == 0, said.err
    assert "continuing: 12 of 12 episodes are done" in said.out, "the ordinary run was played again"
    assert (first / "episodes.jsonl").read_bytes() == before
    assert "Chancy on fake, repeat 2" in said.out
    found = json.loads((first / NOISE).read_text())
    runs = {path.name: load_run(path) for path in tmp_path.glob("*/*/*")}
    assert list(found["runs"]) == sorted(runs, key=lambda name: runs[name].meta.repeat)
    assert found["runs"][0] == first.name
    assert [runs[name].summary.overall.rate for name in found["runs"]] == pytest.approx(found["spread"])
    assert (found["repeats"], found["pairs"]) == (3, 36)
    assert found["flips"] > 0
    line = re.search(r"noise floor: ([0-9.]+) % of outcomes flip between two runs of this policy", said.out)
    assert float(line[1]) == pytest.approx(100 * found["rate"], abs=0.05)
    assert measure([runs[name] for name in found["runs"]]) == found
    assert width(said.out.split("noise floor")[1]) <= 80
    again = repeat(3)
    assert again.out.count("continuing: 12 of 12") == 3
    assert json.loads((first / NOISE).read_text()) == found


def test_a_deterministic_policy_has_no_flips(repeat, tmp_path):
    said = repeat(2, rate=1.0)
    assert "noise floor: 0.0 % of outcomes flip" in said.out
    assert "(0.0 to 24.2; 0 of 12 pairs" in said.out


def test_a_policy_that_breaks_has_no_noise(repeat, tmp_path):
    said = repeat(2, faulty=1)
    assert said.code == 5
    assert not list(tmp_path.rglob(NOISE))


def test_noise_is_not_measured_of_two_things_at_once(repeat, tmp_path):
    said = command("run", "--policy", "noop", "--repeat", 2, "--language", "blank", "--out", tmp_path)
    assert (said.code, "--repeat does not go with --language" in said.err) == (2, True)


def test_the_agreement_of_reruns_is_read_back(tmp_path):
    assert read_reruns(tmp_path) is None
    flipped = [{str(i): i >= 4 or number == 0 for i in range(40)} for number in range(2)]
    write_json(tmp_path / NOISE, noise(flipped))
    found = read_reruns(tmp_path)
    low, high = wilson(36, 40)
    assert (found.repeats, found.episodes, found.agreement) == (2, 40, pytest.approx(0.9))
    assert found.interval == pytest.approx((1 - high, 1 - low))
    assert str(found) == f"90.0 % ({100 * low:.1f} to {100 * high:.1f}; 40 episodes played 2 times)"
    write_json(tmp_path / NOISE, noise([{"a": None}, {"a": None}]))
    assert read_reruns(tmp_path) is None
    write_json(tmp_path / NOISE, {"rate": 0.1})
    with pytest.raises(RunError, match="run --repeat"):
        read_reruns(tmp_path)
