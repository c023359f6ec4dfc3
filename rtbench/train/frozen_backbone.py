"""Training with a frozen backbone: image tokens are computed once, and take the place of pixels.

The backbone takes nine tenths of a step's time. After some rounds of demonstrations it limits success no
more: with the true position of every object as an input, actions were no better than from the image tokens.
Computing the tokens of 158,877 frames took 4 minutes, and the layers after them train on 2,500 frames a
second instead of 160.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rtbench.policy.rt1.checkpoint import weights_of
from rtbench.policy.rt1.inference import Inference
from rtbench.policy.rt1.network import RT1
from rtbench.train.augment import to_float
from rtbench.train.dataset import Dataset

FRAMES = 32
"""Frames that are unpacked at once."""
PROGRESS = 1000
"""Demonstrations between two messages."""


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


@torch.inference_mode()
def to_image_tokens(
    data: Dataset, network: RT1, texts: NDArray[np.float32], say: Callable[[str], None]
) -> Dataset:
    """The data with image tokens float16[N, tokens, features] in place of pixels.

    Args:
        data: With pixels of the network's size.
        network: The network that makes the tokens.
        texts: float32[n, D]: the vector of each of the data's instructions.
        say: Shows a line to the user.

    Raises:
        ValueError: pixels of another size.
    """
    engine, size = Inference(weights_of(network), threads=torch.get_num_threads()), network.size
    vectors = dict(zip(data.instructions, texts, strict=True))
    tokens = torch.empty(len(data.frames), size.tokens, size.features, dtype=torch.float16)
    begin = 0
    for number, (episode, length) in enumerate(zip(data.episodes, data.lengths.tolist(), strict=True), 1):
        vector = vectors[episode.instruction]
        for start in range(begin, begin + length, FRAMES):
            frames = to_float(data.frames[start : min(start + FRAMES, begin + length)])
            found = engine.image_tokens(frames.numpy(), np.tile(vector, (len(frames), 1)))
            tokens[start : start + len(frames)] = torch.from_numpy(found)
        begin += length
        if number % PROGRESS == 0:
            say(f"  image tokens of {begin} of {len(tokens)} frames")
    return replace(data, frames=tokens)
