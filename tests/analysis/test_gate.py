"""The gate: three outcomes, and a right exit code for every state that runs can be in."""

import json
import re
import runpy
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtbench.analysis.gate import decide, gate
from rtbench.analysis.verdict import INCONCLUSIVE, PASS, REGRESSION, Terms, points
from rtbench.core.errors import Exit, NotComparableError
from rtbench.result.scores import load_scores
from rtbench.stats import Pairs, Sequential, inferiority
from tests.analysis.test_junit import check_schema
from tests.helpers.commands import rtbench, width
from tests.helpers.paths import ROOT
from tests.helpers.synthetic_runs import decision, episodes, rated, record, write

TERMS = Terms(0.05)


def write_pair(out, both=0, lost=0, won=0, neither=0, errors=(0, 0)):
    """Folders of a baseline and a candidate with these outcomes, then errors of the one and of the other."""
    cells = (
        [(True, True)] * both + [(True, False)] * lost + [(False, True)] * won + [(False, False)] * neither
    )
    cells += [(None, True)] * errors[0] + [(True, None)] * errors[1]
    # Mixed, so that no outcome belongs to one skill alone.
    order = np.random.default_rng(0).permutation(len(cells))
    played = episodes(len(cells))
    return [
        write(out, [record(one, cells[k][side]) for one, k in zip(played, order, strict=True)], name)
        for side, name in enumerate(("base", "cand"))
    ]


def judge(out, terms=TERMS, **counts):
    base, cand = write_pair(out, **counts)
    return gate(load_scores(cand), load_scores(base), terms)


def run(cand, base, *options):
    return rtbench("gate", cand, "--baseline", base, *options)


@pytest.mark.parametrize(
    ("counts", "code", "says"),
    [
        ({"both": 150, "won": 30, "neither": 20}, Exit.OK, "Pass: the candidate is at least"),
        ({"both": 175, "lost": 2, "won": 3, "neither": 20}, Exit.OK, "Pass: the candidate is at most"),
        (
            {"both": 120, "lost": 60, "won": 2, "neither": 18},
            Exit.REGRESSION,
            "Regression: the candidate is at least",
        ),
        (
            {"both": 30, "lost": 4, "won": 4, "neither": 2},
            Exit.INCONCLUSIVE,
            "Inconclusive: the candidate may be",
        ),
    ],
)
def test_a_good_an_equal_a_bad_and_an_unclear_candidate(tmp_path, counts, code, says):
    base, cand = write_pair(tmp_path, **counts)
    junit, summary = tmp_path / "gate.xml", tmp_path / "summary.md"
    said = run(cand, base, "--margin", "5pp", "--junit", junit, "--summary", summary)
    assert said.code == code, said.err
    assert said.out.startswith(says)
    assert width(re.sub(r"^ *rtbench replay.*$", "", said.out, flags=re.MULTILINE)) <= 80
    root = ET.parse(junit).getroot()  # noqa: S314 - our own file
    check_schema(root)
    verdict = root.find(".//testcase[@name='not worse by the margin']")
    assert (verdict.find("failure") is None) == (code == Exit.OK)
    assert (root.get("failures") == "0") == (code == Exit.OK)
    assert says in summary.read_text()
    told = json.loads(run(cand, base, "--json").out)
    assert told["exit_code"] == code
    assert told["pairs"]["lost"] == counts.get("lost", 0)


def test_the_verdict_follows_the_bounds():
    assert decide((-0.049, 0.2), 0.05) == PASS
    assert decide((-0.05, 0.2), 0.05) == INCONCLUSIVE
    assert decide((-0.2, -0.05), 0.05) == INCONCLUSIVE
    assert decide((-0.2, -0.051), 0.05) == REGRESSION


@settings(max_examples=25, deadline=None)
@given(st.tuples(*[st.integers(0, 12)] * 4).filter(any), st.sampled_from([0.02, 0.05, 0.2]))
def test_runs_are_judged_by_their_counts_alone(tmp_path_factory, counts, margin):
    found = judge(tmp_path_factory.mktemp("runs"), Terms(margin),
                  **dict(zip(("both", "lost", "won", "neither"), counts, strict=True)))  # fmt: skip
    assert found.pairs == Pairs(*counts)
    assert found.bounds == inferiority(Pairs(*counts), 0.05)
    assert found.verdict == decide(found.bounds, margin)
    text = json.dumps(found.as_dict(), allow_nan=False)
    assert "nan" not in text.lower()


