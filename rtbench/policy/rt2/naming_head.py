"""What is seen, and where: a head that names things at places of a feature map, and picks them out of it.

A head makes an embedding of each of sixteen parts of a cell of the map, and one of each name, from its vector
by a frozen sentence encoder. Their product is the score of a name at a place. Beside it stands the presence:
whether the middle of a thing is there, whatever it is called (Zhou et al. 2019). RT-2 reads the things with
the highest presence as tokens, each with its name and its place. RT-1 has a head in training alone.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from rtbench.core.seeding import entropy

HIDDEN, WIDTH = 256, 64
"""Width of the head's hidden layer, and of embeddings."""
PARTS = 4
"""Parts of a cell's side that have embeddings of their own: a cell of 16 pixels holds two cans."""
FIRST_SCALE = 10.0
"""Factor of the products of unit vectors, before training."""
FIRST_PRESENCE = -4.0
"""Presence before training, a logit: few places have a thing's middle."""
APART = 3
"""Side of the square of parts, of which one alone may be a thing's middle."""


class Named(NamedTuple):
    """What a head says of N maps; h and w are `PARTS` times as long as the maps' sides."""

    scores: Tensor
    """float32[N, V, h, w]: score of each of V names at each place, a logit."""
    presence: Tensor
    """float32[N, h, w]: whether a thing's middle is there, a logit."""


class Things(NamedTuple):
    """The K likeliest things of N pictures, the likeliest first."""

    names: Tensor
    """float32[N, K, V]: probabilities of the names."""
    places: Tensor
    """float32[N, K, 2]: x and y from 0 to 1, from the upper left."""
    presence: Tensor
    """float32[N, K]: a probability."""
    cells: Tensor
    """int64[N, K]: cell of the map, row by row."""


class NamingHead(nn.Module):
    """Names things at places."""

    vectors: Tensor

    def __init__(self, features: int, vectors: Tensor, seed: int = 0) -> None:
        """A head for maps of that many features, and names of the frozen vectors float32[V, D].

        Its first weights follow from the seed.
        """
        super().__init__()
        self.register_buffer("vectors", vectors)
        self._make(features, vectors.shape[1])
        self.initialise(seed)

    def _make(self, features: int, text: int) -> None:
        self.embed = nn.Sequential(
            nn.Conv2d(features, HIDDEN, 1),
            nn.GELU(approximate="tanh"),
            nn.Conv2d(HIDDEN, (WIDTH + 1) * PARTS**2, 1),
            nn.PixelShuffle(PARTS),
        )
        self.names = nn.Linear(text, WIDTH, bias=False)
        self.log_scale = nn.Parameter(torch.tensor(math.log(FIRST_SCALE)))

    def initialise(self, seed: int) -> None:
        """Draw the weights."""
        if self.vectors.is_meta:
            return
        # PyTorch draws first weights from its global generator, whose state is the caller's.
        with torch.random.fork_rng(devices=()), torch.no_grad():
            torch.manual_seed(entropy("naming head", seed) >> 65)
            for module in (*self.embed, self.names):
                if isinstance(module, nn.Conv2d | nn.Linear):
                    module.reset_parameters()
            self.get_parameter("embed.2.bias")[-(PARTS**2) :] = FIRST_PRESENCE

    def forward(self, features: Tensor) -> Named:
        """Scores and presence for maps float[N, features, H', W']."""
        places, presence = self._at_places(features)
        return Named(self._scale() * torch.einsum("ndhw,vd->nvhw", places, self._words()), presence)

    @torch.no_grad()
    def things(self, features: Tensor, count: int) -> Things:
        """The `count` places of maps float[N, features, H', W'] with the highest presence, and their names.

        Of neighbouring places one alone is taken.
        """
        places, presence = self._at_places(features)
        height, width = presence.shape[-2:]
        highest = F.max_pool2d(presence[:, None], APART, stride=1, padding=APART // 2)[:, 0]
        peaks = presence.masked_fill(presence < highest, -torch.inf).flatten(1)
        found, index = peaks.topk(count)
        row, column = index // width, index % width
        here = places.flatten(2).gather(2, index[:, None].expand(-1, WIDTH, -1)).transpose(1, 2)
        shares = (self._scale() * here @ self._words().T).softmax(-1)
        return Things(
            names=shares,
            places=torch.stack([(column + 0.5) / width, (row + 0.5) / height], -1),
            presence=found.sigmoid(),
            cells=row // PARTS * (width // PARTS) + column // PARTS,
        )

    def _at_places(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings of norm one float32[N, WIDTH, h, w], and presence float32[N, h, w]."""
        found = self.embed(features).float()
        return F.normalize(found[:, :WIDTH], dim=1), found[:, WIDTH]

    def _words(self) -> Tensor:
        """Embeddings of the names, of norm one, float32[V, WIDTH]."""
        return F.normalize(self.names(self.vectors.to(self.names.weight.dtype)).float(), dim=1)

    def _scale(self) -> Tensor:
        # A bound, as of CLIP: beyond it the loss only sharpens what is right already.
        return self.log_scale.clamp(max=math.log(100)).exp()
