"""Dense naming loss: every thing that is seen in a frame is named at its place.

A head makes an embedding of each of sixteen parts of a cell of the feature map, and one of each name, from
its vector by a frozen sentence encoder. Their products are trained in both directions: at a thing's place its
name has the highest score of all names, and of a name the highest score is at its thing's place. The keypoint
loss has one or two objects a frame, and only those that the instruction names; these are about ten. The head
is for training, and is not published.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from rtbench.core.seeding import entropy
from rtbench.data.naming import DRAWER, GRIPPER, HANDLE, SINK, Name
from rtbench.train.frame_labels import FrameLabels
from rtbench.train.keypoint_loss import gaussian

HIDDEN, WIDTH = 256, 64
"""Width of the head's hidden layer, and of embeddings."""
PARTS = 4
"""Parts of a cell's side that have embeddings of their own: a cell of 16 pixels holds two cans."""
FIRST_SCALE = 10.0
"""Factor of the products of unit vectors, before training."""
NEAR = 0.05
"""Greatest distance of a place that is right, as a share of the picture's width: a can is twice as wide."""


class NamingHead(nn.Module):
    """Scores of names at places of the picture."""

    vectors: Tensor

    def __init__(self, features: int, vectors: Tensor, seed: int = 0) -> None:
        """A head for maps of that many features, and names of the frozen vectors float32[V, text].

        Its first weights follow from the seed.
        """
        super().__init__()
        self.register_buffer("vectors", vectors, persistent=False)
        # PyTorch draws first weights from its global generator, whose state is the caller's.
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(entropy("naming head", seed) >> 65)
            self._make(features, vectors.shape[1])

    def _make(self, features: int, text: int) -> None:
        self.embed = nn.Sequential(
            nn.Conv2d(features, HIDDEN, 1),
            nn.GELU(approximate="tanh"),
            nn.Conv2d(HIDDEN, WIDTH * PARTS**2, 1),
            nn.PixelShuffle(PARTS),
        )
        self.names = nn.Linear(text, WIDTH, bias=False)
        self.log_scale = nn.Parameter(torch.tensor(math.log(FIRST_SCALE)))

    def forward(self, features: Tensor) -> Tensor:
        """Scores float32[N, V, h, w] of maps float[N, features, H', W'], h and w `PARTS` times as long."""
        places = F.normalize(self.embed(features).float(), dim=1)
        words = F.normalize(self.names(self.vectors).float(), dim=1)
        # A bound, as of CLIP: beyond it the loss only sharpens what is right already.
        scale = self.log_scale.clamp(max=math.log(100)).exp()
        return scale * torch.einsum("ndhw,vd->nvhw", places, words)


def naming_loss(scores: Tensor, labels: FrameLabels) -> Tensor:
    """Mean cross-entropy of names given places, and of places given names, a scalar; 0 without labels.

    Args:
        scores: float[N, V, h, w], from `NamingHead`.
        labels: Labels of the N frames.
    """
    if not len(labels.names):
        return scores.sum() * 0
    height, width = scores.shape[-2:]
    x, y = labels.places.unbind(-1)
    column = (x * width).long().clamp(0, width - 1)
    row = (y * height).long().clamp(0, height - 1)
    names = F.cross_entropy(scores[labels.frames, :, row, column], labels.names)
    logs = scores[labels.frames, labels.names].flatten(1).log_softmax(-1).view(-1, height, width)
    across, down = gaussian(x * width, width), gaussian(y * height, height)
    places = -(logs * down[:, :, None] * across[:, None, :]).sum((1, 2)).mean()
    return names + places


@dataclass
class Found:
    """Answers to "where is NAME", counted by kind of thing."""

    vocabulary: Sequence[Name]
    """All names."""
    right: dict[str, int] = field(default_factory=dict)
    """Right answers by kind."""
    asked: dict[str, int] = field(default_factory=dict)
    """Questions by kind."""
    guessed: dict[str, float] = field(default_factory=dict)
    """Answers by kind that would be right if one of the frame's things of the group were drawn for each."""

    def __str__(self) -> str:
        """A line for the user."""
        kinds = ", ".join(
            f"{kind} {self.right[kind] / asked:.0%} ({self.guessed[kind] / asked:.0%})"
            for kind, asked in sorted(self.asked.items())
        )
        total = sum(self.asked.values())
        return f"where is NAME: {self.share():.0%} of {total} (chance {self.chance():.0%}): {kinds}"

    def chance(self) -> float:
        """Share of right answers of a guess among things of the group, 0 to 1."""
        return sum(self.guessed.values()) / max(sum(self.asked.values()), 1)

    def share(self) -> float:
        """Share of right answers, 0 to 1."""
        return sum(self.right.values()) / max(sum(self.asked.values()), 1)

    def add(self, scores: Tensor, labels: FrameLabels) -> None:
        """Ask for all labels of a batch.

        An answer is the place with the highest score of a name. It is right if it is within `NEAR` of the
        named thing, and no other thing of its group is nearer: objects, drawers, handles and sinks are
        groups. Arguments as of `naming_loss`.
        """
        if not len(labels.names):
            return
        height, width = scores.shape[-2:]
        best = scores[labels.frames, labels.names].flatten(1).argmax(1).cpu().numpy()
        row, column = np.divmod(best, width)
        # The picture's height is four fifths of its width.
        shape = np.array([1.0, 0.8])
        said = np.stack([(column + 0.5) / width, (row + 0.5) / height], axis=1) * shape
        places = labels.places.cpu().numpy() * shape
        frames, names = labels.frames.cpu().numpy(), labels.names.cpu().numpy()
        groups = np.array([_group(self.vocabulary[name].kind) for name in names])
        distances = np.linalg.norm(said[:, None] - places[None], axis=-1)
        distances[(frames[:, None] != frames) | (groups[:, None] != groups)] = np.inf
        own = distances.diagonal()
        right = (own <= NEAR) & (own <= distances.min(axis=1))
        guess = 1 / np.isfinite(distances).sum(axis=1)
        for name, is_right, share in zip(names.tolist(), right.tolist(), guess.tolist(), strict=True):
            kind = self.vocabulary[name].kind
            self.asked[kind] = self.asked.get(kind, 0) + 1
            self.right[kind] = self.right.get(kind, 0) + is_right
            self.guessed[kind] = self.guessed.get(kind, 0) + share


def _group(kind: str) -> str:
    return kind if kind in {DRAWER, HANDLE, SINK, GRIPPER} else ""
