"""Labels of what is seen in frames, as tensors: those of all data, and those of a batch."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtbench.data.naming import Name, Naming, join
from rtbench.train.augment import Draw


@dataclass(frozen=True)
class FrameLabels:
    """L labels of the frames of a batch."""

    frames: Tensor
    """int64[L]: number of each label's frame, of the B * T of the batch."""
    names: Tensor
    """int64[L]: number of its name."""
    places: Tensor
    """float32[L, 2]: where it is in the picture, x and y from 0 to 1."""

    def to(self, device: torch.device) -> FrameLabels:
        """The same on a device."""
        return FrameLabels(self.frames.to(device), self.names.to(device), self.places.to(device))

    def shifted(self, drawn: Draw, frames: int, height: int, width: int) -> FrameLabels:
        """The same after a shift of the pictures as by `augment`; those outside are left out.

        Args:
            drawn: For the windows of the batch.
            frames: Frames of a window.
            height: Of the pictures before they were resized [pixels].
            width: Likewise.
        """
        offsets = torch.from_numpy(drawn.offsets[:, ::-1] / (width, height)).float().to(self.places.device)
        moved = replace(self, places=self.places + offsets[self.frames // frames])
        inside = ((moved.places >= 0) & (moved.places < 1)).all(-1)
        return FrameLabels(moved.frames[inside], moved.names[inside], moved.places[inside])


@dataclass(frozen=True)
class LabelStore:
    """The labels of all frames of the data."""

    vocabulary: tuple[Name, ...]
    """All names."""
    _first: NDArray[np.int64]
    """int64[N + 1]: first label of each frame, and the number of all."""
    _names: NDArray[np.int64]
    _places: NDArray[np.float32]

    def naming(self) -> Naming:
        """The labels as `rtbench.data.naming` has them; shares, which are not kept, are 1."""
        counts = np.diff(self._first).astype(np.int64)
        return Naming(
            self.vocabulary, counts, self._names, self._places, np.ones(len(self._names), np.float32)
        )

    def of(self, frames: NDArray[np.int64], valid: NDArray[np.bool_]) -> FrameLabels:
        """Labels of the frames int64[B, T], but for those that only fill up a window."""
        chosen, numbers = frames.ravel(), np.flatnonzero(valid.ravel())
        counts = np.diff(self._first)[chosen[numbers]]
        starts = self._first[chosen[numbers]]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        index = np.repeat(starts, counts) + within
        return FrameLabels(
            frames=torch.from_numpy(np.repeat(numbers, counts)),
            names=torch.from_numpy(self._names[index]),
            places=torch.from_numpy(self._places[index]),
        )


def store(parts: list[Naming]) -> LabelStore | None:
    """The labels of all demonstrations, in their order; None where there is none."""
    joined = join(parts)
    if not len(joined.names):
        return None
    first = np.concatenate([[0], np.cumsum(joined.counts)])
    return LabelStore(joined.vocabulary, first, joined.names, joined.places)
