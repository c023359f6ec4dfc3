"""The baked robot in the user's cache: baked once for each version of what it is made from.

`python -m rtbench.env.robot_cache` bakes it ahead of the first run and prints its path.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.metadata
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from rtbench.core.cache import VARIABLE, cache_folder
from rtbench.core.episode import DEFAULT_ROBOT
from rtbench.core.errors import RtbenchError
from rtbench.task.library import BUNDLED
from rtbench.task.robot_entry import RobotEntry

ROBOSUITE = "1.5.2"
"""Version of robosuite whose models the robot is baked from."""
BAKE_VERSION = 7
"""Raise when `rtbench.env.panda_omron` changes what it writes."""
MENAGERIE_BAKE_VERSION = 1
"""Raise when `rtbench.env.menagerie_robot` changes what it writes."""


class RobotError(RtbenchError):
    """The robot's models cannot be found, fetched or read, or the baked robot cannot be written."""


def stamp() -> str:
    """Hash of everything the baked PandaOmron depends on."""
    versions = [importlib.metadata.version(p) for p in ("mujoco", "fast-simplification")]
    text = "/".join([str(BAKE_VERSION), ROBOSUITE, *versions])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def robot_path(robot: RobotEntry | None = None) -> Path:
    """Path of the baked `robot.xml`; bakes it when it is not in the cache yet.

    Args:
        robot: The robot; None: the default one.

    Raises:
        RobotError: the cache cannot be read or written, or there are no models to bake from.
    """
    robot = robot or BUNDLED.robot(DEFAULT_ROBOT)
    folder = cache_folder() / _folder(robot)
    path = folder / "robot.xml"
    if os.access(path, os.R_OK):
        return path
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _one_at_a_time(folder.parent):
            if not os.access(path, os.R_OK):
                _bake_into(folder, robot)
    except OSError as error:
        reason = error.strerror or str(error)
        raise RobotError(
            f"{folder}: the robot cannot be kept there ({reason})."
            f" Set {VARIABLE} to a folder that you can read and write."
        ) from error
    return path


def description_hash(robot: RobotEntry) -> str:
    """64 hex digits: SHA-256 of a robot's file and of its own model: what it is, wherever it is read from.

    Raises:
        RobotError: its own model cannot be found or read.
    """
    from rtbench.env import menagerie_source, robot_source

    own = (
        robot_source.FILES_SHA256 if robot.source.kind == "robosuite" else menagerie_source.source_hash(robot)
    )
    told = robot.model_dump_json(exclude={"summary"})
    return hashlib.sha256(f"{own}/{told}".encode()).hexdigest()


def _folder(robot: RobotEntry) -> str:
    """Name of its folder in the cache: another one for whatever else it would be baked from."""
    if robot.source.kind == "robosuite":
        return f"robot-{stamp()}"
    from rtbench.env.menagerie_source import source_hash

    told = robot.model_dump_json(exclude={"summary", "controller"})
    text = "/".join(
        [str(MENAGERIE_BAKE_VERSION), importlib.metadata.version("mujoco"), source_hash(robot), told]
    )
    return f"robot-{robot.name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


@contextlib.contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Holds a lock on the folder, so that workers that start together do not all fetch and bake."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems have no locks; then each one bakes
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _bake_into(folder: Path, robot: RobotEntry) -> None:
    """Writes beside the target and renames, so that no process ever meets half a robot.

    The folder has the permissions of the umask, for a cache may be shared: `tempfile` makes private ones.
    """
    if robot.source.kind == "robosuite":
        from rtbench.env.panda_omron import write_robot
    else:
        from rtbench.env.menagerie_robot import write_robot

    scratch = folder.parent / f"robot-{uuid.uuid4().hex}"
    scratch.mkdir()
    try:
        write_robot(scratch, robot)
        scratch.rename(folder)
    except OSError:
        # Without locks another worker may have been first: its copy is as good.
        if not os.access(folder / "robot.xml", os.R_OK):
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    print(robot_path())
