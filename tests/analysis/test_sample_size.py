"""Plans: published check values, and the power that the real gate has."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import xlogy
from scipy.stats import norm

from rtbench.analysis.gate import decide
from rtbench.analysis.sample_size import (
    Odds,
    PlanError,
    Risk,
    paired,
    plan,
    power,
    smallest_drop,
    unpaired,
)
from rtbench.analysis.verdict import PASS, REGRESSION
from rtbench.core.errors import Exit
from rtbench.core.seeding import generator
from rtbench.stats import Pairs, inferiority, inferiority_independent
from tests.helpers.commands import rtbench, width
from tests.helpers.synthetic_runs import episodes, rated, record, write

RISK = Risk()


@pytest.mark.parametrize(("flips", "pairs"), [(0.02, 85), (0.05, 122)])
def test_check_values_of_a_drop_from_90_to_80_percent_in_pairs(flips, pairs):
    """Connor's formula gives 84.4 and 121.5: rounded up, for with 84 pairs the power is not yet 80 %."""
    assert paired(Odds(0.9, flips, 0.1), 0.0, RISK) == pairs
    differ = 0.1 + 2 * flips
    z_alpha, z_power = norm.ppf([0.95, 0.8])
    connor = (z_alpha * math.sqrt(differ) + z_power * math.sqrt(differ - 0.01)) ** 2 / 0.01
    assert math.ceil(connor) == pairs


def test_check_value_of_a_drop_from_90_to_80_percent_unpaired():
    assert unpaired(Odds(0.9, 0.0, 0.1), 0.0, RISK) == 157


@settings(max_examples=60, deadline=None)
@given(st.floats(0.0, 0.2), st.floats(-0.1, 0.1), st.floats(0.02, 0.3))
def test_the_variance_at_the_border_is_the_likeliest(flips, drop, margin):
    """Against the likelihood's maximum, searched for: wins w and losses w + margin, the rest alike."""
    odds = Odds(0.9, flips, drop)
    if abs(margin - drop) < 0.01:
        return

    def unlikely(w):
        alike = (1 - odds.losses - odds.wins) * math.log(1 - 2 * w - margin)
        return -float(alike + xlogy(odds.wins, w) + xlogy(odds.losses, w + margin))

    w = minimize_scalar(unlikely, bounds=(0, (1 - margin) / 2 - 1e-9), options={"xatol": 1e-10}).x
    spread = norm.ppf(0.95) * math.sqrt(2 * w + margin - margin**2)
    spread += norm.ppf(0.8) * math.sqrt(max(odds.losses + odds.wins - drop**2, 0))
    assert paired(odds, margin, RISK) == pytest.approx((spread / (margin - drop)) ** 2, rel=1e-3, abs=1.001)


def simulated(n, odds, margin, *, in_pairs=True, count=1000):
    """Verdicts of the gate over simulated runs of `n` episodes."""
    random = generator("tests/power", n, round(1e4 * odds.flips), round(1e4 * odds.drop), round(1e4 * margin))
    alike = odds.rate - odds.losses
    if in_pairs:
        shares = [alike, odds.losses, odds.wins, 1 - alike - odds.losses - odds.wins]
        cells = random.multinomial(n, shares, count)
        bounds = [inferiority(Pairs(*map(int, four)), RISK.alpha) for four in cells]
    else:
        first, second = (random.binomial(n, rate, count) for rate in (odds.rate, odds.rate - odds.drop))
        pairs = zip(first.tolist(), second.tolist(), strict=True)
        bounds = [inferiority_independent((a, n), (b, n), RISK.alpha) for a, b in pairs]
    return [decide(found, margin) for found in bounds]


@pytest.mark.parametrize(
    ("odds", "margin", "verdict"),
    [
        (Odds(0.9, 0.02), 0.05, PASS),
        (Odds(0.7, 0.05), 0.1, PASS),
        (Odds(0.95, 0.0), 0.05, PASS),
        (Odds(0.9, 0.03, 0.02), 0.1, PASS),
        (Odds(0.9, 0.02, 0.2), 0.05, REGRESSION),
    ],
)
def test_the_real_gate_has_the_power_that_is_promised(odds, margin, verdict):
    made = plan(odds, margin, RISK)
    seen = simulated(made.gate, odds, margin).count(verdict) / 1000
    # Four standard errors of the simulation, and what the sum leaves out.
    assert abs(seen - made.power) < 4 * math.sqrt(0.16 / 1000) + 3e-3
    assert made.power >= RISK.power


def test_the_real_gate_has_about_the_power_promised_on_different_episodes():
    odds = Odds(0.9)
    n = unpaired(odds, 0.15, RISK)
    seen = simulated(n, odds, 0.15, in_pairs=False, count=200).count(PASS) / 200
    assert seen > 0.8 - 3 * math.sqrt(0.16 / 200)


def test_the_power_is_a_sum_over_all_outcomes():
    """Against the plain sum over every table of counts."""
    n, odds, margin = 18, Odds(0.9, 0.03, 0.01), 0.2
    total = 0.0
    for losses in range(n + 1):
        for wins in range(n + 1 - losses):
            if inferiority(Pairs(0, losses, wins, n - losses - wins), 0.05)[0] > -margin:
                rest = n - losses - wins
                ways = math.comb(n, losses) * math.comb(n - losses, wins)
                total += ways * odds.losses**losses * odds.wins**wins * (1 - odds.losses - odds.wins) ** rest
    assert power(n, odds, margin, 0.05) == pytest.approx(total, abs=1e-4)


shares = st.floats(0.0, 1.0)


