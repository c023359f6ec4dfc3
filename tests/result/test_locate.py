"""Runs are found to a bounded depth, past folders that cannot be read."""

import os

from rtbench.result.folder import RUN
from rtbench.result.locate import run_folders, runs_below


def make(folder):
    folder.mkdir(parents=True)
    (folder / RUN).touch()
    return folder


def test_depth_is_bounded_and_loops_end(tmp_path):
    shallow, usual, deep = (make(tmp_path / "/".join("abcdef"[:depth])) for depth in (1, 3, 6))
    (tmp_path / "a/loop").symlink_to(tmp_path)
    (tmp_path / "broken").symlink_to("nowhere")
    assert set(runs_below(tmp_path)) >= {shallow, usual}
    assert deep not in runs_below(tmp_path)
    assert usual in run_folders(tmp_path)
    assert shallow not in run_folders(tmp_path)
    assert run_folders(tmp_path / "nowhere") == []


def test_a_folder_that_vanishes_has_none(tmp_path, monkeypatch):
    usual = make(tmp_path / "a/b/c")
    make(tmp_path / "x/y/z")
    scan = os.scandir

    def vanishing(path):
        if str(path).endswith("/x"):
            raise FileNotFoundError(2, "gone", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", vanishing)
    assert run_folders(tmp_path) == [usual]
