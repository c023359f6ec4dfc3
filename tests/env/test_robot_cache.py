"""Where the baked robot is kept; how folders of the cache are made is tested in tests/core/test_cache.py."""

import pytest

from rtbench.core.cache import CacheError
from rtbench.env import panda_omron, robot_cache
from rtbench.env.robot_cache import robot_path, stamp


def test_the_stamp_follows_what_the_robot_is_made_from(monkeypatch):
    before = stamp()
    assert stamp() == before
    for name in ("BAKE_VERSION", "ROBOSUITE"):
        with monkeypatch.context() as patch:
            patch.setattr(robot_cache, name, "0")
            assert stamp() != before
    monkeypatch.setattr(robot_cache.importlib.metadata, "version", lambda _: "0.0")
    assert stamp() != before


def test_a_robot_is_baked_once(tmp_path, monkeypatch):
    monkeypatch.setenv("RTBENCH_CACHE", str(tmp_path))
    baked = []

    def write(folder, _):
        baked.append(folder)
        (folder / "robot.xml").write_text("<mujoco/>")

    monkeypatch.setattr(panda_omron, "write_robot", write)
    first = robot_path()
    assert first == tmp_path / f"robot-{stamp()}" / "robot.xml" == robot_path()
    assert len(baked) == 1


def test_a_cache_that_cannot_be_made_is_told_in_a_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("RTBENCH_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(CacheError, match=r"the robot cannot be kept there .*Set RTBENCH_CACHE to a folder"):
        robot_path()
