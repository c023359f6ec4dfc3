"""What the numbers of a policy mean: the section `action:` of a policy card.

A vision-language-action model gives a few numbers a step, each project in units and signs of its own. A
mapping says which, so that rtbench can turn them into its eleven tokens. Nothing here reads a file or
computes.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rtbench.core.errors import ContentError, UnknownNameError
from rtbench.policy.continuous.presets import PRESETS

WIDTHS = dict(position=3, rotation=3, joints=7, gripper=1, base=3, mode=1, terminate=1, unused=1)  # noqa: C408
"""Numbers of each part of a layout."""
Part = Literal["position", "rotation", "joints", "gripper", "base", "mode", "terminate", "unused"]
UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001}
"""Units of length [m]."""
DEGREE = 0.017453292519943295
"""[rad]."""
MOST_HZ = 24
"""The fastest control rate [Hz]: targets of the arm change 24 times a second."""


class _Section(BaseModel):
    """A part of a mapping: immutable, no unknown keys, numbers finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Position(_Section):
    """The three numbers of the hand's displacement."""

    unit: Literal["m", "cm", "mm"] | float = "m"
    """Unit of the numbers: a name, or the metres that 1.0 stands for."""
    frame: Literal["base", "hand"] = "base"
    """Axes of the displacement: the robot's base (x forward, y left, z up), or the hand (z out of the hand, y
    along the fingers' opening)."""
    limit: float | None = Field(default=None, gt=0)
    """Greatest size of a number; what is beyond it is clipped, as the controller that it was trained with
    does."""

    @property
    def metres(self) -> float:
        """Metres that 1.0 stands for."""
        return UNITS[self.unit] if isinstance(self.unit, str) else self.unit


class Rotation(_Section):
    """The three numbers of the hand's rotation."""

    form: Literal["rotation_vector", "rpy"] = "rotation_vector"
    """rotation_vector: axis times angle. rpy: roll, pitch and yaw about the fixed axes x, y and z, one after
    the other (R = Rz Ry Rx)."""
    unit: Literal["rad", "deg"] | float = "rad"
    """Unit of the numbers: a name, or the radians that 1.0 stands for."""
    frame: Literal["base", "hand"] = "base"
    """Axes of the rotation, as of the position."""
    limit: float | None = Field(default=None, gt=0)
    """Greatest size of a number, as of the position."""

    @property
    def radians(self) -> float:
        """Radians that 1.0 stands for."""
        if isinstance(self.unit, str):
            return DEGREE if self.unit == "deg" else 1.0
        return self.unit


class Joints(_Section):
    """The seven numbers of the joints' rotations in one step, for a Panda arm."""

    radians: float = 1.0
    """Radians that 1.0 stands for."""
    limit: float | None = Field(default=None, gt=0)
    """Greatest size of a number, as of the position."""


class Sticky(_Section):
    """A closing or opening, once begun, is sent for some actions; see `rtbench.policy.continuous.gripper`."""

    rule: Literal["on_change", "on_level"]
    """on_change: begun by a change of the number by more than half of its range (SIMPLER). on_level: begun
    wherever the number is more than a quarter of its range off the middle (vla-eval). Rates under the two
    cannot be compared."""
    actions: int = Field(default=15, ge=1)
    """Actions that it lasts."""


class Gripper(_Section):
    """The number of the gripper."""

    open: float = -1.0
    """The number that means open."""
    closed: float = 1.0
    """The number that means closed."""
    kind: Literal["absolute", "relative"] = "absolute"
    """absolute: where the fingers are to be. relative: by how much they are to close; a change of
    `closed - open` closes them all the way."""
    sends: Literal["closedness", "change"] = "closedness"
    """Of a relative or sticky number what the robot is told: how far the fingers are to be closed, or the
    change alone, for a controller such as `simpler` that takes changes."""
    threshold: float | None = None
    """Where given, a number above it counts as whichever of open and closed is the greater, any other as the
    smaller."""
    sticky: Sticky | None = None
    """Whether a change is held."""

    @model_validator(mode="after")
    def _differ(self) -> Self:
        if self.open == self.closed:
            raise ValueError(f"open and closed are both {self.open:g}; give two numbers")
        if self.sticky and (self.kind == "relative" or self.threshold is not None):
            raise ValueError("sticky is for absolute numbers without a threshold; leave one of them out")
        return self


class Normalization(_Section):
    """How numbers were scaled for training, to be undone."""

    method: Literal["mean_std", "quantiles", "min_max"]
    """mean_std: (x - mean) / std. quantiles: -1 at the 1st percentile (q01), 1 at the 99th (q99). min_max: -1
    at the least, 1 at the greatest."""
    statistics: str
    """File of the statistics, relative to the card: `dataset_statistics.json` of OpenVLA and Octo,
    `meta/stats.json` of LeRobot, its `episodes_stats.jsonl`, or `norm_stats.json` of openpi."""
    key: str | None = None
    """The data set, where the file has several."""
    mask: tuple[bool, ...] | None = None
    """Which numbers were scaled; the file's own mask, or all, where not given."""
    clip: bool = False
    """Clip to -1 to 1 before scaling, for quantiles and min_max."""


