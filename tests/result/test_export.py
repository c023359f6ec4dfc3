"""Exported tables hold what the runs do, in types that survive, and nothing that a spreadsheet would run."""

from __future__ import annotations

import json
import subprocess
import sys

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtbench.core.text import visible
from rtbench.result.export import COLUMNS, DETAILS, export_csv, export_parquet, frame
from rtbench.result.folder import EPISODES, RUN, read_json
from rtbench.result.run import load_run
from tests.helpers.commands import rtbench
from tests.helpers.paths import ROOT
from tests.helpers.synthetic_runs import episode, episodes, rated, record, write

MIXED = [*rated(episodes(6), 0.5), record(episode(6), None)]


def parquet():
    return pytest.importorskip("pyarrow.parquet", exc_type=ImportError)


@pytest.fixture
def run(tmp_path):
    return write(tmp_path, MIXED)


def test_the_columns_are_those_of_a_run(run):
    assert {*COLUMNS} - {"run", "policy"} == {*load_run(run).frame}


def test_csv_holds_the_frame(run, tmp_path):
    file = tmp_path / "table.csv"
    said = rtbench("export", run, "--output", file)
    assert (said.code, said.out) == (0, f"7 episodes: {file}\n")
    assert file.read_bytes().startswith(b"\xef\xbb\xbfrun,policy,key,")
    assert b"nan" not in file.read_bytes().lower()
    read, rows = pd.read_csv(file, keep_default_na=False), load_run(run).frame
    for name in ("key", "instruction", "objects", "seed", "error", "counts_as"):
        assert list(read[name]) == list(rows[name])
    for name in ("success", "steps", "policy_ms"):
        assert list(read[name]) == ["" if pd.isna(one) else str(one) for one in rows[name]]


def test_a_missing_value_is_empty(run, tmp_path):
    export_csv([load_run(run)], tmp_path / "table.csv")
    lines = (tmp_path / "table.csv").read_text(encoding="utf-8-sig").splitlines()
    row = next(
        dict(zip(lines[0].split(","), line.split(","), strict=True)) for line in lines if MIXED[6].key in line
    )
    assert [row[name] for name in ("success", "steps", "termination", "policy_ms")] == [""] * 4
    assert row["error"] == "policy"


def test_standard_output_is_csv_alone(run):
    said = rtbench("export", run, "--output", "-")
    assert said.code == 0
    assert said.out.startswith("run,policy,key,")
    assert len(said.out.splitlines()) == 8


def test_a_closed_pipe_is_no_mistake(run):
    command = f"{sys.executable} -m rtbench export {run} --output - | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stdout.startswith("run,policy")
    assert "Traceback" not in done.stderr


def test_runs_follow_each_other(run, tmp_path):
    other = write(tmp_path / "2", rated(episodes(3), 1.0), "b")
    assert rtbench("export", run, other, run, "--output", tmp_path / "t.csv").out.startswith("10 episodes")
    read = pd.read_csv(tmp_path / "t.csv")
    assert list(read["policy"]) == ["a"] * 7 + ["b"] * 3
    assert read["run"].nunique() == 2


@settings(max_examples=30, deadline=None)
@given(st.sampled_from("=+-@\t\r"), st.text(max_size=5))
def test_no_text_is_a_formula(tmp_path_factory, risky, rest):
    place = tmp_path_factory.mktemp("formula")
    text = risky + rest.replace("\0", "").encode("utf-8", "ignore").decode()
    run = write(place, rated([episode(0, instruction=text)], 1.0), "=policy")
    export_csv([load_run(run)], place / "table.csv")
    (row,) = pd.read_csv(place / "table.csv", keep_default_na=False, lineterminator="\n").to_dict("records")
    assert row["policy"] == "'=policy"
    assert row["instruction"] == f"'{visible(text)}"


def test_parquet_keeps_values_and_types(run, tmp_path):
    pq = parquet()
    assert rtbench("export", run, "--output", tmp_path / "t.parquet").code == 0
    table = pq.read_table(tmp_path / "t.parquet")
    assert table.schema.names == [*COLUMNS, *(name for name in DETAILS if name not in COLUMNS)]
    found, rows = load_run(run), table.to_pylist()
    records = {one.key: one for one in found.records}
    for row, expected in zip(rows, frame(found).to_dict("records"), strict=True):
        one = records[row["key"]]
        for name in COLUMNS:
            if name != "objects":
                assert row[name] == (None if pd.isna(expected[name]) else expected[name]), name
        assert row["objects"] == list(one.episode.objects)
        assert row["tokens"] == one.token_rows.tolist()
        assert row["policy_times_ms"] == list(one.times.policy)
        assert row["state_hash"] == one.fingerprint["state"]
        assert (dict(row["subgoals"]) if one.outcome else row["subgoals"]) == (
            one.outcome.subgoals if one.outcome else None
        )
    assert json.loads(table.schema.metadata[b"rtbench"]) == {found.meta.id: read_json(found.path / RUN)}


def test_an_empty_run_has_the_columns(tmp_path):
    run = write(tmp_path, [])
    assert rtbench("export", run, "--output", tmp_path / "t.csv").out.startswith("0 episodes")
    assert list(pd.read_csv(tmp_path / "t.csv")) == list(COLUMNS)
    both = [load_run(run), load_run(write(tmp_path, MIXED, "b"))]
    export_csv(both, tmp_path / "t.csv")
    assert len(pd.read_csv(tmp_path / "t.csv")) == 7


def test_parquet_of_an_empty_run_has_the_types(tmp_path):
    pq = parquet()
    export_parquet([load_run(write(tmp_path, []))], tmp_path / "empty.parquet")
    export_parquet([load_run(write(tmp_path, MIXED, "b"))], tmp_path / "full.parquet")
    empty, full = (pq.read_schema(tmp_path / f"{name}.parquet") for name in ("empty", "full"))
    assert empty.equals(full)


@pytest.mark.parametrize("success", [True, False, None])
def test_all_alike(tmp_path, success):
    run = write(tmp_path, [record(one, success) for one in episodes(3)])
    said = rtbench("export", run, "--output", "-")
    assert said.code == 0
    assert "nan" not in said.out.lower()


def test_without_pyarrow(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    said = rtbench("export", run, "--output", tmp_path / "t.parquet")
    assert said.code == 2
    assert "pip install" in said.err
    assert not list(tmp_path.glob("*t.parquet*"))


def test_what_cannot_be_written_or_read(run, tmp_path):
    (tmp_path / "folder.csv").mkdir()
    for arguments, said in (
        ([run, "--output", tmp_path / "t.xlsx"], "unknown ending 'xlsx'"),
        ([run, "--output", tmp_path / "table"], "Known: csv, parquet"),
        ([run, "--output", tmp_path / "no" / "t.csv"], "cannot be written"),
        ([run, "--output", tmp_path / "folder.csv"], "cannot be written"),
        ([run, "--output", "-", "--format", "parquet"], "no text for standard output"),
        ([tmp_path / "nowhere", "--output", "-"], "unknown run"),
    ):
        found = rtbench("export", *arguments)
        assert found.code == 2
        assert said in found.err
        assert not found.out
        assert {path.name for path in tmp_path.iterdir()} == {"a", "folder.csv"}, "nothing half-written"
    (run / EPISODES).write_bytes(MIXED[0].line().replace(b'"schema":1', b'"schema":0'))
    assert rtbench("export", run, "--output", "-").code == 4
