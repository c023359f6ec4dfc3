"""Loss and accuracy of predicted tokens, and of the most frequent token as a baseline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtbench.core.action import BINS, SIZE


@dataclass(frozen=True)
class Score:
    """Means over frames."""

    loss: float | None
    """Cross-entropy [nats per token]; None for a constant token, which has no probabilities."""
    accuracy: tuple[float, ...]
    """Share of right tokens at each of the 11 token positions."""

    @property
    def mean(self) -> float:
        """Accuracy over all tokens."""
        return sum(self.accuracy) / len(self.accuracy)


class Meter:
    """Adds batches up on their device, so that a training step never waits for the GPU."""

    def __init__(self, device: torch.device) -> None:
        self._sums = torch.zeros(2 + SIZE, dtype=torch.float64, device=device)

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor, valid: Tensor) -> None:
        """Add a batch.

        Args:
            loss: Mean over its valid frames.
            logits: float[B, T, 11, 256].
            labels: int64[B, T, 11].
            valid: bool[B, T].
        """
        right = ((logits.detach().argmax(-1) == labels) & valid[..., None]).sum((0, 1))
        frames = valid.sum()
        self._sums += torch.cat([(loss.detach() * frames)[None], frames[None], right]).double()

    def add_loss(self, loss: Tensor) -> None:
        """Add a batch that has no actions, as one frame whose tokens are all wrong."""
        self._sums[0] += loss.detach().double()
        self._sums[1] += 1

    @property
    def sums(self) -> Tensor:
        """float64[13]: sums of loss, frames and right tokens; the whole state of a meter."""
        return self._sums

    def score(self, sums: Tensor | None = None) -> Score | None:
        """The means; None where nothing was added.

        Args:
            sums: Those of several processes, added up; its own where None.
        """
        loss, frames, *right = (self._sums if sums is None else sums).tolist()
        return Score(loss / frames, tuple(count / frames for count in right)) if frames else None


def majority(labels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """int64[11]: the most frequent token at each position of labels uint8[N, 11]."""
    return np.array([np.bincount(column, minlength=BINS).argmax() for column in labels.T])


def constant_score(tokens: NDArray[np.int64], labels: NDArray[np.uint8]) -> Score:
    """Score of the constant prediction `tokens` int64[11] on labels uint8[N, 11], N at least 1."""
    return Score(None, tuple((labels == tokens).mean(axis=0).tolist()))
