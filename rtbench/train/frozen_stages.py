"""Training above frozen stages: their map of each image is computed once, and takes the place of pixels.

The first stages of a backbone see the largest maps, where most of a step's time goes. What they have learnt
on ImageNet serves any image. Of `lite` at 128 x 160 pixels an image takes 22.7 ms of one core in a step;
above three stages, whose map of 40 channels takes less room than the pixels, 7.8.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtbench.core.errors import RtbenchError
from rtbench.policy.rt1.efficientnet import MBConv
from rtbench.policy.rt1.network import RT1
from rtbench.train.computed_once import FrozenPart, computed_once
from rtbench.train.dataset import Dataset

FRAMES = 8
"""Frames that are computed at once: 4.7 ms each. Of 64 it is 11.3, for so much memory is taken from the
system and given back each time."""


class FrozenStagesError(RtbenchError):
    """Stages that cannot be frozen."""


def freeze(network: RT1, stages: int, *, plans: bool = False) -> None:
    """Freeze the first stages, and what reads the instruction where they listen to it.

    Args:
        network: Changed in place: it takes maps in place of images from then on.
        stages: How many; the last one cannot be frozen.
        plans: Whether one frame is told now its instruction, now a plan.

    Raises:
        FrozenStagesError: more stages than there may be, or ones that listen to the instruction where a
            frame has more than one.
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
        if plans:
            raise FrozenStagesError(
                "--freeze-stages: the first stages of these weights listen to the instruction, and "
                "--plan-share tells a frame more than one; leave one of them out."
            )
        network.language.requires_grad_(requires_grad=False)
    network.backbone.stem.requires_grad_(requires_grad=False)
    lower.requires_grad_(requires_grad=False)
    network.backbone.frozen = blocks


def to_maps(
    data: Dataset, network: RT1, texts: NDArray[np.float32], spill: Path, say: Callable[[str], None]
) -> Dataset:
    """The data with maps float16[N, h, w, channels] of the frozen stages in place of pixels.

    Args:
        data: With pixels of the network's size.
        network: As `freeze` leaves it.
        texts: float32[n, D]: the vector of each of the data's instructions.
        spill: Folder for a file of the maps that do not fit into memory.
        say: Shows a line to the user.
    """
    backbone, language = network.eval().backbone, network.language

    def lower(images: Tensor, vectors: Tensor) -> Tensor:
        images = images.contiguous(memory_format=torch.channels_last)
        return backbone.lower(images, language(vectors)).permute(0, 2, 3, 1)

    every = np.arange(len(data.episodes))
    return replace(
        data, frames=computed_once(data, texts, FrozenPart("maps", FRAMES, lower), every, spill, say)
    )


def maps_of(kept: Tensor) -> Tensor:
    """Maps float32[B, T, channels, h, w], of kept ones [B, T, h, w, channels]."""
    return kept.float().permute(0, 1, 4, 2, 3)
