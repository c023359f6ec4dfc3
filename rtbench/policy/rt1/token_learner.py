"""TokenLearner v1.1 (Ryoo et al. 2021): a feature map becomes a few tokens, each of what it looks at."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from rtbench.policy.rt1.config import LAYER_NORM_EPS
from rtbench.policy.rt1.config import TOKEN_LEARNER_HIDDEN as HIDDEN


class TokenLearner(nn.Module):
    """Sums the features of all positions, with weights that are a softmax over the positions."""

    def __init__(self, features: int, tokens: int) -> None:
        """A selector for that many tokens.

        Args:
            features: Channels of the map.
            tokens: Tokens to make.
        """
        super().__init__()
        self.norm = nn.LayerNorm(features, eps=LAYER_NORM_EPS)
        self.hidden = nn.Linear(features, HIDDEN)
        self.output = nn.Linear(HIDDEN, tokens)

    def scores(self, features: Tensor) -> Tensor:
        """Where each token looks, before the softmax over positions.

        Args:
            features: float32[N, P, features], one row a position of the map.

        Returns:
            float32[N, P, tokens].
        """
        chosen: Tensor = self.output(F.gelu(self.hidden(self.norm(features)), approximate="tanh"))
        return chosen

    def sums(self, scores: Tensor, features: Tensor) -> Tensor:
        """Tokens float32[N, tokens, features]: sums of un-normalised features, weighted by their scores."""
        return scores.softmax(dim=1).transpose(1, 2) @ features

    def forward(self, features: Tensor) -> Tensor:
        """Tokens float32[N, tokens, features] of float32[N, P, features]."""
        return self.sums(self.scores(features), features)
