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
from rtbench.train.dataset import Dataset, Sampler, shared_room
from rtbench.train.window_sampler import Windows, cut

PROGRESS = 20_000
"""Frames between two messages."""


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
    sampler, first, vectors = Sampler(data, 1), data.first, torch.from_numpy(texts)
    frames = cut(demos, data.lengths[demos], 1, np.zeros_like(demos))

    def made(chosen: Windows) -> tuple[NDArray[np.int64], Tensor]:
        """Numbers of frames, and what is made of them."""
        numbers = first[chosen[:, 0]] + chosen[:, 1]
        images = to_float(data.frames.index_select(0, torch.from_numpy(numbers)))
        return numbers, part.compute(images, vectors[sampler.texts(chosen)])

    shape = (len(data.frames), *made(frames[:1])[1].shape[1:])
    with shared_room(shape, spill) as (room, team):
        mine = np.array_split(frames, team.num_processes)[team.process_index]
        for start in range(0, len(mine), part.at_once):
            numbers, found = made(mine[start : start + part.at_once])
            room[numbers] = found.half().numpy()
            if start and start % PROGRESS < part.at_once:
                say(f"  {part.makes} of {start} of {len(mine)} frames")
    return torch.from_numpy(room)
