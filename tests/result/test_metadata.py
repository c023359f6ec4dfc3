"""run.json and summary.json as values: nothing is lost between reading and writing."""

import json
from pathlib import Path

import pytest

from rtbench.core.errors import RunError
from rtbench.result.folder import RUN, SUMMARY, read_metadata, write_metadata
from rtbench.result.identity import run_id
from rtbench.result.summary import read_summary, write_summary
from tests.helpers import synthetic_runs as synthetic
from tests.helpers.paths import ROOT

REFERENCE = sorted(path.parent for path in (ROOT / "results/reference").glob("*/*/*/run.json"))


@pytest.mark.parametrize("folder", REFERENCE, ids=lambda folder: "/".join(folder.parts[-3:-1]))
def test_what_is_read_is_written_byte_by_byte(folder, tmp_path):
    meta = read_metadata(folder)
    write_metadata(tmp_path, meta)
    write_summary(tmp_path, read_summary(folder))
    for name in (RUN, SUMMARY):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
    assert run_id(meta) == meta.id == folder.name


def test_fields_of_another_rtbench_are_kept_and_may_decide():
    known = synthetic.metadata("a", "seen", 3)
    told = known.as_dict()
    told["settings"] |= {"gravity": "moon"}
    told["note"] = "later"
    newer = type(known).of_json(told, Path(RUN))
    assert newer.as_dict() == told
    assert run_id(newer) != run_id(known)


def test_what_was_not_there_is_not_written():
    told = synthetic.metadata("a", "seen", 3).as_dict()
    assert not told.keys() & {"repeat", "merged", "decision", "episodes_hash"}
    again = synthetic.metadata("a", "seen", 3).replace(repeat=2)
    assert list(again.as_dict())[:8] == [
        "id", "schema", "policy", "suite", "content_hash", "settings", "simulator", "repeat",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"episodes": "many"}, "episodes: input should be a valid integer"),
        ({"settings": {"control_hz": None}}, "settings.control_hz: input should be a valid integer"),
        ({"content_hash": None}, "content_hash: input should be a valid string"),
        ({"card": {"sha256": 1}}, "card.sha256: input should be a valid string"),
        ({"sessions": 3}, "sessions: input should be a valid tuple"),
    ],
)
def test_a_field_of_another_type_is_named(tmp_path, changes, named):
    folder = synthetic.write(tmp_path, [], extra=changes)
    with pytest.raises(RunError, match=r"run\.json: not what a run writes") as error:
        read_metadata(folder)
    assert named in str(error.value)


def test_a_list_is_no_run(tmp_path):
    (tmp_path / RUN).write_text(json.dumps([1]))
    with pytest.raises(RunError, match="input should be a valid dictionary"):
        read_metadata(tmp_path)
