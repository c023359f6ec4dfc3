"""The MuJoCo model of a robot: its baked geometry, with the drives of its file in envs/robots."""

from __future__ import annotations

import mujoco

from rtbench.core.errors import ContentError, nearest
from rtbench.env.robot_cache import robot_path
from rtbench.task.robot_entry import Drive, RobotEntry, SimplerEntry

ROBOT_CONTACT = {"contype": 2, "conaffinity": 1}
"""The robot touches the world (contype 1), not itself."""
GRIP = "grip"
"""Site of the grip point."""


def robot_spec(robot: RobotEntry) -> mujoco.MjSpec:
    """The robot under construction: baked once, then with the drives of its file.

    Raises:
        ContentError: its file names a joint or a body that the model lacks.
        RobotError: its own model cannot be found, read or kept.
    """
    spec = mujoco.MjSpec.from_file(str(robot_path(robot)))
    check_names(spec, robot)
    for name, drive in drives(robot).items():
        _set(spec.actuator(name), drive)
    if simpler := _simpler(robot):
        for name in robot.arm.joints:
            spec.joint(name).armature = simpler.armature
        for name in robot.gripper.joints:
            spec.joint(name).armature = simpler.finger_armature
    return spec


def _simpler(robot: RobotEntry) -> SimplerEntry | None:
    """Settings of the controller 'simpler' where the robot is under it."""
    return robot.controllers.simpler if robot.controller == "simpler" else None


def drives(robot: RobotEntry) -> dict[str, Drive]:
    """Drive of each joint under the robot's controller: of the arm, the base and the fingers."""
    simpler = _simpler(robot)
    arm = simpler.drives if simpler else {name: joint.drive for name, joint in robot.arm.joints.items()}
    fingers = dict.fromkeys(robot.gripper.joints, simpler.gripper_drive if simpler else robot.gripper.drive)
    base = {str(name): drive for name, drive in robot.base.drives.items()}
    return {**arm, **base, **fingers}


def add_drives(spec: mujoco.MjSpec, robot: RobotEntry) -> None:
    """A position actuator for each joint, of its name."""
    for joint, drive in drives(robot).items():
        actuator = spec.add_actuator(
            name=joint, target=joint, trntype=mujoco.mjtTrn.mjTRN_JOINT, forcelimited=True
        )
        _set(actuator, drive)


def _set(actuator: mujoco.MjsActuator, drive: Drive) -> None:
    stiffness, damping, limit = drive
    actuator.forcerange = [-limit, limit]
    actuator.set_to_position(kp=stiffness, kv=damping)


def check_names(spec: mujoco.MjSpec, robot: RobotEntry) -> None:
    """Refuse a file that names what the model lacks, with a ContentError: file, key and the nearest name."""
    arm, gripper = robot.arm, robot.gripper
    bodies = {
        "base.body": (robot.base.body,),
        **{f"gripper.fingers.{name}": found for name, found in gripper.fingers.items()},
        **{f"cameras.{name}.body": (c.body,) for name, c in robot.cameras.items() if c.body},
    }
    _check(robot, "joint", {"arm.joints": tuple(arm.joints), "gripper.joints": tuple(gripper.joints)},
           [joint.name for joint in spec.joints])  # fmt: skip
    _check(robot, "body", bodies, [body.name for body in spec.bodies])
    _check(robot, "geom", {"arm.forearm": arm.forearm}, [geom.name for geom in spec.geoms])


def check_source_names(spec: mujoco.MjSpec, robot: RobotEntry) -> None:
    """The same for a model of Menagerie's before anything of it is changed: all names that baking uses."""
    arm, gripper = robot.arm, robot.gripper
    joints = {
        "arm.joints": tuple(arm.joints),
        "gripper.joints": tuple(gripper.joints),
        "held": tuple(robot.held),
    }
    _check(robot, "joint", joints, [joint.name for joint in spec.joints])
    bodies = {
        "base.body": (robot.base.body,),
        "arm.tool.body": (arm.tool.body,) if arm.tool else (),
        **{f"gripper.fingers.{name}": found for name, found in gripper.fingers.items()},
        "boxes": tuple(box.body for box in robot.boxes),
        "turned": tuple(robot.turned),
        "neck": tuple(link.on for link in robot.neck.values() if link.on not in robot.neck),
    }
    _check(robot, "body", bodies, [body.name for body in spec.bodies])


def _check(robot: RobotEntry, kind: str, named: dict[str, tuple[str, ...]], known: list[str]) -> None:
    for key, names in named.items():
        for name in names:
            if name not in known:
                close = nearest(name, known)
                hint = f" Did you mean {close!r}?" if close else ""
                listed = ", ".join(sorted(filter(None, known)))
                file = robot.where.removesuffix(f": {robot.name}")
                raise ContentError(
                    file, robot.name, f"key {key!r} names the {kind} {name!r}, which the model lacks.{hint}"
                    f" It has: {listed}."
                )  # fmt: skip