def test_wrong_verdicts_stay_within_alpha():
    benchmark = runpy.run_path(str(ROOT / "benchmarks" / "gate.py"))
    pairs_of, verdicts = benchmark["pairs_of"], benchmark["verdicts"]
    # Of 300 pairs of checkpoints at most 5 % may err; more than 26 would, by chance, in three of a thousand.
    for rate, margin, spread in ((0.6, 0.05, 0.5), (0.9, 0.1, 0.95), (0.97, 0.02, 0.05)):
        border = verdicts(pairs_of(60, rate, margin, spread, 300), margin)
        assert border[PASS] <= 26, (rate, margin, spread)
        assert border[REGRESSION] <= 26, (rate, margin, spread)
        assert verdicts(pairs_of(60, rate, 0.0, spread, 300), margin)[REGRESSION] <= 26
    border = verdicts(pairs_of(40, 0.9, 0.1, 0.5, 300), 0.1, paired=False)
    assert max(border[PASS], border[REGRESSION]) <= 26


def test_errors_count_at_their_worst(tmp_path):
    base, cand = write_pair(tmp_path, both=90, neither=4, errors=(3, 3))
    found = gate(load_scores(cand), load_scores(base), TERMS)
    assert (found.pairs.n, found.pairs.first_only, found.pairs.second_only) == (100, 3, 0)
    assert found.baseline.successes == 96  # 90, 3 errors, and 3 that the candidate's errors stand beside
    assert (found.baseline.errors, found.candidate.errors) == (3, 3)
    said = run(cand, base)
    assert "3 of 100 episodes of the candidate are errors, counted as failures." in " ".join(said.out.split())
    assert "3 of 100 episodes of the baseline are errors, counted as successes." in " ".join(said.out.split())


@pytest.mark.parametrize(("errors", "who"), [((0, 12), "candidate"), ((12, 0), "baseline")])
def test_too_many_errors_give_no_verdict(tmp_path, errors, who):
    base, cand = write_pair(tmp_path, both=88, errors=errors)
    said = run(cand, base, "--junit", tmp_path / "gate.xml")
    assert said.code == Exit.TOO_MANY_ERRORS
    assert f"No verdict: 12 of 100 episodes of the {who} are errors, more than 10 %." in " ".join(
        said.out.split()
    )
    root = ET.parse(tmp_path / "gate.xml").getroot()  # noqa: S314 - our own file
    assert root.get("errors") == "1"
    assert run(cand, base, "--max-errors", "0.2").code != Exit.TOO_MANY_ERRORS


def test_a_run_that_was_stopped_is_judged_in_its_order(tmp_path):
    played = episodes(60)
    base = write(tmp_path, [record(one, success=True) for one in played], "base")
    outcomes = [number % 3 == 0 for number in range(60)]
    cand = write(
        tmp_path, [record(one, won) for one, won in zip(played, outcomes, strict=True)], "cand",
        extra={"decision": decision("regression", 60), "episodes": 200},
    )  # fmt: skip
    found = gate(load_scores(cand), load_scores(base), TERMS)
    test = Sequential(0.05, 0.05)
    for won in outcomes:
        test.add(first=True, second=won)
    assert found.stopped
    assert found.bounds == test.interval() != inferiority(found.pairs, 0.05)
    assert found.verdict == test.verdict == REGRESSION
    said = run(cand, base)
    assert said.code == Exit.REGRESSION
    assert "it is judged by a test that allows for that" in " ".join(said.out.split())
    assert "unfinished" not in said.out


def test_the_order_of_play_decides_a_stopped_run(tmp_path):
    played = episodes(100)
    # 40 lost at first: decided there and then, whatever came later.
    outcomes = [False] * 40 + [True] * 60
    base = write(tmp_path, [record(one, not won) for one, won in zip(played, outcomes, strict=True)], "base")
    records = [record(one, won) for one, won in zip(played, outcomes, strict=True)]
    first = write(tmp_path, records, "cand", extra={"decision": decision("regression")})
    last = write(tmp_path, records[::-1], "late", extra={"decision": decision("pass")})
    assert gate(load_scores(first), load_scores(base), TERMS).verdict == REGRESSION
    assert gate(load_scores(last), load_scores(base), TERMS).verdict == PASS


def test_a_stopped_run_needs_a_baseline_of_the_same_episodes(tmp_path):
    base = write(tmp_path, rated(episodes(50, variant="other"), 0.9), "base")
    cand = write(tmp_path, rated(episodes(50), 0.9), "cand", extra={"decision": decision("pass")})
    with pytest.raises(NotComparableError, match="only a run of the same episodes can judge it"):
        gate(load_scores(cand), load_scores(base), TERMS)


