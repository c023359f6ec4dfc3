"""The models that the robot is baked from: robosuite's Panda, its gripper and the Omron base, read as data.

robosuite is not imported and need not be installed: its metadata asks for numba, OpenCV, pynput and an old
numpy, and of its 530 MB these models are 56 MB, read once. They are read out of its wheel, which pip fetches
into a temporary folder, and composed by MjSpec. Body frames, masses, inertias and geoms are equal to the last
bit to what robosuite composes.
"""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import mujoco

from rtbench.core.data_wheel import DataWheel
from rtbench.core.errors import RtbenchError
from rtbench.env.robot_cache import ROBOSUITE

WHEEL = DataWheel(
    name="robosuite",
    module="robosuite",
    version=ROBOSUITE,
    sha256="b9e02df55de8949739de6ba1d196d2ba59cf33c51a76efcfbe5c2f73cdcf99ce",
    megabytes=157,
    purpose="the robot's models",
    variable="RTBENCH_ROBOSUITE",
)
FILES_SHA256 = "5d1a641cb13b8b9c916a77cbf4f8fd648418b82b13434885f6d65f8ebbeac1dd"
"""Over names and content of the files that are read, see `read_models`, wherever they come from."""
ARM, GRIPPER = "arm_", "gripper_"
"""Prefixes of the names of the arm and of its gripper; the base's names have none."""
_MODELS = ("bases/omron_mobile_base.xml", "robots/panda/robot.xml", "grippers/panda_gripper.xml")


class RobotError(RtbenchError):
    """Models of the robot that cannot be read, or are others than the robot is baked from."""


def load_source() -> mujoco.MjModel:
    """The compiled model of arm, gripper and base.

    The models come from the place that RTBENCH_ROBOSUITE names; else from an installed copy; else by pip.

    Raises:
        RobotError: the place has not these models.
        WheelError: pip cannot fetch them.
    """
    return compose(WHEEL.read(read_models, RobotError))


def read_models(place: Path) -> dict[str, bytes]:
    """Content of the three MJCF files and their meshes, by path below robosuite's folder of models.

    Args:
        place: the wheel, or a folder that it was unpacked or installed into.

    Raises:
        RobotError: not there, not robosuite, or not the version that the robot is baked from.
    """
    files: dict[str, bytes] = {}
    try:
        assets = WHEEL.folder(place, "models/assets")
        for model in _MODELS:
            files[model] = (assets / model).read_bytes()
            folder = model.rpartition("/")[0]
            for mesh in _meshes(files[model]):
                files[f"{folder}/{mesh}"] = (assets / folder / mesh).read_bytes()
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        reason = str(error).strip().partition("\n")[0]
        raise RobotError(
            f"{place}: the robot's models cannot be read ({reason}). Expected robosuite {ROBOSUITE},"
            f" as a wheel or a folder; {WHEEL.remedy}."
        ) from None
    if digest(files) != FILES_SHA256:
        raise RobotError(f"{place}: its models are not those of robosuite {ROBOSUITE}; {WHEEL.remedy}.")
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


def _meshes(xml: bytes) -> list[str]:
    """Files that an MJCF file names, in its order."""
    return [mesh.file for mesh in mujoco.MjSpec.from_string(xml.decode()).meshes]
