"""Merging: records count once, what differs is named, and nothing is ever half there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtbench.core.errors import NotComparableError, RunError
from rtbench.result import merge as merging
from rtbench.result.folder import EPISODES, RUN, SUMMARY, VIDEOS, read_json, read_metadata
from rtbench.result.identity import episodes_hash, run_id
from rtbench.result.merge import merge
from rtbench.result.run import load_run
from rtbench.result.summary import read_summary
from tests.helpers.commands import rtbench, width
from tests.helpers.paths import ROOT
from tests.helpers.runs import episodes as fakes
from tests.helpers.runs import play
from tests.helpers.synthetic_runs import episodes, rated, record, write

ALL = rated(episodes(30), 0.6)


def part(place, records, **changes):
    """A part whose run.json tells what it was to play, as `rtbench run` does."""
    hashed = {"episodes_hash": episodes_hash(one.key for one in records), **changes}
    return write(place, records, extra=hashed)


def lines(folder):
    return sorted((folder / EPISODES).read_bytes().splitlines())


def flipped(one):
    return record(one.episode, not one.outcome.end)


def test_shards_become_the_whole(tmp_path):
    shards = [part(tmp_path / str(k), ALL[k::3]) for k in range(3)]
    made = merge(shards, tmp_path / "all")
    whole = part(tmp_path / "whole", ALL)
    assert lines(tmp_path / "all") == lines(whole)
    assert (made.episodes, made.repeated, made.new) == (30, 0, True)
    meta = read_json(tmp_path / "all" / RUN)
    assert meta["id"] == run_id(read_metadata(whole))
    assert meta["episodes"] == 30
    assert load_run(tmp_path / "all").summary == load_run(whole).summary
    assert read_summary(tmp_path / "all") == load_run(whole).summary


def test_true_runs_have_the_id_of_the_whole(tmp_path):
    """The id is that of `rtbench.evaluate`, which plays the whole in one go."""
    chosen = fakes(6)
    first, second = play(tmp_path / "1", chosen[:4]), play(tmp_path / "2", chosen[3:])
    whole = play(tmp_path / "3", chosen)
    assert run_id(whole.meta) == whole.meta.id, "rtbench.result.identity and rtbench.evaluate agree"
    made = merge([first.path, second.path], tmp_path / "all")
    meta = read_json(tmp_path / "all" / RUN)
    assert made.repeated == 1
    assert meta["id"] == whole.meta.id
    assert len(meta["sessions"]) == 2
    played = read_json(whole.path / RUN)
    for name in ("card", "arm", "novelties", "tasks", "suite", "episodes"):
        assert meta[name] == played[name]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sets(st.integers(0, 29), min_size=1), min_size=2, max_size=3))
def test_the_order_of_parts_does_not_matter(tmp_path_factory, chosen):
    place = tmp_path_factory.mktemp("merge")
    parts = [
        part(place / str(k), [ALL[i] for i in sorted(found)], sessions=[{"started": f"2026-01-0{9 - k}"}])
        for k, found in enumerate(chosen)
    ]
    texts = set()
    for number, order in enumerate(permutations(parts)):
        out = place / f"out{number}"
        merge(order, out)
        texts.add(tuple((out / name).read_bytes() for name in (RUN, EPISODES, SUMMARY)))
    assert len(texts) == 1
    assert len(lines(out)) == len(set.union(*chosen))


def test_an_interrupted_copy_and_the_finished_one(tmp_path):
    planned = {"episodes": 30, "episodes_hash": episodes_hash(one.key for one in ALL)}
    half = write(tmp_path / "1", ALL[:12], extra=planned, tail=ALL[12].line()[:50])
    full = write(tmp_path / "2", ALL, extra=planned)
    made = merge([half, full], tmp_path / "all")
    assert made.repeated == 12
    assert "cut off" in made.notes[0]
    meta = read_json(tmp_path / "all" / RUN)
    assert (meta["episodes"], meta["episodes_hash"]) == (30, planned["episodes_hash"])
    assert load_run(tmp_path / "all").summary.complete


def test_what_no_part_has_played_is_missing(tmp_path):
    planned = {"episodes": 20, "episodes_hash": "1" * 64}
    parts = [write(tmp_path / "1", ALL[:12], extra=planned), part(tmp_path / "2", ALL[20:])]
    merge(parts, tmp_path / "all")
    summary = load_run(tmp_path / "all").summary
    assert (summary.planned, summary.complete) == (30, False)
    merge([tmp_path / "all", parts[0]], tmp_path / "again")
    assert read_json(tmp_path / "again" / RUN) == read_json(tmp_path / "all" / RUN), "counted once"


def test_merging_again_changes_nothing(tmp_path):
    parts = [part(tmp_path / "1", ALL[:20]), part(tmp_path / "2", ALL[10:])]
    assert merge(parts, tmp_path / "all").new
    stamp = (tmp_path / "all" / EPISODES).stat().st_ino
    assert not merge(parts, tmp_path / "all").new
    assert (tmp_path / "all" / EPISODES).stat().st_ino == stamp
    assert merge([tmp_path / "all", parts[1]], tmp_path / "more").repeated == 20
    assert read_json(tmp_path / "more" / RUN) == read_json(tmp_path / "all" / RUN)


def test_a_flipped_rerun_is_refused_until_one_says_which_counts(tmp_path):
    turned = [flipped(ALL[0]), *ALL[1:3]]
    parts = [part(tmp_path / "1", ALL), part(tmp_path / "2", turned)]
    said = rtbench("merge", *parts, "--output", tmp_path / "all")
    assert said.code == 2
    assert ALL[0].key in said.err
    assert "--keep first" in said.err
    assert not (tmp_path / "all").exists()
    for keep, kept in (("first", ALL[0]), ("last", turned[0])):
        out = tmp_path / keep
        said = rtbench("merge", *parts, "--output", out, "--keep", keep)
        assert said.code == 0
        assert f"1 episode came out differently: the {keep} run counts" in said.out
        assert {one.key: one.outcome for one in load_run(out).records}[kept.key] == kept.outcome
        assert len(load_run(out).records) == 30
        told = read_json(out / RUN)["merged"]
        assert told["decided"] == {kept.key: keep}


def test_an_error_and_an_outcome_are_two_outcomes(tmp_path):
    failed = record(ALL[0].episode, None)
    parts = [part(tmp_path / "1", [failed]), part(tmp_path / "2", ALL[:2])]
    with pytest.raises(RunError, match=r"error and (success|failure)"):
        merge(parts, tmp_path / "all")
    merge(parts, tmp_path / "all", keep="last")
    assert not any(one.error for one in load_run(tmp_path / "all").records)


def test_the_same_outcome_with_other_times_counts_once(tmp_path):
    slower = [record(one.episode, one.outcome.end, ms=90.0) for one in ALL]
    made = merge([part(tmp_path / "1", ALL), part(tmp_path / "2", slower)], tmp_path / "all")
    assert (made.episodes, made.repeated) == (30, 30)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"settings": {"profile": "full"}}, 'settings.profile is "lean"'),
        ({"settings": {"control_hz": 5}}, "settings.control_hz is 3"),
        ({"simulator": {"mujoco": "3.9.0"}}, "simulator.mujoco"),
        ({"content_hash": "d" * 64}, "content_hash"),
        ({"repeat": 1}, "repeat is not set"),
        ({"card": {"text": "corrected"}}, "card is not set"),
    ],
)
def test_what_is_not_of_one_evaluation_is_refused(tmp_path, changes, named):
    parts = [part(tmp_path / "1", ALL[:3]), part(tmp_path / "2", ALL[3:6], **changes)]
    said = rtbench("merge", *parts, "--output", tmp_path / "all")
    assert said.code == 4
    assert named in said.err
    assert not (tmp_path / "all").exists()


def test_other_weights_are_another_policy(tmp_path):
    parts = [part(tmp_path / "1", ALL[:3]), part(tmp_path / "2", ALL[3:6])]
    meta = read_json(parts[1] / RUN)
    (parts[1] / RUN).write_text(json.dumps(meta | {"policy": meta["policy"] | {"weights": "other"}}))
    with pytest.raises(NotComparableError, match=r'policy\.weights is not set in .* and "other"'):
        merge(parts, tmp_path / "all")


def test_the_place_of_content_does_not_matter(tmp_path):
    parts = [part(tmp_path / k, ALL[:3], settings={"content": [f"mine/{k}"]}) for k in ("1", "2")]
    assert merge(parts, tmp_path / "all").episodes == 3


def test_another_initial_state_is_another_simulation(tmp_path):
    moved = replace(ALL[0], fingerprint={"state": "elsewhere"})
    with pytest.raises(NotComparableError, match=ALL[0].key):
        merge([part(tmp_path / "1", ALL), part(tmp_path / "2", [moved])], tmp_path / "all", keep="first")


def test_parts_of_two_suites_are_mixed(tmp_path):
    parts = [part(tmp_path / s, rated(episodes(4, suite=s), 0.5)) for s in ("seen", "novel")]
    merge(parts, tmp_path / "all")
    assert read_json(tmp_path / "all" / RUN)["suite"] == "mixed"


def test_videos_come_along(tmp_path):
    filmed = [replace(one, video=f"{one.key}.mp4") for one in ALL[:3]]
    first, second = part(tmp_path / "1", filmed[:2]), part(tmp_path / "2", [ALL[0], filmed[2]])
    (first / VIDEOS / filmed[0].video).write_bytes(b"film 0")
    (second / VIDEOS / filmed[2].video).write_bytes(b"film 2")
    made = merge([first, second], tmp_path / "all")
    assert (tmp_path / "all" / VIDEOS / filmed[0].video).read_bytes() == b"film 0"
    assert (tmp_path / "all" / VIDEOS / filmed[2].video).read_bytes() == b"film 2"
    assert made.notes == (f"videos missing in the parts: 1, first that of episode {filmed[1].key}.",)


def test_a_video_outside_of_its_run_is_not_followed(tmp_path):
    (tmp_path / "secret").write_text("x")
    lured = replace(ALL[0], video="../../../../../secret")
    made = merge([part(tmp_path / "1", [lured]), part(tmp_path / "2", ALL[1:2])], tmp_path / "all")
    assert (tmp_path / "1" / "a" / "seen" / "x" / VIDEOS / lured.video).resolve() == tmp_path / "secret"
    assert "missing" in made.notes[0]
    assert not list((tmp_path / "all").rglob("secret"))


def test_what_is_in_the_way_stays(tmp_path):
    parts = [part(tmp_path / "1", ALL[:3]), part(tmp_path / "2", ALL[3:])]
    taken = part(tmp_path / "3", ALL[:3])
    before = {path: path.read_bytes() for path in taken.rglob("*") if path.is_file()}
    for out, said in ((taken, "holds something else"), (parts[0], "one of the parts")):
        found = rtbench("merge", *parts, "--output", out)
        assert found.code == 2
        assert said in found.err
    assert {path: path.read_bytes() for path in taken.rglob("*") if path.is_file()} == before
    (tmp_path / "file").write_text("")
    assert rtbench("merge", *parts, "--output", tmp_path / "file" / "all").code == 2


@pytest.mark.parametrize(
    ("records", "code"), [([], 2), (ALL[:1], 0), (rated(episodes(4), 1.0), 0), (rated(episodes(4), 0.0), 0)]
)
def test_few_and_extreme_records(tmp_path, records, code):
    parts = [part(tmp_path / "1", records), part(tmp_path / "2", [])]
    said = rtbench("merge", *parts, "--output", tmp_path / "all")
    assert said.code == code
    assert "Traceback" not in said.err
    assert width(said.out.replace(str(tmp_path), "")) <= 80
    if not records:
        assert "no episodes" in said.err


def test_only_errors(tmp_path):
    failed = [record(one, None) for one in episodes(4)]
    merge([part(tmp_path / "1", failed[:3]), part(tmp_path / "2", failed[1:])], tmp_path / "all")
    assert load_run(tmp_path / "all").summary.overall.errors == 4


def test_what_cannot_be_read(tmp_path):
    good = part(tmp_path / "1", ALL[:3])
    old = part(tmp_path / "2", ALL[3:6])
    text = (old / EPISODES).read_bytes()
    (old / EPISODES).write_bytes(text.replace(b'"schema":1', b'"schema":0'))
    assert rtbench("merge", good, old, "--output", tmp_path / "all").code == 4
    (old / EPISODES).write_bytes(b"{half\n" + text)
    for arguments, said in (
        ([good, old], "line 1"),
        ([good, tmp_path / "nowhere"], "unknown run"),
        ([good], "two runs or more"),
        ([good, good], "two runs or more"),
    ):
        found = rtbench("merge", *arguments, "--output", tmp_path / "all")
        assert found.code == 2
        assert said in found.err
    assert not (tmp_path / "all").exists()


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    parts = [part(tmp_path / "1", ALL[:3]), part(tmp_path / "2", ALL[3:])]
    monkeypatch.setattr(merging, "_film", full)
    with pytest.raises(RunError, match="No space left"):
        merge(parts, tmp_path / "new" / "all")
    assert not list((tmp_path / "new").iterdir())


@pytest.mark.parametrize("moment", ["_film", "write_metadata", "_put"])
def test_a_kill_leaves_no_run_under_the_name(tmp_path, moment):
    parts = [part(tmp_path / "1", ALL[:3]), part(tmp_path / "2", ALL[3:])]
    out = tmp_path / "runs" / "a" / "seen" / "all"
    code = (
        "import os, signal, sys; from pathlib import Path; from rtbench.result import merge\n"
        f"merge.{moment} = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "merge.merge([Path(p) for p in sys.argv[2:]], Path(sys.argv[1]))"
    )
    command = [sys.executable, "-c", code, str(out), *map(str, parts)]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)
    assert done.returncode == -signal.SIGKILL
    assert not out.exists()
    assert merge(parts, out).new
    assert json.loads(rtbench("ls", "runs", "--out", tmp_path / "runs", "--json").out)
