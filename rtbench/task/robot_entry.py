"""Robots, as written in envs/robots/*.yaml: their own model, joints, gripper, base and cameras.

Lengths are metres and angles are radians, as in robots' own files. The base frame has its origin on the floor
below the middle of the robot, x forward, y to the left. `rtbench.env.robot_model` makes the model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from rtbench.core.errors import UnknownNameError
from rtbench.task.yaml_loader import Entry

DEFAULT_CONTROLLER = "stiff"
"""The controller of a robot that is named without one."""
BASE_JOINTS = ("base_x", "base_y", "base_yaw")
"""Joints of every robot's planar base [m, m, rad], in this order."""
FINGERS = ("leftfinger", "rightfinger")
"""The two fingers of every gripper, by the names that contacts are counted under."""

Drive = tuple[float, float, float]
"""Stiffness [N m/rad, N/m], damping [N m s/rad, N s/m] and greatest force [N m, N] of a position drive."""
Point = tuple[float, float, float]
"""x, y, z [m]."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceEntry(_Part):
    """Where the robot's own model comes from."""

    kind: Literal["robosuite", "menagerie"]
    """robosuite's PandaOmron out of its wheel, or a folder of MuJoCo Menagerie."""
    folder: str = ""
    """Of Menagerie."""
    file: str = ""
    """MJCF file in it."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.kind == "menagerie") != bool(self.folder and self.file):
            raise ValueError("a source of kind 'menagerie', and no other, has 'folder' and 'file'")
        return self


class NeckEntry(_Part):
    """A link of the head that the source has welded to another: it is turned and held there."""

    on: str
    """Body that it is welded to in the source, or an earlier entry of the neck."""
    meshes: tuple[str, ...]
    """Its meshes in the source."""
    at: Point
    """Its joint, in the frame of `on` [m]."""
    axis: Point
    """Unit vector in that frame."""
    angle: float
    """Turn [rad]."""


class BoxEntry(_Part):
    """A box that collides in place of a body's meshes."""

    body: str
    at: Point
    """Middle, in the body's frame [m]."""
    half: Point
    """Half sizes [m]."""
    turn: float = 0.0
    """About the body's x axis [rad]."""
    friction: float = Field(1.0, gt=0)
    """Sliding friction."""


class BaseEntry(_Part):
    """The planar base, which slides and turns on the floor."""

    body: str
    """Body of the model that slides and turns."""
    mass: float | None = Field(None, gt=0)
    """[kg]; as in the source where not given."""
    drives: dict[Literal["base_x", "base_y", "base_yaw"], Drive]
    yaw_armature: float = Field(0.0, ge=0)
    """Inertia of the turning drive's own parts [kg m^2]."""
    ahead: float
    """The arm's axis is this far before the middle [m]."""
    approach: float = Field(0.22, gt=0)
    """Most by which the base comes nearer to a counter than its station is [m]."""
    sides: tuple[float, float] = (-0.30, 0.30)
    """Where the base drives to, what it works at is between these, to the left of the base [m]."""
    to_counter: float = Field(gt=0)
    """Distance from the arm's axis to the counter's front edge at a station [m]."""
    aside: float = 0.0
    """A station is this far to the left of the counter's middle [m], for an arm on the right."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if set(self.drives) != set(BASE_JOINTS):
            raise ValueError(f"drives are those of {', '.join(BASE_JOINTS)}")
        return self


class JointEntry(_Part):
    """A joint of the arm."""

    home: float
    """Angle at the start of an episode [rad]."""
    drive: Drive
    """Of the controller 'stiff'."""
    speed: float = Field(gt=0)
    """Fastest turn [rad/s]."""
    posture: float = Field(0.05, ge=0, le=1)
    """Pull towards `home` in the null space of inverse kinematics, a share of the difference per step."""
    most: float | None = None
    """Upper limit that inverse kinematics keeps, where it is less than the joint's own [rad]."""


class ToolEntry(_Part):
    """The grip point: its z axis points out of the hand, fingers open along its y axis."""

    body: str
    at: Point
    """In the body's frame [m]."""
    tilt: Point = (0.0, 0.0, 0.0)
    """Its turn in that frame, a rotation vector [rad]."""


class LeanEntry(_Part):
    """How far a hand that works from above leans forward: a wrist with a short range must, high up."""

    above: float
    """Height of the grip point from which it leans [m]."""
    slope: float = Field(gt=0)
    """Further lean per height [rad/m]."""
    most: float = Field(gt=0, lt=1.2)
    """[rad]"""

    def at(self, height: float) -> float:
        """Lean of a hand whose grip point is at that height [rad]."""
        return min(max(0.0, self.slope * (height - self.above)), self.most)


