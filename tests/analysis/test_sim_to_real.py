"""Known answers of SIMPLER, properties of MMRV, and what a user may get wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rtbench.analysis.rates import Rate, RateTable, read_rates, run_rates
from rtbench.analysis.sim_to_real import correlate, mmrv, pearson
from rtbench.result.scores import load_scores
from tests.helpers.commands import rtbench, width
from tests.helpers.synthetic_runs import episode, episodes, rated, record, write

# SimplerEnv, commit 6f5a5f7, simpler_env/utils/metrics.py; policies in its order.
REAL_NEAR = [0.733, 0.633, 0.583, 0.450, 0.017, 0.350]
SIMPLER_NEAR = [0.779, 0.442, 0.354, 0.317, 0.050, 0.042]
rates = st.integers(0, 20).map(lambda k: k / 20)
pairs = st.lists(st.tuples(rates, rates), min_size=2, max_size=8)


def table(cells, by="skill", source="made up"):
    return RateTable(source, by, {key: Rate(*np.atleast_1d(rate).tolist()) for key, rate in cells.items()})


def plain_mmrv(simulated, real):
    """The definition of SIMPLER's code, as loops."""
    worst = []
    for a in range(len(real)):
        wrong = [b for b in range(len(real)) if (simulated[a] > simulated[b]) != (real[a] > real[b])]
        worst.append(max((abs(real[a] - real[b]) for b in wrong), default=0.0))
    return sum(worst) / len(worst)


def test_moving_near_is_111_and_swapped_what_the_readme_prints():
    assert round(mmrv(simulated=SIMPLER_NEAR, real=REAL_NEAR), 3) == 0.111
    assert round(mmrv(simulated=REAL_NEAR, real=SIMPLER_NEAR), 3) == 0.003


def test_rates_come_by_keyword_only():
    with pytest.raises(TypeError):
        mmrv(SIMPLER_NEAR, REAL_NEAR)
    with pytest.raises(TypeError):
        pearson(SIMPLER_NEAR, REAL_NEAR)


def test_simplers_table():
    """The bundled files hold SIMPLER's table; figures follow from its rates by its formulas."""
    simulated, real = read_rates("simpler_simulated"), read_rates("simpler")
    found = correlate(simulated, real)
    by_group = {one.group: one for one in found.groups}
    assert by_group["move_near"].simulated == tuple(SIMPLER_NEAR)
    assert by_group["move_near"].real == tuple(REAL_NEAR)
    expected = {
        "pick": 0.031,
        "move_near": 0.111,
        "open_drawer": 0.0,
        "close_drawer": 0.123,
        "place_into": 0.0,
    }
    assert {group: round(one.mmrv.value, 3) for group, one in by_group.items()} == expected
    for one in found.groups:
        assert one.r.value == pytest.approx(stats.pearsonr(one.simulated, one.real)[0], abs=1e-12)
    assert found.mmrv.value == pytest.approx(np.mean([one.mmrv.value for one in found.groups]))


def test_the_trials_of_simplers_rates_are_whole_numbers():
    for cell in read_rates("simpler").cells.values():
        assert abs(cell.rate - round(cell.rate * cell.trials) / cell.trials) <= 0.0006


@given(pairs)
def test_mmrv_is_its_definition(found):
    simulated, real = zip(*found, strict=True)
    assert mmrv(simulated=simulated, real=real) == pytest.approx(plain_mmrv(simulated, real), abs=1e-12)


@given(pairs)
def test_mmrv_sees_only_the_order_of_simulation(found):
    simulated, real = (np.array(side) for side in zip(*found, strict=True))
    value = mmrv(simulated=simulated, real=real)
    assert 0 <= value <= 1
    assert mmrv(simulated=simulated**3 / 2, real=real) == pytest.approx(value)
    assert mmrv(simulated=real, real=real) == 0


@given(pairs)
def test_r_is_scipys_or_none(found):
    simulated, real = zip(*found, strict=True)
    value = pearson(simulated=simulated, real=real)
    if len(set(simulated)) == 1 or len(set(real)) == 1:
        assert value is None
    else:
        assert value == pytest.approx(stats.pearsonr(simulated, real)[0], abs=1e-9)


@pytest.mark.parametrize(
    ("simulated", "real"), [([0.1], [0.1]), ([0.1, 0.2], [0.1]), ([0.1, np.nan], [0, 1])]
)
def test_what_is_no_two_lists_of_rates_is_refused(simulated, real):
    with pytest.raises(ValueError, match="rates"):
        mmrv(simulated=simulated, real=real)


