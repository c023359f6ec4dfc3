"""Scores are the records, read faster: the same episodes, outcomes and notes, and the same refusals."""

import json
from dataclasses import replace

import numpy as np
import pytest

from rtbench.core.errors import Exit, RunError
from rtbench.core.fault import Fault
from rtbench.result.jsonl import SchemaError
from rtbench.result.record import Times
from rtbench.result.run import load_run
from rtbench.result.scores import labels, load_scores
from tests.helpers.synthetic_runs import episode, episodes, rated, record, write

CHOSEN = episodes(40, axis="backgrounds/easy", split="novel", twin="ab" * 8)
RECORDS = [
    *rated(CHOSEN[:30], 0.6),
    record(CHOSEN[30], None),
    replace(record(CHOSEN[31], success=True), video="film.mp4", times=Times(1.0, (5.0, 1.0, 3.0, 100.0))),
    record(CHOSEN[32], success=False, image="cafe", state="babe"),
]


def test_scores_and_records_tell_the_same(tmp_path):
    folder = write(tmp_path, RECORDS)
    scores, run = load_scores(folder).frame, load_run(folder).frame
    assert scores["key"].tolist() == run["key"].tolist()
    for column in ("split", "axis", "skill", "task", "seed", "horizon", "twin", "counts_as", "instruction"):
        assert scores[column].tolist() == run[column].tolist(), column
    valid = run["success"].notna()
    assert scores["valid"].tolist() == valid.tolist()
    for column in ("success", "ever", "held", "steps"):
        assert scores.loc[valid, column].tolist() == run.loc[valid, column].tolist(), column
    assert not scores.loc[~valid, ["success", "ever", "held"]].any().any()
    assert scores["error"].tolist() == run["error"].tolist()
    assert scores["video"].tolist() == run["video"].tolist()
    assert scores["policy_ms"].to_numpy() == pytest.approx(run["policy_ms"].to_numpy(float), nan_ok=True)


def test_times_of_decisions(tmp_path):
    frame = load_scores(write(tmp_path, RECORDS)).frame.set_index("key")
    timed = frame.loc[CHOSEN[31].key]
    assert (timed["decisions"], timed["policy_s"], timed["policy_ms"]) == (4, pytest.approx(0.109), 4.0)
    assert frame.loc[CHOSEN[30].key, "decisions"] == 0
    assert np.isnan(frame.loc[CHOSEN[30].key, "policy_ms"])


def test_rows_are_sorted_and_know_their_place_in_the_file(tmp_path):
    frame = load_scores(write(tmp_path, RECORDS)).frame
    assert frame["key"].is_monotonic_increasing
    assert frame["key"].is_unique
    by_place = frame.sort_values("order")["key"].tolist()
    assert by_place == [one.key for one in RECORDS]


def test_fingerprints_are_those_of_the_records(tmp_path):
    frame = load_scores(write(tmp_path, RECORDS)).frame.set_index("key")
    assert tuple(frame.loc[CHOSEN[32].key, ["state", "image"]]) == ("babe", "cafe")


def test_what_is_new_to_a_policy_counts_as_its_card_says(tmp_path):
    chosen = [episode(0, split="novel"), episode(1, split="novel"), episode(2)]
    told = {"novelties": {chosen[0].key: ["object pear"], chosen[2].key: ["object pear"]}}
    folder = write(tmp_path, [record(one, success=True) for one in chosen], extra=told)
    frame = load_scores(folder).frame.set_index("key")
    assert [frame.loc[one.key, "counts_as"] for one in chosen] == ["novel", "left_out", "novel"]


def test_an_empty_run_has_an_empty_frame_with_all_columns(tmp_path):
    empty = load_scores(write(tmp_path, [])).frame
    assert empty.empty
    assert list(empty.columns) == list(load_scores(write(tmp_path, RECORDS, "b")).frame.columns)


def test_the_last_of_two_records_counts(tmp_path):
    flipped = record(CHOSEN[0], success=not RECORDS[0].outcome.end)
    scores = load_scores(write(tmp_path, RECORDS, tail=flipped.line()))
    row = scores.frame.set_index("key").loc[CHOSEN[0].key]
    assert row["success"] != RECORDS[0].outcome.end
    assert len(scores.frame) == len(RECORDS)
    assert "the last record of each counts" in scores.notes[0]


def test_a_line_cut_off_is_noted_and_not_counted(tmp_path):
    half = record(CHOSEN[35], success=True).line()[:-40]
    scores = load_scores(write(tmp_path, RECORDS, tail=half))
    assert len(scores.frame) == len(RECORDS)
    assert "cut off" in scores.notes[0]


@pytest.mark.parametrize(
    ("schema", "remedy"), [(0, "play it again"), (2, "update rtbench"), ("x", "schema x")]
)
def test_another_schema_is_not_comparable(tmp_path, schema, remedy):
    line = json.loads(RECORDS[0].line()) | {"schema": schema}
    folder = write(tmp_path, [], tail=json.dumps(line).encode() + b"\n")
    with pytest.raises(SchemaError, match=remedy) as told:
        load_scores(folder)
    assert told.value.exit_code == Exit.NOT_COMPARABLE


@pytest.mark.parametrize("damage", [b"{}\n", b"\n", b"[]\n", RECORDS[0].line()[:90] + b"\n"])
def test_damage_names_the_line(tmp_path, damage):
    folder = write(tmp_path, RECORDS, tail=damage + RECORDS[0].line())
    with pytest.raises(RunError, match=rf"line {len(RECORDS) + 1}.*damaged"):
        load_scores(folder)


def test_a_record_whose_episode_was_changed_is_refused(tmp_path):
    line = RECORDS[0].line().replace(b"pick thing", b"drop thing")
    with pytest.raises(RunError, match="its key is"):
        load_scores(write(tmp_path, [], tail=line))


def test_errors_have_their_kind(tmp_path):
    broken = replace(record(CHOSEN[0], None), error=Fault("worker_died", "gone"))
    assert load_scores(write(tmp_path, [broken])).frame["error"].tolist() == ["worker_died"]


def test_runs_of_one_name_are_told_apart_by_their_ids(tmp_path):
    runs = [
        load_scores(write(tmp_path, RECORDS, name, extra={"id": code}))
        for name, code in (("a", "1" * 12), ("a", "2" * 12), ("b", "3" * 12))
    ]
    assert labels(runs) == ["a 111111", "a 222222", "b"]


@pytest.mark.parametrize("text", ["[]", "{}", '"run"', '{"policy": {"name": "a"}}'])
def test_a_run_json_that_is_none_is_named(tmp_path, text):
    folder = write(tmp_path, RECORDS)
    (folder / "run.json").write_text(text)
    for read in (load_scores, load_run):
        with pytest.raises(RunError, match=r"run\.json: not what a run writes"):
            read(folder)


def test_a_run_json_of_another_schema_is_not_comparable(tmp_path):
    folder = write(tmp_path, RECORDS, extra={"schema": 99})
    for read in (load_scores, load_run):
        with pytest.raises(SchemaError, match=r"run\.json: written in schema 99"):
            read(folder)