def test_groups_inform_and_do_not_decide(tmp_path):
    played = episodes(300)
    base = write(tmp_path, [record(one, success=True) for one in played], "base")
    drop = [one for one in played if one.skill == "pick"][:14]
    won = {one.key for one in played} - {one.key for one in drop}
    cand = write(tmp_path, [record(one, one.key in won) for one in played], "cand")
    said = run(cand, base, "--margin", "10pp", "--junit", tmp_path / "gate.xml")
    assert said.code == Exit.OK
    assert "groups inform and do not decide" in said.out
    root = ET.parse(tmp_path / "gate.xml").getroot()  # noqa: S314 - our own file
    check_schema(root)
    assert (root.get("failures"), root.get("skipped")) == ("0", "1")
    assert root.find(".//testcase[@name='pick']/skipped").get("message").startswith("-14 points")
    assert run(cand, base, "--skill", "pick", "--margin", "5pp").code == Exit.REGRESSION


def test_flips_are_listed_with_what_shows_them(tmp_path):
    base, cand = write_pair(tmp_path, both=80, lost=12)
    said = run(cand, base)
    assert "got worse: 12" in said.out
    assert said.out.count(f"rtbench replay {cand}:") == 10
    assert "... and 2 more" in said.out
    assert len(json.loads(run(cand, base, "--json").out)["flips"]) == 12


def test_inconclusive_says_how_many_more_would_decide(tmp_path):
    found = judge(tmp_path, both=80, lost=5, won=5, neither=10)
    assert found.verdict == INCONCLUSIVE
    assert 20 < found.more < 400
    assert f"Some {found.more:,} more episodes would decide" in found.remarks[-1]


def test_no_number_decides_a_difference_at_the_margin(tmp_path):
    found = judge(tmp_path, both=90, lost=5, neither=5)
    assert found.more is None
    assert "no reasonable number of episodes would decide" in found.remarks[-1]


@pytest.mark.parametrize(
    ("rate", "high", "says"),
    [(0.1, 0.15, "no more than noise"), (0.01, 0.02, "more than noise")],
)
def test_the_noise_floor_is_told(tmp_path, rate, high, says):
    base, cand = write_pair(tmp_path, both=90, lost=5, won=5)
    noise = {"repeats": 3, "episodes": 100, "pairs": 300, "flips": 30, "rate": rate, "interval": [0.0, high]}
    (base / "noise.json").write_text(json.dumps(noise))
    found = gate(load_scores(cand), load_scores(base), TERMS)
    assert any(f"here 10 % do, {says}" in remark for remark in found.remarks)


def test_a_damaged_noise_file_is_named(tmp_path):
    base, cand = write_pair(tmp_path, both=20)
    (base / "noise.json").write_text('{"rate": "often"}')
    said = run(cand, base)
    assert said.code == Exit.USAGE
    assert "noise.json: not what `rtbench run --repeat` writes" in said.err


def test_an_unfinished_run_is_told_of(tmp_path):
    played = episodes(40)
    base = write(tmp_path, rated(played, 1.0), "base")
    cand = write(tmp_path, rated(played[:25], 1.0), "cand", extra={"episodes": 40})
    said = " ".join(run(cand, base, "--margin", "20pp").out.split())
    assert "The candidate's run is unfinished: 25 of 40 episodes." in said
    assert "Left out: 15 only in the first" in said


def test_runs_of_other_episodes_are_independent_samples(tmp_path):
    base = write(tmp_path, rated(episodes(400), 0.9, 1), "base")
    cand = write(tmp_path, rated(episodes(400, variant="other"), 0.5, 2), "cand")
    said = run(cand, base, "--margin", "10pp")
    assert said.code == Exit.REGRESSION
    assert "judged as independent samples" in " ".join(said.out.split())


def test_partial_runs_are_compared_on_request(tmp_path):
    played = episodes(60)
    base = write(tmp_path, [record(one, success=True) for one in played], "base")
    moved = [record(one, success=True, state="moved" if k < 5 else "") for k, one in enumerate(played)]
    cand = write(tmp_path, moved, "cand")
    assert run(cand, base).code == Exit.NOT_COMPARABLE
    said = run(cand, base, "--margin", "10pp", "--allow-partial")
    assert said.code == Exit.OK
    assert "Left out: 5 another settled state." in " ".join(said.out.split())


def test_the_summary_is_appended(tmp_path):
    base, cand = write_pair(tmp_path, both=60)
    summary = tmp_path / "summary.md"
    summary.write_text("# Job\n\n")
    run(cand, base, "--summary", summary)
    assert summary.read_text().startswith("# Job\n\n### ")