class ArmEntry(_Part):
    """The arm."""

    joints: dict[str, JointEntry] = Field(min_length=7, max_length=7)
    """From the base to the hand, by the names of the model."""
    tool: ToolEntry | None = None
    """The grip point; None where the model has the site 'grip'."""
    forearm: tuple[str, ...] = Field(min_length=1)
    """Capsules that collide for forearm and wrist."""
    reach: tuple[float, float]
    """Nearest and farthest place that the hand works at, from the arm's axis [m]."""
    placed: float
    """Farthest place from there at which an object is put at the start [m]."""
    nearer: tuple[float, float]
    """Where an object is farther from the axis than the second, the base comes as near as the first [m]."""
    easy: Point
    """Grip point in the base frame from which the arm reaches any pose [m]."""
    tucked: Point
    """Grip point in the base frame while driving far [m]."""
    hook: float = Field(gt=0, lt=1.5)
    """Lean of fingers that hook or push a drawer [rad]: hand and wrist pass in front of the handles above."""
    drawn: float = Field(0.0, ge=0)
    """The handle of a drawer that is drawn out stays this far from the arm's axis at least [m]."""
    highest: float | None = None
    """Greatest height of the grip point on its way over things [m]; None for an arm that clears all."""
    lean: LeanEntry | None = None
    """None for a hand that points straight down at any height."""
    folded: float
    """Nearer than this to the arm's axis a low hand cannot be raised straight up [m]."""

    @property
    def home(self) -> tuple[float, ...]:
        """Joint angles at the start of an episode [rad]."""
        return tuple(joint.home for joint in self.joints.values())


class ShapeEntry(_Part):
    """Shape of the gripper as the oracle reckons with it: fingers open by `GripperEntry.wide`, hand down."""

    tip: float
    """Fingertip below the grip point [m]."""
    palm: float
    """What stands between the fingers meets the palm this far above the grip point [m]."""
    knuckles: float
    """The hand's footprint counts from this far above the grip point [m]."""
    hand: tuple[float, float]
    """Half thickness and half width (along the opening) of the hand [m]."""
    finger: tuple[float, float]
    """Half thickness and half width (along the opening) of a finger [m]."""
    tip_half: float
    """Half thickness of a fingertip across the opening [m]."""
    middle: float
    """Distance of a finger's middle from the grip point [m]."""


class GripperEntry(_Part):
    """A gripper with two fingers, which are driven together."""

    joints: dict[str, float] = Field(min_length=2, max_length=2)
    """Joint of each finger -> its sign: fingers part as joint times sign grows if they slide, and as the
    table `openings` says if they turn."""
    openings: tuple[tuple[float, float], ...] = ()
    """For fingers that turn: joint angle times sign [rad] -> distance between the pads [m], nearest first.
    Fingers that slide are apart by the sum of both joints."""
    open: float = Field(gt=0)
    """Greatest distance between the pads [m], at the start and for a closedness of -1."""
    wide: float = Field(gt=0)
    """Distance to which the oracle opens [m]."""
    home: float
    """Joint times sign at the start."""
    drive: Drive
    fingers: dict[Literal["leftfinger", "rightfinger"], tuple[str, ...]]
    """Bodies of each finger."""
    holds: tuple[float, float]
    """Fingers that are nearer together than the first, or farther apart than the second, hold nothing [m]."""
    shape: ShapeEntry

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if set(self.fingers) != set(FINGERS):
            raise ValueError(f"fingers are {' and '.join(FINGERS)}, each with its bodies")
        apart = [distance for _, distance in self.openings]
        if apart and (len(apart) < 2 or sorted(set(apart)) != apart):
            raise ValueError("openings are two pairs or more, of growing distance")
        if self.wide > self.open:
            raise ValueError(f"wide is at most open, got {self.wide:g} and {self.open:g} m")
        return self

    def positions(self, opening: float) -> list[float]:
        """Joint positions at which the pads are that far apart [m], in the order of `joints`."""
        if self.openings:
            angles, apart = zip(*self.openings, strict=True)
            place = float(np.interp(opening, apart, angles))
        else:
            place = opening / 2
        return [sign * place for sign in self.joints.values()]

    def opening(self, positions: Sequence[float]) -> float:
        """Distance between the pads [m] at joint positions in the order of `joints`."""
        signed = [sign * q for sign, q in zip(self.joints.values(), positions, strict=True)]
        if not self.openings:
            return float(sum(signed))
        angles, apart = zip(*self.openings, strict=True)
        mean = sum(signed) / len(signed)
        way = 1 if angles[0] < angles[-1] else -1  # np.interp wants growing places
        return float(np.interp(way * mean, [way * angle for angle in angles], apart))


class SimplerEntry(_Part):
    """The controller 'simpler': a jerk-limited path of joint angles, which slow drives follow."""

    drives: dict[str, Drive]
    """Of the arm's joints."""
    speed: float = Field(gt=0)
    """Of the joints' path [rad/s]."""
    acceleration: float = Field(gt=0)
    """[rad/s^2]"""
    jerk: float = Field(gt=0)
    """Of the path of joints and fingers [rad/s^3]."""
    gripper_drive: Drive
    """Of each finger."""
    gripper_turn: float = Field(gt=0)
    """Turn of the fingers' target for a gripper's number of 1 [rad]."""
    gripper_speed: float = Field(gt=0)
    """[rad/s]"""
    gripper_acceleration: float = Field(gt=0)
    """[rad/s^2]"""
    gripper_limits: tuple[float, float]
    """Least and greatest target of the fingers' joints times sign [rad]."""
    armature: float = Field(ge=0)
    """Of the arm's joints [kg m^2]: enough for the damping of the drives."""
    finger_armature: float = Field(ge=0)


