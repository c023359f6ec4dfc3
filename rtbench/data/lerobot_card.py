"""What stands beside a LeRobot dataset: what its numbers mean, for people, GR00T and `rtbench run`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtbench.core.action import ARM_SLICE, DIMENSIONS, MODE, Mode
from rtbench.core.errors import PolicyError
from rtbench.policy.continuous.mapping import ActionMapping
from rtbench.policy.continuous.named import find_mapping
from rtbench.policy.continuous.transform import to_numbers

_NAMES = {
    "position": DIMENSIONS[:3], "rotation": DIMENSIONS[3:6], "gripper": DIMENSIONS[6:7],
    "base": DIMENSIONS[7:10], "mode": DIMENSIONS[10:], "terminate": ("terminate",),
}  # fmt: skip
"""Part of a mapping -> names of its numbers."""
STATE = {
    "proprio": slice(0, 15), "joints": slice(0, 7), "position": slice(7, 10), "quaternion": slice(10, 14),
    "gripper_opening": slice(14, 15),
}  # fmt: skip
"""Part of the state -> where it stands."""


@dataclass(frozen=True)
class ActionColumns:
    """How actions are written."""

    name: str
    """Name of the mapping."""
    mapping: ActionMapping
    """What the numbers mean."""

    @property
    def names(self) -> list[str]:
        """Names of the numbers."""
        return [name for part in self.mapping.layout for name in _NAMES[part]]

    def numbers(self, action: NDArray[np.float64], proprio: NDArray[np.floating]) -> NDArray[np.float64]:
        """The numbers float64[D] of an action float64[11]."""
        if action[MODE] == Mode.BASE and "base" not in self.mapping.slices:
            action = action.copy()
            action[ARM_SLICE] = 0.0  # the hand's numbers mean nothing while the base drives
        return to_numbers(action, self.mapping, proprio)


def action_columns(name: str) -> ActionColumns:
    """Columns of a mapping that is named.

    Raises:
        UnknownNameError: no such mapping.
        PolicyError: one of joints.
    """
    mapping = find_mapping(name)
    if "joints" in mapping.slices:
        raise PolicyError(f"--action {name}: joints do not follow from an action of the hand.")
    return ActionColumns(name, mapping)


def modality(action: ActionColumns, cameras: Sequence[str]) -> dict[str, Any]:
    """GR00T's meta/modality.json, with the keys by which `rtbench run` asks its server."""
    return {
        "state": {name: {"start": part.start, "end": part.stop} for name, part in STATE.items()},
        "action": {
            name: {"start": part.start, "end": part.stop} for name, part in action.mapping.slices.items()
        },
        "video": {camera.rpartition(".")[2]: {"original_key": camera} for camera in cameras},
        "annotation": {"human.task_description": {"original_key": "task_index"}},
    }


def card(info: dict[str, Any], action: ActionColumns, cameras: Sequence[str]) -> str:
    """The dataset's README.md."""
    names = ", ".join(action.names)
    pictures = "\n".join(
        f"| `{camera}` | {camera.rpartition('.')[2]} camera, RGB, row 0 at the top |" for camera in cameras
    )
    frames = f"{info['total_episodes']} episodes and {info['total_frames']} frames"
    return f"""---
license: apache-2.0
task_categories: [robotics]
tags: [LeRobot, rtbench]
---

# Demonstrations of rtbench

{frames} of a simulated {info["robot_type"]} in a kitchen, in LeRobot's format
{info["codebase_version"]}, at {info["fps"]} Hz. They are synthetic: a scripted policy acts, which reads the
simulator.

| feature | meaning |
|---|---|
| `action` | what a policy should do, mapping {action.name}: {names} |
| `acted` | what was done, with the noise that was added |
| `observation.state` | seven joints [rad], the hand's position [m] and quaternion (wxyz), opening [m] |
{pictures}

The hand's numbers are in the frame of the robot's base. A policy that was trained on this is evaluated by
`rtbench run --policy remote:ws://HOST:PORT --action {action.name}`.
"""
