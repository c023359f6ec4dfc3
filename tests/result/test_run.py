"""Summaries, frames and tables against counts made by hand."""

import json
import re
from dataclasses import replace
from io import StringIO

import pandas as pd
import pytest
from rich.console import Console

from rtbench.analysis.noise_floor import NOISE, noise
from rtbench.core.episode import Outcome
from rtbench.core.errors import RunError
from rtbench.core.fault import Fault
from rtbench.core.importing import load_object
from rtbench.report.run_table import caption, tables
from rtbench.result.control_rate import control_rates
from rtbench.result.folder import write_json
from rtbench.result.record import Record, Times
from rtbench.result.run import load_run
from rtbench.result.summary import read_summary, summarise, write_summary
from rtbench.stats import Pairs, newcombe_paired, wilson, wilson_clustered
from tests.helpers.paths import HELPERS

FAKE = HELPERS / "fake_env.py"
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


def save(path, records, planned=12, **meta):
    settings = {"settings": {"control_hz": 3}, "policy": {"name": "pusher"}, "suite": "seen"}
    settings |= {"id": "1" * 12, "simulator": {}}
    write_json(path / "run.json", {"episodes": planned, **settings, **meta})
    (path / "episodes.jsonl").write_bytes(b"".join(r.line() for r in records))
    return load_run(path)


def test_counts_rates_and_intervals():
    summary = summarise(RECORDS, 12, 3)
    pick, drawer, overall = summary.skills["pick"], summary.skills["open_drawer"], summary.overall
    assert (pick.n, pick.errors, pick.successes, pick.ever, pick.held) == (10, 1, 8, 9, 8)
    assert pick.rate == pytest.approx(8 / 9, abs=1e-6)
    assert pick.rate_errors_as_failures == pytest.approx(0.8)
    assert pick.interval == pytest.approx(wilson(8, 9), abs=1e-6)
    assert pick.interval_errors_as_failures == pytest.approx(wilson(8, 10), abs=1e-6)
    assert (drawer.rate, drawer.held_rate) == (0.5, 0.0)
    assert (overall.n, overall.successes, overall.faults) == (12, 9, {"policy": 1})
    assert overall.terminations == {"on_time": 8, "early": 0, "late": 1, "missing": 2}
    assert overall.events == {"dropped": 3, "clipped": 1}
    assert overall.rate == pytest.approx(9 / 11, abs=1e-6)
    assert summary.macro.rate == pytest.approx((8 / 9 + 0.5) / 2, abs=1e-6)
    assert summary.complete
    assert not summarise(RECORDS, 13, 3).complete


def test_only_errors_have_no_rate_but_a_worst_one():
    group = summarise([record(0, error="x")], 1, 3).overall
    assert (group.rate, group.interval, group.rate_errors_as_failures) == (None, (0.0, 1.0), 0.0)


def test_a_rate_is_met_when_99_of_100_decisions_are_in_time():
    fast = control_rates([record(0, ms=[10.0] * 99 + [400.0])], 3)
    assert fast.met
    assert fast.in_time == 0.99
    assert fast.policy.p50 == 10.0
    assert fast.policy.hz == pytest.approx(1000 * 100 / 1390, abs=1e-3)
    assert not control_rates([record(0, ms=[10.0] * 98 + [400.0] * 2)], 3).met
    assert not control_rates([record(0, ms=[10.0] * 99 + [200.0] * 2)], 10).met
    assert control_rates([record(0, error="x")], 3).met is None


def test_slots_per_call_are_decisions_over_calls(tmp_path):
    """Two calls for two slots and one for one: five decisions, three calls."""
    together = replace(record(0), times=Times(1.0, (5.0,) * 2, (2.0,) * 2, (9.0,) * 2, (2, 2)))
    now_alone = replace(record(1), times=Times(1.0, (5.0,) * 3, (2.0,) * 3, (9.0,) * 3, (2, 2, 1)))
    assert control_rates([together, now_alone], 3).slots_per_call == pytest.approx(5 / 3, abs=1e-3)
    assert "1.67 slots per call" in show(save(tmp_path, [together, now_alone], 2))


def test_records_without_slots_tell_none():
    summary = summarise([record(0)], 1, 3)
    assert summary.hz.slots_per_call is None
    assert "slots per call" not in caption(summary)


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
    assert run.summary.overall.rate is None
    assert "unfinished: 0 of 12" in show(run)


def show(run):
    out = StringIO()
    for made in tables(run):
        Console(file=out, width=80).print(made)
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
    write_summary(tmp_path, run.summary)
    assert read_summary(tmp_path) == run.summary
    assert json.loads(json.dumps(run.summary.as_dict(), allow_nan=False)) == json.loads(
        (tmp_path / "summary.json").read_text()
    )


def ended(end, seed, **fields):
    """A record of an episode with these fields; end None is an error."""
    made = record(seed, end=bool(end), error=None if end is not None else "broken")
    return replace(made, episode=replace(made.episode, **fields))


def perturbed(outcomes, axis="backgrounds/hard", first=0):
    """Twins and the same episodes perturbed; 'sf': success with the twin, failure here; 'x': an error."""
    ends = {"s": True, "f": False, "x": None}
    for seed, (before, after) in enumerate(outcomes, first):
        twin = ended(ends[before], seed, split="novel", axis="reference")
        yield twin
        yield ended(ends[after], seed, split="novel", axis=axis, variant="cloth", twin=twin.key)


