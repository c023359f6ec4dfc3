"""Records: nothing is lost on the way to the disk and back, and damage is told from the truth."""

import errno
import json
import math
import os
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtbench.core.episode import Outcome
from rtbench.core.errors import RunError
from rtbench.core.fault import KINDS, Fault
from rtbench.core.importing import load_object
from rtbench.result import folder as folders
from rtbench.result.folder import RunFolder, read_json, write_json
from rtbench.result.record import Record, Times, of_fault, read_records, repair
from tests.helpers.paths import HELPERS

make_episode = load_object(f"{HELPERS / 'fake_env.py'}:episode")

OUTCOME = Outcome(
    ever=True,
    end=True,
    held=False,
    steps=2,
    termination="on_time",
    progress=0.5,
    subgoals={"lifted(cart)": True},
    events={"dropped": 1},
)
RECORD = Record(
    episode=make_episode(instruction='schiebe den Wagen über \u2028 die "Linie"\n'),
    convention="rtbench",
    outcome=OUTCOME,
    tokens=bytes(range(22)),
    hashes="0123456789abcdef",
    final_hash="ab" * 32,
    fingerprint={"state": "12", "frame": "34"},
    times=Times(1.5, (0.1, 0.2), (3.0, 4.0), (5.0, 6.0)),
    simulated_s=0.666667,
    video="x.mp4",
)


def write(path, *lines):
    path.write_bytes(b"".join(lines))
    return path


def nth(number):
    return replace(RECORD, episode=make_episode(number))


RECORDS = st.builds(
    Record,
    episode=st.builds(make_episode, st.integers(0, 10**9), instruction=st.text()),
    convention=st.sampled_from(["rtbench", "rt1"]),
    outcome=st.none(),
    error=st.builds(Fault, st.sampled_from(KINDS), st.text(), st.text()),
    tokens=st.binary().map(lambda b: b[: len(b) // 11 * 11]),
    times=st.builds(Times, st.floats(0, 1e9), st.lists(st.floats(0, 1e9)).map(tuple)),
)


@given(RECORDS)
@settings(max_examples=60, deadline=None)
def test_a_record_comes_back_as_it_was(tmp_path_factory, record):
    path = write(tmp_path_factory.mktemp("r") / "e.jsonl", record.line())
    assert read_records(path).records == (record,)
    assert record.line().count(b"\n") == 1


def test_an_outcome_comes_back_with_tokens_and_hashes(tmp_path):
    (record,) = read_records(write(tmp_path / "e.jsonl", RECORD.line())).records
    assert record == RECORD
    assert record.step_hashes == ("01234567", "89abcdef")
    np.testing.assert_array_equal(record.token_rows, np.arange(22).reshape(2, 11))


def test_no_nan_is_ever_written():
    with pytest.raises(ValueError, match="JSON"):
        replace(RECORD, simulated_s=math.nan).line()


@given(st.integers(1, len(nth(3).line()) - 2))
@settings(max_examples=40, deadline=None)
def test_a_line_cut_off_anywhere_is_reported_and_repaired(tmp_path_factory, length):
    path = tmp_path_factory.mktemp("r") / "e.jsonl"
    write(path, nth(1).line(), nth(2).line(), nth(3).line()[:length])
    reading = read_records(path)
    assert [r.episode.seed for r in reading.records] == [1, 2]
    assert "cut off" in reading.notes[0]
    assert len(path.read_bytes()) == 2 * len(nth(1).line()) + length, "reading must change nothing"
    repair(path)
    assert path.read_bytes() == nth(1).line() + nth(2).line()
    assert path.with_name("e.jsonl.cut").read_bytes() == nth(3).line()[:length] + b"\n"
    assert read_records(path).notes == ()


def test_a_lost_newline_loses_no_record(tmp_path):
    path = write(tmp_path / "e.jsonl", nth(1).line(), nth(2).line()[:-1])
    assert len(repair(path).records) == 2
    assert path.read_bytes() == nth(1).line() + nth(2).line()


@pytest.mark.parametrize(
    "damage", [b"\n", b"\0\0\0\n", b"{}\n", b"[1]\n", b"3\n", nth(2).line()[:50] + b"\n"]
)
def test_damage_in_the_middle_names_the_line(tmp_path, damage):
    path = write(tmp_path / "e.jsonl", nth(1).line(), damage, nth(3).line())
    with pytest.raises(RunError, match=r"line 2.*damaged"):
        read_records(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 2}, "schema 2.*update"),
        ({"schema": "x"}, "schema x"),
        ({"tokens": "%%"}, "not a usable record"),
        ({"key": "0" * 16}, "its key is"),
        ({"outcome": None}, "exactly one"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_record_that_is_not_ours_is_refused(tmp_path, change, message):
    line = json.dumps({**json.loads(RECORD.line()), **change}).encode() + b"\n"
    with pytest.raises(RunError, match=message):
        read_records(write(tmp_path / "e.jsonl", line))


def test_a_changed_episode_does_not_keep_its_key(tmp_path):
    line = RECORD.line().replace(b'"seed":0', b'"seed":9')
    with pytest.raises(RunError, match="its key is"):
        read_records(write(tmp_path / "e.jsonl", line))


def test_the_last_of_two_records_counts_and_a_note_says_so(tmp_path):
    second = replace(RECORD, outcome=replace(OUTCOME, end=False))
    reading = read_records(write(tmp_path / "e.jsonl", RECORD.line(), nth(1).line(), second.line()))
    assert reading.records == (nth(1), second)
    assert "1 episodes have two records or more, the first again in line 3" in reading.notes[0]


def test_a_fault_keeps_the_tokens_that_are_bytes():
    record = of_fault(make_episode(), "rtbench", Fault("policy", "x"), [[1] * 11, [300] * 11, [2] * 10])
    assert record.tokens == b"\1" * 11


def test_records_are_appended_and_found_again(tmp_path):
    first = RunFolder(tmp_path / "run")
    first.append(nth(1))
    first.close()
    second = RunFolder(tmp_path / "run")
    second.append(nth(2))
    second.close()
    assert read_records(tmp_path / "run" / "episodes.jsonl").records == (nth(1), nth(2))


def test_two_processes_cannot_write_one_run(tmp_path):
    first = RunFolder(tmp_path)
    with pytest.raises(RunError, match="another process"):
        RunFolder(tmp_path)
    first.close()
    RunFolder(tmp_path).close()


def test_a_full_disk_is_a_clear_error_and_leaves_earlier_records(tmp_path, monkeypatch):
    run = RunFolder(tmp_path)
    run.append(nth(1))
    real = os.write

    def full(descriptor, data):
        if len(data) < len(nth(2).line()):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data[:100])

    monkeypatch.setattr(folders.os, "write", full)
    with pytest.raises(RunError, match=r"No space left.*intact.*Free some space"):
        run.append(nth(2))
    monkeypatch.undo()
    run.append(nth(3))
    run.close()
    reading = read_records(tmp_path / "episodes.jsonl")
    assert (reading.records, reading.notes) == ((nth(1), nth(3)), ())


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="Not a directory"):
        RunFolder(tmp_path / "file" / "run")
    with pytest.raises(RunError, match="cannot be written"):
        RunFolder(tmp_path.__class__("/proc/rtbench/run"))


def test_json_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "summary.json"
    write_json(path, {"a": 1})

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(folders.os, "fsync", full)
    with pytest.raises(RunError, match="No space left"):
        write_json(path, {"a": 2})
    assert read_json(path) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["summary.json"]
    with pytest.raises(ValueError):
        write_json(path, {"a": math.nan})