class Chunk(_Section):
    """How the actions of one prediction are used."""

    length: int | None = Field(default=None, ge=1)
    """Actions of a prediction, H; any, where not given."""
    execute: int | None = Field(default=None, ge=1)
    """Actions that are carried out before the next prediction; all, or one with an ensemble, where not
    given."""
    ensemble: float | None = Field(default=None, ge=0)
    """Temporal ensembling: actions that several predictions give for one step are averaged with weights
    exp(-ensemble * i), i = 0 for the oldest prediction. ACT has 0.01, Octo 0."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.length is not None and (self.execute or 1) > self.length:
            raise ValueError(f"execute is {self.execute}, and a chunk has {self.length} actions")
        return self


class End(_Section):
    """What ends an episode before its time is up."""

    rule: Literal["never", "mode", "terminate", "hold"] = "never"
    """never: nothing; read the result by `ever`. mode: the number `mode`, as RT-1's. terminate: the number
    `terminate` is above the threshold. hold: the policy has held still for some seconds."""
    threshold: float = 0.5
    """Of the number `terminate`."""
    seconds: float = Field(default=2.0, gt=0)
    """Time for which it holds still [s], in simulated time."""
    speed: float = Field(default=0.01, gt=0)
    """Commanded speed below which it holds still [m/s]."""
    turn: float = Field(default=0.05, gt=0)
    """Commanded turn below which it holds still [rad/s]."""


class ActionMapping(_Section):
    """What the numbers of a policy mean; the section `action:` of its card."""

    preset: str | None = None
    """A named mapping, of `rtbench.policy.continuous.presets.PRESETS`, whose values hold where nothing else
    is said."""
    layout: tuple[Part, ...] = ("position", "rotation", "gripper")
    """Parts of the numbers, in order; each at most once, but for `unused`."""
    position: Position = Position()
    rotation: Rotation = Rotation()
    joints: Joints = Joints()
    gripper: Gripper = Gripper()
    normalization: Normalization | None = None
    """None: the numbers are in the units above."""
    chunk: Chunk = Chunk()
    end: End = End()
    control_hz: int | None = Field(default=None, ge=1, le=MOST_HZ)
    """Control rate that the policy was trained at [Hz]; a run plays at it unless told otherwise."""

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.preset is not None and self.preset not in PRESETS:
            raise ValueError(str(UnknownNameError("preset", self.preset, PRESETS)))
        named = [part for part in self.layout if part != "unused"]
        if doubled := {part for part in named if named.count(part) > 1}:
            raise ValueError(f"layout: {', '.join(sorted(doubled))} stands there twice")
        if not named:
            raise ValueError("layout: names nothing that moves the robot")
        if "joints" in named and {"position", "rotation"} & set(named):
            raise ValueError("layout: give joints, or position and rotation")
        if self.end.rule in ("mode", "terminate") and self.end.rule not in named:
            raise ValueError(f"end: rule {self.end.rule} needs the part {self.end.rule!r} in the layout")
        return self

    @property
    def width(self) -> int:
        """Numbers of an action, D."""
        return sum(WIDTHS[part] for part in self.layout)

    @property
    def slices(self) -> dict[str, slice]:
        """Where each part stands among the numbers."""
        found: dict[str, slice] = {}
        begin = 0
        for part in self.layout:
            found[part] = slice(begin, begin + WIDTHS[part])
            begin += WIDTHS[part]
        return found

    @property
    def execute(self) -> int | None:
        """Actions that are carried out of a chunk; None: all."""
        if self.chunk.execute is None and self.chunk.ensemble is not None:
            return 1
        return self.chunk.execute

    def complete(self) -> ActionMapping:
        """The same with the preset's values where nothing was said.

        Raises:
            ContentError: the two do not go together.
        """
        if self.preset is None:
            return self
        merged = _merged(PRESETS[self.preset], self.model_dump(mode="json", exclude_unset=True))
        try:
            return ActionMapping.model_validate(merged)
        except ValueError as error:
            reason = str(error).splitlines()[2:3] or [str(error)]
            raise ContentError("action", f"preset {self.preset}", reason[0].strip()) from None


def at_rate(mapping: ActionMapping, control_hz: int | None) -> ActionMapping:
    """The same, complete, for a run at another control rate [Hz]; at its own where None."""
    whole = mapping.complete()
    return whole if control_hz is None else whole.model_copy(update={"control_hz": control_hz})


def preset(name: str) -> ActionMapping:
    """A named mapping; an unknown name is an UnknownNameError."""
    if name not in PRESETS:
        raise UnknownNameError("preset", name, PRESETS, where="action")
    return ActionMapping(preset=name).complete()


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    found = dict(base)
    for name, value in over.items():
        below = found.get(name)
        found[name] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return found
