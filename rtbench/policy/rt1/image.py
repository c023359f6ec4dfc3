"""Camera images as the network wants them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its usual name

from rtbench.core.image import shrink


def prepare(images: Sequence[NDArray[np.uint8]], size: tuple[int, int]) -> Tensor:
    """Images of one shape as a batch, RGB from 0 to 1.

    Smaller ones are means of the area that each pixel covers, as in demonstrations. Larger ones, such as
    300 x 300 of 256 x 320, are bilinear without antialiasing and without the aspect ratio, as published.

    Args:
        images: uint8[H, W, 3] each.
        size: Height and width wanted.

    Returns:
        float32[N, 3, height, width], channels last in memory.
    """
    height, width = size
    if images[0].shape[0] >= height and images[0].shape[1] >= width:
        images = [shrink(image, size) for image in images]
    batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
    if batch.shape[-2:] != size:
        batch = F.interpolate(batch, size, mode="bilinear", antialias=False)
    return batch.contiguous(memory_format=torch.channels_last)
