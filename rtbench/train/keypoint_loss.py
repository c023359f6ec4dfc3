"""Where a task's objects and the hand are: a second lesson beside the actions, for training only.

Actions say little about which of ten things was meant, and how far the hand is from it: a step is at most
8 cm long, and most are alike. Points in the picture, and the hand's position, say it in one frame. The first
of TokenLearner's tokens are taught to look at the points, so that what they carry is what is there, and a
head has to read from the tokens where it is: a cell of the map is 16 cm wide, and what tells places within
one apart is in the features alone. The head is no part of what is kept.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rtbench.data.keypoints import POINTS
from rtbench.policy.rt1.network import RT1

MIDDLE = (0.7, -0.1, 1.0, 0.04, *[0.0] * 9, *[0.5] * 2 * POINTS)
UNIT = (0.1, 0.1, 0.1, 0.04, *[0.5] * 2, *[0.125] * 4, *[1.0] * 3, *[0.1] * 2 * POINTS)
"""Of the hand's numbers and of points, so that what the head has to say is near 1. Headings at which a thing
is gripped count four times: at the weight of the others their sign was right in 54 % of the frames that need
a turn, after 280,000 images, though a person sees them in the picture."""
SPREAD = 0.6
"""Standard deviation [cells of the feature map] of the Gaussian around a point that is the target: half a
cell aside changes it by a third, so that the head learns where within a cell a point lies."""


class Pointer(nn.Module):
    """A network that says where it looks, and has a head for where things are; for training."""

    def __init__(self, network: RT1) -> None:
        """The network itself, not a copy, and a head that knows nothing."""
        super().__init__()
        self.network = network
        self.places = nn.Linear(network.size.tokens * network.size.features, len(MIDDLE))
        for weight in self.places.parameters():
            nn.init.zeros_(weight)

    def forward(self, images: Tensor, text: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the network says, where its first tokens look, and where things are.

        Args:
            images: float32[B, T, 3, H, W], and text float32[B, text], as of `RT1.forward`.
            text: See there.

        Returns:
            Action logits as of `RT1.forward`; scores of each cell, float32[B, T, POINTS, H', W']; the hand
            and the points, float32[B, T, HAND + 2 * POINTS] in `UNIT` from `MIDDLE`.
        """
        network, count = self.network, images.shape[1]
        features = network.feature_map(images.flatten(0, 1), text.repeat_interleave(count, dim=0))
        rows = features.flatten(2).transpose(1, 2)
        scores = network.token_learner.scores(rows)
        tokens = network.token_learner.sums(scores, rows)
        cells = scores[..., :POINTS].transpose(1, 2).reshape(-1, count, POINTS, *features.shape[2:])
        places = self.places(tokens.flatten(1)).view(-1, count, self.places.out_features)
        return network.logits(tokens.view(-1, count, *tokens.shape[1:])), cells, places


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


def place_loss(said: Tensor, hand: Tensor, points: Tensor, valid: Tensor) -> Tensor:
    """Mean distance of what is said of places from where they are, a scalar without unit.

    Args:
        said: float[B, T, HAND + 2 * POINTS], from `Pointer`.
        hand: float32[B, T, HAND], as `hand_pose` makes it.
        points: float32[B, T, POINTS, 2], as of `pointing_loss`.
        valid: bool[B, T], False for frames that only fill up a window.
    """
    there = (torch.cat([hand, points.flatten(2)], -1) - hand.new_tensor(MIDDLE)) / hand.new_tensor(UNIT)
    known = (there.isfinite() & valid[..., None]).float()
    each = (said.float() - there.nan_to_num()).abs()
    return (each * known).sum() / known.sum().clamp(min=1)


def _gaussian(place: Tensor, cells: int) -> Tensor:
    """float[..., cells]: weights of a row of cells around a place in it, from 0 to `cells`; they sum to 1."""
    middles = torch.arange(cells, device=place.device) + 0.5
    return (-0.5 * ((middles - place[..., None]) / SPREAD) ** 2).softmax(-1)