def test_texts_of_a_run_are_no_markup(tmp_path):
    played = episodes(30, instruction="pick | <b>`x`</b> \x1b[31m")
    base = write(tmp_path, [record(one, success=True) for one in played], "base")
    cand = write(tmp_path, [record(one, success=False) for one in played], "cand")
    run(cand, base, "--summary", tmp_path / "s.md", "--junit", tmp_path / "g.xml")
    told = (tmp_path / "s.md").read_text()
    assert r"pick \| \<b\>\`x\`" in told
    assert "<b>" not in told.replace(r"\<b", "")
    check_schema(ET.parse(tmp_path / "g.xml").getroot())  # noqa: S314 - our own file


@pytest.mark.parametrize(
    ("share", "text"), [(0.05, "5 points"), (0.01, "1 point"), (-1e-9, "0 points"), (0.0123, "1.2 points")]
)
def test_points_read_well(share, text):
    assert points(share) == text


def test_a_run_judged_by_itself_passes_and_says_so(tmp_path):
    base, _ = write_pair(tmp_path, both=5, neither=3, errors=(1, 0))
    said = run(base, base, "--max-errors", "0.2")
    assert said.code == Exit.OK
    assert "the candidate is the baseline itself" in " ".join(said.out.split())
    assert "difference    +0.0 points" in said.out


def test_an_empty_run_is_refused(tmp_path):
    base = write(tmp_path, rated(episodes(5), 1.0), "base")
    cand = write(tmp_path, [], "cand")
    junit, summary = tmp_path / "gate.xml", tmp_path / "s.md"
    said = run(cand, base, "--junit", junit, "--summary", summary)
    assert said.code == Exit.NOT_COMPARABLE
    assert "has no episodes yet" in said.err
    root = ET.parse(junit).getroot()  # noqa: S314 - our own file
    check_schema(root)
    assert root.get("errors") == "1"
    assert "no verdict" in summary.read_text()


@pytest.mark.parametrize("counts", [{"both": 1}, {"lost": 1}, {"neither": 1}])
def test_one_episode_says_nothing(tmp_path, counts):
    base, cand = write_pair(tmp_path, **counts)
    said = run(cand, base)
    assert said.code == Exit.INCONCLUSIVE
    assert "nan" not in said.out.lower()


@pytest.mark.parametrize("counts", [{"both": 80}, {"neither": 80}])
def test_all_success_and_all_failure_pass(tmp_path, counts):
    base, cand = write_pair(tmp_path, **counts)
    assert run(cand, base).code == Exit.OK


def test_only_errors(tmp_path):
    played = episodes(20)
    base = write(tmp_path, rated(played, 1.0), "base")
    cand = write(tmp_path, [record(one, None) for one in played], "cand")
    assert run(cand, base).code == Exit.TOO_MANY_ERRORS
    assert run(base, cand).code == Exit.TOO_MANY_ERRORS


def test_a_run_of_another_suite_is_refused(tmp_path):
    base = write(tmp_path, rated(episodes(20), 1.0), "base")
    cand = write(tmp_path, rated(episodes(20, suite="novel"), 1.0), "cand")
    said = run(cand, base)
    assert said.code == Exit.NOT_COMPARABLE
    assert "different suites: seen and novel" in said.err


def test_an_older_schema_is_refused(tmp_path):
    base, cand = write_pair(tmp_path, both=5)
    lines = (base / "episodes.jsonl").read_text().replace('"schema":1', '"schema":0')
    (base / "episodes.jsonl").write_text(lines)
    said = run(cand, base)
    assert said.code == Exit.NOT_COMPARABLE
    assert "schema 0" in said.err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--margin", "101pp"], "at most 100 points"),
        (["--margin", "100pp"], "every candidate would pass"),
        (["--margin", "0pp"], "no equal candidate would pass"),
        (["--margin", "5"], "has no unit"),
        (["--alpha", "0"], "Invalid value for '--alpha'"),
        (["--alpha", "nan"], "Invalid value for '--alpha'"),
        (["--split", "novle"], "unknown split 'novle'"),
        (["--skill", "pikc"], "Did you mean 'pick'"),
    ],
)
def test_bad_options_are_told(tmp_path, options, says):
    base, cand = write_pair(tmp_path, both=9)
    said = run(cand, base, *options)
    assert said.code == Exit.USAGE
    assert says in said.err
    assert "Traceback" not in said.err


def test_a_missing_run_is_told(tmp_path):
    base, _ = write_pair(tmp_path, both=3)
    for said in (run(tmp_path / "nowhere", base), run(base, tmp_path / "nowhere")):
        assert said.code == Exit.USAGE
        assert "unknown run" in said.err


def test_a_report_that_cannot_be_written_is_told(tmp_path):
    base, cand = write_pair(tmp_path, both=3)
    (tmp_path / "file").write_text("")
    for option in ("--junit", "--summary"):
        said = run(cand, base, option, tmp_path / "file" / "x")
        assert said.code == Exit.USAGE
        assert "cannot be written" in said.err
