"""Camera images as the network wants them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rtbench.core.image import shrink

if TYPE_CHECKING:
    from torch import Tensor


def prepare(
    images: Sequence[NDArray[np.uint8]], size: tuple[int, int], *, published: bool = False
) -> NDArray[np.float32]:
    """Images of one shape as a batch, RGB from 0 to 1.

    Images that become smaller are means of the area that each pixel covers, as in demonstrations. Others, and
    all images of the published network, are bilinear without antialiasing, as `tf.image.resize` makes them.

    Args:
        images: uint8[H, W, 3] each.
        size: Height and width wanted [pixels].
        published: Whether they are for the published network (`Size.published`).

    Returns:
        float32[N, 3, height, width].
    """
    height, width = size
    if not published and images[0].shape[0] >= height and images[0].shape[1] >= width:
        images = [shrink(image, size) for image in images]  # the very pixels of demonstrations
    batch: NDArray[np.float32] = np.stack(images).astype(np.float32) / np.float32(255)
    for axis, length in ((1, height), (2, width)):
        batch = _bilinear(batch, axis, length)
    return np.ascontiguousarray(batch.transpose(0, 3, 1, 2))


def _bilinear(batch: NDArray[np.float32], axis: int, length: int) -> NDArray[np.float32]:
    """Another length of an axis, linear between the two pixels whose centres are nearest."""
    old = batch.shape[axis]
    if old == length:
        return batch
    place = np.clip((np.arange(length) + 0.5) * old / length - 0.5, 0, old - 1)
    first = np.floor(place).astype(np.int64)
    second = np.minimum(first + 1, old - 1)
    share = np.expand_dims((place - first).astype(np.float32), tuple(range(1, batch.ndim - axis)))
    below = batch.take(first, axis)
    mixed: NDArray[np.float32] = below + share * (batch.take(second, axis) - below)
    return mixed


def resize(images: Tensor, size: tuple[int, int], *, published: bool = False) -> Tensor:
    """Images of training in another size; arguments and rules as of `prepare`.

    Args:
        images: float32[N, 3, h, w].
        size: Height and width wanted [pixels].
        published: Whether they are for the published network.

    Returns:
        float32[N, 3, height, width].
    """
    from torch.nn.functional import interpolate

    if images.shape[-2:] == size:
        return images
    smaller = all(new <= old for new, old in zip(size, images.shape[-2:], strict=True))
    if smaller and not published:
        return interpolate(images, size, mode="area")
    return interpolate(images, size, mode="bilinear", antialias=False)
