"""Names of all that can be seen in a frame, each with its place in the picture: dense labels for the eyes.

A demonstration says of one or two objects where they are. Here every object, drawer, handle and sink is
named, and the gripper, so that one frame has some ten labels instead of two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

DRAWER, HANDLE, SINK, GRIPPER = "drawer", "handle", "sink", "gripper"
"""Kinds of what is no object; the kinds of objects are those of `rtbench.task.object_entry`."""


class Name(NamedTuple):
    """A thing's name, and its kind."""

    text: str
    """In the words of instructions, such as 'coke can' and 'handle of the top drawer'."""
    kind: str
    """'can', 'drawer' and so on: what results are counted by."""


@dataclass(frozen=True)
class Naming:
    """All labels of T frames; frame t has `counts[t]` of them, one frame's after the other's."""

    vocabulary: tuple[Name, ...]
    """The names that occur, or may."""
    counts: NDArray[np.int64]
    """int64[T]: labels of each frame."""
    names: NDArray[np.int64]
    """int64[M]: position of each label's name in the vocabulary; M is the sum of the counts."""
    places: NDArray[np.float32]
    """float32[M, 2]: the middle of what is visible of it; x and y from 0 to 1, from the upper left."""
    shares: NDArray[np.float32]
    """float32[M]: share of it that is in the picture and not hidden, 0 to 1."""

    @classmethod
    def none(cls, frames: int) -> Naming:
        """No labels for so many frames."""
        nothing = np.zeros(0, np.float32)
        empty = np.zeros(0, np.int64)
        return cls((), np.zeros(frames, np.int64), empty, nothing.reshape(0, 2), nothing)


def join(parts: Sequence[Naming]) -> Naming:
    """The labels of one frame after the other's, with one vocabulary, in which each name is once."""
    vocabulary = tuple(dict.fromkeys(name for part in parts for name in part.vocabulary))
    place = {name: number for number, name in enumerate(vocabulary)}
    names = [
        np.array([place[name] for name in part.vocabulary], np.int64)[part.names]
        for part in parts
        if len(part.names)
    ]
    return Naming(
        vocabulary=vocabulary,
        counts=np.concatenate([part.counts for part in parts]),
        names=np.concatenate([np.zeros(0, np.int64), *names]),
        places=np.concatenate([part.places for part in parts]),
        shares=np.concatenate([part.shares for part in parts]),
    )


def problem(naming: Naming, frames: int) -> str:
    """What is wrong with the labels of so many frames; '' if nothing is."""
    labels = len(naming.names)
    if naming.counts.shape != (frames,) or int(naming.counts.sum()) != labels:
        return (
            f"naming has {naming.counts.sum()} labels for {len(naming.counts)} frames, {labels} for {frames}"
        )
    if naming.places.shape != (labels, 2) or naming.shares.shape != (labels,):
        return f"naming has places {list(naming.places.shape)} and shares {list(naming.shares.shape)}"
    if not np.isin(naming.names, np.arange(len(naming.vocabulary))).all():
        return "naming has names that are not in its vocabulary"
    if not (np.isfinite(naming.places).all() and np.isfinite(naming.shares).all()):
        return "naming is not finite"
    return ""
