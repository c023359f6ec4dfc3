"""The models that the robot is baked from: robosuite's Panda, its gripper and the Omron base, read as data.

robosuite is not imported and need not be installed: its metadata asks for numba, OpenCV, pynput and an old
numpy, and of its 530 MB these models are 56 MB, read once. They are read out of its wheel, which pip fetches
into a temporary folder, and composed by MjSpec. Body frames, masses, inertias and geoms are equal to the last
bit to what robosuite composes.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources.abc import Traversable
from pathlib import Path

import mujoco

from rtbench.env.robot_cache import ROBOSUITE, RobotError

WHEEL = f"robosuite-{ROBOSUITE}-py3-none-any.whl"
WHEEL_SHA256 = "b9e02df55de8949739de6ba1d196d2ba59cf33c51a76efcfbe5c2f73cdcf99ce"
"""Of the file on PyPI; pip checks it."""
FILES_SHA256 = "5d1a641cb13b8b9c916a77cbf4f8fd648418b82b13434885f6d65f8ebbeac1dd"
"""Over names and content of the files that are read, see `read_models`, wherever they come from."""
VARIABLE = "RTBENCH_ROBOSUITE"
"""Names the wheel, or a folder that it was unpacked or installed into."""
ARM, GRIPPER = "arm_", "gripper_"
"""Prefixes of the names of the arm and of its gripper; the base's names have none."""
_MODELS = ("bases/omron_mobile_base.xml", "robots/panda/robot.xml", "grippers/panda_gripper.xml")
_REMEDY = f"fetch {WHEEL} (157 MB) where there is network, and set {VARIABLE} to its path"


def load_source() -> mujoco.MjModel:
    """The compiled model of arm, gripper and base.

    The models come from the place that RTBENCH_ROBOSUITE names; else from an installed copy; else by pip.

    Raises:
        RobotError: the place has not these models, or pip cannot fetch them.
    """
    given = os.environ.get(VARIABLE)
    if given:
        return compose(read_models(Path(given).expanduser()))
    if installed := _installed():
        try:
            return compose(read_models(installed))
        except RobotError:  # another version of robosuite
            pass
    with fetched() as wheel:
        return compose(read_models(wheel))


def read_models(place: Path) -> dict[str, bytes]:
    """Content of the three MJCF files and their meshes, by path below robosuite's folder of models.

    Args:
        place: the wheel, or a folder that it was unpacked or installed into.

    Raises:
        RobotError: not there, not robosuite, or not the version that the robot is baked from.
    """
    files: dict[str, bytes] = {}
    try:
        assets = _assets(place)
        for model in _MODELS:
            files[model] = (assets / model).read_bytes()
            folder = model.rpartition("/")[0]
            for mesh in _meshes(files[model]):
                files[f"{folder}/{mesh}"] = (assets / folder / mesh).read_bytes()
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        reason = str(error).strip().partition("\n")[0]
        raise RobotError(
            f"{place}: the robot's models cannot be read ({reason}). Expected robosuite {ROBOSUITE},"
            f" as a wheel or a folder; {_REMEDY}."
        ) from None
    if digest(files) != FILES_SHA256:
        raise RobotError(f"{place}: its models are not those of robosuite {ROBOSUITE}; {_REMEDY}.")
    return files


def digest(files: dict[str, bytes]) -> str:
    """SHA-256 over names and content."""
    total = hashlib.sha256()
    for name in sorted(files):
        total.update(f"{hashlib.sha256(files[name]).hexdigest()} {name}\n".encode())
    return total.hexdigest()


def compose(files: dict[str, bytes]) -> mujoco.MjModel:
    """The arm on the base's `support`, at no distance, and the gripper on the arm's `right_hand`."""
    base, arm, gripper = (mujoco.MjSpec.from_string(files[model].decode()) for model in _MODELS)
    for spec, model in zip((base, arm, gripper), _MODELS, strict=True):
        folder = model.rpartition("/")[0]
        for mesh in spec.meshes:
            mesh.file = f"{folder}/{mesh.file}"
    base.body("support").add_frame().attach_body(arm.body("link0"), ARM, "")
    base.body(f"{ARM}right_hand").add_frame().attach_body(gripper.body("right_gripper"), GRIPPER, "")
    base.assets = {name: content for name, content in files.items() if name not in _MODELS}
    return base.compile()


@contextmanager
def fetched() -> Iterator[Path]:
    """The wheel, fetched by this interpreter's pip without its dependencies, and dropped afterwards.

    Raises:
        RobotError: there is no pip, no network, or another file of that name.
    """
    print(f"fetching robosuite {ROBOSUITE} (157 MB, once) for the robot's models ...", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="rtbench-") as scratch:
        folder = Path(scratch)
        wanted = folder / "wanted.txt"
        wanted.write_text(f"robosuite=={ROBOSUITE} --hash=sha256:{WHEEL_SHA256}\n")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
                   "--no-deps", "--only-binary=:all:", "--require-hashes",
                   "--requirement", str(wanted), "--dest", scratch]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            reason = next(
                (line for line in lines if "ERROR" in line), lines[-1] if lines else "no reason given"
            )
            raise RobotError(
                f"pip cannot fetch robosuite {ROBOSUITE}: {reason.strip()[:300]} To go on, {_REMEDY}."
            )
        yield folder / WHEEL


def _assets(place: Path) -> Traversable:
    """Robosuite's folder of models in a wheel, an unpacked wheel, site-packages or the package's folder."""
    if place.is_file():
        return zipfile.Path(place, "robosuite/models/assets/")
    inner = place / "robosuite" / "models" / "assets"
    return inner if inner.is_dir() else place / "models" / "assets"


def _installed() -> Path | None:
    """Folder of an installed robosuite; finding it does not import it."""
    found = importlib.util.find_spec("robosuite")
    folders = found.submodule_search_locations if found else None
    return Path(folders[0]) if folders else None


def _meshes(xml: bytes) -> list[str]:
    """Files that an MJCF file names, in its order."""
    return [mesh.file for mesh in mujoco.MjSpec.from_string(xml.decode()).meshes]
