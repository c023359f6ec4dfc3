"""Where in the picture a task's objects are: a second lesson beside the actions, for training only.

Actions say little about which of ten things was meant: a step is at most 8 cm long, and most are alike. A
point in the feature map says it in one frame. The head that is taught it is no part of the network that is
kept.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rtbench.model.rt1.network import RT1
from rtbench.spec import IMAGE_HEIGHT, IMAGE_WIDTH

POINTS = 3
"""The task's first object, its second, and its drawer."""
SPREAD = 0.6
"""Standard deviation [cells of the feature map] of the Gaussian around a point that is the target: half a
cell aside changes it by a third, so that the head learns where within a cell a point lies."""


class Pointer(nn.Module):
    """A network with a head that points, for training."""

    def __init__(self, network: RT1) -> None:
        """The network itself, not a copy, and a head that knows nothing."""
        super().__init__()
        self.network = network
        self.head = nn.Conv2d(network.size.features, POINTS, 1)
        for weight in self.head.parameters():
            nn.init.zeros_(weight)

    def forward(self, images: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        """Action logits as of `RT1.forward`, and those of each cell, float32[B, T, POINTS, H', W']."""
        count = images.shape[1]
        features = self.network.feature_map(images.flatten(0, 1), text.repeat_interleave(count, dim=0))
        cells = self.head(features)
        return self.network.read(features, count), cells.view(-1, count, *cells.shape[1:])


def pointing_loss(cells: Tensor, points: Tensor, valid: Tensor) -> Tensor:
    """Mean cross-entropy over all points that are in the picture, a scalar; 0 where none is.

    Args:
        cells: float[B, T, POINTS, H, W].
        points: float32[B, T, POINTS, 2]: x and y from 0 to 1; NaN where there is none.
        valid: bool[B, T], False for frames that only fill up a window.
    """
    height, width = cells.shape[-2:]
    seen = (points.isfinite().all(-1) & valid[..., None]).float()
    x, y = points.nan_to_num().unbind(-1)
    across = _gaussian(x * width, width)
    down = _gaussian(y * height, height)
    chances = cells.float().flatten(-2).log_softmax(-1).view(cells.shape)
    each = -(chances * down[..., :, None] * across[..., None, :]).sum((-1, -2))
    return (each * seen).sum() / seen.sum().clamp(min=1)


def picture_points(
    places: NDArray[np.float64], eye: NDArray[np.float64], axes: NDArray[np.float64], fovy: float
) -> NDArray[np.float32]:
    """Where places show in a camera's picture, float32[n, 2]: x and y from 0 to 1 from the upper left.

    Args:
        places: float64[n, 3] [m], world; NaN for none.
        eye: The camera, float64[3] [m], world.
        axes: Its axes as columns, float64[3, 3]; it looks along its -z.
        fovy: Height of the picture [degrees].

    Returns:
        NaN for what is none, behind the camera or outside.
    """
    x, y, z = ((places - eye) @ axes).T
    tall = 2 * math.tan(math.radians(fovy) / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.stack([0.5 - x / z / tall * IMAGE_HEIGHT / IMAGE_WIDTH, 0.5 + y / z / tall], axis=1)
        inside = (z < 0) & ((found >= 0) & (found <= 1)).all(axis=1)
    points: NDArray[np.float32] = np.where(inside[:, None], found, np.nan).astype(np.float32)
    return points


def _gaussian(place: Tensor, cells: int) -> Tensor:
    """float[..., cells]: weights of a row of cells around a place in it, from 0 to `cells`; they sum to 1."""
    middles = torch.arange(cells, device=place.device) + 0.5
    return (-0.5 * ((middles - place[..., None]) / SPREAD) ** 2).softmax(-1)
