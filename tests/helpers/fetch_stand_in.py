"""A stand-in for Fetch's model: names, joints and masses of the real one, and cylinders for its links."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rtbench.env.robot_mesh import Part, cylinder, write_obj

Numbers = tuple[float, ...]
LINKS: tuple[tuple[str, str, Numbers, str, Numbers, Numbers | None, float], ...] = (
    ("torso_lift_link", "base_link", (-0.0869, 0, 0.3774), "slide", (0, 0, 1), (0.0386, 0.3861), 10.8),
    ("head_tilt_link", "torso_lift_link", (0.1956, 0, 0.661), "hinge", (0, 1, 0), (-0.76, 1.45), 0.9),
    ("shoulder_pan_link", "torso_lift_link", (0.1195, 0, 0.3486), "hinge", (0, 0, 1), (-1.6056, 1.6056), 2.6),
    ("shoulder_lift_link", "shoulder_pan_link", (0.117, 0, 0.06), "hinge", (0, 1, 0), (-1.221, 1.518), 2.7),
    ("upperarm_roll_link", "shoulder_lift_link", (0.219, 0, 0), "hinge", (1, 0, 0), None, 2.3),
    ("elbow_flex_link", "upperarm_roll_link", (0.133, 0, 0), "hinge", (0, 1, 0), (-2.251, 2.251), 2.1),
    ("forearm_roll_link", "elbow_flex_link", (0.197, 0, 0), "hinge", (1, 0, 0), None, 1.7),
    ("wrist_flex_link", "forearm_roll_link", (0.1245, 0, 0), "hinge", (0, 1, 0), (-2.16, 2.16), 1.7),
    ("wrist_roll_link", "wrist_flex_link", (0.1385, 0, 0), "hinge", (1, 0, 0), None, 0.1),
    ("gripper_link", "wrist_roll_link", (0.1664, 0, 0), "", (), None, 1.5),
    ("r_gripper_finger_link", "gripper_link", (0, 0.0159, 0), "slide", (0, 1, 0), (0, 0.05), 0.2),
    ("l_gripper_finger_link", "gripper_link", (0, -0.0159, 0), "slide", (0, -1, 0), (0, 0.05), 0.2),
)
"""Body, its parent, its place there [m], its joint's kind, axis and range [m, rad], and its mass [kg]."""
CYLINDER = '<geom type="mesh" mesh="link"/>'
FINGER = '<geom type="box" size="0.0385 0.007 0.0135"/>'


def write(root: Path) -> None:
    """Write the folder `fetch` there."""
    assets = root / "fetch" / "assets"
    assets.mkdir(parents=True)
    vertices, faces = cylinder(0.04, 0.05)
    write_obj(assets / "link.obj", Part(vertices @ np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]]), faces, ()))
    base = f'<body name="base_link" pos="0.3 0.2 0"><joint type="slide" axis="1 0 0"/>{_mass(70)}{CYLINDER}'
    (root / "fetch" / "fetch.xml").write_text(
        '<mujoco><compiler angle="radian" meshdir="assets"/>'
        '<asset><mesh name="link" file="link.obj"/></asset>'
        f'<worldbody><geom type="plane" size="1 1 1"/><body name="table" pos="1 0 0">{CYLINDER}</body>'
        f"{base}{_below('base_link')}</body></worldbody></mujoco>"
    )


def _below(parent: str) -> str:
    return "".join(_body(*link) for link in LINKS if link[1] == parent)


def _body(
    name: str, _parent: str, at: Numbers, kind: str, axis: Numbers, limits: Numbers | None, mass: float
) -> str:
    joint = name.replace("_link", "_joint")
    limited = f'limited="true" range="{_numbers(limits)}"' if limits else 'limited="false"'
    moved = f'<joint name="{joint}" type="{kind}" axis="{_numbers(axis)}" {limited}/>' if kind else ""
    seen = FINGER if "finger" in name else CYLINDER
    return f'<body name="{name}" pos="{_numbers(at)}">{moved}{_mass(mass)}{seen}{_below(name)}</body>'


def _mass(mass: float) -> str:
    return f'<inertial pos="0 0 0" mass="{mass}" diaginertia="0.01 0.01 0.01"/>'


def _numbers(values: Numbers) -> str:
    return " ".join(map(str, values))
