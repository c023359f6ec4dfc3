"""Training above frozen stages: their map of each image is computed once, and takes the place of pixels.

The first stages of a backbone see the largest maps, where most of a step's time goes, and what they have
learnt on ImageNet serves any image. Of `lite` at 128 x 160 pixels an image takes 22.7 ms of one core in a
step; above three stages, whose map of 40 channels takes less room than the pixels, 7.8.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from rtbench.core.errors import RtbenchError
from rtbench.policy.rt1.efficientnet import MBConv
from rtbench.policy.rt1.network import RT1
from rtbench.train.augment import to_float
from rtbench.train.dataset import Dataset, shared_room

FRAMES = 8
"""Frames that are computed at once: 4.7 ms each. Of 64 it is 11.3, for so much memory is taken from the
system and given back each time."""
PROGRESS = 20_000
"""Frames between two messages."""


class FrozenStagesError(RtbenchError):
    """Stages that cannot be frozen."""


def freeze(network: RT1, stages: int) -> None:
    """Freeze the first stages.

    Args:
        network: Changed in place: it takes maps in place of images from then on.
        stages: How many; the last one cannot be frozen.

    Raises:
        FrozenStagesError: more stages than there may be, or ones that listen to the instruction: what they
            make of an image would change as the layers that read the instruction are trained.
    """
    every = network.size.stages
    if not 0 < stages < len(every):
        raise FrozenStagesError(
            f"--freeze-stages {stages}: size {network.size.name!r} has {len(every)} stages; at most "
            f"{len(every) - 1} can be frozen."
        )
    blocks = sum(stage.repeats for stage in every[:stages])
    lower = network.backbone.blocks[:blocks]
    films = [cast("MBConv", block).film for block in lower]
    if any(bool(weight.any()) for film in films for weight in film.parameters()):
        raise FrozenStagesError(
            "--freeze-stages: the first stages of these weights listen to the instruction; begin with "
            "--imagenet, or with weights that were trained with --freeze-stages."
        )
    network.backbone.stem.requires_grad_(requires_grad=False)
    lower.requires_grad_(requires_grad=False)
    network.backbone.frozen = blocks


@torch.inference_mode()
def to_maps(data: Dataset, network: RT1, spill: Path, say: Callable[[str], None]) -> Dataset:
    """The data with maps float16[N, h, w, channels] of the frozen stages in place of pixels.

    Processes of one launcher compute a part each.

    Args:
        data: With pixels of the network's size.
        network: As `freeze` leaves it.
        spill: Folder for a file of the maps that do not fit into memory.
        say: Shows a line to the user.
    """
    backbone = network.eval().backbone

    def lower(frames: Tensor) -> Tensor:
        images = to_float(frames).contiguous(memory_format=torch.channels_last)
        return backbone.lower(images).permute(0, 2, 3, 1)

    count = len(data.frames)
    shape = (count, *lower(data.frames[:1]).shape[1:])
    with shared_room(shape, spill) as (maps, team):
        begin, end = (count * k // team.num_processes for k in (team.process_index, team.process_index + 1))
        for start in range(begin, end, FRAMES):
            stop = min(start + FRAMES, end)
            maps[start:stop] = lower(data.frames[start:stop]).half().numpy()
            if (start - begin) % PROGRESS < FRAMES and start > begin:
                say(f"  maps of {start - begin} of {end - begin} frames")
    return replace(data, frames=torch.from_numpy(maps))


def maps_of(kept: Tensor) -> Tensor:
    """Maps float32[B, T, channels, h, w], of kept ones [B, T, h, w, channels]."""
    return kept.float().permute(0, 1, 4, 2, 3)
