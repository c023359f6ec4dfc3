"""Where a task's objects and the hand are: a second lesson beside the actions, for training only.

Actions say little about which of ten things was meant, and how high the hand is above it: a step is at most
8 cm long, and most are alike. A point in the feature map, and the hand's position, say it in one frame. The
heads that are taught it are no part of the network that is kept.
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
HAND = [7, 8, 9, 14]
"""Of proprioception: the gripper's position in the base frame and its opening [m]."""
MIDDLE, UNIT = (0.7, -0.1, 1.0, 0.04), (0.1, 0.1, 0.1, 0.04)
"""Of the hand's values [m], so that what the head has to say is near 1."""
SPREAD = 0.6
"""Standard deviation [cells of the feature map] of the Gaussian around a point that is the target: half a
cell aside changes it by a third, so that the head learns where within a cell a point lies."""


class Pointer(nn.Module):
    """A network with heads that point, for training."""

    def __init__(self, network: RT1) -> None:
        """The network itself, not a copy, and heads that know nothing."""
        super().__init__()
        self.network = network
        self.point = nn.Conv2d(network.size.features, POINTS, 1)
        self.hand = nn.Linear(network.size.tokens * network.size.features, len(HAND))
        for head in (self.point, self.hand):
            for weight in head.parameters():
                nn.init.zeros_(weight)

    def forward(self, images: Tensor, text: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the network says, and its heads.

        Args:
            images: float32[B, T, 3, H, W], and text float32[B, text], as of `RT1.forward`.
            text: See there.

        Returns:
            Action logits as of `RT1.forward`; logits of each cell, float32[B, T, POINTS, H', W']; the hand,
            float32[B, T, 4] in `UNIT` from `MIDDLE`.
        """
        count = images.shape[1]
        features = self.network.feature_map(images.flatten(0, 1), text.repeat_interleave(count, dim=0))
        tokens = self.network.tokens(features)
        cells, hand = self.point(features), self.hand(tokens.flatten(1))
        logits = self.network.logits(tokens, count)
        return logits, cells.view(-1, count, *cells.shape[1:]), hand.view(-1, count, len(HAND))


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


def hand_loss(said: Tensor, hand: Tensor, valid: Tensor) -> Tensor:
    """Mean distance of what is said of the hand from where it is, a scalar without unit.

    Args:
        said: float[B, T, 4], from `Pointer`.
        hand: float32[B, T, 4] [m].
        valid: bool[B, T], False for frames that only fill up a window.
    """
    middle, unit = hand.new_tensor(MIDDLE), hand.new_tensor(UNIT)
    each = (said.float() - (hand - middle) / unit).abs().mean(-1)
    return (each * valid).sum() / valid.sum().clamp(min=1)


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
