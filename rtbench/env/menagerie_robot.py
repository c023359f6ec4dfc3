"""Bakes a robot of MuJoCo Menagerie into one that plays here; `rtbench.env.robot_cache` keeps it.

What is seen is the source's. What collides becomes lean, as for the Panda: a capsule for each link of the arm
and the boxes of the robot's file, in place of meshes. The base gets joints on the floor, the head its angles,
and all joints drives. The result is a folder with `robot.xml`, its meshes and its textures.
"""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import mujoco
import numpy as np

from rtbench.core.rotation import from_rotation_vector, multiply, rotate
from rtbench.env.menagerie_source import robot_folder
from rtbench.env.object import COLLISION_GROUP, VISUAL_GROUP
from rtbench.env.robot_mesh import Array, fit_capsule
from rtbench.env.robot_model import GRIP, ROBOT_CONTACT, add_drives, check_names, check_source_names
from rtbench.env.robot_source import RobotError
from rtbench.task.robot_entry import BASE_JOINTS, RobotEntry

_MESH = mujoco.mjtGeom.mjGEOM_MESH
PAD = {"condim": 4, "solref": [0.01, 1.0]}
"""Contacts of fingers resist turning about the line between them."""


def write_robot(folder: Path, robot: RobotEntry) -> None:
    """Writes `robot.xml`, meshes and textures into `folder`.

    Raises:
        RobotError: the source cannot be found, read or compiled, or lacks a name of the robot's file.
    """
    place = robot_folder(robot)
    try:
        spec = mujoco.MjSpec.from_file(str(place / robot.source.file))
        source = spec.compile()
    except ValueError as error:
        raise RobotError(f"{place / robot.source.file}: not a model: {str(error).splitlines()[0]}.") from None
    check_source_names(spec, robot)
    _fix_inertias(spec, source)
    capsules = _capsules(spec, source, robot)
    _hold(spec, source, robot)
    _strip(spec, robot)
    _turn_head(spec, robot)
    _turn_fingers(spec, robot)
    _add_collision(spec, robot, capsules)
    check_names(spec, robot)
    _add_joints(spec, robot)
    _copy_assets(spec, place, folder)
    spec.compile()
    # Without the folder's name, meshes and textures are found beside the XML, wherever that is moved to.
    text = spec.to_xml()
    for key in ("meshdir", "texturedir", "assetdir"):
        text = text.replace(f' {key}="{folder}/"', "").replace(f' {key}="{folder}"', "")
    (folder / "robot.xml").write_text(text)


def _fix_inertias(spec: mujoco.MjSpec, source: mujoco.MjModel) -> None:
    """Keep the inertias that the source has from the geoms which are about to go."""
    for body in spec.bodies[1:]:
        number = source.body(body.name).id
        body.mass, body.ipos = float(source.body_mass[number]), source.body_ipos[number]
        body.iquat, body.inertia = source.body_iquat[number], source.body_inertia[number]
        body.explicitinertial, body.gravcomp = True, 1


def _capsules(
    spec: mujoco.MjSpec, source: mujoco.MjModel, robot: RobotEntry
) -> dict[str, tuple[Array, Array, float]]:
    """A capsule about the collision meshes of each link of the arm that has no box, in the link's frame."""
    boxed = {box.body for box in robot.boxes}
    found = {}
    for joint in robot.arm.joints:
        name = spec.joint(joint).parent.name
        if name in boxed:
            continue
        geoms = [
            g for g in range(source.ngeom)
            if source.geom_bodyid[g] == source.body(name).id and source.geom_type[g] == _MESH
            and (source.geom_contype[g] or source.geom_conaffinity[g])
        ]  # fmt: skip
        if geoms:
            found[name] = fit_capsule(np.concatenate([_vertices(source, geom) for geom in geoms]))
    return found


def _vertices(source: mujoco.MjModel, geom: int) -> Array:
    """Vertices float64[n, 3] [m] of a geom's mesh in its body's frame."""
    mesh, rotation = source.geom_dataid[geom], np.zeros(9)
    first, count = source.mesh_vertadr[mesh], source.mesh_vertnum[mesh]
    mujoco.mju_quat2Mat(rotation, source.geom_quat[geom])
    vertices: Array = (
        source.mesh_vert[first : first + count] @ rotation.reshape(3, 3).T + source.geom_pos[geom]
    )
    return vertices


def _hold(spec: mujoco.MjSpec, source: mujoco.MjModel, robot: RobotEntry) -> None:
    """Take out all joints but those of the arm and the fingers: what they carry stays where the file says.

    That is a lift, a head, wheels, or the source's own way to move its base.
    """
    moved = {*robot.arm.joints, *robot.gripper.joints}
    for joint in [joint for joint in spec.joints if joint.name not in moved]:
        body, value = joint.parent, robot.held.get(joint.name)
        if value is not None:
            number, joint_number = source.body(body.name).id, source.joint(joint.name).id
            place, turned = source.body_pos[number], source.body_quat[number]
            axis, about = source.jnt_axis[joint_number], source.jnt_pos[joint_number]
            way = axis * (value - source.qpos0[source.jnt_qposadr[joint_number]])
            if source.jnt_type[joint_number] == mujoco.mjtJoint.mjJNT_SLIDE:
                body.pos, body.quat = place + rotate(turned, way), turned
            else:
                body.quat = multiply(turned, from_rotation_vector(way))
                body.pos = place + rotate(turned, about) - rotate(body.quat, about)
        spec.delete(joint)


