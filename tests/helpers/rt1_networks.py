"""Small networks, encoders and images for the tests of RT-1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from rtbench.core.episode import Observation
from rtbench.core.seeding import generator
from rtbench.policy.rt1.config import SMALL, Size, Stage
from rtbench.policy.rt1.network import RT1

TINY = replace(
    SMALL, name="tiny", image=(32, 40), frames=6, text=12, film=8, stem=8,
    stages=(Stage(3, 1, 1, 8, 1), Stage(3, 2, 2, 12, 2), Stage(5, 2, 2, 16, 1)),
    top=24, features=16, tokens=4, mixed=10, width=24, layers=2, heads=2, key_dim=8, dropout=0.0,
)  # fmt: skip
TINY_STATES = replace(TINY, name="tiny-states", text=5 * 6, states=5)
"""Told five token states of six numbers each."""
TINY_LITE = replace(
    TINY, name="tiny-lite", lite=True,
    stages=(Stage(3, 1, 1, 8, 1), Stage(5, 2, 6, 12, 2), Stage(3, 2, 6, 16, 1)),
)  # fmt: skip


def torch_numbers(*names: str | int) -> torch.Generator:
    return torch.Generator().manual_seed(int(generator(*names).integers(2**62)))


def normal(*shape: int, name: str = "") -> torch.Tensor:
    return torch.randn(shape, generator=torch_numbers("normal", name, *shape))


def uniform(*shape: int, name: str = "") -> torch.Tensor:
    return torch.rand(shape, generator=torch_numbers("uniform", name, *shape))


def trained(size: Size = TINY, **arguments: str | int) -> RT1:
    """A network with FiLM layers, biases and batch norms as after training: nothing is 0 or 1 by chance."""
    network = RT1(size, **arguments)
    rng = torch_numbers("trained", size.name)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "film" in name or name.endswith("bias"):
                parameter.normal_(0, 0.1, generator=rng)
        # Running statistics of a few batches: without them the features of a deep network fade to nothing.
        network.train()
        for name in ("first", "second", "third"):
            for norm in network.modules():
                if isinstance(norm, torch.nn.BatchNorm2d):
                    norm.momentum = 0.5
            images = uniform(4, 3, *size.image, name=name)
            network.feature_map(images, normal(4, size.text, name=name))
    return network.eval()


class Words:
    """A language encoder without language: a vector that follows from the text."""

    id = "words"

    def __init__(self, length: int = TINY.text) -> None:
        self.length = length

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = np.stack([generator("words", text).normal(size=self.length) for text in texts])
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def observation(name: str | int, step: int = 0) -> Observation:
    pixels = generator("observation", name, step).integers(0, 256, (256, 320, 3), dtype=np.uint8)
    return Observation({"head": pixels}, "", np.zeros(15, dtype=np.float32), step)