def test_drops_are_counted_in_pairs(tmp_path):
    records = [*perturbed(["ss", "ss", "sf", "sf", "sf", "fs", "ff", "sx", "xf"])]
    lone = ended(end=True, seed=50, axis="backgrounds/hard", twin="0" * 16)
    run = save(tmp_path, [*records, lone])
    ((axis, drop),) = run.summary.drops.items()
    assert axis == "backgrounds/hard"
    assert {name: getattr(drop, name) for name in ("pairs", "errors", "lost", "gained")} == {
        "pairs": 7, "errors": 2, "lost": 3, "gained": 1,
    }  # fmt: skip
    assert (drop.twin_rate, drop.rate) == pytest.approx((5 / 7, 3 / 7), abs=1e-6)
    assert drop.drop == pytest.approx(2 / 7, abs=1e-6)
    assert drop.interval == pytest.approx(newcombe_paired(Pairs(2, 3, 1, 1)), abs=1e-6)
    assert drop.p == pytest.approx(0.625)
    text = show(run)
    assert "backgrounds/hard" in text.split("against the same episodes unperturbed")[1]
    assert re.search(r"71\.4 +42\.9 +28\.6", text)
    assert max(map(len, text.splitlines())) <= 80


def test_a_run_without_twins_has_no_drops(tmp_path):
    run = save(tmp_path, RECORDS)
    assert run.summary.drops == {}
    assert "unperturbed" not in show(run)
    control = [replace(r, episode=replace(r.episode, twin=RECORDS[0].key, arm="blank")) for r in RECORDS[1:3]]
    assert save(tmp_path, [RECORDS[0], *control]).summary.drops == {}


def test_the_card_decides_what_counts_as_novel(tmp_path):
    """New in the seen split, trained on in the novel one, new, emergent; and a twin, there for reference."""
    plain, hard = perturbed(["sf"], first=10)
    records = {
        "seen": ended(end=True, seed=0, split="seen"),
        "surprise": ended(end=False, seed=1, split="seen"),
        "trained": ended(end=True, seed=2, split="novel", axis="unseen"),
        "new": ended(end=False, seed=3, split="novel", axis="unseen"),
        "emergent": ended(end=True, seed=4, split="emergent", axis="symbols"),
        "reference": plain,
        "hard": hard,
    }
    new = {records[name].key: ["object pear"] for name in ("surprise", "new", "emergent", "hard")}
    run = save(tmp_path, records.values(), 7, novelties=new)
    summary = run.summary
    assert {split: group.n for split, group in summary.splits.items()} == {
        "seen": 2, "novel": 3, "emergent": 1,
    }  # fmt: skip
    assert (summary.splits_by, summary.left_out.n, summary.overall.n) == ("card", 1, 7)
    assert summary.splits["novel"].rate == 0.0
    assert summary.axes["unseen"].n == 1
    assert summary.drops["backgrounds/hard"].pairs == 1
    counts_as = run.frame.set_index("key")["counts_as"]
    assert counts_as[records["trained"].key] == "left_out"
    assert counts_as[records["surprise"].key] == "novel"
    text = show(run)
    assert "1 episode that the card was trained on is left out" in text
    assert "split, by the card" in text
    assert max(map(len, text.splitlines())) <= 80


def test_what_is_left_out_is_left_out_of_its_drop_too(tmp_path):
    plain, hard = perturbed(["sf"])
    run = save(tmp_path, [plain, hard], 2, novelties={})
    assert run.summary.drops == {}
    assert run.summary.left_out.n == 1
    assert [*run.summary.splits] == ["seen"]


def test_without_training_the_suite_decides(tmp_path):
    records = [ended(end=True, seed=0, split="seen"), ended(end=False, seed=1, split="novel", axis="far")]
    summary = save(tmp_path, records).summary
    assert {split: group.rate for split, group in summary.splits.items()} == {"seen": 1.0, "novel": 0.0}
    assert (summary.splits_by, summary.left_out.n) == ("suite", 0)
    assert "split, by the suite" in show(save(tmp_path, records))
    assert "split, by" not in show(save(tmp_path, RECORDS))


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(RunError, match="is this the folder of a run"):
        load_run(tmp_path)


def test_the_summary_has_an_interval_of_tasks_where_episodes_share_one(tmp_path):
    made = [record(i, end=i % 10 < 5) for i in range(40)]
    tasks = [f"pick/thing_{i % 10}-v0" for i in range(40)]
    shared = [
        replace(one, episode=replace(one.episode, task=task)) for one, task in zip(made, tasks, strict=True)
    ]
    found = summarise(shared, 40, 3).by_task
    assert found.tasks == 10
    ends = [one.outcome.end for one in shared]
    assert found.interval == pytest.approx(wilson_clustered(ends, tasks), abs=1e-6)
    low, high = wilson(20, 40)
    assert found.interval[0] < low < high < found.interval[1]
    alone = [replace(one, episode=replace(one.episode, task=f"pick/{k}-v0")) for k, one in enumerate(shared)]
    assert summarise(alone, 40, 3).by_task is None
    assert summarise([], 1, 3).by_task is None
    run = save(tmp_path, shared, 40)
    write_summary(tmp_path, run.summary)
    assert read_summary(tmp_path) == run.summary
    write_json(tmp_path / NOISE, noise([{str(i): i > 3 or k for i in range(40)} for k in (True, False)]))
    console = Console(width=80, file=StringIO())
    for shown in tables(run):
        console.print(shown)
    text = console.file.getvalue()
    assert "success clustered by task: " in text
    assert "reruns agree: 90.0 %" in text
    assert max(map(len, text.splitlines())) <= 80
