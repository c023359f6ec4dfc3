"""Training with a frozen backbone: image tokens are computed once, and take the place of pixels.

The backbone takes nine tenths of a step's time. After some rounds of demonstrations it limits success no
more: with the true position of every object as an input, actions were no better than from the image tokens.
Computing the tokens of 158,877 frames took 4 minutes, and the layers after them train on 2,500 frames a
second instead of 160.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rtbench.policy.rt1.checkpoint import weights_of
from rtbench.policy.rt1.inference import Inference
from rtbench.policy.rt1.network import RT1
from rtbench.train.computed_once import FrozenPart, computed_once
from rtbench.train.dataset import Dataset

FRAMES = 32
"""Frames that are computed at once."""


class FrozenBackbone(nn.Module):
    """A network of which only the layers after the image tokens are trained."""

    def __init__(self, network: RT1) -> None:
        """The network itself, not a copy; all but its mixers and its transformer are frozen."""
        super().__init__()
        self.network = network.requires_grad_(requires_grad=False)
        for part in (network.mixers, network.transformer):
            part.requires_grad_(requires_grad=True)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits as of `RT1.forward`, from image tokens float32[B, T, tokens, features]."""
        return self.network.logits(tokens)


def to_image_tokens(
    data: Dataset, network: RT1, texts: NDArray[np.float32], spill: Path, say: Callable[[str], None]
) -> Dataset:
    """The data with image tokens float16[N, tokens, features] in place of pixels; see `image_tokens`."""
    every = np.arange(len(data.episodes))
    return replace(data, frames=image_tokens(data, network, texts, every, spill, say))


def image_tokens(
    data: Dataset,
    network: RT1,
    texts: NDArray[np.float32],
    demos: NDArray[np.int64],
    spill: Path,
    say: Callable[[str], None],
) -> Tensor:
    """Image tokens float16[N, tokens, features] of some demonstrations; see `computed_once`.

    Args:
        data: With pixels of the network's size.
        network: The network that makes the tokens.
        texts: float32[n, D]: the vector of each of the data's instructions.
        demos: int64[n], numbers of the demonstrations.
        spill: Folder for a file of the tokens that do not fit into memory.
        say: Shows a line to the user.

    Raises:
        ValueError: pixels of another size.
    """
    engine = Inference(weights_of(network), threads=torch.get_num_threads())

    def compute(images: Tensor, vectors: Tensor) -> Tensor:
        return torch.from_numpy(engine.image_tokens(images.numpy(), vectors.numpy()))

    return computed_once(data, texts, FrozenPart("image tokens", FRAMES, compute), demos, spill, say)
