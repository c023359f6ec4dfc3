"""FiLM: language scales and shifts the channels of a feature map (Perez et al. 2018)."""

from __future__ import annotations

from torch import Tensor, nn


class FiLM(nn.Module):
    """(1 + multiply(text)) x + add(text), which is x as long as its weights are zero."""

    def __init__(self, text: int, channels: int) -> None:
        """Zero weights: a pre-trained backbone begins as it was trained.

        Args:
            text: Length of the language vector.
            channels: Channels of the feature map.
        """
        super().__init__()
        self.add = nn.Linear(text, channels)
        self.multiply = nn.Linear(text, channels)
        self.zero()

    def zero(self) -> None:
        """Make it the identity."""
        for parameter in self.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, text: Tensor) -> Tensor:
        """The map modulated.

        Args:
            x: float32[N, channels, H, W].
            text: float32[N, text].

        Returns:
            float32[N, channels, H, W].
        """
        scale = 1 + self.multiply(text)[:, :, None, None]
        shifted: Tensor = scale * x + self.add(text)[:, :, None, None]
        return shifted
