"""The baked robot in the user's cache: baked once for each version of what it is made from.

`python -m rtbench.env.robot_cache` bakes it ahead of the first run and prints its path.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from pathlib import Path

from rtbench.core.cache import kept_folder

ROBOSUITE = "1.5.2"
"""Version of robosuite whose models the robot is baked from."""
BAKE_VERSION = 7
"""Raise when `rtbench.env.robot` changes what it writes."""
_FILE = "robot.xml"


def stamp() -> str:
    """Hash of everything the baked robot depends on."""
    versions = [importlib.metadata.version(p) for p in ("mujoco", "fast-simplification")]
    text = "/".join([str(BAKE_VERSION), ROBOSUITE, *versions])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def robot_path() -> Path:
    """Path of the baked `robot.xml`; bakes it when it is not in the cache yet.

    Raises:
        CacheError: the cache cannot be read or written.
        RobotError, WheelError: there are no models to bake from.
    """
    return kept_folder(f"robot-{stamp()}", _bake, file=_FILE, what="the robot") / _FILE


def _bake(folder: Path) -> None:
    from rtbench.env.robot import write_robot

    write_robot(folder)


if __name__ == "__main__":
    print(robot_path())
