"""How good predicted tokens are, and how good the likeliest token alone would be."""

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
    """Cross-entropy [nats a token]; None for a guess that has no chances."""
    accuracy: tuple[float, ...]
    """Share of right tokens, 11 of them, by token position."""

    @property
    def mean(self) -> float:
        """Accuracy over all tokens."""
        return sum(self.accuracy) / len(self.accuracy)


class Meter:
    """Adds batches up on their device, so that training waits for no number."""

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

    @property
    def sums(self) -> Tensor:
        """float64[13]: loss, frames and right tokens; all that is to be kept of a meter."""
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


def guess(tokens: NDArray[np.int64], labels: NDArray[np.uint8]) -> Score:
    """What always answering `tokens` int64[11] scores on labels uint8[N, 11], N at least 1."""
    return Score(None, tuple((labels == tokens).mean(axis=0).tolist()))