def test_intervals_narrow_with_the_trials():
    def width_of(trials):
        cells = {(f"p{k}", "pick"): (0.2 + 0.2 * k, trials) for k in range(4)}
        found = correlate(table(cells), table(cells)).groups[0]
        return found.r.interval[1] - found.r.interval[0]

    assert width_of(1000) < width_of(30) / 3


def test_the_interval_holds_the_true_r_of_noisy_trials():
    """Rates measured by few trials of policies whose true rates correlate perfectly."""
    true = np.linspace(0.1, 0.9, 4)
    random = np.random.default_rng(0)
    held = 0
    for _ in range(40):
        sides = [
            table(
                {(f"p{k}", "g"): (float(random.binomial(40, p)) / 40, 40) for k, p in enumerate(true)},
                source=name,
            )
            for name in "ab"
        ]
        low, high = correlate(*sides).groups[0].r.interval
        held += low <= 0.97 <= high
    assert held >= 32, "r of 40 trials a policy is about 0.97 on average"


def test_policies_are_drawn_again_where_there_are_five():
    def of(count):
        cells = {(f"p{k}", "pick"): k / 10 for k in range(count)}
        return correlate(table(cells), table(cells)).groups[0]

    assert [of(4).resampled, of(5).resampled] == ["trials", "trials and policies"]
    assert of(4).r.interval == pytest.approx((1.0, 1.0)), "rates without trials are taken as exact"


def run_of(tmp_path, policy, rate, count=60, **changes):
    return write(tmp_path, rated(episodes(count, **changes), rate, seed=len(policy)), policy)


def real_csv(tmp_path, *rows, head="policy,skill,rate,trials"):
    path = tmp_path / "real.csv"
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


def test_runs_against_a_file(tmp_path):
    runs = [run_of(tmp_path, policy, rate) for policy, rate in (("a", 0.2), ("bb", 0.5), ("ccc", 0.9))]
    real = real_csv(tmp_path, "a,pick,0.1,20", "bb,pick,0.4,20", "ccc,pick,0.8,20", "ccc,open_drawer,.5,")
    said = rtbench("correlate", *runs, "--real", real)
    assert said.code == 0
    assert width(said.out) <= 80
    assert "pick" in said.out
    found = json.loads(rtbench("correlate", *runs, "--real", real, "--json").out)
    pick = found["groups"][0]
    frames = [load_scores(run).frame for run in runs]
    assert pick["simulated"] == [frame[frame.skill == "pick"].success.mean() for frame in frames]
    assert pick["real"] == [0.1, 0.4, 0.8]
    assert found["groups"][1]["r"]["value"] is None
    assert "takes 3" in found["groups"][1]["r"]["reason"]
    assert rtbench("correlate", *runs, "--real", real).out == said.out, "seeded"


def test_policies_share_the_drawn_episodes(tmp_path):
    """Two policies of the same outcomes keep the same rate in every resample."""
    same = rated(episodes(30), 0.5)
    runs = {name: load_scores(write(tmp_path, same, name)) for name in ("a", "b")}
    drawn = run_rates(runs, "all").draw("simulated", "all", ["a", "b"], 50)
    assert (drawn[:, 0] == drawn[:, 1]).all()
    assert np.ptp(drawn[:, 0]) > 0


def test_errors_and_altered_instructions_are_left_out_and_counted(tmp_path):
    mixed = [*rated([episode(0), episode(6, arm="blank")], 1.0), record(episode(3), None)]
    found = run_rates({"a": load_scores(write(tmp_path, mixed))}, "skill")
    assert found.cells == {("a", "pick"): Rate(1.0, 1)}
    assert len(found.notes) == 2


@pytest.mark.parametrize("success", [True, False])
def test_no_spread_and_one_policy_are_sentences(tmp_path, success):
    def run(policy, count=12):
        return write(tmp_path, [record(one, success) for one in episodes(count)], policy)

    real = real_csv(tmp_path, "a,.1", "b,.2", "c,.3", head="policy,rate")
    said = rtbench("correlate", run("a"), run("b"), run("c"), "--real", real)
    assert said.code == 0
    assert "equally often in simulation" in said.out
    assert "nan" not in said.out.lower()
    one = rtbench("correlate", run("a", 1), "--real", real)
    assert one.code == 0
    assert "1 policy has no rank" in one.out
    assert "nan" not in one.out.lower()


