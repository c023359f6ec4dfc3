"""Readers of our own small RT-2, token by token: with a cache of keys and values, and without one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import cast

import torch
from torch import Tensor

from rtbench.core.action import BINS
from rtbench.policy.rt2.decoding import LazyReading, Plan
from rtbench.policy.rt2.grounding import Grounding
from rtbench.policy.rt2.network import Layer, LayerCache, Network, Picture, Segments


class Prompt:
    """An instruction that has been read, with room for what follows; it lasts an episode."""

    def __init__(self, network: Network, states: Tensor, instruction: str) -> None:
        """Read token states float32[T, state] of an instruction, T at least 1."""
        size = network.size
        self.network, self.states, self.instruction = network, states, instruction
        most = len(states) + size.image_tokens + size.suffix
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


class Look:
    """What is seen in an image, looked at when it is first asked for: a kept plan needs no new one."""

    def __init__(
        self,
        network: Network,
        pixels: Tensor,
        act: Callable[[Plan | None], Tensor],
        grounding: Grounding | None = None,
    ) -> None:
        """A look at an image.

        Args:
            network: What looks.
            pixels: float32[1, 3, H, W].
            act: Gives logits as of `Reader.act`.
            grounding: Grounds plans; None: they stay as they are decided.
        """
        self._network, self._pixels = network, pixels
        self.act, self.grounding = act, grounding

    @cached_property
    def picture(self) -> Picture:
        """What the decoder reads of it."""
        return self._network.look(self._pixels)


class _Looking(LazyReading):
    """What both readers do with an image."""

    def __init__(self, prompt: Prompt, look: Look) -> None:
        """Begin with an image; what earlier readers added is dropped when the first token is read."""
        super().__init__()
        self._prompt, self._network, self._look = prompt, prompt.network, look

    @cached_property
    def _images(self) -> Tensor:
        return self._prompt.image_tokens(self._look.picture)

    def _segments(self, suffixes: Tensor) -> Segments:
        """Suffixes int64[n, S] after instruction and image."""
        states = self._prompt.states[None]
        there = torch.ones(states.shape[:2], dtype=torch.bool, device=states.device)
        return Segments(states, there, self._images, self._look.picture.places, there[:, 0], suffixes)

    def act(self, plan: Plan | None) -> Tensor:
        """Logits float32[length, 256] of an action."""
        return self._look.act(plan)

    def ground(self, plan: Plan) -> Plan:
        """The plan with names and places that agree."""
        if self._look.grounding is None:
            return plan
        device = self._prompt.states.device
        return self._look.grounding(
            plan, self._look.picture, lambda ids: self._network(self._segments(ids.to(device)))
        )

    def logits(self, ids: Tensor) -> Tensor:
        """Logits float32[n] of ids as the next token."""
        network, weight, last = self._network, self._network.head.weight, self._last()
        # Rows of all words are nearly the whole matrix: copying them takes longer than multiplying all.
        if 2 * len(ids) > len(weight):
            found: Tensor = network.head(last)[ids]
        else:
            found = torch.mv(weight[ids], last) + network.head.bias[ids]
        if int(ids[0]) >= BINS:  # words
            return found
        places = self._look.picture.places
        pointed = network.pointed(last[None, None], self._images, places)[0, 0]
        return found + torch.where(ids < BINS, pointed[ids.clamp(max=BINS - 1)], 0.0)


class CachedReader(_Looking):
    """Reads on from a prompt with an image; what has been read is not computed again."""

    def __init__(self, prompt: Prompt, look: Look) -> None:
        """Begin with an image; what earlier readers added is dropped when the first token is read."""
        super().__init__(prompt, look)
        self._caches = prompt.caches
        self._count = 0

    def _begin(self) -> None:
        for cache in self._caches:
            cache.length = len(self._prompt.states)
        remember(self._network, self._caches, self._images)

    def _read(self, ids: Sequence[int]) -> Tensor:
        if not self._count:
            self._begin()
        network, new = self._network, len(ids)
        x = network.place_suffix(torch.tensor([list(ids)], device=self._images.device), self._count)
        mask = _causal(new, self._caches[0].length, x.device) if new > 1 else None
        for layer, cache in zip(network.layers, self._caches, strict=True):
            x = layer(x, mask, cache)
        self._count += new
        last: Tensor = network.norm(x[0, -1])
        return last


class PlainReader(_Looking):
    """The same without a cache: all is computed again for each token."""

    def __init__(self, prompt: Prompt, look: Look) -> None:
        """Begin with an image."""
        super().__init__(prompt, look)
        self._ids: list[int] = []

    def _read(self, ids: Sequence[int]) -> Tensor:
        self._ids += ids
        suffix = torch.tensor([self._ids], device=self._prompt.states.device)
        last: Tensor = self._network.norm(self._network.positions(self._segments(suffix))[0, -1])
        return last


def _causal(new: int, before: int, device: torch.device) -> Tensor:
    """bool[1, 1, new, before + new]: new positions attend all before them, and themselves."""
    column = torch.arange(before + new, device=device)
    return (column <= torch.arange(before, before + new, device=device)[:, None])[None, None]
