"""Runs are paired where they played the same, and refused, with the reason, where they did not."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtbench.analysis.pairing import join
from rtbench.core.errors import Exit, NotComparableError, UnknownNameError
from rtbench.result.scores import load_scores
from rtbench.stats import Pairs
from tests.helpers.synthetic_runs import episode, episodes, rated, record, write

CHOSEN = episodes(12)


def runs(tmp_path, first, second, **changes):
    """Scores of two runs; `changes` are of the second's run.json."""
    return (
        load_scores(write(tmp_path, first, "base")),
        load_scores(write(tmp_path, second, "cand", extra=changes)),
    )


def all_of(chosen, success=True, **how):
    return [record(one, success, **how) for one in chosen]


@given(
    st.lists(st.tuples(*[st.sampled_from([True, False, None])] * 2), min_size=1, max_size=20), st.randoms()
)
def test_pairs_are_those_counted_by_hand(tmp_path_factory, outcomes, random):
    chosen = episodes(len(outcomes))
    first = [record(one, a) for one, (a, _) in zip(chosen, outcomes, strict=True)]
    second = [record(one, b) for one, (_, b) in zip(chosen, outcomes, strict=True)]
    random.shuffle(second)
    joined = join(*runs(tmp_path_factory.mktemp("r"), first, second))
    assert joined.paired
    assert joined.pairs == Pairs.count((a, b) for a, b in outcomes if a is not None and b is not None)
    assert len(joined.rows) == len(outcomes)


def test_a_row_has_both_sides_of_one_episode(tmp_path):
    first = [replace(record(one, success=True, steps=5), video=f"{one.seed}.mp4") for one in CHOSEN]
    second = all_of(CHOSEN[::-1], steps=9, success=False)
    rows = join(*runs(tmp_path, first, second)).rows.set_index("key")
    row = rows.loc[CHOSEN[3].key]
    assert (row["first"], row["second"], row["steps_first"], row["steps_second"]) == (True, False, 5, 9)
    assert (row["video_first"], row["video_second"]) == ("3.mp4", "")
    assert (row["order_first"], row["order_second"]) == (3, len(CHOSEN) - 4)


def test_what_only_one_has_is_left_out_and_counted(tmp_path):
    joined = join(*runs(tmp_path, all_of(CHOSEN[:8]), all_of(CHOSEN[2:])))
    assert len(joined.rows) == 6
    assert joined.left_out == {"only in the first": 2, "only in the second": 4}


@pytest.mark.parametrize("shared", [0, 2])
def test_runs_of_other_episodes_are_independent_samples(tmp_path, shared):
    other = [*CHOSEN[:shared], *(episode(100 + i) for i in range(10))]
    joined = join(*runs(tmp_path, rated(CHOSEN, 0.5), all_of(other)))
    assert not joined.paired
    assert joined.rows.empty
    assert "independent samples" in joined.notes[-1]
    assert joined.counts[1] == (10 + shared, 10 + shared)
    assert joined.where(skill="pick").counts[1][1] < 10


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"simulator": {"mujoco": "4.1.0"}}, "versions of mujoco differ: 4.0.0 and 4.1.0"),
        ({"simulator": {"rtbench": "0.2.0"}}, "versions of rtbench"),
        ({"content_hash": "d" * 64}, "content"),
    ],
)
def test_other_versions_are_refused_unless_partial(tmp_path, changes, reason):
    pair = runs(tmp_path, all_of(CHOSEN), all_of(CHOSEN), **changes)
    with pytest.raises(NotComparableError, match=reason) as told:
        join(*pair)
    assert told.value.exit_code == Exit.NOT_COMPARABLE
    joined = join(*pair, allow_partial=True)
    assert joined.pairs.n == len(CHOSEN)
    assert reason in joined.notes[0]


@pytest.mark.parametrize("changes", [{"control_hz": 5}, {"factory": "other:make"}])
def test_other_rates_and_environments_are_never_compared(tmp_path, changes):
    pair = runs(tmp_path, all_of(CHOSEN), all_of(CHOSEN), settings=changes)
    for partial in (False, True):
        with pytest.raises(NotComparableError, match="differ"):
            join(*pair, allow_partial=partial)


