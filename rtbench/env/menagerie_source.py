"""Finds a robot's folder of MuJoCo Menagerie: in MENAGERIE_ROOT, or by the package mujoco-menagerie.

The package downloads a robot at its first use and keeps it in a cache of its own. Nothing of it is ours.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from rtbench.env.robot_source import RobotError
from rtbench.task.robot_entry import RobotEntry

VARIABLE = "MENAGERIE_ROOT"
"""Names a checkout of Menagerie, or a folder with some of its robots."""


def robot_folder(robot: RobotEntry) -> Path:
    """The folder with the robot's MJCF files and assets.

    Raises:
        RobotError: it is nowhere; says how to get it.
    """
    name = robot.source.folder
    remedy = (
        f"set {VARIABLE} to a folder that holds {name}/, or run `mujoco-menagerie prefetch {name}` where "
        "there is network"
    )
    given = os.environ.get(VARIABLE)
    if given:
        folder = Path(given).expanduser() / name
        if not (folder / robot.source.file).is_file():
            raise RobotError(f"{folder}: no {robot.source.file} of the robot {robot.name}; {remedy}.")
        return folder
    try:
        import mujoco_menagerie
    except ModuleNotFoundError:
        raise RobotError(
            f"the robot {robot.name} is not here, and the package mujoco-menagerie, which fetches it, is not "
            f"installed; {remedy}."
        ) from None
    try:
        return Path(mujoco_menagerie.get(name).path())
    except (mujoco_menagerie.MenagerieError, OSError) as error:
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise RobotError(
            f"the robot {robot.name} is not here and cannot be fetched ({reason}); {remedy}."
        ) from None


def source_files(robot: RobotEntry) -> dict[str, bytes]:
    """Content of the MJCF file and of all assets, by path below the robot's folder.

    Raises:
        RobotError: as `robot_folder`, or a file that cannot be read.
    """
    folder = robot_folder(robot)
    try:
        names = [robot.source.file, *_assets(folder)]
        return {name: (folder / name).read_bytes() for name in names}
    except OSError as error:
        raise RobotError(f"{folder}: cannot be read ({error.strerror}).") from None


def source_hash(robot: RobotEntry) -> str:
    """64 hex digits: SHA-256 over names and content of `source_files`."""
    total = hashlib.sha256()
    for name, content in sorted(source_files(robot).items()):
        total.update(f"{hashlib.sha256(content).hexdigest()} {name}\n".encode())
    return total.hexdigest()


def _assets(folder: Path) -> list[str]:
    found = [path for path in folder.joinpath("assets").rglob("*") if path.is_file()]
    return sorted(path.relative_to(folder).as_posix() for path in found)
