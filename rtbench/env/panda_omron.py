"""Bakes robosuite's PandaOmron into a lean robot; `rtbench.env.robot_cache` keeps it.

The 271,000 faces of the Panda arm, its gripper and the Omron base cost a quarter of a second a frame in
software OpenGL and their mesh collisions triple the cost of a step, so the visual meshes of each link are
merged by colour and decimated, and the arm collides by fitted capsules. The result is a folder with
`robot.xml` and its meshes as OBJ.
"""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np

from rtbench.env.object import COLLISION_GROUP, VISUAL_GROUP
from rtbench.env.robot_mesh import Array, Part, cylinder, decimate, fit_capsule, merge, write_obj
from rtbench.env.robot_model import ROBOT_CONTACT, add_drives
from rtbench.env.robot_source import load_source
from rtbench.task.robot_entry import RobotEntry

Frame = tuple[Array, Array]
"""Origin float64[3] [m] and rotation matrix float64[3, 3] of a body, world."""

FACE_BUDGET = {"base": 900, "leftfinger": 200, "rightfinger": 200}
"""Most visual faces of a body, LINK_FACES if not named; 1 ms of software rendering buys 3 to 7 thousand."""
LINK_FACES = 550
MIN_FACES = 40
"""Smaller parts are not worth breaking."""

WHEEL_CENTRE = -0.20
"""x [m] of the wheels' centre, in front of which robosuite mounts the arm at 0."""


def write_robot(folder: Path, robot: RobotEntry) -> None:
    """Writes `robot.xml` and its meshes into `folder`."""
    source = load_source()
    parts = _visual_parts(source)
    spec = _skeleton(source, robot)
    for body, group in parts.items():
        share = FACE_BUDGET.get(body, LINK_FACES) / sum(len(p.faces) for p in group)
        for index, part in enumerate(group):
            lean = decimate(part, max(int(share * len(part.faces)), MIN_FACES))
            name = f"{body}_{index}"
            write_obj(folder / f"{name}.obj", lean)
            spec.add_mesh(name=name, file=f"{name}.obj", inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL)
            spec.body(body).add_geom(
                type=mujoco.mjtGeom.mjGEOM_MESH, meshname=name, group=VISUAL_GROUP, contype=0, conaffinity=0,
                mass=0, rgba=part.rgba,
            )  # fmt: skip
    spec.meshdir = str(folder)
    spec.compile()
    # Without the scratch folder's name, meshes are found beside the XML, wherever that is moved to.
    (folder / "robot.xml").write_text(
        spec.to_xml().replace(f' meshdir="{folder}/"', "").replace(f' meshdir="{folder}"', "")
    )


_BODIES = {  # our body: robosuite's bodies that move with it
    "base": ("base", "fixed_support", "support",
             "wheeled_base", "arm_link0"),
    **{f"link{i}": (f"arm_link{i}",) for i in range(1, 7)},
    "link7": ("arm_link7", "arm_right_hand", "gripper_right_gripper"),
    "leftfinger": ("gripper_leftfinger", "gripper_finger_joint1_tip"),
    "rightfinger": ("gripper_rightfinger", "gripper_finger_joint2_tip"),
}  # fmt: skip


def _frames(source: mujoco.MjModel) -> tuple[mujoco.MjData, dict[str, Frame]]:
    """World frames (origin, rotation matrix) of our bodies in the source's zero pose."""
    data = mujoco.MjData(source)
    mujoco.mj_kinematics(source, data)
    frames: dict[str, Frame] = {}
    for ours, theirs in _BODIES.items():
        body = source.body(theirs[0]).id
        frames[ours] = (data.xpos[body].copy(), data.xmat[body].reshape(3, 3).copy())
    frames["base"] = (np.array([WHEEL_CENTRE, 0.0, 0.0]), np.eye(3))
    return data, frames


def _visual_parts(source: mujoco.MjModel) -> dict[str, list[Part]]:
    """Visual geometry by body of ours, merged by colour, in that body's frame."""
    data, frames = _frames(source)
    merged: dict[str, list[Part]] = {}
    for ours, theirs in _BODIES.items():
        ids = {source.body(t).id for t in theirs}
        by_colour: dict[tuple[float, ...], list[Part]] = {}
        for geom in range(source.ngeom):
            if source.geom_bodyid[geom] not in ids or source.geom_group[geom] != 1:
                continue
            part = _geom_part(source, data, geom, frames[ours])
            by_colour.setdefault(part.rgba, []).append(part)
        merged[ours] = [merge(group) for group in by_colour.values()]
    return merged


