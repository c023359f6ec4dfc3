"""Comparisons: every number against one counted by hand or by another way, and sentences for odd runs."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtbench.analysis.compare import adjusted, compare, contrasts, flips
from rtbench.analysis.gate import gate
from rtbench.analysis.pairing import join
from rtbench.analysis.verdict import Terms
from rtbench.core.errors import Exit, NotComparableError, UnknownNameError
from rtbench.result.jsonl import SCHEMA
from rtbench.result.scores import load_scores
from rtbench.stats import Pairs, boschloo, holm, mcnemar, newcombe, newcombe_paired
from tests.helpers.commands import rtbench, width
from tests.helpers.synthetic_runs import decision, episode, episodes, rated, record, write

CHOSEN = episodes(60)


def scored(out, records, name, **extra):
    return load_scores(write(out, records, name, extra=extra))


def by_hand(first, second, keep):
    ends = {r.key: r.outcome.end for r in first if r.outcome}
    return Pairs.count(
        (ends[r.key], r.outcome.end) for r in second if r.outcome and r.key in ends and keep(r.episode)
    )


@given(st.integers(0, 10**6), st.floats(0.1, 1), st.floats(0.1, 1))
def test_contrasts_are_those_of_each_group_alone(tmp_path_factory, seed, one, two):
    out = tmp_path_factory.mktemp("r")
    first = [*rated(CHOSEN[:-2], one, seed), record(CHOSEN[-2], None), record(CHOSEN[-1], success=True)]
    second = [record(CHOSEN[0], None), *rated(CHOSEN[1:], two, seed + 1)]
    joined = join(scored(out, first, "base"), scored(out, second, "cand"))
    for by in ("overall", "skill", "task"):
        for found in contrasts(joined, by):
            pairs = by_hand(
                first, second, lambda e, c=found: c.by == "overall" or getattr(e, c.by) == c.group
            )
            assert (found.first, found.second) == ((pairs.first, pairs.n), (pairs.second, pairs.n))
            assert (found.lost, found.gained) == (pairs.first_only, pairs.second_only)
            low, high = newcombe_paired(pairs)
            assert found.interval == pytest.approx((-high, -low))
            assert found.p == pytest.approx(mcnemar(pairs))
            assert found.interval[0] <= found.difference <= found.interval[1]
    (whole,) = contrasts(joined, "overall")
    assert whole.errors == (1, 1)


def test_independent_samples_get_unpaired_tests(tmp_path):
    other = [episode(1000 + n) for n in range(60)]
    pair = scored(tmp_path, rated(CHOSEN, 0.9, 1), "base"), scored(tmp_path, rated(other, 0.5, 2), "cand")
    found = compare(pair)
    (whole,) = found.by("overall")
    assert not whole.paired
    low, high = newcombe(whole.first, whole.second)
    assert whole.interval == pytest.approx((-high, -low))
    assert whole.p == pytest.approx(boschloo(whole.first, whole.second))
    assert "independent samples" in found.notes[0]
    assert not found.means
    assert sum(c.first[1] for c in found.by("skill")) == 60


def test_holm_is_over_all_contrasts_of_a_kind(tmp_path):
    base, *others = (scored(tmp_path, rated(CHOSEN, r, k), f"p{k}") for k, r in enumerate((0.9, 0.6, 0.8)))
    found = compare([base, *others])
    skills = found.by("skill")
    assert len(skills) == 6
    assert [c.p_holm for c in skills] == pytest.approx(holm([c.p for c in skills]))
    assert adjusted([]) == []


def test_letters_part_what_differs(tmp_path):
    rates = {"good": 0.98, "fine": 0.95, "poor": 0.4}
    runs = [scored(tmp_path, rated(CHOSEN, r, k), name) for k, (name, r) in enumerate(rates.items())]
    assert compare(runs).letters == ("a", "a", "b")
    assert compare(runs[:2]).letters == ()


def test_the_mean_over_tasks_counts_each_task_once(tmp_path):
    many, few = [episode(0, seed=n) for n in range(30)], [episode(1, seed=n) for n in range(10)]
    first = [record(one, success=True) for one in (*many, *few)]
    second = [record(one, success=one in few) for one in (*many, *few)]
    (mean,) = compare([scored(tmp_path, first, "base"), scored(tmp_path, second, "cand")]).means
    assert (mean.tasks, mean.difference) == (2, pytest.approx(-0.5))


def test_flips_are_the_pairs_that_differ(tmp_path):
    first = [replace(r, video=f"{r.key}.mp4") for r in rated(CHOSEN, 0.7, 1)]
    second = rated(CHOSEN, 0.7, 2)
    joined = join(scored(tmp_path, first, "base"), scored(tmp_path, second, "cand"))
    found = flips(joined)
    expected = {
        (a.key, "lost" if a.outcome.end else "gained")
        for a, b in zip(first, second, strict=True)
        if a.outcome.end != b.outcome.end
    }
    assert set(zip(found["key"], found["change"], strict=True)) == expected
    assert found["change"].is_monotonic_decreasing, "lost ones stand first"
    assert found["video_first"].map(lambda path: path.endswith(".mp4")).all()
    assert (found["video_second"] == "").all()


def test_one_run_is_no_comparison(tmp_path):
    with pytest.raises(NotComparableError, match="at least one other"):
        compare([scored(tmp_path, rated(CHOSEN, 0.5), "a")])


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        (True, True, "every shared episode ended alike"),
        (False, False, "every shared episode ended alike"),
        (True, False, "worse by 100.0 points"),
        (None, None, "no episode has an outcome in both"),
        (True, None, "no episode has an outcome in both"),
    ],
)
@pytest.mark.parametrize("count", [1, 20])
def test_extremes_have_sentences_and_no_nan(tmp_path, first, second, says, count):
    chosen = CHOSEN[:count]
    folders = [
        write(tmp_path, [record(one, end) for one in chosen], name)
        for name, end in (("base", first), ("cand", second))
    ]
    told = rtbench("compare", *folders)
    if count == 1 and (first, second) == (True, False):
        says = "no difference shown"
    assert told.code == 0, told.err
    assert says in told.out
    assert "nan" not in told.out.lower()
    as_json = rtbench("compare", *folders, "--json")
    json.loads(as_json.out, parse_constant=pytest.fail)


def test_the_command_prints_a_table_flips_and_what_is_left_out(tmp_path):
    first, second = rated(CHOSEN[:-4], 0.95, 1), rated(CHOSEN, 0.5, 2)
    folders = write(tmp_path, first, "base"), write(tmp_path, second, "cand")
    told = rtbench("compare", *folders, "--flips", 3)
    assert told.code == 0, told.err
    pairs = by_hand(first, second, lambda _: True)
    table, _, rest = told.out.partition("cand: ")
    assert width(table) <= 80
    assert f"{100 * (pairs.second - pairs.first) / pairs.n:+.1f}" in table
    assert "left out: 4 episodes that only the candidate has" in rest
    assert f"{pairs.first_only} lost, {pairs.second_only} won" in rest
    assert rest.count("lost ") >= 3
    assert f"rtbench replay {folders[0]}:KEY" in rest


def test_the_command_looks_at_a_part_and_by_what_it_is_told(tmp_path):
    folders = [write(tmp_path, rated(CHOSEN, 0.8, k), f"p{k}") for k in range(2)]
    told = rtbench("compare", *folders, "--skill", "pick", "--by", "task")
    assert "pick/thing_0-v0" in told.out
    assert "move_near" not in told.out.partition("flips")[0]
    wrong = rtbench("compare", *folders, "--skill", "pik")
    assert (wrong.code, "Did you mean 'pick'" in wrong.err) == (Exit.USAGE, True)


def test_json_has_everything(tmp_path):
    folders = [write(tmp_path, rated(CHOSEN, r, k), f"p{k}") for k, r in enumerate((0.9, 0.5, 0.7))]
    told = json.loads(rtbench("compare", *folders, "--json").out)
    assert [run["label"] for run in told["runs"]] == ["p0", "p1", "p2"]
    assert {c["by"] for c in told["contrasts"]} == {"overall", "split", "axis", "skill", "task"}
    assert len(told["letters"]) == 3
    assert len(told["flips"]["p1"]) == sum(
        c["lost"] + c["gained"] for c in told["contrasts"] if c["by"] == "overall" and c["candidate"] == "p1"
    )


@pytest.mark.parametrize(
    ("tail", "extra", "code", "says"),
    [
        (
            b"",
            {"simulator": {"mujoco": "3.9.0"}},
            Exit.NOT_COMPARABLE,
            "versions of mujoco differ: 4.0.0 and 3.9.0",
        ),
        (json.dumps({"schema": SCHEMA - 1}).encode() + b"\n", {}, Exit.NOT_COMPARABLE, "written in schema 0"),
        (b"{}\n", {}, Exit.USAGE, "damaged"),
    ],
)
def test_runs_that_cannot_be_compared_exit_with_a_sentence(tmp_path, tail, extra, code, says):
    first = write(tmp_path, rated(CHOSEN, 0.9), "base")
    second = write(tmp_path, rated(CHOSEN, 0.9), "cand", extra=extra, tail=tail)
    told = rtbench("compare", first, second)
    assert told.code == code
    assert says in told.err
    assert "Traceback" not in told.err


def test_a_missing_or_empty_run_is_named(tmp_path):
    first = write(tmp_path, rated(CHOSEN, 0.9), "base")
    assert "unknown run" in rtbench("compare", first, tmp_path / "nowhere").err
    empty = rtbench("compare", first, write(tmp_path, [], "cand"))
    assert (empty.code, "has no episodes" in empty.err) == (Exit.NOT_COMPARABLE, True)


def test_an_unknown_rule_is_named(tmp_path):
    pair = [scored(tmp_path, rated(CHOSEN, 0.5), name) for name in "ab"]
    with pytest.raises(UnknownNameError, match="Known: ever, held, success"):
        compare(pair, rule="nothing")


def test_a_run_that_stopped_when_it_was_decided_is_told(tmp_path):
    first = scored(tmp_path, rated(CHOSEN, 0.9, 1), "base")
    second = scored(tmp_path, rated(CHOSEN[:30], 0.2, 2), "cand", decision=decision("regression"))
    assert any("cand stopped when it was decided" in note for note in compare([first, second]).notes)
    assert compare([first, first]).notes == ()


def test_gate_and_compare_print_the_same_p_values(tmp_path):
    """Six pairs of one skill that all went one way have p 0.031, and by Holm over three skills 0.094."""
    played = episodes(60)
    lost = {one.key for one in [one for one in played if one.skill == "pick"][:6]}
    base = write(tmp_path, [record(one, success=True) for one in played], "base")
    cand = write(tmp_path, [record(one, success=one.key not in lost) for one in played], "cand")
    groups = json.loads(rtbench("gate", cand, "--baseline", base, "--json").out)["groups"]
    contrasts = json.loads(rtbench("compare", base, cand, "--json").out)["contrasts"]
    compared = {(c["by"], c["group"]): c["p_holm"] for c in contrasts}
    assert {(g["by"], g["group"]) for g in groups} >= {("skill", "pick"), ("skill", "move_near")}
    for group in groups:
        assert group["p_holm"] == compared[group["by"], group["group"]]
    assert compared["skill", "pick"] == pytest.approx(3 / 32)
    summary = tmp_path / "summary.md"
    told = [
        rtbench("gate", cand, "--baseline", base, "--summary", summary).out,
        rtbench("compare", base, cand).out,
        summary.read_text(),
    ]
    for text in told:
        assert "adjusted by Holm over the groups of each kind" in " ".join(text.split())


def test_two_kinds_of_groups_are_adjusted_apart(tmp_path):
    played = [*episodes(30), *episodes(30, axis="other")]
    base = write(tmp_path, rated(played, 0.9, 1), "base")
    cand = write(tmp_path, rated(played, 0.5, 2), "cand")
    found = gate(load_scores(cand), load_scores(base), Terms(0.05)).groups
    assert {group.by for group in found} == {"axis", "skill"}
    for by in ("axis", "skill"):
        mine = [group for group in found if group.by == by]
        assert [group.p_holm for group in mine] == pytest.approx(holm([group.p for group in mine]))
