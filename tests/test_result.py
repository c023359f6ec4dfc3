"""Summaries, frames and tables against counts made by hand."""

import json
from dataclasses import replace
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from rtbench.errors import RunError
from rtbench.fault import Fault
from rtbench.folder import write_json
from rtbench.load import load_object
from rtbench.record import Record, Times
from rtbench.result import load_run, table
from rtbench.spec import Outcome
from rtbench.stats import wilson
from rtbench.summary import summarise
from rtbench.timing import hz
from rtbench.video import captioned, write_video

FAKE = __file__.replace("test_result", "fake_env")
make_episode = load_object(f"{FAKE}:episode")
FakeEnv = load_object(f"{FAKE}:FakeEnv")


def record(seed, skill="pick", *, end=True, ever=None, error=None, ms=(10.0,), **changes):
    fields = {"held": end, "steps": 7, "termination": "on_time" if end else "missing", "progress": float(end)}
    outcome = Outcome(ever=end if ever is None else ever, end=end, subgoals={}, **{**fields, **changes})
    return Record(
        make_episode(seed, skill=skill),
        "rtbench",
        outcome=None if error else outcome,
        error=Fault("policy", error) if error else None,
        times=Times(1.0, tuple(ms), (2.0,), (20.0,)),
    )


RECORDS = (
    *[record(i) for i in range(8)],
    record(8, end=False, ever=True, events={"dropped": 2, "clipped": 1}),
    record(9, error="broken"),
    record(10, "open_drawer", end=False, events={"dropped": 1}, ms=(400.0,)),
    record(11, "open_drawer", held=False, termination="late"),
)


def save(path, records, planned=12):
    write_json(
        path / "run.json",
        {"episodes": planned, "settings": {"control_hz": 3}, "policy": {"name": "pusher"}, "suite": "seen"},
    )
    (path / "episodes.jsonl").write_bytes(b"".join(r.line() for r in records))
    return load_run(path)


def test_counts_rates_and_intervals():
    summary = summarise(RECORDS, 12, 3)
    pick, drawer, overall = summary["skills"]["pick"], summary["skills"]["open_drawer"], summary["overall"]
    assert (pick["n"], pick["errors"], pick["successes"], pick["ever"], pick["held"]) == (10, 1, 8, 9, 8)
    assert pick["rate"] == pytest.approx(8 / 9, abs=1e-6)
    assert pick["rate_errors_as_failures"] == pytest.approx(0.8)
    assert pick["interval"] == pytest.approx(wilson(8, 9), abs=1e-6)
    assert pick["interval_errors_as_failures"] == pytest.approx(wilson(8, 10), abs=1e-6)
    assert (drawer["rate"], drawer["held_rate"]) == (0.5, 0.0)
    assert (overall["n"], overall["successes"], overall["faults"]) == (12, 9, {"policy": 1})
    assert overall["terminations"] == {"on_time": 8, "early": 0, "late": 1, "missing": 2}
    assert overall["events"] == {"dropped": 3, "clipped": 1}
    assert overall["rate"] == pytest.approx(9 / 11, abs=1e-6)
    assert summary["macro"]["rate"] == pytest.approx((8 / 9 + 0.5) / 2, abs=1e-6)
    assert summary["complete"]
    assert not summarise(RECORDS, 13, 3)["complete"]


def test_only_errors_have_no_rate_but_a_worst_one():
    group = summarise([record(0, error="x")], 1, 3)["overall"]
    assert (group["rate"], group["interval"], group["rate_errors_as_failures"]) == (None, [0.0, 1.0], 0.0)


def test_a_rate_is_met_when_99_of_100_decisions_are_in_time():
    fast = hz([record(0, ms=[10.0] * 99 + [400.0])], 3)
    assert fast["met"]
    assert fast["in_time"] == 0.99
    assert fast["policy"]["p50"] == 10.0
    assert fast["policy"]["hz"] == pytest.approx(1000 * 100 / 1390, abs=1e-3)
    assert not hz([record(0, ms=[10.0] * 98 + [400.0] * 2)], 3)["met"]
    assert not hz([record(0, ms=[10.0] * 99 + [200.0] * 2)], 10)["met"]
    assert hz([record(0, error="x")], 3)["met"] is None


def test_the_frame_has_a_row_an_episode(tmp_path):
    frame = save(tmp_path, RECORDS).frame
    assert len(frame) == 12
    assert frame["key"].is_monotonic_increasing
    assert frame["success"].sum() == 9
    assert frame["success"].isna().sum() == 1
    assert frame.loc[frame["error"] == "policy", "error_message"].tolist() == ["broken"]
    assert frame["dropped"].sum() == 3
    by_skill = frame.groupby("skill")["success"].mean()
    assert by_skill["open_drawer"] == 0.5
    for column in frame:
        assert not frame[column].map(lambda v: isinstance(v, list | dict)).any(), f"{column} is not flat"
    assert isinstance(frame, pd.DataFrame)


def test_an_empty_run_has_a_summary_a_frame_and_a_table(tmp_path):
    run = save(tmp_path, [])
    assert run.frame.empty
    assert run.summary["overall"]["rate"] is None
    assert "unfinished: 0 of 12" in show(run)


def show(run):
    out = StringIO()
    Console(file=out, width=80).print(table(run))
    return out.getvalue()


def test_the_table_fits_80_columns_and_shows_what_matters(tmp_path):
    long = [replace(r, episode=replace(r.episode, skill="take_object_from_receptacle")) for r in RECORDS[:3]]
    many = [record(1000 + i, "pick", ms=(123456.7,)) for i in range(60)]
    text = show(save(tmp_path, [*RECORDS[3:], *long, *many], 5000))
    assert max(map(len, text.splitlines())) <= 80
    for part in (
        "pusher on seen",
        "open_drawer",
        "50.0",
        "3 Hz NOT met",
        "1 error left out; counted",
        "unfinished",
    ):
        assert part in text, text
    assert "…" in text
    assert "..." not in text


def test_a_summary_is_plain_json(tmp_path):
    run = save(tmp_path, RECORDS)
    assert json.loads(json.dumps(run.summary, allow_nan=False)) == run.summary


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(RunError, match="is this the folder of a run"):
        load_run(tmp_path)


def test_a_video_has_every_frame_with_a_caption(tmp_path):
    import imageio.v2 as imageio

    from rtbench.rollout import Trace, replayed, rollout

    episode = make_episode(horizon=4, instruction="push the cart " * 12)
    rows = np.tile([228, *[128] * 5, 0, 128, 128, 128, 0], (4, 1))
    result = rollout(FakeEnv(), episode, replayed(rows), trace=Trace(keep_frames=True))
    path = write_video(tmp_path / "videos", episode, result)
    assert path.name == f"{episode.key}.mp4"
    frames = imageio.mimread(path)
    assert len(frames) == 5 + 2
    assert frames[0].shape == (304, 320, 3)
    assert frames[0][256:].max() > 150, "the caption is blank"
    assert np.abs(frames[0][:256].astype(int) - result.trace.frames[0]).mean() < 8
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    outcomes = [captioned(result.trace.frames[0], episode, 0, replace(result.outcome, end=e)) for e in (0, 1)]
    assert (outcomes[0] != outcomes[1]).any()
