"""Pointing: a place is said by copying the place of a thing that is seen (See et al. 2017 copy words so)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rtbench.core.action import BINS

LENGTH = 64
"""Of queries and keys."""
SPREAD = 3.0
"""Standard deviation [bins] of what a thing's place allows: the places of things are parts of cells, six bins
wide."""
FLOOR = 1e-3
"""Weight of a bin at which nothing is."""


class Pointer(nn.Module):
    """Raises the logits of the bins at which the thing is that is pointed at.

    Each position of the suffix attends the things. A gate for rows and one for columns say how much of their
    places counts: for words and actions it is to be nothing, and at first it is nothing for all.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, LENGTH)
        self.key = nn.Linear(width, LENGTH)
        self.gate = nn.Linear(width, 2)

    def forward(self, x: Tensor, things: Tensor, places: Tensor) -> Tensor:
        """What is added to the logits of the bins, float32[B, S, 256].

        Args:
            x: float32[B, S, width]: the suffix, normalised.
            things: float32[B, K, width]: image tokens of the things.
            places: float32[B, K, 2]: their places, x and y from 0 to 1.
        """
        shares = (self.query(x) @ self.key(things).transpose(1, 2) / LENGTH**0.5).float().softmax(-1)
        middles = torch.arange(BINS, device=x.device) + 0.5
        away = middles - BINS * places[..., None].float()
        near = (-0.5 * (away / SPREAD) ** 2).exp()
        across, down = ((FLOOR + shares @ near[:, :, axis]).log() for axis in (0, 1))
        rows, columns = self.gate(x).float().unbind(-1)
        found: Tensor = rows[..., None] * down + columns[..., None] * across
        return found