@settings(max_examples=200, deadline=None)
@given(st.floats(0.05, 0.99), shares, st.floats(0.01, 0.3), st.sampled_from([paired, unpaired]))
def test_more_is_needed_for_less(rate, noisy, margin, needs):
    odds = Odds(rate, noisy * rate * (1 - rate))
    margin = min(margin, rate)
    n = needs(odds, margin, RISK)
    assert n >= 1
    assert needs(odds, margin, replace(RISK, power=0.9)) >= n
    assert needs(odds, margin, replace(RISK, alpha=0.01)) >= n
    assert needs(odds, margin / 2, RISK) >= n
    if needs is paired:
        assert needs(replace(odds, flips=odds.flips / 2), margin, RISK) <= n


def test_pairs_without_noise_need_the_rule_of_three():
    """n pairs that all agree exclude a loss in every 20th where 0.95^n is below 5 %: n is 59."""
    made = plan(Odds(0.9, 0.0), 0.05, RISK)
    assert (made.gate, made.power) == (59, pytest.approx(1.0))


@pytest.mark.parametrize("needs", [paired, unpaired])
def test_the_smallest_drop_is_one_that_is_found(needs):
    odds = Odds(0.9, 0.02)
    drop = smallest_drop(150, odds, RISK, needs)
    assert needs(replace(odds, drop=drop), 0.0, RISK) <= 150
    assert needs(replace(odds, drop=drop - 0.001), 0.0, RISK) > 150
    assert smallest_drop(1, odds, RISK, needs) is None


@pytest.mark.parametrize(
    ("odds", "margin", "says"),
    [
        (Odds(0.9, 0.05, 0.05), 0.05, "near it that 10,000,000 episodes would not tell"),
        (Odds(0.99, 0.05), 0.05, "give --flips 1pp"),
        (Odds(0.9, 0.0, 0.95), 0.05, "cannot both be"),
        (Odds(0.03, 0.0), 0.05, "cannot drop by 5 points"),
        (Odds(0.9), 0.0, "0 points decide nothing"),
    ],
)
def test_odds_that_cannot_be_are_told(odds, margin, says):
    with pytest.raises(PlanError, match=says):
        plan(odds, margin, RISK)


def test_the_remedy_of_too_many_flips_works():
    plan(Odds(0.99, 0.01), 0.05, RISK)


# --- the command


def test_it_prints_what_it_assumes_and_what_is_needed():
    said = rtbench("plan", "--margin", "10pp", "--flips", "2pp", "--episodes", "100")
    assert said.code == Exit.OK
    assert width(said.out) <= 80
    told = " ".join(said.out.split())
    assert "85 episodes to show that a drop of 10 points is one 157 in each run" in told
    assert (
        "100 episodes show a drop of 8.8 points or more; on different episodes of 13 points or more" in told
    )
    data = json.loads(rtbench("plan", "--margin", "10pp", "--flips", "2pp", "--json").out)
    assert (data["detect"], data["detect_unpaired"]) == (85, 157)


def test_it_learns_from_a_run(tmp_path):
    run = write(tmp_path, [record(one, success=k % 10 > 0) for k, one in enumerate(episodes(50))], "a")
    (run / "noise.json").write_text(
        json.dumps({"repeats": 2, "episodes": 50, "rate": 0.06, "interval": [0.02, 0.12]})
    )
    data = json.loads(rtbench("plan", "--run", run, "--jobs", "4", "--json").out)
    assert data["odds"] == {"rate": 0.9, "flips": 0.03, "drop": 0.0}
    # 20 ms for a reset, and 12 steps of 12.5 ms: see tests/helpers/synthetic_runs.py.
    assert data["episode_s"] == pytest.approx(0.17)
    assert data["gate_s"] == pytest.approx(data["gate"] * 0.17 / 4)
    said = rtbench("plan", "--run", run, "--jobs", "4")
    assert "with 4 workers at 0.17 s an episode" in said.out
    assert rtbench("plan", "--run", run, "--rate", "0.8", "--flips", "1pp", "--json").code == Exit.OK


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_run_of_all_success_or_all_failure(tmp_path, share):
    run = write(tmp_path, rated(episodes(20), share), "a")
    said = rtbench("plan", "--run", run)
    assert said.code == (Exit.OK if share else Exit.USAGE)
    assert "nan" not in said.out
    assert share or "every candidate would pass" in said.err


def test_a_run_of_one_episode(tmp_path):
    assert rtbench("plan", "--run", write(tmp_path, rated(episodes(1), 1.0), "a")).code == Exit.OK


@pytest.mark.parametrize("records", [[], [record(one, None) for one in episodes(5)]])
def test_a_run_without_outcomes_needs_a_rate(tmp_path, records):
    run = write(tmp_path, records, "a")
    said = rtbench("plan", "--run", run)
    assert said.code == Exit.USAGE
    assert "no episode has an outcome; give a --rate" in said.err
    assert rtbench("plan", "--run", run, "--rate", "0.9").code == Exit.OK


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--margin", "101pp"], "at most 100 points"),
        (["--flips", "3"], "--flips 3: has no unit"),
        (["--drop", "-1pp"], "--drop -1pp: expected points"),
        (["--power", "1"], "Invalid value for '--power'"),
        (["--alpha", "nan"], "Invalid value for '--alpha'"),
        (["--run", "nowhere"], "unknown run 'nowhere'"),
    ],
)
def test_bad_options_are_told(options, says):
    said = rtbench("plan", *options)
    assert said.code == Exit.USAGE
    assert says in said.err
    assert "Traceback" not in said.err
