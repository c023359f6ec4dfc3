"""Camera images as the network wants them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its usual name

from rtbench.core.image import shrink


def prepare(images: Sequence[NDArray[np.uint8]], size: tuple[int, int], *, published: bool = False) -> Tensor:
    """Images of one shape as a batch, RGB from 0 to 1.

    Args:
        images: uint8[H, W, 3] each.
        size: Height and width wanted [pixels].
        published: Resize as the published code does; see `resize`.

    Returns:
        float32[N, 3, height, width], channels last in memory.
    """
    height, width = size
    if not published and images[0].shape[0] >= height and images[0].shape[1] >= width:
        images = [shrink(image, size) for image in images]  # the very pixels of demonstrations
    batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
    return resize(batch, size, published=published).contiguous(memory_format=torch.channels_last)


def resize(images: Tensor, size: tuple[int, int], *, published: bool = False) -> Tensor:
    """Images in another size, without keeping the aspect ratio.

    Images that become smaller are means of the area that each pixel covers, as in demonstrations. Others, and
    all images of the published network, are bilinear without antialiasing, as `tf.image.resize` makes them.

    Args:
        images: float32[N, 3, h, w].
        size: Height and width wanted [pixels].
        published: Whether they are for the published network (`Size.published`).

    Returns:
        float32[N, 3, height, width].
    """
    if images.shape[-2:] == size:
        return images
    smaller = all(new <= old for new, old in zip(size, images.shape[-2:], strict=True))
    if smaller and not published:
        return F.interpolate(images, size, mode="area")
    return F.interpolate(images, size, mode="bilinear", antialias=False)
