"""Folders of the cache: whole, made once, readable by others, and a sentence where that cannot be."""

import concurrent.futures
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from rtbench.core import cache
from rtbench.core.cache import CacheError, kept_folder


class Filler:
    """Writes a file, and counts how often it was asked."""

    def __init__(self):
        self.asked = 0

    def __call__(self, folder):
        self.asked += 1
        (folder / "it.txt").write_text("whole")


@pytest.fixture
def filler(tmp_path, monkeypatch):
    monkeypatch.setenv("RTBENCH_CACHE", str(tmp_path))
    return Filler()


def kept(fill):
    return kept_folder("it-1", fill, file="it.txt", what="it")


def test_a_folder_is_filled_once(filler, tmp_path):
    assert kept(filler) == kept(filler) == tmp_path / "it-1"
    assert filler.asked == 1
    assert [p.name for p in tmp_path.iterdir()] == ["it-1"], "no scratch is left"


@pytest.mark.parametrize("locks", [True, False])
def test_all_who_ask_at_once_get_a_whole_folder(filler, tmp_path, monkeypatch, locks):
    if not locks:

        def refuse(*_):
            raise OSError("no locks available")

        monkeypatch.setattr(cache.fcntl, "flock", refuse)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        folders = [p.result() for p in [pool.submit(kept, filler) for _ in range(8)]]
    assert {*folders} == {tmp_path / "it-1"}
    assert (folders[0] / "it.txt").read_text() == "whole"
    assert len(list(tmp_path.iterdir())) == 1
    assert filler.asked == 1 or not locks


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o755), (0o002, 0o775), (0o077, 0o700)])
def test_a_folder_has_the_permissions_of_the_umask(filler, umask, mode):
    before = os.umask(umask)
    try:
        folder = kept(filler)
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == mode
    assert stat.S_IMODE((folder / "it.txt").stat().st_mode) == mode & 0o666


def test_what_breaks_leaves_nothing_behind(filler, tmp_path):
    def fail(folder):
        (folder / "it.txt").write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(CacheError, match=r"it-1: it cannot be kept there \(No space left.*Set RTBENCH_CACHE"):
        kept(fail)
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_cannot_be_made_is_told_in_a_sentence(filler, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("RTBENCH_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(CacheError, match=r"Not a directory\)\. Set RTBENCH_CACHE to a folder") as caught:
        kept(filler)
    assert "\n" not in str(caught.value)
    assert not filler.asked


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("case", ["read-only", "private folder"])
def test_the_cache_of_another_user(case):
    """In a process that gives up root, for root may write everywhere."""
    with tempfile.TemporaryDirectory() as folder:  # not `tmp_path`, which is below a private folder
        Path(folder).chmod(0o755)
        if case == "private folder":
            (Path(folder) / "it-1").mkdir(mode=0o700)
            (Path(folder) / "it-1" / "it.txt").write_text("whole")
        _look_as_nobody(Path(folder))


def _look_as_nobody(folder):
    code = (
        "from rtbench.core import cache\n"
        "import os\n"
        "os.setuid(65534)\n"
        "fill = lambda folder: (folder / 'it.txt').write_text('whole')\n"
        "try: cache.kept_folder('it-1', fill, file='it.txt', what='it')\n"
        "except cache.CacheError as error: print(error)\n"
    )
    environment = {**os.environ, "RTBENCH_CACHE": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    assert "Permission denied). Set RTBENCH_CACHE" in done.stdout
