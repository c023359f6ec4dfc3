"""Dense naming loss: every thing that is seen in a frame is named at its place.

The scores of a `NamingHead` are trained in both directions: at a thing's place its name has the highest score
of all names, and of a name the highest score is at its thing's place. The keypoint loss has one or two
objects a frame, and only those that the instruction names; these are about ten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its usual name

from rtbench.data.naming import DRAWER, GRIPPER, HANDLE, SINK, Name
from rtbench.policy.rt2.naming_head import Named
from rtbench.train.frame_labels import FrameLabels
from rtbench.train.keypoint_loss import gaussian

NEAR = 0.05
"""Greatest distance of a place that is right, as a share of the picture's width: a can is twice as wide."""


def naming_loss(named: Named, labels: FrameLabels) -> Tensor:
    """How far the names and places of a head are from the labels, a scalar; 0 without labels.

    It is the mean cross-entropy of names given places, that of places given names, and the focal loss of the
    presence (Zhou et al. 2019, equation 1).

    Args:
        named: What a `NamingHead` says of N frames.
        labels: Labels of the frames. Of a frame without any, nothing is known.
    """
    scores = named.scores
    if not len(labels.names):
        return scores.sum() * 0 + named.presence.sum() * 0
    height, width = scores.shape[-2:]
    x, y = labels.places.unbind(-1)
    column = (x * width).long().clamp(0, width - 1)
    row = (y * height).long().clamp(0, height - 1)
    names = F.cross_entropy(scores[labels.frames, :, row, column], labels.names)
    logs = scores[labels.frames, labels.names].flatten(1).log_softmax(-1).view(-1, height, width)
    across, down = gaussian(x * width, width), gaussian(y * height, height)
    places = -(logs * down[:, :, None] * across[:, None, :]).sum((1, 2)).mean()
    return names + places + _presence_loss(named.presence, labels.frames, row, column)


def _presence_loss(presence: Tensor, frames: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """Focal loss of logits float[N, h, w], whose things have their middles at these rows and columns."""
    height, width = presence.shape[-2:]
    rows, columns = (torch.arange(side, device=presence.device) for side in (height, width))
    away = (rows - row[:, None]).square()[:, :, None] + (columns - column[:, None]).square()[:, None, :]
    bumps = (-0.5 * away).exp()
    near = torch.zeros_like(presence, requires_grad=False).scatter_reduce_(
        0, frames[:, None, None].expand_as(bumps), bumps, "amax"
    )
    known = torch.zeros(len(presence), dtype=torch.bool, device=presence.device).index_fill_(
        0, frames, value=True
    )
    logits, near = presence[known], near[known]
    share = logits.sigmoid()
    there = near == 1
    hit = (1 - share) ** 2 * F.logsigmoid(logits) * there
    miss = (1 - near) ** 4 * share**2 * F.logsigmoid(-logits) * ~there
    return -(hit + miss).sum() / there.sum()


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
