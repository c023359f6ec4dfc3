"""Readers of our own small RT-2, token by token: with a cache of keys and values, and without one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from rtbench.policy.rt2.network import Layer, LayerCache, Network, Segments


class Prompt:
    """An instruction that has been read, with room for what follows; it lasts an episode."""

    def __init__(self, network: Network, states: Tensor, instruction: str) -> None:
        """Read token states float32[T, state] of an instruction, T at least 1."""
        size = network.size
        self.network, self.states, self.instruction = network, states, instruction
        most = len(states) + size.image_tokens + size.motor.tokens + size.suffix
        room = states.new_zeros(size.layers, 2, 1, size.heads, most, size.head)
        self.caches = [LayerCache(part) for part in room]
        remember(network, self.caches, network.place_states(states[None]))


def remember(network: Network, caches: Sequence[LayerCache], memory: Tensor) -> None:
    """Add keys and values of positions float32[1, M, width] that are read only."""
    for layer, cache in zip(network.layers, caches, strict=True):
        cache.add(*cast("Layer", layer).known(memory))


Again = Callable[[Sequence[int] | None], Tensor]
"""Second look float32[1, tokens, width], as of `Network.look_again`, by ids of a plan's words; None: by the
instruction."""


class CachedReader:
    """Reads on from a prompt with an image; what has been read is not computed again."""

    def __init__(self, prompt: Prompt, images: Tensor, again: Again) -> None:
        """Begin with image tokens float32[1, image tokens, width]; what earlier readers added is dropped."""
        self._network, self._caches = prompt.network, prompt.caches
        for cache in self._caches:
            cache.length = len(prompt.states)
        remember(self._network, self._caches, images)
        self._look = again
        self._count = 0
        self._last = images[0, 0]

    def look_again(self, words: Sequence[int] | None) -> None:
        """Look a second time, for what is read from here on."""
        remember(self._network, self._caches, self._look(words))

    def read(self, ids: Sequence[int]) -> None:
        """Read tokens, at least one."""
        network, new = self._network, len(ids)
        x = network.place_suffix(torch.tensor([list(ids)], device=self._last.device), self._count)
        mask = _causal(new, self._caches[0].length, x.device) if new > 1 else None
        for layer, cache in zip(network.layers, self._caches, strict=True):
            x = layer(x, mask, cache)
        self._last = network.norm(x[0, -1])
        self._count += new

    def logits(self, ids: Tensor) -> Tensor:
        """Logits float32[n] of ids as the next token."""
        return _rows(self._network.head, ids, self._last)


class PlainReader:
    """The same without a cache: all is computed again for each token."""

    def __init__(self, prompt: Prompt, images: Tensor, again: Again) -> None:
        """Begin with image tokens float32[1, image tokens, width]."""
        self._prompt, self._images, self._look = prompt, images, again
        self._again: Tensor | None = None
        self._acts = -1
        self._ids: list[int] = []
        self._last = images[0, 0]

    def look_again(self, words: Sequence[int] | None) -> None:
        """Look a second time, for what is read from here on."""
        self._again, self._acts = self._look(words), len(self._ids)

    def read(self, ids: Sequence[int]) -> None:
        """Read tokens, at least one."""
        self._ids += ids
        states = self._prompt.states[None]
        device = states.device
        there = torch.ones(states.shape[:2], dtype=torch.bool, device=device)
        suffix = torch.tensor([self._ids], device=device)
        acts = torch.tensor([self._acts], device=device)
        segments = Segments(states, there, self._images, there[:, 0], suffix, self._again, acts)
        network = self._prompt.network
        self._last = network.norm(network.positions(segments)[0, -1])

    def logits(self, ids: Tensor) -> Tensor:
        """Logits float32[n] of ids as the next token."""
        return _rows(self._prompt.network.head, ids, self._last)


def _causal(new: int, before: int, device: torch.device) -> Tensor:
    """bool[1, 1, new, before + new]: new positions attend all before them, and themselves."""
    column = torch.arange(before + new, device=device)
    return (column <= torch.arange(before, before + new, device=device)[:, None])[None, None]


def _rows(head: nn.Linear, ids: Tensor, x: Tensor) -> Tensor:
    """Outputs float32[n] of these rows of a linear layer, for a vector float32[width]."""
    return torch.mv(head.weight[ids], x) + head.bias[ids]