class ControllersEntry(_Part):
    """Controllers besides the default one, by name."""

    simpler: SimplerEntry | None = None


class CameraEntry(_Part):
    """A camera. Without `at`, it is the model's own of that name."""

    body: str = ""
    """Body that carries it."""
    at: Point | None = None
    """Its place in the body's frame [m]."""
    towards: Point = (1.0, 0.0, 0.0)
    """A point that it looks at, in the body's frame [m]; its picture's up is the body's z."""
    fovy: float = Field(45.0, gt=0, lt=180)
    """Height of the picture [degrees]: 2 atan(height / 2 / focal length), both in pixels."""
    size: tuple[int, int] = (320, 256)
    """Width and height of the real camera's picture, or ours [pixels]."""
    resizing: Literal["none", "area"] = "none"
    """How a picture of that size becomes one of 320 x 256 in the profile 'full': 'area' takes means.

    The profile 'lean' draws 320 x 256 pixels at once.
    """
    mast: tuple[float, float, float] | None = None
    """Foot of a mast that carries it, drawn in the base frame [m]."""

    @property
    def heading(self) -> float:
        """Direction in which it looks, in the body's frame [rad]."""
        x, y, _ = self.at or (0.0, 0.0, 0.0)
        return math.atan2(self.towards[1] - y, self.towards[0] - x)

    @property
    def scale(self) -> int:
        """Pixels of that size along one of ours."""
        return self.size[0] // 320

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.at is None) != (not self.body):
            raise ValueError("give 'body' and 'at', or neither for a camera that the model has")
        width, height = self.size
        if (width % 320, height % 256) != (0, 0) or width // 320 != height // 256:
            raise ValueError(f"size is a multiple of 320 x 256, got {width} x {height}")
        if (self.size != (320, 256)) != (self.resizing == "area"):
            raise ValueError("resizing is 'area' where size is not 320 x 256")
        return self


class RobotEntry(Entry):
    """One robot, as written in envs/robots/*.yaml."""

    summary: str
    """One line for listings."""
    source: SourceEntry
    base: BaseEntry
    arm: ArmEntry
    gripper: GripperEntry
    cameras: dict[Literal["head", "wrist"], CameraEntry]
    controller: Literal["stiff", "simpler"]
    """How actions become targets: 'stiff' moves a commanded pose, which the drives follow closely. In a file
    the default one; `with_controller` chooses another."""
    controllers: ControllersEntry = ControllersEntry()
    """Those besides 'stiff', which every robot has."""
    neck: dict[str, NeckEntry] = Field(default_factory=dict)
    """Links of the head, by the name of the body that is made for each."""
    held: dict[str, float] = Field(default_factory=dict)
    """Joints of the source besides those of arm and fingers, such as a lift: where each is held [m, rad]. One
    that is not named is held where it is as modelled."""
    turned: dict[str, float] = Field(default_factory=dict)
    """Body -> its turn about x in its parent [rad], instead of the source's."""
    boxes: tuple[BoxEntry, ...] = ()
    """Boxes that collide; all other links of the arm have a fitted capsule each."""
    armature: float = Field(0.3, ge=0)
    """Of the arm's joints [kg m^2]."""
    finger_armature: float = Field(0.3, ge=0)

    @model_validator(mode="after")
    def _controls(self) -> Self:
        simpler = self.controllers.simpler
        if simpler and set(simpler.drives) != set(self.arm.joints):
            raise ValueError(f"controllers.simpler.drives are those of {', '.join(self.arm.joints)}")
        if simpler and not self.gripper.openings:
            raise ValueError("controllers.simpler turns fingers: the gripper needs 'openings'")
        return self

    @model_validator(mode="after")
    def _sees(self) -> Self:
        if "head" not in self.cameras:
            raise ValueError("cameras have 'head', from which every episode is seen")
        return self

    @property
    def controller_names(self) -> tuple[str, ...]:
        """Controllers that it has, the default one first."""
        return (DEFAULT_CONTROLLER, *self.controllers.model_dump(exclude_none=True))

    @property
    def known_as(self) -> str:
        """Its name in episodes: with the controller, where that is not the default one."""
        return self.name if self.controller == DEFAULT_CONTROLLER else f"{self.name}:{self.controller}"

    def with_controller(self, name: str) -> Self:
        """The robot under one of its controllers.

        Raises:
            UnknownNameError: it has none of that name.
        """
        if name not in self.controller_names:
            raise UnknownNameError("controller", name, self.controller_names, where=f"robot {self.name}")
        return self.model_copy(update={"controller": name})

    @property
    def head(self) -> CameraEntry:
        """The head camera."""
        return self.cameras["head"]
