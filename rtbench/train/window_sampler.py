"""Windows of consecutive frames, and the order in which they are trained.

A window is given by a demonstration and its first frame. In an epoch each frame is in a window, and few
frames are in two, so that an image passes the network once and all its steps are trained. Windows are cut
anew in each epoch, from a random frame of each demonstration. Its first and last window always begin and end
with it, so that the first frames are in the first slots, as in an episode.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from rtbench.core.seeding import generator

Windows = NDArray[np.int64]
"""int64[n, 2]: number of the demonstration, first frame in it."""


@dataclass(frozen=True)
class Order:
    """Settings of the batches; the same settings give the same batches on any machine."""

    length: int
    """Frames of a window."""
    batch: int
    """Windows of a batch."""
    seed: int = 0
    """Seed of the order."""
    balance: bool = False
    """Whether all skills are drawn equally often, whatever the number of their demonstrations."""


def cut(
    demos: NDArray[np.int64], lengths: NDArray[np.int64], length: int, phases: NDArray[np.int64]
) -> Windows:
    """Windows that cover demonstrations.

    Args:
        demos: int64[n], their numbers.
        lengths: int64[n], their frames.
        length: Frames of a window. A shorter demonstration has one window, which is not full.
        phases: int64[n], at which frame the second window begins, 0 to length - 1; 0: it begins at `length`.
    """
    last = np.maximum(lengths - length, 0)
    found = []
    for demo, end, phase in zip(demos.tolist(), last.tolist(), phases.tolist(), strict=True):
        starts = range(phase - length, end + length, length)
        found += [(demo, start) for start in dict.fromkeys(min(max(s, 0), end) for s in starts)]
    return np.array(found, dtype=np.int64).reshape(-1, 2)


def batches(
    demos: NDArray[np.int64], lengths: NDArray[np.int64], skills: NDArray[np.int64], order: Order
) -> Iterator[Windows]:
    """Batches without end, each of `order.batch` windows.

    Args:
        demos: int64[n], numbers of the demonstrations to train on; not empty.
        lengths: int64[n], their frames.
        skills: int64[n], a number for the skill of each.
        order: Window length, batch size, seed and balance.
    """
    rest = np.empty((0, 2), dtype=np.int64)
    skill_of = dict(zip(demos.tolist(), skills.tolist(), strict=True))
    for epoch in count():
        random = generator("training windows", order.seed, epoch)
        windows = cut(demos, lengths, order.length, random.integers(0, order.length, len(demos)))
        chosen = random.permutation(len(windows))
        if order.balance:
            chosen = random.choice(
                len(windows), len(windows), p=_equal([skill_of[d] for d in windows[:, 0].tolist()])
            )
        rest = np.concatenate([rest, windows[chosen]])
        while len(rest) >= order.batch:
            yield rest[: order.batch]
            rest = rest[order.batch :]


def _equal(skills: list[int]) -> NDArray[np.float64]:
    """float64[n]: probability of each window with which all skills are equally likely."""
    _, which, counts = np.unique(skills, return_inverse=True, return_counts=True)
    return 1 / counts[which] / len(counts)
