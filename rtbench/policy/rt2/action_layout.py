"""Order of an action's tokens in the answer: all eleven, or the eight of RT-2's own arm-only convention."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from rtbench.core.action import BINS, MODE, SIZE, Mode, idle
from rtbench.core.action import convention as action_convention
from rtbench.core.errors import UnknownNameError

FULL, ARM = "full", "arm"
_ARM_ORDER = (MODE, 0, 1, 2, 3, 4, 5, 6)
"""RT-2's string: terminate, three of position, three of rotation, gripper (Zitkovich et al. 2023, 3.2)."""
_ARM_MODES = (Mode.TERMINATE, Mode.ARM)
"""What its first number means: 0 ends the episode, 1 moves the arm, as in RT-1's modes."""


@dataclass(frozen=True)
class ActionLayout:
    """How many tokens an action has, what each may be, and how they become the harness' eleven."""

    name: str
    """`FULL` or `ARM`."""
    convention: str
    """Action convention of the eleven tokens."""
    counts: tuple[int, ...]
    """Bins that are allowed at each place: 256, or the number of modes."""
    slots: tuple[int, ...]
    """Place of each among the eleven tokens of the convention."""
    modes: tuple[int, ...]
    """modes[t]: the convention's token for mode t of the answer."""
    rest: NDArray[np.int64]
    """int64[11]: the convention's tokens where the answer says nothing: no motion."""

    @property
    def length(self) -> int:
        """Tokens of an action."""
        return len(self.counts)

    @property
    def mode(self) -> int:
        """Place of the mode in the answer."""
        return next(k for k, count in enumerate(self.counts) if count < BINS)

    @property
    def end(self) -> int:
        """Number of the mode that ends the episode, in the answer."""
        return self.modes.index(action_convention(self.convention).modes.index(Mode.TERMINATE))

    def of_logits(self, logits: Tensor) -> Tensor:
        """Logits float[..., length, 256] of an answer, from float[..., 11, 256] of the convention's tokens.

        Modes that the layout does not know are as unlikely as ones that do not exist.
        """
        found = logits[..., list(self.slots), :]
        modes = torch.full_like(found[..., self.mode, :], -torch.inf)
        modes[..., : len(self.modes)] = found[..., self.mode, list(self.modes)]
        found[..., self.mode, :] = modes
        return found

    def to_tokens(self, bins: ArrayLike) -> NDArray[np.int64]:
        """The convention's tokens int64[11] of an answer int[length]."""
        row = np.asarray(bins, dtype=np.int64).copy()
        row[self.mode] = self.modes[int(row[self.mode])]
        tokens = self.rest.copy()
        tokens[list(self.slots)] = row
        return tokens


def layout(name: str, convention: str = "rtbench") -> ActionLayout:
    """The layout of that name for an action convention.

    Raises:
        UnknownNameError: no such layout or convention.
    """
    spec = action_convention(convention)
    rest = spec.encode(idle())
    if name == FULL:
        counts = tuple(spec.tokens_per_dimension.tolist())
        return ActionLayout(name, convention, counts, tuple(range(SIZE)), tuple(range(len(Mode))), rest)
    if name == ARM:
        slots = tuple(spec.order.index(dimension) for dimension in _ARM_ORDER)
        modes = tuple(spec.modes.index(mode) for mode in _ARM_MODES)
        counts = tuple(len(modes) if dimension == MODE else BINS for dimension in _ARM_ORDER)
        return ActionLayout(name, convention, counts, slots, modes, rest)
    raise UnknownNameError("action layout", name, (FULL, ARM))
