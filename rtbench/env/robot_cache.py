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
from rtbench.core.errors import RtbenchError

ROBOSUITE = "1.5.2"
"""Version of robosuite whose models the robot is baked from."""
BAKE_VERSION = 7
"""Raise when `rtbench.env.robot` changes what it writes."""


class RobotError(RtbenchError):
    """The robot's models cannot be found, fetched or read, or the baked robot cannot be written."""


def stamp() -> str:
    """Hash of everything the baked robot depends on."""
    versions = [importlib.metadata.version(p) for p in ("mujoco", "fast-simplification")]
    text = "/".join([str(BAKE_VERSION), ROBOSUITE, *versions])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def robot_path() -> Path:
    """Path of the baked `robot.xml`; bakes it when it is not in the cache yet.

    Raises:
        RobotError: the cache cannot be read or written, or there are no models to bake from.
    """
    folder = cache_folder() / f"robot-{stamp()}"
    path = folder / "robot.xml"
    if os.access(path, os.R_OK):
        return path
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _one_at_a_time(folder.parent):
            if not os.access(path, os.R_OK):
                _bake_into(folder)
    except OSError as error:
        reason = error.strerror or str(error)
        raise RobotError(
            f"{folder}: the robot cannot be kept there ({reason})."
            f" Set {VARIABLE} to a folder that you can read and write."
        ) from error
    return path


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


def _bake_into(folder: Path) -> None:
    """Writes beside the target and renames, so that no process ever meets half a robot.

    The folder has the permissions of the umask, for a cache may be shared: `tempfile` makes private ones.
    """
    from rtbench.env.robot import write_robot

    scratch = folder.parent / f"robot-{uuid.uuid4().hex}"
    scratch.mkdir()
    try:
        write_robot(scratch)
        scratch.rename(folder)
    except OSError:
        # Without locks another worker may have been first: its copy is as good.
        if not os.access(folder / "robot.xml", os.R_OK):
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    print(robot_path())
