"""Keypoint loss: a second loss beside the actions', on the places of the task's objects and the hand.

Actions alone carry little information on which of ten objects was meant, and how far the hand is from it: a
step is at most 8 cm long, and most steps are alike. Keypoints in the image and the hand's position give it in
one frame. The attention maps of TokenLearner's first tokens are trained to lie on the keypoints, so that
these tokens hold the features there. A linear head regresses positions from the tokens: a cell of the map is
16 cm wide, and only the features distinguish places within a cell. The head is for training, and is not
published.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from rtbench.data.keypoints import POINTS
from rtbench.policy.rt1.network import RT1
from rtbench.policy.rt1.told_places import log_gaussian
from rtbench.policy.rt2.naming_head import Named

TARGET_MEAN = (0.7, -0.1, 1.0, 0.04, *[0.0] * 9, *[0.5] * 2 * POINTS)
TARGET_SCALE = (0.1, 0.1, 0.1, 0.04, *[0.5] * 2, *[0.125] * 4, *[1.0] * 3, *[0.1] * 2 * POINTS)
"""Mean and scale of the hand's numbers and of the points: targets are near 1 in these units. The headings of
a grip count four times. At the weight of the others, their sign was right in 54 % of the frames that need a
turn, after 280,000 images, though a person sees them in the image."""
HEATMAP_STD = 0.6
"""Standard deviation [cells of the feature map] of the Gaussian around a keypoint that is the target. Half a
cell changes it by a third, so that the head learns the place within a cell."""


class Outputs(NamedTuple):
    """What `KeypointNetwork` gives for windows of T frames."""

    logits: Tensor
    """Action logits as of `RT1.forward`."""
    maps: Tensor
    """Scores of the cells of the map, float32[B, T, POINTS, H', W']."""
    positions: Tensor
    """Positions of the hand and the points, float32[B, T, HAND + 2 * POINTS], less `TARGET_MEAN` and divided
    by `TARGET_SCALE`."""
    tokens: Tensor
    """Image tokens float32[B, T, tokens, features]."""
    names: Named | None = None
    """Names at places in the B * T frames, where there is a head for them."""


class KeypointNetwork(nn.Module):
    """A network with a head for positions, which also gives its attention maps; for training."""

    def __init__(self, network: RT1, naming: nn.Module | None = None) -> None:
        """The network itself, not a copy, and a head of zero weights.

        Args:
            network: The network.
            naming: Names what is in a feature map: a `rtbench.policy.rt2.naming_head.NamingHead`.
        """
        super().__init__()
        self.network, self.naming = network, naming
        self.head = nn.Linear(network.size.tokens * network.size.features, len(TARGET_MEAN))
        for weight in self.head.parameters():
            nn.init.zeros_(weight)

    def forward(self, images: Tensor, text: Tensor, places: Tensor | None = None) -> Outputs:
        """Action logits, attention scores, positions and scores of names.

        Args:
            images: float32[B, T, 3, H, W], as of `RT1.forward`.
            text: float32[B, text], as of `RT1.forward`.
            places: float32[B, places, 2], as of `RT1.forward`.
        """
        network, count = self.network, images.shape[1]
        every = None if places is None else places.repeat_interleave(count, dim=0)
        features = network.feature_map(images.flatten(0, 1), text.repeat_interleave(count, dim=0), every)
        rows = features.flatten(2).transpose(1, 2)
        scores = network.token_learner.scores(rows)
        tokens = network.token_learner.sums(scores, rows)
        maps = scores[..., :POINTS].transpose(1, 2).reshape(-1, count, POINTS, *features.shape[2:])
        positions = self.head(tokens.flatten(1)).view(-1, count, self.head.out_features)
        windows = tokens.view(-1, count, *tokens.shape[1:])
        names = None if self.naming is None else self.naming(features)
        return Outputs(network.logits(windows), maps, positions, windows, names)


def heatmap_loss(maps: Tensor, points: Tensor, valid: Tensor) -> Tensor:
    """Mean cross-entropy over all points that are in the image, a scalar; 0 where none is.

    Args:
        maps: float[B, T, POINTS, H, W], scores before the softmax over cells.
        points: float32[B, T, POINTS, 2]: x and y from 0 to 1; NaN where there is none.
        valid: bool[B, T], False for frames that only fill up a window.
    """
    height, width = maps.shape[-2:]
    visible = (points.isfinite().all(-1) & valid[..., None]).float()
    x, y = points.nan_to_num().unbind(-1)
    across = gaussian(x * width, width)
    down = gaussian(y * height, height)
    logs = maps.float().flatten(-2).log_softmax(-1).view(maps.shape)
    each = -(logs * down[..., :, None] * across[..., None, :]).sum((-1, -2))
    return (each * visible).sum() / visible.sum().clamp(min=1)


def position_loss(positions: Tensor, hand: Tensor, points: Tensor, valid: Tensor) -> Tensor:
    """Mean absolute error of the positions that exist, a scalar in units of `TARGET_SCALE`.

    Args:
        positions: float[B, T, HAND + 2 * POINTS], from `KeypointNetwork`.
        hand: float32[B, T, HAND], as `hand_pose` makes it.
        points: float32[B, T, POINTS, 2], as of `heatmap_loss`.
        valid: bool[B, T], False for frames that only fill up a window.
    """
    target = torch.cat([hand, points.flatten(2)], -1) - hand.new_tensor(TARGET_MEAN)
    target = target / hand.new_tensor(TARGET_SCALE)
    exists = (target.isfinite() & valid[..., None]).float()
    each = (positions.float() - target.nan_to_num()).abs()
    return (each * exists).sum() / exists.sum().clamp(min=1)


def gaussian(place: Tensor, cells: int) -> Tensor:
    """float[..., cells]: weights of a row of cells around a place in it, from 0 to `cells`; they sum to 1."""
    return log_gaussian(place, cells, HEATMAP_STD).softmax(-1)