def _geom_part(source: mujoco.MjModel, data: mujoco.MjData, geom: int, frame: Frame) -> Part:
    if source.geom_type[geom] == mujoco.mjtGeom.mjGEOM_MESH:
        mesh = source.geom_dataid[geom]
        first, count = source.mesh_vertadr[mesh], source.mesh_vertnum[mesh]
        vertices = source.mesh_vert[first : first + count].astype(np.float64)
        first, count = source.mesh_faceadr[mesh], source.mesh_facenum[mesh]
        faces = source.mesh_face[first : first + count].astype(np.int64)
    else:  # the two cylinders of the column
        vertices, faces = cylinder(*source.geom_size[geom, :2])
    mujoco.mj_kinematics(source, data)
    world = vertices @ data.geom_xmat[geom].reshape(3, 3).T + data.geom_xpos[geom]
    origin, rotation = frame
    material = source.geom_matid[geom]
    rgba = source.mat_rgba[material] if material >= 0 else source.geom_rgba[geom]
    # Two nearby greys are one part: fewer draw calls, and the difference is not visible.
    return Part((world - origin) @ rotation, faces, tuple(float(np.round(c * 4) / 4) for c in rgba))


def _skeleton(source: mujoco.MjModel, robot: RobotEntry) -> mujoco.MjSpec:
    """Bodies, joints, inertias, collision primitives and actuators, without any visual geometry."""
    spec = mujoco.MjSpec()
    spec.modelname = "panda_omron"
    spec.compiler.degree = False
    spec.compiler.autolimits = True
    _, frames = _frames(source)
    parent = spec.worldbody
    chain = ["base", *(f"link{i}" for i in range(1, 8)), "leftfinger", "rightfinger"]
    previous = (np.zeros(3), np.eye(3))
    for name in chain:
        if name.endswith("finger"):
            parent, previous = spec.body("link7"), frames["link7"]
        origin, rotation = frames[name]
        relative = previous[1].T @ rotation
        quaternion = np.zeros(4)
        mujoco.mju_mat2Quat(quaternion, relative.flatten())
        body = parent.add_body(
            name=name, pos=previous[1].T @ (origin - previous[0]), quat=quaternion, gravcomp=1
        )
        _add_inertia(source, body, name)
        _add_joints(source, body, name)
        parent, previous = body, frames[name]
    spec.body("base").pos = [0.0, 0.0, 0.0]
    _add_collision(source, spec, frames)
    _add_grip_point(spec, source, frames)
    add_drives(spec, robot)
    _couple_fingers(spec)
    return spec


def _add_inertia(source: mujoco.MjModel, body: mujoco.MjsBody, name: str) -> None:
    if name == "base":  # the base only slides and turns: one box of its real mass will do
        body.mass, body.ipos, body.inertia = 225.0, [0.0, 0.0, 0.3], [14.0, 16.0, 12.0]
        body.explicitinertial = True
        return
    first = source.body(_BODIES[name][0]).id
    extra = [source.body(t).id for t in _BODIES[name][1:]]
    mass = float(source.body_mass[first] + sum(source.body_mass[b] for b in extra))
    body.mass, body.ipos = mass, source.body_ipos[first]
    body.iquat, body.inertia = source.body_iquat[first], source.body_inertia[first]
    body.explicitinertial = True


def _add_joints(source: mujoco.MjModel, body: mujoco.MjsBody, name: str) -> None:
    slide, hinge = mujoco.mjtJoint.mjJNT_SLIDE, mujoco.mjtJoint.mjJNT_HINGE
    if name == "base":
        body.add_joint(name="base_x", type=slide, axis=[1, 0, 0])
        body.add_joint(name="base_y", type=slide, axis=[0, 1, 0])
        body.add_joint(name="base_yaw", type=hinge, axis=[0, 0, 1])
        return
    finger = name.endswith("finger")
    theirs = f"gripper_finger_joint{1 if name == 'leftfinger' else 2}" if finger else f"arm_joint{name[-1]}"
    joint = source.joint(theirs).id
    added = body.add_joint(
        name=f"finger{1 if name == 'leftfinger' else 2}" if finger else f"joint{name[-1]}",
        type=slide if finger else hinge, axis=source.jnt_axis[joint], range=source.jnt_range[joint],
    )  # fmt: skip
    added.armature = 0.3  # all damping is the actuators': see the integrator in `rtbench.env.scene`


