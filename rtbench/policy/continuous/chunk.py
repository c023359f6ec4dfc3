"""Chunks of actions: which is carried out when, and the average of those that overlap.

The average is the temporal ensembling of ACT (Zhao et al., arXiv 2304.13705, section IV-A, and
`imitate_episodes.py` of tonyzhaozh/act): w_i = exp(-m i), i = 0 for the oldest prediction. Octo's in SIMPLER
is the same with m = 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtbench.core.errors import ActionError
from rtbench.policy.continuous.mapping import ActionMapping

Array = NDArray[np.float64]


@dataclass
class ChunkQueue:
    """The predictions of one episode that still say something of steps to come."""

    execute: int | None = None
    """Actions carried out before the next prediction; None: all."""
    ensemble: float | None = None
    """Decay m of the weights; None: the newest prediction alone counts."""
    step: int = 0
    """Steps carried out so far."""
    _due: int = 0
    _chunks: list[tuple[int, Array]] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether a new prediction is due."""
        return self.step >= self._due

    def push(self, chunk: Array) -> None:
        """Take up a prediction float[H, D] whose first action is for the present step."""
        if self.ensemble is None:
            self._chunks.clear()
        self._chunks.append((self.step, chunk))
        self._due = self.step + (len(chunk) if self.execute is None else self.execute)

    def pop(self) -> Array:
        """The numbers float64[D] of the present step; goes on to the next."""
        self._chunks = [(begin, chunk) for begin, chunk in self._chunks if self.step < begin + len(chunk)]
        given = np.array([chunk[self.step - begin] for begin, chunk in self._chunks])
        self.step += 1
        if self.ensemble is None:
            last: Array = given[-1]
            return last
        return ensembled(given, self.ensemble)


def ensembled(given: Array, decay: float) -> Array:
    """Weighted mean float64[D] of predictions float64[n, D] for one step, the oldest first."""
    weights = np.exp(-decay * np.arange(len(given)))
    mean: Array = (weights / weights.sum()) @ given
    return mean


def check_chunks(answer: ArrayLike, count: int, mapping: ActionMapping) -> Array:
    """A policy's answer for `count` slots as float64[count, H, D].

    Args:
        answer: float[count, H, D], or float[count, D] for one action each.
        count: Slots asked for.
        mapping: Says D, and H where it is fixed.

    Raises:
        ActionError: another shape, no number, NaN or infinity, or too short a chunk; says what came and what
        was
            expected.
    """
    width, chunk = mapping.width, mapping.chunk
    expected = f"({count}, H, {width}) or ({count}, {width}) for {' '.join(mapping.layout)}"
    try:
        array = np.asarray(answer)
    except (TypeError, ValueError) as error:
        raise ActionError(f"predict returned no array: {error}; expected {expected}.") from None
    if array.dtype.kind not in "iuf":
        raise ActionError(f"predict returned dtype {array.dtype}; expected numbers {expected}.")
    if array.ndim == 2 and array.shape == (count, width):
        array = array[:, None, :]
    if array.ndim != 3 or array.shape[0] != count or array.shape[2] != width:
        raise ActionError(f"predict returned shape {array.shape}; expected {expected}.")
    length, least = array.shape[1], mapping.execute or 1
    if length == 0:
        raise ActionError("predict returned a chunk of length 0; expected at least one action.")
    if chunk.length is not None and length != chunk.length:
        raise ActionError(f"predict returned chunks of {length} actions; the mapping says {chunk.length}.")
    if length < least:
        raise ActionError(
            f"predict returned chunks of {length} actions, of which {least} are to be executed."
        )
    bad = np.argwhere(~np.isfinite(array))
    if bad.size:
        slot, step, number = (int(i) for i in bad[0])
        value = array[slot, step, number]
        raise ActionError(f"predict gave {value} for number {number} of action {step}; expected a number.")
    return array.astype(np.float64)
