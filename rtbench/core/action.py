"""RT-1's 11-dimensional action, its two conventions and its tokens.

An action is eleven numbers in SI units: gripper displacement x, y, z [m] and rotation vector roll, pitch,
yaw [rad] in the robot's base frame (x forward, y left, z up), gripper closedness (-1 open, +1 closed),
base displacement x, y [m] and base yaw [rad] in the base frame, and a mode. In arm mode the base numbers
are ignored, in base mode the arm's and gripper's.

A convention fixes the bounds, the order of the tokens, the numbering of the modes and the rounding:

- ``rtbench``: bounds that one 3 Hz step can reach, signed dimensions laid out like an int8 so that
  token 128 is *exactly* zero: an idle policy does not drift. Rounds to the nearest bin.
- ``rt1``: bounds and order of the released RT-1 checkpoints (``policy_specs.pbtxt`` and
  ``tokenize_action`` of open_x_embodiment). Rounds; ``rt1-reference`` truncates as the published code does.
- ``fractal``: as ``rtbench``, with bounds of 25 cm and 0.64 rad, which hold the 1st to 99th percentile of the
  data set fractal20220817_data, for policies that were trained on it and a controller that does not clip.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtbench.core.errors import ActionError, UnknownNameError

BINS = 256
DIMENSIONS = (
    "x", "y", "z", "roll", "pitch", "yaw", "gripper", "base_x", "base_y", "base_yaw", "mode",
)  # fmt: skip
SIZE = len(DIMENSIONS)


class Mode(IntEnum):
    """Mode of an action: the part that it moves. The numbers are those of action vectors and of `rtbench`."""

    ARM = 0
    BASE = 1
    TERMINATE = 2


ARM_SLICE = slice(0, 6)
GRIPPER = 6
BASE_SLICE = slice(7, 10)
MODE = 10


def _int8(step: float) -> tuple[float, float]:
    """Lower and upper bound of 256 bins that are `step` apart; token 128 is zero."""
    return -128 * step, 127 * step


@dataclass(frozen=True)
class Convention:
    """How eleven numbers become eleven tokens, and back."""

    name: str
    """Name used in policy cards and results."""
    low: tuple[float, ...]
    """Lower bound of the ten continuous dimensions, in the order of DIMENSIONS."""
    high: tuple[float, ...]
    """Upper bound, likewise."""
    order: tuple[int, ...]
    """order[k] is the index in DIMENSIONS of the quantity that token k carries."""
    modes: tuple[Mode, ...]
    """modes[t] is what mode token t means."""
    truncate: bool = False
    """Truncate to the bin below, as the published code does, instead of rounding."""

    @property
    def tokens_per_dimension(self) -> NDArray[np.int64]:
        """int64[11]: number of tokens at each token position (256, or 3 at the mode)."""
        return np.array(self._limits, dtype=np.int64)

    @cached_property
    def _limits(self) -> tuple[int, ...]:
        return tuple(len(Mode) if d == MODE else BINS for d in self.order)

    @cached_property
    def _values(self) -> list[list[float]]:
        """What each token stands for, by token position."""
        low, high = np.array(self.low)[:, None], np.array(self.high)[:, None]
        # Rounded to 12 decimals, so that a motionless token is 0 and not -1.4e-17.
        bins = np.round(low + np.arange(BINS) * ((high - low) / (BINS - 1)), 12) + 0.0
        by_dimension = [*bins.tolist(), [float(mode) for mode in self.modes]]
        return [by_dimension[dimension] for dimension in self.order]

    def encode(self, action: ArrayLike) -> NDArray[np.int64]:
        """Tokens int64[11], in token order, of an action float[11]; out of bounds is clipped.

        Raises:
            ActionError: wrong shape, NaN or infinity, or an unknown mode; names the dimension.
        """
        vector = check_action(action)
        low, high = np.array(self.low), np.array(self.high)
        scaled = (np.clip(vector[:MODE], low, high) - low) / (high - low) * (BINS - 1)
        bins = np.floor(scaled + 1e-9) if self.truncate else np.floor(scaled + 0.5)
        by_dimension = np.empty(SIZE, dtype=np.int64)
        by_dimension[:MODE] = bins.astype(np.int64)
        by_dimension[MODE] = self.modes.index(Mode(int(vector[MODE])))
        return by_dimension[list(self.order)]

    def decode(self, tokens: ArrayLike) -> NDArray[np.float64]:
        """Action float64[11] of tokens int[11] in token order.

        Raises:
            ActionError: wrong shape, not integers, or out of range; names the dimension.
        """
        action = [0.0] * SIZE
        for token, values, dimension in zip(
            self.check_tokens(tokens).tolist(), self._values, self.order, strict=True
        ):
            action[dimension] = values[token]
        return np.array(action)

    def check_tokens(self, tokens: ArrayLike) -> NDArray[np.int64]:
        """The tokens as int64[11], or an ActionError that names the dimension."""
        try:
            array = np.asarray(tokens)
        except ValueError as error:
            raise ActionError(f"action tokens are ragged; expected {SIZE} whole numbers.") from error
        if array.shape != (SIZE,):
            raise ActionError(f"action tokens have shape {array.shape}; expected ({SIZE},).")
        if array.dtype.kind == "f":
            bad = np.flatnonzero(~np.isfinite(array) | (array != np.round(array)))
            if bad.size:
                k = int(bad[0])
                name = DIMENSIONS[self.order[k]]
                raise ActionError(f"action token {k} ({name}) is {array[k]}; expected a whole number.")
        elif array.dtype.kind not in "iu":
            raise ActionError(f"action tokens have dtype {array.dtype}; expected integers.")
        for k, (token, limit) in enumerate(zip(array.tolist(), self._limits, strict=True)):
            if not 0 <= token < limit:
                name = DIMENSIONS[self.order[k]]
                raise ActionError(f"action token {k} ({name}) is {array[k]}; allowed 0 to {limit - 1}.")
        return array.astype(np.int64)


_OWN = [_int8(0.08 / 128)] * 3 + [_int8(0.5 / 128)] * 3 + [(-1.0, 1.0)] + [_int8(0.2 / 128)] * 2
_OWN += [_int8(0.5 / 128)]
_RT1 = [(-1.0, 1.0)] * 3 + [(-math.pi / 2, math.pi / 2)] * 3 + [(-1.0, 1.0)]
_RT1 += [(-1.0, 1.0)] * 2 + [(-math.pi, math.pi)]
_RT1_ORDER = (MODE, 0, 1, 2, 3, 4, 5, GRIPPER, 9, 7, 8)
_RT1_MODES = (Mode.TERMINATE, Mode.ARM, Mode.BASE)


def _convention(
    name: str, bounds: list[tuple[float, float]], order: tuple[int, ...], modes: tuple[Mode, ...],
    *, truncate: bool = False,
) -> Convention:  # fmt: skip
    low, high = zip(*bounds, strict=True)
    return Convention(name, tuple(low), tuple(high), order, modes, truncate)


RTBENCH = _convention("rtbench", _OWN, tuple(range(SIZE)), (Mode.ARM, Mode.BASE, Mode.TERMINATE))
RT1 = _convention("rt1", _RT1, _RT1_ORDER, _RT1_MODES)
RT1_REFERENCE = _convention("rt1-reference", _RT1, _RT1_ORDER, _RT1_MODES, truncate=True)
_FRACTAL = [_int8(0.25 / 128)] * 3 + [_int8(0.64 / 128)] * 3 + _OWN[6:]
FRACTAL = _convention("fractal", _FRACTAL, tuple(range(SIZE)), (Mode.ARM, Mode.BASE, Mode.TERMINATE))
CONVENTIONS = {c.name: c for c in (RTBENCH, RT1, RT1_REFERENCE, FRACTAL)}

REACH_LOW = np.array(RTBENCH.low)
"""float64[10] [m, rad, 1], in the order of DIMENSIONS: lower bounds of one control step; the simulator clips
to them."""
REACH_HIGH = np.array(RTBENCH.high)
"""float64[10]: the upper bounds, likewise."""
_SLACK = ((REACH_HIGH - REACH_LOW) / (BINS - 1) / 2).tolist()
"""Half a bin: a value that encodes to the last bin was not out of range."""
_USED = {Mode.ARM: slice(0, GRIPPER + 1), Mode.BASE: BASE_SLICE, Mode.TERMINATE: slice(0, 0)}
"""Dimensions that each mode uses."""


def convention(name: str) -> Convention:
    """The convention of that name; an unknown one is an UnknownNameError."""
    try:
        return CONVENTIONS[name]
    except KeyError:
        raise UnknownNameError("action convention", name, CONVENTIONS) from None


def check_action(action: ArrayLike) -> NDArray[np.float64]:
    """The action as float64[11], or an ActionError that names the dimension."""
    try:
        array = np.asarray(action)
    except ValueError as error:
        raise ActionError(f"action is ragged; expected {SIZE} numbers: {', '.join(DIMENSIONS)}.") from error
    if array.dtype.kind not in "iuf":
        raise ActionError(f"action has dtype {array.dtype}; expected numbers: {', '.join(DIMENSIONS)}.")
    vector = array.astype(np.float64)
    if vector.shape != (SIZE,):
        raise ActionError(f"action has shape {vector.shape}; expected ({SIZE},): {', '.join(DIMENSIONS)}.")
    numbers = vector.tolist()
    for name, number in zip(DIMENSIONS, numbers, strict=True):
        if not math.isfinite(number):
            raise ActionError(f"action dimension {name!r} is {number}; expected a number.")
    if numbers[MODE] not in (0.0, 1.0, 2.0):
        allowed = ", ".join(f"{m.value} {m.name.lower()}" for m in Mode)
        raise ActionError(f"action dimension 'mode' is {vector[MODE]}; allowed: {allowed}.")
    return vector


def clip_action(action: ArrayLike) -> tuple[NDArray[np.float64], int]:
    """The action float64[11] within what one step can reach, and how many dimensions were clipped.

    Only dimensions that the mode uses are counted: base numbers have no effect in arm mode.
    """
    clipped = check_action(action)
    # A few numbers: Python's arithmetic takes a quarter of the time of NumPy's.
    wanted = clipped[:MODE].tolist()
    within = [min(max(w, low), high) for w, low, high in zip(wanted, RTBENCH.low, RTBENCH.high, strict=True)]
    clipped[:MODE] = within
    beyond = [abs(w - r) > slack for w, r, slack in zip(wanted, within, _SLACK, strict=True)]
    return clipped, sum(beyond[_USED[Mode(int(clipped[MODE]))]])


def idle() -> NDArray[np.float64]:
    """An action float64[11] that holds still in arm mode with the gripper open."""
    vector = np.zeros(SIZE)
    vector[GRIPPER] = -1.0
    return vector
