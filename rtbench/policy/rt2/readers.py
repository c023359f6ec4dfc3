"""Readers of our own small RT-2, token by token: with a cache of keys and values, and without one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from rtbench.policy.rt2.network import LayerCache, Network, Segments


class Prompt:
    """An instruction that has been read, with room for what follows; it lasts an episode."""

    def __init__(self, network: Network, states: Tensor, instruction: str) -> None:
        """Read token states float32[T, state] of an instruction, T at least 1."""
        size = network.size
        self.network, self.states, self.instruction = network, states, instruction
        most = len(states) + size.image_tokens + size.motor.tokens + size.suffix
        room = states.new_zeros(size.layers, 2, 1, size.heads, most, size.head)
        self.caches = [LayerCache(part) for part in room]
        x = network.place_states(states[None])
        for layer, cache in zip(network.layers, self.caches, strict=True):
            x = layer(x, None, cache)


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
        self._images, self._look = images, again
        self._image_is_read = False
        self._again: Tensor | None = None
        self._count = 0
        self._last = images[0, 0]

    def look_again(self, words: Sequence[int] | None) -> None:
        """Look a second time; it is read together with the next tokens."""
        if not self._image_is_read:
            self._layers(self._images, None)
            self._image_is_read = True
        self._again = self._look(words)

    def read(self, ids: Sequence[int]) -> None:
        """Read tokens, at least one; the image is read together with the first ones."""
        network, before = self._network, self._caches[0].length
        x = network.place_suffix(torch.tensor([list(ids)], device=self._last.device), self._count)
        parts = [x]
        if not self._image_is_read:
            parts = [self._images, x]
            self._image_is_read = True
        elif self._again is not None:
            parts = [self._again, x]
        new = sum(part.shape[1] for part in parts)
        mask = _continued(new, len(ids), before + new - len(ids), x.device)
        if mask is not None and self._again is not None:
            # The second look does not depend on what has been said.
            mask[..., : new - len(ids), before - self._count : before] = False
        self._last = network.norm(self._layers(torch.cat(parts, dim=1), mask)[0, -1])
        self._again = None
        self._count += len(ids)

    def logits(self, ids: Tensor) -> Tensor:
        """Logits float32[n] of ids as the next token."""
        return _rows(self._network.head, ids, self._last)

    def _layers(self, x: Tensor, mask: Tensor | None) -> Tensor:
        for layer, cache in zip(self._network.layers, self._caches, strict=True):
            x = layer(x, mask, cache)
        return x


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


def _continued(length: int, suffix: int, before: int, device: torch.device) -> Tensor | None:
    """The mask of `length` new positions, of which the last `suffix` are causal, after others.

    Args:
        length: New positions, the image's first where there are any.
        suffix: Those of the suffix.
        before: All positions before the suffix's new ones.
        device: Where it is wanted.
    """
    if suffix == 1 and length == 1:
        return None
    total = before + suffix
    row = torch.arange(total - length, total, device=device)[:, None]
    column = torch.arange(total, device=device)
    return ((column < before) | ((column <= row) & (row >= before)))[None, None]


def _rows(head: nn.Linear, ids: Tensor, x: Tensor) -> Tensor:
    """Outputs float32[n] of these rows of a linear layer, for a vector float32[width]."""
    return torch.mv(head.weight[ids], x) + head.bias[ids]
