"""Readers of our own small RT-2, token by token: with a cache of keys and values, and without one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor

from rtbench.core.action import BINS
from rtbench.policy.rt2.network import Layer, LayerCache, Network, Picture, Segments


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

    def image_tokens(self, picture: Picture) -> Tensor:
        """Image tokens float32[1, image tokens, width] of a picture, for this instruction."""
        stated = torch.ones(1, len(self.states), dtype=torch.bool, device=self.states.device)
        return self.network.image_tokens(picture, self.states[None], stated)


def remember(network: Network, caches: Sequence[LayerCache], memory: Tensor) -> None:
    """Add keys and values of positions float32[1, M, width] that are read only."""
    for layer, cache in zip(network.layers, caches, strict=True):
        cache.add(*cast("Layer", layer).known(memory))


Again = Callable[[Sequence[int] | None], Tensor]
"""Second look float32[1, tokens, width], as of `Network.look_again`, by ids of a plan's words; None: by the
instruction."""


class CachedReader:
    """Reads on from a prompt with an image; what has been read is not computed again."""

    def __init__(self, prompt: Prompt, picture: Picture, again: Again) -> None:
        """Begin with a picture; what earlier readers added is dropped."""
        self._network, self._caches = prompt.network, prompt.caches
        self._picture, self._images = picture, prompt.image_tokens(picture)
        for cache in self._caches:
            cache.length = len(prompt.states)
        remember(self._network, self._caches, self._images)
        self._look = again
        self._count = 0
        self._last = self._images[0, 0]

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
        return _logits(self._network, ids, self._last, self._images, self._picture.places)


class PlainReader:
    """The same without a cache: all is computed again for each token."""

    def __init__(self, prompt: Prompt, picture: Picture, again: Again) -> None:
        """Begin with a picture."""
        self._prompt, self._picture, self._look = prompt, picture, again
        self._images = prompt.image_tokens(picture)
        self._again: Tensor | None = None
        self._acts = -1
        self._ids: list[int] = []
        self._last = self._images[0, 0]

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
        places = self._picture.places
        segments = Segments(states, there, self._images, places, there[:, 0], suffix, self._again, acts)
        network = self._prompt.network
        self._last = network.norm(network.positions(segments)[0, -1])

    def logits(self, ids: Tensor) -> Tensor:
        """Logits float32[n] of ids as the next token."""
        network = self._prompt.network
        return _logits(network, ids, self._last, self._images, self._picture.places)


def _causal(new: int, before: int, device: torch.device) -> Tensor:
    """bool[1, 1, new, before + new]: new positions attend all before them, and themselves."""
    column = torch.arange(before + new, device=device)
    return (column <= torch.arange(before, before + new, device=device)[:, None])[None, None]


def _logits(network: Network, ids: Tensor, x: Tensor, images: Tensor, places: Tensor) -> Tensor:
    """Logits float32[n] of these ids, for the newest position float32[width]."""
    found = torch.mv(network.head.weight[ids], x) + network.head.bias[ids]
    if int(ids[0]) >= BINS:  # words
        return found
    pointed = network.pointed(x[None, None], images, places)[0, 0]
    return found + torch.where(ids < BINS, pointed[ids.clamp(max=BINS - 1)], 0.0)
