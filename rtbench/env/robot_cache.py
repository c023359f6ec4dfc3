"""Baked robots in the user's cache: each baked once for each version of what it is made from.

`python -m rtbench.env.robot_cache` bakes the default robot ahead of the first run and prints its path.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from functools import partial
from pathlib import Path
from typing import Any

from rtbench.core.cache import kept_folder
from rtbench.core.episode import DEFAULT_ROBOT
from rtbench.task.library import BUNDLED
from rtbench.task.robot_entry import RobotEntry

ROBOSUITE = "1.5.2"
"""Version of robosuite whose models the default robot is baked from."""
BAKE_VERSION = 7
"""Raise when `rtbench.env.panda_omron` changes what it writes."""
MENAGERIE_BAKE_VERSION = 1
"""Raise when `rtbench.env.menagerie_robot` changes what it writes."""
_FILE = "robot.xml"


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
        CacheError: the cache cannot be read or written.
        RobotError, WheelError: there are no models to bake from.
    """
    robot = robot or BUNDLED.robot(DEFAULT_ROBOT)
    return kept_folder(_folder(robot), partial(_bake, robot), file=_FILE, what="the robot") / _FILE


def description_hash(robot: RobotEntry) -> str:
    """64 hex digits: SHA-256 of a robot's file and of its own model: what it is, wherever it is read from.

    Raises:
        RobotError: its own model cannot be found or read.
    """
    from rtbench.env import menagerie_source, robot_source

    robosuite = robot.source.kind == "robosuite"
    own = robot_source.FILES_SHA256 if robosuite else menagerie_source.source_hash(robot)
    told = robot.model_dump_json(exclude={"summary": True, **_unsaid(robot)})
    return hashlib.sha256(f"{own}/{told}".encode()).hexdigest()


def _unsaid(robot: RobotEntry) -> dict[str, Any]:
    """Fields that came later and say nothing, so that a robot of before them is still the same one."""
    later = {"base": ("approach", "sides"), "arm": ("drawn",)}
    unsaid: dict[str, Any] = {}
    for part, names in later.items():
        entry = getattr(robot, part)
        unsaid[part] = {n for n in names if getattr(entry, n) == type(entry).model_fields[n].default}
    if robot.controllers.simpler is None:
        unsaid["controllers"] = True
    if not robot.held:
        unsaid["held"] = True
    return unsaid


def _folder(robot: RobotEntry) -> str:
    """Name of its folder in the cache: another one for whatever else it would be baked from."""
    if robot.source.kind == "robosuite":
        return f"robot-{stamp()}"
    from rtbench.env.menagerie_source import source_hash

    told = robot.model_dump_json(exclude={"summary", "controller", "controllers"})
    version = importlib.metadata.version("mujoco")
    text = "/".join([str(MENAGERIE_BAKE_VERSION), version, source_hash(robot), told])
    return f"robot-{robot.name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _bake(robot: RobotEntry, folder: Path) -> None:
    if robot.source.kind == "robosuite":
        from rtbench.env.panda_omron import write_robot
    else:
        from rtbench.env.menagerie_robot import write_robot

    write_robot(folder, robot)


if __name__ == "__main__":
    print(robot_path())