def _add_collision(source: mujoco.MjModel, spec: mujoco.MjSpec, frames: dict[str, Frame]) -> None:
    box, capsule, cylinder = (
        mujoco.mjtGeom.mjGEOM_BOX,
        mujoco.mjtGeom.mjGEOM_CAPSULE,
        mujoco.mjtGeom.mjGEOM_CYLINDER,
    )

    def add(body: str, name: str, kind: mujoco.mjtGeom, **where: object) -> mujoco.MjsGeom:
        return spec.body(body).add_geom(
            name=name, type=kind, group=COLLISION_GROUP, mass=0, **ROBOT_CONTACT, **where
        )

    add("base", "wheels", box, size=[0.35, 0.25, 0.17], pos=[0, 0, 0.20])
    add("base", "column", cylinder, size=[0.12, 0.17, 0], pos=[0.15, 0, 0.54])
    data, _ = _frames(source)
    for i in range(2, 8):
        geom = source.geom(f"arm_link{i}_collision").id
        part = _geom_part(source, data, geom, frames[f"link{i}"])
        start, end, radius = fit_capsule(part.vertices)
        add(f"link{i}", f"link{i}", capsule, fromto=[*start, *end], size=[radius, 0, 0])
    hand = _geom_part(source, data, source.geom("gripper_hand_collision").id, frames["link7"])
    low, high = hand.vertices.min(0), hand.vertices.max(0)
    # The hand is turned by 45 degrees in the flange: fit its box in the gripper's own axes.
    axes = _gripper_axes(source, frames)
    local = hand.vertices @ axes
    low, high = local.min(0), local.max(0)
    quaternion = np.zeros(4)
    mujoco.mju_mat2Quat(quaternion, axes.flatten())
    add("link7", "hand", box, size=(high - low) / 2, pos=axes @ ((low + high) / 2), quat=quaternion)
    for finger, side in (("leftfinger", 1.0), ("rightfinger", -1.0)):
        add(finger, f"{finger}_pad", box, size=[0.010, 0.0055, 0.0165], pos=[0, side * 0.0055, 0.038],
            condim=4, friction=[1.6, 0.02, 0.0005], solref=[0.01, 1.0])  # fmt: skip
        add(finger, f"{finger}_root", box, size=[0.010, 0.0125, 0.014], pos=[0, side * 0.0130, 0.007])


def _gripper_axes(source: mujoco.MjModel, frames: dict[str, Frame]) -> Array:
    """Rotation of the gripper in link 7: z out of the hand, y along the fingers' opening."""
    data, _ = _frames(source)
    mujoco.mj_kinematics(source, data)
    finger = data.xmat[source.body("gripper_leftfinger").id].reshape(3, 3)
    rotation: Array = frames["link7"][1].T @ finger
    return rotation


def _add_grip_point(spec: mujoco.MjSpec, source: mujoco.MjModel, frames: dict[str, Frame]) -> None:
    """Site between the finger pads, 4 cm down the fingers, and the wrist camera."""
    data, _ = _frames(source)
    mujoco.mj_kinematics(source, data)
    finger = source.body("gripper_leftfinger").id
    axes = _gripper_axes(source, frames)
    origin, rotation = frames["link7"]
    root = rotation.T @ (data.xpos[finger] - origin)
    quaternion = np.zeros(4)
    mujoco.mju_mat2Quat(quaternion, axes.flatten())
    link = spec.body("link7")
    link.add_site(name="grip", pos=root + axes @ [0, 0, 0.040], quat=quaternion, group=5, size=[0.005] * 3)
    # The camera looks along the fingers (its -z is the gripper's z) from 7 cm beside the hand.
    flipped = axes @ np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]]).T
    mujoco.mju_mat2Quat(quaternion, flipped.flatten())
    link.add_camera(name="wrist", pos=root + axes @ [0.07, 0, -0.04], quat=quaternion, fovy=75)


def _couple_fingers(spec: mujoco.MjSpec) -> None:
    """Both fingers open alike."""
    spec.add_equality(
        name="fingers", type=mujoco.mjtEq.mjEQ_JOINT, name1="finger2", name2="finger1",
        objtype=mujoco.mjtObj.mjOBJ_JOINT, data=[0, -1] + [0] * 10, solref=[0.01, 1],
    )  # fmt: skip