@pytest.mark.parametrize(
    ("robots", "reason"),
    [
        (({}, {"google_robot": "a"}), "robots differ: panda_omron and google_robot"),
        (({"google_robot": "a"}, {"google_robot": "b"}), "descriptions of the robot google_robot differ"),
        (({}, {"panda_omron": "a"}), ""),
    ],
)
def test_other_robots_are_never_compared(tmp_path, robots, reason):
    pair = [
        load_scores(write(tmp_path, all_of(CHOSEN), name, extra={"robots": found}))
        for name, found in zip(("base", "cand"), robots, strict=True)
    ]
    if not reason:
        assert join(*pair).pairs.n == len(CHOSEN)
        return
    for partial in (False, True):
        with pytest.raises(NotComparableError, match=reason):
            join(*pair, allow_partial=partial)


@pytest.mark.parametrize("how", [{"state": "other"}, {"image": "other"}])
def test_episodes_that_began_otherwise_are_refused_or_left_out(tmp_path, how):
    first = all_of(CHOSEN, image="same")
    second = [*all_of(CHOSEN[:4], **{"image": "same", **how}), *all_of(CHOSEN[4:], image="same")]
    pair = runs(tmp_path, first, second)
    with pytest.raises(NotComparableError, match=r"4 have another .*--allow-partial"):
        join(*pair)
    joined = join(*pair, allow_partial=True)
    assert joined.pairs.n == 8
    assert sum(joined.left_out.values()) == 4
    everywhere = runs(tmp_path / "all", first, all_of(CHOSEN, **{"image": "same", **how}))
    with pytest.raises(NotComparableError, match="none is left"):
        join(*everywhere, allow_partial=True)


def test_a_frame_that_one_side_never_drew_is_no_difference(tmp_path):
    assert join(*runs(tmp_path, all_of(CHOSEN, image="x"), all_of(CHOSEN))).pairs.n == 12


def test_render_profiles_matter_where_both_drew(tmp_path):
    drew = {"cameras": ["head"]}
    first = load_scores(write(tmp_path, all_of(CHOSEN), "base", extra={"settings": drew}))
    full = load_scores(
        write(tmp_path, all_of(CHOSEN), "cand", extra={"settings": {**drew, "profile": "full"}})
    )
    blind = load_scores(write(tmp_path, all_of(CHOSEN), "blind", extra={"settings": {"profile": "full"}}))
    with pytest.raises(NotComparableError, match="render profiles differ: lean and full"):
        join(first, full)
    assert join(first, blind).pairs.n == 12


def test_tasks_that_changed_are_refused_or_left_out(tmp_path):
    names = sorted({one.task for one in CHOSEN})
    then, now = dict.fromkeys(names, "a" * 12), dict.fromkeys(names, "a" * 12) | {names[0]: "b" * 12}
    first = load_scores(write(tmp_path, all_of(CHOSEN), "base", extra={"tasks": then, "content_hash": "1"}))
    second = load_scores(write(tmp_path, all_of(CHOSEN), "cand", extra={"tasks": now, "content_hash": "2"}))
    with pytest.raises(NotComparableError, match="1 tasks are not what they were"):
        join(first, second)
    joined = join(first, second, allow_partial=True)
    assert names[0] not in set(joined.rows["task"])
    assert joined.left_out["another task"] == sum(one.task == names[0] for one in CHOSEN)
    same = load_scores(write(tmp_path, all_of(CHOSEN), "same", extra={"tasks": then, "content_hash": "3"}))
    assert join(first, same).pairs.n == 12, "content may change where the tasks played do not"


def test_thinking_time_may_differ_and_is_noted(tmp_path):
    joined = join(*runs(tmp_path, all_of(CHOSEN), all_of(CHOSEN), settings={"latency_ms": [250.0]}))
    assert "none and 250 ms" in joined.notes[0]


def test_an_empty_run_is_nothing_to_compare(tmp_path):
    with pytest.raises(NotComparableError, match="no episodes"):
        join(*runs(tmp_path, all_of(CHOSEN), []))


def test_the_rule_decides_what_a_success_is(tmp_path):
    first = [record(one, success=False) for one in CHOSEN]
    second = [replace(r, outcome=replace(r.outcome, ever=True)) for r in first]
    pair = runs(tmp_path, first, second)
    assert join(*pair).pairs.second == 0
    assert join(*pair, rule="ever").pairs == Pairs(second_only=12)
    with pytest.raises(UnknownNameError, match="Did you mean 'held'"):
        join(*pair, rule="hold")


def test_only_a_part_may_be_looked_at(tmp_path):
    joined = join(*runs(tmp_path, all_of(CHOSEN), all_of(CHOSEN, success=False)))
    part = joined.where(skill="pick", split="")
    assert part.pairs == Pairs(first_only=4)
    assert part.counts == ((4, 4), (0, 4))
    with pytest.raises(UnknownNameError, match=r"unknown skill 'pik'.*'pick'"):
        joined.where(skill="pik")