def _strip(spec: mujoco.MjSpec, robot: RobotEntry) -> None:
    """Remove what collides, is driven or shines, and what is not the robot; keep what is seen."""
    for things in (
        spec.actuators, spec.sensors, spec.keys, spec.lights, spec.cameras, spec.sites, spec.equalities,
        spec.excludes, spec.worldbody.geoms, _strangers(spec, robot),
    ):  # fmt: skip
        for thing in list(things):
            spec.delete(thing)
    # Where nothing is there for the eye alone, what collides is what is seen.
    alike = all(geom.contype or geom.conaffinity for geom in spec.geoms)
    for geom in list(spec.geoms):
        if not alike and (geom.contype or geom.conaffinity):
            spec.delete(geom)
        else:
            geom.group, geom.mass, geom.contype, geom.conaffinity = VISUAL_GROUP, 0, 0, 0
            geom.name = ""
    used = {geom.meshname for geom in spec.geoms}
    for mesh in [mesh for mesh in spec.meshes if mesh.name not in used]:
        spec.delete(mesh)


def _strangers(spec: mujoco.MjSpec, robot: RobotEntry) -> list[mujoco.MjsBody]:
    """Bodies of the source that are not the robot's: a table, a target."""
    return [body for body in spec.worldbody.bodies if body.name != robot.base.body]


def _turn_head(spec: mujoco.MjSpec, robot: RobotEntry) -> None:
    """Give the head's links bodies of their own, turned as the robot's file says."""
    origin: dict[str, Array] = {}
    for name, link in robot.neck.items():
        parent = spec.body(link.on)
        body = parent.add_body(
            name=name, pos=link.at, quat=from_rotation_vector(np.multiply(link.axis, link.angle))
        )
        origin[name] = origin.get(link.on, np.zeros(3)) + link.at
        for geom in [g for g in spec.geoms if g.meshname in link.meshes]:
            # The source has it unturned, in the frame of the body that the neck stands on.
            body.add_geom(
                type=_MESH, meshname=geom.meshname, material=geom.material, pos=geom.pos - origin[name],
                quat=geom.quat, group=VISUAL_GROUP, contype=0, conaffinity=0, mass=0,
            )  # fmt: skip
            spec.delete(geom)


def _turn_fingers(spec: mujoco.MjSpec, robot: RobotEntry) -> None:
    for name, angle in robot.turned.items():
        body = spec.body(name)
        body.quat = multiply(body.quat, from_rotation_vector(np.array([angle, 0.0, 0.0])))


def _add_collision(
    spec: mujoco.MjSpec, robot: RobotEntry, capsules: dict[str, tuple[Array, Array, float]]
) -> None:
    fingers = {body for bodies in robot.gripper.fingers.values() for body in bodies}
    for name, (start, end, radius) in capsules.items():
        spec.body(name).add_geom(
            name=name, type=mujoco.mjtGeom.mjGEOM_CAPSULE, fromto=[*start, *end], size=[radius, 0, 0],
            group=COLLISION_GROUP, mass=0, **ROBOT_CONTACT,
        )  # fmt: skip
    for number, box in enumerate(robot.boxes):
        half = box.turn / 2
        spec.body(box.body).add_geom(
            name=f"{box.body}:{number}", type=mujoco.mjtGeom.mjGEOM_BOX, size=box.half, pos=box.at,
            quat=[math.cos(half), math.sin(half), 0, 0], friction=[box.friction, 0.02, 0.0005],
            group=COLLISION_GROUP, mass=0, **ROBOT_CONTACT, **(PAD if box.body in fingers else {}),
        )  # fmt: skip


def _add_joints(spec: mujoco.MjSpec, robot: RobotEntry) -> None:
    """Joints of the base, drives, the coupling of the fingers, and the grip point."""
    slide, hinge = mujoco.mjtJoint.mjJNT_SLIDE, mujoco.mjtJoint.mjJNT_HINGE
    # All damping is the drives': see the integrator in `rtbench.env.scene`.
    for joint in spec.joints:
        joint.damping, joint.frictionloss = np.zeros(3), 0
        joint.armature = robot.finger_armature if joint.name in robot.gripper.joints else robot.armature
    base = spec.body(robot.base.body)
    base.pos = [0.0, 0.0, base.pos[2]]
    for name, kind, axis in zip(
        BASE_JOINTS, (slide, slide, hinge), ([1, 0, 0], [0, 1, 0], [0, 0, 1]), strict=True
    ):
        armature = robot.base.yaw_armature if kind is hinge else 0.0
        base.add_joint(
            name=name, type=kind, axis=axis, damping=np.zeros(3), frictionloss=0, armature=armature
        )
    if robot.base.mass is not None:
        base.inertia = base.inertia * (robot.base.mass / base.mass)
        base.mass = robot.base.mass
    add_drives(spec, robot)
    first, second = robot.gripper.joints
    ratio = robot.gripper.joints[second] / robot.gripper.joints[first]
    spec.add_equality(
        name="fingers", type=mujoco.mjtEq.mjEQ_JOINT, name1=second, name2=first,
        objtype=mujoco.mjtObj.mjOBJ_JOINT, data=[0, ratio] + [0] * 10, solref=[0.01, 1],
    )  # fmt: skip
    if tool := robot.arm.tool:
        spec.body(tool.body).add_site(
            name=GRIP, pos=tool.at, quat=from_rotation_vector(np.array(tool.tilt)), group=5, size=[0.005] * 3
        )


def _copy_assets(spec: mujoco.MjSpec, place: Path, folder: Path) -> None:
    """Put meshes and textures that are still used beside the XML."""
    for directory, things in ((spec.meshdir, spec.meshes), (spec.texturedir, spec.textures)):
        for thing in things:
            if thing.file:
                shutil.copyfile(place / directory / thing.file, folder / Path(thing.file).name)
                thing.file = Path(thing.file).name
    spec.modelfiledir = spec.meshdir = spec.texturedir = str(folder)
