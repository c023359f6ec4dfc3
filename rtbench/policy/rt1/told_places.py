"""Places that a network is told, as learnt vectors around them in its feature map.

A sentence says what is meant by its name, which a network knows only if it has been trained on it. A place
says it whatever it is called: RT-2 points at a thing that RT-1 has never seen, and RT-1 goes there. Not in
the published network.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

STD = 0.7
"""Standard deviation [cells of the map] of the Gaussian around a place."""
LOUDNESS = 4.0
"""What the Gaussian is multiplied with, so that weights that begin at zero are heard after some 100 steps."""


class ToldPlaces(nn.Module):
    """Adds to a feature map a vector of each place, as far as a cell is near it."""

    def __init__(self, places: int, channels: int) -> None:
        """Zero weights: a network that is told places for the first time does what it did before.

        Args:
            places: Places that can be told.
            channels: Channels of the feature map.
        """
        super().__init__()
        self.conv = nn.Conv2d(places, channels, 1, bias=False)
        self.zero()

    def zero(self) -> None:
        """Make it the identity."""
        nn.init.zeros_(self.conv.weight)

    def forward(self, x: Tensor, places: Tensor) -> Tensor:
        """The map with its places.

        Args:
            x: float32[N, channels, H, W].
            places: float32[N, places, 2], x and y from 0 to 1; NaN for one that is not told.

        Returns:
            float32[N, channels, H, W].
        """
        added: Tensor = self.conv(heat(places, *x.shape[-2:]).to(x.dtype))
        return x + added


def heat(places: Tensor, height: int, width: int) -> Tensor:
    """Gaussians float32[N, n, height, width] around places float32[N, n, 2]; zero for one that is NaN."""
    told = places.isfinite().all(-1)
    x, y = places.nan_to_num().float().unbind(-1)
    across, down = (log_gaussian(p, n, STD).exp() for p, n in ((x * width, width), (y * height, height)))
    return LOUDNESS * told[..., None, None] * down[..., :, None] * across[..., None, :]


def log_gaussian(place: Tensor, cells: int, std: float) -> Tensor:
    """Logarithm float32[..., cells] of a Gaussian over a row of cells: 0 where the place is a cell's middle.

    Args:
        place: float32[...], from 0 to `cells`.
        cells: Cells of the row.
        std: Standard deviation [cells].
    """
    middles = torch.arange(cells, device=place.device) + 0.5
    return -0.5 * ((middles - place[..., None]) / std) ** 2
