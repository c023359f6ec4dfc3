"""What a frozen part makes of each frame, computed once: it takes the place of pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtbench.train.augment import to_float
from rtbench.train.dataset import Dataset, shared_room

PROGRESS = 1000
"""Demonstrations between two messages."""


@dataclass(frozen=True)
class FrozenPart:
    """A part of a network that is not trained."""

    makes: str
    """What it makes, in the plural, for messages."""
    at_once: int
    """Frames that are computed at once."""
    compute: Callable[[Tensor, Tensor], Tensor]
    """Of images float32[n, 3, H, W], RGB from 0 to 1, and vectors float32[n, D] of their demonstrations'
    instructions: float32[n, ...]."""


@torch.inference_mode()
def computed_once(
    data: Dataset,
    texts: NDArray[np.float32],
    part: FrozenPart,
    demos: NDArray[np.int64],
    spill: Path,
    say: Callable[[str], None],
) -> Tensor:
    """What a frozen part makes of each frame, float16[N, ...].

    Processes of one launcher compute a share each.

    Args:
        data: With pixels of the network's size.
        texts: float32[n, D]: the vector of each of the data's instructions.
        part: The part.
        demos: int64[n], numbers of the demonstrations; what is given for others has no meaning.
        spill: Folder for a file of what does not fit into memory.
        say: Shows a line to the user.
    """
    vectors = dict(zip(data.instructions, torch.from_numpy(texts), strict=True))

    def made(begin: int, end: int, instruction: str) -> Tensor:
        images = to_float(data.frames[begin:end])
        return part.compute(images, vectors[instruction].expand(len(images), -1))

    shape = (len(data.frames), *made(0, 1, data.instructions[0]).shape[1:])
    with shared_room(shape, spill) as (room, team):
        mine, done = demos[team.process_index :: team.num_processes], 0
        for number, demo in enumerate(mine.tolist(), 1):
            begin, end = int(data.first[demo]), int(data.first[demo] + data.lengths[demo])
            for start in range(begin, end, part.at_once):
                stop = min(start + part.at_once, end)
                room[start:stop] = made(start, stop, data.episodes[demo].instruction).half().numpy()
            done += end - begin
            if number % PROGRESS == 0:
                say(f"  {part.makes} of {done} frames")
    return torch.from_numpy(room)
