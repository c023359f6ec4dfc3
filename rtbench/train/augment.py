"""Random shift and colour jitter of images, the same for all frames of a window so that motion is kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

REFERENCE_SHIFT = (20 / 256, 50 / 320)
"""Largest shift of RT-1, as shares of height and width. It changes nothing else and draws one shift a batch
(`film_efficientnet/preprocessors.py` of its code)."""
_GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)
"""Shares of red, green and blue in brightness, ITU-R BT.601."""


@dataclass(frozen=True)
class Augmentation:
    """Ranges of the random changes of training images."""

    random_shift: tuple[float, float] = (0.01, 0.01)
    """Largest shift as a share of height and of width; black comes in. It is small: the camera is fixed to
    the base, so that an object's pixel tells its place, and a pixel of the small network is a centimetre of
    the counter."""
    brightness: float = 0.2
    """Largest change of brightness, as a factor of 1 - b to 1 + b."""
    contrast: float = 0.2
    """Largest change of the distance from medium grey, likewise."""
    saturation: float = 0.2
    """Largest change of the distance from the pixel's own grey, likewise. Hues stay, since instructions name
    colours."""
    shift_per_batch: bool = False
    """Whether all windows of a batch are shifted alike, as in the published code, instead of each by its
    own."""


NO_AUGMENTATION = Augmentation((0.0, 0.0), brightness=0, contrast=0, saturation=0)


@dataclass(frozen=True)
class Draw:
    """The random changes of a batch of windows."""

    offsets: NDArray[np.int64]
    """int64[B, 2]: pixels down and to the right."""
    colors: NDArray[np.float32]
    """float32[B, 3, 3]: matrix that a pixel (r, g, b) is multiplied with from the right."""
    light: NDArray[np.float32]
    """float32[B, 1, 3]: summand after that."""


def draw(how: Augmentation, count: int, height: int, width: int, random: np.random.Generator) -> Draw:
    """Draw for `count` windows of images of that size [px]; all factors are uniform."""
    limits = np.round(np.array(how.random_shift) * (height, width)).astype(np.int64)
    shifts = random.integers(-limits, limits + 1, (1 if how.shift_per_batch else count, 2))
    offsets = np.ascontiguousarray(np.broadcast_to(shifts, (count, 2)))
    widths = np.array([how.brightness, how.contrast, how.saturation])
    factors = (1 + widths * random.uniform(-1, 1, (count, 3))).astype(np.float32)
    bright, contrast, saturation = factors[:, :, None, None].transpose(1, 0, 2, 3)
    mixed = saturation * np.eye(3, dtype=np.float32) + (1 - saturation) * _GREY[:, None]
    light = np.broadcast_to(bright * (1 - contrast) * np.float32(0.5), (count, 1, 3))
    return Draw(offsets, bright * contrast * mixed, np.ascontiguousarray(light))


def augment(images: Tensor, drawn: Draw) -> Tensor:
    """Shifted and recoloured images.

    Args:
        images: uint8[B, T, H, W, 3], on any device.
        drawn: For B windows.

    Returns:
        float32[B, T, 3, H, W] in 0..1, on the same device, with channels last in memory.
    """
    batch, _, height, width, _ = images.shape
    shifted = torch.zeros_like(images)
    for k, (down, right) in enumerate(drawn.offsets.tolist()):
        rows, from_rows = _overlap(down, height)
        columns, from_columns = _overlap(right, width)
        shifted[k, :, rows, columns] = images[k, :, from_rows, from_columns]
    colors = torch.from_numpy(drawn.colors / np.float32(255)).to(images.device)
    light = torch.from_numpy(drawn.light).to(images.device)
    pixels = torch.baddbmm(light, shifted.reshape(batch, -1, 3).float(), colors).clamp_(0, 1)
    return pixels.view(images.shape).permute(0, 1, 4, 2, 3)


def shift_points(points: Tensor, drawn: Draw, height: int, width: int) -> Tensor:
    """Points float32[B, ..., 2], x and y from 0 to 1, shifted as by `augment`; NaN for those outside."""
    offsets = torch.from_numpy(drawn.offsets[:, ::-1] / (width, height)).float().to(points.device)
    shifted = points + offsets.view(len(points), *[1] * (points.ndim - 2), 2)
    inside = ((shifted >= 0) & (shifted <= 1)).all(-1, keepdim=True)
    return shifted.where(inside, torch.nan)


def to_float(images: Tensor) -> Tensor:
    """The images uint8[..., H, W, 3] as float32[..., 3, H, W] in 0..1, without a change."""
    return (images.float() / 255).movedim(-1, -3)


def _overlap(offset: int, size: int) -> tuple[slice, slice]:
    """Destination and source of the pixels that stay in the image when it is moved by `offset`."""
    return slice(max(offset, 0), size + min(offset, 0)), slice(max(-offset, 0), size + min(-offset, 0))
