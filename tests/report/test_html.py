"""The numbers that a report shows."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtbench.core.action import BINS, CONVENTIONS, GRIPPER, MODE, RTBENCH, Mode, idle
from rtbench.report.html import (
    comparison,
    decoded_actions,
    episode_list,
    failures,
    page,
    success_curves,
    success_rates,
    token_histograms,
    touched_objects,
)
from rtbench.report.html.options import Frames, Request
from rtbench.report.html.section import series
from rtbench.report.html.svg_chart import colour, draw
from rtbench.result.run import load_run
from tests.helpers.commands import rtbench
from tests.helpers.synthetic_runs import episode, episodes, rated, record, write

EVIL = "<script>alert('x')</script> & $x^2$ \u2028"
NO_FRAMES = Request(frames=Frames.NONE)


def shown(*folders):
    return series([load_run(folder) for folder in folders])


def acted(number, actions, *, success=True, convention=RTBENCH, **changes):
    """A record of these actions float[11]."""
    rows = np.array([convention.encode(action) for action in actions], dtype=np.uint8)
    made = record(episode(number, **changes), success, steps=len(actions))
    return dataclasses.replace(made, tokens=rows.tobytes(), convention=convention.name)


def outcome_of(made, **changes):
    return dataclasses.replace(made, outcome=dataclasses.replace(made.outcome, **changes))


def action(mode=Mode.ARM, **values):
    vector = idle()
    names = ("x", "y", "z", "roll", "pitch", "yaw", "gripper", "base_x", "base_y", "base_yaw")
    for name, value in values.items():
        vector[names.index(name)] = value
    vector[MODE] = mode
    return vector


def cells(table, name):
    return next(row for row in table.rows if row[0] == name)


# Numbers --------------------------------------------------------------------------------------------------


def test_rates_are_those_of_the_summary_with_errors_apart(tmp_path):
    outcomes = [True, True, False, None]
    made = [record(one, end) for one, end in zip(episodes(4, skill="pick"), outcomes, strict=True)]
    section = success_rates.section(shown(write(tmp_path, made)))
    overall = section.figures[0].table
    told = dict(zip(overall.columns, overall.rows[0], strict=True))
    assert (told["n"], told["errors"], told["success"]) == ("4", "1", "66.7 %")
    assert told["95 % interval"] == "20.8 to 93.9"
    assert told["errors as failures"] == "50.0 %"
    by_skill = next(figure for figure in section.figures if figure.title == "By skill")
    assert cells(by_skill.table, "pick")[1:4] == ("4", "1", "66.7 %")


def test_drops_stand_where_twins_were_played(tmp_path):
    own = episodes(6)
    other = [dataclasses.replace(one, axis="camera/large", twin=one.key) for one in own]
    made = [record(one, success=True) for one in own] + [record(one, k < 3) for k, one in enumerate(other)]
    drops = success_rates.section(shown(write(tmp_path, made))).figures[-1]
    told = dict(zip(drops.table.columns, cells(drops.table, "camera/large"), strict=True))
    assert (told["pairs"], told["twin"], told["here"], told["drop"]) == ("6", "100.0 %", "50.0 %", "50.0")
    assert told["p"] == "0.250"


def test_a_control_arm_is_scored_where_its_twins_are_shown(tmp_path):
    own = episodes(8)
    blank = [dataclasses.replace(one, instruction="", arm="blank", twin=one.key) for one in own]
    truth = write(tmp_path, [record(one, k < 6) for k, one in enumerate(own)], "a")
    control = write(
        tmp_path, [record(one, k < 3) for k, one in enumerate(blank)], "b", extra={"arm": "blank"}
    )
    arms = success_rates.section(shown(truth, control)).figures[-1]
    told = dict(zip(arms.table.columns, arms.table.rows[0], strict=True))
    assert told["control arm"] == "b, blank instructions"
    assert (told["ignorance"], told["solved"], told["kept"]) == ("50.0 %", "6", "3")
    assert (told["true"], told["control"]) == ("75.0 %", "37.5 %")
    assert "Control arms" not in {figure.title for figure in success_rates.section(shown(control)).figures}


@given(st.lists(st.tuples(st.integers(1, 40), st.booleans()), min_size=1, max_size=30))
def test_the_share_solved_by_a_step_grows_to_the_success_rate(ends):
    made = [record(episode(k), success, steps=steps) for k, (steps, success) in enumerate(ends)]
    solved = success_curves.solved_by(made, 40)
    counts = [k for k, _ in solved]
    assert counts == sorted(counts)
    assert counts[0] == 0
    assert counts[-1] == sum(success for _, success in ends)
    assert all(counts[step] == sum(s and at <= step for at, s in ends) for step in range(41))


@given(st.lists(st.tuples(st.integers(0, 900).map(lambda mm: mm / 1000), st.booleans()), min_size=1))
def test_parts_by_distance_hold_every_episode_once(found):
    ends = success_curves.edges([distance for distance, _ in found])
    parts = success_curves.parts(found, ends)
    assert sum(part.n for part in parts) == len(found)
    assert sum(part.successes for part in parts) == sum(solved for _, solved in found)
    assert all(a.high < b.low for a, b in itertools.pairwise(parts))
    assert all(part.n >= min(5, len(found)) for part in parts)
    assert len(parts) <= 6


def test_travel_is_the_way_commanded_within_reach():
    step = 0.04
    made = acted(0, [action(x=step), action(y=step, base_x=0.1), action(Mode.BASE, x=step, base_x=0.1)])
    assert decoded_actions.travel(made) == pytest.approx(2 * step + 0.1, abs=0.002)
    far = acted(0, [action(x=1.0)], convention=CONVENTIONS["rt1"])
    assert decoded_actions.travel(far) == pytest.approx(0.08, abs=0.001)
    assert decoded_actions.travel(record(episode(0), None)) == 0.0


@pytest.mark.parametrize("name", sorted(CONVENTIONS))
def test_modes_idle_steps_and_bins_are_read_in_the_order_of_the_convention(name):
    steps = [action(), action(), action(x=0.05), action(Mode.BASE), action(gripper=1.0)]
    steps.append(action(Mode.TERMINATE))
    found = decoded_actions.motion([acted(0, steps, convention=CONVENTIONS[name])])
    assert found is not None
    assert list(found.modes) == [0, 0, 0, 1, 0, 2]
    # The first has no step before it; the fifth closes the gripper; terminating is no idling.
    assert list(found.idle) == [False, True, False, True, False, False]
    assert list(found.tokens[:, GRIPPER]) == [0, 0, 0, 0, BINS - 1, 0]
    assert found.values[2, 0] == pytest.approx(0.05, abs=found.widths[0])


def test_an_episode_is_not_idle_because_the_one_before_it_ended_alike():
    found = decoded_actions.motion([acted(0, [action(), action()]), acted(1, [action(), action()])])
    assert found is not None
    assert list(found.idle) == [False, True, False, True]


def test_saturation_counts_the_first_and_last_token_where_the_dimension_acts(tmp_path):
    low, high = RTBENCH.low[0], RTBENCH.high[0]
    steps = [action(x=low), action(x=high), action(x=high), action(), action(Mode.BASE, x=high)]
    made = acted(0, steps)
    told = [(shown(write(tmp_path, [made]))[0], decoded_actions.motion([made]))]
    table = token_histograms._saturation(told).table
    of_x = dict(zip(table.columns, cells(table, "x"), strict=True))
    assert (of_x["steps"], of_x["bins used"]) == ("4", "3 of 256")
    assert (of_x["at 0"], of_x["at 255"]) == ("25.0 %", "50.0 %")
    assert cells(table, "mode")[1:3] == ("5", "2 of 3")
    modes = token_histograms._modes(told).table
    assert [row[1] for row in modes.rows] == ["80.0 %", "20.0 %", "0.0 %", "40.0 %", "5"]


def test_tokens_that_no_convention_has_are_passed_over():
    broken = dataclasses.replace(acted(0, [action()]), tokens=bytes([255] * 11))
    assert decoded_actions.motion([broken]) is None
    found = decoded_actions.motion([broken, acted(1, [action()])])
    assert found is not None
    assert len(found.tokens) == 1


def test_quantisation_is_half_a_bin_and_a_whole_one_where_it_truncates(tmp_path):
    one = shown(write(tmp_path, [acted(0, [action()])]))[0]

    def told(name):
        steps = decoded_actions.motion([acted(0, [action()], convention=CONVENTIONS[name])])
        table = token_histograms._widths([(one, steps)]).table
        return dict(zip(table.columns, cells(table, "x"), strict=True))

    assert told("rtbench")["error at most"] == "0.00031 m"
    assert told("rtbench")["bins within reach"] == "256 of 256"
    assert told("rt1")["width of a bin"] == "0.00784 m"
    # What is further than 8 cm in a step is clipped: twice 8 cm are 20 bins of 2 m / 255.
    assert told("rt1")["bins within reach"] == "20 of 256"
    assert told("rt1-reference")["error at most"] == "0.0078 m"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ever": True, "events": {"dropped": 1}}, "undone later"),
        ({"events": {"wrong_object": 2, "dropped": 1}}, "touched a wrong object"),
        ({"events": {"dropped": 1}, "termination": "early"}, "dropped something"),
        ({"termination": "early"}, "gave up early"),
        ({"progress": 0.5}, "partly done"),
        ({"progress": 0.0}, "out of time"),
    ],
)
def test_a_failure_is_put_down_to_the_first_that_is_true_of_it(changes, said):
    assert failures.reason(outcome_of(record(episode(0), success=False), **changes)) == said
    assert failures.reason(outcome_of(record(episode(0), success=True), **changes)) == ""
    assert failures.reason(record(episode(0), None)) == "error: policy"


def test_goal_leaves_never_true_are_counted_in_failures_alone():
    goals = [(False, True, False), (True, False, True)]
    made = [
        outcome_of(record(episode(k), end), subgoals={"near(a, b)": near, "released(a)": released})
        for k, (end, near, released) in enumerate(goals)
    ]
    assert failures.never_true(made) == {"near(a, b)": (0, 2), "released(a)": (1, 2)}


def test_confusion_pairs_the_goal_s_first_object_with_the_one_touched(tmp_path):
    objects = ("apple", "sponge", "can")
    met, goal = ["apple", "can", "can", "", "sponge"], {"near(apple, sponge)": False}
    made = [
        outcome_of(record(episode(k, objects=objects), success=False), touched=name, subgoals=goal)
        for k, name in enumerate(met)
    ]
    assert touched_objects.confusion(made) == {
        ("apple", "apple"): 1, ("apple", "can"): 2, ("apple", "nothing"): 1, ("apple", "sponge"): 1,
    }  # fmt: skip
    section = touched_objects.section(shown(write(tmp_path, made)))
    table = section.figures[0].table
    told_cells = dict(zip(table.columns, cells(table, "apple"), strict=True))
    assert (told_cells["itself"], told_cells["nothing"], told_cells["can"]) == ("1", "1", "2")
    assert cells(table, "all")[1:] == cells(table, "apple")[1:]


def test_nothing_is_said_of_touch_where_records_do_not_tell(tmp_path):
    assert touched_objects.section(shown(write(tmp_path, [record(episode(0), success=True)]))).figures == ()


def test_rows_begin_with_what_runs_disagree_about_then_failures(tmp_path):
    chosen = episodes(4, task="pick/thing-v0", skill="pick")
    ends = ([True, True, False, None], [True, False, False, None])
    folders = [
        write(tmp_path, [record(one, end) for one, end in zip(chosen, of_run, strict=True)], policy)
        for of_run, policy in zip(ends, "ab", strict=True)
    ]
    rows = episode_list.rows(shown(*folders), tmp_path)
    assert [row["key"] for row in rows] == [chosen[k].key for k in (1, 3, 2, 0)]
    assert [result["outcome"] for result in rows[0]["runs"]] == ["success", "failure"]


def test_contrasts_are_candidate_less_baseline_and_flips_are_named(tmp_path):
    chosen = episodes(6, skill="pick", task="pick/thing-v0")
    ends = ([True] * 5 + [False], [False] * 3 + [True, None, True])
    folders = [
        write(tmp_path, [record(one, end) for one, end in zip(chosen, of_run, strict=True)], policy)
        for of_run, policy in zip(ends, "ab", strict=True)
    ]
    section = comparison.section(shown(*folders))
    overall = section.figures[0].table
    told = dict(zip(overall.columns, overall.rows[0], strict=True))
    assert told["policy"] == "b"
    assert (told["baseline"], told["candidate"]) == ("80.0 % of 5", "40.0 % of 5")
    assert (told["difference"], told["lost"], told["gained"], told["p"]) == ("-40.0", "3", "1", "0.625")
    flips = next(figure.table for figure in section.figures if figure.title == "Flips")
    assert [row[0] for row in flips.rows] == ["lost"] * 3 + ["gained"]
    assert comparison.section(shown(folders[0])).figures == ()


def test_three_runs_have_letters(tmp_path):
    runs = [
        write(tmp_path, rated(episodes(60), share), name) for share, name in ((1, "a"), (0, "b"), (1, "c"))
    ]
    overall = comparison.section(shown(*runs)).figures[0]
    assert [row[-1] for row in overall.table.rows] == ["b", "a"]
    assert "the baseline has 'a'" in overall.note


def test_runs_that_did_not_play_the_same_are_refused_unless_asked(tmp_path):
    one = write(tmp_path, rated(episodes(10), 0.5), "a")
    other = write(tmp_path, rated(episodes(10), 0.5), "b", extra={"simulator": {"mujoco": "3.9.0"}})
    told = rtbench("report", one, other, "-o", tmp_path / "r.html", "--frames", "none")
    assert told.code == 4
    assert "--allow-partial" in told.err
    again = rtbench("report", one, other, "-o", tmp_path / "r.html", "--frames", "none", "--allow-partial")
    assert again.code == 0, again.err
    assert "mujoco differ" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_runs_of_other_suites_are_compared_as_samples(tmp_path):
    folders = [write(tmp_path, rated(episodes(20, suite=suite), 0.5), suite) for suite in ("seen", "novel")]
    overall = comparison.section(shown(*folders)).figures[0]
    assert "independent samples" in overall.note
    assert page.write_report([load_run(f) for f in folders], tmp_path / "r.html", NO_FRAMES).size


def test_a_video_is_linked_from_the_report_s_folder_and_only_where_it_lies(tmp_path):
    made = [dataclasses.replace(record(episode(k), success=True), video=f"{k} #.mp4") for k in range(2)]
    made.append(dataclasses.replace(record(episode(2), success=True), video="../run.json"))
    folder = write(tmp_path, made)
    (folder / "videos" / "0 #.mp4").write_bytes(b"film")
    beside = tmp_path / "out"
    beside.mkdir()
    videos = {row["seed"]: row["runs"][0].get("video") for row in episode_list.rows(shown(folder), beside)}
    link = f"../{folder.relative_to(tmp_path).as_posix()}/videos/0%20%23.mp4"
    assert videos == {0: link, 1: None, 2: None}


def test_charts_take_their_colours_from_the_page_and_escape_text():
    svg = draw("t", 100, lambda canvas: canvas.subplots().plot([0, 1], color=colour(3)))
    assert "var(--s3)" in svg
    assert "currentColor" in svg
    assert "#0a0" not in svg
    named = draw("u", 100, lambda canvas: canvas.subplots().set_title(EVIL))
    assert "<script" not in named
    assert "$x^2$" in named
    assert named == draw("u", 100, lambda canvas: canvas.subplots().set_title(EVIL))  # to the last byte