def test_names_may_be_given(tmp_path):
    run = run_of(tmp_path, "a", 0.5)
    real = real_csv(tmp_path, "rt-1-x,pick,0.1,")
    assert "rt-1-x" in rtbench("correlate", run, "--real", real).err
    assert json.loads(rtbench("correlate", f"rt-1-x={run}", "--real", real, "--json").out)["groups"]


def test_yaml_and_csv_say_the_same(tmp_path):
    yaml = tmp_path / "real.yaml"
    yaml.write_text(
        "made: {source: us, by: task, trials: {x: 9}, rates: {A b: {x: 0.5, y: 1}}}", encoding="utf-8"
    )
    csv = real_csv(tmp_path, "# a remark", "A b,x,0.5,9", "A b,y,1,", head="policy,task,rate,trials")
    assert read_rates(str(yaml)).cells == read_rates(str(csv)).cells


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("policy,skill,rate\na,pick,45\n", "line 2: rate 45 is no share"),
        ("policy,skill,rate\n# remark\na,pick,nan\n", "line 3: rate nan is no share"),
        ("policy,skill,rate,trials\na,pick,0.5,0\n", "0 trials"),
        ("policy,skill,rate\na,pick,half\n", "'half'"),
        ("policy,skill,rate\na,pick,.5\na,pick,.6\n", "line 3: a rate of a on pick stands above"),
        ("policy,skil,rate\na,pick,.5\n", "Did you mean 'skill'?"),
        ("policy,skill,task,rate\na,b,c,.5\n", "groups are of one kind"),
        ("policy,skill\na,b\n", "no column 'rate'"),
        ("policy,rate,rate\na,.1,.1\n", "stands twice"),
        ("policy,rate\na,.1,7\n", "more cells"),
        ("policy,rate\n,.1\n", "may not be empty"),
        ("policy,rate\n", "has no rates"),
        ("", "has no column 'policy'"),
    ],
)
def test_a_csv_is_read_strictly(tmp_path, text, said):
    path = tmp_path / "real.csv"
    path.write_text(text, encoding="utf-8")
    found = rtbench("correlate", "--simulated", "simpler_simulated", "--real", path)
    assert found.code == 2
    assert said in found.err
    assert "Traceback" not in found.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: {source: x, by: skil, rates: {p: {q: 0.5}}}", "'skill'"),
        ("a: {source: x, by: skill, rates: {p: {q: 1.5}}}", "no share"),
        ("a: {source: x, by: skill, rates: {p: {q: 0.5}}, trials: {z: 3}}", "unknown group 'z'"),
        ("a: {source: x, by: skill, rate: {p: {q: 0.5}}}", "Did you mean 'rates'?"),
        ("", "expected one entry"),
    ],
)
def test_a_yaml_is_read_strictly(tmp_path, text, said):
    path = tmp_path / "real.yaml"
    path.write_text(text, encoding="utf-8")
    found = rtbench("correlate", "--simulated", "simpler_simulated", "--real", path)
    assert found.code == 2
    assert said in found.err


def test_what_does_not_go_together(tmp_path):
    run = run_of(tmp_path, "a", 0.5)
    by_task = real_csv(tmp_path, "a,pick,0.1", head="policy,task,rate")
    for arguments, said in (
        (["--real", "simpler"], "either runs or --simulated"),
        ([run, "--simulated", "simpler", "--real", "simpler"], "either runs or --simulated"),
        (["--simulated", "simpler", "--real", by_task], "by skill"),
        ([run, "--real", by_task], "no task has both rates"),
        ([run, "--real", "simpler"], "no policy has both rates"),
        ([run, "--real", "simplr"], "Did you mean 'simpler'?"),
        ([run, "--real", tmp_path / "no.csv"], "No such file"),
        ([run, "--real", run / "run.json"], ".csv and .yaml"),
        ([run, run, "--real", "simpler"], "are both of policy 'a'"),
        ([tmp_path / "nowhere", "--real", "simpler"], "unknown run"),
    ):
        found = rtbench("correlate", *arguments)
        assert found.code == 2, arguments
        assert said in found.err
        assert not found.out


def test_runs_without_an_outcome(tmp_path):
    real = real_csv(tmp_path, "a,pick,0.1,")
    empty = write(tmp_path / "1", [])
    errors = write(tmp_path / "2", [record(one, None) for one in episodes(3)])
    for run in (empty, errors):
        said = rtbench("correlate", run, "--real", real)
        assert said.code == 2
        assert "no episode with an outcome" in said.err
