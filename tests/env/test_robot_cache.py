"""Where the baked robot is kept: whole, once, readable by others, and a sentence where that cannot be."""

import concurrent.futures
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from rtbench.env import panda_omron, robot_cache
from rtbench.env.robot_cache import RobotError, robot_path, stamp


def test_the_stamp_follows_what_the_robot_is_made_from(monkeypatch):
    before = stamp()
    assert stamp() == before
    for name in ("BAKE_VERSION", "ROBOSUITE"):
        with monkeypatch.context() as patch:
            patch.setattr(robot_cache, name, "0")
            assert stamp() != before
    monkeypatch.setattr(robot_cache.importlib.metadata, "version", lambda _: "0.0")
    assert stamp() != before


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    """A cache of its own, and a baker that only says that it was there."""
    monkeypatch.setenv("RTBENCH_CACHE", str(tmp_path))
    baked = []

    def write(folder, _):
        baked.append(folder)
        (folder / "robot.xml").write_text("<mujoco/>")

    monkeypatch.setattr(panda_omron, "write_robot", write)
    return baked


def test_a_robot_is_baked_once(empty_cache, tmp_path):
    first = robot_path()
    assert first.is_relative_to(tmp_path)
    assert robot_path() == first
    assert len(empty_cache) == 1
    assert [p.name for p in tmp_path.iterdir()] == [first.parent.name], "no scratch is left"


@pytest.mark.parametrize("locks", [True, False])
def test_workers_that_bake_at_once_all_get_a_whole_robot(empty_cache, tmp_path, monkeypatch, locks):
    if not locks:

        def refuse(*_):
            raise OSError("no locks available")

        monkeypatch.setattr(robot_cache.fcntl, "flock", refuse)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        paths = [p.result() for p in [pool.submit(robot_path) for _ in range(8)]]
    assert len({*paths}) == 1
    assert paths[0].read_text() == "<mujoco/>"
    assert len(list(tmp_path.iterdir())) == 1
    assert len(empty_cache) == 1 or not locks


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o755), (0o002, 0o775), (0o077, 0o700)])
def test_the_robot_has_the_permissions_of_the_umask(empty_cache, umask, mode):
    before = os.umask(umask)
    try:
        path = robot_path()
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.parent.stat().st_mode) == mode
    assert stat.S_IMODE(path.stat().st_mode) == mode & 0o666


def test_a_baking_that_breaks_leaves_nothing_behind(empty_cache, tmp_path, monkeypatch):
    def fail(folder, _):
        (folder / "robot.xml").write_text("<muj")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(panda_omron, "write_robot", fail)
    with pytest.raises(RobotError, match=r"No space left on device.*Set RTBENCH_CACHE"):
        robot_path()
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_cannot_be_made_is_told_in_a_sentence(empty_cache, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("RTBENCH_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(RobotError, match=r"Not a directory\)\. Set RTBENCH_CACHE to a folder") as caught:
        robot_path()
    assert "\n" not in str(caught.value)
    assert not empty_cache


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("case", ["read-only", "private robot"])
def test_the_cache_of_another_user(case):
    """In a process that gives up root, for root may write everywhere."""
    with tempfile.TemporaryDirectory() as folder:  # not `tmp_path`, which is below a private folder
        Path(folder).chmod(0o755)
        _look_as_nobody(Path(folder), case)


def _look_as_nobody(cache, case):
    kept = cache / f"robot-{stamp()}"
    if case == "private robot":
        kept.mkdir(mode=0o700)
        (kept / "robot.xml").write_text("<mujoco/>")
    code = (
        "from rtbench.env import panda_omron, robot_cache\n"
        "import os\n"
        "panda_omron.write_robot = lambda folder, _: (folder / 'robot.xml').write_text('<mujoco/>')\n"
        "mark = robot_cache.stamp()\n"  # what it imports may be private, too
        "robot_cache.stamp = lambda: mark\n"
        "os.setuid(65534)\n"
        "try: robot_cache.robot_path()\n"
        "except robot_cache.RobotError as error: print(error)\n"
    )
    environment = {**os.environ, "RTBENCH_CACHE": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    assert "Permission denied). Set RTBENCH_CACHE" in done.stdout
