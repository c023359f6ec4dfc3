"""Files that appear whole or not at all."""

import os

import pytest

from rtbench.core.atomic_write import atomic_write


def break_off(path):
    with atomic_write(path) as beside:
        beside.write_text("hal")
        raise ValueError("half-way")


def test_the_file_takes_its_place_at_the_end(tmp_path):
    path = tmp_path / "film.mp4"
    path.write_text("before")
    with atomic_write(path) as beside:
        beside.write_text("after")
        assert (beside.parent, beside.suffix, path.read_text()) == (tmp_path, ".mp4", "before")
    assert path.read_text() == "after"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_what_was_there_and_nothing_else(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("before")
    with pytest.raises(ValueError, match="half-way"):
        break_off(path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_the_content_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    path = tmp_path / "state"
    synced = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append((os.fstat(number).st_size, path.exists())))
    with atomic_write(path) as beside:
        beside.write_text("four")
    assert synced == [(4, False)]


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "no" / "file") as beside:
        beside.write_text("lost")
