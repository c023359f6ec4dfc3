"""Files that appear whole or not at all."""

import os
import resource
import stat
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from rtbench.core.atomic_write import atomic_write, write_text
from tests.helpers import synthetic_runs as synthetic
from tests.helpers.commands import rtbench


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


def test_a_link_stays_and_its_file_is_replaced(tmp_path):
    (tmp_path / "deep").mkdir()
    file, link = tmp_path / "deep" / "file.csv", tmp_path / "link.csv"
    file.write_text("before")
    link.symlink_to("deep/file.csv")
    write_text(link, "after")
    assert link.is_symlink()
    assert file.read_text() == "after"
    assert list((tmp_path / "deep").iterdir()) == [file]
    (tmp_path / "nowhere").symlink_to("deep/new.csv")
    write_text(tmp_path / "nowhere", "new")
    assert (tmp_path / "deep" / "new.csv").read_text() == "new"


def test_a_pipe_and_a_device_are_written_through(tmp_path):
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    found = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_text()))
    reader.start()
    write_text(pipe, "through")
    reader.join(10)
    assert found == ["through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    (tmp_path / "null").symlink_to("/dev/null")
    write_text(tmp_path / "null", "gone")
    assert (tmp_path / "null").is_symlink()
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    assert {path.name for path in tmp_path.iterdir()} == {"pipe.csv", "null"}


def test_temporary_names_cannot_be_guessed_and_belong_to_nobody(tmp_path):
    path, seen = tmp_path / "file.csv", set()
    for _ in range(3):
        with atomic_write(path) as beside:
            assert beside.stat().st_size == 0, "made exclusively, before anybody writes to it"
            assert str(os.getpid()) not in beside.name.split(".")
            seen.add(beside.name)
    assert len(seen) == 3


def test_the_mode_is_that_of_the_file_before_or_the_usual_one(tmp_path):
    path, plain = tmp_path / "file", tmp_path / "plain"
    plain.touch()
    write_text(path, "a")
    assert path.stat().st_mode == plain.stat().st_mode
    path.chmod(0o640)
    write_text(path, "b")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_very_long_name(tmp_path):
    write_text(tmp_path / ("x" * 250 + ".csv"), "a")
    assert len(list(tmp_path.iterdir())) == 1


@contextmanager
def full_disk(size):
    """No file may be longer than that: what a full disk is to a writer.

    Python does not see that bytecode was cut off, and other tests could not import it.
    """
    before, bytecode = resource.getrlimit(resource.RLIMIT_FSIZE), sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        sys.dont_write_bytecode = bytecode


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["export", "RUN"], "e.csv"),
        *((["table", "RUN"], f"t.{suffix}") for suffix in ("csv", "md")),
    ],
    ids=str,
)
def test_a_full_disk_keeps_the_file_before_and_says_so(tmp_path, command, name):
    run = synthetic.write(tmp_path / "runs", synthetic.rated(synthetic.episodes(30), 0.5))
    path = tmp_path / "out" / name
    path.parent.mkdir()
    path.write_text("before")
    words = [str(run) if word == "RUN" else word for word in command]
    with full_disk(64):
        said = rtbench(*words, "--output", path)
    assert said.code == 2
    assert "cannot be written: File too large; the file that was there is intact" in said.err
    assert path.read_text() == "before"
    assert list(path.parent.iterdir()) == [path]
    assert rtbench(*words, "--output", path).code == 0
    assert path.stat().st_size > 64
