"""Our own small RT-2: eyes, the token states of an instruction, and a decoder of words, places and actions.

The eyes give two kinds of image tokens: squares of cells of their map, and the things that are named in it,
each with its name and place. Names and instructions are of one sentence encoder, and enter by one matrix, so
that a word finds the thing that it means. With squares of cells alone, 1,300 steps taught the decoder to
point at the right things in 47 % of seen episodes, though 92 % of the things were named rightly.

A sequence is an instruction, an image and a suffix, each with positions of its own. The instruction attends
itself alone, so that its keys and values last an episode. The image attends the instruction and itself. The
suffix, which is what the model says, attends both and is causal.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name
from torch.nn.utils.fusion import fuse_conv_bn_eval

from rtbench.core.seeding import entropy
from rtbench.policy.rt1.efficientnet import ConvNorm, EfficientNet
from rtbench.policy.rt1.film import FiLM
from rtbench.policy.rt1.initialization import initialize
from rtbench.policy.rt2.config import Size
from rtbench.policy.rt2.naming_head import NamingHead

STD = 0.02
"""Standard deviation of first embeddings."""
OCTAVES = 8
"""Wavelengths of the sines that tell a place, from twice the picture's side down to a 64th of it."""


class Eyes(nn.Module):
    """RT-1's backbone without an instruction, its map as tokens for the decoder, and the things in it."""

    position: Tensor

    def __init__(self, size: Size, names: Tensor) -> None:
        super().__init__()
        self.merge, self.count = size.merge, size.things
        features = size.eyes.top + 2
        self.backbone = EfficientNet(size.eyes)
        self.project = nn.Linear(features * size.merge**2, size.width)
        self.naming = NamingHead(features, names)
        self.thing = nn.Linear(features + 4 * OCTAVES + 1, size.width)
        height, width = size.eyes.map
        y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
        self.register_buffer("position", torch.stack([x, y]), persistent=False)

    def feature_map(self, images: Tensor) -> Tensor:
        """The map float32[N, top + 2, H', W'] of images float32[N, 3, H, W], RGB from 0 to 1.

        Its last two channels are x and y from -1 to 1.
        """
        features = self.backbone(images, images.new_zeros(len(images), 1))
        position = self.position.to(features.dtype).expand(len(features), -1, -1, -1)
        return torch.cat([features, position], dim=1)

    def squares(self, features: Tensor) -> Tensor:
        """Squares of cells float32[N, cells, width] of maps as of `feature_map`."""
        if self.merge > 1:
            height, width = (side // self.merge * self.merge for side in features.shape[-2:])
            features = F.pixel_unshuffle(features[..., :height, :width], self.merge)
        projected: Tensor = self.project(features.flatten(2).transpose(1, 2))
        return projected

    def things(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """The things in maps as of `feature_map`.

        Returns:
            The vectors of their names, float32[N, things, state]; and what else is known of them, float32[N,
            things, width]: the features of their cell, their place, and how surely they are there.
        """
        found = self.naming.things(features, self.count)
        cells = features.flatten(2).gather(2, found.cells[:, None].expand(-1, features.shape[1], -1))
        about = [cells.transpose(1, 2), waves(found.places), found.presence[..., None]]
        more: Tensor = self.thing(torch.cat([part.to(features.dtype) for part in about], -1))
        return found.vectors.to(features.dtype), more


def waves(places: Tensor) -> Tensor:
    """Sines and cosines float32[..., 4 * OCTAVES] of places float32[..., 2] (Vaswani et al. 2017)."""
    angles = places[..., None] * math.pi * 2.0 ** torch.arange(OCTAVES, device=places.device)
    return torch.cat([angles.sin(), angles.cos()], -1).flatten(-2)


class Layer(nn.Module):
    """Attention, then two dense layers; both normalised before and added after."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.heads, self.dropout = size.heads, size.dropout
        self.norm1 = nn.LayerNorm(size.width)
        self.attend = nn.Linear(size.width, 3 * size.width)
        self.output = nn.Linear(size.width, size.width)
        self.norm2 = nn.LayerNorm(size.width)
        self.expand = nn.Linear(size.width, size.inner)
        self.contract = nn.Linear(size.inner, size.width)

    def forward(self, x: Tensor, mask: Tensor | None, cache: LayerCache | None = None) -> Tensor:
        """float32[B, L, width], likewise.

        Args:
            x: The newest L positions.
            mask: bool[B or 1, 1, L, all positions]: which may attend which; None: each attends all.
            cache: Keys and values of the positions before; those of these are added.
        """
        three = self.attend(self.norm1(x)).unflatten(-1, (3, self.heads, -1))
        query, key, value = three.permute(2, 0, 3, 1, 4)
        if cache is not None:
            key, value = cache.add(key, value)
        rate = self.dropout if self.training else 0.0
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=rate)
        x = x + F.dropout(self.output(attended.transpose(1, 2).flatten(2)), rate)
        inner = F.gelu(self.expand(self.norm2(x)), approximate="tanh")
        return x + F.dropout(self.contract(inner), rate)


class LayerCache:
    """Keys and values of a layer, float32[1, heads, n, width / heads], in room that is taken once."""

    def __init__(self, room: Tensor) -> None:
        """Room for keys and values, float32[2, 1, heads, most, width / heads]."""
        self._room, self.length = room, 0

    def add(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Those of all positions, after adding the newest's."""
        end = self.length + key.shape[2]
        self._room[0, :, :, self.length : end] = key
        self._room[1, :, :, self.length : end] = value
        self.length = end
        return self._room[0, :, :, :end], self._room[1, :, :, :end]


@dataclass(frozen=True)
class Segments:
    """Sequences of a batch, each of an instruction, an image and a suffix."""

    states: Tensor
    """float32[B, T, state]: token states of the instructions."""
    stated: Tensor
    """bool[B, T]: False where an instruction is shorter, or hidden."""
    images: Tensor
    """float32[B, image tokens, width]: as of `Network.look`."""
    seen: Tensor
    """bool[B]: False for text alone, which has no image."""
    suffix: Tensor
    """int64[B, S]: ids of what is said; what follows an end is without effect on what is before it."""


class Network(nn.Module):
    """The whole network."""

    def __init__(self, size: Size, vocabulary: int, names: Tensor, *, seed: int = 0) -> None:
        """A network with fresh weights.

        Args:
            size: Its dimensions.
            vocabulary: Number of ids that it can say.
            names: float32[V, state]: vectors of the names of what it may see.
            seed: Of the weights.
        """
        super().__init__()
        self.size = size
        self.eyes = Eyes(size, names)
        self.state = nn.Linear(size.state, size.width)
        self.embed = nn.Embedding(vocabulary, size.width)
        self.kind = nn.Embedding(4, size.width)
        self.state_position = nn.Embedding(size.instruction, size.width)
        self.image_position = nn.Embedding(size.cells, size.width)
        self.suffix_position = nn.Embedding(size.suffix, size.width)
        self.layers = nn.ModuleList(Layer(size) for _ in range(size.layers))
        self.norm = nn.LayerNorm(size.width)
        self.head = nn.Linear(size.width, vocabulary)
        self._initialise(torch.Generator().manual_seed(entropy("rt2 weights", seed) >> 65))
        self.eyes.naming.initialise(seed)

    def look(self, images: Tensor) -> Tensor:
        """Image tokens float32[N, image tokens, width] of images float32[N, 3, H, W], RGB from 0 to 1."""
        return self.image_tokens(self.eyes.feature_map(images))

    def image_tokens(self, features: Tensor) -> Tensor:
        """Image tokens, likewise, of maps as of `Eyes.feature_map`."""
        squares = self.eyes.squares(features) + self.image_position.weight + self.kind.weight[1]
        vectors, more = self.eyes.things(features)
        return torch.cat([squares, self.state(alike(vectors)) + more + self.kind.weight[3]], dim=1)

    def forward(self, segments: Segments) -> Tensor:
        """Logits float32[B, S, vocabulary] of what follows each position of the suffixes."""
        x = torch.cat(
            [
                self.place_states(segments.states),
                segments.images,
                self.place_suffix(segments.suffix),
            ],
            dim=1,
        )
        mask = attention_mask(segments)
        for layer in self.layers:
            x = layer(x, mask)
        logits: Tensor = self.head(self.norm(x[:, -segments.suffix.shape[1] :]))
        return logits

    def place_states(self, states: Tensor) -> Tensor:
        """Token states float32[B, T, state] as positions float32[B, T, width]."""
        placed: Tensor = self.state(alike(states)) + self.state_position.weight[: states.shape[1]]
        return placed + self.kind.weight[0]

    def place_suffix(self, suffix: Tensor, start: int = 0) -> Tensor:
        """Ids int64[B, S] as positions float32[B, S, width]; the first has number `start`."""
        places = self.suffix_position.weight[start : start + suffix.shape[1]]
        placed: Tensor = self.embed(suffix) + places
        return placed + self.kind.weight[2]

    @torch.no_grad()
    def _initialise(self, generator: torch.Generator) -> None:
        """Draw all weights. FiLM is the identity, and residual branches begin small (Radford et al. 2019)."""
        initialize(self, generator)
        for module in self.modules():
            if isinstance(module, FiLM):
                module.zero()
            elif isinstance(module, nn.Embedding):
                module.weight.normal_(0, STD, generator=generator)
            elif isinstance(module, Layer):
                for dense in (module.output, module.contract):
                    dense.weight.mul_((2 * self.size.layers) ** -0.5)
        self.head.weight.normal_(0, STD, generator=generator)


def alike(vectors: Tensor) -> Tensor:
    """Vectors of the sentence encoder, of tokens and of whole names, with one mean and one length."""
    return F.layer_norm(vectors, vectors.shape[-1:])


def attention_mask(segments: Segments) -> Tensor:
    """Which position (row) may attend which (column), bool[B, 1, L, L], L = T + image tokens + S."""
    batch, states = segments.stated.shape
    cells, suffix = segments.images.shape[1], segments.suffix.shape[1]
    length = states + cells + suffix
    device = segments.suffix.device
    there = torch.cat(
        [
            segments.stated,
            segments.seen[:, None].expand(-1, cells),
            torch.ones(batch, suffix, dtype=torch.bool, device=device),
        ],
        dim=1,
    )
    part = torch.repeat_interleave(
        torch.arange(3, device=device), torch.tensor([states, cells, suffix], device=device)
    )
    position = torch.arange(length, device=device)
    earlier = part[:, None] > part
    same = (part[:, None] == part) & ((part < 2) | (position[:, None] >= position))
    mask = (earlier | same) & there[:, None]
    # A position that is not there attends itself: with nothing at all, attention is not a number.
    return (mask | torch.eye(length, dtype=torch.bool, device=device))[:, None]


def folded(network: Network, device: torch.device | str = "cpu") -> Network:
    """A copy for deciding, on a device: batch norms are part of their convolutions."""
    copied = copy.deepcopy(network).eval().requires_grad_(requires_grad=False).to(device)
    for module in copied.modules():
        if isinstance(module, ConvNorm) and isinstance(module.norm, nn.BatchNorm2d):
            module.conv = fuse_conv_bn_eval(module.conv, module.norm)
            module.norm = nn.Identity()  # type: ignore[assignment]
    return copied.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


class Prompt:
    """An instruction that has been read, with room for what follows; it lasts an episode."""

    def __init__(self, network: Network, states: Tensor) -> None:
        """Read token states float32[T, state] of an instruction, T at least 1."""
        size = network.size
        self.network, self.states = network, states
        most = len(states) + size.image_tokens + size.suffix
        room = states.new_zeros(size.layers, 2, 1, size.heads, most, size.width // size.heads)
        self.caches = [LayerCache(part) for part in room]
        x = network.place_states(states[None])
        for layer, cache in zip(network.layers, self.caches, strict=True):
            x = layer(x, None, cache)


class CachedReader:
    """Reads on from a prompt with an image; what has been read is not computed again."""

    def __init__(self, prompt: Prompt, images: Tensor) -> None:
        """Begin with image tokens float32[1, image tokens, width]; what earlier readers added is dropped."""
        self._network, self._caches = prompt.network, prompt.caches
        for cache in self._caches:
            cache.length = len(prompt.states)
        self._pending: Tensor | None = images
        self._count = 0
        self._last = images[0, 0]

    def read(self, ids: Sequence[int]) -> None:
        """Read tokens, at least one; the image is read together with the first ones."""
        network = self._network
        x = network.place_suffix(torch.tensor([list(ids)], device=self._last.device), self._count)
        before = self._caches[0].length + (0 if self._pending is None else self._pending.shape[1])
        if self._pending is not None:
            x = torch.cat([self._pending, x], dim=1)
        mask = _continued(x.shape[1], len(ids), before, x.device)
        for layer, cache in zip(network.layers, self._caches, strict=True):
            x = layer(x, mask, cache)
        self._pending = None
        self._count += len(ids)
        self._last = network.norm(x[0, -1])

    def logits(self, ids: Tensor) -> Tensor:
        """Logits float32[n] of ids as the next token."""
        return _rows(self._network.head, ids, self._last)


class PlainReader:
    """The same without a cache: all is computed again for each token."""

    def __init__(self, prompt: Prompt, images: Tensor) -> None:
        """Begin with image tokens float32[1, image tokens, width]."""
        self._prompt, self._images = prompt, images
        self._ids: list[int] = []
        self._last = images[0, 0]

    def read(self, ids: Sequence[int]) -> None:
        """Read tokens, at least one."""
        self._ids += ids
        states = self._prompt.states[None]
        device = states.device
        there = torch.ones(states.shape[:2], dtype=torch.bool, device=device)
        suffix = torch.tensor([self._ids], device=device)
        segments = Segments(states, there, self._images, there[:, 0], suffix)
        network = self._prompt.network
        x = torch.cat(
            [network.place_states(states), self._images, network.place_suffix(suffix)],
            dim=1,
        )
        mask = attention_mask(segments)
        for layer in network.layers:
            x = layer(x, mask)
        self._last = network.norm(x[0, -1])

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
