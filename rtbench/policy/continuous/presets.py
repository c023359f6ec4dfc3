"""Named mappings of the numbers that well-known policies give.

Their numbers are those after the model's own un-normalisation, unless a card adds statistics.
"""

from __future__ import annotations

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    # RT-1's action space: the order of `rtbench.core.action.DIMENSIONS`, each number in SI units.
    # Brohan et al., RT-1 (arXiv 2212.06817), section 5.1; robotics_transformer of google-research.
    "rt1-11d": {
        "layout": ["position", "rotation", "gripper", "base", "mode"],
        "end": {"rule": "mode"},
        "control_hz": 3,
    },
    # The hand's part of our own actions, in SI units: for policies trained on 7-D exports of demonstrations.
    "rtbench-7d": {"gripper": {"open": -1.0, "closed": 1.0}, "control_hz": 3},
    # WidowX of BridgeData V2 (Walke et al., arXiv 2308.12952), as OpenVLA and Octo un-normalise it:
    # displacement in metres, roll-pitch-yaw in radians, and 1 for an open gripper, cut at a half. SIMPLER
    # plays it at 5 Hz (`policy_setup="widowx_bridge"` of its octo_model.py).
    "bridge-7d": {
        "rotation": {"form": "rpy"},
        "gripper": {"open": 1.0, "closed": 0.0, "threshold": 0.5},
        "control_hz": 5,
    },
    # The Google robot of the data set fractal20220817_data, as SIMPLER plays Octo: as bridge-7d, with a
    # gripper that is made relative and held for 15 actions (`policy_setup="google_robot"` of its
    # octo_model.py).
    "fractal-7d": {
        "rotation": {"form": "rpy"},
        "gripper": {"open": 1.0, "closed": 0.0, "sticky": {"rule": "on_change", "actions": 15}},
        "control_hz": 3,
    },
    # The same under the controller `simpler`, which takes the change itself as SIMPLER's does: Octo's, and by
    # SimplerEnv's pull request 10 (openvla issue 21) OpenVLA's. And with vla-eval's rule of the level.
    "simpler-7d": {
        "rotation": {"form": "rpy"},
        "gripper": {
            "open": 1.0,
            "closed": 0.0,
            "sends": "change",
            "sticky": {"rule": "on_change", "actions": 15},
        },
        "control_hz": 3,
    },
    "simpler-level-7d": {
        "rotation": {"form": "rpy"},
        "gripper": {
            "open": 1.0,
            "closed": 0.0,
            "sends": "change",
            "sticky": {"rule": "on_level", "actions": 15},
        },
        "control_hz": 3,
    },
    # LIBERO (Liu et al., arXiv 2306.03310): robosuite's controller OSC_POSE, whose numbers are clipped to -1
    # to 1 and stand for 0.05 m and 0.5 rad, a rotation vector in the base frame (output_max of
    # osc_pose.json), at 20 Hz. -1 opens.
    "libero-7d": {
        "position": {"unit": 0.05, "limit": 1.0},
        "rotation": {"unit": 0.5, "limit": 1.0},
        "gripper": {"open": -1.0, "closed": 1.0},
        "control_hz": 20,
    },
    # DROID (Khazatsky et al., arXiv 2403.12945) as openpi plays it: seven joint velocities, clipped to -1 to
    # 1, of which 1 turns a joint by 0.2 rad in a step (max_joint_delta of droid's robot_ik_solver.py), at 15
    # Hz; 8 of a chunk's actions are carried out; above a half the gripper closes (openpi's
    # examples/droid/main.py).
    "droid-8d": {
        "layout": ["joints", "gripper"],
        "joints": {"radians": 0.2, "limit": 1.0},
        "gripper": {"open": 0.0, "closed": 1.0, "threshold": 0.5},
        "chunk": {"execute": 8},
        "control_hz": 15,
    },
}
"""Values by name; a card's own take their place."""
